"""Images of a protocol without those whose files are bad."""

import numpy as np

from keras_adasim import data

# So many are named on the screen.
NAMED = 5


def without_bad(source, what):
    """Looks at all files, and leaves the bad ones out, by name.

    Args:
        source: `Source`.
        what: What the images are, for the screen.

    Returns:
        `(source, left_out)`: the source itself or a subset, and a dict of keys to what is wrong.

    Raises:
        ValueError: If all are bad.
    """
    looks = data.look_at(source, say=print)
    bad = () if looks is None else looks.bad
    if not len(bad):
        return source, {}
    left_out = {source.keys[int(index)]: looks.reasons[int(index)] for index in bad}
    names = [f"  {source.describe(int(index))}: {looks.reasons[int(index)]}" for index in bad]
    if len(bad) == len(source):
        raise ValueError(f"Expected sound {what}. Received: bad files alone,{names[0]}")
    print(f"{len(bad)} of {len(source)} {what} are bad and left out:")
    more = [f"  and {len(bad) - NAMED} more"] if len(bad) > NAMED else []
    print(*names[:NAMED], *more, sep="\n", flush=True)
    return data.Subset(source, np.setdiff1d(np.arange(len(source)), bad)), left_out
