"""`python -m evaluation.embed`: the same as `keras-adasim embed`."""

from keras_adasim.commands import embed

if __name__ == "__main__":
    embed.main(program="python -m evaluation.embed")
