import numpy as np
import pytest
from PIL import Image

from keras_adasim.data.masks import read_mask, size_of

LABELS = np.random.default_rng(0).integers(0, 5, (6, 9), np.uint8)


@pytest.mark.parametrize("palette", [True, False])
def test_labels_are_places_in_the_palette_or_gray_values(tmp_path, palette):
    image = Image.fromarray(LABELS)
    if palette:
        image.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
    image.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), LABELS)
    assert size_of(tmp_path / "mask.png") == (6, 9)


@pytest.mark.parametrize("kind", ["RGB", "LA", "1", "I;16", "JPEG", "text", "damaged"])
def test_others_are_refused(tmp_path, kind):
    """Colors would be taken for three labels, and a JPEG's grays for labels that nobody drew."""
    path = tmp_path / "mask.png"
    if kind == "text":
        path.write_text("nothing")
    elif kind == "JPEG":
        Image.fromarray(LABELS).save(path, format="JPEG")
    elif kind == "I;16":
        Image.fromarray(LABELS.astype(np.uint16)).save(path)
    else:
        mode = "L" if kind == "damaged" else kind
        Image.fromarray(LABELS).convert(mode).save(path)
    if kind == "damaged":
        contents = bytearray(path.read_bytes())
        contents[-20] ^= 255
        path.write_bytes(contents)
    with pytest.raises(ValueError, match=r"mask\.png to be a mask, a PNG with a palette or of 8"):
        read_mask(path)
    if kind == "text":
        with pytest.raises(ValueError, match="to be an image"):
            size_of(path)
