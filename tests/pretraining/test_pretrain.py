"""A run's life: started, finished, continued, moved, stopped, failed."""

import contextlib
import io
import json
import os
import pathlib
import random
import shutil
import signal
import threading
import time

import keras
import numpy as np
import pytest

import keras_adasim as ka
from keras_adasim.commands.running import status
from keras_adasim.objectives.symptom import Symptom
from keras_adasim.pretraining import page, stopping
from keras_adasim.pretraining.run_lock import RunLock
from tests.models import tiny
from tests.pretraining.runs import (
    IGNORED,
    content,
    make_images,
    pretrain,
    quick,
    small_backbone,
)

pytestmark = pytest.mark.filterwarnings(IGNORED)


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """A run's life is no matter of graphs or exports, which test_whole_run has."""
    with quick():
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_images(tmp_path_factory.mktemp("data") / "images")


@pytest.fixture(scope="module")
def unlabeled(images):
    """The training images as two flat folders."""
    return [images / "train" / name for name in ("dark", "bright")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, images):
    """The folder of a run of two epochs, and what it returned."""
    out = tmp_path_factory.mktemp("runs") / "first"
    return out, pretrain(images, out)


@pytest.fixture(scope="module")
def in_a_thread(tmp_path_factory, unlabeled):
    """A run without labels: folder, what it returned, what it printed."""
    out, results, printed = tmp_path_factory.mktemp("runs") / "second", [], io.StringIO()
    run = threading.Thread(target=lambda: results.append(pretrain(unlabeled, out, epochs=1)))
    with contextlib.redirect_stdout(printed):
        run.start()
        run.join()
    return out, results[0], printed.getvalue()


@pytest.fixture
def copy(finished, tmp_path):
    """The first run, moved and renamed."""
    return pathlib.Path(shutil.copytree(finished[0], tmp_path / "elsewhere" / "renamed"))


@pytest.fixture
def second(in_a_thread, tmp_path):
    """The one without labels, moved."""
    return pathlib.Path(shutil.copytree(in_a_thread[0], tmp_path / "elsewhere" / "second"))


def test_a_run_leaves_its_results(finished):
    out, result = finished
    assert json.loads((out / "result.json").read_text()) == result
    for name in ("knn_before", "knn_after", "knn_raw_pixels", "gate_open", "images_per_second"):
        assert result[name] >= 0
    assert result["rank_me"] >= 1
    assert result["before"]["rank_me"] >= 1
    assert (result["image_size"], result["channels"], result["knn_images"]) == (tiny.SIZE, 3, 24)
    provenance = result["provenance"]
    assert provenance["versions"]["keras_adasim"] == ka.__version__
    assert provenance["images"] == 24
    assert len(provenance["data_fingerprint"]) == 16
    assert provenance["settings"]["out_dim"] == 16
    assert result["saved_model"] == str(out / "saved_model")
    assert len((out / "log.csv").read_text().splitlines()) == 3
    assert list((out / "tensorboard").rglob("events*"))
    assert not list(out.rglob("*.tmp"))


@pytest.mark.slow
def test_a_finished_run_is_not_run_again_wherever_it_lies(finished, copy, images, capsys):
    """A moved run used to be refused, since its settings held its paths.

    Killed before it wrote its result, it had lost its rate; and each start left a file of events.
    """
    (copy / "result.json").unlink()
    events = list((copy / "tensorboard").rglob("events*"))
    again = pretrain(str(images) + "/", str(copy) + "/", in_memory="no", knn_every=2)
    printed = capsys.readouterr().out
    assert "goes on after epoch 2" in printed
    assert "nothing left to train" in printed
    for name in ("knn_after", "rank_me", "images_per_second"):
        assert again[name] == finished[1][name]
    assert list((copy / "tensorboard").rglob("events*")) == events
    assert again["collapse"] == {}
    assert again["saved_model"] == str(copy / "saved_model")


@pytest.mark.slow
def test_what_was_chosen_at_the_start_is_kept(copy, images, capsys):
    """More epochs go on, and nothing else has to be passed again."""
    result = ka.pretrain(images, copy, small_backbone(), augment=tiny.crops_only(), epochs=3)
    printed = capsys.readouterr().out
    assert "3 epochs instead of 2: its schedules end there now" in printed
    assert "epoch 3/3" in printed
    settings = result["provenance"]["settings"]
    assert (settings["epochs"], settings["out_dim"], settings["topk"]) == (3, 16, 4)
    assert content(copy)["settings.json"]["settings"]["epochs"] == 3


