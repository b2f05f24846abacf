"""Protocols and exports, each with right arguments to begin with."""

import functools

import numpy as np

import keras_adasim as ka
from benchmarks.wrong.asking import Subject
from benchmarks.wrong.values import FINE_TUNING


def of_evaluation(parts):
    """Pure functions of features."""
    evaluation = ka.evaluation
    features, labels = np.random.default_rng(0).normal(size=(4, 2)), [0, 1, 0, 1]
    both = {"first": features, "second": features}
    four = {"train_features": features, "train_labels": labels}
    four |= {"test_features": features, "test_labels": labels}
    counts = {"ks": "counts", "temperatures": "positives"}
    probe = {"feature_dim": 2, "num_classes": 2, "steps": 3}
    regression = {"strengths": "positives"}
    blocks = {"token_dim": "count", "last_blocks": "count", "blocks": "counts", "patches": "switch"}
    few = evaluation.few_labels
    votes, alone = {"labels": "any labels"}, {"labels": "labels alone"}
    ids, similarities = np.array([[1, 2]] * 4), np.full((4, 2), 0.5)
    record = {"ids": ids, "similarities": similarities}
    earlier = {"earlier_ids": ids, "earlier_similarities": similarities}
    return [
        Subject(
            evaluation.knn_accuracy,
            {"train_features": features, "train_labels": labels}
            | {"test_features": features, "test_labels": labels, "k": 2},
        ),
        Subject(
            evaluation.leave_one_out_accuracy,
            {"features": features, "labels": labels, "k": 2},
            votes,
        ),
        Subject(evaluation.knn_accuracies, {**four, "ks": [2]}, counts),
        Subject(
            evaluation.leave_one_out_accuracies,
            {"features": features, "labels": labels, "ks": [2]},
            {**votes, **counts},
        ),
        Subject(
            few.class_balanced_subset,
            {"labels": labels, "share": 0.5, "seed": 0},
            {**alone, "share": "share above 0"},
        ),
        Subject(
            few.subset_per_class,
            {"labels": labels, "count": 1, "seed": 0},
            {**alone, "count": "count"},
        ),
        Subject(few.logistic_regression, four, regression),
        Subject(
            evaluation.splits.stratified_split,
            {"labels": labels, "share": 0.5},
            {**alone, "share": "open share"},
        ),
        Subject(
            evaluation.standard_error,
            {"share": 0.5, "count": 9},
            {"share": "share", "count": "count"},
        ),
        Subject(
            evaluation.LinearProbe,
            probe,
            {"num_classes": "count", "learning_rates": "positives", "parts": "parts"}
            | {"momentum": "share below 1"},
        ),
        Subject(evaluation.linear.parts_of_blocks, {"token_dim": 2, "last_blocks": 2}, blocks),
        Subject(
            drained(evaluation.linear.batches_of),
            {"features": features, "labels": labels},
            {**votes, "features": "features", "epochs": "count"},
        ),
        Subject(
            drained(evaluation.augmented_batches),
            {"source": parts.source, "image_size": 4},
            {"epochs": "count"},
        ),
        Subject(
            evaluation.transfer_table,
            {"sets": [("a", *four.values())], "k": 2},
            {"sets": "object"},
        ),
        Subject(
            evaluation.FeatureCache,
            {"folder": "features"},
            {"folder": "place or none", "say": "object", "most_bytes": "not negative"},
        ),
        Subject(
            drained(evaluation.shards.write_shards),
            {"number": 3, "arrays_of": lambda i: {"i": i}, "folder": parts.folder / "shards"}
            | {"about": {}, "overwrite": True},
            {"number": "count", "arrays_of": "object", "folder": "place", "about": "about"}
            | {"shard_size": "count", "form": "choice"},
        ),
        Subject(
            evaluation.embed,
            {"source": parts.source, "embed_fn": lambda images: np.zeros((len(images), 2))},
        ),
        Subject(
            evaluation.embed_by_size,
            {"source": parts.source, "sides_of": lambda height, width: (4, 4)}
            | {"look": lambda images: np.zeros((len(images), 2))},
            {"sides_of": "object", "look": "object"},
        ),
        Subject(evaluation.error_of_mean, {"values": [0.5, 0.6]}),
        Subject(evaluation.label_free.rank_me, {"features": features}),
        Subject(evaluation.label_free.alpha_req, {"features": features}),
        Subject(evaluation.label_free.uniformity, {"features": features}),
        Subject(evaluation.label_free.alignment, both, dict.fromkeys(both, "features")),
        Subject(
            evaluation.neighborhoods.neighbor_churn,
            {**record, **earlier},
            {"images": "indices"},
        ),
        Subject(evaluation.neighborhoods.neighbor_purity, {**record, "labels": labels}, votes),
        *of_other_protocols(),
        *of_doctor(parts),
        *of_galleries(features, labels, record),
        *of_finetuning(parts),
    ]


