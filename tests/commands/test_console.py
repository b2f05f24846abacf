"""`keras-adasim` itself: lists, version, and what it doesn't know."""

import runpy
import sys

import pytest

import keras_adasim
from keras_adasim.commands import console


def run(capsys, *arguments):
    """Exit status, standard output and standard error of a command line."""
    status = 0
    try:
        console.main(list(arguments))
    except SystemExit as stopped:
        status = stopped.code
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_alone_it_lists_commands_and_exit_statuses(capsys, arguments):
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    for word in (*console.COMMANDS, "Exit status", "130"):
        assert word in out


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"keras-adasim {keras_adasim.__version__}\n", "")


def test_unknown_commands_get_one_line(capsys):
    status, _, err = run(capsys, "pretrian")
    assert status == 2
    assert err.count("\n") == 1
    assert "Did you mean `pretrain`?" in err


@pytest.mark.parametrize("name", console.COMMANDS)
def test_every_command_has_help_and_refuses_unknown_flags(capsys, name):
    """The status of `--help` used to be 1."""
    status, out, _ = run(capsys, name, "--help")
    assert status == 0
    assert f"keras-adasim {name}" in out
    status, _, err = run(capsys, name, "--color=red")
    assert status == 2
    assert err.startswith(f"keras-adasim {name}: ")
    assert err.count("\n") == 1
    assert "color" in err


@pytest.mark.parametrize("name", sorted(set(console.COMMANDS) - {"pretrain", "launch"}))
def test_a_module_of_evaluation_is_the_command(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    runpy.run_module(f"evaluation.{name}", run_name="__main__")
    of_module = capsys.readouterr().out
    status, out, _ = run(capsys, name, "--help")
    assert status == 0
    begin, other = f"keras-adasim {name} ", f"python -m evaluation.{name} "
    assert out.startswith(begin)
    assert of_module == other + out.removeprefix(begin)
