"""A contestant in a process of its own: one JSON line asks, one answers.

The process lives from "prepare" to "stop" and waits while others work, so that TensorFlow and
PyTorch never share one, nothing is compiled twice, and rounds can take turns.
"""

import contextlib
import importlib
import json
import os
import pathlib
import subprocess
import sys
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Name of a contestant: its class, and what must be installed for it.
CONTESTANTS = {
    "ours": ("benchmarks.contestants.ours.Ours", ()),
    "official": ("benchmarks.contestants.official.Official", ("torch", "torchvision")),
    "lightly": ("benchmarks.contestants.with_lightly.Lightly", ("torch", "torchvision", "lightly")),
    "timm": ("benchmarks.contestants.with_timm.Timm", ("torch", "torchvision", "timm")),
}


class ContestantError(RuntimeError):
    """What a contestant's process said when it failed."""


class Contestant:
    """The asking end.

    Args:
        name: One of `CONTESTANTS`, or "module.Class".
        threads: Threads that its libraries may use.
        log: File that its output goes to.
    """

    def __init__(self, name, threads, log):
        self.name = name
        self.log = pathlib.Path(log)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "KERAS_BACKEND": "tensorflow",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            # Or the first one would take all of the GPU's memory.
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "OMP_NUM_THREADS": str(threads),
            "TF_NUM_INTRAOP_THREADS": str(threads),
            "TF_NUM_INTEROP_THREADS": str(threads),
        }
        with self.log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.contestants.pipe", name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                cwd=ROOT,
                env=environment,
            )

    def ask(self, do, **arguments):
        """Asks for one thing and waits; returns the answer's dictionary."""
        try:
            self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            last = self.log.read_text().strip().splitlines()[-1:]
            raise ContestantError(f"{self.name} ended with {self.process.wait()}: {last}")
        answer = json.loads(answer)
        if "error" in answer:
            raise ContestantError(f"{self.name}: {answer['error']}")
        return answer

    def stop(self):
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def serve(contestant, asked, answers):
    """The answering end: until there is nothing more to read.

    Args:
        contestant: Has `prepare(work)` and `round(kind)`, which return dictionaries.
        asked: Text file of questions.
        answers: Text file for answers.
    """
    for line in asked:
        question = json.loads(line)
        do = {"prepare": contestant.prepare, "round": contestant.round}.get(question.pop("do"))
        try:
            answer = do(**question)
        except Exception as error:
            traceback.print_exc()
            first = str(error).strip().splitlines()[:1] or [""]
            answer = {"error": f"{type(error).__name__}: {first[0]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main(name):
    """Serves on the pipes; whatever a library prints goes to the log."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, _, kind = CONTESTANTS.get(name, (name,))[0].rpartition(".")
    serve(getattr(importlib.import_module(module), kind)(), sys.stdin, answers)


if __name__ == "__main__":
    main(sys.argv[1])
