"""A run from the command line, and what the other commands make of it."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import backbones, export
from keras_adasim.commands import convert, embed, pretrain
from keras_adasim.commands.backbone import load_embedder
from keras_adasim.commands.export import export_run
from keras_adasim.commands.network import load_network
from keras_adasim.export import saved_model
from keras_adasim.layers.preprocessing import IMAGENET_MEAN, IMAGENET_STD, preprocess
from tests.commands.test_console import run
from tests.pretraining.runs import IGNORED, eagerly, make_images, no_export, one_block

pytestmark = pytest.mark.filterwarnings(IGNORED)
SMALL = ["--backbone=vit_mini", "--image_size=8", "--patch_size=4", "--batch_size=12", "--topk=4"]
SMALL += ["--epochs=1", "--window=1", "--xla=no", "--out_dim=16", "--hidden_dim=8", "--knn_k=3"]
SMALL += ["--exclude=color_jitter,grayscale,solarize"]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("data") / "images")


@pytest.fixture(scope="module", autouse=True)
def _one_block():
    with one_block():
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory, images):
    """The folder of a run, with all that belongs to it: graphs, measures, SavedModel."""
    out = tmp_path_factory.mktemp("runs") / "run"
    argv = [f"--data_dir={images}", f"--out={out}", *SMALL]
    pretrain.main(argv, program="keras-adasim pretrain")
    return out


@pytest.mark.large
def test_pretrain(finished):
    result = json.loads((finished / "result.json").read_text())
    assert 0 <= result["knn_after"] <= 1
    settings = result["provenance"]["settings"]
    assert (settings["backbone"], settings["patch_size"]) == ("vit_mini", 4)
    exported = tf.saved_model.load(result["saved_model"])
    assert exported.serve(np.zeros((2, 20, 30, 3), np.uint8))["features"].shape == (2, 12)


@pytest.mark.large
def test_a_run_is_a_backbone_for_the_other_commands(finished, images, tmp_path, capsys):
    flags = [f"--backbone={finished}", f"--data_dir={images}"]
    status, out, err = run(capsys, "knn", *flags, "--k=1", "--k=4")
    assert status == 0, err
    assert "24 training images, 24 test images" in out
    assert [line.split()[0] for line in out.splitlines()[-3:]] == ["k", "1", "4"]
    assert "24 features from the cache" in run(capsys, "knn", *flags, "--k=2")[1]
    file = tmp_path / "features.npz"
    flags = [f"--backbone={finished}", f"--data_dir={images / 'train'}", f"--out={file}"]
    assert run(capsys, "embed", *flags)[0] == 0
    with np.load(file) as arrays:
        assert arrays["features"].shape == (24, 12)
        assert list(arrays["class_names"]) == ["bright", "dark"]
        assert arrays["paths"][0].endswith(".png")
    status, _, err = run(capsys, "embed", *flags)
    assert (status, err.count("\n")) == (2, 1)
    assert "--overwrite" in err


@pytest.mark.large
def test_a_run_and_its_export_look_at_images_of_any_size(finished):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    expected = load_embedder(finished).look(pixels)
    newest = finished / "checkpoints" / "epoch-1"
    features = load_embedder(newest).look(pixels)["features"]
    np.testing.assert_array_equal(features, expected["features"])
    for folder in (finished, finished / "saved_model"):
        network = load_network(folder)
        found = network.look(tf.constant(pixels))
        np.testing.assert_allclose(found["features"], expected["features"], atol=1e-5)
        tokens = np.reshape(expected["tokens"], (3, 2, 2, -1))
        np.testing.assert_allclose(found["tokens"], tokens, atol=1e-5)
        network.check_sides(12, 20)
        assert network.folder == folder


@pytest.fixture
def bytes_alone(monkeypatch):
    """Exports are traced for uint8 images alone; that of the run is for all types."""
    monkeypatch.setattr(saved_model, "IMAGE_TYPES", (tf.uint8,))


@pytest.mark.large
def test_export_from_a_checkpoint(finished, tmp_path, capsys, bytes_alone):
    """The same features, in every form, also of a run that isn't finished."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    first = tf.saved_model.load(finished / "saved_model")
    expected = first.serve(pixels)["features"]
    export_run(finished, tmp_path / "again")
    second = tf.saved_model.load(tmp_path / "again")
    found = second.serve(pixels)["features"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    export_run(finished, tmp_path / "weights.safetensors", "torch")
    backbone = backbones.vit_mini(8, 4)
    backbones.load_torch_weights(backbone, tmp_path / "weights.safetensors")
    normalized = preprocess(tf.constant(pixels), 8, IMAGENET_MEAN, IMAGENET_STD)
    np.testing.assert_allclose(backbone(normalized)["features"], expected, atol=1e-4)
    with pytest.raises(FileExistsError, match="`overwrite`"):
        export_run(finished, tmp_path / "weights.safetensors", "torch")
    for path in (finished / "checkpoints" / "epoch-1", tmp_path / "again"):
        flags = [f"--backbone={path}", f"--out={tmp_path / 'x.keras'}", "--format=keras"]
        status, out, err = run(capsys, "export", *flags, "--overwrite")
        assert status == 0, err
        assert "largest deviation from the network: " in out
        loaded = keras.saving.load_model(tmp_path / "x.keras")
        np.testing.assert_allclose(loaded(pixels)["features"], expected, atol=1e-5)
    status, _, err = run(capsys, "export", f"--backbone={tmp_path}", f"--out={tmp_path / 'x'}")
    assert status == 2
    assert "no checkpoint" in err


@pytest.mark.slow
def test_the_second_call_goes_on(finished, images, capsys, monkeypatch):
    monkeypatch.setattr(export, "export_backbone", no_export)
    with eagerly():
        status, out, err = run(capsys, "pretrain", f"--data_dir={images}", f"--out={finished}")
    assert status == 0, err
    assert "goes on after epoch 1" in out
    flags = [f"--data_dir={images}", f"--out={finished}", "--out_dim=8"]
    status, _, err = run(capsys, "pretrain", *flags)
    assert status == 2
    assert "--out_dim=16" in err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "--data_dir=FOLDER"),
        (("--data_dir=/nowhere",), "/nowhere"),
        (("--data_dir=x", "--tfds=y"), "--tfds"),
        (("--data_dir={}", "--out=a", "--name=b"), "either --out"),
        (("--data_dir={}", "--epoch=3"), "epochs"),
        (("--data_dir={}", "--objective=byol", "--teacher_temperature=0.1"), "dino, esvit"),
        (("--data_dir={}", "--mean=a,b,c"), "--mean"),
        (("--data_dir={}", "--backbone=vit_smal"), "vit_small"),
        (("--data_dir={}", "--batch_size=7", "--devices=-1"), "--devices"),
    ],
)
def test_wrong_flags_get_one_line(images, tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, "pretrain", *(flag.format(images) for flag in flags))
    assert status == 2
    assert err.count("\n") == 1
    assert message in err
    assert not list(tmp_path.iterdir())


