"""How a classifier is trained: its batches, its optimizer, and who watches it."""

import math

import keras
import numpy as np
import tensorflow as tf

from keras_adasim.backbones.clone import clone_backbone
from keras_adasim.backbones.sublayers import sublayers
from keras_adasim.evaluation.accuracy import top_accuracies
from keras_adasim.evaluation.augmented import augmented_batches
from keras_adasim.evaluation.features import embed
from keras_adasim.evaluation.layer_decay import LayerwiseAdamW, layer_scales
from keras_adasim.evaluation.mixing import cutmix, draw_mixing, mixup
from keras_adasim.finite import NotFiniteError
from keras_adasim.optimizers import WarmupCosine, scale_learning_rate

# Images looked at at a time, where nothing is trained.
EVALUATED = 256


def trainable_copy(backbone, drop_path, seed):
    """A copy with drop path, unfrozen, whose random states follow from the seed."""
    changes = {"drop_path_rate": drop_path} if "drop_path_rate" in backbone.get_config() else {}
    if backbone.dtype_policy.name == "mixed_float16":
        changes["dtype"] = "float32"  # There is no scaling of the loss here.
    copy = clone_backbone(backbone, lambda config: {**config, **changes})
    copy.trainable = True
    for place, layer in enumerate(sublayers(copy)):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign(np.array([seed, place], "uint32"))
    return copy


def train_classifier(classifier, train, settings, seed, callbacks):
    """Trains all weights of a classifier.

    Args:
        classifier: `ImageClassifier`; it stays uncompiled, so that its file has no optimizer.
        train: Labeled `Source`, all of which is trained on.
        settings: `Settings`.
        seed: Seed of the batches.
        callbacks: Callbacks of Keras.
    """
    size, channels = classifier.image_size, train.channels
    steps = max(1, round(len(train) / settings.batch_size))
    batches = mixed_batches(classifier, train, settings, steps * settings.epochs, seed)
    images = keras.Input((size, size, channels), dtype=batches.element_spec[0].dtype.name)
    model = keras.Model(images, classifier(images))
    rate = WarmupCosine(
        scale_learning_rate(settings.learning_rate, settings.batch_size),
        0.0,
        steps * settings.epochs,
        steps * settings.warmup_epochs,
    )
    backbone = classifier.backbone
    scales = layer_scales(backbone, settings.layer_decay)
    scales = dict(zip(map(id, backbone.trainable_variables), scales, strict=True))
    scales = [scales.get(id(variable), 1.0) for variable in model.trainable_variables]
    model.compile(
        LayerwiseAdamW(rate, settings.weight_decay, scales),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=settings.label_smoothing
        ),
    )
    model.fit(
        batches,
        epochs=settings.epochs,
        steps_per_epoch=steps,
        callbacks=list(callbacks),
        shuffle=False,
        verbose=0,
    )


def mixed_batches(classifier, train, settings, steps, seed):
    """Batches of crops and one-hot labels, mixed where that is wanted; one device's draws."""
    size, batch_size, number = classifier.image_size, settings.batch_size, len(train)
    classes = len(classifier.class_names)
    passes = math.ceil(steps * batch_size / number)
    scale = settings.crop_scale, 1.0
    batches = augmented_batches(train, size, batch_size, passes, seed, scale).take(steps)

    def with_targets(images, labels):
        images = tf.ensure_shape(images, (batch_size, size, size, train.channels))
        return images, tf.one_hot(tf.ensure_shape(labels, (batch_size,)), classes)

    def draw(step):
        return draw_mixing(seed, int(step), size, settings.mixup, settings.cutmix)

    def mix(step, batch):
        images, labels = tf.image.convert_image_dtype(batch[0], tf.float32), batch[1]
        share, box = tf.numpy_function(draw, [step], (tf.float32, tf.int32), stateful=False)
        share, box = tf.ensure_shape(share, ()), tf.ensure_shape(box, (4,))
        return cutmix(*mixup(images, labels, share), box)

    batches = batches.map(with_targets, tf.data.AUTOTUNE)
    if settings.mixup or settings.cutmix:
        batches = batches.enumerate().map(mix, tf.data.AUTOTUNE)
    return batches.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(2)


class Watch(keras.callbacks.Callback):
    """Looks at the validation images after every epoch, and keeps the best weights.

    Args:
        classifier: `ImageClassifier`.
        epochs: Number of epochs, for the screen.
        validation: Labeled `Source`, or None.
        say: Function of a line of text.

    Attributes:
        predict: Function from a source to logits (N, K).
        log: List of one dict per epoch.
        best: That of the best epoch.
    """

    def __init__(self, classifier, epochs, validation, say):
        super().__init__()
        self.classifier, self.epochs = classifier, epochs
        self.validation, self.say = validation, say
        self.predict = predictor(classifier)
        self.log, self.best, self._weights = [], None, None

    def on_epoch_end(self, epoch, logs=None):
        """Judges the epoch; raises NotFiniteError if its loss is NaN or infinite."""
        loss = _checked_loss(float(logs["loss"]), "", epoch)
        row = {"epoch": epoch + 1, "loss": loss}
        words = f"epoch {epoch + 1}/{self.epochs}: loss {loss:.3f}"
        if self.validation is not None:
            logits = self.predict(self.validation)
            top1, top5 = top_accuracies(logits, self.validation.labels)
            cost = cross_entropy(logits, self.validation.labels)
            _checked_loss(cost, " of the validation images", epoch)
            row |= {"validation_loss": cost, "validation_top1": top1, "validation_top5": top5}
            words += f", validation loss {cost:.3f}, top-1 {100 * top1:.2f} %"
        self.log.append(row)
        self.say(words)
        self._keep(row)

    def _keep(self, row):
        """Keeps the weights of the best epoch; of equals the one with the smaller loss."""
        if self.validation is None:
            self.best = row
            return
        rank = row["validation_top1"], -row["validation_loss"]
        if self.best is None or rank > (
            self.best["validation_top1"],
            -self.best["validation_loss"],
        ):
            self.best, self._weights = row, self.classifier.get_weights()

    def take_best(self):
        """Gives the classifier the best epoch's weights."""
        if self._weights is not None:
            self.classifier.set_weights(self._weights)


def predictor(classifier):
    """Function from a source to the logits (N, K) of all its images, each as a whole."""

    @tf.function(autograph=False, reduce_retracing=True)
    def look(images):
        return classifier(images, training=False)

    return lambda source: embed(source, look, EVALUATED, classifier.image_size)


def cross_entropy(logits, labels):
    """Mean cross-entropy of logits (N, K) and integer labels (N,)."""
    logits = logits.astype(np.float64)
    largest = logits.max(axis=1)
    total = largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1))
    return float(np.mean(total - logits[np.arange(len(logits)), labels]))


def _checked_loss(loss, of, epoch):
    if not math.isfinite(loss):
        raise NotFiniteError(
            f"Expected a finite loss{of}. Received: {loss} in epoch {epoch + 1}. Take a smaller "
            "`learning_rate`, or a longer warm-up (`warmup_epochs`)."
        )
    return loss
