"""A backbone and its preprocessing as an ONNX file, for programs without TensorFlow."""

import contextlib
import importlib.util
import json
import logging

import numpy as np
import tensorflow as tf

from keras_adasim.export import network
from keras_adasim.export.deviation import ONNX_LIMIT, check_deviation, example_images
from keras_adasim.export.folder import check_file, written_beside
from keras_adasim.validation import check_switch

OPSET = 17
MODULES = ("tf2onnx", "onnx", "onnxruntime")


def export_onnx(model, path, image_size, mean=None, std=None, overwrite=False, value_range=None):
    """Writes a backbone as an ONNX file, with its preprocessing inside.

    ```python
    session = onnxruntime.InferenceSession(path)
    features, tokens = session.run(["features", "tokens"], {"images": images})
    ```

    `images` (B, H, W, C) are uint8 from 0 to 255, of any B, H and W; with a `value_range` float32
    as the files have them. It computes in float32, also what was trained in half precision. What
    onnxruntime gives is compared with the backbone in float32, as `export_backbone` does.

    Args:
        model: `SelfDistillation`, whose teacher is exported, or a backbone.
        path: File to write; ends in `.onnx`.
        image_size: Side in pixels of the images that the backbone gets to see.
        mean: C means of the channels, as for `export_backbone`.
        std: C standard deviations, likewise.
        overwrite: Whether a file that stands at `path` is replaced.
        value_range: As for `export_backbone`.

    Returns:
        The largest difference from the backbone, a float, as a share of the largest value.

    Raises:
        FileExistsError: If `path` is taken and `overwrite` isn't set, or is a folder.
        ImportError: If tf2onnx, onnx or onnxruntime isn't installed.
        ValueError: If another argument doesn't fit, or ONNX has no word for what the backbone does.
        NotFiniteError: If a weight is NaN or infinite.
        DeviationError: If the difference is above 1e-3; nothing is written or replaced then.
    """
    path = check_file(path, check_switch("overwrite", overwrite), ".onnx")
    tf2onnx, onnx, onnxruntime = require_onnx()
    net = network.of_model(model, image_size, mean, std, value_range).in_float32()
    dtype = tf.uint8 if value_range is None else tf.float32
    spec = tf.TensorSpec((None, None, None, net.channels), dtype, name="images")
    function = tf.function(net.look, input_signature=[spec], autograph=False)
    with written_beside(path) as file:
        with _quiet():
            content, _ = tf2onnx.convert.from_function(
                function, [spec], opset=OPSET, custom_op_handlers={"Erfc": (_erfc, [])}
            )
        _describe(onnx, content, net)
        session = _session(onnx, onnxruntime, content, file)
        names = [each.name for each in session.get_outputs()]

        def exported(images):
            return dict(zip(names, session.run(names, {"images": images}), strict=True))

        batches = example_images(net.channels, net.image_size, net.value_range)
        return check_deviation(net.look, exported, batches, ONNX_LIMIT, "ONNX model")


def require_onnx():
    """Returns the modules `tf2onnx`, `onnx` and `onnxruntime`, optional dependencies.

    Raises:
        ImportError: If one isn't installed.
    """
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            "Expected tf2onnx, onnx and onnxruntime to be installed to write and check ONNX: "
            f"`pip install 'keras-adasim[onnx]'`. Received: no {' and no '.join(missing)}"
        )
    return [importlib.import_module(name) for name in MODULES]


def _describe(onnx, content, net):
    """Names the axes that may be of any size, and notes what the network is."""
    graph = content.graph
    for value in (*graph.input, *graph.output):
        axes = ("batch", "height", "width") if value.name == "images" else ("batch",)
        for axis, name in zip(value.type.tensor_type.shape.dim, axes, strict=False):
            axis.dim_param = name
    facts = {"image_size": net.image_size, "mean": net.mean, "std": net.std}
    facts |= {"value_range": net.value_range, "name": net.backbone.name}
    onnx.helper.set_model_props(content, {k: json.dumps(v) for k, v in facts.items()})


def _session(onnx, onnxruntime, content, file):
    """Writes a model, and opens it as onnxruntime's programs do."""
    try:
        onnx.checker.check_model(content)
        file.write_bytes(content.SerializeToString())
        return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    except OSError:
        raise
    except Exception as error:  # Each of the three has its own.
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            "Expected `model` to do what ONNX has words for, in less than 2 GB. Received: "
            f"{type(error).__name__}: {reason}. Export a SavedModel."
        ) from error


def _erfc(ctx, node, name, args):
    """1 - erf(x), which tf2onnx lacks; in `gelu` it is added to something of its size."""
    node.type = "Erf"
    one = ctx.make_const(f"{name}_one", np.array(1, np.float32))
    ctx.insert_new_node_on_output("Sub", node.output[0], inputs=[one.output[0], node.output[0]])


@contextlib.contextmanager
def _quiet():
    """Without tf2onnx' reports, of which an error is told by what comes after it."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
