"""DINO's projection head."""

import keras
from keras import ops

from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.layers.reference_defaults import batch_norm, dense, uniform_initializer
from keras_adasim.layers.torch_names import batch_norm_names, dense_names, prefixed
from keras_adasim.validation import check_integer, check_switch


@keras.saving.register_keras_serializable(package="keras_adasim")
class ProjectionHead(keras.layers.Layer):
    """Projects features (B, D) to `out_dim` prototype logits, float32 (B, K).

    Dense layers with GELU, a dense layer to the bottleneck, L2 normalization, and a last layer
    without bias whose weights are normalized per prototype. Both normalizations are float32 in
    every dtype policy.

    Args:
        out_dim: Number of prototypes K.
        hidden_dim: Width of the hidden dense layers.
        bottleneck_dim: Width of the L2-normalized bottleneck.
        num_layers: Dense layers before the prototypes, at least 1: the one to the bottleneck.
        use_bn: Whether batch normalization, synchronized over replicas, precedes every GELU.
        norm_last_layer: Whether all prototypes stay at norm 1. If not, the norms are trained too.

    Attributes:
        weight_v: Float32 (bottleneck_dim, K), the prototypes' directions, of any length.
        weight_g: Float32 (1, K), the prototypes' norms, ones at first. It has two axes, so that
            optimizers treat it like PyTorch's (K, 1): with decay and LARS adaptation.

    Reference:
        `DINOHead` of the official DINO code.

    Example:
        ```python
        head = ka.layers.ProjectionHead(out_dim=32, hidden_dim=16, bottleneck_dim=8)
        features = keras.random.normal((4, 6))
        print(head(features).shape)  # (4, 32)
        ```
    """

    torch_prefix = "head."

    def __init__(
        self,
        out_dim,
        hidden_dim=2048,
        bottleneck_dim=256,
        num_layers=3,
        use_bn=False,
        norm_last_layer=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.out_dim = check_integer("out_dim", out_dim)
        self.hidden_dim = check_integer("hidden_dim", hidden_dim)
        self.bottleneck_dim = check_integer("bottleneck_dim", bottleneck_dim)
        self.num_layers = check_integer("num_layers", num_layers)
        self.use_bn = check_switch("use_bn", use_bn)
        self.norm_last_layer = check_switch("norm_last_layer", norm_last_layer)

    def build(self, input_shape):
        """Creates the layers for features of shape (B, D)."""
        if self.built:
            return
        widths = [self.hidden_dim] * (self.num_layers - 1) + [self.bottleneck_dim]
        policy, num_norms = self.dtype_policy, self.use_bn * (self.num_layers - 1)
        self.dense_layers = [dense(w, policy, f"dense_{i}") for i, w in enumerate(widths)]
        self.batch_norms = [batch_norm(policy, f"batch_norm_{i}") for i in range(num_norms)]
        for layer, width in zip(self.dense_layers, [input_shape[-1], *widths[:-1]], strict=True):
            layer.build((None, width))
        for layer in self.batch_norms:
            layer.build((None, self.hidden_dim))
        self._build_last_layer()
        self.built = True

    def _build_last_layer(self):
        # Uniform as PyTorch leaves it: the length decides how fast a direction can turn.
        self.weight_v = self.add_weight(
            name="weight_v",
            shape=(self.bottleneck_dim, self.out_dim),
            initializer=uniform_initializer(self.bottleneck_dim),
            autocast=False,
        )
        self.weight_g = self.add_weight(
            name="weight_g",
            shape=(1, self.out_dim),
            initializer="ones",
            trainable=not self.norm_last_layer,
            autocast=False,
        )

    @property
    def last_layer_variables(self):
        """The trained variables of the last layer, which DINO freezes for the first epochs."""
        return [self.weight_v] if self.norm_last_layer else [self.weight_v, self.weight_g]

    def call(self, features, training=False):
        """Projects `features` (B, D) to float32 logits (B, K)."""
        hidden = features
        for i, layer in enumerate(self.dense_layers[:-1]):
            hidden = layer(hidden)
            if self.use_bn:
                hidden = self.batch_norms[i](hidden, training=training)
            hidden = ops.gelu(hidden, approximate=False)
        bottleneck = l2_normalize(self.dense_layers[-1](hidden), axis=-1)
        prototypes = self.weight_g * l2_normalize(self.weight_v, axis=0)
        logits = ops.matmul(
            ops.cast(bottleneck, self.compute_dtype), ops.cast(prototypes, self.compute_dtype)
        )
        return ops.cast(logits, "float32")

    def torch_names(self):
        """PyTorch's names of the variables, see `layers.torch_names`."""
        if self.num_layers == 1:
            names = prefixed("mlp", dense_names(self.dense_layers[0]))
        else:
            # Dense, (batch norm,) GELU: GELU has a number but no variables.
            step, names = (3 if self.use_bn else 2), {}
            for i, layer in enumerate(self.dense_layers):
                names |= prefixed(f"mlp.{i * step}", dense_names(layer))
            for i, layer in enumerate(self.batch_norms):
                names |= prefixed(f"mlp.{i * step + 1}", batch_norm_names(layer))
        names["last_layer.weight_g"] = (self.weight_g, (1, 0))
        names["last_layer.weight_v"] = (self.weight_v, (1, 0))
        return names

    def compute_output_shape(self, input_shape):
        """(B, D) to (B, K)."""
        return (*input_shape[:-1], self.out_dim)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "out_dim": self.out_dim,
            "hidden_dim": self.hidden_dim,
            "bottleneck_dim": self.bottleneck_dim,
            "num_layers": self.num_layers,
            "use_bn": self.use_bn,
            "norm_last_layer": self.norm_last_layer,
        }
