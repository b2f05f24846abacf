"""Gives wrong values to every public argument and every flag, and reads what is said of them.

    python -m benchmarks.wrong_arguments [--list]

What is wrong for an argument follows from its kind: a count can't be NaN, a string, True or a list;
a range can't be reversed. A value that is an argument's own default is left out, and so is one of
the type that the default has where the kind takes several. An answer is

- named: a ValueError, TypeError or OSError that names the argument (a flag as it is typed, on one
  line, with status 2) and tells what came;
- unnamed: an error of ours without the name, or without what came;
- raw: any other error;
- accepted: none. No wrong value may be.

What isn't named is shown as it comes; `--list` shows every answer. It takes some minutes.
"""

import argparse
import collections
import os
import pathlib
import sys
import tempfile

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.wrong.arguments import subjects
from benchmarks.wrong.asking import ask, row, shown
from benchmarks.wrong.flags import flags_of_others, flags_of_pretrain, make_files
import keras
import numpy as np

import keras_adasim as ka
from keras_adasim.commands import (
    convert,
    embed,
    export,
    few_labels,
    finetune,
    gallery,
    knn,
    linear,
    pretrain,
    report,
    transfer,
)
from keras_adasim.pretraining.settings import SETTINGS

NAN, INF, HUGE = math.nan, math.inf, 2**70
NO_NUMBERS = (None, NAN, INF, "3", "", True, [], {}, object())
NO_COUNTS = (*NO_NUMBERS, 1.5, -1, HUGE)
NO_OBJECTS = (None, NAN, 3, True, "unknown", [], {}, object())
NO_ARRAYS = (None, NAN, 3, "x", [], {}, object())

WRONG = {
    "count": (*NO_COUNTS, 0),
    "count from 0": NO_COUNTS,
    "number": (*NO_NUMBERS, -INF),
    "positive": (*NO_NUMBERS, -INF, -1, 0),
    "not negative": (*NO_NUMBERS, -INF, -1),
    "share": (*NO_NUMBERS, -0.1, 1.1),
    "share below 1": (*NO_NUMBERS, -0.1, 1),
    "share above 0": (*NO_NUMBERS, -0.1, 0, 1.1),
    "open share": (*NO_NUMBERS, 0, 1),
    "up to a half": (*NO_NUMBERS, -0.1, 0.6),
    "switch": (None, NAN, 2, "yes", "", [], {}, object()),
    "choice": (None, NAN, 3, True, "", "unknown", [], {}, object()),
    "name": (None, NAN, 3, True, "", [], {}, object()),
    "range": (None, NAN, 0.5, "ab", (), {}, (0.5,), (0.2, 0.4, 0.6), (NAN, 1), ("a", "b"))
    + ((0.9, 0.5), (-0.5, 0.5), (True, True), object()),
    "positives": (None, NAN, 3, True, "x", [], {}, [NAN], [0], [-1], ["3"], [True], object()),
    "counts": (None, NAN, 3, True, "x", [], {}, [NAN], [0], [-1], ["3"], [1.5], object()),
    "three numbers": (None, NAN, 0.5, "abc", (), {}, (0.5,), (NAN,) * 3, ("a",) * 3, (INF,) * 3)
    + ((True,) * 3, object()),
    "object": NO_OBJECTS,
    "layers": (NAN, 3, True, "unknown", [3], {}, object()),
    "keys": (NAN, 3, True, "ab", ["a"], [1, 2], {}, object()),
    "class names": (NAN, 3, True, "ab", ["a"], [1, 2], {}, object()),
    "images": (*NO_ARRAYS, np.zeros((4, 8, 8, 3)), np.zeros(4, np.uint8), np.array([None])),
    "images of any type": (*NO_ARRAYS, np.zeros(4), np.full((2, 8, 8, 3), NAN), np.array([None])),
    "labels": (NAN, 3, "x", [], {}, object(), [0], [[0, 1], [2]], [0.5] * 4, [-1] * 4, [NAN] * 4),
    "some labels": (NAN, 3, "x", [], {}, object(), [0], [[0, 1], [2]], [NAN] * 4),
    "any labels": (None, NAN, 3, "x", [], {}, object(), [0], [[0, 1], [2]], [NAN] * 4),
    "labels alone": (None, NAN, 3, "x", {}, object(), [[0, 1], [2]], [0.5] * 4, [NAN] * 4),
    "features": (*NO_ARRAYS, np.zeros(4), np.zeros((0, 2)), np.full((4, 2), NAN), [["a", "b"]] * 4),
    "tensor": (*NO_ARRAYS, np.zeros(()), np.zeros((7, 3, 2, 5), np.float32), np.array([["a"]])),
    "tensors": (*NO_ARRAYS, [np.zeros((2, 3))], ["a", "b"]),
    "indices": (None, NAN, 3, "x", {}, object(), [0.5], [99], [-1], [[0]], [NAN], [True]),
    "integers": (None, NAN, 3, "x", {}, object(), [0.5], [[0]], [NAN], [True]),
    "parts": (NAN, 3, True, "x", [], {}, {"a": 3}, {"a": (0, 9)}, {"a": (1, 1)}, object()),
    "about": (None, NAN, 3, True, "x", [], object()),
    "ranks": (None, NAN, 3, "x", {}, object(), [0.5], [[0]], [NAN], [True], [0], [-1]),
    "lists": (None, NAN, 3, True, [], [1], [[0.5]], [[-1]], ["ab"], object()),
    "some lists": (NAN, 3, True, [], [1], [[0.5]], [[-1]], ["ab"], object()),
    "scores": (*NO_ARRAYS, [0.5], [[0.5, 0.1]], [NAN, 0.5], [INF, 0.5], ["a", "b"]),
    "mask": (*NO_ARRAYS, [[1, 0], [0, 1]], [True], [[True], [True, False]], [["a"]]),
    "masks": (*NO_ARRAYS, [[[0.5]]], [[1]], [[[-1]]], [[[True]]], np.zeros((3, 0, 4), int)),
    "records": (*NO_ARRAYS, np.zeros((4, 2, 1)), np.zeros((3, 2)), np.full((4, 2), NAN)),
    "start": (NAN, 3, True, "rank_me", [], object(), {"rank_me": NAN}, {"knn_top1": "x"}),
    "folder": (None, NAN, 3, True, "", "/nowhere/at/all", [], {}, object()),
    "folders": (None, NAN, 3, True, "", "/nowhere/at/all", [], [3], {}, object()),
    "place": (None, NAN, 3, True, "", [], {}, object()),
    "place or none": (NAN, 3, True, "", [], {}, object()),
    "weights": (None, NAN, 3, True, "", "/nowhere/at/all.npz", [], {}, {"a": 1}, object()),
}
# The kind of an argument of that name, wherever it isn't told below.
KINDS = {
    "width": "out_dim bottleneck_dim",
    "count": "num_images window topk feature_dim chunk_size hidden_dim "
    "num_layers predictor_hidden_dim queue_size image_size patch_size embed_dim depth num_heads "
    "channels batch_size steps steps_per_epoch steps_per_execution gradient_accumulation_steps "
    "size global_size local_size k every max_images last_blocks window_size total_images reference "
    "num_shards n every_steps keep num_classes memory_size",
    "count from 0": "seed warmup_steps warmup_epochs num_local freeze_last_layer_steps shard "
    "region_start_step num_prefix_tokens epoch",
    "number": "base final start value",
    "positive": "student_temperature teacher_temperature trust_coefficient clipnorm t mlp_ratio "
    "predictor_learning_rate temperature",
    "not negative": "learning_rate weight_decay epsilon brightness contrast saturation interval",
    "share": "center_momentum rate momentum",
    "share below 1": "beta_1 beta_2 drop_path_rate",
    "share above 0": "region_weight",
    "open share": "held_out",
    "up to a half": "hue",
    "switch": "use_bn norm_last_layer freezes_patch_embedding zero_init_residual shuffle use_bias "
    "drop_remainder leave_one_out overwrite center_crop fresh dry_run run_eagerly require_test "
    "require_labels accept_changes",
    "choice": "interpolation predictor_last_norm last_norm neighbor_feature jit_compile objective "
    "pairing backbone identifier",
    "range": "global_scale local_scale ratio scale sigma",
    "three numbers": "mean std",
    "object": "source train_source test_source crops bank optimizer layer embed_fn",
    "layers": "first second local exclude callbacks stateful",
    "class names": "class_names",
    "keys": "keys",
    "images": "images",
    "labels": "labels",
    "any labels": "train_labels test_labels",
    "features": "features train_features test_features",
    "masks": "masks truths train_masks test_masks",
    "tensor": "student teacher center prediction target query key neighbor",
    "tensors": "student_logits student_features teacher_logits teacher_features sources",
    "indices": "indices",
    "records": "ids similarities earlier_ids earlier_similarities",
    "folder": "path name split",
    "folders": "data_dir data",
    "place": "directory out",
    "weights": "weights",
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}
# Keras' own arguments, and such as have no wrong value that could be told.
PASSED_OVER = {"dtype", "trainable", "stream", "first_row"}
PASSED_OVER |= {"all_first", "all_second", "keras_model", "model", "part", "workers", "defaults"}


