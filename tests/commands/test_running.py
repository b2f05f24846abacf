"""Flags parsed, errors in one line, exit statuses."""

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from keras_adasim import backbones
from keras_adasim.commands import running
from keras_adasim.pretraining.stopping import Stopped


@pytest.fixture
def run(capsys):
    """Runs a command with one flag; returns exit status and standard error."""

    def define(values):
        flags.DEFINE_integer("steps", 3, "Steps.", flag_values=values)

    def call(main, *arguments):
        status = 0
        try:
            running.run("train", "Trains.", define, main, list(arguments))
        except SystemExit as stopped:
            status = stopped.code
        return status, capsys.readouterr().err

    return call


def _fail(error, *notes):
    def main(values):
        for note in notes:
            error.add_note(note)
        raise error

    return main


def test_flags_are_parsed_any_number_of_times(run):
    seen = []
    for number in (5, 6):
        assert run(lambda values: seen.append(values.steps), f"--steps={number}")[0] == 0
    assert seen == [5, 6]


@pytest.mark.parametrize("error", [ValueError("Expected a\n  thing."), FileNotFoundError("gone.")])
def test_mendable_errors_are_one_line(run, error):
    status, printed = run(_fail(error))
    assert status == 2
    assert printed == "train: " + " ".join(str(error).split()) + "\n"


def test_of_an_error_in_a_layer_the_cause_is_told(run):
    patches = backbones.VisionTransformer(8, 4, 8, 1, 2).patch_embedding
    with pytest.raises(ValueError, match="Exception encountered") as caught:
        patches(np.zeros((1, 9, 9, 3)))
    status, printed = run(_fail(caught.value))
    assert status == 2
    assert printed.startswith("train: Expected images whose height and width are multiples of")
    assert printed.endswith("Received: height=9, width=9\n")


def test_arguments_are_named_as_flags(run):
    _, printed = run(_fail(ValueError("Expected `steps` and `other`. Received: steps=0")))
    assert "Expected --steps and `other`" in printed


@pytest.mark.parametrize(
    ("argument", "message"),
    [("--stops=1", "Unknown command line flag 'stops'"), ("--steps=x", "--steps=x"), ("5", "'5'")],
)
def test_wrong_flags_are_one_line(run, argument, message):
    status, printed = run(lambda values: None, argument)
    assert status == 2
    assert printed.count("\n") == 1
    assert message in printed


def test_traceback_on_request(run, monkeypatch):
    monkeypatch.setenv("KERAS_ADASIM_TRACEBACK", "1")
    with pytest.raises(ValueError, match="here"):
        run(_fail(ValueError("here")))


def test_failures_of_a_run_name_their_traceback(run):
    """An error after hours used to end in a page of traceback."""
    error = RuntimeError("a bug\nwith many\nlines")
    status, printed = run(_fail(error, "The traceback is in out/traceback.txt"))
    assert status == 1
    assert printed == "train: RuntimeError: a bug. The traceback is in out/traceback.txt\n"
    status, _ = run(_fail(ValueError("late"), "The traceback is in out/traceback.txt"))
    assert status == 1


def test_interruption_is_quiet(run):
    assert run(_fail(KeyboardInterrupt())) == (130, "")
    assert run(_fail(Stopped("SIGTERM", 143))) == (143, "")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("nan", "an integer"), ("1.5", "an integer"), ("", "an integer")],
)
def test_a_flag_of_another_type_says_what_was_expected_and_what_came(run, typed, expected):
    _, printed = run(lambda values: None, f"--steps={typed}")
    assert printed == f"train: Expected --steps to be {expected}. Received: --steps={typed}\n"


def test_errors_of_tensorflow_are_the_line_that_tells(run):
    """They used to be 'Graph execution error:'."""
    message = "Graph execution error:\n\nDetected at node A defined at\nNo room.\n\t [[{{node A}}]]"
    status, printed = run(_fail(tf.errors.ResourceExhaustedError(None, None, message)))
    assert (status, printed.count("\n")) == (1, 1)
    message = "Graph execution error:\n\nDetected at node A\nNo room. [[{{node A}}]] [Op:B]"
    _, printed = run(_fail(tf.errors.ResourceExhaustedError(None, None, message)))
    assert printed == "train: ResourceExhaustedError: No room.\n"
