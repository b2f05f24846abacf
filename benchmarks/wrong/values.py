"""Kinds of arguments, and what is wrong for each."""

import math

import numpy as np

NAN, INF, HUGE = math.nan, math.inf, 2**70
NO_NUMBERS = (None, NAN, INF, "3", "", True, [], {}, object())
NO_COUNTS = (*NO_NUMBERS, 1.5, -1, HUGE)
NO_OBJECTS = (None, NAN, 3, True, "unknown", [], {}, object())
NO_ARRAYS = (None, NAN, 3, "x", [], {}, object())

WRONG = {
    "count": (*NO_COUNTS, 0),
    "count from 0": NO_COUNTS,
    "number": (*NO_NUMBERS, -INF),
    "positive": (*NO_NUMBERS, -INF, -1, 0),
    "not negative": (*NO_NUMBERS, -INF, -1),
    "share": (*NO_NUMBERS, -0.1, 1.1),
    "share below 1": (*NO_NUMBERS, -0.1, 1),
    "share above 0": (*NO_NUMBERS, -0.1, 0, 1.1),
    "open share": (*NO_NUMBERS, 0, 1),
    "up to a half": (*NO_NUMBERS, -0.1, 0.6),
    "switch": (None, NAN, 2, "yes", "", [], {}, object()),
    "choice": (None, NAN, 3, True, "", "unknown", [], {}, object()),
    "name": (None, NAN, 3, True, "", [], {}, object()),
    "range": (None, NAN, 0.5, "ab", (), {}, (0.5,), (0.2, 0.4, 0.6), (NAN, 1), ("a", "b"))
    + ((0.9, 0.5), (-0.5, 0.5), (True, True), object()),
    "positives": (None, NAN, 3, True, "x", [], {}, [NAN], [0], [-1], ["3"], [True], object()),
    "counts": (None, NAN, 3, True, "x", [], {}, [NAN], [0], [-1], ["3"], [1.5], object()),
    "three numbers": (None, NAN, 0.5, "abc", (), {}, (0.5,), (NAN,) * 3, ("a",) * 3, (INF,) * 3)
    + ((True,) * 3, object()),
    "object": NO_OBJECTS,
    "layers": (NAN, 3, True, "unknown", [3], {}, object()),
    "keys": (NAN, 3, True, "ab", ["a"], [1, 2], {}, object()),
    "class names": (NAN, 3, True, "ab", ["a"], [1, 2], {}, object()),
    "images": (*NO_ARRAYS, np.zeros((4, 8, 8, 3)), np.zeros(4, np.uint8), np.array([None])),
    "images of any type": (*NO_ARRAYS, np.zeros(4), np.full((2, 8, 8, 3), NAN), np.array([None])),
    "labels": (NAN, 3, "x", [], {}, object(), [0], [[0, 1], [2]], [0.5] * 4, [-1] * 4, [NAN] * 4),
    "some labels": (NAN, 3, "x", [], {}, object(), [0], [[0, 1], [2]], [NAN] * 4),
    "any labels": (None, NAN, 3, "x", [], {}, object(), [0], [[0, 1], [2]], [NAN] * 4),
    "labels alone": (None, NAN, 3, "x", {}, object(), [[0, 1], [2]], [0.5] * 4, [NAN] * 4),
    "features": (*NO_ARRAYS, np.zeros(4), np.zeros((0, 2)), np.full((4, 2), NAN), [["a", "b"]] * 4),
    "tensor": (*NO_ARRAYS, np.zeros(()), np.zeros((7, 3, 2, 5), np.float32), np.array([["a"]])),
    "tensors": (*NO_ARRAYS, [np.zeros((2, 3))], ["a", "b"]),
    "indices": (None, NAN, 3, "x", {}, object(), [0.5], [99], [-1], [[0]], [NAN], [True]),
    "integers": (None, NAN, 3, "x", {}, object(), [0.5], [[0]], [NAN], [True]),
    "parts": (NAN, 3, True, "x", [], {}, {"a": 3}, {"a": (0, 9)}, {"a": (1, 1)}, object()),
    "about": (None, NAN, 3, True, "x", [], object()),
    "ranks": (None, NAN, 3, "x", {}, object(), [0.5], [[0]], [NAN], [True], [0], [-1]),
    "lists": (None, NAN, 3, True, [], [1], [[0.5]], [[-1]], ["ab"], object()),
    "some lists": (NAN, 3, True, [], [1], [[0.5]], [[-1]], ["ab"], object()),
    "scores": (*NO_ARRAYS, [0.5], [[0.5, 0.1]], [NAN, 0.5], [INF, 0.5], ["a", "b"]),
    "mask": (*NO_ARRAYS, [[1, 0], [0, 1]], [True], [[True], [True, False]], [["a"]]),
    "boxes": (NAN, 3, True, "x", [], {}, object(), [[0, 0, 1]] * 4, [[0, 0, 0, 1]] * 4)
    + ([[0, 0, NAN, 1]] * 4, [["a"] * 4] * 4, [[0, 0, 1, 1]]),
    "numbers": (None, "x", {}, object(), ["a", "b"], [[1], [2, 3]]),
    "masks": (*NO_ARRAYS, [[[0.5]]], [[1]], [[[-1]]], [[[True]]], np.zeros((3, 0, 4), int)),
    "records": (*NO_ARRAYS, np.zeros((4, 2, 1)), np.zeros((3, 2)), np.full((4, 2), NAN)),
    "start": (NAN, 3, True, "rank_me", [], object(), {"rank_me": NAN}, {"knn_top1": "x"}),
    "folder": (None, NAN, 3, True, "", "/nowhere/at/all", [], {}, object()),
    "folders": (None, NAN, 3, True, "", "/nowhere/at/all", [], [3], {}, object()),
    "place": (None, NAN, 3, True, "", [], {}, object()),
    "place or none": (NAN, 3, True, "", [], {}, object()),
    "weights": (None, NAN, 3, True, "", "/nowhere/at/all.npz", [], {}, {"a": 1}, object()),
}
# The kind of an argument of that name, wherever it isn't told below.
KINDS = {
    "width": "out_dim bottleneck_dim",
    "count": "num_images window topk feature_dim chunk_size hidden_dim "
    "num_layers predictor_hidden_dim queue_size image_size patch_size embed_dim depth num_heads "
    "channels batch_size steps steps_per_epoch steps_per_execution gradient_accumulation_steps "
    "size global_size local_size k every max_images last_blocks window_size total_images reference "
    "num_shards n every_steps keep num_classes memory_size",
    "count from 0": "seed warmup_steps warmup_epochs num_local freeze_last_layer_steps shard "
    "region_start_step num_prefix_tokens epoch",
    "number": "base final start value",
    "positive": "student_temperature teacher_temperature trust_coefficient clipnorm t mlp_ratio "
    "predictor_learning_rate temperature",
    "not negative": "learning_rate weight_decay epsilon brightness contrast saturation interval",
    "share": "center_momentum rate momentum",
    "share below 1": "beta_1 beta_2 drop_path_rate",
    "share above 0": "region_weight",
    "open share": "held_out",
    "up to a half": "hue",
    "switch": "use_bn norm_last_layer freezes_patch_embedding zero_init_residual shuffle use_bias "
    "drop_remainder leave_one_out overwrite center_crop fresh dry_run run_eagerly require_test "
    "require_labels accept_changes sharded",
    "choice": "interpolation predictor_last_norm last_norm neighbor_feature jit_compile objective "
    "pairing backbone identifier row_dtype",
    "range": "global_scale local_scale ratio scale sigma",
    "three numbers": "mean std",
    "value range": "value_range",
    "object": "source train_source test_source crops bank optimizer layer embed_fn",
    "boxes": "boxes",
    "numbers": "values",
    "layers": "first second local exclude callbacks stateful",
    "class names": "class_names",
    "keys": "keys",
    "images": "images",
    "labels": "labels",
    "any labels": "train_labels test_labels",
    "features": "features train_features test_features",
    "masks": "masks truths train_masks test_masks",
    "tensor": "student teacher center prediction target query key neighbor",
    "tensors": "student_logits student_features teacher_logits teacher_features sources",
    "indices": "indices",
    "records": "ids similarities earlier_ids earlier_similarities",
    "folder": "path name split",
    "folders": "data_dir data",
    "place": "directory out",
    "weights": "weights",
}
KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}
# Keras' own arguments, and such as have no wrong value that could be told.
PASSED_OVER = {"dtype", "trainable", "stream", "first_row"}
PASSED_OVER |= {"all_first", "all_second", "keras_model", "model", "part", "workers", "defaults"}
WRONG["compiles"] = tuple(value for value in WRONG["choice"] if value is not True)
WRONG["unset"] = (NAN, 3, True, [], {}, object(), "/nowhere/at/all.npz")
# None lets it decay too, and what is typed where a word may stand is a number.
WRONG["rate"] = tuple(value for value in WRONG["positive"][1:] if value != "3")
# Of images of floats, which may be negative.
WRONG["value range"] = tuple(value for value in WRONG["range"] if value != (-0.5, 0.5))
# A vector of length one and a single number is 1 or -1.
WRONG["width"] = (*WRONG["count"], 1)

# Settings of a fine-tuning.
FINE_TUNING = {
    "epochs": "count",
    "learning_rate": "positive",
    "layer_decay": "share above 0",
    "weight_decay": "not negative",
    "mixup": "not negative",
    "cutmix": "not negative",
    "label_smoothing": "share below 1",
    "drop_path": "share below 1",
    "crop_scale": "share above 0",
}
