"""What a setting is, and those of every run: the ones that belong to no constructor."""

import dataclasses

from keras_adasim import optimizers
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD

WEIGHTS, WATCHING, MACHINE = "decides the weights", "watches only", "depends on the machine"
OPTIMIZERS = {"adamw": optimizers.AdamW, "lars": optimizers.LARS, "sgd": optimizers.SGD}


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: Its keyword, and its flag without the dashes.
        default: Its value if nobody sets or chooses another.
        help: What it means, in a sentence.
        choices: The strings that it can be, if they are few.
        role: `WEIGHTS`, `WATCHING` or `MACHINE`. A run that goes on refuses another value of the
            first kind, takes one of the second, and never remembers one of the third.
        owners: Dict of what has it, such as `"byol"` or `"vit_small"`, to its default there; empty
            if every run has it.
        texts: Dict of the same names to what it means there.
    """

    name: str
    default: object
    help: str
    choices: tuple = ()
    role: str = WEIGHTS
    owners: dict = dataclasses.field(default_factory=dict)
    texts: dict = dataclasses.field(default_factory=dict)


def general(role, **settings):
    """Settings of every run: name to default, help and, for some, the choices."""
    return {name: Setting(name, *rest, role=role) for name, rest in settings.items()}


GENERAL = {
    **general(
        WEIGHTS,
        backbone=(
            "vit_small",
            "Network to train: a preset's name, hub:PRESET of KerasHub, the folder of a run or an "
            "export; auto is vit_small on a GPU and vit_mini on a CPU.",
        ),
        objective=("dino", "What the network learns from: the loss, its heads and its state."),
        pairing=(
            "adasim",
            "Who is paired: self (plain self-distillation), nearest, adasim, oracle (same label).",
            ("self", "nearest", "adasim", "oracle"),
        ),
        channels=(3, "Channels of the images: 3, 1 for gray, or those of the .npy files."),
        mean=(IMAGENET_MEAN, "Mean of each channel, in [0, 1]."),
        std=(IMAGENET_STD, "Standard deviation of each channel, in [0, 1]."),
        value_range=(
            (0.0, 0.0),
            "Values of images with more than 8 bits that become 0 and 255: low,high, or a low one "
            "and then a high one per channel; 0,0 measures the 0.1th and 99.9th percentile.",
        ),
        limit=(0, "Use only so many training images, drawn once by the seed; 0 for all."),
        seed=(0, "Seed of weights, order, crops, augmentation and partners."),
        epochs=(100, "Epochs to train."),
        batch_size=(256, "Images per step, over all devices."),
        precision=(
            "auto",
            "Keras dtype policy; auto is mixed_bfloat16 on a GPU, else float32.",
            ("auto", "float32", "mixed_bfloat16", "mixed_float16"),
        ),
        gradient_accumulation_steps=(1, "Parts that a device's batch is worked through in."),
        neighbor_feature=(
            "first",
            "Which view's feature the bank keeps.",
            ("first", "second", "mean"),
        ),
        weights=(
            "",
            "PyTorch file (.pth, .safetensors, .npz) to start from; of a file with a student and a "
            "teacher both go on, heads included.",
        ),
        weights_key=("", "The one network of the weights file to start from, if it has several."),
        optimizer=("adamw", "Which optimizer.", tuple(OPTIMIZERS)),
        learning_rate=(5e-4, "Peak, per 256 images: scaled by batch_size / 256."),
        final_learning_rate=(1e-6, "After the last step; not scaled."),
        warmup_epochs=(10, "Epochs of linear warm-up of the learning rate."),
        weight_decay=(0.04, "In the first step; a cosine to final_weight_decay."),
        final_weight_decay=(0.4, "After the last step."),
        clipnorm=(3.0, "Largest norm of one variable's gradient; 0 does not clip."),
        policy=(
            "dino",
            "Augmentation. dino: the second view is rarely blurred, and solarized at times; "
            "symmetric: as SimSiam, both views are blurred every other time.",
            ("dino", "symmetric"),
        ),
        exclude=(
            (),
            "Augmentations to leave out: flip, color_jitter, grayscale, blur, solarize.",
        ),
        interpolation=("bilinear", "Kernel of the crops.", ("bilinear", "bicubic")),
        image_size=(224, "Height and width of the global crops, in pixels."),
        momentum=(0.996, "Of the teacher, in the first step; a cosine to final_momentum."),
        final_momentum=(1.0, "Of the teacher, after the last step."),
    ),
    **general(
        WATCHING,
        on_collapse=(
            "warn",
            "What happens once the features or outputs have collapsed: a warning, or the end.",
            ("warn", "stop"),
        ),
        knn_k=(20, "Neighbors that vote in the k-NN, where there are labels."),
        knn_temperature=(0.07, "Temperature of the k-NN's votes."),
        knn_every=(1, "Epochs between two k-NN evaluations and measures of the features."),
        probe=(
            False,
            "Whether to train a linear classifier beside the run too, where there are labels: on "
            "the features of the k-NN's images, which learn nothing from it.",
        ),
        checkpoint_steps=(
            0,
            "Steps between checkpoints within an epoch; 0 for none.",
        ),
        knn_images=(
            10_000,
            "At most so many images of each set for the k-NN; 0 for none, without reading labels.",
        ),
        look=(
            "auto",
            "First look at all files: full decodes them, headers reads headers and ends; auto is "
            "full where that takes no more than 3 minutes.",
            ("auto", "full", "headers", "no"),
        ),
        max_bad=(10, "Bad files that a run leaves out, whatever their share."),
        max_bad_share=(0.01, "Share of the files up to which bad ones are left out."),
    ),
    **general(
        MACHINE,
        devices=(
            0,
            "GPUs to use (of each process), or logical CPU devices; 0 is all GPUs, else one CPU.",
        ),
        strategy=(
            "auto",
            "mirrored: all devices of this process; multiworker: those of all processes that the "
            "environment's TF_CONFIG names; auto: multiworker if it names several.",
            ("auto", "mirrored", "multiworker"),
        ),
        xla=(
            "auto",
            "Whether to compile the step; auto: on a GPU, and small networks on a CPU.",
            ("auto", "yes", "no"),
        ),
        max_hours=(
            0.0,
            "Hours of training after which it is saved and stops; 0 for any.",
        ),
        in_memory=("auto", "Whether to decode all images once.", ("auto", "yes", "no")),
        window_in_memory=(
            "auto",
            "Whether the window's records are in memory, or files of the run that are mapped; "
            "auto: in memory, where they take no more than a quarter of it.",
            ("auto", "yes", "no"),
        ),
    ),
}