class Subject:
    """Something public to call with right arguments, of which one is then replaced.

    Args:
        function: What is called.
        given: Dict of right arguments, at least of those without a default.
        kinds: Dict of arguments to their kind, where their name has another one elsewhere.
        name: How it is listed.
    """

    def __init__(self, function, given=None, kinds=None, name=None):
        self.function, self.given, self.kinds = function, given or {}, kinds or {}
        self.name = name or function.__name__
        self.signature = inspect.signature(function)

    def cases(self):
        """Yields tuples of an argument's name, its kind and a wrong value."""
        parameters = self.signature.parameters.items()
        parameters = {n: p for n, p in parameters if p.kind is not p.VAR_KEYWORD}
        for name in {**parameters, **self.kinds}:
            if name in PASSED_OVER and name not in self.kinds:
                continue
            if name == "name" and self.given.get("name") is None:
                continue  # Keras' own.
            default = parameters[name].default if name in parameters else inspect.Parameter.empty
            kind = self.kinds.get(name) or KIND_OF[name]
            for value in WRONG[kind]:
                if not is_default(value, default):
                    yield name, kind, value

    def answer(self, name, value):
        """What is said of a wrong value: outcome and message."""
        try:
            with quiet():
                self.function(**{**self.given, name: value})
        except Exception as error:
            return judge(error, rf"`{name}`|\b{name}=")
        return "accepted", ""


def is_default(value, default):
    """Whether a value is what the argument is by itself, and so right."""
    if isinstance(default, tuple) and not default:
        return value in ([], ())
    return value is default or (isinstance(default, str) and value == default)


def judge(error, name):
    """Outcome and message of an error that came of a wrong argument."""
    message = ". ".join([str(error), *getattr(error, "__notes__", ())])
    ours = isinstance(error, ValueError | TypeError | OSError) and "Expected" in message
    if ours and re.search(name, message) and "Received" in message:
        return "named", message
    return "unnamed" if ours else "raw", f"{type(error).__name__}: {message}"


