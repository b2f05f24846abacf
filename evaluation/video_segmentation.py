"""`python -m evaluation.video_segmentation`: the same as `keras-adasim video_segmentation`."""

from keras_adasim.commands import video_segmentation

if __name__ == "__main__":
    video_segmentation.main(program="python -m evaluation.video_segmentation")
