"""The steps that every change must pass, on a machine with Python 3.11, pip and make.

    tests      make test: lint and all tests but the large ones
    large      the large tests: axes crossed, whole runs, processes of their own
    package    what a wheel and a source archive hold
    install    pip install into a fresh environment of each Python, and the commands there
    lowest     the fast tests of all parts on the lowest versions that setup.cfg allows
    readme     what README.md shows

All run, also after one has failed; `readme` runs beside the three before it. The last line is
pytest's closing line in `make test`.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
CI = ROOT / ".ci"
VERSIONS = ("3.11", "3.12", "3.13")
# What these hold is put together of parts that have tests of their own.
WHOLES = ("commands", "reporting", "benchmarks", "recipes")
# What is done by turns, side by side with what; all that keeps two cores busy comes first.
GATE = ((("tests", "large"),), (("package", "install", "lowest"), ("readme",)))
CLOSING_LINE = re.compile(r"^.*\b\d+ (?:passed|failed|errors?)\b.* in [\d.]+s.*$", re.MULTILINE)
ARCHIVED = {
    *("LICENSE", "README.md", "CHANGELOG.md", "setup.cfg", "pyproject.toml", "MANIFEST.in"),
    "PKG-INFO",
}
# A fresh environment sees nothing of the repository or of the one that this runs in.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


class StepFailed(Exception):
    """What went wrong in a step; the rest of it is left out."""


class Gate:
    """Runs the steps in a temporary folder.

    Args:
        scratch: The folder.
    """

    def __init__(self, scratch):
        self.scratch = scratch
        self.source = scratch / "source"
        self.closing_line = ""

    def tests(self):
        """`make test`, as README tells it; pytest's closing line is kept."""
        status, output = run_shown(["make", "test"])
        found = CLOSING_LINE.findall(output)
        self.closing_line = found[-1] if found else ""
        if status or not found:
            raise StepFailed(f"make test ended with status {status}")

    def large(self):
        """`make test LARGE=1`."""
        run(["make", "test", "LARGE=1"])

    def package(self):
        """A source archive, and the wheel made from it alone."""
        self.copy_source()
        python, dist = self.environment(lowest_python(), "build"), self.scratch / "dist"
        install(python, "setuptools>=64")
        build = f"from setuptools import build_meta; build_meta.build_sdist({str(dist)!r})"
        run([python, "-c", build], cwd=self.source, stdout=subprocess.DEVNULL)
        archive = next(dist.glob("*.tar.gz"))
        run([python, "-m", "pip", "-qq", "wheel", archive, "--no-deps", "-w", dist])
        modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("keras_adasim/**/*.py")}
        with tarfile.open(archive) as tar:
            names = {
                name.partition("/")[2] for name in tar.getnames() if tar.getmember(name).isfile()
            }
        compare(archive, {n for n in names if ".egg-info/" not in n}, modules | ARCHIVED)
        wheel = next(dist.glob("*.whl"))
        names = set(zipfile.ZipFile(wheel).namelist())
        compare(wheel, {n for n in names if ".dist-info/" not in n}, modules)
        if not any(name.endswith("LICENSE") for name in names):
            raise StepFailed(f"{wheel.name} lacks LICENSE")

    def install(self):
        """`pip install`, and then the commands, outside the repository."""
        self.copy_source()
        bases = {version: find_python(version) for version in VERSIONS}
        print("  skipped, as they aren't here:", [v for v in VERSIONS if not bases[v]], flush=True)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            tries = [pool.submit(self.install_on, v, base) for v, base in bases.items() if base]
        for each in tries:
            each.result()

    def install_on(self, version, base):
        """Installs into a fresh environment of one Python, and runs the commands there."""
        source, folder = self.scratch / f"source-{version}", self.scratch / f"work-{version}"
        shutil.copytree(self.source, source)
        folder.mkdir()
        python = self.environment(base, version)
        install(python, source)
        is_lowest = base == lowest_python()
        run([python, CI / "installed.py", *([] if is_lowest else ["--short"])], cwd=folder)
        if not is_lowest:  # That one the next step uses again.
            shutil.rmtree(python.parents[1])

    def lowest(self):
        """The fast tests of all parts, on the lowest versions."""
        python = self.environment(lowest_python(), VERSIONS[0])
        constraints = self.scratch / "lowest.txt"
        lines = run([python, CI / "lowest.py", ROOT / "setup.cfg"], stdout=subprocess.PIPE).stdout
        constraints.write_text(lines)
        print("  " + " ".join(lines.split()), flush=True)
        self.copy_source()
        install(python, "-c", constraints, f"{self.source}[test]")
        options = ["-n", "2", "--dist", "worksteal", "-m", "not slow", "-p", "no:cacheprovider"]
        left_out = [f"--ignore=tests/{name}" for name in WHOLES]
        run([python, "-m", "pytest", *options, *left_out], cwd=ROOT)

    def readme(self):
        """README.md in the environment of `make test`."""
        run(["make", "--silent", "setup"])
        folder = self.scratch / "readme"
        folder.mkdir()
        run([ROOT / ".venv" / "bin" / "python", CI / "readme.py"], cwd=folder)

    def copy_source(self):
        """A copy of the repository, without what was built or trained in it."""
        if not self.source.exists():
            left = (".*", "runs", "build", "dist", "*.egg-info", "__pycache__")
            shutil.copytree(ROOT, self.source, ignore=shutil.ignore_patterns(*left))

    def environment(self, base, name):
        """Python of the environment of that name, which is made if it isn't there."""
        path = self.scratch / f"environment-{name}"
        if not path.exists():
            run([base, "-m", "venv", path])
        return path / "bin" / "python"


