"""Learning rates that fall from a network's output to its input."""

import re

from keras_adasim.optimizers import AdamW
from keras_adasim.validation import check_has, check_number

# Groups of a backbone that doesn't say what its own are.
MOST_GROUPS = 12
# Positions and tokens that are learned are parameters by themselves, and not decayed either.
NOT_DECAYED = re.compile(r"position|(class|cls|register|mask|dist)_token")


def layer_groups(backbone):
    """Groups the trainable variables of a backbone, from the input to the output.

    A backbone with a property `layer_groups`, a list of lists of layers, decides itself: a Vision
    Transformer's are the embeddings, every block, and the last norm; a Swin transformer's the same,
    where the merging behind a stage belongs to its last block; a ResNet's its stem, every stage,
    and nothing, which is the classifier's place. Any other backbone's layers with weights are put,
    in their order, into 12 groups of about the same number, or one for each of fewer.

    Args:
        backbone: Built `keras.Model`.

    Returns:
        List of lists of variables, the last of which trains like the classifier.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=8, depth=3, num_heads=2)
        len(ka.evaluation.layer_decay.layer_groups(backbone))  # 5
        ```
    """
    check_has("backbone", backbone, "a built `keras.Model`", "trainable_variables")
    own = getattr(backbone, "layer_groups", None)
    if own is not None:
        return [[v for layer in group for v in layer.trainable_variables] for group in own]
    layers = {}
    for variable in backbone.trainable_variables:
        layers.setdefault(variable.path.rpartition("/")[0], []).append(variable)
    layers = list(layers.values())
    number = min(MOST_GROUPS, len(layers))
    groups = [[] for _ in range(number)]
    for place, variables in enumerate(layers):
        groups[place * number // len(layers)] += variables
    return [*groups, []]


def layer_scales(backbone, layer_decay):
    """What the learning rate of each variable is multiplied with.

    The last of G groups has 1, like the classifier, the one before it `layer_decay`, the first one
    `layer_decay ** (G - 1)`.

    Args:
        backbone: Built `keras.Model`.
        layer_decay: Number in (0, 1]; 1 trains all alike.

    Returns:
        List of floats in the order of `backbone.trainable_variables`.

    Raises:
        ValueError: If `layer_decay` is out of range.

    Reference:
        - Clark et al., "ELECTRA", ICLR 2020, and Bao et al., "BEiT", ICLR 2022, whose groups of a
          Vision Transformer these are.

    Example:
        ```python
        backbone = ka.backbones.VisionTransformer(8, 4, embed_dim=8, depth=3, num_heads=2)
        scales = ka.evaluation.layer_decay.layer_scales(backbone, 0.5)
        min(scales), max(scales)  # 0.0625, 1.0
        ```
    """
    layer_decay = check_number("layer_decay", layer_decay, above=0, maximum=1)
    groups = layer_groups(backbone)
    scale_of = {
        id(variable): layer_decay ** (len(groups) - 1 - place)
        for place, group in enumerate(groups)
        for variable in group
    }
    return [scale_of.get(id(variable), 1.0) for variable in backbone.trainable_variables]


class LayerwiseAdamW(AdamW):
    """`AdamW` with a learning rate for every variable, and no decay of positions and tokens.

    Args:
        learning_rate: Float or schedule, as for `AdamW`.
        weight_decay: Float or schedule; it is multiplied with the variable's learning rate.
        scales: List of floats, one for each variable in the order that `build` gets them in.
    """

    def __init__(self, learning_rate, weight_decay, scales):
        super().__init__(learning_rate, weight_decay, name="layerwise_adamw")
        self._scales = tuple(scales)

    def build(self, variables):
        """Creates the slots; the variables have to be as many as there are scales."""
        if not self.built:
            kept = [v for v in variables if NOT_DECAYED.search(v.path)]
            self.exclude_from_weight_decay(var_list=kept)
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable at its own rate."""
        scale = self._scales[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * scale)
