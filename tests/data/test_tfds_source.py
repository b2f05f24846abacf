import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_adasim.data import PairDataset, TfdsSource, load_in_memory
from keras_adasim.pairing import SelfPairing

NUM_IMAGES = 10


def image(i):
    return np.random.default_rng(i).integers(0, 256, (8, 6, 3), dtype=np.uint8)


class TinyImages(tfds.core.GeneratorBasedBuilder):
    """Ten images of noise whose label is their number."""

    VERSION = tfds.core.Version("1.0.0")
    # Nothing is downloaded. TFDS would look for a list of checksums beside this file, for which
    # its version 4.9.10 needs a package that it does not require.
    url_infos = {}
    FEATURES = {
        "image": tfds.features.Image(shape=(8, 6, 3)),
        "label": tfds.features.ClassLabel(num_classes=NUM_IMAGES),
    }

    def _info(self):
        features = tfds.features.FeaturesDict(self.FEATURES)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(NUM_IMAGES):
            yield i, {"image": image(i), "label": i}


class TinyUnlabeled(TinyImages):
    """Images whose size the features do not tell, without labels."""

    FEATURES = {"image": tfds.features.Image(shape=(None, None, 3))}

    def _generate_examples(self):
        for i in range(NUM_IMAGES):
            yield i, {"image": image(i)}


class TinyText(TinyImages):
    """A data set without images."""

    FEATURES = {"text": tfds.features.Text()}

    def _generate_examples(self):
        yield 0, {"text": "no image"}


def prepare(builder, folder, file_format="array_record"):
    tfds.disable_progress_bar()
    builder(data_dir=folder, file_format=file_format).download_and_prepare()


def test_images_and_labels_are_given_by_index(tmp_path):
    prepare(TinyImages, tmp_path)
    source = TfdsSource("tiny_images", "train", tmp_path)
    assert len(source) == NUM_IMAGES
    assert source.image_size == (8, 6)
    np.testing.assert_array_equal(np.sort(source.labels), np.arange(NUM_IMAGES))
    for i, label in enumerate(source.labels):
        np.testing.assert_array_equal(source[i], image(label))


def test_a_part_of_a_split_can_be_asked_for(tmp_path):
    prepare(TinyImages, tmp_path)
    whole = TfdsSource("tiny_images", "train", tmp_path)
    part = TfdsSource("tiny_images", "train[3:7]", tmp_path)
    np.testing.assert_array_equal(part.labels, whole.labels[3:7])
    np.testing.assert_array_equal(part[0], whole[3])


def test_pairs_are_decoded_in_the_graph(tmp_path):
    prepare(TinyImages, tmp_path)
    source = TfdsSource("tiny_images", "train", tmp_path)
    batches = list(PairDataset(source, SelfPairing(), 5))
    for batch in batches:
        for index, own, partner in zip(*(batch[k].numpy() for k in batch), strict=True):
            np.testing.assert_array_equal(own, source[index])
            np.testing.assert_array_equal(partner, source[index])
    assert len(batches) == 2


def test_images_without_label_and_size(tmp_path):
    prepare(TinyUnlabeled, tmp_path)
    source = TfdsSource("tiny_unlabeled", "train", tmp_path)
    assert source.labels is None
    assert source.image_size is None
    assert load_in_memory(source).images.shape == (NUM_IMAGES, 8, 6, 3)


def test_a_set_that_is_not_prepared_is_an_error_with_the_command(tmp_path):
    command = f"`tfds build tiny_images --file_format=array_record --data_dir={tmp_path}`"
    with pytest.raises(FileNotFoundError, match=f"{command}. Received: a data set that is not"):
        TfdsSource("tiny_images", "train", tmp_path)
    prepare(TinyImages, tmp_path, "tfrecord")
    with pytest.raises(FileNotFoundError, match=f"{command}. Received: files of tfrecord"):
        TfdsSource("tiny_images", "train", tmp_path)


def test_an_unknown_set_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="Received: a data set that is unknown"):
        TfdsSource("no_such_images", "train", tmp_path)


def test_a_set_without_images_is_an_error(tmp_path):
    prepare(TinyText, tmp_path)
    with pytest.raises(ValueError, match=r"called 'image'. Received: name='tiny_text'"):
        TfdsSource("tiny_text", "train", tmp_path)


def test_a_damaged_image_is_named(tmp_path):
    prepare(TinyImages, tmp_path)
    source = TfdsSource("tiny_images", "train", tmp_path)
    source.read = lambda index: tf.constant(b"no image")
    with pytest.raises(ValueError, match="Expected image 2 of tiny_images, split train"):
        source[2]


def test_an_image_has_the_same_key_in_a_part_of_its_split(tmp_path):
    folder = tmp_path
    prepare(TinyImages, folder)
    whole = TfdsSource("tiny_images", "train", folder)
    part = TfdsSource("tiny_images", "train[20%:70%]", folder)
    assert list(part.keys) == list(whole.keys)[2:7]
    assert whole.keys[3].startswith("tiny_images/1.0.0/tiny_images-train.array_record-")
    assert whole.keys[3].endswith("__3")
    np.testing.assert_array_equal(part.fingerprints(), whole.fingerprints()[2:7])
    assert whole.fingerprints().all()
