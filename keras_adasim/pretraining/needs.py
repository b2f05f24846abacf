"""The memory and disk that a run needs, known before its first step, and whether it is there."""

import dataclasses
import os
import pathlib
import shutil
import subprocess

import tensorflow as tf

from keras_adasim.checkpoints import TrainingState
from keras_adasim.files import check_space
from keras_adasim.pairing import AdaptiveWindow, Pairing

# Checkpoints that stand at once, at most: the last two, the best, and the one being written.
MOST_CHECKPOINTS = 4
# Seconds that hold the next epoch up, as benchmarks/scale.py has them on two cores: of every
# neighbor that is recorded, every image that statistics are of, and every byte that is handed over.
SECONDS_PER_RECORD = 5e-8
SECONDS_PER_SAMPLE = {"in memory": 4e-6, "in files": 1.9e-5}
SECONDS_PER_BYTE = 6e-10
SMALLER_WINDOW = "`window_in_memory=no` keeps the window in files, a smaller `window` fewer epochs."
SMALLER_BANK = (
    "`row_dtype=float16` halves the bank, `sharded` shares it out among several devices, and "
    "`limit` takes fewer images."
)
# Where a container says how much of the machine's memory it may have.
CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclasses.dataclass(frozen=True)
class Needs:
    """Bytes that a run needs, beside the programs themselves and the activations of a step.

    Attributes:
        weights: Of networks, optimizer and seeds, on every device.
        gradients: Of all gradients, on every device.
        bank: Of the bank or its share, on every device.
        banks: Of all shares together.
        records: Of what one epoch adds to the window.
        epochs: Epochs in a full window.
        images: Number of images that have records.
        neighbors: Neighbors that an epoch records.
        waits: Bytes of a checkpoint that training waits for.
        in_files: Whether the window is in files, or else in host memory.
        on_host: Number of devices that are the processor, whose memory is the host's.
    """

    weights: int
    gradients: int
    bank: int
    banks: int
    records: int
    epochs: int
    images: int
    neighbors: int
    waits: int
    in_files: bool
    on_host: int

    @classmethod
    def of(cls, model):
        """Those of a compiled `SelfDistillation`; nothing is copied for it."""
        bank = banks = 0
        if model.bank is not None:
            bank = model.bank.rows_kept.memory_bytes()
            banks = model.bank.rows_kept.num_shards * bank
        pairing, strategy = model.pairing, model.distribute_strategy
        replicas = strategy.extended.worker_devices if strategy.num_replicas_in_sync > 1 else [None]
        has_window = hasattr(pairing, "memory_bytes")
        state = TrainingState(model)
        size = (pairing.num_images, pairing.window, pairing.topk) if has_window else (0, 0, 0)
        return cls(
            weights=state.bytes() - banks,
            gradients=bytes_of(model.trainable_variables),
            bank=bank,
            banks=banks,
            records=pairing.memory_bytes(size[0], 1, size[2]) if has_window else 0,
            epochs=size[1],
            images=size[0],
            neighbors=size[0] * size[2],
            waits=state.bytes() - (banks if state.writes_later else 0),
            in_files=getattr(pairing, "directory", None) is not None,
            on_host=0 if tf.config.list_logical_devices("GPU") else len(replicas),
        )

    @property
    def window(self):
        """Bytes of a full window."""
        return self.epochs * self.records

    @property
    def device(self):
        """Bytes on every device."""
        return self.weights + self.gradients + self.bank

    @property
    def host(self):
        """Bytes of host memory: of devices that are the processor, and of a window that is there.

        For that an epoch's neighbors are read, as int64 and float32.
        """
        window = 12 * self.neighbors + (0 if self.in_files else self.window)
        return window + self.on_host * self.device

    @property
    def checkpoint(self):
        """Bytes of a checkpoint, but for the window."""
        return self.weights + self.banks

    def disk(self, epochs, checkpoints=MOST_CHECKPOINTS, is_best_old=True):
        """Bytes of checkpoints, and of the files of the window, which they share.

        Args:
            epochs: Epochs of the run.
            checkpoints: Number of checkpoints that stand.
            is_best_old: Whether one of them is so old that it shares no file with the others.
        """
        files = self.epochs + checkpoints - 1 + (self.epochs - 1 if is_best_old else 0)
        return checkpoints * self.checkpoint + min(files, epochs) * self.records

    @property
    def pause(self):
        """Seconds between two epochs: neighbors are read, statistics made, a checkpoint written."""
        sample = SECONDS_PER_SAMPLE["in files" if self.in_files else "in memory"]
        seconds = SECONDS_PER_RECORD * self.neighbors + SECONDS_PER_BYTE * self.waits
        return seconds + sample * min(self.images, Pairing.most_sampled)

    def kept(self, epochs):
        """Dict of what a run's plan keeps of it."""
        names = ("device", "bank", "host", "window", "checkpoint")
        return {**{name: getattr(self, name) for name in names}, "disk": self.disk(epochs)}

    def check(self, folder, epochs, fresh=False):
        """Raises an error, with what helps, unless the run fits.

        Of the disk only what is needed for certain counts: the last two checkpoints, and the one
        that is being written, less those that the run has already.

        Args:
            folder: The `RunFolder`.
            epochs: Epochs of the run.
            fresh: Whether what the folder holds is kept beside the run.

        Raises:
            ValueError: If the memory of a device or of the host is too small.
            OSError: If there isn't enough space on the disk.
        """
        if not self.on_host:
            what = "weights, gradients and bank on every device"
            check_fits(self.device, device_memory(), what, SMALLER_BANK)
        what = "all that a run keeps in this machine's memory"
        check_fits(self.host, host_memory(), what, f"{SMALLER_WINDOW} {SMALLER_BANK}")
        if not fresh and folder.finished_epochs >= epochs:
            return  # Nothing is written any more.
        needed = self.disk(epochs, min(MOST_CHECKPOINTS - 1, epochs), is_best_old=False)
        needed -= 0 if fresh else bytes_on_disk(folder.checkpoints)
        check_space(folder.path, needed, "checkpoints, and the window's files")


