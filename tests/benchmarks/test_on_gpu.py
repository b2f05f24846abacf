"""What is asked of a GPU goes on where it was left, and the rehearsal on a CPU runs."""

import pathlib
import re

import numpy as np
import pytest
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import gpu_answers, on_gpu, resident
from keras_adasim import augment, data, pairing
from tests.pretraining.runs import IGNORED, eagerly, make_images, one_block

ITEMS = [("topk", {"rows": 1}), ("topk", {"rows": 2}), ("grid", {"data_dir": "a", "seed": 0})]


@pytest.fixture
def asked(monkeypatch):
    """The settings that were asked for; those of two rows fail."""
    calls = []

    def answer(question, settings, seconds):
        calls.append(settings)
        if settings.get("rows") == 2:
            return {"failed": "no memory"}
        return {"answer": {"found": 1}, "device": "none"}

    monkeypatch.setattr(on_gpu, "answer", answer)
    return calls


def test_what_is_answered_is_not_asked_again(asked, tmp_path, capsys):
    results = tmp_path / "results" / "on_gpu.jsonl"
    assert on_gpu.ask(ITEMS[:1], results, 9, again=False) == 0
    with results.open("a") as file:
        file.write('{"key": "cut o')  # As a full disk or a lost machine leaves it.
    assert on_gpu.ask(ITEMS, results, 9, again=False) == 0
    moved = [*ITEMS[:2], ("grid", {"data_dir": "b", "seed": 0})]
    assert on_gpu.ask(moved, results, 9, again=False) == 0
    assert asked == [settings for _, settings in ITEMS]
    on_gpu.ask(ITEMS, results, 9, again=True)
    assert asked[3:] == [{"rows": 2}]
    assert "failed: no memory" in capsys.readouterr().out
    assert len(on_gpu.read(results)) == 3


def test_an_item_that_would_not_fit_waits(asked, tmp_path):
    assert on_gpu.ask(ITEMS, tmp_path / "results", minutes=3.9, again=False) == 0
    asked.clear()
    # The second call has an answer to the first two; four minutes aren't left of it for the third.
    now = iter([0.0, *[60.0] * 9])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_gpu.time, "monotonic", lambda: next(now))
        assert on_gpu.ask(ITEMS[2:], tmp_path / "others", minutes=4.5, again=False) == 1
    assert not asked


def test_every_item_is_one_that_its_question_knows():
    source = pathlib.Path(gpu_answers.__file__).with_name("train_step.py").read_text()
    known = {*re.findall(r'DEFINE_\w+\(\s*"(\w+)"', source), "xla", "rounds"}
    whole, tiny = on_gpu.items("cifar10", "adasim", 36, 3), on_gpu.tiny_items("images")
    assert list(dict.fromkeys(question for question, _ in whole)) == list(on_gpu.QUESTIONS)
    assert [question for question, _ in tiny] == list(on_gpu.QUESTIONS) == list(gpu_answers.ANSWERS)
    for question, settings in [*whole, *tiny]:
        if question in ("profile", "memory", "two"):
            assert set(settings) <= known
    keys = [on_gpu.key_of(*item) for item in whole]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--only=prophecy"], "--only"),
        (["--only="], "--only"),
        (["--only=grid"], "--data_dir"),
        (["--minutes=nan", "--only=topk"], "minutes"),
    ],
)
def test_wrong_flags_get_one_line(flags, message, capsys):
    assert on_gpu.main(["on_gpu.py", *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def trace(plane_name, lines):
    """A trace of (name, offset, duration) in picoseconds, by line."""
    space = xplane_pb2.XSpace()
    plane = space.planes.add(name=plane_name)
    for line_name, events in lines.items():
        line = plane.lines.add(name=line_name)
        for name, offset, duration in events:
            key = len(plane.event_metadata) + 1
            plane.event_metadata[key].name = name
            line.events.add(metadata_id=key, offset_ps=offset, duration_ps=duration)
    return space.SerializeToString()


def test_kernels_are_summed_and_derived_lines_left_out():
    second = 10**12
    streams = {"Stream #1": [("gemm", 0, second), ("gemm", 2 * second, second)]}
    streams |= {"Stream #2": [("copy", second // 2, second)], "XLA Ops": [("dot", 0, 9 * second)]}
    kernels, busy, of = gpu_answers.kernels_of(trace("/device:GPU:0", streams))
    assert kernels == {"gemm": (2.0, 2), "copy": (1.0, 1)}
    assert busy == pytest.approx(2.5)
    assert of == "GPU"
    kernels, _, of = gpu_answers.kernels_of(trace("/host:CPU", {"tf": [("op", 0, second)]}))
    assert kernels == {"op": (1.0, 1)}
    assert "host" in of


def test_pairs_are_those_of_the_data_set():
    source = data.ArraySource(np.zeros((10, 4, 4, 3), "uint8"))
    oracle = pairing.LabelOracle(np.arange(10) % 2)
    pairs = resident.ResidentPairs(source, oracle, 4, seed=3)
    dataset = pairs.as_tf_dataset()
    for epoch in range(2):
        batches = list(dataset)
        assert len(batches) == len(dataset) == 2
        for step, batch in enumerate(batches):
            indices, partners = pairs.pairs(epoch, step)
            np.testing.assert_array_equal(batch["indices"], indices)
            np.testing.assert_array_equal(batch["partners"], partners)


def test_views_are_those_of_the_images_themselves():
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), "uint8")
    policies = augment.DINOAugment(augment.MultiCrop(8), exclude=("blur",))
    on_device = resident.OnDevice(policies, images)
    views = on_device({"indices": [0, 3], "partners": [5, 3]}, step=2)
    expected = policies({"images": images[[0, 3]], "partners": images[[5, 3]]}, step=2)
    for view, other in zip(views, expected, strict=True):
        np.testing.assert_array_equal(view, other)


def test_calls_share_an_epoch_evenly():
    assert [resident.steps_per_call(n) for n in (1, 97, 390, 401)] == [1, 97, 195, 1]


@pytest.mark.large
@pytest.mark.filterwarnings(IGNORED)
def test_a_cell_is_trained_and_judged(tmp_path):
    make_images(tmp_path / "images")
    ((_, settings),) = [i for i in on_gpu.tiny_items(str(tmp_path / "images")) if i[0] == "grid"]
    with one_block(), eagerly():
        found = gpu_answers.grid(**settings)
    assert found["images"] == found["test_images"] == 24
    assert found["steps_per_call"] == 2
    assert 0 <= found["knn"] <= 1
    assert found["images_per_second"] > 0


@pytest.mark.large
def test_a_command_answers_and_goes_on(tmp_path, capsys):
    """In a process of its own, with the real answer of the quickest question."""
    words = ["--tiny", "--only=topk", f"--results={tmp_path / 'results'}"]
    for _ in range(2):
        assert on_gpu.main(["on_gpu.py", *words]) == 0
    out = capsys.readouterr().out
    assert out.count("milliseconds") == 1
    assert out.count("all is answered") == 2
    assert on_gpu.main(["on_gpu.py", *words, "--show"]) == 0
    assert "product and maximum" in capsys.readouterr().out


@pytest.mark.large
def test_an_item_that_takes_too_long_is_ended():
    row = on_gpu.answer("topk", {"rows": 300}, seconds=0.5)
    assert row == {"failed": "not done after 0 s"}