@contextlib.contextmanager
def quiet():
    """Without what is printed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def subjects(folder):
    """All of them, by what they belong to.

    Args:
        folder: Existing folder of few images, to read and to write beside.
    """
    parts = Parts(folder)
    groups = {
        "pairing": of_pairing(),
        "layers": of_layers(),
        "objectives": of_objectives(),
        "losses": of_losses(),
        "backbones": of_backbones(parts),
        "optimizers": of_optimizers(),
        "augment": of_augment(),
        "data": of_data(parts),
        "model": of_model(parts),
        "callbacks": of_callbacks(parts),
        "evaluation": of_evaluation(parts),
        "export": of_export(parts),
        "pretrain": of_pretrain(parts),
    }
    return groups


class Parts:
    """Right things, small, and each made once."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    @functools.cached_property
    def images(self):
        """Four small images."""
        return np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), np.uint8)

    @functools.cached_property
    def source(self):
        """Their source, with labels."""
        return ka.data.ArraySource(self.images, [0, 1, 0, 1])

    @functools.cached_property
    def named(self):
        """The same with names of the classes."""
        return ka.data.ArraySource(self.images, [0, 1, 0, 1], ["ant", "bee"])

    @functools.cached_property
    def backbone(self):
        """A Vision Transformer of one block."""
        return ka.backbones.VisionTransformer(8, 4, embed_dim=8, depth=1, num_heads=2)

    @functools.cached_property
    def model(self):
        """A small `SelfDistillation`, compiled."""
        model = ka.SelfDistillation(self.backbone, small_dino())
        model.compile(ka.optimizers.SGD(0.1))
        return model

    def pretrain(self, **arguments):
        """A dry run."""
        settings = {"data": self.images, "out": self.folder / "run", "backbone": "vit_mini"}
        settings |= {"dry_run": True, "knn_k": 2}
        return ka.pretrain(**{**settings, **arguments})


def small_dino():
    """An objective that takes no time to build."""
    return ka.objectives.DINO(out_dim=4, hidden_dim=4, bottleneck_dim=4)


def of_pairing():
    """Constructors of pairings, and what their methods take."""
    pairing = ka.pairing

    def window():
        return pairing.AdaptiveWindow(4, window=1, topk=2)

    def push(ids, similarities):
        window().push(ids, similarities)

    def distribution(indices):
        window().distribution(indices)

    def partners(indices):
        window().partners(indices)

    ids, similarities = np.array([[0, 1]] * 4), np.full((4, 2), 0.5)
    not_negative = {"temperature": "not negative"}
    return [
        Subject(pairing.AdaptiveWindow, {"num_images": 4}, not_negative),
        Subject(pairing.NearestNeighbor, {"num_images": 4}),
        Subject(pairing.LabelOracle, {"labels": [0, 1]}, {"labels": "integers"}),
        Subject(push, {"ids": ids, "similarities": similarities}),
        Subject(distribution, {"indices": [0]}),
        Subject(partners, {"indices": [0]}),
        Subject(pairing.get, {"identifier": "self"}, name="pairing.get"),
    ]


def of_layers():
    """Bank, queue and heads."""
    layers = ka.layers

    def look_up(indices, features):
        layers.NeighborBank(4, 2, topk=2)(indices, features)

    features = np.ones((1, 2), np.float32)
    return [
        Subject(layers.NeighborBank, {"num_images": 20, "feature_dim": 2}),
        Subject(look_up, {"indices": [0], "features": features}, name="NeighborBank()"),
        Subject(layers.FeatureQueue, {"size": 4, "feature_dim": 2}),
        Subject(layers.MLPHead, {"out_dim": 2, "hidden_dim": 2}, {"out_dim": "count"}),
        Subject(
            layers.ProjectionHead,
            {"out_dim": 2},
            {"out_dim": "count", "bottleneck_dim": "count"},
        ),
        Subject(layers.DropPath, {"rate": 0.1}, {"rate": "share below 1"}),
    ]


def of_objectives():
    """Constructors of objectives."""
    objectives = ka.objectives
    names = ("DINO", "EsViT", "BYOL", "SimSiam", "MoCoV3", "SimCLR", "NNCLR")
    small = {"out_dim": 4, "hidden_dim": 4}
    # The name of a rate stands there too.
    kinds = {"SimSiam": {"predictor_learning_rate": "rate"}}
    return [Subject(getattr(objectives, name), small, kinds.get(name)) for name in names]


def of_losses():
    """The losses as functions."""
    objectives = ka.objectives
    rows, logits = np.ones((2, 3), np.float32), np.ones((2, 2, 3), np.float32)
    temperatures = {"student_temperature": 0.1, "teacher_temperature": 0.1}
    regions = dict.fromkeys(
        ("student_logits", "student_features", "teacher_logits", "teacher_features"), [logits] * 2
    )
    two = {"first": "tensor", "second": "tensor"}
    return [
        Subject(
            objectives.dino.cross_view_loss,
            {"student": logits, "teacher": logits, "center": rows[0], **temperatures},
        ),
        Subject(
            objectives.dino.update_center,
            {"center": rows[0], "teacher": logits, "momentum": 0.9},
        ),
        Subject(objectives.esvit.region_loss, {**regions, "center": rows[0], **temperatures}),
        Subject(objectives.byol.regression_loss, {"prediction": rows, "target": rows}),
        Subject(objectives.simsiam.negative_cosine, {"prediction": rows, "target": rows}),
        Subject(
            objectives.moco_v3.contrastive_loss,
            {"query": rows, "key": rows, "temperature": 0.1},
            name="moco_v3.contrastive_loss",
        ),
        Subject(
            objectives.nnclr.contrastive_loss,
            {"neighbor": rows, "prediction": rows, "temperature": 0.1},
            name="nnclr.contrastive_loss",
        ),
        Subject(
            objectives.simclr.nt_xent, {"first": rows, "second": rows, "temperature": 0.1}, two
        ),
    ]


def of_backbones(parts):
    """Networks, presets and their weights."""
    backbones = ka.backbones
    small = {"image_size": 8, "patch_size": 4, "embed_dim": 8, "depth": 1, "num_heads": 2}
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, keras.layers.Conv2D(2, 1)(images))
    return [
        Subject(backbones.VisionTransformer, small),
        *(Subject(preset) for preset in backbones.PRESETS.values()),
        Subject(backbones.get, {"identifier": "vit_mini"}, name="backbones.get"),
        Subject(backbones.adapt, {"keras_model": model}, {"keras_model": "object"}),
        Subject(
            backbones.load_torch_weights,
            {"model": parts.backbone, "weights": backbones.torch_state(parts.backbone)},
            {"model": "object", "part": "choice", "key": "name"},
        ),
        Subject(backbones.read_checkpoint, {"path": "x"}),
    ]


