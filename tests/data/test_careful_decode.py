"""Images are told by their bytes, and whatever Pillow reads is read; the rest is named."""

import concurrent.futures
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_adasim import augment, data, pairing
from keras_adasim.data.careful_decode import decode_carefully, is_upright_jpeg
from keras_adasim.data.decode import is_plain
from keras_adasim.evaluation import embed
from tests.data.image_files import smooth_image

PIXELS = smooth_image(20, 30)
IMAGE = Image.fromarray(PIXELS)
SIDEWAYS = Image.Exif()
SIDEWAYS[274] = 6


def encoded(image=IMAGE, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


KINDS = {
    "png": encoded(),
    "palette": encoded(IMAGE.quantize(256)),
    "transparent": encoded(Image.merge("RGBA", [*IMAGE.split(), Image.new("L", IMAGE.size, 9)])),
    "bmp": encoded(kind="BMP"),
    "gif": encoded(
        IMAGE.quantize(256), "GIF", save_all=True, append_images=[Image.new("P", (30, 20))]
    ),
    "webp": encoded(kind="WEBP", lossless=True),
    "tiff": encoded(kind="TIFF"),
    "compressed tiff": encoded(kind="TIFF", compression="tiff_lzw"),
    "jpeg": encoded(kind="JPEG", quality=95),
    "progressive": encoded(kind="JPEG", quality=95, progressive=True),
    "cmyk": encoded(IMAGE.convert("CMYK"), "JPEG", quality=95),
    "upright": encoded(kind="JPEG", quality=95, exif=Image.Exif()),
    "comment": encoded(kind="JPEG", quality=95, comment=b"x" * 100),
}
SIDEWAYS_JPEG = encoded(
    IMAGE.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=SIDEWAYS
)


def folder(path, contents):
    for name, each in contents.items():
        (path / name).write_bytes(each)
    return path


@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_is_the_same_image(channels, tmp_path):
    """All are called .jpg: by index, in a graph, and as crops."""
    kinds = {**KINDS, "sideways": SIDEWAYS_JPEG}
    files = {f"{kind}.jpg": contents for kind, contents in kinds.items()}
    source = data.ImageFolder(folder(tmp_path, files), channels)
    wanted = PIXELS if channels == 3 else np.asarray(IMAGE.convert("L"))[..., None]
    in_graph = tf.data.Dataset.range(len(source)).map(source.decode)
    crops = augment.MultiCrop(16, (0.9, 1.0))
    pairs = data.PairDataset(source, pairing.SelfPairing(), 1, crops=crops, shuffle=False)
    for i, (pixels, batch) in enumerate(zip(in_graph, pairs, strict=True)):
        for each in (source[i], pixels.numpy()):
            assert each.shape == wanted.shape, source.paths[i]
            np.testing.assert_allclose(each.astype(int), wanted, atol=24, err_msg=source.paths[i])
        for view in batch["views"]:
            assert abs(float(np.mean(view)) - wanted.mean()) < 12, source.paths[i]


def test_ordinary_files_take_the_fast_path():
    assert all(is_plain(KINDS[kind]) for kind in ("png", "jpeg", "progressive"))
    assert is_upright_jpeg(KINDS["upright"])
    assert is_upright_jpeg(KINDS["comment"])
    for contents in (SIDEWAYS_JPEG, KINDS["cmyk"], KINDS["jpeg"][:-1], b"\xff\xd8\xff\xff\xd9"):
        assert not is_plain(contents)
        assert not is_upright_jpeg(contents)


def with_sides(png, side):
    """A PNG file that says it has other sides."""
    header = png[12:16] + struct.pack(">II", side, side) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


BAD = {
    "nan": encoded(Image.fromarray(np.full((4, 4), np.nan, "float32")), "TIFF"),
    "truncated png": KINDS["png"][:-40],
    "truncated webp": KINDS["webp"][:-40],
    "truncated jpeg": KINDS["jpeg"][:-40],
    "empty": b"",
    "text": b"<html>no image</html>",
    "pdf": b"%PDF-1.4 " + bytes(100),
    "bomb": with_sides(KINDS["png"], 60_000),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_named(kind, tmp_path):
    source = data.ImageFolder(folder(tmp_path, {"a.jpg": KINDS["jpeg"], "b.jpg": BAD[kind]}))
    with pytest.raises(ValueError, match=r"b\.jpg to be a sound image"):
        source[1]
    with pytest.raises(ValueError, match=r"b\.jpg"):
        data.load_in_memory(source)


@pytest.mark.parametrize("kind", ["truncated png", "truncated jpeg"])
def test_bad_files_are_named_in_a_graph(kind, tmp_path):
    source = data.ImageFolder(folder(tmp_path, {"a.jpg": KINDS["jpeg"], "b.jpg": BAD[kind]}))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"b\.jpg"):
        list(data.PairDataset(source, pairing.SelfPairing(), 2, crops=augment.MultiCrop(8)))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"b\.jpg"):
        embed(source, lambda x: tf.zeros((len(x), 2)), image_size=8)


def test_the_message_tells_what_came():
    with pytest.raises(ValueError, match="21 bytes of no known image format"):
        decode_carefully(b"<html>no image</html>", 3, None)


def test_warnings_of_tags_are_no_damage_and_stay_inside():
    """Threads used to leave a filter behind."""
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x09\x01"
    contents = encoded(kind="JPEG", quality=95, exif=exif)
    before = list(warnings.filters)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        images = list(threads.map(lambda c: decode_carefully(c, 3, None), [contents] * 40))
    assert all(image.shape == (20, 30, 3) for image in images)
    assert warnings.filters == before
