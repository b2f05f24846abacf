"""Self-distillation with partners from a neighbor bank: AdaSim's model."""

import keras
import tensorflow as tf

from keras_adasim.augment import DINOAugment, MultiCrop
from keras_adasim.callbacks.push_neighbors import PushNeighbors
from keras_adasim.models import checks
from keras_adasim.models.embedding import Embedding
from keras_adasim.models.following import Following
from keras_adasim.models.serialization import Serialization
from keras_adasim.models.several_workers import SameStart, distribute
from keras_adasim.models.teacher import freeze_patch_embedding, make_teacher
from keras_adasim.models.torch_checkpoint import load_checkpoint
from keras_adasim.models.training_loop import TrainingLoop
from keras_adasim.models.training_step import TrainingStep
from keras_adasim.optimizers import as_schedule
from keras_adasim.optimizers.loss_scale import LossScale
from keras_adasim.pairing import SelfPairing
from keras_adasim.validation import check_integer, check_not_begun, check_switch
from keras_adasim.workers import has_workers, names_the_lost


@keras.saving.register_keras_serializable(package="keras_adasim")
class SelfDistillation(Embedding, Following, Serialization, TrainingLoop, keras.Model):
    """A student learns from its own moving average, and from images that resemble each other.

    Calling the model returns what the teacher's backbone says of images. Training it takes a
    `keras_adasim.data.PairDataset` (or a `tf.data.Dataset` of such batches). Under
    `tf.distribute.MirroredStrategy`, or `MultiWorkerMirroredStrategy` in each of several processes,
    build and compile it inside `strategy.scope()`.

    Args:
        backbone: The student, a `keras.Model` from images (B, H, W, C) to
            `{"features": (B, D), "tokens": (B, P, D)}`.
        objective: A `keras_adasim.objectives.Objective`.
        pairing: Who is whose partner; `SelfPairing` by default. It must be the one that the data
            set asks.
        bank: The `NeighborBank` that a pairing by neighbors learns from; may be None with
            `SelfPairing` and `LabelOracle`.
        neighbor_feature: Which of the teacher's views the bank keeps: "first", "second" or "mean"
            (of the two normalized features).
        augment: Layer or function from a batch to a list of normalized views, two global ones
            first; `DINOAugment` with two views at the backbone's image size by default. If its
            `call` names them, it gets `step`, `replica_id` and `num_replicas` too.
        momentum: Momentum of the teacher, a float or a schedule of the optimizer's step.

    Attributes:
        student: The backbone given.
        teacher: Its moving average, without drop path; the student itself if the objective has
            no teacher.
        step_hooks: List of functions without arguments, which are called in the main thread after
            every call of the train function; what one raises leaves `fit`. Not saved.

    Reference:
        - "Adaptive Similarity Bootstrapping for Self-Distillation", ICCV 2023.

    Example:
        ```python
        images = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), "uint8")
        pairing = ka.pairing.AdaptiveWindow(len(images), window=1)
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=16, depth=1, num_heads=2)
        bank = ka.layers.NeighborBank(len(images), backbone.feature_dim)
        objective = ka.objectives.DINO(out_dim=32, hidden_dim=16, bottleneck_dim=8)
        model = ka.SelfDistillation(backbone, objective, pairing, bank)
        model.compile(ka.optimizers.AdamW(1e-3, 0.04, clipnorm=3.0))
        model.fit(ka.data.PairDataset(ka.data.ArraySource(images), pairing, batch_size=8), epochs=2)
        ```
    """

    def __init__(
        self,
        backbone,
        objective,
        pairing=None,
        bank=None,
        neighbor_feature="first",
        augment=None,
        momentum=0.996,
        **kwargs,
    ):
        super().__init__(**kwargs)
        checks.check_types(backbone, objective)
        self.student = backbone
        self.objective = objective
        self.pairing = SelfPairing() if pairing is None else pairing
        self.bank = bank
        self.neighbor_feature = neighbor_feature
        self.augment = augment
        if augment is None:
            self.augment = DINOAugment(MultiCrop(checks.global_size(backbone)))
        self._momentum = as_schedule(momentum, "momentum", minimum=0, maximum=1)
        checks.check_arguments(self)
        if objective.freezes_patch_embedding:
            freeze_patch_embedding(backbone)
        self.teacher = make_teacher(backbone) if objective.has_teacher else backbone
        objective.build({name: out.shape for name, out in backbone.output.items()})
        for student_head, teacher_head in objective.heads:
            if teacher_head is not None:
                teacher_head.set_weights(student_head.get_weights())
        dtypes = {self.compute_dtype, backbone.compute_dtype, objective.compute_dtype}
        self.loss_scale = LossScale(name="loss_scale") if "float16" in dtypes else None
        names = ("loss", "feature_std", *objective.metric_names)
        self._means = {name: keras.metrics.Mean(name=name) for name in names}
        self._skipped = keras.metrics.Sum(name="skipped_steps")
        self._embed_function = tf.function(self._embed, reduce_retracing=True)
        self.__dict__["step_hooks"] = []  # Keras would track an attribute.
        self.built = True

    def compile(
        self,
        optimizer,
        jit_compile="auto",
        run_eagerly=False,
        steps_per_execution=1,
        gradient_accumulation_steps=1,
    ):
        """Prepares the training step.

        Args:
            optimizer: One of `keras_adasim.optimizers`.
            jit_compile: Whether the step's functions become XLA programs. "auto" compiles where
                there is an accelerator; on a CPU the compilation takes longer than it gains.
            run_eagerly: Whether to run Python line by line, for debugging; implies
                `jit_compile=False`.
            steps_per_execution: Number of training steps per call from Python.
            gradient_accumulation_steps: Number of parts that a replica's batch is worked through
                in, one after the other, to save memory. Everything is updated once, as without
                (but for BatchNormalization, whose statistics are those of a part).
        """
        replicas = self.distribute_strategy.num_replicas_in_sync
        check_switch("run_eagerly", run_eagerly)
        checks.check_compile(optimizer, jit_compile, steps_per_execution, replicas)
        parts = check_integer("gradient_accumulation_steps", gradient_accumulation_steps)
        if jit_compile == "auto":
            jit_compile = bool(tf.config.list_physical_devices("GPU"))
        super().compile(
            optimizer=optimizer,
            jit_compile=False,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            auto_scale_loss=False,
        )
        with self.distribute_strategy.scope():
            optimizer.build(self.trainable_variables)
        self.compiles = jit_compile and not run_eagerly
        self.training_step = TrainingStep(self, self.compiles, parts)
        self.begin_loop(None, [])

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """Trains on a `PairDataset`, or on a finite `tf.data.Dataset` of its batches.

        The arguments are those of `keras.Model.fit`; `x` has an order and batches of its own, and
        there is nothing to validate. At the end of every epoch the bank's records are pushed into
        the pairing, ahead of all other callbacks. A further `fit` goes on with the epochs that
        follow: with their order, and their draws.

        Raises:
            ValueError: If the data set does not fit the model, or there is validation data.
            NotFiniteError: If a loss or gradient isn't finite; in float16, many in a row.
        """
        checks.warn_of_a_closed_gate(self.pairing, epochs - initial_epoch)
        weights = (class_weight, sample_weight)
        checks.check_fit(self, x, steps_per_epoch, validation_data, validation_split, weights)
        pairs = x if hasattr(x, "as_tf_dataset") else None
        strategy = self.distribute_strategy
        dataset = checks.checked(x, self.bank) if pairs is None else distribute(pairs, strategy)
        if dataset.element_spec != getattr(self, "_element_spec", dataset.element_spec):
            # Keras would trace the step again with unknown shapes, which the crops can't have.
            self.make_train_function(force=True)
        self._element_spec = dataset.element_spec
        first = [PushNeighbors(pairs), *([SameStart(pairs)] if has_workers(strategy) else [])]
        callbacks = [*first, *keras.tree.flatten(callbacks or [])]
        self.begin_loop(pairs, callbacks)
        with names_the_lost(strategy):
            return super().fit(
                dataset,
                y,
                batch_size,
                epochs,
                verbose,
                callbacks,
                shuffle=False,
                class_weight=class_weight,
                sample_weight=sample_weight,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
            )

    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch):
        """Makes a `TrainingStep`; returns the epoch's mean loss and metrics so far.

        A step that isn't finite is left out of the means, and counted.
        """
        batch, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        values, finite = self.training_step(batch)
        for name, value in values.items():
            self._means[name].update_state(
                tf.where(finite, value, 0.0), tf.cast(finite, tf.float32)
            )
        skipped = 1.0 - tf.cast(finite, tf.float32)
        self._skipped.update_state(skipped / self.training_step.num_replicas)
        return {mean.name: mean.result() for mean in self.metrics}

    def evaluate(self, *args, **kwargs):
        """Raises ValueError: there is no loss on held-out images to speak of."""
        raise ValueError(
            "Expected `callbacks.OnlineKNN`, or `evaluation.knn.knn_accuracy` on features of "
            "`embed`: the loss of other images tells nothing. Received: a call of `evaluate`"
        )

    @property
    def momentum(self):
        """The teacher's momentum, a schedule of the optimizer's step."""
        return self._momentum

    @momentum.setter
    def momentum(self, value):
        check_not_begun("momentum", value, self.optimizer.iterations if self.compiled else 0)
        self._momentum = as_schedule(value, "momentum", minimum=0, maximum=1)

    @property
    def metrics(self):
        """The means that an epoch's logs are made of."""
        return [*self._means.values(), self._skipped]

    @property
    def trainable_variables(self):
        """The student's and its heads'; the teacher's follow them."""
        layers = [self.student, *(head for head, _ in self.objective.heads)]
        return [variable for layer in layers for variable in layer.trainable_variables]

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self):
        """All other variables: teacher, center, queue, bank."""
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in trained]

    @property
    def non_trainable_weights(self):
        """All weights that are not trained."""
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.weights if id(variable) not in trained]

    def call(self, images, training=False):
        """What the teacher's backbone says of normalized images (B, H, W, C)."""
        return self.teacher(images, training=training)

    def load_torch_weights(self, weights):
        """Continues public pretraining; center, optimizer and bank begin anew.

        A backbone alone is loaded by `backbones.load_torch_weights`, before it is given to a model.

        Args:
            weights: Mapping, or path to a .pth file, with the networks "student" and "teacher" and
                their heads, as the official AdaSim, DINO and EsViT code saves them.

        Raises:
            ValueError: If a network, name or shape doesn't fit; then nothing is loaded.
        """
        load_checkpoint(self, weights)
