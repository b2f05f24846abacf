"""Rows that follow their images when images come, go or change their places."""

import numpy as np


def follow(rows, previous):
    """Brings the rows of images to their new places.

    Args:
        rows: Array (M, ...), one row for each of the images there were.
        previous: (N,) int64 array. Of each image now the index that it had, or -1.

    Returns:
        Array (N, ...) of that dtype; 0 in the rows of images that there were not.
    """
    followed = np.zeros((len(previous), *rows.shape[1:]), rows.dtype)
    kept = np.flatnonzero(previous >= 0)
    followed[kept] = rows[previous[kept]]
    return followed


def new_ids(previous, num_before):
    """Turns `previous` around: (M,) int64 array of every earlier image's index now, or -1."""
    ids = np.full(num_before, -1)
    kept = np.flatnonzero(previous >= 0)
    ids[previous[kept]] = kept
    return ids


def follow_records(ids, similarities, previous):
    """Brings neighbors that were found to their new places, under their new ids.

    Neighbors that are gone, or have become other images, are left out: the image's own id with a
    similarity of 0 stands in their place, behind the others, and adds nothing to any vote.

    Args:
        ids: (M, k) int64 array, the neighbors of each of the images there were.
        similarities: (M, k) float array, falling.
        previous: (N,) int64 array. Of each image now the index that it had, or -1.

    Returns:
        Tuple like `(ids, similarities)`, of N rows; 0 in the rows of images that there were not.
    """
    renamed = follow(new_ids(previous, len(ids))[ids], previous)
    similarities = follow(similarities, previous)
    gone = renamed < 0
    own = np.broadcast_to(np.arange(len(previous))[:, None], gone.shape)
    renamed, similarities = np.where(gone, own, renamed), np.where(gone, 0, similarities)
    order = np.argsort(np.where(gone, np.inf, -similarities), axis=1, kind="stable")
    return tuple(np.take_along_axis(table, order, axis=1) for table in (renamed, similarities))