def test_settings_that_decide_the_weights_must_stay(copy, images):
    before = content(copy)
    with pytest.raises(ValueError, match=r"`learning_rate`=0\.0005.*learning_rate=1\.0.*fresh"):
        pretrain(images, copy, learning_rate=1.0)
    with pytest.raises(ValueError, match=r"`pairing`=adasim.*pairing=self"):
        pretrain(images, copy, pairing="self")
    with pytest.raises(ValueError, match=r"`epochs` of at least 2.*epochs=1"):
        pretrain(images, copy, epochs=1)
    with pytest.raises(ValueError, match=r"`augment` to be DINOAugment"):
        pretrain(images, copy, augment=None)
    assert content(copy) == before


@pytest.mark.slow
def test_fresh_keeps_the_old_run_under_another_name(copy):
    """Other images and settings are no matter then."""
    kept = content(copy)["result.json"]["knn_after"]
    result = pretrain(tiny.images(), copy, fresh=True, epochs=1, pairing="self")
    assert result["epochs"] == 1
    assert content(copy.with_name("renamed.before-1"))["result.json"]["knn_after"] == kept


@pytest.mark.parametrize("fresh", [False, True])
def test_folders_of_others_are_left_alone(tmp_path, images, fresh):
    """A result.json of somebody else's used to be deleted."""
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(ValueError, match=r"`out` to be a new or empty folder.*\(result\.json\)"):
        pretrain(images, tmp_path, fresh=fresh)
    assert (tmp_path / "result.json").read_text() == "{}"


def test_names_that_nothing_can_be_written_under(tmp_path, images):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(OSError, match="`out`"):
            pretrain(images, out)
    for out in ("", None, 3):
        with pytest.raises(ValueError, match="`out`"):
            pretrain(images, out)


def test_other_images_of_the_same_number_are_refused(copy, tmp_path):
    """They were trained on with the bank and the window of the first ones."""
    others = make_images(tmp_path / "others", size=11)
    before = content(copy)
    with pytest.raises(ValueError, match=r"half of the 24 images.*Received: 0 .*`accept_changes`"):
        pretrain(others, copy)
    # If one insists, the network goes on, and the bank begins anew.
    assert pretrain(others, copy, accept_changes=True, dry_run=True) is None
    assert content(copy) == before


@pytest.mark.slow
def test_what_is_passed_is_compared_even_if_it_is_the_default(second, unlabeled):
    """`backbone="vit_small"` used to count as not passed."""
    with pytest.raises(ValueError, match=r"`backbone`=Functional.*backbone=vit_small"):
        pretrain(unlabeled, second, backbone="vit_small")


@pytest.mark.large
def test_a_run_that_collapses_is_stopped_or_told(second, unlabeled, monkeypatch, capsys):
    """The alarm goes on counting where the run was left, and its end has a status of its own."""
    whatever = Symptom("no luck", {"loss": (0.0, 1e9)}, "it happens", "Try again")
    monkeypatch.setattr(ka.objectives.DINO, "symptoms", lambda self: [whatever])
    pages = []
    monkeypatch.setattr(page, "write_at_end", lambda folder, *rest: pages.append(folder.path))
    with pytest.raises(ka.CollapseError, match="no luck since epoch 2") as stopped:
        pretrain(unlabeled, second, epochs=4, on_collapse="stop")
    assert status(stopped.value) == 1
    assert len((second / "log.csv").read_text().splitlines()) == 1 + 4  # The last epoch, too.
    assert pages == [second]
    with pytest.raises(ka.CollapseError, match="no luck since epoch 2"):
        pretrain(unlabeled, second, epochs=4, on_collapse="stop")
    with pytest.raises(ka.CollapseError, match="no luck since epoch 2"):
        pretrain(unlabeled, second, epochs=5, on_collapse="stop")
    capsys.readouterr()
    result = pretrain(unlabeled, second, epochs=5, on_collapse="warn")
    printed = capsys.readouterr().out
    assert printed.count("warning: no luck since epoch 2") == 1
    assert result["collapse"] == {"no luck": 2}
    assert "collapse_signs 1" in printed


