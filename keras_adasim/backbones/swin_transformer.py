"""EsViT's Swin transformer."""

import keras
import numpy as np
from keras import ops

from keras_adasim.layers.patch_embedding import PatchEmbedding
from keras_adasim.layers.patch_merging import PatchMerging
from keras_adasim.layers.reference_defaults import layer_norm
from keras_adasim.layers.swin_block import SwinBlock
from keras_adasim.layers.torch_names import convolution_names, layer_norm_names, prefixed
from keras_adasim.validation import check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class SwinTransformer(keras.Model):
    """Hierarchical transformer with shifted windows, for images of any size its patch divides.

    Each stage but the first halves the map and doubles the tokens' size. The windows of a stage
    are at most as large as its map for images of `image_size`; maps of other sizes are padded to
    multiples of the window, as EsViT does with its local crops. The model maps normalized float
    images (B, H, W, C) to a dictionary:

    - `features`: (B, D), the average of the tokens;
    - `tokens`: (B, P, D), the last map after the final norm, row by row.

    Args:
        image_size: Side in pixels of the square images that the windows are chosen for.
        patch_size: Side of a patch in pixels; must divide `image_size`.
        embed_dim: Size of a token in the first stage.
        depths: Blocks of each stage. Every second block's windows are shifted.
        num_heads: Attention heads of each stage.
        window_size: Side of a window in tokens.
        mlp_ratio: Width of the blocks' hidden layer in multiples of the tokens' size.
        drop_path_rate: Probability of leaving the last block's branches out in training; the
            earlier blocks' grow linearly from 0 to it.
        channels: Channels of the images, C.
        name: Name of the model.
        trainable: Whether its weights are trained.
        dtype: Dtype policy of all layers; `None` takes the global one.

    Attributes:
        feature_dim: Size of the features, D.

    Raises:
        ValueError: If a size is no positive integer, or the sizes don't fit each other.

    Reference:
        "Efficient Self-supervised Vision Transformers for Representation Learning", Li et al.,
        ICLR 2022, and its official code, whose outputs it equals: Swin without absolute positions,
        with an epsilon of 1e-6 in its norms.

    Example:
        ```python
        backbone = ka.backbones.SwinTransformer(
            32, 4, 8, depths=(2, 2), num_heads=(1, 2), window_size=4
        )
        outputs = backbone(np.zeros((2, 32, 24, 3), "float32"))
        features, tokens = outputs["features"], outputs["tokens"]  # (2, 16), (2, 12, 16)
        ```
    """

    torch_prefix = "backbone."

    def __init__(
        self,
        image_size,
        patch_size,
        embed_dim,
        depths,
        num_heads,
        window_size,
        mlp_ratio=4,
        drop_path_rate=0.0,
        channels=3,
        name=None,
        trainable=True,
        dtype=None,
    ):
        check_sizes(image_size, patch_size, embed_dim, depths, num_heads, window_size, channels)
        drop_path_rate = check_number("drop_path_rate", drop_path_rate, minimum=0, below=1)
        dtype = keras.dtype_policies.get(dtype)

        # === Layers ===
        self.patch_embedding = PatchEmbedding(
            patch_size, embed_dim, dtype=dtype, name="patch_embedding"
        )
        self.patch_norm = layer_norm(dtype, "patch_norm")
        rates = iter(np.linspace(0, drop_path_rate, sum(depths)))
        # In the order of the graph, which is that of the weights of a cloned model.
        self.stages, self.mergings = [], []
        for stage, (depth, heads) in enumerate(zip(depths, num_heads, strict=True)):
            if stage:
                self.mergings.append(PatchMerging(dtype=dtype, name=f"merging_{stage}"))
            size, shift = stage_window(image_size // patch_size // 2**stage, window_size)
            blocks = [
                SwinBlock(
                    heads,
                    size,
                    shift if block % 2 else 0,
                    mlp_ratio,
                    drop_path_rate=float(next(rates)),
                    dtype=dtype,
                    name=f"stage_{stage}_block_{block}",
                )
                for block in range(depth)
            ]
            self.stages.append(blocks)
        self.norm = layer_norm(dtype, "norm")

        # === Functional model ===
        images = keras.Input((None, None, channels), name="images")
        tokens = self.patch_norm(self.patch_embedding(images))
        for stage, blocks in enumerate(self.stages):
            if stage:
                tokens = self.mergings[stage - 1](tokens)
            for block in blocks:
                tokens = block(tokens)
        flatten = keras.layers.Reshape((-1, tokens.shape[-1]), dtype=dtype, name="tokens")
        tokens = flatten(self.norm(tokens))
        outputs = {"features": ops.mean(tokens, axis=1), "tokens": tokens}
        super().__init__(inputs=images, outputs=outputs, name=name, trainable=trainable)

        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})

        # === Config ===
        self.dtype_policy = dtype
        self.image_size = image_size
        self.patch_size = patch_size
        self.embed_dim = embed_dim
        self.depths = tuple(depths)
        self.num_heads = tuple(num_heads)
        self.window_size = window_size
        self.mlp_ratio = mlp_ratio
        self.drop_path_rate = drop_path_rate
        self.channels = channels

    @property
    def feature_dim(self):
        """Size of the features, D."""
        return self.embed_dim * 2 ** (len(self.depths) - 1)

    @property
    def layer_groups(self):
        """Lists of layers from the input to the output, whose learning rates may differ."""
        groups = [[self.patch_embedding, self.patch_norm]]
        for stage, blocks in enumerate(self.stages):
            groups += [[block] for block in blocks]
            groups[-1] += self.mergings[stage : stage + 1]
        return [*groups, [self.norm]]

    def torch_names(self):
        """Names of the variables in EsViT's `state_dict`, see `layers.torch_names`."""
        names = {
            **prefixed("patch_embed.proj", convolution_names(self.patch_embedding)),
            **prefixed("patch_embed.norm", layer_norm_names(self.patch_norm)),
        }
        for i, blocks in enumerate(self.stages):
            for j, block in enumerate(blocks):
                names |= prefixed(f"layers.{i}.blocks.{j}", block.torch_names())
        for i, merging in enumerate(self.mergings):
            names |= prefixed(f"layers.{i}.downsample", merging.torch_names())
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
            "depths": list(self.depths),
            "num_heads": list(self.num_heads),
            "window_size": self.window_size,
            "mlp_ratio": self.mlp_ratio,
            "drop_path_rate": self.drop_path_rate,
            "channels": self.channels,
        }


