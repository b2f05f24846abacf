"""`python -m evaluation.gallery`: the same as `keras-adasim gallery`."""

from keras_adasim.commands import gallery

if __name__ == "__main__":
    gallery.main(program="python -m evaluation.gallery")
