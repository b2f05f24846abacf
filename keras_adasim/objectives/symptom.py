"""What a collapsing objective looks like in the logs of training."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Symptom:
    """Values of some logs that, together, tell of a collapse.

    Attributes:
        name: What the collapse is; several symptoms of one collapse share it.
        bounds: Dict of a log's name to the lowest and the highest value that tells. All must.
        cause: What has happened, and what is likely behind it.
        mend: What to try.
        first_step: Steps before which such values are as they should be.

    Example:
        ```python
        symptom = ka.objectives.symptom.Symptom(
            "constant projections", {"projection_std": (0.0, 0.05)}, "no spread", "a predictor"
        )
        symptom.shows({"projection_std": 0.01, "loss": -1.0})  # True
        ```
    """

    name: str
    bounds: dict
    cause: str
    mend: str
    first_step: int = 0

    def shows(self, logs):
        """Whether an epoch's logs have these values; None if one of them wasn't measured."""
        if not all(name in logs for name in self.bounds):
            return None
        return all(low <= logs[name] <= high for name, (low, high) in self.bounds.items())