def of_optimizers():
    """Optimizers and schedules."""
    optimizers = ka.optimizers
    momentum = {"momentum": "share below 1"}
    return [
        Subject(optimizers.AdamW),
        Subject(optimizers.LARS, kinds=momentum),
        Subject(optimizers.SGD, kinds=momentum),
        Subject(optimizers.Constant, {"value": 1.0}),
        Subject(
            optimizers.EpochWarmup,
            {"start": 0.0, "final": 1.0, "warmup_epochs": 1, "steps_per_epoch": 2},
        ),
        Subject(optimizers.WarmupCosine, {"base": 1.0, "final": 0.0, "steps": 4}),
        Subject(
            optimizers.scale_learning_rate,
            {"base": 1.0, "batch_size": 2},
            {"base": "not negative"},
        ),
        Subject(optimizers.as_schedule, {"value": 1.0}),
    ]


def of_augment():
    """The views."""
    augment = ka.augment
    policies = {"first": [], "second": [], "local": []}
    return [
        Subject(augment.MultiCrop),
        Subject(augment.DINOAugment, {"crops": augment.MultiCrop(8), **policies}),
        Subject(augment.ColorJitter),
        Subject(augment.GaussianBlur),
        Subject(augment.RandomApply, {"layer": augment.GaussianBlur()}),
        Subject(augment.RandomResizedCrop, {"size": 4}),
        Subject(augment.Normalize, {"mean": (0.5,) * 3, "std": (0.5,) * 3}),
    ]


def of_data(parts):
    """Sources and batches."""
    data = ka.data
    pairs = data.PairDataset(parts.source, ka.pairing.SelfPairing(), 2)
    folder = parts.folder / "images"
    return [
        Subject(data.ArraySource, {"images": parts.images, "labels": [0, 1, 0, 1]}),
        Subject(data.ImageFolder, {"path": folder}),
        Subject(data.ArrayFolder, {"path": folder}),
        Subject(data.TfdsSource, {"name": "nothing", "split": "train"}, {"split": "place"}),
        Subject(data.JoinedSource, {"sources": [parts.named]}),
        Subject(data.Subset, {"source": parts.source, "indices": [0]}),
        Subject(data.load_in_memory, {"source": parts.source}, {"workers": "count"}),
        Subject(data.open_folder, {"path": folder}),
        Subject(
            data.open_splits,
            {"data_dir": folder},
            {"train_split": "name", "test_split": "name"},
        ),
        Subject(
            data.PairDataset,
            {"source": parts.source, "pairing": ka.pairing.SelfPairing(), "batch_size": 2},
            {"pairing": "object"},
        ),
        Subject(pairs.set_epoch, {"epoch": 0}),
        Subject(pairs.as_tf_dataset),
    ]


def of_model(parts):
    """The model and its methods."""
    model = parts.model
    given = {"backbone": parts.backbone, "objective": small_dino()}
    kinds = dict.fromkeys(("backbone", "objective", "pairing", "augment"), "object")

    def fit(x):
        model.fit(x, verbose=0)

    return [
        Subject(ka.SelfDistillation, given, kinds),
        Subject(model.compile, {"optimizer": ka.optimizers.SGD(0.1)}, {"jit_compile": "compiles"}),
        Subject(model.embed, {"images": parts.images}, {"images": "images of any type"}),
        Subject(ka.SelfDistillation.load, {"path": "x.keras"}),
        Subject(fit, {"x": parts.source}, {"x": "object"}),
    ]


def of_callbacks(parts):
    """Callbacks."""
    callbacks, folder = ka.callbacks, parts.folder
    return [
        Subject(callbacks.OnlineKNN, {"train_source": parts.source, "k": 1}),
        Subject(callbacks.Measures, {"source": parts.source}, {"labels": "some labels"}),
        Subject(callbacks.Progress),
        Subject(
            callbacks.EpochLog,
            {"path": folder / "log.csv"},
            {"path": "place", "progress": "object"},
        ),
        Subject(callbacks.Backup, {"directory": folder / "checkpoints"}, {"images": "object"}),
        Subject(
            callbacks.CollapseAlarm,
            kinds={
                "on_collapse": "choice",
                "grace": "count from 0",
                "patience": "count",
                "start": "start",
                "knn_images": "count",
                "log": "place",
                "checkpoints": "place",
            },
        ),
        Subject(
            callbacks.BadImages,
            {"source": ka.data.WatchedSource(parts.source, [0, 1]), "tell": print},
            {"tell": "object", "name": "name"},
        ),
    ]


