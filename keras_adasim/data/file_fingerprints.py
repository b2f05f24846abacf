"""Tells cheaply whether a file is the one that it was."""

import concurrent.futures
import itertools
import os

import numpy as np

# A fingerprint's parts, hashes of 22, 21 and 21 bits: which of them still agree tells a file that
# was moved (all) from one that was copied with its time (without the number) or without it (size).
SIZE = np.uint64(0xFFFFFC0000000000)
SIZE_AND_TIME = np.uint64(0xFFFFFFFFFFE00000)
_FACTOR = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio, as in Fibonacci hashing.
_FILES_AT_ONCE = 1024
_THREADS = 16


def file_fingerprints(paths):
    """Asks the file system for size, time of the last change and number (inode) of files.

    Args:
        paths: Iterable of strings.

    Returns:
        (n,) uint64 array: in its upper 22 bits the size, then 21 bits each of the time and the
        number, as hashes. 0 of a file that isn't there any more.
    """
    chunks = iter(paths)
    found = [np.zeros(0, np.uint64)]
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
        # No more names than the threads are busy with are in memory.
        while True:
            some = [list(itertools.islice(chunks, _FILES_AT_ONCE)) for _ in range(_THREADS)]
            found += threads.map(_of_some, some)
            if not some[-1]:
                return np.concatenate(found)


def combined(sizes, times, numbers):
    """A fingerprint of what isn't a file by itself, of three numbers with the same three parts.

    Args:
        sizes: (n,) integers, or one of them.
        times: Likewise.
        numbers: Likewise.

    Returns:
        (n,) uint64 array.
    """
    factor = np.uint64(_FACTOR)
    size, time, number = (
        np.atleast_1d(np.asarray(value, np.uint64)) * factor for value in (sizes, times, numbers)
    )
    found = size >> np.uint64(42) << np.uint64(42)
    return found | time >> np.uint64(43) << np.uint64(21) | number >> np.uint64(43)


def _of_some(paths):
    return np.fromiter(map(_of_one, paths), np.uint64, len(paths))


def _of_one(path):
    try:
        status = os.stat(path)
    except OSError:
        return 0
    size, time, number = (
        _hash(value) for value in (status.st_size, status.st_mtime_ns, status.st_ino)
    )
    return size >> 42 << 42 | time >> 43 << 21 | number >> 43


def _hash(value):
    return value * _FACTOR & 0xFFFFFFFFFFFFFFFF
