"""`python -m evaluation.copy_detection`: the same as `keras-adasim copy_detection`."""

from keras_adasim.commands import copy_detection

if __name__ == "__main__":
    copy_detection.main(program="python -m evaluation.copy_detection")
