"""Features of many images in files that are written one after the other."""

import json

import numpy as np

from keras_adasim.files import expand, write_file, written_file
from keras_adasim.validation import check_choice, check_has, check_integer, check_switch

FORMATS = ("npz", "parquet")
MANIFEST = "embed.json"


def write_shards(number, arrays_of, folder, about, shard_size=10_000, form="npz", overwrite=False):
    """Writes arrays of many images as `00000.npz`, `00001.npz`, ... into a folder.

    What was begun goes on: files that are there are complete, and are left alone, if `about` is
    what it was.

    Args:
        number: Number of images, N.
        arrays_of: Function from the indices of some images, (n,) integers, to a dict of arrays with
            n rows, for instance `features` and `paths`.
        folder: The folder, new, empty or begun.
        about: Dict of what decides the arrays, such as fingerprints of the backbone and the images;
            it stands in `embed.json`.
        shard_size: Images of a file; the last may have fewer.
        form: `"npz"` or `"parquet"`, which needs pyarrow.
        overwrite: Whether to remove what was begun with another `about`.

    Yields:
        Tuples of a file's path and whether it was written now, in order.

    Raises:
        FileExistsError: If the folder holds something else, or was begun with another `about`.
        ImportError: If pyarrow is needed and not installed.
        ValueError: If an argument is out of range.

    Example:
        ```python
        import tempfile

        for path, is_new in ka.evaluation.shards.write_shards(
            5, lambda indices: {"features": np.eye(5)[indices]}, tempfile.mkdtemp(), {}, 2
        ):
            np.load(path)["features"].shape  # (2, 5), (2, 5), (1, 5)
        ```
    """
    check_integer("number", number)
    check_has("arrays_of", arrays_of, "a function of indices", "__call__")
    folder = expand(folder, "folder")
    check_integer("shard_size", shard_size)
    check_form(form)
    check_switch("overwrite", overwrite)
    check_has("about", about, "a dict", "keys")
    about = {**about, "number": number, "shard_size": shard_size, "format": form}
    _begin(folder, about, overwrite)
    for place, start in enumerate(range(0, number, shard_size)):
        path = folder / f"{place:05}.{form}"
        is_new = not path.exists()
        if is_new:
            indices = np.arange(start, min(start + shard_size, number))
            write_arrays(path, arrays_of(indices))
        yield path, is_new


def check_form(form):
    """Raises an error unless files of a format can be written here.

    Args:
        form: One of `FORMATS`.

    Raises:
        ImportError: If pyarrow is needed and not installed.
        ValueError: If it is none.
    """
    check_choice("form", form, FORMATS)
    if form == "parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise ImportError(
                "Expected pyarrow to be installed to write Parquet: `pip install "
                "'keras-adasim[parquet]'`, or write .npz. Received: no module of that name"
            ) from None


def write_arrays(path, arrays):
    """Writes arrays of equally many rows to one file, complete or not at all.

    In Parquet an array of more than one axis is a column of lists of its numbers, whose shape
    stands in the column's metadata.

    Args:
        path: The file, .npz or .parquet.
        arrays: Dict of arrays.
    """
    path = expand(path)
    with written_file(path) as file:
        if path.suffix == ".npz":
            np.savez(file, **arrays)
        else:
            _write_parquet(file, arrays)


def _begin(folder, about, overwrite):
    """Makes the folder ready, and leaves what belongs there."""
    manifest = folder / MANIFEST
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    begun = _read(manifest)
    if begun == json.loads(json.dumps(about)):
        return
    ours = [path for path in files if path == manifest or path.stem.isdigit()]
    if len(ours) < len([path for path in files if not path.name.startswith(".")]):
        raise FileExistsError(
            f"Expected `out` to be a new or empty folder, or one that was begun. Received: "
            f"out={folder}, which holds other files"
        )
    if ours and not overwrite:
        raise FileExistsError(
            "Expected `out` to be new, or begun with the same backbone, images and settings. "
            f"Received: out={folder}, begun with others. Pass `overwrite`, or choose another name."
        )
    for path in ours:
        path.unlink()
    write_file(manifest, json.dumps(about, indent=1) + "\n")


def _read(manifest):
    try:
        return json.loads(manifest.read_text())
    except (OSError, ValueError):
        return None


def _write_parquet(file, arrays):
    import pyarrow
    import pyarrow.parquet

    columns, fields = [], []
    for name, array in arrays.items():
        flat = pyarrow.array(array.ravel())
        if array.ndim > 1:
            flat = pyarrow.FixedSizeListArray.from_arrays(flat, int(np.prod(array.shape[1:])))
        columns.append(flat)
        shape = json.dumps(array.shape[1:])
        fields.append(pyarrow.field(name, flat.type, metadata={"shape": shape}))
    table = pyarrow.Table.from_arrays(columns, schema=pyarrow.schema(fields))
    pyarrow.parquet.write_table(table, file)
