import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_adasim import SelfDistillation, data, evaluation, objectives, pairing
from keras_adasim.augment import DINOAugment, MultiCrop
from keras_adasim.callbacks import Measures, measures
from tests.callbacks.models import FakeBank, Watched, fit
from tests.models import tiny

# TensorFlow says so whenever functions run eagerly.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run")
LABELS = [0, 0, 0, 1, 1, 0]
IDS = [[0, 1, 3], [1, 0, 2], [5, 4, 3], [3, 4, 0], [4, 3, 0], [1, 2, 3]]
LATER = [[0, 3, 2], [2, 1, 0], [1, 4, 0], [3, 5, 1], [4, 3, 0], [1, 0, 2]]
SIMILARITIES = [[1, 0.9, 0.8], [1, -0.1, 0], [0.5, 0.4, 0.3], [1, 0.2, 0], [0, 0, 0], [0.1, 0, 0]]


class Search(keras.callbacks.Callback):
    """Puts other records into the bank in each epoch, as training does."""

    def __init__(self, *records):
        super().__init__()
        self.records = records

    def on_epoch_end(self, epoch, logs=None):
        self.model.bank.ids = np.array(self.records[epoch % len(self.records)])


def _fit(model, labels=None, epochs=2, others=(), **kwargs):
    callback = Measures(labels=labels, **kwargs)
    model.compile("sgd", "mse", run_eagerly=True)
    return fit(model, epochs, [*others, callback]).history, callback


def _recorded():
    return Watched(bank=FakeBank(IDS, SIMILARITIES))


def _neighbors(ids, image):
    return [
        j for j, s in zip(ids[image], SIMILARITIES[image], strict=True) if j != image and s != 0
    ]


def _purity_one_by_one(ids=IDS):
    counted = [LABELS[i] == LABELS[j] for i in range(6) for j in _neighbors(ids, i)]
    return sum(counted) / len(counted)


def _churn_one_by_one(now, before, images=range(6)):
    counted = []
    for i in images:
        old = _neighbors(before, i)
        counted += [j not in old for j in _neighbors(now, i)] if old else []
    return sum(counted) / len(counted)


def test_statistics_of_the_pairing():
    history, _ = _fit(_recorded())
    assert history["gate_open"] == [0.75, 0.75]
    assert history["partner_is_self"] == [0.25, 0.25]
    assert not {"neighbor_purity", "partner_purity", "rank_me"} & set(history)


def test_purities():
    history, _ = _fit(_recorded(), LABELS)
    assert history["neighbor_purity"] == pytest.approx([_purity_one_by_one()] * 2)
    # The partner of each image is the next one: 4 of 6 share its label.
    assert history["partner_purity"] == pytest.approx([4 / 6] * 2)


def test_bank_without_records_tells_nothing_of_neighbors():
    history, _ = _fit(Watched(bank=FakeBank(IDS, np.zeros((6, 3)))), LABELS)
    assert "partner_purity" in history
    assert not {"neighbor_purity", "neighbor_churn"} & set(history)


def test_without_a_bank():
    history, _ = _fit(Watched(), LABELS)
    assert set(history) == {"loss", "gate_open", "partner_is_self", "partner_purity"}


def test_churn_is_of_an_epoch_and_the_one_before():
    # The bank holds IDS when the first epoch begins, as it does in a run that goes on.
    model = _recorded()
    history, callback = _fit(model, epochs=4, others=[Search(LATER, LATER, IDS)])
    expected = [_churn_one_by_one(*pair) for pair in ((LATER, IDS), (LATER, LATER), (IDS, LATER))]
    assert expected[1] == 0 < expected[0] < 1
    assert history["neighbor_churn"] == pytest.approx([*expected, expected[0]])
    # Neither a look at the end of the run nor a second one compares the last epoch with itself.
    for _ in range(2):
        assert callback.evaluate()["neighbor_churn"] == pytest.approx(expected[0])
    # A further run begins where this one ended.
    again = fit(model, 1, [Search(IDS), callback]).history["neighbor_churn"]
    assert again == pytest.approx([_churn_one_by_one(IDS, LATER)])


