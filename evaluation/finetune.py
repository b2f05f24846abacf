"""`python -m evaluation.finetune`: the same as `keras-adasim finetune`."""

from keras_adasim.commands import finetune

if __name__ == "__main__":
    finetune.main(program="python -m evaluation.finetune")
