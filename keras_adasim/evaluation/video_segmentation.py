"""Video object segmentation without training: labels follow the similarity of patches."""

import collections
import math

import numpy as np
import tensorflow as tf
from skimage.morphology import isotropic_dilation

from keras_adasim.layers.preprocessing import l2_normalize
from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import check_booleans, check_integer, check_number, check_numbers

TOLERANCE = 0.008


def jaccard(mask, truth):
    """Region similarity J: intersection over union.

    Args:
        mask: Booleans (H, W), what was found.
        truth: Booleans (H, W).

    Returns:
        Float in [0, 1]; 1 where both are empty.

    Raises:
        ValueError: If they aren't booleans of one shape.

    Example:
        ```python
        truth = np.arange(16).reshape(4, 4) < 8
        ka.evaluation.video_segmentation.jaccard(truth[:, ::-1], truth)  # 1.0
        ```
    """
    mask, truth = _checked_masks(mask, truth)
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 1.0


def boundary_f(mask, truth):
    """Contour accuracy F: harmonic mean of the boundaries' precision and recall.

    A pixel of one boundary is met if one of the other's lies within a disk around it, of 0.008 of
    the diagonal, rounded up to whole pixels.

    Args:
        mask: Booleans (H, W), what was found.
        truth: Booleans (H, W).

    Returns:
        Float in [0, 1]; 1 where neither has a boundary, as where both are empty, 0 where only one
        has.

    Raises:
        ValueError: If they aren't booleans of one shape.

    Reference:
        - Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object
          Segmentation", CVPR 2016; `f_measure` of the official evaluation of DAVIS 2017.

    Example:
        ```python
        truth = np.arange(16).reshape(4, 4) < 8
        ka.evaluation.video_segmentation.boundary_f(truth, truth)  # 1.0
        ```
    """
    mask, truth = _checked_masks(mask, truth)
    radius = math.ceil(TOLERANCE * np.hypot(*mask.shape))
    found, wanted = _boundary(mask), _boundary(truth)
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    precision = np.mean(isotropic_dilation(wanted, radius)[found])
    recall = np.mean(isotropic_dilation(found, radius)[wanted])
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _checked_masks(mask, truth):
    mask, truth = check_booleans("mask", mask, 2), check_booleans("truth", truth, 2)
    if mask.shape != truth.shape or not mask.size:
        raise ValueError(
            "Expected `mask` and `truth` of one shape, of at least one pixel. "
            f"Received: mask.shape={mask.shape}, truth.shape={truth.shape}"
        )
    return mask, truth


