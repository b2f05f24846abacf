"""`python -m evaluation.report`: the same as `keras-adasim report`."""

from keras_adasim.commands import report

if __name__ == "__main__":
    report.main(program="python -m evaluation.report")
