"""What is public, each with right arguments to begin with."""

import functools
import inspect
import pathlib
import tarfile

import keras
import numpy as np

import keras_adasim as ka
from benchmarks.wrong.asking import Subject
from benchmarks.wrong.protocols import of_evaluation, of_export
from benchmarks.wrong.values import KIND_OF
from keras_adasim.pretraining.settings import SETTINGS


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
    def archives(self):
        """A folder of one tar archive."""
        folder = self.folder / "archives"
        folder.mkdir()
        with tarfile.open(folder / "shard-0.tar", "w") as archive:
            for i, image in enumerate(self.images):
                keras.utils.save_img(folder / ".image.png", image)
                archive.add(folder / ".image.png", f"{i}.png")
        return folder

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
        Subject(data.TarSource, {"path": parts.archives}, {"path": "folders"}),
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
        Subject(
            callbacks.OnlineProbe,
            {"knn": callbacks.OnlineKNN(parts.source, k=1)},
            {"knn": "object", "learning_rates": "positives", "epochs": "count"},
        ),
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
        "knn_images": "count from 0",
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
