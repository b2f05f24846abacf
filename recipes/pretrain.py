"""AdaSim at work in about three minutes on two cores; `make pretrain` runs it.

Without --data_dir it learns from patches of the photographs in scikit-image's wheel, the
photograph being the label. With --data_dir it learns from a folder of images, by class or flat.
All settings are chosen from the number and size of the images; on a CPU the network is a small one.

Hardware: any. Time: about three minutes on two cores.
Expected, for the patches: the gate opens for a share of the images, and the teacher's k-NN is well
above that of the untrained network, which is above that of raw pixels. README has the figures.

    make pretrain
    make pretrain DATA=folder
    python recipes/pretrain.py --data_dir=folder --epochs=200
"""

from keras_adasim.commands import pretrain
from keras_adasim.pretraining import photographs

if __name__ == "__main__":
    pretrain.main(demo=photographs.as_source)
