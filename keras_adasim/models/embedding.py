"""Features of a model in training, without an export."""

import numpy as np
import tensorflow as tf

from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, preprocess
from keras_adasim.models import checks
from keras_adasim.validation import check_integer


class Embedding:
    """What a `SelfDistillation` says of whole images."""

    def embed(self, images, batch_size=256):
        """Features of the teacher's backbone, without an export.

        Args:
            images: Images (B, H, W, C), uint8 (0 to 255) or float (0 to 1), of any size; resized to
                the size of the global crops and normalized here.
            batch_size: Number of images per forward pass.

        Returns:
            Float32 NumPy array (B, D).

        Raises:
            ValueError: If the images have other than four axes, or are other integers than uint8.
        """
        batch_size = check_integer("batch_size", batch_size)
        images = np.asarray(images)
        checks.check_images(images)
        chunks = [np.zeros((0, self.teacher.output["features"].shape[-1]), np.float32)]
        for start in range(0, len(images), batch_size):
            chunk = tf.convert_to_tensor(images[start : start + batch_size])
            chunks.append(self._embed_function(chunk).numpy())
        return np.concatenate(chunks)

    def _embed(self, images):
        augment = self.augment  # One of one's own may have none of these.
        crops = getattr(augment, "crops", None)
        size = crops.global_size if crops else checks.global_size(self.teacher)
        mean, std = getattr(augment, "mean", IMAGENET_MEAN), getattr(augment, "std", IMAGENET_STD)
        images = preprocess(images, size, mean, std)
        return tf.cast(self.teacher(images, training=False)["features"], tf.float32)