def test_help_shows_ten_flags_with_their_rules(images, capsys):
    status, out, _ = run(capsys, "pretrain", "--help")
    assert status == 0
    assert out.count("\n  --") == 10
    assert "Chosen without it" in out
    assert "--student_temperature" not in out
    _, out, _ = run(capsys, "pretrain", "--help", f"--data_dir={images}", "--backbone=vit_mini")
    assert "--batch_size  = 8" in out
    assert "--image_size  = 32" in out
    _, out, _ = run(capsys, "pretrain", "--helpfull")
    for word in ("--student_temperature", "[dino, esvit: 0.1]", "--fresh", "--queue_size"):
        assert word in out


@pytest.mark.slow
def test_home_is_home_in_every_path(images, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").symlink_to(images)
    flags = ["--data_dir=~/photos", "--out=~/run", "--dry_run", *SMALL]
    status, out, err = run(capsys, "pretrain", *flags)
    assert status == 0, err
    assert f"run           {tmp_path / 'run'}" in out
    for name in ("--weights=~/w.pth", "--tfds_dir=~/tfds"):
        extra = ["--tfds=nothing"] if "tfds" in name else ["--data_dir=~/photos"]
        status, _, err = run(capsys, "pretrain", *extra, name, "--dry_run", *SMALL)
        assert status == 2
    for command, *flags in (
        ("knn", "--backbone=~/none", "--data_dir=~/photos"),
        ("export", "--backbone=~/none", "--out=~/x"),
        ("convert", "--checkpoint=~/w.pth", "--backbone=vit_small", "--output=~/x"),
    ):
        status, _, err = run(capsys, command, *flags)
        assert status == 2
        assert "none" in err or str(tmp_path) in err


def mean_color():
    """The mean of each channel, as a backbone."""
    images = keras.Input((None, None, 3))
    tokens = keras.layers.Reshape((-1, 3))(keras.layers.AveragePooling2D(4)(images))
    features = keras.layers.GlobalAveragePooling1D()(tokens)
    return keras.Model(images, {"features": features, "tokens": tokens})


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "mean"
    export.export_backbone(mean_color(), path, 8)
    return path


def test_a_backbone_that_is_none_is_named(tmp_path):
    for identifier in (tmp_path, tmp_path / "nowhere", "vit_smal"):
        with pytest.raises((ValueError, OSError), match=str(identifier)):
            load_embedder(identifier)


def test_embed_writes_npz_files_alone(exported, images, tmp_path, capsys):
    flags = [f"--backbone={exported}", f"--data_dir={images / 'train'}"]
    status, _, err = run(capsys, "embed", *flags, f"--out={tmp_path / 'features.csv'}")
    assert status == 2
    assert ".npz" in err
    embed.main([*flags, f"--out={tmp_path / 'features.npz'}"])
    assert (tmp_path / "features.npz").exists()


@pytest.mark.large
def test_converted_checkpoints_give_the_networks_features(tmp_path, capsys, bytes_alone):
    model = backbones.vit_mini(16, 8)
    names = {f"module.backbone.{n}": array for n, array in backbones.torch_state(model).items()}
    np.savez(tmp_path / "vit.npz", **names)
    convert.convert(
        tmp_path / "vit.npz",
        "vit_mini",
        tmp_path / "out",
        patch_size=8,
        image_size=24,
        trained_size=16,
    )
    assert f"{model.count_params():,} parameters" in capsys.readouterr().out
    pixels = np.random.default_rng(0).integers(0, 256, (2, 30, 20, 3), np.uint8)
    normalized = preprocess(tf.constant(pixels), 24, IMAGENET_MEAN, IMAGENET_STD)
    loaded = tf.saved_model.load(tmp_path / "out")
    expected = model(normalized)["features"]
    np.testing.assert_allclose(loaded.serve(pixels)["features"], expected, atol=1e-4)
    with pytest.raises(FileNotFoundError, match=r"`checkpoint` to be a file. Received: .*gone"):
        convert.convert(tmp_path / "gone.pth", "vit_mini", tmp_path / "out")
