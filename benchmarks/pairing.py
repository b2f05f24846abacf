"""Times the window's vote against a dictionary for every image.

The peer is what the official AdaSim loader does for every image it loads: fill a dictionary with
the similarities of all neighbors in the window, sort it, take the softmax of the strongest. There
the window is a tensor, so that every entry is taken out by itself; with PyTorch (`pip install
'keras-adasim[torch]'`) that is timed too. Two rows show how far plain Python gets without tensors.

    python benchmarks/pairing.py

It takes some seconds.
"""

import argparse
import importlib.util
import time

import numpy as np

from keras_adasim.pairing import AdaptiveWindow


def make_epochs(num_images, window, topk, distinct, seed=0):
    """Yields W epochs of records: the image itself and k - 1 of its `distinct` neighbors."""
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, num_images, (num_images, distinct))
    for _ in range(window):
        start = rng.integers(0, distinct, (num_images, 1))
        ids = np.take_along_axis(pool, (start + np.arange(topk)) % distinct, axis=1)
        ids[:, 0] = np.arange(num_images)
        similarities = np.sort(rng.random((num_images, topk), np.float32), axis=1)[:, ::-1]
        yield ids, similarities


def add_up_arrays(ids, similarities):
    """Adds up one image's (W, k) records in a dictionary, straight from the arrays."""
    sums = {}
    for epoch in range(ids.shape[0]):
        for place in range(ids.shape[1]):
            neighbor = int(ids[epoch, place])
            sums[neighbor] = sums.get(neighbor, 0.0) + float(similarities[epoch, place])
    return sums


def add_up_lists(ids, similarities):
    """The same, as fast as pure Python gets: over lists instead of NumPy scalars."""
    sums = {}
    for neighbor, similarity in zip(
        ids.ravel().tolist(), similarities.ravel().tolist(), strict=True
    ):
        sums[neighbor] = sums.get(neighbor, 0.0) + similarity
    return sums


def add_up_tensors(ids, similarities):
    """The same, from tensors."""
    sums = {}
    for epoch in range(len(ids)):
        for neighbor, similarity in zip(ids[epoch], similarities[epoch], strict=True):
            neighbor = neighbor.item()
            sums[neighbor] = sums.get(neighbor, 0.0) + similarity.item()
    return sums


def draw_from(sums, index, window, topk, temperature, rng):
    """Gates and draws for one image, from its dictionary."""
    strongest = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:topk]
    if strongest[0][0] != index:
        return index
    logits = np.array([total for _, total in strongest]) / window / temperature
    weights = np.exp(logits - logits.max())
    return strongest[rng.choice(len(weights), p=weights / weights.sum())][0]


def seconds_per_image(function, batches):
    """Returns the best of three runs over `batches`, divided by their images."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        for batch in batches:
            function(batch)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / sum(len(batch) for batch in batches)


def main():
    """Prints microseconds per image of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num_images", type=int, default=50_000)
    parser.add_argument("--window", type=int, default=50)
    parser.add_argument("--topk", type=int, default=10)
    parser.add_argument("--distinct", type=int, default=100, help="neighbors that an image has")
    parser.add_argument("--batch_size", type=int, default=512)
    args = parser.parse_args()

    pairing = AdaptiveWindow(args.num_images, args.window, args.topk)
    for ids, similarities in make_epochs(args.num_images, args.window, args.topk, args.distinct):
        pairing.push(ids, similarities)
    order = np.random.default_rng(1).permutation(args.num_images)
    few = order[:500]
    # What the window holds, as plain arrays, so that the loops need not unpack it.
    ids, similarities = pairing.records(few)
    rng = np.random.default_rng(2)

    def loop_with(add_up, ids, similarities):
        def loop(places):
            for i in places:
                sums = add_up(ids[i], similarities[i])
                draw_from(sums, few[i], args.window, args.topk, pairing.temperature, rng)

        return seconds_per_image(loop, [np.arange(len(few))])

    starts = range(0, min(len(order), 20 * args.batch_size), args.batch_size)
    batches = [order[start : start + args.batch_size] for start in starts]
    vectorized = seconds_per_image(pairing.partners, batches)
    megabytes = pairing.memory_bytes(args.num_images, args.window, args.topk) / 1e6
    print(f"{args.num_images} images, window {args.window} x {args.topk}: {megabytes:.0f} MB")
    print(f"AdaptiveWindow               {vectorized * 1e6:8.1f} us an image")
    loops = {
        "arrays": (add_up_arrays, ids, similarities),
        "lists": (add_up_lists, ids, similarities),
    }
    if importlib.util.find_spec("torch"):
        import torch

        tensors = torch.from_numpy(ids), torch.from_numpy(similarities)
        loops = {"tensors": (add_up_tensors, *tensors), **loops}
    for name, loop in loops.items():
        seconds = loop_with(*loop)
        ratio = seconds / vectorized
        print(
            f"dictionary per image, {name:<7} {seconds * 1e6:8.1f} us an image, {ratio:.0f} times"
        )


if __name__ == "__main__":
    main()