@pytest.mark.large
def test_a_run_without_a_checkpoint_never_blocks_its_name(second, unlabeled):
    """One that died in its first epoch could be neither continued nor started again."""
    shutil.rmtree(second / "checkpoints")
    result = pretrain(unlabeled, second, epochs=1, learning_rate=1e-3)
    assert result["provenance"]["settings"]["learning_rate"] == 1e-3
    assert len((second / "log.csv").read_text().splitlines()) == 2


@pytest.mark.large
def test_runs_of_other_versions_are_refused_in_a_line(copy, images):
    settings = copy / "settings.json"
    for text, reason in (('{"epochs": 2}', "another version"), ("{", "damaged")):
        settings.write_text(text)
        with pytest.raises(ValueError, match=f"Received: .*{reason}.*fresh"):
            pretrain(images, copy)
    settings.unlink()
    with pytest.raises(ValueError, match=r"no settings\.json"):
        pretrain(images, copy)


def test_a_dry_run_prints_the_plan_and_leaves_nothing(tmp_path, images, finished, capsys):
    assert pretrain(images, tmp_path / "new", dry_run=True) is None
    printed = capsys.readouterr().out
    for word in ("images        24 of 3 channels", "steps         4 = 2 epochs x 2", "parameters"):
        assert word in printed
    for word in ("24 test images, classified by 24", "bank", "window", "checkpoint", "given"):
        assert word in printed
    assert not (tmp_path / "new").exists()
    pretrain(images, finished[0], dry_run=True)
    assert "first, which goes on after epoch 2" in capsys.readouterr().out


def test_images_without_labels_are_measured_too(in_a_thread, unlabeled, tmp_path):
    """They used to end without a word on what was learned."""
    _, result, printed = in_a_thread
    assert (result["epochs"], result["knn_after"]) == (1, None)
    for name in ("rank_me", "uniformity", "alignment", "staleness"):
        assert np.isfinite(result[name]), name
    assert "k-NN          left out" in printed
    assert "features      rank" in printed
    with pytest.raises(ValueError, match="`pairing=oracle`"):
        pretrain(unlabeled, tmp_path / "oracle", pairing="oracle")


def test_plans_of_methods_without_a_teacher_do_not_speak_of_one(tmp_path, capsys):
    for objective, word in (("simsiam", False), ("dino", True)):
        ka.pretrain(
            tiny.images(),
            tmp_path,
            small_backbone(),
            objective,
            image_size=8,
            epochs=1,
            dry_run=True,
        )
        assert ("teacher" in capsys.readouterr().out.split("batch  ")[0]) == word


def test_seeds_policy_and_handlers_are_left_as_they_were(tmp_path):
    """A run used to fix them for the whole process."""
    parts = {"backbone": small_backbone(), "augment": tiny.crops_only()}
    keras.utils.set_random_seed(11)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    expected = random.random(), np.random.random(), keras.random.uniform(()).numpy()  # noqa: NPY002
    keras.utils.set_random_seed(11)
    handler = signal.getsignal(signal.SIGINT)
    ka.pretrain(tiny.images(), tmp_path, **parts, dry_run=True, precision="float32", seed=5)
    found = random.random(), np.random.random(), keras.random.uniform(()).numpy()  # noqa: NPY002
    assert found == expected
    assert keras.mixed_precision.dtype_policy().name == "mixed_bfloat16"
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.large
@pytest.mark.parametrize("kind", ["SIGINT", "max_hours"])
def test_a_run_that_is_stopped_is_saved_within_its_epoch(
    tmp_path, images, finished, capsys, request, kind
):
    def press(batch, logs=None):
        if len(pressed) == 2:  # The first step of the second epoch.
            if kind == "max_hours":
                now = time.monotonic()
                patch.setattr(time, "monotonic", lambda: now + 7200)
            else:
                signal.raise_signal(getattr(signal, kind))
        pressed.append(batch)

    pressed = []
    # Those that start the tests in the background have them ignore it.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, handler))
    handlers = [signal.getsignal(each) for each in stopping.SIGNALS]
    callback = keras.callbacks.LambdaCallback(on_train_batch_begin=press)
    hours = {"max_hours": 1.5} if kind == "max_hours" else {}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(stopping.Stopped) as stopped:
        pretrain(images, tmp_path / "run", callbacks=[callback], **hours)
    assert len(pressed) == 3  # That step was still made, and no other.
    assert handlers == [signal.getsignal(each) for each in stopping.SIGNALS]
    reason = "1.5 hours are over" if hours else kind
    printed = capsys.readouterr().out
    assert f"stopped ({reason}); the same call goes on after epoch 1 and 1 steps" in printed
    assert stopped.value.status == {"SIGINT": 130, "max_hours": 75}[kind]
    result = pretrain(images, tmp_path / "run")
    assert "continuing after epoch 1 and 1 steps" in capsys.readouterr().out
    assert result["knn_after"] == finished[1]["knn_after"]
    np.testing.assert_allclose(result["rank_me"], finished[1]["rank_me"], rtol=1e-6)


