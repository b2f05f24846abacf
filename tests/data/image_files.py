"""Small images, and files of them, for the tests of this folder."""

import numpy as np
import tensorflow as tf


def smooth_image(height, width, channels=3, seed=0):
    """An image without hard edges, which JPEG keeps nearly as it is."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(40, 210, (3, 3, channels)).astype(np.float32)
    return np.round(tf.image.resize(coarse, (height, width))).astype(np.uint8)


def write(path, image):
    """Writes a JPEG or PNG file, by its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".png":
        contents = tf.io.encode_png(image)
    else:
        contents = tf.io.encode_jpeg(image, quality=95, chroma_downsampling=False)
    path.write_bytes(contents.numpy())


def fill_folder(folder, sizes=((24, 30), (30, 24), (26, 26), (40, 20)), suffix=".jpg"):
    """Writes one image per size and returns them."""
    images = [smooth_image(*size, seed=i) for i, size in enumerate(sizes)]
    for i, image in enumerate(images):
        write(folder / f"{i:03d}{suffix}", image)
    return images
