"""`python -m evaluation.check`: the same as `keras-adasim check`."""

from keras_adasim.commands import check

if __name__ == "__main__":
    check.main(program="python -m evaluation.check")
