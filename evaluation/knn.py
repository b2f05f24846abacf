"""`python -m evaluation.knn`: the same as `keras-adasim knn`."""

from keras_adasim.commands import knn

if __name__ == "__main__":
    knn.main(program="python -m evaluation.knn")