def test_a_run_that_another_process_holds_is_refused(copy, images):
    lock = RunLock(copy / ".run.lock")
    with lock.held():
        for arguments in ({}, {"dry_run": True}, {"fresh": True}):
            with pytest.raises(
                ValueError, match=rf"{copy} to be held by nobody.*pid {os.getpid()}"
            ):
                pretrain(images, copy, **arguments)
        assert not copy.with_name("renamed.before-1").exists()
    assert pretrain(images, copy)["epochs"] == 2
    assert not lock.path.exists()


@pytest.mark.slow
def test_a_failure_leaves_its_traceback(second, unlabeled):
    class Fails(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck") as failed:
        pretrain(unlabeled, second, callbacks=[Fails()])
    path = second / "traceback.txt"
    assert "on_epoch_begin" in path.read_text()
    assert failed.value.__notes__ == [f"The traceback is in {path}"]
    assert pretrain(unlabeled, second)["epochs"] == 2
    assert not path.exists()


def test_what_a_worker_left_that_lost_its_chief_blocks_nothing(tmp_path, unlabeled):
    """A chief that was killed before it wrote anything bricked the folder for all of them."""
    for name in ("traceback.txt", "traceback1.txt"):
        (tmp_path / name).write_text("WorkerLostError")
    pretrain(unlabeled, tmp_path, dry_run=True)
    (tmp_path / "traceback_of_mine.txt").touch()
    with pytest.raises(ValueError, match=r"holds other files \(traceback_of_mine"):
        pretrain(unlabeled, tmp_path, dry_run=True)


@pytest.mark.parametrize("data", [None, 3, [], [np.zeros(3)], np.zeros((1, 8, 8, 3), np.uint8)])
def test_data_that_is_none_is_named(tmp_path, data):
    with pytest.raises(ValueError, match="`data`"):
        pretrain(data, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0.1}, "`temperature`.*moco_v3, nnclr, simclr.*a run with .*dino"),
        ({"learning_rat": 1.0}, "Did you mean `learning_rate`"),
        ({"learning_rate": "fast"}, "`learning_rate` to be a positive number"),
        ({"learning_rate": -1.0}, "`learning_rate` to be a positive number"),
        ({"momentum": 1.5}, "`momentum` to be in"),
        ({"epochs": 0}, "`epochs` to be a positive integer"),
        ({"seed": -1}, "`seed` to be a non-negative integer"),
        ({"knn_every": 0}, "`knn_every` to be a positive integer"),
        ({"channels": 1}, "`channels` to be 3"),
        ({"callbacks": None}, "`callbacks`"),
        ({"augment": "flip"}, "`augment`"),
        ({"fresh": "no"}, "`fresh` to be True or False"),
        ({"objective": ka.objectives.DINO}, "`objective` to be a name or a `Objective`"),
        ({"pairing": None}, "`pairing` to be one of"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"epochs": 2.5}, "`epochs`"),
        ({"objective": "dyno"}, "Did you mean `dino`"),
        ({"pairing": "neighbor"}, "`pairing` to be one of"),
        ({"precision": "float8"}, "`precision` to be one of"),
        ({"batch_size": 100}, "`batch_size` of at most the 32 training images"),
        ({"warmup_epochs": 3}, "`warmup_epochs` of at most"),
        ({"limit": 33}, "`limit`"),
        ({"devices": 1000}, "devices"),
    ],
)
def test_wrong_settings_are_named_and_leave_nothing(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        pretrain(tiny.images(), tmp_path / "run", **{"hidden_dim": 8, **changes})
    assert not (tmp_path / "run").exists()
