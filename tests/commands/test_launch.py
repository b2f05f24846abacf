"""Workers that are started, watched, started again and ended."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from keras_adasim.commands import launch, worker_processes
from keras_adasim.commands.worker_processes import WorkerProcesses, reserved_ports
from tests.test_package import ROOT

# Stands in for a worker, without TensorFlow: does what its word says.
SCRIPT = """
import json, os, pathlib, signal, sys, time
config = json.loads(os.environ["TF_CONFIG"])
index, addresses = config["task"]["index"], config["cluster"]["worker"]
assert len(set(addresses)) == len(addresses)
folder, *words = sys.argv[2:]
tries = pathlib.Path(folder) / f"tries{index}"
number = len(tries.read_text()) if tries.exists() else 0
tries.write_text("x" * (number + 1))
def leave(number, frame):
    print("told to stop", flush=True)
    sys.exit(128 + number)
signal.signal(signal.SIGTERM, leave)
word = words[min(number, len(words) - 1)].split(",")[index]
print(f"worker {index} will {word}", flush=True)
if word == "die":
    os.kill(os.getpid(), signal.SIGKILL)
elif word == "wait":
    (pathlib.Path(folder) / f"waits{index}").touch()
    time.sleep(60)
elif word == "advance":
    (pathlib.Path(folder) / f"checkpoints/epoch-{number + 1}").mkdir(parents=True)
    sys.exit(3)
else:
    sys.exit(int(word))
"""


def keep_going(folder, *words):
    workers = WorkerProcesses(2, [str(folder), *words], script=SCRIPT)
    return launch.keep_going(workers, folder)


def tries(folder):
    return [len((folder / f"tries{index}").read_text()) for index in range(2)]


def test_all_are_started_again_after_a_death(tmp_path, capfd):
    assert keep_going(tmp_path, "3,die", "3,7", "0,0") == 0
    assert tries(tmp_path) == [3, 3]
    out, err = capfd.readouterr()
    assert out.splitlines() == ["worker 0 will 3", "worker 0 will 3", "worker 0 will 0"]
    assert err.splitlines() == [
        "keras-adasim launch: worker 1: worker 1 will die",
        "keras-adasim launch: worker 1 was killed by SIGKILL, in epoch 1; starting all 2 again",
        "keras-adasim launch: worker 1: worker 1 will 7",
        "keras-adasim launch: worker 1 ended with status 7, in epoch 1; starting all 2 again",
    ]


def test_three_deaths_in_one_epoch_are_enough(tmp_path, capfd):
    assert keep_going(tmp_path, "1,3") == 1
    assert tries(tmp_path) == [3, 3]
    assert capfd.readouterr().err.splitlines()[-1] == (
        "keras-adasim launch: worker 0 ended with status 1, the last of 3 deaths in epoch 1: "
        "giving up"
    )


def test_deaths_in_other_epochs_are_counted_anew(tmp_path, capfd, monkeypatch):
    count = property(lambda folder: len(list(folder.path.glob("checkpoints/epoch-*"))))
    monkeypatch.setattr(launch.RunFolder, "finished_epochs", count)
    assert keep_going(tmp_path, "3,die", "3,die", "advance,die", "3,die", "0,0") == 0
    assert "in epoch 2; starting" in capfd.readouterr().err


def test_a_wrong_setting_is_not_tried_again(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(worker_processes, "GRACE", 0.5)
    assert keep_going(tmp_path, "2,wait") == 2
    assert tries(tmp_path) == [1, 1]
    assert capfd.readouterr().err.splitlines() == [
        "keras-adasim launch: worker 0 ended with status 2; not started again"
    ]


def test_a_frozen_worker_is_killed(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(worker_processes, "GRACE", 0.5)
    assert keep_going(tmp_path, "3,wait", "0,0") == 0
    assert "worker 1 didn't answer, and was killed, in epoch 1" in capfd.readouterr().err


def test_signals_are_passed_on_and_end_it(tmp_path, capfd):
    def stop():
        while not all((tmp_path / f"waits{index}").exists() for index in range(2)):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    handler = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=stop)
    thread.start()
    assert keep_going(tmp_path, "wait,wait") == 128 + signal.SIGTERM
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == handler
    assert "told to stop" in capfd.readouterr().out


def test_ports_are_free_and_named_if_not():
    with reserved_ports(3) as ports:
        assert len(set(ports)) == 3
    with socket.socket() as other:
        other.bind(("", 0))
        taken = other.getsockname()[1]
        with pytest.raises(ValueError, match=f"Received: port={taken}, and {taken} can't"):
            reserved_ports(1, taken).__enter__()
    with pytest.raises(ValueError, match="65536 can't be had"):
        reserved_ports(2, 65535).__enter__()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers=2"], "after `--`, which is `pretrain --data_dir=...`. Received: none"),
        (["--workers=2", "--", "knn"], "Received: knn"),
        (["--", "pretrain"], "Expected --workers=WORKERS"),
        (["--workers=0", "--", "pretrain"], "--workers=0"),
        (["--workers=2", "--", "pretrain", "--strategy=mirrored"], "Received: strategy=mirrored"),
        (["--workers=2", "--", "pretrain", "--epoch=3"], "Unknown command line flag 'epoch'"),
        (["--workers=2", "--port=99999", "--", "pretrain"], "--port=99999"),
    ],
)
def test_what_cannot_be_launched_gets_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        launch.main(arguments, program="keras-adasim launch")
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.large
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a killed process's children")
def test_workers_end_with_a_launch_that_is_killed(tmp_path):
    script = (
        "import sys\n"
        "from keras_adasim.commands.worker_processes import START, WorkerProcesses\n"
        "idle = 'import pathlib, time; pathlib.Path(sys.argv[1], str(os.getpid())).touch(); "
        "time.sleep(600)'\n"
        "script = START.split('try:')[0] + idle\n"
        "WorkerProcesses(2, sys.argv[1:], script=script).run()\n"
    )
    started = tmp_path / "started"
    started.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(started)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    while len(found := os.listdir(started)) < 2:
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while any(is_running(int(number)) for number in found) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(is_running(int(number)) for number in found)


def is_running(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
