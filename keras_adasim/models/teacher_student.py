"""The parts of a teacher-student model that aren't its training step: Keras' own interface."""

import inspect

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from keras_adasim.callbacks.push_neighbors import PushNeighbors
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, preprocess
from keras_adasim.models.checks import check_fit, global_size
from keras_adasim.models.compilation import StepFunctions
from keras_adasim.models.serialization import Serialization
from keras_adasim.models.teacher import has_batch_normalization, parameter_pairs
from keras_adasim.models.torch_checkpoint import load_checkpoint


class TeacherStudent(Serialization, keras.Model):
    """Compiling, fitting and embedding for a model of a student and its teacher.

    A subclass sets `student`, `teacher`, `objective`, `pairing`, `bank`, `neighbor_feature`,
    `augment` and `momentum`, and defines the training step.
    """

    # --- compiling and fitting ----------------------------------------------------------------

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
            optimizer: one of `keras_adasim.optimizers`.
            jit_compile: whether the step's functions become XLA programs. "auto" compiles where
                there is an accelerator; on a CPU the compilation takes longer than it gains.
            run_eagerly: runs Python line by line, for debugging; implies `jit_compile=False`.
            steps_per_execution: training steps per call from Python.
            gradient_accumulation_steps: parts that a replica's batch is worked through in, one
                after the other, to save memory. The batch size is that of the whole step: there
                is one update of student, teacher, centre, queue and bank, the same as without
                (but for BatchNormalization, whose statistics are those of a part).
        """
        if not hasattr(optimizer, "update_variable"):
            raise ValueError(
                "Expected `optimizer` to be one of keras_adasim.optimizers (AdamW, LARS, SGD), "
                "which clip each variable after the exchange between replicas and leave frozen "
                f"ones out. Received: optimizer={optimizer!r}"
            )
        if jit_compile not in ("auto", True, False):
            raise ValueError(
                f"Expected `jit_compile` to be 'auto', True or False. Received: {jit_compile!r}"
            )
        if int(gradient_accumulation_steps) != gradient_accumulation_steps or (
            gradient_accumulation_steps < 1
        ):
            raise ValueError(
                "Expected `gradient_accumulation_steps` to be a positive integer. "
                f"Received: {gradient_accumulation_steps!r}"
            )
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
        self._compile_arguments = {
            "jit_compile": jit_compile,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "gradient_accumulation_steps": gradient_accumulation_steps,
        }
        self.compiles = jit_compile and not run_eagerly
        self._functions = StepFunctions(self, self.compiles, gradient_accumulation_steps)

    def fit(self, x=None, *args, **kwargs):
        """Trains on a `PairDataset`, or on a finite `tf.data.Dataset` of its batches.

        Takes what `keras.Model.fit` takes. At the end of every epoch the bank's records are pushed
        into the pairing before any other callback runs. A further `fit` goes on with the order and
        the draws of the epochs that follow.
        """
        bound = inspect.signature(keras.Model.fit).bind(self, x, *args, **kwargs)
        bound.apply_defaults()
        arguments = {name: bound.arguments[name] for name in bound.signature.parameters}
        del arguments["self"], arguments["x"]
        self._warn_of_a_closed_gate(arguments["epochs"] - arguments["initial_epoch"])
        dataset = x
        check_fit(self, x, arguments)
        if hasattr(x, "as_tf_dataset"):
            dataset = x.as_tf_dataset()
        if dataset.element_spec != getattr(self, "_element_spec", dataset.element_spec):
            # Keras would trace the step again with unknown shapes, which the crops can't have.
            self.make_train_function(force=True)
        self._element_spec = dataset.element_spec
        push = PushNeighbors(x if dataset is not x else None)
        arguments["shuffle"] = False  # The data set has an order of its own.
        arguments["callbacks"] = [push, *keras.tree.flatten(arguments["callbacks"] or [])]
        return super().fit(dataset, **arguments)

    def _warn_of_a_closed_gate(self, epochs):
        window = getattr(self.pairing, "window", 0)
        if self.pairing.pushes + epochs <= window:
            logging.warning(
                "epochs=%d is not larger than the window of %d epochs: no partner will ever be "
                "another image, and this is plain self-distillation. Train longer, or lower "
                "`window` of the pairing.",
                epochs,
                window,
            )

    def evaluate(self, *args, **kwargs):
        """Refused: there is no loss on held-out images to speak of.

        Raises:
            ValueError: always, with what to use instead.
        """
        raise ValueError(
            "Expected `evaluation.knn.knn_accuracy` on features of `embed`, or "
            "`callbacks.OnlineKNN`: the loss of other images tells nothing of the features. "
            "Received: a call of `evaluate`"
        )

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Built by its constructor. Keras would look at a batch here, and so begin an epoch's pass.
        pass

    @property
    def metrics(self):
        """The means that an epoch's logs are made of."""
        return list(self._means.values())

    # --- what is trained ----------------------------------------------------------------------

    @property
    def trainable_variables(self):
        """The student's and its heads'; the teacher's follow them."""
        layers = [self.student, *(head for head, _ in self.objective.heads)]
        return [variable for layer in layers for variable in layer.trainable_variables]

    @property
    def trainable_weights(self):
        """The same as `trainable_variables`."""
        return self.trainable_variables

    @property
    def non_trainable_variables(self):
        """All other variables: teacher, centre, queue, bank."""
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.variables if id(variable) not in trained]

    @property
    def non_trainable_weights(self):
        """All weights that are not trained."""
        trained = {id(variable) for variable in self.trainable_variables}
        return [variable for variable in self.weights if id(variable) not in trained]

    def _parameters_followed(self):
        """Two aligned lists: the student's parameters and the teacher's that follow them."""
        pairs = [(self.student, self.teacher)]
        pairs += [pair for pair in self.objective.heads if pair[1] is not None]
        students, teachers = [], []
        for student, teacher in pairs:
            if student is not teacher:
                lists = parameter_pairs(student, teacher)
                students += lists[0]
                teachers += lists[1]
        return students, teachers

    # --- forward passes -----------------------------------------------------------------------

    def _run_student(self, views):
        return encode(self.student, views, True, self._together(self.student))

    def _run_teacher(self, views):
        # No drop path, so inference mode, unless BatchNormalization is to use the batch.
        training = self.teacher is self.student or has_batch_normalization(self.teacher)
        views = encode(self.teacher, views, training, self._together(self.teacher))
        return [{name: tf.stop_gradient(out) for name, out in view.items()} for view in views]

    def _together(self, backbone):
        """Whether views of one size may pass together; only the batch's statistics tell."""
        return self.objective.joint_statistics or not has_batch_normalization(backbone)

    def call(self, images, training=False):
        """What the teacher's backbone says of normalised images `(B, H, W, C)`."""
        return self.teacher(images, training=training)

    def embed(self, images, batch_size=256):
        """Features of the teacher's backbone, without an export.

        Args:
            images: `(B, H, W, C)`, uint8 (0 to 255) or float (0 to 1), of any size; resized to the
                size of the global crops and normalised here.
            batch_size: images per forward pass.

        Returns:
            float32 NumPy array `(B, D)`.
        """
        images = np.asarray(images)
        if images.ndim != 4:
            raise ValueError(
                "Expected `images` of shape (B, H, W, C), one image being images[np.newaxis]. "
                f"Received: images.shape={images.shape}"
            )
        if not len(images):
            return np.zeros((0, self.teacher.output["features"].shape[-1]), np.float32)
        chunks = [
            self._embed_batch(tf.convert_to_tensor(images[start : start + batch_size]))
            for start in range(0, len(images), batch_size)
        ]
        return np.concatenate([chunk.numpy() for chunk in chunks])

    def _embed_batch(self, images):
        if not hasattr(self, "_embed_function"):
            self._embed_function = tf.function(self._embed_graph, reduce_retracing=True)
        return self._embed_function(images)

    def _embed_graph(self, images):
        crops = getattr(self.augment, "crops", None)  # A layer of one's own may have none.
        size = crops.global_size if crops else global_size(self.teacher)
        images = preprocess(images, size, *self.normalization)
        return tf.cast(self.teacher(images, training=False)["features"], tf.float32)

    @property
    def normalization(self):
        """Means and standard deviations that images in [0, 1] are normalised with."""
        augment = self.augment
        return getattr(augment, "mean", IMAGENET_MEAN), getattr(augment, "std", IMAGENET_STD)

    def load_torch_weights(self, weights):
        """Continues public pretraining: student, teacher and heads of a PyTorch checkpoint.

        The centre, the optimiser and the bank begin anew. A backbone alone, such as torchvision's,
        is loaded by `backbones.load_torch_weights` before the model is built of it.

        Args:
            weights: mapping, or path to a .pth file, with the networks "student" and "teacher", as
                the official AdaSim, DINO and EsViT code saves them.

        Raises:
            ValueError: if there are no such networks, or a name or shape doesn't fit; the message
                lists all that don't, and nothing is loaded.
        """
        load_checkpoint(self, weights)


def encode(backbone, views, training, together=True):
    """Runs a backbone over views, those of one size together or each by itself.

    Args:
        backbone: `keras.Model`.
        views: list of V images `(B, s, s, C)`.
        training: passed to the backbone.
        together: whether neighbouring views of one size make one batch.

    Returns:
        list of V dictionaries of what the backbone returns.
    """
    outputs, start = [], 0
    while start < len(views):
        end = start
        while end < len(views) and views[end].shape[1:] == views[start].shape[1:]:
            end += 1
        if not together:
            end = start + 1
        joined = backbone(tf.concat(views[start:end], axis=0), training=training)
        parts = {name: tf.split(out, end - start) for name, out in joined.items()}
        outputs += [{name: part[i] for name, part in parts.items()} for i in range(end - start)]
        start = end
    return outputs