def test_churn_where_not_every_epoch_is_measured():
    # It is that of one epoch all the same, not of all since the last measurement.
    logged = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logged.append(logs.get("neighbor_churn"))
    )
    model = _recorded()
    model.compile("sgd", "mse", run_eagerly=True)
    fit(model, 5, [Search(IDS, LATER, IDS, LATER, LATER), Measures(every=2), watch])
    churn = _churn_one_by_one(LATER, IDS)
    assert logged == [None, pytest.approx(churn), None, pytest.approx(churn), 0.0]


def test_churn_of_a_sample(monkeypatch):
    monkeypatch.setattr(measures, "MAX_RECORDS", 3)
    history, callback = _fit(_recorded(), epochs=1, others=[Search(LATER)])
    expected = _churn_one_by_one(LATER, IDS, callback._recorded)
    assert len(callback._recorded) == 3
    assert history["neighbor_churn"] == [pytest.approx(expected)]


def test_labels_of_another_data_set():
    with pytest.raises(ValueError, match=r"`labels` of shape \(6,\).*labels\.shape=\(5,\)"):
        _fit(_recorded(), LABELS[:5])


# --- features --------------------------------------------------------------------------------


@pytest.fixture
def eager():
    """For what is no matter of graphs, which take seconds to make."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def _source():
    return data.ArraySource(tiny.images(), labels=np.arange(tiny.NUM_IMAGES) % 4)


def _views(model, images):
    """Two views of each image, crops included, as the callback makes them."""
    pairs = data.PairDataset(
        data.Subset(_source(), images),
        pairing.SelfPairing(),
        len(images),
        crops=model.augment.crops,
        shuffle=False,
    )
    views = model.augment(next(iter(pairs)), step=0)[:2]
    return [_unit(model.teacher(view, training=False)["features"].numpy()) for view in views]


def _unit(features):
    return features / np.linalg.norm(features, axis=1, keepdims=True)


@pytest.mark.large
def test_features_of_all_images():
    model = tiny.model(augment=DINOAugment(MultiCrop(tiny.SIZE), seed=3))
    measured = Measures(_source())
    measured.set_model(model)
    values = measured.evaluate()
    features = model.embed(tiny.images())
    for name in ("rank_me", "alpha_req", "uniformity"):
        assert values[name] == pytest.approx(getattr(evaluation.label_free, name)(features))
    first, second = _views(model, np.arange(tiny.NUM_IMAGES))
    squares = [np.sum((x - y) ** 2) for x, y in zip(first, second, strict=True)]
    assert values["alignment"] == pytest.approx(np.mean(squares), rel=1e-4)
    assert values["alignment"] > 0
    assert "staleness" not in values  # No row is written yet.
    assert measured.evaluate() == values


def _whole(batch):
    """An augmentation of one's own, which has no crops."""
    return [batch["images"], batch["partners"]]


def test_a_sample_drawn_once(eager):
    model = tiny.model(augment=_whole)
    callbacks = [Measures(_source(), max_images=9, batch_size=4, seed=seed) for seed in (0, 0, 1)]
    for each in callbacks:
        each.set_model(model)
    first, again, other = [each.evaluate() for each in callbacks]
    assert first == again != other
    images = callbacks[0]._images
    assert list(images) == sorted(set(images))
    features = model.embed(tiny.images()[images])
    assert first["rank_me"] == pytest.approx(evaluation.label_free.rank_me(features), rel=1e-4)


@pytest.mark.parametrize("kind", ["first", "second", "mean"])
def test_staleness_is_the_distance_from_the_feature_that_would_be_written(eager, kind):
    model = tiny.model(neighbor_feature=kind, num_local=1)
    measured = Measures(_source(), max_images=12)
    measured.set_model(model)
    images = measured._images
    first, second = _views(model, images)
    fresh = {"first": first, "second": second, "mean": _unit(first + second)}[kind]
    rows = np.zeros((tiny.NUM_IMAGES, 16), np.float32)
    rows[images[:8]] = fresh[:8]  # Those of the others were never written.
    model.bank.features.assign(rows)
    assert measured.evaluate()["staleness"] == pytest.approx(0, abs=1e-5)
    rows[images[:8]] = _unit(fresh[:8] + 0.2 * np.random.default_rng(0).normal(size=(8, 16)))
    model.bank.features.assign(rows)
    cosines = [rows[image] @ feature for image, feature in zip(images[:8], fresh, strict=False)]
    expected = 1 - np.mean(cosines)
    assert measured.evaluate()["staleness"] == pytest.approx(expected, rel=1e-3)
    assert expected > 0.01


