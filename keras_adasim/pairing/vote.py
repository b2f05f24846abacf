"""The vote of the window, for a batch of images at once."""

import numpy as np

from keras_adasim.pairing.record_window import GONE

# Images whose records are sorted together: a chunk's arrays stay in the processor's cache, and a
# request for all images does not need memory for all records.
CHUNK = 256


def vote_of(window, indices, filled):
    """Lets the window of images vote, a few at a time.

    Args:
        window: `RecordWindow`.
        indices: (n,) int array of image ids.
        filled: Number of its slots that hold records.

    Returns:
        Tuple of (n, k) arrays; see `vote`.
    """
    shape = (len(indices), window.topk)
    ids, sums, found = np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape, bool)
    for start in range(0, len(indices) if filled else 0, CHUNK):
        rows = slice(start, start + CHUNK)
        if filled == window.window:
            words = window.read_full(indices[rows])
        else:
            words = window.read(indices[rows], slice(filled))
            words = words.reshape(len(words), -1)
        ids[rows], sums[rows], found[rows] = vote(words, window.fraction_bits, window.topk)
    return ids, sums, found


def vote(words, fraction_bits, topk):
    """Adds up the similarities of every neighbor and keeps the strongest.

    Everything is integer arithmetic, so sums are exact and ties are ties: they go to the smaller
    id.

    Args:
        words: (n, m) int64 array of packed records, m of them for every image, as
            `RecordWindow.read` returns them. Overwritten. Those without a neighbor add nothing.
        fraction_bits: Number of bits of the similarity in a record.
        topk: Number of candidates k to keep.

    Returns:
        Tuple of (n, k) arrays: int64 ids by falling sum, int64 fixed-point sums, and whether
        there is a candidate at that place. Elsewhere id and sum are 0.
    """
    num_images, num_records = words.shape
    words.sort(axis=1)  # by neighbor, since the id is in the upper bits
    lacking = np.flatnonzero(words[:, 0] <= GONE)
    nobody = 1 << (62 - fraction_bits)  # an id above all others
    if len(lacking):
        words[lacking] = _last(nobody << fraction_bits, words[lacking])
    ids = words.ravel() >> fraction_bits
    is_last = np.empty(ids.shape, bool)
    np.not_equal(ids[1:], ids[:-1], out=is_last[:-1])
    is_last[num_records - 1 :: num_records] = True
    ends = np.flatnonzero(is_last)
    candidates = ids[ends]
    # In place: fresh memory for every chunk would cost as much as the sort.
    running = np.cumsum(words.ravel(), out=words.ravel())[ends]
    # The ids were added up too. This may wrap around, which the difference undoes.
    surplus = (candidates << fraction_bits) + (1 << (fraction_bits - 1))
    sums = np.diff(running, prepend=0) - np.diff(ends, prepend=-1) * surplus
    if len(lacking):
        somebody = np.flatnonzero(candidates != nobody)
        ends, candidates, sums = ends[somebody], candidates[somebody], sums[somebody]
    first = np.searchsorted(ends, np.arange(num_images) * num_records)
    counts = np.diff(first, append=len(ends))
    places, found = _strongest(sums, counts, first, topk)
    chosen = np.where(found, first[:, None] + places, len(candidates))
    return np.append(candidates, 0)[chosen], np.append(sums, 0)[chosen], found


def _last(nobody, words):
    """Sorts words with `nobody` in the place of those without a neighbor."""
    return np.sort(np.where(words <= GONE, nobody, words), axis=1)


def _strongest(sums, counts, first, topk):
    """Finds the places of the k largest sums of every image.

    Args:
        sums: Sums of all candidates, image after image, by rising id within an image.
        counts: (n,) number of candidates of every image.
        first: (n,) where an image's candidates start in `sums`.
        topk: Number of places k.

    Returns:
        Tuple of (n, k) arrays: places within an image's candidates, and whether there are that
        many candidates.
    """
    width = max(int(counts.max()), topk)
    place_bits = width.bit_length()
    mask = (1 << place_bits) - 1
    image = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(sums)) - first[image]
    # One key for both criteria: a larger sum first, then a smaller place, which is a smaller id.
    keys = np.full((len(counts), width), np.iinfo(np.int64).min)
    keys[image, place] = (sums << place_bits) | (mask - place)
    if width > topk:
        keys = np.partition(keys, width - topk, axis=1)[:, width - topk :]
    keys = np.sort(keys, axis=1)[:, ::-1]
    return mask - (keys & mask), np.arange(topk) < counts[:, None]
