"""What a step's exchange of the bank costs beside that of the gradients, counted and measured.

    python -m benchmarks.bank_traffic

Counted: bytes that a replica sends in one step, from the shapes: of a sum over R replicas
2 (R - 1) / R times its size (a ring), of rows that all are to have R - 1 times its own. Measured:
two workers on this machine train a small network without a bank, with a whole and with a sharded
one; the kernel says how many bytes left each worker's TCP connections per step.
"""

import contextlib
import json
import os
import pathlib
import socket
import struct
import sys
import tempfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from keras_adasim import SelfDistillation, augment, backbones, data, layers, objectives, optimizers
from keras_adasim import pairing as pairings
from keras_adasim.commands.worker_processes import WorkerProcesses

SCRIPT = "import sys; from benchmarks.bank_traffic import worker; worker(sys.argv[2])"
BANKS = ("none", "whole", "sharded")
IMAGES, SIDE, DIM, TOPK, BATCH, STEPS = 4096, 8, 128, 10, 256, 12
# In struct tcp_info, what the other side has got.
BYTES_ACKED = 120


def counted(parameters, statistics, batch, dim, topk, replicas):
    """Bytes that a replica sends in one step.

    Args:
        parameters: Number of trained float32 parameters.
        statistics: Number of float32 means that are exchanged besides, such as DINO's center.
        batch: Images per step, over all replicas.
        dim: Size of a feature.
        topk: Neighbors per image.
        replicas: Number of replicas R.

    Returns:
        Dict of bytes: `gradients` (with the statistics), and what a `whole` and a `sharded` bank
        take besides.
    """
    found = 8 * topk + 4 * topk  # Ids and similarities.
    row = 8 + 4 * dim  # An image's index and feature.
    own = batch // replicas
    return {
        "gradients": round(2 * (replicas - 1) / replicas * 4 * (parameters + statistics)),
        "whole": (replicas - 1) * own * (row + found),
        # A replica tells what it found for the images of all.
        "sharded": (replicas - 1) * (own * row + batch * found),
    }


def worker(folder):
    """Measures, in one of several processes; writes what came out."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    sent = {kind: measured(strategy, kind) for kind in BANKS}
    place = strategy.cluster_resolver.task_id
    (pathlib.Path(folder) / f"{place}.json").write_text(json.dumps(sent))


def measured(strategy, kind):
    """Bytes sent per step, and the number of trained parameters."""
    with strategy.scope():
        backbone = backbones.VisionTransformer(SIDE, 4, embed_dim=DIM, depth=1, num_heads=2)
        shards = {"sharded": kind == "sharded"}
        bank = None if kind == "none" else layers.NeighborBank(IMAGES, DIM, TOPK, **shards)
        neighbors = {} if bank is None else {"num_images": IMAGES, "topk": TOPK}
        model = SelfDistillation(
            backbone,
            objectives.DINO(out_dim=256, hidden_dim=64, bottleneck_dim=32),
            pairings.get("self" if bank is None else "nearest", **neighbors),
            bank,
            augment=augment.DINOAugment(
                augment.MultiCrop(SIDE, num_local=0), first=[], second=[], local=[]
            ),
        )
        model.compile(optimizers.SGD(0.01), jit_compile=False)
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, SIDE, SIDE, 3), np.uint8)
    pairs = data.PairDataset(data.ArraySource(images), model.pairing, BATCH)
    totals = []

    def count():
        model.optimizer.iterations.numpy()  # Waits for the step.
        totals.append(bytes_sent())

    model.step_hooks.append(count)
    model.fit(pairs, epochs=1, verbose=0)
    # Of the first step the graph is traced, and connections are made.
    parameters = sum(v.shape.num_elements() for v in model.trainable_variables)
    return {"bytes": (totals[-1] - totals[2]) / (len(totals) - 3), "parameters": parameters}


def bytes_sent():
    """Bytes that have left this process by TCP."""
    total = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            total += struct.unpack_from("Q", info, BYTES_ACKED)[0] if len(info) > 128 else 0
    return total


def main():
    """Prints both tables."""
    print("| network | replicas | gradients | whole bank | sharded bank |")
    print("|---|---|---|---|---|")
    # With DINO's head of 65,536 prototypes: its center is exchanged, too.
    for name, parameters, dim in (("ViT-S/16", 43_952_256, 384), ("ViT-B/16", 108_871_680, 768)):
        for replicas in (2, 4, 8, 16):
            sent = counted(parameters, 65536, 1024, dim, TOPK, replicas)
            shown = " | ".join(f"{size / 1e6:.2f} MB" for size in sent.values())
            print(f"| {name} | {replicas} | {shown} |")
    with tempfile.TemporaryDirectory() as folder:
        processes = WorkerProcesses(2, [folder], script=SCRIPT)
        with processes.passing_signals():
            if processes.run() != [0, 0]:
                sys.exit(processes.last_lines(1))
        told = [json.loads((pathlib.Path(folder) / f"{i}.json").read_text()) for i in range(2)]
    parameters = told[0]["none"]["parameters"]
    expected = counted(parameters, 256, BATCH, DIM, TOPK, 2)
    mean = {kind: np.mean([each[kind]["bytes"] for each in told]) for kind in BANKS}
    print("\n| two workers | counted | measured |\n|---|---|---|")
    print(f"| gradients | {expected['gradients']:,} | {mean['none']:,.0f} |")
    for kind in BANKS[1:]:
        print(f"| {kind} bank | {expected[kind]:,} | {mean[kind] - mean['none']:,.0f} |")


if __name__ == "__main__":
    main()
