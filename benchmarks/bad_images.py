"""Five hundred files of all kinds, sound and bad: which are found, named, or pass in silence.

    python benchmarks/bad_images.py [--files=500] [--seed=0] [--notrain]

makes files, looks at them as `keras-adasim check` does, and trains for two epochs on what is left,
during which more of them vanish or are damaged. A row per kind: files, how many are found and named
before the first step, how many while it trains, and how many bad ones pass in silence. Of sound
ones every alarm is a false one, and "wrong" counts those whose pixels aren't the image's. "clean"
counts damaged files that libjpeg decodes without a warning, by chance, as it does most of those
with one flipped bit: they are out of reach. Some minutes on two cores.
"""

import contextlib
import io
import json
import os
import pathlib
import struct
import tempfile
import zlib

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import simplejpeg
import skimage.data
from absl import app, flags
from PIL import Image

import keras_adasim as ka

FLAGS = flags.FLAGS
flags.DEFINE_integer("files", 500, "Files to make, about as many of each kind.")
flags.DEFINE_integer("seed", 0, "Seed of the images and of the damage.")
flags.DEFINE_bool("train", True, "Whether to train on them too.")
SIDE = 128


def encode(image, kind, **options):
    """Bytes of an image file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(image):
    """A JPEG file that lies on its side, and says so."""
    exif = Image.Exif()
    exif[274] = 6
    return encode(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


def deep(image, kind):
    """12 bits in 16, gray."""
    return encode(Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 16), kind)


# How a file of it begins; older versions of Pillow write none.
AVIF = b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B"


def bomb(image):
    """A PNG file that says that it has 3.6 thousand million pixels."""
    png = encode(image, "PNG")
    header = png[12:16] + struct.pack(">II", 60_000, 60_000) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]


SOUND = {
    "JPEG": lambda image, rng: encode(image, "JPEG", quality=95),
    "JPEG, progressive": lambda image, rng: encode(image, "JPEG", quality=95, progressive=True),
    "JPEG, CMYK": lambda image, rng: encode(image.convert("CMYK"), "JPEG", quality=95),
    "JPEG, gray": lambda image, rng: encode(image.convert("L"), "JPEG", quality=95),
    "JPEG, turned by EXIF": lambda image, rng: turned(image),
    "JPEG, bytes behind its end": lambda image, rng: encode(image, "JPEG", quality=95) + b"more",
    "PNG": lambda image, rng: encode(image, "PNG"),
    "PNG, palette": lambda image, rng: encode(image.quantize(256), "PNG"),
    "PNG, alpha": lambda image, rng: encode(image.convert("RGBA"), "PNG"),
    "PNG, 12 of 16 bits": lambda image, rng: deep(image, "PNG"),
    "BMP": lambda image, rng: encode(image, "BMP"),
    "BMP, 1 bit": lambda image, rng: encode(image.convert("1"), "BMP"),
    "GIF": lambda image, rng: encode(image.quantize(256), "GIF"),
    "WebP": lambda image, rng: encode(image, "WEBP", quality=95),
    "TIFF": lambda image, rng: encode(image, "TIFF", compression="tiff_lzw"),
    "TIFF, 12 of 16 bits": lambda image, rng: deep(image, "TIFF"),
}


def cut(contents, rng):
    """Without its end."""
    return contents[: int(len(contents) * rng.uniform(0.3, 0.9))]


def noise(contents, rng):
    """With 300 bytes of noise in the middle."""
    start = int(len(contents) * rng.uniform(0.4, 0.8))
    return contents[:start] + rng.bytes(300) + contents[start + 300 :]


def missing(contents, rng):
    """Without 300 bytes in the middle."""
    start = int(len(contents) * rng.uniform(0.4, 0.8))
    return contents[:start] + contents[start + 300 :]


def of(kind, damage):
    """A function that damages a file of a sound kind."""
    return lambda image, rng: damage(SOUND[kind](image, rng), rng)


BAD = {
    "JPEG, cut off": of("JPEG", cut),
    "JPEG, cut off, with an end": lambda image, rng: (
        cut(SOUND["JPEG"](image, rng), rng) + b"\xff\xd9"
    ),
    "JPEG, noise within": of("JPEG", noise),
    "JPEG, a part missing": of("JPEG", missing),
    "JPEG, progressive, a part missing": of("JPEG, progressive", missing),
    "JPEG, CMYK, a part missing": of("JPEG, CMYK", missing),
    "JPEG, turned, a part missing": of("JPEG, turned by EXIF", missing),
    "PNG, cut off": of("PNG", cut),
    "PNG, noise within": of("PNG", noise),
    "PNG, palette, noise within": of("PNG, palette", noise),
    "PNG, 16 bits, cut off": of("PNG, 12 of 16 bits", cut),
    "WebP, cut off": of("WebP", cut),
    "GIF, cut off": of("GIF", cut),
    "TIFF, cut off": of("TIFF", cut),
    "BMP, cut off": of("BMP", cut),
    "empty": lambda image, rng: b"",
    "zeros": lambda image, rng: bytes(5000),
    "text": lambda image, rng: b"<html>404 Not Found</html>",
    "PDF": lambda image, rng: b"%PDF-1.4 " + rng.bytes(1000),
    "decompression bomb": lambda image, rng: bomb(image),
    "AVIF called .jpg": lambda image, rng: AVIF + rng.bytes(1000),
}
LINKS = {
    "link to nothing": lambda path: os.symlink("/nowhere.jpg", path),
    "pipe": os.mkfifo,
}


def flip(image, rng):
    """A JPEG file with one flipped bit, behind its header."""
    contents = bytearray(SOUND["JPEG"](image, rng))
    contents[int(len(contents) * rng.uniform(0.3, 0.95))] ^= 1 << rng.integers(8)
    return bytes(contents)


def make_files(folder, rng, count):
    """Writes files, one kind after the other.

    Args:
        folder: Where to.
        rng: `numpy.random.Generator`.
        count: Number of files.

    Returns:
        Dict of file names to the kind and the image.
    """
    photographs = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    makers = {**SOUND, **BAD, **LINKS, "name that isn't UTF-8": SOUND["JPEG"], "one bit": flip}
    made = {}
    for number in range(count):
        kind = list(makers)[number % len(makers)]
        name = f"{number:04d}.jpg"
        if kind == "name that isn't UTF-8":
            name = os.fsdecode(b"%04d-caf\xe9.jpg" % number)
        photograph = photographs[rng.integers(3)]
        top, left = (rng.integers(side - SIDE) for side in photograph.shape[:2])
        image = Image.fromarray(photograph[top : top + SIDE, left : left + SIDE])
        if kind in LINKS:
            makers[kind](folder / name)
        else:
            (folder / name).write_bytes(makers[kind](image, rng))
        made[name] = kind, image
    return made


def is_right(source, name, image, one_bit):
    """Whether the pixels that are read are about those of the image, or of its black and white."""
    pixels = source[list(source.paths).index(name)].astype(float)
    gray = np.asarray((image.convert("1") if one_bit else image).convert("L"), float)
    if pixels.shape != (SIDE, SIDE, 3):
        return False
    return np.corrcoef(pixels.mean(axis=2).ravel(), gray.ravel())[0, 1] > 0.75


class DamageMore(keras.callbacks.Callback):
    """After the first epoch deletes some sound files, and damages others."""

    def __init__(self, paths):
        super().__init__()
        self.paths = paths

    def on_epoch_end(self, epoch, logs=None):
        """Once."""
        for path in self.paths[::2] if epoch == 0 else ():
            path.unlink()
        for path in self.paths[1::2] if epoch == 0 else ():
            path.write_bytes(path.read_bytes()[:-500] + b"\xff\xd9")


def train(folder, out, paths):
    """Trains on the folder while files of it go bad.

    Returns:
        What the run knows: dict of those left out, dict of those gone bad.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        ka.pretrain(
            folder,
            out,
            backbone="vit_mini",
            epochs=2,
            batch_size=16,
            image_size=32,
            in_memory="no",
            xla="no",
            max_bad_share=1.0,
            callbacks=[DamageMore(paths)],
        )
    known = json.loads((out / "bad_images.json").read_text())
    return known["left_out"], known["gone_bad"]


