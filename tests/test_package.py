"""The package's names: what loads when, and that Keras knows the classes in any order."""

import subprocess
import sys

import pytest

KNOWN = "assert keras.saving.get_registered_object('keras_adasim>SelfDistillation')"


@pytest.mark.parametrize(
    "script",
    [
        f"import keras_adasim, keras; {KNOWN}",
        f"import keras, keras_adasim; {KNOWN}",
        f"from keras_adasim.augment import MultiCrop; import keras; {KNOWN}",
        f"from keras_adasim import pairing; import keras; {KNOWN}",
        f"import keras_adasim.layers.drop_path; import keras; {KNOWN}",
        f"import keras_adasim as ka; ka.optimizers.SGD; import keras; {KNOWN}",
        f"from keras_adasim import SelfDistillation; import keras; {KNOWN}",
        "import keras_adasim, sys; assert not {'keras', 'tensorflow'} & set(sys.modules)",
        "import keras_adasim.pairing, sys; assert not {'keras', 'tensorflow'} & set(sys.modules)",
        "import keras_adasim, inspect, keras; assert inspect.getsource(keras_adasim.augment)",
    ],
)
def test_in_a_fresh_process(script):
    """Keras did not know the classes if it was imported after the package."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