def run(command, **kwargs):
    """Runs a command outside the repository; raises StepFailed if it fails."""
    kwargs.setdefault("cwd", ROOT)
    done = subprocess.run(list(map(str, command)), env=ENVIRONMENT, text=True, **kwargs)
    if done.returncode:
        words = " ".join(map(str, command))
        raise StepFailed(f"status {done.returncode} of {words}")
    return done


def run_shown(command):
    """Runs a command, shows its output as it comes, and returns status and output."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = b""
    while chunk := os.read(process.stdout.fileno(), 4096):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        output += chunk
    return process.wait(), output.decode(errors="replace")


def install(python, *requirements):
    """Installs with pip; without a registry nothing can be checked, which is said, and fails."""
    print(f"  pip install {' '.join(map(str, requirements))} ...", flush=True)
    try:
        # What is imported is compiled then; most of TensorFlow's thousands of files never are.
        pip = [python, "-m", "pip", "-qq", "install", "--no-compile"]
        run([*pip, *requirements], cwd=python.parent)
    except StepFailed as error:
        raise StepFailed(f"pip could not install; is its registry reachable? {error}") from None


def find_python(version):
    """Path of a Python X.Y that runs, or None."""
    installed = sorted(pathlib.Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    this = sys.executable if f"{sys.version_info[0]}.{sys.version_info[1]}" == version else None
    for path in (this, shutil.which(f"python{version}"), *reversed(installed)):
        # pyenv's shims are there for every version, and fail for all but the chosen ones.
        test = "import ensurepip, sys, venv; print(*sys.version_info[:2], sep='.')"
        if path:
            done = subprocess.run([path, "-c", test], capture_output=True, text=True)
            if done.stdout.strip() == version:
                return path
    return None


def lowest_python():
    """The oldest Python that is there."""
    return next(python for python in map(find_python, VERSIONS) if python)


def compare(archive, names, wanted):
    """Raises StepFailed if an archive holds other files than it should."""
    print(f"  {archive.name}: {len(names)} files", flush=True)
    if names != wanted:
        extra, missing = sorted(names - wanted), sorted(wanted - names)
        raise StepFailed(f"{archive.name} holds {extra} too, and lacks {missing}")


def attempt(gate, name):
    """Runs a step; returns whether it failed, and a line on it."""
    print(f"\n=== {name}: {getattr(gate, name).__doc__.splitlines()[0]}", flush=True)
    start, outcome = time.monotonic(), "done"
    try:
        getattr(gate, name)()
    except StepFailed as error:
        outcome = f"FAILED: {error}"
        print(f"  {name} {outcome}", flush=True)
    minutes = (time.monotonic() - start) / 60
    return outcome != "done", f"{name:8} {minutes:5.1f} minutes  {outcome}"


def main(names):
    """Runs the steps of these names, or all; returns the exit status."""
    known = [name for stage in GATE for chain in stage for name in chain]
    if unknown := set(names) - set(known):
        sys.exit(f"Expected steps out of {', '.join(known)}. Received: {', '.join(unknown)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that the folder goes.
    start, results = time.monotonic(), []
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor() as pool:
        gate = Gate(pathlib.Path(scratch).resolve())
        for stage in GATE:
            chains = [[name for name in chain if name in (names or known)] for chain in stage]
            for outcomes in pool.map(lambda chain: [attempt(gate, name) for name in chain], chains):
                results += outcomes
    failed, lines = zip(*results, strict=True)
    total = f"in all {(time.monotonic() - start) / 60:7.1f} minutes"
    print("", "=== all steps", *lines, total, gate.closing_line, sep="\n", flush=True)
    return int(any(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
