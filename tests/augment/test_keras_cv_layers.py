import pathlib
import re

import keras_adasim

PACKAGE = pathlib.Path(keras_adasim.__file__).parent


def test_one_module_imports_keras_cv():
    """KerasCV is frozen, and a release of Keras will break it: then there is one place to mend."""
    imports = re.compile(r"^\s*(import|from) keras_cv\b", re.MULTILINE)
    found = [path for path in PACKAGE.rglob("*.py") if imports.search(path.read_text())]
    assert found == [PACKAGE / "augment" / "keras_cv_layers.py"]
