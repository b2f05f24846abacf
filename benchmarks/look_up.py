"""Milliseconds of a bank's look-up, beside one product of all queries with all rows.

    python -m benchmarks.look_up

The bank's rows were written in place, as training writes them. Both find the same ids, but for
ties that roundings break. Medians of rounds that take turns; the ratio is to one product.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from absl import app, flags

from keras_adasim.layers import NeighborBank
from keras_adasim.layers.preprocessing import l2_normalize

ROWS = flags.DEFINE_list("rows", ["2000", "20000", "50000", "200000"], "Numbers of rows N.")
DIM = flags.DEFINE_integer("dim", 384, "Size of a feature.")
QUERIES = flags.DEFINE_integer("queries", 256, "Images of a batch.")
TOPK = flags.DEFINE_integer("topk", 10, "Neighbors k.")
ROUNDS = flags.DEFINE_integer("rounds", 7, "Rounds that are timed.")


def contestants(bank):
    """Dict of functions from queries to neighbors."""
    rows = bank.rows_kept

    @tf.function(autograph=False)
    def one_product(queries):
        products = tf.matmul(queries, tf.convert_to_tensor(rows.tables[0]), transpose_b=True)
        return tf.math.top_k(products, TOPK.value)[::-1]

    inline = tf.function(rows.look_up, autograph=False)
    return {"one product": one_product, "inline": inline, "XLA": bank._compiled[0]}


def measure(num_rows, rng):
    """Dict of the contestants to their milliseconds."""
    bank = NeighborBank(num_rows, DIM.value, TOPK.value)
    features = rng.standard_normal((num_rows, DIM.value), np.float32)
    bank.rows_kept.assign(0, 0, l2_normalize(features))
    queries = l2_normalize(rng.standard_normal((QUERIES.value, DIM.value), np.float32))
    taken, found = {}, {}
    functions = contestants(bank)
    for number in range(ROUNDS.value + 1):  # The first one traces.
        for name, function in functions.items():
            start = time.perf_counter()
            found[name] = function(queries)[0].numpy()
            if number:
                taken.setdefault(name, []).append(1e3 * (time.perf_counter() - start))
    for ids in found.values():
        if np.mean(ids == found["one product"]) < 0.999:
            raise ValueError("Expected all to find the same rows.")
    return {name: np.median(times) for name, times in taken.items()}


def main(_):
    """Prints a table."""
    print(f"{QUERIES.value} queries of {DIM.value}, the nearest {TOPK.value}; milliseconds\n")
    print("| rows | one product | inline | ratio | XLA | ratio |\n|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for num_rows in map(int, ROWS.value):
        took = measure(num_rows, rng)
        cells = [f"{num_rows:,}", f"{took['one product']:.1f}"]
        for name in ("inline", "XLA"):
            cells += [f"{took[name]:.1f}", f"{took['one product'] / took[name]:.2f}"]
        print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    app.run(main)
