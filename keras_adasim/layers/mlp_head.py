"""The projectors and predictors of siamese and contrastive methods."""

import keras
from keras import ops

from keras_adasim.layers.reference_defaults import batch_norm, uniform_initializer
from keras_adasim.validation import check_choice, check_integer, check_switch

LAST_NORMS = ("none", "plain", "affine")


@keras.saving.register_keras_serializable(package="keras_adasim")
class MLPHead(keras.layers.Layer):
    """Dense layers with batch normalization and ReLU between them: (B, D) to float32 (B, K).

    Batch normalization is synchronized over replicas. A dense layer that is followed by one has no
    bias, which would have no effect.

    Args:
        out_dim: Width of the output K.
        hidden_dim: Width of the hidden layers.
        num_layers: Number of dense layers, at least 1.
        last_norm: Batch normalization of the output: "none", "plain" (without scale and offset)
            or "affine" (with both).
        use_bias: Whether the last dense layer has a bias; without effect where `last_norm` isn't
            "none".

    Reference:
        Heads of the official SimSiam and MoCo-v3 code; weights start as PyTorch leaves them.

    Example:
        ```python
        head = ka.layers.MLPHead(out_dim=8, hidden_dim=16, num_layers=3, last_norm="plain")
        features = keras.random.normal((4, 6))
        print(head(features, training=True).shape)  # (4, 8)
        ```
    """

    def __init__(
        self, out_dim, hidden_dim, num_layers=2, last_norm="none", use_bias=False, **kwargs
    ):
        super().__init__(**kwargs)
        self.out_dim = check_integer("out_dim", out_dim)
        self.hidden_dim = check_integer("hidden_dim", hidden_dim)
        self.num_layers = check_integer("num_layers", num_layers)
        self.last_norm = check_choice("last_norm", last_norm, LAST_NORMS)
        self.use_bias = check_switch("use_bias", use_bias)

    def build(self, input_shape):
        """Creates the layers for inputs of shape (B, D)."""
        if self.built:
            return
        widths = [self.hidden_dim] * (self.num_layers - 1) + [self.out_dim]
        norms = ["affine"] * (self.num_layers - 1) + [self.last_norm]
        self.dense_layers = []
        self.batch_norms = []
        fan_in = input_shape[-1]
        for i, (width, norm) in enumerate(zip(widths, norms, strict=True)):
            self.dense_layers.append(self._dense(width, fan_in, norm, f"dense_{i}"))
            self.dense_layers[-1].build((None, fan_in))
            if norm != "none":
                affine = norm == "affine"
                self.batch_norms.append(
                    batch_norm(self.dtype_policy, f"batch_norm_{i}", center=affine, scale=affine)
                )
                self.batch_norms[-1].build((None, width))
            fan_in = width
        self.built = True

    def _dense(self, width, fan_in, norm, name):
        return keras.layers.Dense(
            width,
            use_bias=self.use_bias and norm == "none",
            kernel_initializer=uniform_initializer(fan_in),
            bias_initializer=uniform_initializer(fan_in),
            dtype=self.dtype_policy,
            name=name,
        )

    def call(self, inputs, training=False):
        """Projects `inputs` (B, D) to float32 (B, K)."""
        x = inputs
        for i, layer in enumerate(self.dense_layers):
            x = layer(x)
            if i < len(self.batch_norms):
                x = self.batch_norms[i](x, training=training)
            if i < self.num_layers - 1:
                x = ops.relu(x)
        return ops.cast(x, "float32")

    def compute_output_shape(self, input_shape):
        """(B, D) to (B, K)."""
        return (*input_shape[:-1], self.out_dim)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "out_dim": self.out_dim,
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "last_norm": self.last_norm,
            "use_bias": self.use_bias,
        }
