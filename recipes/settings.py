"""Every setting of a recipe: its flag, its default and what it means.

The defaults are those of AdaSim's official code for ViT-S/16, `adasim_utils/parser.py`. A recipe
overrides what its paper does otherwise.
"""

import dataclasses
import inspect

from absl import flags


@dataclasses.dataclass(frozen=True)
class Setting:
    """A default value and its meaning; the value's type, or the choices, make the flag."""

    default: object
    help: str
    choices: tuple = ()

    def define(self, name, default):
        """Defines the flag, with a recipe's own default."""
        if self.choices:
            flags.DEFINE_enum(name, default, self.choices, self.help)
        elif isinstance(self.default, bool):
            flags.DEFINE_bool(name, default, self.help)
        elif isinstance(self.default, int):
            flags.DEFINE_integer(name, default, self.help)
        elif isinstance(self.default, float):
            flags.DEFINE_float(name, default, self.help)
        elif isinstance(self.default, tuple):
            flags.DEFINE_list(name, [str(value) for value in default], self.help)
        else:
            flags.DEFINE_string(name, default, self.help)

    def parse(self, value):
        """Gives a list flag the type of its default's entries."""
        if not isinstance(self.default, tuple):
            return value
        kind = type(self.default[0]) if self.default else str
        return tuple(kind(entry) for entry in value)


