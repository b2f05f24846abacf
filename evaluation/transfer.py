"""`python -m evaluation.transfer`: the same as `keras-adasim transfer`."""

from keras_adasim.commands import transfer

if __name__ == "__main__":
    transfer.main(program="python -m evaluation.transfer")