def of_finetuning(parts):
    """Fine-tuning and its parts."""
    evaluation, images = ka.evaluation, np.ones((2, 4, 4, 3), np.float32)
    batch = {"images": images, "labels": np.eye(2, dtype=np.float32)}
    tensors = dict.fromkeys(batch, "tensor")
    given = {"num_images": 9, "image_size": 8, "takes_drop_path": True}
    return [
        Subject(
            evaluation.finetune.finetune,
            {"backbone": parts.backbone, "train": parts.source, "epochs": 1},
            {**FINE_TUNING, "backbone": "object", "train": "object", "test": "object"}
            | {"validation": "share below 1", "value_range": "value range", "mixup": "not negative"}
            | {"callbacks": "layers", "say": "object", "batch_size": "count"},
        ),
        Subject(
            evaluation.finetune_settings.choose_settings,
            given,
            {"takes_drop_path": "switch", "replicas": "count"},
        ),
        Subject(evaluation.mixing.mixup, {**batch, "share": 0.5}, {**tensors, "share": "share"}),
        Subject(
            evaluation.mixing.cutmix,
            {**batch, "box": (0, 1, 0, 1)},
            {**tensors, "box": "integers"},
        ),
        Subject(
            evaluation.mixing.draw_mixing,
            {"seed": 0, "step": 0, "image_size": 8},
            {"step": "count from 0", "mixup_alpha": "not negative", "cutmix_alpha": "not negative"},
        ),
        Subject(
            evaluation.accuracy.top_accuracies,
            {"logits": np.ones((2, 3)), "labels": [0, 1]},
            {"logits": "tensor", "labels": "any labels", "ks": "counts"},
        ),
        Subject(
            evaluation.layer_decay.layer_scales,
            {"backbone": parts.backbone, "layer_decay": 0.5},
            {"backbone": "object", "layer_decay": "share above 0"},
        ),
    ]


def of_galleries(features, labels, record):
    """Neighbors to be shown, and what labels tell of partners."""
    gallery, bootstrapping = ka.evaluation.gallery, ka.evaluation.bootstrapping
    pairing = ka.pairing.AdaptiveWindow(4, window=1, topk=2)
    pairing.push(*record.values())
    opened = {"pairing": pairing, "earlier": pairing}
    kinds = dict.fromkeys(opened, "object")
    asked = {"partners": "indices", "neighbors": "indices", "labels": "any labels"}
    return [
        Subject(
            gallery.by_cosine,
            {"features": features, "queries": [0], "k": 2},
            {"queries": "indices"},
        ),
        Subject(
            gallery.by_window,
            {"pairing": pairing, "queries": [0]},
            {"pairing": "object", "queries": "indices"},
        ),
        Subject(
            gallery.choose,
            {"num_images": 4, "count": 2, "how": "just_opened", **opened},
            {**kinds, "count": "count", "how": "choice"},
        ),
        Subject(bootstrapping.class_purity, {"labels": labels, "partners": [1, 0, 3, 2]}, asked),
        Subject(bootstrapping.nearest_others, record),
    ]