def of_evaluation(parts):
    """Pure functions of features."""
    evaluation = ka.evaluation
    features, labels = np.random.default_rng(0).normal(size=(4, 2)), [0, 1, 0, 1]
    both = {"first": features, "second": features}
    four = {"train_features": features, "train_labels": labels}
    four |= {"test_features": features, "test_labels": labels}
    counts = {"ks": "counts", "temperatures": "positives"}
    probe = {"feature_dim": 2, "num_classes": 2, "steps": 3}
    regression = {"strengths": "positives"}
    blocks = {"token_dim": "count", "last_blocks": "count", "blocks": "counts", "patches": "switch"}
    few = evaluation.few_labels
    votes, alone = {"labels": "any labels"}, {"labels": "labels alone"}
    ids, similarities = np.array([[1, 2]] * 4), np.full((4, 2), 0.5)
    record = {"ids": ids, "similarities": similarities}
    earlier = {"earlier_ids": ids, "earlier_similarities": similarities}
    return [
        Subject(
            evaluation.knn_accuracy,
            {"train_features": features, "train_labels": labels}
            | {"test_features": features, "test_labels": labels, "k": 2},
        ),
        Subject(
            evaluation.leave_one_out_accuracy,
            {"features": features, "labels": labels, "k": 2},
            votes,
        ),
        Subject(evaluation.knn_accuracies, {**four, "ks": [2]}, counts),
        Subject(
            evaluation.leave_one_out_accuracies,
            {"features": features, "labels": labels, "ks": [2]},
            {**votes, **counts},
        ),
        Subject(
            few.class_balanced_subset,
            {"labels": labels, "share": 0.5, "seed": 0},
            {**alone, "share": "share above 0"},
        ),
        Subject(
            few.subset_per_class,
            {"labels": labels, "count": 1, "seed": 0},
            {**alone, "count": "count"},
        ),
        Subject(few.logistic_regression, four, regression),
        Subject(
            evaluation.splits.stratified_split,
            {"labels": labels, "share": 0.5},
            {**alone, "share": "open share"},
        ),
        Subject(
            evaluation.standard_error,
            {"share": 0.5, "count": 9},
            {"share": "share", "count": "count"},
        ),
        Subject(
            evaluation.LinearProbe,
            probe,
            {"num_classes": "count", "learning_rates": "positives", "parts": "parts"}
            | {"momentum": "share below 1"},
        ),
        Subject(evaluation.linear.parts_of_blocks, {"token_dim": 2, "last_blocks": 2}, blocks),
        Subject(
            drained(evaluation.linear.batches_of),
            {"features": features, "labels": labels},
            {**votes, "features": "features", "epochs": "count"},
        ),
        Subject(
            drained(evaluation.augmented_batches),
            {"source": parts.source, "image_size": 4},
            {"epochs": "count"},
        ),
        Subject(
            evaluation.transfer_table,
            {"sets": [("a", *four.values())], "k": 2},
            {"sets": "object"},
        ),
        Subject(
            evaluation.FeatureCache,
            {"folder": "features"},
            {"folder": "place or none", "say": "object", "most_bytes": "not negative"},
        ),
        Subject(
            drained(evaluation.shards.write_shards),
            {"number": 3, "arrays_of": lambda i: {"i": i}, "folder": parts.folder / "shards"}
            | {"about": {}, "overwrite": True},
            {"number": "count", "arrays_of": "object", "folder": "place", "about": "about"}
            | {"shard_size": "count", "form": "choice"},
        ),
        Subject(
            evaluation.embed,
            {"source": parts.source, "embed_fn": lambda images: np.zeros((len(images), 2))},
        ),
        Subject(evaluation.label_free.rank_me, {"features": features}),
        Subject(evaluation.label_free.alpha_req, {"features": features}),
        Subject(evaluation.label_free.uniformity, {"features": features}),
        Subject(evaluation.label_free.alignment, both, dict.fromkeys(both, "features")),
        Subject(
            evaluation.neighborhoods.neighbor_churn,
            {**record, **earlier},
            {"images": "indices"},
        ),
        Subject(evaluation.neighborhoods.neighbor_purity, {**record, "labels": labels}, votes),
        *of_other_protocols(),
        *of_doctor(parts),
        *of_galleries(features, labels, record),
        *of_finetuning(parts),
    ]


def of_finetuning(parts):
    """Fine-tuning and its parts."""
    evaluation, images = ka.evaluation, np.ones((2, 4, 4, 3), np.float32)
    batch = {"images": images, "labels": np.eye(2, dtype=np.float32)}
    tensors = dict.fromkeys(batch, "tensor")
    given = {"num_images": 9, "image_size": 8, "takes_drop_path": True}
    return [
        Subject(
            evaluation.finetune.finetune,
            {"backbone": parts.backbone, "train": parts.source, "epochs": 1},
            {**FINE_TUNING, "backbone": "object", "train": "object", "test": "object"}
            | {"validation": "share below 1", "value_range": "value range", "mixup": "not negative"}
            | {"callbacks": "layers", "say": "object", "batch_size": "count"},
        ),
        Subject(
            evaluation.finetune_settings.choose_settings,
            given,
            {"takes_drop_path": "switch", "replicas": "count"},
        ),
        Subject(evaluation.mixing.mixup, {**batch, "share": 0.5}, {**tensors, "share": "share"}),
        Subject(
            evaluation.mixing.cutmix,
            {**batch, "box": (0, 1, 0, 1)},
            {**tensors, "box": "integers"},
        ),
        Subject(
            evaluation.mixing.draw_mixing,
            {"seed": 0, "step": 0, "image_size": 8},
            {"step": "count from 0", "mixup_alpha": "not negative", "cutmix_alpha": "not negative"},
        ),
        Subject(
            evaluation.accuracy.top_accuracies,
            {"logits": np.ones((2, 3)), "labels": [0, 1]},
            {"logits": "tensor", "labels": "any labels", "ks": "counts"},
        ),
        Subject(
            evaluation.layer_decay.layer_scales,
            {"backbone": parts.backbone, "layer_decay": 0.5},
            {"backbone": "object", "layer_decay": "share above 0"},
        ),
    ]


def of_galleries(features, labels, record):
    """Neighbors to be shown, and what labels tell of partners."""
    gallery, bootstrapping = ka.evaluation.gallery, ka.evaluation.bootstrapping
    pairing = ka.pairing.AdaptiveWindow(4, window=1, topk=2)
    pairing.push(*record.values())
    opened = {"pairing": pairing, "earlier": pairing}
    kinds = dict.fromkeys(opened, "object")
    asked = {"partners": "indices", "neighbors": "indices", "labels": "any labels"}
    return [
        Subject(
            gallery.by_cosine,
            {"features": features, "queries": [0], "k": 2},
            {"queries": "indices"},
        ),
        Subject(
            gallery.by_window,
            {"pairing": pairing, "queries": [0]},
            {"pairing": "object", "queries": "indices"},
        ),
        Subject(
            gallery.choose,
            {"num_images": 4, "count": 2, "how": "just_opened", **opened},
            {**kinds, "count": "count", "how": "choice"},
        ),
        Subject(bootstrapping.class_purity, {"labels": labels, "partners": [1, 0, 3, 2]}, asked),
        Subject(bootstrapping.nearest_others, record),
    ]


