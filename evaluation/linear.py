"""`python -m evaluation.linear`: the same as `keras-adasim linear`."""

from keras_adasim.commands import linear

if __name__ == "__main__":
    linear.main(program="python -m evaluation.linear")