def pick(function, settings):
    """The settings that a function names among its parameters; all if it takes any."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return dict(settings)
    return {name: settings[name] for name in parameters if name in settings}


S = Setting
SETTINGS = {
    # --- data ---
    "data_dir": S("", "Folder of images, by class or flat; one with train/ (and test/ or val/)."),
    "tfds": S("", "Name of a TFDS data set instead of --data_dir, such as cifar10."),
    "tfds_dir": S("", "Where TFDS keeps its data sets."),
    "channels": S(3, "Channels of the images: 3, 1 for grey, or those of the folder's .npy files."),
    "mean": S((0.485, 0.456, 0.406), "Mean of each channel, in [0, 1]."),
    "std": S((0.229, 0.224, 0.225), "Standard deviation of each channel, in [0, 1]."),
    "in_memory": S("auto", "Whether to decode all images once.", ("auto", "yes", "no")),
    "limit": S(0, "Use only so many training images, drawn once with --seed; 0 for all."),
    # --- run ---
    "name": S("", "Name of the run: runs/NAME; the recipe's by default."),
    "runs_dir": S("runs", "Folder of all runs."),
    "seed": S(0, "Seed of weights, order, crops, augmentation and partners."),
    "epochs": S(100, "Epochs to train."),
    "batch_size": S(256, "Images per step, over all devices."),
    "precision": S(
        "auto",
        "Keras dtype policy; auto: mixed_bfloat16 on a GPU, else float32.",
        ("auto", "float32", "mixed_bfloat16", "mixed_float16"),
    ),
    "xla": S("auto", "Whether to compile the step; auto: on a GPU.", ("auto", "yes", "no")),
    "devices": S(0, "GPUs to use, or logical CPU devices; 0 for all GPUs."),
    # --- pairing ---
    "pairing": S(
        "adasim",
        "Who is paired: self (plain self-distillation), nearest, adasim, oracle (same label).",
        ("self", "nearest", "adasim", "oracle"),
    ),
    "window": S(50, "Epochs that vote, W. Train for longer than that."),
    "topk": S(10, "Neighbours recorded per image and epoch, k."),
    "sampling_temperature": S(1e-3, "Temperature of the partners' softmax; 0: always itself."),
    "neighbor_feature": S(
        "first", "Which view's feature the bank keeps.", ("first", "second", "mean")
    ),
    # --- backbone ---
    "image_size": S(224, "Height and width of the global crops, in pixels."),
    "patch_size": S(16, "Height and width of a transformer's patches."),
    "attention_window": S(7, "Height and width of Swin's attention windows, in patches."),
    "drop_path_rate": S(0.1, "Stochastic depth of the student's last block."),
    "zero_init_residual": S(False, "Whether every block of a ResNet-50 starts as the identity."),
    "weights": S(
        "",
        "PyTorch file (.pth, .safetensors, .npz) to start from; with a student and a "
        "teacher in it both are continued, heads included.",
    ),
    "weights_key": S("", "The one network of --weights whose backbone to start from, if several."),
    # --- objective: DINO and EsViT ---
    "out_dim": S(65536, "Prototypes, K."),
    "hidden_dim": S(2048, "Width of the projection head."),
    "bottleneck_dim": S(256, "Width of the head's bottleneck."),
    "head_layers": S(3, "Dense layers before the prototypes."),
    "norm_last_layer": S(True, "Whether the prototypes' norms stay at 1."),
    "use_bn": S(False, "Whether the head has BatchNormalization."),
    "student_temperature": S(0.1, "Of the student's softmax."),
    "teacher_temperature": S(0.04, "Of the teacher's softmax, after its warm-up."),
    "warmup_teacher_temperature": S(0.04, "Of the teacher's softmax in the first epoch."),
    "warmup_teacher_temperature_epochs": S(0, "Epochs of the temperature's linear warm-up."),
    "center_momentum": S(0.9, "Of the centre."),
    "freeze_last_layer_epochs": S(1, "Epochs in which the prototypes are left as they are."),
    # --- objective: BYOL, SimSiam, MoCo-v3, SimCLR, NNCLR ---
    "projection_dim": S(256, "Width of the projections."),
    "projector_hidden_dim": S(4096, "Width of the projector's hidden layers."),
    "projector_layers": S(2, "Dense layers of the projector."),
    "predictor_hidden_dim": S(4096, "Width of SimSiam's and NNCLR's predictor."),
    "contrastive_temperature": S(0.1, "Of MoCo-v3's, SimCLR's and NNCLR's softmax."),
    # --- teacher ---
    "momentum": S(0.996, "Of the teacher, in the first step; cosine to --final_momentum."),
    "final_momentum": S(1.0, "Of the teacher, after the last step."),
    # --- optimiser ---
    "optimizer": S("adamw", "Which optimiser.", ("adamw", "lars", "sgd")),
    "optimizer_momentum": S(0.9, "Of LARS and SGD."),
    "gradient_accumulation_steps": S(1, "Parts that a device's batch is worked through in."),
    "learning_rate": S(5e-4, "Peak, per 256 images: scaled by batch_size / 256."),
    "final_learning_rate": S(1e-6, "After the last step; not scaled."),
    "warmup_epochs": S(10, "Epochs of linear warm-up of the learning rate."),
    "weight_decay": S(0.04, "In the first step; cosine to --final_weight_decay."),
    "final_weight_decay": S(0.4, "After the last step."),
    "clipnorm": S(3.0, "Largest norm of one variable's gradient; 0 doesn't clip."),
    # --- views ---
    "policy": S(
        "dino",
        "dino: as DINO and BYOL, the second view blurred rarely and solarised at times; symmetric: "
        "as SimSiam, both views blurred every other time.",
        ("dino", "symmetric"),
    ),
    "global_scale": S((0.4, 1.0), "Range of a global crop's share of the image's area."),
    "num_local": S(0, "Local crops per image (multi-crop)."),
    "local_size": S(96, "Height and width of the local crops, in pixels."),
    "local_scale": S((0.05, 0.4), "Range of a local crop's share of the image's area."),
    "interpolation": S("bilinear", "Of the crops; bicubic antialiases.", ("bilinear", "bicubic")),
    "leave_out": S(
        (), "Augmentations to leave out: flip, color_jitter, grayscale, blur, solarize."
    ),
    # --- watching ---
    "knn_k": S(20, "Neighbours that vote in the online k-NN."),
    "knn_temperature": S(0.07, "Temperature of the votes."),
    "knn_every": S(1, "Epochs between two online k-NN evaluations."),
    "knn_images": S(10_000, "At most so many images of each set for the online k-NN."),
}