def of_other_protocols():
    """Retrieval, copy detection and segmentation."""
    evaluation, rng = ka.evaluation, np.random.default_rng(0)
    retrieval, copies = evaluation.retrieval, evaluation.copy_detection
    video, dense = evaluation.video_segmentation, evaluation.dense
    mask, masks = rng.uniform(size=(4, 4)) < 0.5, rng.integers(0, 2, (3, 4, 4))
    frames = rng.normal(size=(3, 2, 2, 4))
    both = {"mask": mask, "truth": mask}
    patches = {"train_features": frames, "test_features": frames, "num_classes": 2, "topk": 2}
    patches |= {"train_masks": masks, "test_masks": masks}
    return [
        Subject(
            retrieval.average_precision,
            {"ranks": [[0], [1]], "positives": [[1]], "junk": [[]], "kappas": [1]},
            {"ranks": "records", "positives": "lists", "junk": "some lists", "kappas": "ranks"},
        ),
        Subject(
            copies.micro_average_precision,
            {"scores": [0.5, 0.1], "is_match": np.array([True, False])},
            {"scores": "scores", "is_match": "mask", "num_matches": "count"},
        ),
        Subject(
            copies.gem_pool,
            {"tokens": np.ones((2, 3, 4))},
            {"tokens": "tensor", "power": "positive", "smallest": "positive"},
        ),
        Subject(
            copies.Whitening,
            {"distractors": rng.normal(size=(4, 2))},
            {"distractors": "features", "dim": "count"},
        ),
        Subject(video.jaccard, both, dict.fromkeys(both, "mask")),
        Subject(video.boundary_f, both, dict.fromkeys(both, "mask")),
        Subject(video.video_scores, {"masks": masks, "truths": masks}),
        Subject(
            video.propagate_labels,
            {"features": frames, "first_mask": masks[0]},
            {"first_mask": "records"} | {"last_frames": "count from 0", "radius": "count from 0"},
        ),
        Subject(
            dense.patch_retrieval,
            patches,
            {"train_features": "tensor", "test_features": "tensor"},
        ),
        Subject(
            dense.patch_labels,
            {"masks": masks, "grid": (2, 2), "num_classes": 2},
            {"grid": "ranks"},
        ),
    ]


def of_doctor(parts):
    """What is wrong with images, and which to label."""
    evaluation, rng = ka.evaluation, np.random.default_rng(0)
    doctor, small, diverse = evaluation.doctor, evaluation.small_images, evaluation.diverse_subset
    features, gray = rng.normal(size=(20, 2)), rng.integers(0, 256, (20, 32, 32), np.uint8)
    return [
        Subject(
            doctor.near_duplicates,
            {"features": features, "gray": gray},
            {"gray": "records", "expected": "positive"},
        ),
        Subject(doctor.far_from_neighbors, {"features": features}),
        Subject(
            doctor.unlike_in_look,
            {"look": features},
            {"look": "features", "expected": "positive"},
        ),
        Subject(diverse.k_center, {"features": features, "n": 2}),
        Subject(diverse.typical, {"features": features, "n": 2}),
        Subject(small.small_images, {"source": parts.source}),
        Subject(
            small.detail_similarity,
            {"gray": gray, "pairs": [[0, 1]]},
            {"gray": "records", "pairs": "records"},
        ),
    ]


def drained(generator):
    """The same, gone through to its end."""

    @functools.wraps(generator)
    def call(*args, **kwargs):
        return list(generator(*args, **kwargs))

    return call


def of_export(parts):
    """SavedModels."""
    path = parts.folder / "another"
    given = {"model": parts.backbone, "path": path, "image_size": 8}
    return [
        Subject(ka.export.export_backbone, given, {"model": "object", "path": "place"}),
        Subject(ka.export.load_backbone, {"path": "x"}),
        Subject(
            ka.export.ImageClassifier,
            {"backbone": parts.backbone, "class_names": ["ant", "bee"], "image_size": 8}
            | {"mean": (0.5,) * 3, "std": (0.5,) * 3},
            {"backbone": "object", "value_range": "value range"},
        ),
        Subject(ka.export.plain_classifier, {"classifier": None}, {"classifier": "object"}),
        Subject(
            ka.export.export_classifier,
            {"classifier": None, "path": path},
            {"classifier": "object", "path": "place"},
        ),
    ]


def of_pretrain(parts):
    """Every setting as a keyword, in a dry run."""
    kinds = {"data": "folders", "out": "place", "augment": "object", "callbacks": "layers"}
    kinds |= {"fresh": "switch", "dry_run": "switch", "backbone": "choice", "objective": "choice"}
    kinds |= {"test_data": "folders"}
    subject = Subject(parts.pretrain, kinds=kinds, name="pretrain")
    subject.signature = inspect.signature(ka.pretrain)
    return [subject, *(SettingSubject(parts, name) for name in SETTINGS)]


class SettingSubject(Subject):
    """One setting of `pretrain`, in a run that has it."""

    def __init__(self, parts, name):
        axes = axes_with(SETTINGS[name])
        super().__init__(parts.pretrain, axes, {name: kind_of_setting(name)}, f"pretrain {name}")


def axes_with(setting):
    """Names of a backbone, an objective or an optimizer that has a setting."""
    for owner in setting.owners:
        if owner in ka.backbones.PRESETS:
            return {"backbone": owner}
        return {"optimizer" if owner in ("adamw", "lars", "sgd") else "objective": owner}
    return {}


