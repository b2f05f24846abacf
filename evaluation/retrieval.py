"""`python -m evaluation.retrieval`: the same as `keras-adasim retrieval`."""

from keras_adasim.commands import retrieval

if __name__ == "__main__":
    retrieval.main(program="python -m evaluation.retrieval")