def stage_window(side, window_size):
    """Side of a stage's windows and the shift of every second block's, for maps of that side."""
    # One window holds the whole map: there is nothing to shift.
    return (side, 0) if side <= window_size else (window_size, window_size // 2)


def check_sizes(image_size, patch_size, embed_dim, depths, num_heads, window_size, channels):
    """Raises ValueError unless a Swin transformer of these sizes can be built."""
    for name, value in dict(locals()).items():
        per_stage = name in ("depths", "num_heads") and isinstance(value, list | tuple)
        for each in value if per_stage else [value]:
            check_integer(name, each)
    if len(depths) != len(num_heads) or not depths:
        raise ValueError(
            "Expected `depths` and `num_heads` to have one entry for every stage. Received: "
            f"depths={depths}, num_heads={num_heads}"
        )
    if image_size % patch_size or image_size // patch_size < 2 ** (len(depths) - 1):
        raise ValueError(
            f"Expected `image_size` to be a multiple of patch_size={patch_size} and at least "
            f"{patch_size * 2 ** (len(depths) - 1)}, so that every stage has a map. Received: "
            f"image_size={image_size}"
        )
    for stage, heads in enumerate(num_heads):
        if embed_dim * 2**stage % heads:
            raise ValueError(
                "Expected `num_heads` to divide the tokens' size. Received: "
                f"{heads} heads for {embed_dim * 2**stage} in stage {stage}"
            )