def kind_of_setting(name):
    """What kind of value a setting has."""
    others = {
        "limit": "count from 0",
        "checkpoint_steps": "count from 0",
        "max_hours": "not negative",
        "devices": "count from 0",
        "mean": "three numbers",
        "std": "three numbers",
        "exclude": "layers",
        "weights": "unset",
        "weights_key": "unset",
        "sampling_temperature": "not negative",
        "clipnorm": "not negative",
        "final_learning_rate": "not negative",
        "final_weight_decay": "not negative",
        "final_momentum": "share",
        "learning_rate": "positive",
        "optimizer_momentum": "share below 1",
        "freeze_last_layer_epochs": "count from 0",
        "region_start_epoch": "count from 0",
        "warmup_teacher_temperature_epochs": "count from 0",
        "warmup_teacher_temperature": "positive",
        "knn_temperature": "positive",
        "temperature": "positive",
        "predictor_learning_rate": "rate",
        "optimizer": "choice",
        "value_range": "value range",
        "max_bad": "count from 0",
    }
    if name in others:
        return others[name]
    if name in KIND_OF:
        return KIND_OF[name]
    return {bool: "switch", int: "count", float: "number", str: "choice"}[
        type(SETTINGS[name].default)
    ]


WRONG["compiles"] = tuple(value for value in WRONG["choice"] if value is not True)
WRONG["unset"] = (NAN, 3, True, [], {}, object(), "/nowhere/at/all.npz")
# None lets it decay too, and what is typed where a word may stand is a number.
WRONG["rate"] = tuple(value for value in WRONG["positive"][1:] if value != "3")
# Of images of floats, which may be negative.
WRONG["value range"] = tuple(value for value in WRONG["range"] if value != (-0.5, 0.5))
# A vector of length one and a single number is 1 or -1.
WRONG["width"] = (*WRONG["count"], 1)

# Settings of a fine-tuning.
FINE_TUNING = {
    "epochs": "count",
    "learning_rate": "positive",
    "layer_decay": "share above 0",
    "weight_decay": "not negative",
    "mixup": "not negative",
    "cutmix": "not negative",
    "label_smoothing": "share below 1",
    "drop_path": "share below 1",
    "crop_scale": "share above 0",
}

# What is typed after a flag's `=`.
TYPED = {
    "count": ("nan", "inf", "-1", "0", "1.5", "abc", "", "1e3", "99999999999999999999999"),
    "count from 0": ("nan", "inf", "-1", "1.5", "abc", "", "99999999999999999999999"),
    "number": ("nan", "inf", "-inf", "abc", "", "1,2"),
    "positive": ("nan", "inf", "-1", "0", "abc", ""),
    "not negative": ("nan", "inf", "-1", "abc", ""),
    "share": ("nan", "inf", "-0.1", "1.1", "abc", ""),
    "share below 1": ("nan", "inf", "-0.1", "1", "1.5", "abc", ""),
    "share above 0": ("nan", "inf", "0", "1.1", "abc", ""),
    "rate": ("nan", "inf", "-1", "0", "abc"),
    "switch": ("2", "nan", "maybe", ""),
    "choice": ("unknown", "3", "nan", ""),
    "range": ("", "0.5", "0.9,0.5", "nan,1", "a,b", "-0.5,0.5", "0.1,0.2,0.3", "0,1", "0.5,inf"),
    "value range": ("", "0.5", "0.9,0.5", "nan,1", "a,b", "0.1,0.2,0.3", "0.5,inf"),
    "three numbers": ("", "0.5", "nan,nan,nan", "a,b,c", "0.5,0.5", "inf,inf,inf"),
    "layers": ("unknown", "3"),
    "unset": ("/nowhere/at/all.npz", "unknown"),
    "folder": ("", "/nowhere/at/all"),
    "place": ("",),
    "width": ("nan", "-1", "0", "1", "1.5", "abc", "", "99999999999999999999999"),
}
# Values of a right type that can't work with the others of the run.
TOGETHER = (
    ("patch_size", "7", ()),
    ("image_size", "30", ("--patch_size=8",)),
    ("num_heads", "5", ("--backbone=vit_mini",)),
    ("window", "99999999999", ()),
    ("topk", "50", ()),
    ("batch_size", "50", ()),
    ("limit", "50", ()),
    ("limit", "1", ()),
    ("knn_k", "50", ()),
    ("knn_images", "1", ()),
    ("warmup_epochs", "9", ("--epochs=3",)),
    ("warmup_teacher_temperature_epochs", "9", ("--epochs=3",)),
    ("channels", "4", ()),
    ("mean", "0.5", ()),
    ("gradient_accumulation_steps", "50", ()),
    ("gradient_accumulation_steps", "3", ("--batch_size=4",)),
    ("batch_size", "1", ("--objective=simclr",)),
    ("num_local", "2", ("--objective=byol",)),
    ("queue_size", "2", ("--objective=nnclr", "--batch_size=4")),
    ("freeze_last_layer_epochs", "2", ("--objective=byol",)),
    ("weights_key", "teacher", ()),
    ("name", "x", ("--out=y",)),
    ("tfds_dir", "/tmp", ()),
    ("tfds", "nothing_known", ()),
    ("devices", "3", ("--batch_size=4",)),
    ("drop_path_rate", "1", ()),
    ("local_scale", "1.5,2", ("--num_local=2",)),
)


class Flag:
    """A flag of a command, which is called in this process.

    Args:
        main: The command's function.
        name: The flag's name.
        right: Flags of a right command.
        typed: What is typed after its `=`.
    """

    def __init__(self, main, name, right, typed):
        self.main, self.flag, self.right, self.typed = main, name, right, typed
        self.name = main.__module__.rpartition(".")[2]

    def cases(self):
        """Yields tuples of the flag's name and what is typed."""
        for value in self.typed:
            yield f"--{self.flag}", "flag", value

    def answer(self, name, value):
        """What is said of a wrong flag: outcome and message."""
        errors = io.StringIO()
        others = [word for word in self.right if not word.startswith(f"{name}=")]
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
                self.main([*others, f"{name}={value}"])
        except SystemExit as stop:
            said = errors.getvalue().strip()
            one_line = stop.code == 2 and "\n" not in said and "Traceback" not in said
            is_named = re.search(rf"{name}\b", said) and "Expected" in said and "Received" in said
            outcome = "named" if one_line and is_named else "unnamed" if one_line else "raw"
            return outcome, f"{stop.code}: {said}"
        except Exception as error:
            return "raw", f"{type(error).__name__}: {error}"
        return "accepted", ""