def test_all_values_of_a_run(eager):
    model, measured = tiny.model(), Measures(_source(), _source().labels)
    history = model.fit(tiny.dataset(model, 16), epochs=3, verbose=0, callbacks=[measured]).history
    lengths = {name: len(values) for name, values in history.items()}
    once = ("rank_me", "alpha_req", "uniformity", "alignment", "staleness")
    assert {lengths[name] for name in (*once, "partner_purity", "neighbor_purity")} == {3}
    assert lengths["neighbor_churn"] == 2
    assert lengths.get("effective_candidates", 0) == sum(
        share > 0 for share in history["gate_open"]
    )


def test_augmentation_of_ones_own(eager):
    # Whole images stand in for the views that can't be made here.
    model = tiny.model(augment=_whole)
    measured = Measures(_source())
    measured.set_model(model)
    model.bank.features.assign(_unit(model.embed(tiny.images())))
    values = measured.evaluate()
    assert "alignment" not in values
    assert values["staleness"] == pytest.approx(0, abs=1e-5)


def test_images_of_several_sizes_and_a_model_without_teacher_or_bank(eager, tmp_path):
    for place, size in enumerate((20, 24, 30, 22)):
        pixels = np.random.default_rng(place).integers(0, 256, (size, size, 3), np.uint8)
        keras.utils.save_img(tmp_path / f"{place}.png", pixels, scale=False)
    objective = objectives.SimSiam(16, 8, predictor_hidden_dim=4)
    model = SelfDistillation(tiny.vit(), objective, augment=tiny.crops_only())
    measured = Measures(data.ImageFolder(tmp_path), image_size=8)
    measured.set_model(model)
    values = measured.evaluate()
    assert set(values) == {"partner_is_self", "rank_me", "alpha_req", "uniformity", "alignment"}


def test_two_replicas(two_replicas):
    with two_replicas.scope():
        model = tiny.model()
    measured = Measures(_source(), _source().labels)
    model.bank.features.assign(_unit(model.embed(tiny.images())))
    model.bank.ids.assign((model.bank.ids.numpy() + 3) % tiny.NUM_IMAGES)
    model.bank.similarities.assign(model.bank.similarities.numpy() + 0.5)
    measured.set_model(model)
    values = measured.evaluate()
    one = tiny.model()
    one.set_weights([weight.numpy() for weight in model.weights])
    alone = Measures(_source(), _source().labels)
    alone.set_model(one)
    expected = alone.evaluate()
    shared = set(expected) - {"gate_open", "partner_is_self", "partner_purity"}
    assert {"staleness", "alignment", "neighbor_purity"} < shared
    for name in shared:
        assert values[name] == pytest.approx(expected[name], rel=1e-3, abs=1e-5)


def test_source_of_another_data_set():
    measured = Measures(data.Subset(_source(), np.arange(5)))
    with pytest.raises(ValueError, match=r"`source` to be the 32 training.*len\(source\)=5"):
        measured.set_model(tiny.model())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, r"`every` to be a positive integer. Received: every=0"),
        ({"every": 2.0}, r"`every` to be a positive integer. Received: every=2.0"),
        ({"max_images": 1}, r"`max_images` to be an integer of at least 2.*max_images=1"),
        ({"image_size": "8"}, r"`image_size` to be a positive integer.*image_size='8'"),
        ({"batch_size": None}, r"`batch_size` to be a positive integer.*batch_size=None"),
        ({"seed": -1}, r"`seed` to be a non-negative integer.*seed=-1"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Measures(**arguments)
