"""Plain self-distillation."""

from keras_adasim.pairing.pairing import Pairing
from keras_adasim.pairing.registry import register


@register("self")
class SelfPairing(Pairing):
    """Pairs every image with itself: both views come from one image, as in DINO or BYOL.

    Example:
        ```python
        print(ka.pairing.SelfPairing().partners([3, 1, 4]))  # [3 1 4]
        ```
    """

    def __init__(self):
        super().__init__()

    def get_config(self):
        """Returns an empty dict: there are no arguments."""
        return {}

    def _draw(self, indices):
        return indices
