"""One process at a time holds a run; the dead and the silent lose it."""

import json
import os
import subprocess
import sys

import pytest

from keras_adasim.pretraining.run_lock import SILENCE, RunLock

HOLD = """
import pathlib, sys
from keras_adasim.pretraining.run_lock import RunLock
with RunLock(pathlib.Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".run.lock"


@pytest.fixture
def other(path):
    """A process that holds it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def silence(path):
    """As after two minutes without a beat."""
    then = path.stat().st_mtime - SILENCE - 1
    os.utime(path, (then, then))


def acquire(path):
    with RunLock(path).held() as check_held:
        check_held()


def test_a_lock_is_free_again_afterwards(path):
    for _ in range(2):
        acquire(path)
        assert not path.exists()
    RunLock(path).check()
    assert not path.exists()


def test_one_process_excludes_itself_too(path):
    with RunLock(path).held():
        with pytest.raises(ValueError, match=f"held by nobody else.*pid {os.getpid()}, since 2"):
            acquire(path)
        with pytest.raises(ValueError, match="held by nobody else"):
            RunLock(path).check()
        assert json.loads(path.read_text())["pid"] == os.getpid()


@pytest.mark.large
def test_a_killed_process_loses_it_at_once(path, other):
    with pytest.raises(ValueError, match=f"pid {other.pid}, since"):
        acquire(path)
    other.kill()
    other.wait()
    acquire(path)


@pytest.mark.large
def test_a_frozen_process_loses_it_after_two_minutes(path, other):
    silence(path)
    with RunLock(path).held() as check_held:
        check_held()
        other.communicate(b"")  # It wakes up and ends, and leaves the file of the new holder.
        check_held()


def test_whoever_was_frozen_is_told(path):
    with RunLock(path).held() as check_held:
        silence(path)
        acquire(path)
        with pytest.raises(RuntimeError, match="another one has taken it over"):
            check_held()


@pytest.mark.parametrize("silent", [False, True])
def test_another_machine_is_known_by_its_beat(path, silent):
    path.write_text(json.dumps({"host": "elsewhere", "pid": 7, "since": "2026-01-01 00:00:00"}))
    if silent:
        silence(path)
        acquire(path)
    else:
        with pytest.raises(ValueError, match="host elsewhere, pid 7, since 2026-01-01 00:00:00"):
            acquire(path)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null"])
def test_a_file_without_a_holder_is_free(path, content):
    path.write_text(content)
    acquire(path)