def flags_of_pretrain(folder):
    """All settings, typed; and values that can't work together."""
    right = [f"--data_dir={folder / 'images'}", f"--out={folder / 'run'}", "--dry_run"]
    right += ["--epochs=3", "--knn_k=2", "--batch_size=2"]
    for name, setting in SETTINGS.items():
        axes = [f"--{axis}={value}" for axis, value in axes_with(setting).items()]
        kind = kind_of_setting(name)
        yield Flag(pretrain.main, name, [*right, *axes], TYPED[kind])
    for name, kind in (("data_dir", "folder"), ("out", "place")):
        yield Flag(pretrain.main, name, right, TYPED[kind])
    for name, value, others in TOGETHER:
        names = [other.partition("=")[0] for other in others]
        words = [word for word in right if word.partition("=")[0] not in names]
        yield Flag(pretrain.main, name, [*words, *others], (value,))


def flags_of_others(folder):
    """Those of the other commands."""
    images = f"--data_dir={folder / 'images'}"
    saved, tiny = folder / "export", folder / "weights.npz"
    shared = {"batch_size": "count", "limit": "count from 0", "seed": "count from 0"}
    shared |= {"backbone": "folder", "data_dir": "folder", "out": "place"}
    protocol = [f"--backbone={saved}", images]
    commands = (
        (
            export.main,
            ["--backbone=/nowhere", "--out=x"],
            {"image_size": "count", "format": "choice"},
        ),
        (export.main, ["--out=x"], {"backbone": "folder"}),
        (
            convert.main,
            [f"--checkpoint={tiny}", "--backbone=vit_mini", f"--output={folder / 'new'}"],
            {"patch_size": "count", "image_size": "count", "trained_size": "count from 0"}
            | {"backbone": "choice", "checkpoint": "folder", "output": "place", "key": "layers"},
        ),
        (
            knn.main,
            [*protocol, "--k=2"],
            {**shared, "k": "count", "temperature": "positive"}
            | {"train_split": "layers", "test_split": "layers"},
        ),
        (few_labels.main, protocol, {"share": "share above 0", "per_class": "count"}),
        (few_labels.main, [*protocol, "--finetune"], {"epochs": "count"}),
        (
            finetune.main,
            [*protocol, f"--out={folder / 'classifier'}", "--epochs=1"],
            {**FINE_TUNING, "backbone": "folder", "out": "place", "validation": "share below 1"}
            | {"batch_size": "count", "image_size": "count", "devices": "count from 0"}
            | {"warmup_epochs": "count from 0", "data_dir": "folder"},
        ),
        (
            linear.main,
            [*protocol, "--cached", "--epochs=1"],
            {"epochs": "count", "learning_rate": "positive", "momentum": "share below 1"}
            | {"blocks": "count"},
        ),
        (transfer.main, [*protocol, "--k=2"], {"k": "count", "temperature": "positive"}),
        (
            embed.main,
            [f"--backbone={saved}", images, f"--out={folder / 'new.npz'}"],
            {"batch_size": "count", "backbone": "folder", "data_dir": "folder", "out": "place"}
            | {"shard_size": "count from 0", "format": "choice"},
        ),
        (
            gallery.main,
            [f"--backbone={saved}", images, f"--out={folder / 'gallery'}", "--k=2"],
            {"k": "count", "count": "count", "seed": "count from 0", "batch_size": "count"}
            | {"choose": "choice", "path": "unset", "backbone": "folder", "data_dir": "folder"}
            | {"out": "place"},
        ),
        (gallery.main, ["--out=x"], {"run": "folder"}),
        (report.main, [], {"run": "folder"}),
    )
    for main, right, kinds in commands:
        for name, kind in kinds.items():
            yield Flag(main, name, right, TYPED[kind])


def make_files(folder):
    """Writes few images, an export and weights into a folder."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in ("a", "b"):
            (folder / "images" / split / label).mkdir(parents=True)
            for i in range(4):
                pixels = rng.integers(0, 256, (8, 8, 3))
                keras.utils.save_img(folder / "images" / split / label / f"{i}.png", pixels)
    backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=8, depth=1, num_heads=2)
    with quiet():
        ka.export.export_backbone(backbone, folder / "export", 8)
    np.savez(folder / "weights.npz", **ka.backbones.torch_state(ka.backbones.vit_mini()))


def ask(asked):
    """Yields tuples of a subject's name, an argument's, the value, the outcome and the message."""
    for subject in asked:
        for name, _, value in subject.cases():
            yield subject.name, name, value, *subject.answer(name, value)


def main():
    """Asks all and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="show every answer")
    parser.add_argument("--only", help="groups of arguments, such as losses,data")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make_files(folder)
        groups = subjects(folder)
        groups["flags of pretrain"] = list(flags_of_pretrain(folder))
        groups["flags of the others"] = list(flags_of_others(folder))
        print("| arguments of | values | named | unnamed | raw | accepted |")
        print("|---|---|---|---|---|---|")
        total = collections.Counter()
        for group, asked in groups.items():
            if options.only and group not in options.only.split(","):
                continue
            counts = collections.Counter()
            for answer in ask(asked):
                counts[answer[3]] += 1
                if options.list or answer[3] != "named":
                    print(shown(*answer), file=sys.stderr, flush=True)
            total += counts
            print(row(group, counts), flush=True)
        print(row("all", total))
    sys.exit(sum(total.values()) > total["named"])


if __name__ == "__main__":
    main()
