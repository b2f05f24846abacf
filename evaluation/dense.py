"""`python -m evaluation.dense`: the same as `keras-adasim dense`."""

from keras_adasim.commands import dense

if __name__ == "__main__":
    dense.main(program="python -m evaluation.dense")
