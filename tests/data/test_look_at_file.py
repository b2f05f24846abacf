"""One file: what it is, and what is wrong with it."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_adasim.data.look_at_file import Kind, look_at_array, look_at_image
from tests.data.test_careful_decode import BAD, IMAGE, KINDS, SIDEWAYS_JPEG, encoded

JPEG = KINDS["jpeg"]
HALF = len(JPEG) - 150  # Behind the header.
DAMAGED = {
    "cut off, with an end": JPEG[:HALF] + JPEG[-2:],
    "a part missing": JPEG[:HALF] + JPEG[HALF + 40 :],
    "noise in the middle": JPEG[:HALF] + np.random.default_rng(0).bytes(100) + JPEG[HALF + 100 :],
    "progressive": KINDS["progressive"][:-150] + JPEG[-2:],
    "cmyk": KINDS["cmyk"][:-150] + JPEG[-2:],
    "png": KINDS["png"][:200] + b"\x00\x01\x02" + KINDS["png"][203:],
    "palette": KINDS["palette"][:-20] + b"\x00\x01\x02" + KINDS["palette"][-17:],
}


def look(tmp_path, contents, full=True):
    (tmp_path / "image.jpg").write_bytes(contents)
    return look_at_image(tmp_path / "image.jpg", full)


@pytest.mark.parametrize("full", [True, False])
def test_kinds_are_told(tmp_path, full):
    expected = {
        "png": ("PNG", "RGB", 8),
        "palette": ("PNG", "palette", 8),
        "transparent": ("PNG", "RGB with alpha", 8),
        "bmp": ("BMP", "RGB", 8),
        "gif": ("GIF", "palette", 8),
        "webp": ("WEBP", "RGB", 8),
        "tiff": ("TIFF", "RGB", 8),
        "jpeg": ("JPEG", "RGB", 8),
        "cmyk": ("JPEG", "CMYK", 8),
    }
    for name, kind in expected.items():
        seen = look(tmp_path, KINDS[name], full)
        assert (seen.kind, seen.reason) == (Kind(*kind), ""), name
        assert (seen.height, seen.width) == (20, 30)
        assert seen.full == (full or name == "tiff")  # A TIFF file has no end of its own.
    assert look(tmp_path, SIDEWAYS_JPEG, full).kind == Kind("JPEG", "RGB", 8, orientation=6)
    one_bit = encoded(IMAGE.convert("1"), "BMP")
    assert look(tmp_path, one_bit, full).kind == Kind("BMP", "1-bit", 1)


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_that_a_decoder_fills_up_with_gray_is_seen(tmp_path, kind):
    """Both decoders gave half an image without a word."""
    assert look(tmp_path, DAMAGED[kind]).reason
    assert not look(tmp_path, DAMAGED[kind], full=False).reason


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    "kind", ["truncated png", "truncated webp", "truncated jpeg", "empty", "text", "pdf", "bomb"]
)
def test_bad_files_are_told_by_their_ends(tmp_path, kind, full):
    seen = look(tmp_path, BAD[kind], full)
    assert seen.kind is None
    assert seen.reason


def test_bytes_after_the_end_do_no_harm(tmp_path):
    for full in (True, False):
        seen = look(tmp_path, JPEG + b"appendix", full)
        assert (seen.reason, seen.full) == ("", True)


def test_avif_is_named_with_the_way_out(tmp_path):
    head = b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B"  # Older versions of Pillow write none.
    assert "of AVIF: convert to JPEG" in look(tmp_path, head + bytes(100)).reason


def test_what_is_no_file_does_not_keep_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert look_at_image(tmp_path / "pipe.jpg", full=False).reason == "no ordinary file"
    assert look_at_image(tmp_path / "no.jpg", full=True).reason == "No such file or directory"
    assert look_at_array(tmp_path / "no.npy", True, None).reason == "No such file or directory"


@pytest.mark.parametrize("full", [True, False])
def test_arrays(tmp_path, full):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((5, 6, 13), np.uint8))
    assert look_at_array(path, full, 13)[:3] == (Kind("NPY", "13 x uint8", 8), 5, 6)
    assert look_at_array(path, full, 12).reason == "13 channels"
    content = path.read_bytes()
    for damaged in (b"", content[:-10], b"no array", content[:20]):
        path.write_bytes(damaged)
        assert look_at_array(path, full, 13).reason
    np.save(path, np.array([{}]))
    assert look_at_array(path, full, None).reason


def test_a_name_that_is_no_utf_8_is_read(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    Image.new("RGB", (4, 4)).save(path)
    assert not look_at_image(path, full=True).reason
