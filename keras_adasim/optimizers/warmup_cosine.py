"""DINO's cosine schedule."""

import keras
import numpy as np

from keras_adasim.optimizers.schedule import Schedule
from keras_adasim.validation import check_integer, check_number


@keras.saving.register_keras_serializable(package="keras_adasim")
class WarmupCosine(Schedule):
    """Linear warm-up, then half a cosine from `base` to `final`.

    Equals DINO's `cosine_scheduler` at every step, its edges included: the last step of the
    warm-up has already reached `base`, the step after it has `base` once more, and the last step
    has not quite reached `final`. From `steps` on the value is `final`.

    DINO has the learning rate fall, and weight decay and teacher momentum rise this way.

    Args:
        base: Value after the warm-up.
        final: Value at the end.
        steps: Number of steps in all.
        warmup_steps: Number of steps of the warm-up, out of `steps`.
        start: Value at the first step of the warm-up.

    Reference:
        `utils.cosine_scheduler` of the official DINO code.

    Example:
        ```python
        rate = ka.optimizers.WarmupCosine(0.1, 0.0, steps=100, warmup_steps=11)
        print(rate(0), rate(5), rate(10), rate(100))  # 0.0 0.05 0.1 0.0
        optimizer = ka.optimizers.SGD(rate)
        ```
    """

    def __init__(self, base, final, steps, warmup_steps=0, start=0.0):
        self.base = check_number("base", base)
        self.final = check_number("final", final)
        self.steps = check_integer("steps", steps)
        self.warmup_steps = check_integer("warmup_steps", warmup_steps, minimum=0)
        self.start = check_number("start", start)
        if self.warmup_steps > self.steps:
            raise ValueError(
                f"Expected `warmup_steps` to be at most steps={steps}; a shorter run needs a "
                f"shorter warm-up. Received: warmup_steps={warmup_steps}"
            )

    def evaluate(self, step, math):
        """Returns the values at float64 steps."""
        # Both ends are included, so there is one interval less than there are steps.
        rising = self.start + (self.base - self.start) * (step / max(self.warmup_steps - 1, 1))
        progress = (step - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        falling = self.final + 0.5 * (self.base - self.final) * (1.0 + math.cos(np.pi * progress))
        value = math.where(step < self.warmup_steps, rising, falling)
        return math.where(step < self.steps, value, math.zeros_like(value) + self.final)

    def get_config(self):
        """Returns the constructor's arguments as a dict."""
        return {
            "base": self.base,
            "final": self.final,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
            "start": self.start,
        }
