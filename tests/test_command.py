import sys

import pytest
from absl import flags

from keras_adasim import command


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs a command with flags of its own; returns exit status and standard error."""
    monkeypatch.setattr(flags, "FLAGS", flags.FlagValues())
    flags.DEFINE_integer("steps", 3, "Steps.", flag_values=flags.FLAGS)

    def call(main, *arguments):
        monkeypatch.setattr(sys, "argv", ["path/train.py", *arguments])
        status = 0
        try:
            command.run(main)
        except SystemExit as stopped:
            status = stopped.code
        return status, capsys.readouterr().err

    return call


def _fail(error):
    def main():
        raise error

    return main


def test_flags_are_parsed(run):
    seen = []
    status, _ = run(lambda: seen.append(flags.FLAGS.steps), "--steps=5")
    assert seen == [5]
    assert status == 0


@pytest.mark.parametrize("error", [ValueError("Expected a\n  thing."), FileNotFoundError("gone")])
def test_mendable_errors_are_one_line(run, error):
    status, printed = run(_fail(error))
    assert status == 2
    assert printed == "train.py: " + " ".join(str(error).split()) + "\n"


@pytest.mark.parametrize(
    ("argument", "message"),
    [("--stops=1", "Unknown command line flag 'stops'"), ("--steps=x", "--steps=x"), ("5", "'5'")],
)
def test_wrong_flags_are_one_line(run, argument, message):
    status, printed = run(lambda: None, argument)
    assert status == 2
    assert printed.count("\n") == 1
    assert message in printed


def test_traceback_on_request(run, monkeypatch):
    monkeypatch.setenv("KERAS_ADASIM_TRACEBACK", "1")
    with pytest.raises(ValueError, match="here"):
        run(_fail(ValueError("here")))


def test_other_errors_keep_their_traceback(run):
    with pytest.raises(RuntimeError, match="a bug"):
        run(_fail(RuntimeError("a bug")))


def test_interruption_is_quiet(run):
    assert run(_fail(KeyboardInterrupt())) == (130, "")