def _boundary(mask):
    """Pixels that differ from the one to the right, below, or right below; none outside."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, below, diagonal = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return (mask ^ right) | (mask ^ below) | (mask ^ diagonal)


def video_scores(masks, truths):
    """J and F of every object of a video, means over its frames but the first and the last.

    The first frame is given, and the last is left out as in the official evaluation. The objects
    are the labels above 0 of the first frame's truth.

    Args:
        masks: Integers (T, H, W), the labels found; 0 is the background.
        truths: Integers (T, H, W).

    Returns:
        Dict of `"objects"`, their labels, `"j"` and `"f"`, floats for each of them, and `"mean"`,
        the mean of J and F over the objects.

    Raises:
        ValueError: If the shapes differ, there are fewer than three frames, or no object.

    Example:
        ```python
        truths = np.zeros((4, 8, 8), int)
        truths[:, 2:5, 2:5] = 1
        ka.evaluation.video_segmentation.video_scores(truths, truths)["mean"]  # 1.0
        ```
    """
    truths = check_integers("truths", truths, (None, None, None))
    masks = check_integers("masks", masks, (None, None, None))
    if masks.shape != truths.shape or len(truths) < 3:
        raise ValueError(
            "Expected `masks` and `truths` of as many frames, at least three, and of one size. "
            f"Received: masks.shape={masks.shape}, truths.shape={truths.shape}"
        )
    objects = np.setdiff1d(truths[0], 0)
    if not len(objects):
        raise ValueError(
            "Expected `truths` with an object, a label above 0, in the first frame. "
            "Received: truths[0] of zeros"
        )
    inner = [(masks[t], truths[t]) for t in range(1, len(truths) - 1)]
    j, f = (
        np.array([np.mean([score(m == o, t == o) for m, t in inner]) for o in objects])
        for score in (jaccard, boundary_f)
    )
    return {"objects": objects, "j": j, "f": f, "mean": float((j.mean() + f.mean()) / 2)}


def propagate_labels(features, first_mask, last_frames=7, radius=12, topk=5, temperature=0.1):
    """Carries the labels of the first frame through a video.

    The labels of a patch are a mean of those of the `topk` patches that are most similar to it,
    weighted by exp(cosine / temperature), among the patches of the first frame and of the
    `last_frames` before it that lie at most `radius` rows and columns away. They stay soft from
    frame to frame. To be shown, they are enlarged to the mask's size (bilinear), each label is
    stretched to [0, 1] over the frame, and the largest one wins.

    Args:
        features: Floats (T, h, w, D), those of the frames' patches; normalized inside.
        first_mask: Integers (H, W), the labels of the first frame's pixels, 0 for the background.
            A patch takes the label of the pixel at its center.
        last_frames: How many frames before it a frame looks at, beside the first.
        radius: Distance in patches.
        topk: Number of patches that count.
        temperature: The smaller, the more the nearest one counts.

    Returns:
        Integer array (T, H, W) of the type of `first_mask`, which is its first frame.

    Raises:
        ValueError: If an argument has another shape, isn't finite or is out of range.

    Reference:
        - Jabri et al., "Space-Time Correspondence as a Contrastive Random Walk", NeurIPS 2020;
          `eval_video_segmentation.py` of the official DINO code.

    Example:
        ```python
        features = np.random.default_rng(0).normal(size=(3, 4, 4, 8))
        mask = np.arange(64).reshape(8, 8) // 32
        ka.evaluation.video_segmentation.propagate_labels(features, mask).shape  # (3, 8, 8)
        ```
    """
    features = _checked_features(features)
    first_mask = check_integers("first_mask", first_mask, (None, None))
    if not first_mask.size:
        raise ValueError(
            "Expected `first_mask` of at least one pixel. "
            f"Received: first_mask.shape={first_mask.shape}"
        )
    check_integer("last_frames", last_frames, minimum=0)
    check_integer("radius", radius, minimum=0)
    check_integer("topk", topk)
    check_number("temperature", temperature, above=0)
    labels, soft = _soft_first(first_mask, features.shape[1:3])
    first, recent = (features[0], soft), collections.deque(maxlen=last_frames)
    masks = [first_mask]
    for frame in features[1:]:
        known = [first, *recent]
        sources = tf.stack([each[0] for each in known]), tf.stack([each[1] for each in known])
        soft = _propagate(frame, *sources, radius, topk, temperature)
        recent.append((frame, soft))
        masks.append(labels[_largest(soft, first_mask.shape)].astype(first_mask.dtype))
    return np.stack(masks)


def _checked_features(features):
    features = check_numbers("features", features).astype(np.float32)
    if features.ndim != 4 or not features.size or not np.isfinite(features).all():
        raise ValueError(
            "Expected `features` to be finite numbers of shape (frames, rows, columns, size). "
            f"Received: features of shape {features.shape}"
        )
    return l2_normalize(tf.constant(features))


def _soft_first(mask, grid):
    """The labels that there are, and for each patch 1 at its own: float32 (h, w, labels)."""
    labels = np.union1d(mask, 0)
    rows, columns = (
        ((np.arange(count) + 0.5) * size / count).astype(int)
        for count, size in zip(grid, mask.shape, strict=True)
    )
    places = np.searchsorted(labels, mask[np.ix_(rows, columns)])
    return labels, tf.one_hot(places, len(labels))


def _propagate(frame, features, soft, radius, topk, temperature):
    """Labels of a frame (h, w, D) from those of earlier ones, row by row: (h, w, labels)."""
    height, width = frame.shape[:2]
    columns = np.arange(width)
    near = np.abs(columns[:, None] - columns) <= radius
    rows = []
    for row in range(height):
        window = slice(max(0, row - radius), row + radius + 1)
        candidates = tf.reshape(features[:, window], (-1, features.shape[-1]))
        cosines = tf.matmul(frame[row], candidates, transpose_b=True)
        is_near = np.tile(near, len(candidates) // width)
        cosines = tf.where(is_near, cosines, -np.float32(np.inf))
        best, places = tf.math.top_k(cosines, min(topk, len(candidates)))
        weights = tf.nn.softmax(best / temperature)
        labels = tf.gather(tf.reshape(soft[:, window], (-1, soft.shape[-1])), places)
        rows.append(tf.einsum("wk,wkl->wl", weights, labels))
    return tf.stack(rows)


def _largest(soft, size):
    """Places (H, W) of the labels that win in the enlarged frame."""
    soft = tf.image.resize(soft, size)
    low, high = tf.reduce_min(soft, axis=(0, 1)), tf.reduce_max(soft, axis=(0, 1))
    # A label that is nowhere stays 0, and one that is everywhere stays 1.
    stretched = tf.where(high > low, (soft - low) / (high - low), soft)
    return tf.argmax(stretched, axis=-1).numpy()
