"""The processes that `keras-adasim launch` starts, watches and ends."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import tensorflow as tf

# Statuses of those that did as they were told: by a signal, or by --max_hours.
STOPPED = {75, *(128 + number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))}
# Seconds that the others get to notice that one has died, which takes them about ten.
GRACE = 20.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# TensorFlow logs a dead worker over several lines, before it raises an error.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"} if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "2" else {}
LINES = 20  # Of a worker's output, where it is shown.
# A worker ends with whoever started it, even if that one is killed (1 is PR_SET_PDEATHSIG).
START = """
import os, signal, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
sys.argv = ["keras-adasim", *sys.argv[2:]]
try:
    from keras_adasim.commands import main
    main()
except KeyboardInterrupt:
    sys.exit(130)
"""


class WorkerProcesses:
    """As many processes of one command, each of which is told who the others are.

    The first one prints as it likes; what the others print is kept, to be shown if need be.

    Args:
        count: Number of processes.
        words: Arguments of `keras-adasim`, the same for all.
        port: Port of the first one, the others' follow; None for free ones.
        script: Program text that is run with the process's own number and the words.
    """

    def __init__(self, count, words, port=None, script=START):
        self.count = count
        self.command = [sys.executable, "-c", script, str(os.getpid()), *words]
        self.environments = shares_of_gpus(count)
        self.stopped_by = None
        self._port = port
        self._processes, self._outputs = [], []

    @contextlib.contextmanager
    def passing_signals(self):
        """Passes on what this process is told; at the end none of the processes is left."""
        handled = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
        earlier = {number: signal.signal(number, self._pass_on) for number in handled}
        try:
            yield
        finally:
            self.kill()
            self._close()
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def _pass_on(self, number, frame):
        self.stopped_by = number
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(number)

    def run(self):
        """Starts all and waits until they have ended.

        Once one has failed, the others are given some time to notice, and then killed; not if it
        was told to stop, as the first one may still be saving.

        Returns:
            List of their exit statuses, as the shell counts them; None for those that were killed.
        """
        with reserved_ports(self.count, self._port) as ports:
            self._start([f"127.0.0.1:{port}" for port in ports])
            deadline = None
            while None in (statuses := [process.poll() for process in self._processes]):
                died = any(died_of(status) for status in statuses)
                if died and deadline is None:
                    deadline = time.monotonic() + GRACE
                if deadline is not None and time.monotonic() > deadline and not self.stopped_by:
                    break
                time.sleep(0.1)
            self.kill()
        return [status if status is None or status >= 0 else 128 - status for status in statuses]

    def _start(self, addresses):
        self._close()
        self._outputs = [None, *(tempfile.TemporaryFile() for _ in addresses[1:])]  # noqa: SIM115
        self._processes = []
        for index, (environment, output) in enumerate(
            zip(self.environments, self._outputs, strict=True)
        ):
            task = {"type": "worker", "index": index}
            config = {"cluster": {"worker": addresses}, "task": task}
            own = {"TF_CONFIG": json.dumps(config), **QUIET, "TF_GRPC_REUSE_PORT": "1"}
            own |= environment
            self._processes.append(
                subprocess.Popen(
                    self.command,
                    env={**os.environ, **own},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output and subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is passed on, not heard twice.
                )
            )

    def kill(self):
        """Ends those that are left, frozen ones too."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _close(self):
        for output in filter(None, self._outputs):
            output.close()
        self._outputs = []

    def last_lines(self, index):
        """The last lines that one of the others has printed."""
        output = self._outputs[index]
        if output is None:
            return []
        output.seek(0)
        return output.read().decode(errors="replace").splitlines()[-LINES:]


def died_of(status):
    """Whether an exit status is a death: neither done, nor still running, nor told to stop."""
    return status not in (None, 0, *STOPPED)


@contextlib.contextmanager
def reserved_ports(count, first=None):
    """Ports that no other program gets meanwhile, but those of this user that share them.

    Args:
        count: How many.
        first: The first of them; None for free ones.

    Raises:
        ValueError: If one is taken.
    """
    with contextlib.ExitStack() as stack:
        ports = []
        for offset in range(count):
            reserved = stack.enter_context(socket.socket())
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            try:
                reserved.bind(("", first + offset if first else 0))
            except (OSError, OverflowError) as error:
                raise ValueError(
                    f"Expected `port` to be the first of {count} free ports. Received: "
                    f"port={first}, and {first + offset} can't be had ({error})"
                ) from error
            ports.append(reserved.getsockname()[1])
        yield ports


def shares_of_gpus(count):
    """What each of some processes finds in its environment: its share of the GPUs.

    Raises:
        ValueError: If they can't be shared evenly.
    """
    gpus = len(tf.config.list_physical_devices("GPU"))
    if not gpus:
        return [{} for _ in range(count)]
    if gpus % count:
        raise ValueError(
            f"Expected `workers` to share {gpus} GPUs evenly. Received: workers={count}. Choose "
            "which are used by CUDA_VISIBLE_DEVICES."
        )
    names = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
    share = gpus // count
    return [
        {"CUDA_VISIBLE_DEVICES": ",".join(names[i * share : (i + 1) * share])} for i in range(count)
    ]
