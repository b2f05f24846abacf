"""DINO's vision transformer."""

import keras
import numpy as np
from keras import ops

from keras_adasim.layers.patch_embedding import PatchEmbedding
from keras_adasim.layers.position_embedding import PositionEmbedding
from keras_adasim.layers.reference_defaults import layer_norm
from keras_adasim.layers.torch_names import convolution_names, layer_norm_names, prefixed
from keras_adasim.layers.transformer_block import TransformerBlock
from keras_adasim.validation import check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class VisionTransformer(keras.Model):
    """Vision transformer with a class token, for images of any size its patch divides.

    Position embeddings are learned for `image_size` and resized for other sizes, square or not.
    The model maps normalized float images (B, H, W, C) to a dictionary:

    - `features`: (B, D), the class token after the final norm;
    - `tokens`: (B, P, D), the patch tokens after the final norm, row by row.

    Args:
        image_size: Side in pixels of the square images that the position embeddings are for.
        patch_size: Side of a patch in pixels; must divide `image_size`.
        embed_dim: Size of a token, D.
        depth: Number of blocks.
        num_heads: Attention heads of a block; must divide `embed_dim`.
        mlp_ratio: Width of the blocks' hidden layer in multiples of `embed_dim`.
        drop_path_rate: Probability of leaving the last block's branches out in training; the
            earlier blocks' grow linearly from 0 to it.
        channels: Channels of the images, C.
        dtype: Dtype policy of all layers; `None` takes the global one.
        **kwargs: `name` and `trainable` of `keras.Model`.

    Attributes:
        feature_dim: Size of the features, `embed_dim`.

    Raises:
        ValueError: If a size is no positive integer, or one that should divide another doesn't.

    Reference:
        "Emerging Properties in Self-Supervised Vision Transformers", Caron et al., ICCV 2021, and
        its official code, whose outputs it equals.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(32, 8, embed_dim=24, depth=2, num_heads=3)
        outputs = backbone(np.zeros((2, 32, 48, 3), "float32"))
        features, tokens = outputs["features"], outputs["tokens"]  # (2, 24), (2, 24, 24)
        ```
    """

    torch_prefix = "backbone."

    def __init__(
        self,
        image_size,
        patch_size,
        embed_dim,
        depth,
        num_heads,
        mlp_ratio=4,
        drop_path_rate=0.0,
        channels=3,
        dtype=None,
        **kwargs,
    ):
        check_sizes(image_size, patch_size, embed_dim, depth, num_heads, channels)
        mlp_ratio = check_number("mlp_ratio", mlp_ratio, above=0)
        drop_path_rate = check_number("drop_path_rate", drop_path_rate, minimum=0, below=1)
        dtype = keras.dtype_policies.get(dtype)

        # === Layers ===
        self.patch_embedding = PatchEmbedding(
            patch_size, embed_dim, dtype=dtype, name="patch_embedding"
        )
        self.position_embedding = PositionEmbedding(
            image_size // patch_size, dtype=dtype, name="position_embedding"
        )
        self.blocks = [
            TransformerBlock(num_heads, mlp_ratio, float(rate), dtype=dtype, name=f"block_{i}")
            for i, rate in enumerate(np.linspace(0, drop_path_rate, depth))
        ]
        self.norm = layer_norm(dtype, "norm")

        # === Functional model ===
        images = keras.Input((None, None, channels), name="images")
        tokens = self._embed(images)
        for block in self.blocks:
            tokens = block(tokens)
        tokens = self.norm(tokens)
        outputs = {"features": tokens[:, 0], "tokens": tokens[:, 1:]}
        super().__init__(inputs=images, outputs=outputs, **kwargs)

        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})

        # === Config ===
        self.dtype_policy = dtype
        self.image_size = image_size
        self.patch_size = patch_size
        self.embed_dim = embed_dim
        self.depth = depth
        self.num_heads = num_heads
        self.mlp_ratio = mlp_ratio
        self.drop_path_rate = drop_path_rate
        self.channels = channels

    @property
    def feature_dim(self):
        """Size of the features, D."""
        return self.embed_dim

    @property
    def layer_groups(self):
        """Lists of layers from the input to the output, whose learning rates may differ."""
        embeddings = [self.patch_embedding, self.position_embedding]
        return [embeddings, *([block] for block in self.blocks), [self.norm]]

    def _embed(self, images):
        return self.position_embedding(self.patch_embedding(images))

    def last_self_attention(self, images):
        """Softmax attention of the last block, without drop path.

        Args:
            images: Floats (B, H, W, C), normalized.

        Returns:
            float32 tensor (B, heads, 1 + P, 1 + P): queries, then keys, the class token first.
        """
        tokens = self._embed(ops.convert_to_tensor(images))
        for block in self.blocks[:-1]:
            tokens = block(tokens, training=False)
        return self.blocks[-1].attention_weights(tokens)

    def intermediate_class_tokens(self, images, n):
        """Class tokens after each of the last `n` blocks, each through the final norm.

        DINO's linear evaluation of ViT-S joins those of the last four along the last axis.

        Args:
            images: Floats (B, H, W, C), normalized.
            n: Number of blocks, 1 to `depth`.

        Returns:
            List of n tensors (B, D), the last block's, which are the features, last.

        Raises:
            ValueError: If there aren't as many blocks.
        """
        if check_integer("n", n) > self.depth:
            raise ValueError(
                f"Expected `n` between 1 and depth={self.depth}, the number of blocks. "
                f"Received: n={n}"
            )
        tokens, class_tokens = self._embed(ops.convert_to_tensor(images)), []
        for block in self.blocks:
            tokens = block(tokens, training=False)
            class_tokens.append(tokens[:, 0])
        # The norm is built for (B, T, D), and Keras may hold it to that rank.
        normed = self.norm(ops.stack(class_tokens[-n:], axis=1))
        return [normed[:, i] for i in range(n)]

    def torch_names(self):
        """Names of the variables in DINO's `state_dict`, see `layers.torch_names`."""
        names = {
            "cls_token": (self.position_embedding.class_token, None),
            "pos_embed": (self.position_embedding.embedding, None),
            **prefixed("patch_embed.proj", convolution_names(self.patch_embedding)),
        }
        for i, block in enumerate(self.blocks):
            names |= prefixed(f"blocks.{i}", block.torch_names())
        return names | prefixed("norm", layer_norm_names(self.norm))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "image_size": self.image_size,
            "patch_size": self.patch_size,
            "embed_dim": self.embed_dim,
            "depth": self.depth,
            "num_heads": self.num_heads,
            "mlp_ratio": self.mlp_ratio,
            "drop_path_rate": self.drop_path_rate,
            "channels": self.channels,
        }


def check_sizes(image_size, patch_size, embed_dim, depth, num_heads, channels):
    """Raises ValueError unless a vision transformer of these sizes can be built."""
    sizes = dict(locals())
    for name, value in sizes.items():
        check_integer(name, value)
    for whole, part in (("image_size", "patch_size"), ("embed_dim", "num_heads")):
        if sizes[whole] % sizes[part]:
            raise ValueError(
                f"Expected `{part}` to divide `{whole}`. Received: {whole}={sizes[whole]}, "
                f"{part}={sizes[part]}"
            )
