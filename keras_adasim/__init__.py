"""Self-supervised pretraining for Keras with adaptive similarity bootstrapping (AdaSim)."""

from keras_adasim.tensorflow_backend import require_tensorflow

require_tensorflow()  # Before anything that imports Keras.

from keras_adasim import (  # noqa: E402
    augment,
    backbones,
    callbacks,
    data,
    evaluation,
    export,
    layers,
    models,
    objectives,
    optimizers,
    pairing,
    pretraining,
)
from keras_adasim.callbacks import CollapseError  # noqa: E402
from keras_adasim.finite import NotFiniteError  # noqa: E402
from keras_adasim.models import SelfDistillation  # noqa: E402
from keras_adasim.pretraining import pretrain  # noqa: E402
from keras_adasim.version import __version__  # noqa: E402
from keras_adasim.workers import WorkerLostError  # noqa: E402

__all__ = [
    "CollapseError",
    "NotFiniteError",
    "SelfDistillation",
    "WorkerLostError",
    "__version__",
    "augment",
    "backbones",
    "callbacks",
    "data",
    "evaluation",
    "export",
    "layers",
    "models",
    "objectives",
    "optimizers",
    "pairing",
    "pretrain",
    "pretraining",
]
