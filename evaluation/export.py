"""`python -m evaluation.export`: the same as `keras-adasim export`."""

from keras_adasim.commands import export

if __name__ == "__main__":
    export.main(program="python -m evaluation.export")
