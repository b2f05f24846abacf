"""Where the names of a source's images come from."""

import collections
import hashlib

from keras_adasim.keys import Keys, as_keys


def content_keys(contents):
    """Names images by what they are: the digest of their bytes, equal ones numbered.

    Args:
        contents: Iterable of bytes or arrays.

    Returns:
        `Keys` of 32 hexadecimal digits, the second of equal images with `"#2"` behind them.
    """
    return Keys(numbered(hashlib.blake2b(c, digest_size=16).hexdigest() for c in contents))


def numbered(names):
    """Yields names, and "#2" behind the second of equal ones, "#3" behind the third."""
    seen = collections.Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}#{seen[name]}"


def place_keys(count):
    """Names images by their places, which is true while they keep their order."""
    return Keys(f"image {index}" for index in range(count))


def checked_keys(source):
    """Returns the keys of a source; the images' places if it has none.

    Raises:
        ValueError: If there isn't one for every image.
    """
    keys = getattr(source, "keys", None)
    return place_keys(len(source)) if keys is None else as_keys(keys, len(source))
