"""Archives that are read at random, by many threads."""

import collections
import io
import os
import threading
import zlib

from keras_adasim.data.tar_headers import BLOCK

# Archives that are open at once, and their share of what the process may have.
MOST_OPEN, SHARE = 4096, 0.5


class OpenArchives:
    """Reads members of archives, each opened once; those read longest ago are closed.

    Args:
        paths: List of the archives' paths.
    """

    def __init__(self, paths):
        self._paths = paths
        self._opened, self._lock = collections.OrderedDict(), threading.Lock()
        self._most = min(MOST_OPEN, int(SHARE * _most_files()))

    def read(self, archive, offset, size, check):
        """Reads a member, and makes sure that it is the one that was found there.

        Args:
            archive: Integer, which archive.
            offset: Integer. Where the member's bytes begin.
            size: Integer. Number of its bytes.
            check: Integer. CRC-32 of the member's header.

        Returns:
            Its bytes.

        Raises:
            OSError: If the archive can't be read.
            ValueError: If it has become another one.
        """
        content = self._open(archive).read(offset - BLOCK, BLOCK + size)
        if len(content) < BLOCK + size or zlib.crc32(content[:BLOCK]) != check:
            raise _changed(offset)
        return content[BLOCK:]

    def file(self, archive, offset, size, check):
        """A member as an open file, of which no more is read than is asked for.

        An archive that was replaced by another is opened anew.

        Args:
            archive: Integer, which archive.
            offset: Integer. Where the member's bytes begin.
            size: Integer. Number of its bytes.
            check: Integer. CRC-32 of the member's header.

        Raises:
            OSError: If the archive can't be read.
            ValueError: If it has become another one.
        """
        opened = self._open(archive, os.stat(self._paths[archive]))
        header = opened.read(offset - BLOCK, BLOCK)
        if zlib.crc32(header) != check or opened.size() < offset + size:
            raise _changed(offset)
        return io.BufferedReader(_Part(opened, offset, size), 4096)

    def _open(self, archive, status=None):
        with self._lock:
            opened = self._opened.get(archive)
        if opened is None or (status and opened.number != (status.st_dev, status.st_ino)):
            opened = _Opened(self._paths[archive])
        with self._lock:
            self._opened[archive] = opened
            self._opened.move_to_end(archive)
            while len(self._opened) > self._most:
                self._opened.popitem(last=False)
        return opened


class _Opened:
    """An open file, which is closed when nobody uses it any more."""

    def __init__(self, path):
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        status = os.fstat(self._file)
        self.number = status.st_dev, status.st_ino

    def __del__(self):
        if hasattr(self, "_file"):
            os.close(self._file)

    def read(self, offset, size):
        """Reads bytes, fewer at the end, wherever other threads read."""
        parts = []
        while size and (part := os.pread(self._file, size, offset)):
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def size(self):
        return os.fstat(self._file).st_size


class _Part(io.RawIOBase):
    """Some bytes of an open file, as a file."""

    def __init__(self, opened, offset, size):
        self._opened, self._offset, self._size, self._place = opened, offset, size, 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, place, whence=os.SEEK_SET):
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, start + place)
        return self._place

    def readinto(self, buffer):
        count = max(0, min(len(buffer), self._size - self._place))
        content = self._opened.read(self._offset + self._place, count)
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)


def _changed(offset):
    return ValueError(f"the archive has changed: at byte {offset} is no longer what was there")


def _most_files():
    try:
        import resource
    except ImportError:  # No POSIX.
        return 512
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 10**6 if soft == resource.RLIM_INFINITY else soft
