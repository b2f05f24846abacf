import io

import keras
import pytest

from keras_adasim.callbacks import Progress
from keras_adasim.callbacks import progress as module
from tests.callbacks.models import fit, plain


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """Time that passes only when told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)


class Model:
    """As much of a model as tells its metrics."""

    steps_per_execution = 1
    loss = 0.0

    def get_metrics_result(self):
        return {"loss": self.loss}


def _run(callback, clock, first_epoch=0, epochs=4, steps=5, compiling=60.0, step=2.0, between=4.0):
    """Plays the events of `fit`: one slow first step, then equal ones."""
    callback.set_model(Model())
    callback.set_params({"epochs": epochs, "steps": steps, "verbose": 0})
    callback.on_train_begin()
    for epoch in range(first_epoch, epochs):
        callback.on_epoch_begin(epoch)
        for batch in range(5):
            callback.on_train_batch_begin(batch)
            clock.now += compiling if epoch == first_epoch and batch == 0 else step
            callback.model.loss = 5.0 - epoch
            callback.after_step()
        clock.now += between
        callback.on_epoch_end(epoch, {"gate_open": 0.25, "knn_top1": 0.5, "loss": 5.0 - epoch})
    callback.on_train_end()


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_lines_of_a_log_file(clock):
    out = io.StringIO()
    _run(Progress(batch_size=32, stream=out, interval=5.0), clock)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("tracing the training step")
    assert lines[1] == "first step done after 1:00"
    # The rate leaves the compilation out: 32 images in 2 s.
    assert lines[2] == "epoch 1/4  step 1/5  loss 5"
    assert lines[3].startswith("epoch 1/4  step 4/5  loss 5  16 images/s  left 0:02  of the run")
    # Three epochs of five steps of 2 s, and 4 s after each.
    assert lines[4] == (
        "epoch 1/4  loss 5  knn_top1 0.5  gate_open 0.25  16 images/s  took 1:12  left 0:42"
    )
    assert lines[-2] == ("epoch 4/4  loss 2  knn_top1 0.5  gate_open 0.25  16 images/s  took 0:14")
    assert lines[-1] == "trained 4 epochs in 1:54"
    assert "\r" not in out.getvalue()


def test_log_file_gets_a_line_an_interval(clock):
    few, many = io.StringIO(), io.StringIO()
    _run(Progress(stream=few, interval=1000.0), clock)
    _run(Progress(stream=many, interval=1.0), clock)
    assert few.getvalue().count("step ") == 1  # "first step done"
    assert many.getvalue().count("/5  loss") == 20


def test_terminal_rewrites_its_line(clock):
    out = Terminal()
    _run(Progress(batch_size=32, stream=out), clock)
    ended = out.getvalue().split("\n")
    assert len(ended) == 2 + 4 + 1 + 1
    assert "\repoch 1/4  step 4/5" in ended[2]
    assert ended[2].rsplit("\r", 1)[1].startswith("epoch 1/4  loss 5")
    assert all(line.endswith("\x1b[K") for line in ended[:-1])


def test_terminal_line_is_not_wrapped(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "24")
    out = Terminal()
    _run(Progress(batch_size=32, stream=out), clock)
    updates = [part for part in out.getvalue().split("\r") if "step 4/5" in part]
    assert updates
    assert all(len(part.removesuffix("\x1b[K")) <= 23 for part in updates)


def test_resumed_run_counts_what_is_left(clock):
    out = io.StringIO()
    _run(Progress(batch_size=32, stream=out), clock, first_epoch=2)
    lines = out.getvalue().splitlines()
    first = next(line for line in lines if line.startswith("epoch 3/4  loss"))
    assert first.endswith("left 0:14")
    assert lines[-1].startswith("trained 2 epochs")


def test_images_per_second(clock):
    by_total = Progress(total_images=160, stream=io.StringIO())
    assert by_total.images_per_second is None
    _run(by_total, clock)
    assert by_total.images_per_second == pytest.approx(16)
    out = io.StringIO()
    neither = Progress(stream=out)
    _run(neither, clock)
    assert neither.images_per_second is None
    assert "0.5 steps/s" in out.getvalue()


def test_unknown_number_of_steps(clock):
    out = io.StringIO()
    _run(Progress(batch_size=32, stream=out, interval=0.0), clock, steps=None)
    lines = out.getvalue().splitlines()
    assert lines[3] == "epoch 1/4  step 2  loss 5  16 images/s"
    assert any(line.startswith("epoch 2/4  step 2/5") for line in lines)


def test_finished_run(clock):
    out = io.StringIO()
    _run(Progress(stream=out), clock, first_epoch=4)
    assert out.getvalue() == "nothing left to train: all 4 epochs are done\n"


def test_hours():
    assert module._clock(3_725.4) == "1:02:05"
    assert module._clock(59.6) == "1:00"


def test_skipped_steps_are_shown_if_there_are_any():
    assert module._values({"loss": 1.5, "skipped_steps": 0.0}) == ["loss 1.5"]
    assert module._values({"a": 1, "skipped_steps": 2.0}) == ["skipped_steps 2", "a 1"]


def test_in_fit(capsys):
    fit(plain(), 2, [Progress(batch_size=4)])
    out = capsys.readouterr().out
    assert out.count("tracing the training step") == 1
    assert "epoch 2/2  loss" in out


def test_two_replicas(two_replicas, capsys):
    with two_replicas.scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    fit(model, 1, [Progress(total_images=16)])
    assert "epoch 1/1  loss" in capsys.readouterr().out


def test_line_of_an_epoch_holds_the_most_telling_values(clock):
    # With all measures in it a line had more than 300 columns.
    out = io.StringIO()
    callback = Progress(batch_size=32, stream=out)
    telling = [name for name in module.TELLING if name != "skipped_steps"]
    values = {name: -1.234e-05 for name in reversed(telling)}
    values = {"entropy": 1.0, **values, "loss": 5.0}
    callback.set_model(Model())
    callback.set_params({"epochs": 1, "steps": 5, "verbose": 0})
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    for _ in range(5):
        clock.now += 2.0
        callback.after_step()
    callback.on_epoch_end(0, values)
    callback.on_train_end()
    line, *more = lines = out.getvalue().splitlines()[1:-1]
    assert line.startswith(
        "epoch 1/1  loss 5  collapse_signs -1.234e-05  knn_top1 -1.234e-05  probe_top1"
    )
    assert line.endswith("16 images/s  took 0:10")
    assert max(map(len, lines)) <= 160
    shown = [part.split(" ")[0] for text in lines for part in text.split("  ")]
    for name in values:
        assert shown.count(name) == 1
    assert all(text.startswith("and at the end  ") for text in more)
    assert lines[-1].endswith("entropy 1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, r"`batch_size` to be a positive integer. Received: batch_size=0"),
        ({"total_images": "9"}, r"`total_images` to be a positive integer.*total_images='9'"),
        ({"interval": float("nan")}, r"`interval` to be a non-negative number.*interval=nan"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Progress(**arguments)
