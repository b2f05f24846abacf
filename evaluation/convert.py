"""`python -m evaluation.convert`: the same as `keras-adasim convert`."""

from keras_adasim.commands import convert

if __name__ == "__main__":
    convert.main(program="python -m evaluation.convert")