def of_other_protocols():
    """Retrieval, copy detection and segmentation."""
    evaluation, rng = ka.evaluation, np.random.default_rng(0)
    retrieval, copies = evaluation.retrieval, evaluation.copy_detection
    video, dense = evaluation.video_segmentation, evaluation.dense
    mask, masks = rng.uniform(size=(4, 4)) < 0.5, rng.integers(0, 2, (3, 4, 4))
    frames = rng.normal(size=(3, 2, 2, 4))
    both = {"mask": mask, "truth": mask}
    patches = {"train_features": frames, "test_features": frames, "num_classes": 2, "topk": 2}
    patches |= {"train_masks": masks, "test_masks": masks}
    return [
        Subject(
            retrieval.average_precision,
            {"ranks": [[0], [1]], "positives": [[1]], "junk": [[]], "kappas": [1]},
            {"ranks": "records", "positives": "lists", "junk": "some lists", "kappas": "ranks"},
        ),
        Subject(
            copies.micro_average_precision,
            {"scores": [0.5, 0.1], "is_match": np.array([True, False])},
            {"scores": "scores", "is_match": "mask", "num_matches": "count"},
        ),
        Subject(
            copies.gem_pool,
            {"tokens": np.ones((2, 3, 4))},
            {"tokens": "tensor", "power": "positive", "smallest": "positive"},
        ),
        Subject(
            copies.Whitening,
            {"distractors": rng.normal(size=(4, 2))},
            {"distractors": "features", "dim": "count"},
        ),
        Subject(video.jaccard, both, dict.fromkeys(both, "mask")),
        Subject(video.boundary_f, both, dict.fromkeys(both, "mask")),
        Subject(video.video_scores, {"masks": masks, "truths": masks}),
        Subject(
            video.propagate_labels,
            {"features": frames, "first_mask": masks[0]},
            {"first_mask": "records"} | {"last_frames": "count from 0", "radius": "count from 0"},
        ),
        Subject(
            dense.patch_retrieval,
            patches,
            {"train_features": "tensor", "test_features": "tensor", "tell": "object"},
        ),
        Subject(
            dense.patch_labels,
            {"masks": masks, "grid": (2, 2), "num_classes": 2},
            {"grid": "ranks"},
        ),
    ]


def of_doctor(parts):
    """What is wrong with images, and which to label."""
    evaluation, rng = ka.evaluation, np.random.default_rng(0)
    doctor, small, diverse = evaluation.doctor, evaluation.small_images, evaluation.diverse_subset
    features, gray = rng.normal(size=(20, 2)), rng.integers(0, 256, (20, 32, 32), np.uint8)
    return [
        Subject(
            doctor.near_duplicates,
            {"features": features, "gray": gray},
            {"gray": "records", "expected": "positive"},
        ),
        Subject(doctor.far_from_neighbors, {"features": features}),
        Subject(
            doctor.unlike_in_look,
            {"look": features},
            {"look": "features", "expected": "positive"},
        ),
        Subject(diverse.k_center, {"features": features, "n": 2}),
        Subject(diverse.typical, {"features": features, "n": 2}),
        Subject(small.small_images, {"source": parts.source}),
        Subject(
            small.detail_similarity,
            {"gray": gray, "pairs": [[0, 1]]},
            {"gray": "records", "pairs": "records"},
        ),
    ]


def drained(generator):
    """The same, gone through to its end."""

    @functools.wraps(generator)
    def call(*args, **kwargs):
        return list(generator(*args, **kwargs))

    return call


def of_export(parts):
    """SavedModels."""
    path = parts.folder / "another"
    given = {"model": parts.backbone, "path": path, "image_size": 8}
    return [
        Subject(ka.export.export_backbone, given, {"model": "object", "path": "place"}),
        Subject(ka.export.load_backbone, {"path": "x"}),
        Subject(
            ka.export.ImageClassifier,
            {"backbone": parts.backbone, "class_names": ["ant", "bee"], "image_size": 8}
            | {"mean": (0.5,) * 3, "std": (0.5,) * 3},
            {"backbone": "object", "value_range": "value range"},
        ),
        Subject(ka.export.plain_classifier, {"classifier": None}, {"classifier": "object"}),
        Subject(
            ka.export.export_classifier,
            {"classifier": None, "path": path},
            {"classifier": "object", "path": "place"},
        ),
        Subject(
            ka.export.export_keras,
            {**given, "path": path.with_suffix(".keras")},
            {"model": "object", "path": "place"},
        ),
        Subject(
            ka.export.export_torch,
            {"model": parts.backbone, "path": path.with_suffix(".safetensors")},
            {"model": "object", "path": "place"},
        ),
        Subject(
            ka.export.ImageBackbone,
            {"backbone": parts.backbone, "image_size": 8, "mean": (0.5,) * 3, "std": (0.5,) * 3},
            {"backbone": "object", "mean": "three numbers"},
        ),
    ]
