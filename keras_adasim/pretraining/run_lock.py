"""One run folder, one run: who holds it, and until when."""

import contextlib
import json
import os
import socket
import tempfile
import threading
import time

try:
    import fcntl
except ImportError:  # Not on Windows: there the heartbeat alone tells.
    fcntl = None

BEAT = 10.0  # Seconds.
# A holder that was silent for so long is dead, or as good as dead.
SILENCE = 120.0


class RunLock:
    """A file that one process holds while its run goes on.

    On one machine the system knows whether the holder lives; elsewhere the file's time does, which
    the holder renews every 10 seconds. One that was silent for two minutes loses it.

    Args:
        path: The file; its folder must exist when it is acquired.
    """

    def __init__(self, path):
        self.path = path
        self._file = None

    def check(self):
        """Raises ValueError if another process holds it."""
        with contextlib.suppress(FileNotFoundError), self.path.open("r+") as file:
            self._check(file)

    @contextlib.contextmanager
    def held(self):
        """Holds it; gives a function that raises RuntimeError if it was lost meanwhile.

        Raises:
            ValueError: If another process holds it; says which.
        """
        self._acquire()
        ended = threading.Event()
        beat = threading.Thread(target=self._beat, args=(ended,), daemon=True)
        beat.start()
        try:
            yield self.check_held
        finally:
            ended.set()
            beat.join()
            if self._is_ours():
                self.path.unlink()
            self._file.close()

    def check_held(self):
        """Raises RuntimeError if another process took it over, while this one was frozen."""
        if not self._is_ours():
            raise RuntimeError(
                f"Expected this process to hold the run in {self.path.parent}. Received: "
                f"{self.path.name} isn't its own any more: the folder was removed or moved, or it "
                f"was silent for over {SILENCE:.0f} seconds, and another one has taken it over"
            )

    def _acquire(self):
        file = self.path.open("a+")
        try:
            taken = self._check(file)
        except ValueError:
            file.close()
            raise
        if taken:  # By one that is silent: it keeps its file, which is ours no more.
            file.close()
            self.path.unlink(missing_ok=True)
            file = self.path.open("a+")
            _lock(file)
        file.truncate(0)
        json.dump({"host": socket.gethostname(), "pid": os.getpid(), "since": _now()}, file)
        file.flush()
        self._file = file

    def _check(self, file):
        """Whether a silent process still has it locked; raises ValueError if a live one has."""
        is_free = _lock(file)
        file.seek(0)
        holder = _read(file)
        here = holder.get("host") == socket.gethostname()
        if (is_free and here) or (is_free is not False and not holder):
            return False  # The system would have kept it locked; or it is new.
        if self._silent_for() > SILENCE:
            return not is_free
        raise ValueError(
            f"Expected the run in {self.path.parent} to be held by nobody else. Received: host "
            f"{holder.get('host', '?')}, pid {holder.get('pid', '?')}, since "
            f"{holder.get('since', '?')}. Wait for it or stop it, or choose another `out`."
        )

    def _silent_for(self):
        """Seconds since the last beat, by the clock of the file system."""
        with tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=".clock-") as clock:
            return os.stat(clock.name).st_mtime - self.path.stat().st_mtime

    def _beat(self, ended):
        while not ended.wait(BEAT):
            with contextlib.suppress(OSError):
                if self._is_ours():
                    os.utime(self.path)

    def _is_ours(self):
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False


def _lock(file):
    """Whether nobody else has a file locked; then this process has, until it is closed.

    None where the system can't tell.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _read(file):
    try:
        return dict(json.load(file))
    except (ValueError, TypeError):
        return {}


def _now():
    return time.strftime("%Y-%m-%d %H:%M:%S")
