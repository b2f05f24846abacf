"""`python -m evaluation.doctor`: the same as `keras-adasim doctor`."""

from keras_adasim.commands import doctor

if __name__ == "__main__":
    doctor.main(program="python -m evaluation.doctor")
