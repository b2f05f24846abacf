"""Semantic segmentation by nearest neighbors among patches, without training."""

import numpy as np
import tensorflow as tf

from keras_adasim.evaluation.neighbor_search import find_neighbors
from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import (
    check_has,
    check_integer,
    check_number,
    check_numbers,
    check_one_size,
)

IGNORE = 255


def patch_retrieval(
    train_features,
    train_masks,
    test_features,
    test_masks,
    num_classes,
    topk=30,
    temperature=0.02,
    memory_size=None,
    seed=0,
    tell=None,
):
    """Segments images by the labels of the most similar patches of a memory.

    The memory holds the patches of the training images, each with the shares of the classes among
    its pixels. A test patch takes the mean of the labels of its `topk` nearest ones, weighted by
    exp(cosine / temperature); the labels are enlarged to the masks' size (bilinear), and the
    largest one wins. Pixels of 255 have no class: they count nowhere, and a patch of nothing else
    isn't remembered.

    Args:
        train_features: Floats (N, h, w, D), those of the training images' patches; normalized
            inside, like the others.
        train_masks: Integers (N, H, W), the classes of the pixels, from 0 on, or 255. The grid of
            patches divides the image into equal parts.
        test_features: Floats (M, h, w, D).
        test_masks: Integers (M, H, W); their size and grid may be others than the training
            images'.
        num_classes: Number of classes C, at most 255.
        topk: Number of neighbors that count, at most as many as patches are remembered.
        temperature: The smaller, the more the nearest one counts.
        memory_size: Integer. Remember so many patches, drawn once; None for all.
        seed: Integer. Seed of the draw.
        tell: Function that is called after each test image, with 1; None for none.

    Returns:
        Tuple `(mean, per_class)`: the mean intersection over union, and that of each class (C,).
        A class that is neither found nor there has NaN, and is left out of the mean.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Reference:
        - Balazevic et al., "Towards In-context Scene Understanding", NeurIPS 2023.

    Example:
        ```python
        rng = np.random.default_rng(0)
        masks = np.arange(128).reshape(2, 8, 8) % 3
        features = rng.normal(size=(2, 4, 4, 6))
        ka.evaluation.dense.patch_retrieval(features, masks, features, masks, 3, topk=4)
        ```
    """
    check_integer("num_classes", num_classes)
    if num_classes > IGNORE:
        raise ValueError(
            f"Expected `num_classes` to be at most {IGNORE}. Received: num_classes={num_classes}"
        )
    check_number("temperature", temperature, above=0)
    if tell is not None:
        check_has("tell", tell, "a function, or None", "__call__")
    train = _checked("train", train_features, train_masks, num_classes)
    test_features, test_masks = _checked("test", test_features, test_masks, num_classes)
    check_one_size(train[0], test_features)
    memory, labels = _remember(*train, num_classes, memory_size, seed)
    if check_integer("topk", topk) > len(memory):
        raise ValueError(
            f"Expected `topk` to be at most {len(memory)}, the number of patches that are "
            f"remembered. Received: topk={topk}"
        )
    counts = np.zeros((num_classes, num_classes), np.int64)
    for features, mask in zip(test_features, test_masks, strict=True):
        soft = _soft_labels(features, memory, labels, topk, temperature)
        found = tf.argmax(tf.image.resize(soft, mask.shape), axis=-1).numpy()
        counts += confusion_counts(found, mask, num_classes)
        if tell is not None:
            tell(1)
    per_class = intersection_over_union(counts)
    known = per_class[~np.isnan(per_class)]
    return float(known.mean()) if len(known) else float("nan"), per_class