def check_bank(num_images, feature_dim, topk, row_dtype, shards):
    """Raises ValueError if a device's memory is too small for a bank that isn't built yet."""
    rows = num_images if shards == 1 else -(-num_images // shards) + 1
    needed = rows * (feature_dim * tf.as_dtype(row_dtype).size + 12 * topk)
    check_fits(needed, device_memory(), "a device's bank", SMALLER_BANK)


def check_window(num_images, window, topk):
    """Raises ValueError if the host's memory is too small for a window that isn't built yet."""
    needed = AdaptiveWindow.memory_bytes(num_images, window, topk)
    check_fits(needed, host_memory(), "the window in memory", SMALLER_WINDOW)


def check_fits(needed, there, what, mend):
    """Raises ValueError if what would be claimed is more than all there is.

    Args:
        needed: Bytes.
        there: Bytes, or None if nobody knows.
        what: What they are for, and where.
        mend: Which setting helps.
    """
    if there is not None and needed > there:
        raise ValueError(
            f"Expected {what} to fit into {megabytes(there)}. Received: {megabytes(needed)}. {mend}"
        )


def host_memory():
    """Bytes of the machine's memory, or of those that this container may have."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in map(pathlib.Path, CONTAINER_LIMITS):
        if path.is_file() and (text := path.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)


def device_memory():
    """Bytes of the smallest GPU, as its driver says, or of the host; None if nobody knows."""
    if not tf.config.list_physical_devices("GPU"):
        return host_memory()
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    lines = subprocess.run(command, capture_output=True, text=True).stdout.split()
    return min((int(line) * 2**20 for line in lines if line.isdigit()), default=None)


def bytes_on_disk(folder):
    """Bytes of all files in a folder, each counted once however many names it has."""
    files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum({(each.st_dev, each.st_ino): each.st_size for each in files}.values())


def bytes_of(variables):
    """Bytes of variables."""
    return sum(v.shape.num_elements() * v.value.dtype.size for v in variables)


def megabytes(number):
    """Bytes, for people."""
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
