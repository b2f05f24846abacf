"""`python -m evaluation.few_labels`: the same as `keras-adasim few_labels`."""

from keras_adasim.commands import few_labels

if __name__ == "__main__":
    few_labels.main(program="python -m evaluation.few_labels")