def patch_labels(masks, grid, num_classes):
    """Shares of the classes among the pixels of each patch.

    Args:
        masks: Integers (N, H, W), classes from 0 on, or 255 for pixels without one.
        grid: Tuple (h, w), the patches of an image; H and W are multiples of them.
        num_classes: Number of classes C.

    Returns:
        float32 array (N, h, w, C), which sums to 1 over the classes, or to 0 in a patch whose
        pixels have none.

    Raises:
        ValueError: If an argument has another shape or is out of range.

    Example:
        ```python
        masks = np.array([[[0, 1, 1, 1], [0, 0, 255, 255]]])
        ka.evaluation.dense.patch_labels(masks, (1, 2), 2)  # [[[[0.75, 0.25], [0, 1]]]]
        ```
    """
    check_integer("num_classes", num_classes)
    masks = _checked_masks("masks", masks, num_classes)
    height, width = check_integers("grid", grid, (2,))
    number, *size = masks.shape
    if 0 in (height, width) or size[0] % height or size[1] % width:
        raise ValueError(
            f"Expected `grid` to divide images of {size[0]} x {size[1]} pixels into equal "
            f"patches. Received: grid={tuple(grid)}"
        )
    parts = masks.reshape(number, height, size[0] // height, width, size[1] // width)
    parts = np.moveaxis(parts, 2, 3).reshape(number, height, width, -1)
    counts = [np.count_nonzero(parts == label, axis=-1) for label in range(num_classes)]
    counts = np.stack(counts, axis=-1).astype(np.float32)
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)


def confusion_counts(found, truth, num_classes):
    """How many pixels of each class were found to be of each: (C, C) integers, truth by found."""
    counted = truth != IGNORE
    cells = truth[counted].astype(np.int64) * num_classes + found[counted]
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def intersection_over_union(counts):
    """Intersection over union (C,) of the classes, from `confusion_counts`; NaN where none is."""
    both = np.diag(counts).astype(np.float64)
    union = counts.sum(axis=0) + counts.sum(axis=1) - both
    return np.divide(both, union, out=np.full(len(both), np.nan), where=union > 0)


def _checked(part, features, masks, num_classes):
    features = check_numbers(f"{part}_features", features).astype(np.float32)
    if features.ndim != 4 or not features.size or not np.isfinite(features).all():
        raise ValueError(
            f"Expected `{part}_features` to be finite numbers of shape (images, rows, columns, "
            f"size). Received: {part}_features of shape {features.shape}"
        )
    masks = _checked_masks(f"{part}_masks", masks, num_classes)
    if len(masks) != len(features):
        raise ValueError(
            f"Expected `{part}_masks` of {len(features)} images, as `{part}_features`. "
            f"Received: {part}_masks.shape={masks.shape}"
        )
    return features, masks


def _checked_masks(name, masks, num_classes):
    masks = check_integers(name, masks, (None, None, None))
    if not masks.size or ((masks >= num_classes) & (masks != IGNORE)).any():
        found = np.unique(masks)
        raise ValueError(
            f"Expected `{name}` of classes below {num_classes}, or {IGNORE} for pixels without "
            f"one. Received: {name} of shape {masks.shape} with {found[found >= num_classes][:5]}"
        )
    return masks


def _remember(features, masks, num_classes, memory_size, seed):
    """Normalized patches (n, D) and their soft labels (n, C)."""
    labels = patch_labels(masks, features.shape[1:3], num_classes).reshape(-1, num_classes)
    chosen = np.flatnonzero(labels.any(axis=1))
    check_integer("seed", seed, minimum=0)
    if memory_size is not None and check_integer("memory_size", memory_size) < len(chosen):
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(chosen, memory_size, replace=False))
    if not len(chosen):
        raise ValueError(
            f"Expected `train_masks` with pixels of a class. Received: all of them {IGNORE}"
        )
    return l2_normalize(features.reshape(-1, features.shape[-1])[chosen]), labels[chosen]


def _soft_labels(features, memory, labels, topk, temperature):
    """Labels of an image's patches: (h, w, D) -> (h, w, C)."""
    queries = l2_normalize(features.reshape(-1, features.shape[-1]))
    ids, cosines = find_neighbors(queries, memory, topk)
    weights = tf.nn.softmax(cosines / temperature).numpy()
    soft = np.einsum("qk,qkc->qc", weights, labels[ids])
    return soft.reshape(*features.shape[:2], -1)
