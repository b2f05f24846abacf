"""Training and test archives in one folder, told by their names."""

from keras_adasim.data.archives import (
    Archives,
    find_archives,
    is_archive,
    own_archives,
    words_of,
)
from keras_adasim.data.listing import some_names
from keras_adasim.data.split_folders import TESTS, TRAIN, holds_images, sub_folders
from keras_adasim.files import expand


def archive_splits(root, train_split="", test_split=""):
    """Finds training and test archives by the words in their names, as in `train-000.tar`.

    Args:
        root: A folder; or an archive, or a name such as `"train-{000..099}.tar"`, which is the
            training set.
        train_split: Word in the names of the training archives; found by default.
        test_split: The same for the test archives.

    Returns:
        Tuple of the training `Archives` and a list of the candidates for test `Archives`, best
        first; or None of a folder whose archives don't tell.

    Raises:
        ValueError: If some archives tell, and others don't.
    """
    if is_archive(root):
        return find_archives(root), []
    folder = expand(root, "data_dir")
    if not folder.is_dir() or train_split == ".":
        return None
    archives = own_archives(folder)
    if not archives or sub_folders(folder) or holds_images(folder):
        return None
    train = _called((train_split.lower(),) if train_split else TRAIN, archives)
    kinds = ((test_split.lower(),),) if test_split else TESTS
    tests = [found for found in (_called(names, archives) for names in kinds) if found]
    if not tests and not train_split:
        return None  # All are training archives, whatever they are called.
    rest = set() if train_split else {*archives}.difference(train, *tests)
    rest = sorted(rest.difference(_called((*TRAIN, *TESTS[0], *TESTS[1]), archives)))
    if not train or rest:
        wanted = f"have {train_split!r} in their names" if train_split else "be called train-*.tar"
        raise ValueError(
            f"Expected training archives in {folder} to {wanted}, all of them: rename them, lay "
            "them in folders train and test, or name words by `train_split` and `test_split`, "
            f"`train_split='.'` taking all. Received: {some_names(rest or archives)}"
        )
    return Archives(folder, train, {}), [Archives(folder, names, {}) for names in tests]


def _called(words, archives):
    return [name for name in archives if words_of(name) & {*words}]