def main(_):
    """Prints the table."""
    rng = np.random.default_rng(FLAGS.seed)
    with tempfile.TemporaryDirectory() as parent:
        folder, out = pathlib.Path(parent) / "files", pathlib.Path(parent) / "run"
        folder.mkdir()
        made = make_files(folder, rng, FLAGS.files)
        source = ka.data.ImageFolder(folder)
        looks = ka.data.look_at(source, "full")
        found = {source.paths[i]: why for i, why in looks.reasons.items()} | source.left_out
        spoiled, known = [], ({}, {})
        wrong = count_wrong(source, made, found)
        if FLAGS.train:
            spoiled = [folder / name for name, (kind, _) in made.items() if kind == "JPEG, gray"]
            known = train(folder, out, spoiled)
        report(made, found, wrong, known, {path.name for path in spoiled}, folder)


def count_wrong(source, made, found):
    """Names of sound files that don't give their image."""
    sound, wrong = {*SOUND, "name that isn't UTF-8"}, set()
    for name, (kind, image) in made.items():
        looked_for = kind in sound and name not in found
        if looked_for and not is_right(source, name, image, "1 bit" in kind):
            wrong.add(name)
    return wrong


def decodes_cleanly(path):
    """Whether libjpeg decodes a file in full without a warning."""
    try:
        simplejpeg.decode_jpeg(path.read_bytes(), strict=True)
    except ValueError:
        return False
    return True


def report(made, found, wrong, known, spoiled, folder):
    """A row per kind, and the sum."""
    print("| kind | files | found | in the run | false | wrong | clean | silent |")
    print("|---|---|---|---|---|---|---|---|")
    total = np.zeros(7, int)
    for kind in dict.fromkeys(kind for kind, _ in made.values()):
        names = [name for name, (each, _) in made.items() if each == kind]
        bad = [name for name in names if name in found]
        later = [name for name in names if name in known[1]]
        is_bad = kind in {**BAD, **LINKS, "one bit": flip}
        missed = [name for name in names if name not in found] if is_bad else []
        clean = len([name for name in missed if decodes_cleanly(folder / name)])
        silent = len(missed) - clean
        silent += len([name for name in names if name in spoiled and name not in later])
        false = 0 if is_bad else len(bad)
        row = [len(names), len(bad), len(later), false, len(wrong & {*names}), clean, silent]
        total += row
        print("|", " | ".join([kind, *map(str, row)]), "|")
    print("|", " | ".join(["all", *map(str, total)]), "|")
    unnamed = [name for name, why in found.items() if not why]
    left_out = {name for name in found if name in known[0]}
    print(f"\n{len(found)} found, {len(unnamed)} without a reason", end="")
    if known[0]:
        print(f"; the run left out {len(left_out)}, and {len(spoiled)} were spoiled while it ran")


if __name__ == "__main__":
    app.run(main)
