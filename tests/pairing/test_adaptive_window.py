import numpy as np
import pytest

from keras_adasim.pairing import AdaptiveWindow, vote
from tests.pairing.slow_vote import slow_distribution


def fill(pairing, ids, similarities):
    """Pushes (n, W, k) records, oldest epoch first."""
    for epoch in range(ids.shape[1]):
        pairing.push(ids[:, epoch], similarities[:, epoch])
    return pairing


def random_epochs(num_images, epochs, topk, distinct, seed=0):
    """Records in which the image itself is often on top, as (n, epochs, k) arrays."""
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, num_images, (num_images, distinct))
    start = rng.integers(0, distinct, (epochs, num_images, 1))
    ids = np.stack(
        [np.take_along_axis(pool, (s + np.arange(topk)) % distinct, axis=1) for s in start], axis=1
    )
    ids[:, :, 0] = np.where(
        rng.random(ids.shape[:2]) < 0.7, np.arange(num_images)[:, None], ids[:, :, 0]
    )
    similarities = np.sort(rng.uniform(-0.2, 1, ids.shape).astype(np.float32), axis=-1)[..., ::-1]
    return ids, similarities


@pytest.fixture
def golden_window(golden):
    arrays, _ = golden("window_vote")

    def build(temperature):
        ids, similarities = arrays["neighbor_ids"], arrays["neighbor_similarities"]
        num_images, window, topk = ids.shape
        return fill(AdaptiveWindow(num_images, window, topk, temperature), ids, similarities)

    return build, arrays


@pytest.mark.parametrize("which", [0, 1])
def test_golden_vote(golden_window, which):
    build, arrays = golden_window
    pairing = build(float(arrays["temperatures"][which]))
    ids, probabilities, is_open = pairing.distribution(np.arange(200))
    np.testing.assert_array_equal(is_open, arrays["gate_own_id_is_top"] == 1)
    np.testing.assert_array_equal(ids[is_open], arrays["top_ids"][is_open])
    expected = arrays["sampling_probabilities"][which]
    # int16 similarities would be off by 0.003 here.
    np.testing.assert_allclose(probabilities[is_open], expected[is_open], atol=5e-5)
    for row in np.flatnonzero(~is_open):
        others = [neighbor for neighbor in arrays["top_ids"][row] if neighbor != row]
        assert ids[row].tolist() == ([row] + others)[: ids.shape[1]]
        assert probabilities[row].tolist() == [1.0] + [0.0] * (ids.shape[1] - 1)


@pytest.mark.parametrize("which", [0, 1])
def test_golden_draws(golden_window, golden, which):
    build, arrays = golden_window
    draws_per_row = golden("window_vote")[1]["draws_per_row"]
    pairing = build(float(arrays["temperatures"][which]))
    rows = arrays["sampled_rows"]
    ours = np.zeros((len(rows), 4))
    for seed in range(draws_per_row):
        pairing.seed = seed
        ours += arrays["top_ids"][rows] == pairing.partners(rows)[:, None]
    theirs = arrays["sampled_counts"][which]
    # Two samples of one distribution: their counts differ by less than 5 standard deviations.
    deviation = np.sqrt(np.maximum(ours + theirs, 1) * (1 - (ours + theirs) / 2 / draws_per_row))
    assert (np.abs(ours - theirs) <= 5 * deviation + 2).all()


@pytest.mark.parametrize("view", ["first", "second", "mean"])
def test_golden_bank_sequence(golden, view):
    arrays, scalars = golden("bank_sequence")
    num_images, window, topk = (scalars[key] for key in ("images", "window_epochs", "neighbors"))
    pairing = AdaptiveWindow(num_images, window, topk)
    last_step = np.arange(1, scalars["epochs"] + 1) * scalars["batches_per_epoch"] - 1
    for epoch, step in enumerate(last_step):
        pairing.push(
            arrays[f"{view}/neighbor_ids_after_batch"][step],
            arrays[f"{view}/similarities_after_batch"][step],
        )
        ids, similarities = pairing.records(np.arange(num_images))
        filled = min(epoch + 1, window)
        assert ids.shape == (num_images, filled, topk)
        expected = arrays[f"{view}/window_ids_after_epoch"][epoch]
        np.testing.assert_array_equal(ids, expected[:, -filled:])
        expected = arrays[f"{view}/window_similarities_after_epoch"][epoch]
        np.testing.assert_allclose(similarities, expected[:, -filled:].clip(-1, 1), atol=1e-9)


@pytest.mark.parametrize("temperature", [0, 1e-3, 0.05])
@pytest.mark.parametrize(("window", "topk", "distinct"), [(1, 1, 4), (3, 4, 4), (6, 3, 12)])
def test_equals_a_dictionary_per_image(temperature, window, topk, distinct):
    epochs = window + 2  # the ring has wrapped
    ids, similarities = random_epochs(300, epochs, topk, distinct)
    pairing = AdaptiveWindow(300, window, topk, temperature)
    for epoch in range(epochs):
        pairing.push(ids[:, epoch], similarities[:, epoch])
        seen = slice(max(epoch + 1 - window, 0), epoch + 1)
        ours = pairing.distribution(np.arange(300))
        for row in range(300):
            expected = slow_distribution(
                ids[row, seen], similarities[row, seen], row, topk, window, temperature
            )
            assert ours[0][row].tolist() == expected[0]
            np.testing.assert_allclose(ours[1][row], expected[1], atol=1e-6)
            assert ours[2][row] == expected[2]


def test_probabilities_sum_to_one_and_fall():
    ids, similarities = random_epochs(300, 4, 5, 8)
    pairing = fill(AdaptiveWindow(300, 4, 5, 0.05), ids, similarities)
    _, probabilities, is_open = pairing.distribution(np.arange(300))
    assert 0.1 < is_open.mean() < 0.9
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    assert (np.diff(probabilities, axis=1) <= 0).all()


def test_every_image_is_its_own_partner_until_the_window_is_full():
    ids, similarities = random_epochs(50, 3, 4, 6)
    ids[:, :, 0], similarities[:, :, 0] = np.arange(50)[:, None], 1.0
    pairing = AdaptiveWindow(50, 3, 4, temperature=10.0)
    for epoch in range(3):
        assert not pairing.distribution(np.arange(50))[2].any()
        np.testing.assert_array_equal(pairing.partners(np.arange(50)), np.arange(50))
        pairing.push(ids[:, epoch], similarities[:, epoch])
    assert pairing.distribution(np.arange(50))[2].all()
    assert (pairing.partners(np.arange(50)) != np.arange(50)).mean() > 0.4


def test_before_any_push_the_image_itself_is_listed():
    ids, probabilities, is_open = AdaptiveWindow(9, 2, 3).distribution([4, 0])
    assert ids.tolist() == [[4, 4, 4], [0, 0, 0]]
    assert probabilities.tolist() == [[1, 0, 0]] * 2
    assert is_open.tolist() == [False, False]


def test_an_image_never_visited_keeps_its_gate_closed():
    pairing = AdaptiveWindow(5, window=2, topk=3)
    for _ in range(2):
        pairing.push(np.zeros((5, 3), int), np.zeros((5, 3), np.float32))
    ids, _, is_open = pairing.distribution([3])
    assert ids.tolist() == [[3, 0, 3]]
    assert not is_open.any()
    np.testing.assert_array_equal(pairing.partners(np.arange(5)), np.arange(5))


def test_a_tie_between_the_image_and_a_smaller_id_closes_the_gate():
    ids = np.array([[1, 0], [1, 0]])
    pairing = AdaptiveWindow(2, window=1, topk=2)
    pairing.push(ids, np.full((2, 2), 0.5))
    assert pairing.distribution([0, 1])[2].tolist() == [True, False]


def test_a_closed_gate_lists_the_image_once():
    pairing = AdaptiveWindow(4, window=1, topk=3)
    pairing.push(np.broadcast_to([3, 1, 0], (4, 3)), np.broadcast_to([0.9, 0.5, 0.1], (4, 3)))
    ids, _, is_open = pairing.distribution(np.arange(4))
    assert ids.tolist() == [[0, 3, 1], [1, 3, 0], [2, 3, 1], [3, 1, 0]]
    assert is_open.tolist() == [False, False, False, True]


def test_temperature_zero_always_draws_the_image_itself():
    ids, similarities = random_epochs(100, 2, 3, 5)
    pairing = fill(AdaptiveWindow(100, 2, 3, temperature=0), ids, similarities)
    _, probabilities, is_open = pairing.distribution(np.arange(100))
    assert is_open.any()
    assert (probabilities == [1, 0, 0]).all()
    np.testing.assert_array_equal(pairing.partners(np.arange(100)), np.arange(100))


@pytest.mark.filterwarnings("error")
def test_a_tiny_temperature_takes_the_strongest():
    ids, similarities = random_epochs(100, 2, 3, 5)
    pairing = fill(AdaptiveWindow(100, 2, 3, temperature=1e-30), ids, similarities)
    np.testing.assert_array_equal(pairing.partners(np.arange(100)), np.arange(100))


def test_draws_follow_the_distribution():
    ids, similarities = random_epochs(40, 3, 4, 4)
    pairing = fill(AdaptiveWindow(40, 3, 4, temperature=0.2), ids, similarities)
    candidates, probabilities, is_open = pairing.distribution(np.arange(40))
    counts = np.zeros(candidates.shape)
    for seed in range(2000):
        pairing.seed = seed
        counts += candidates == pairing.partners(np.arange(40))[:, None]
    deviation = np.sqrt(2000 * probabilities * (1 - probabilities))
    assert is_open.sum() > 5
    assert (np.abs(counts - 2000 * probabilities)[is_open] <= 5 * deviation[is_open] + 1).all()


def test_partners_depend_on_seed_and_push_alone():
    ids, similarities = random_epochs(500, 3, 4, 4)
    build = lambda seed: fill(AdaptiveWindow(500, 3, 4, 0.5, seed), ids, similarities)  # noqa: E731
    first, second, other = build(0), build(0), build(1)
    order = np.random.default_rng(0).permutation(500)
    whole = first.partners(np.arange(500))
    in_parts = np.concatenate([second.partners(part) for part in np.array_split(order, 7)])
    np.testing.assert_array_equal(in_parts, whole[order])
    np.testing.assert_array_equal(first.partners(order[:3]), whole[order[:3]])
    assert (other.partners(np.arange(500)) != whole).any()
    is_open = first.distribution(np.arange(500))[2]
    for _ in range(3):  # the whole window again: the same votes, fresh draws
        first.push(ids[:, 0], similarities[:, 0])
        second.push(ids[:, 0], similarities[:, 0])
    again = second.partners(np.arange(500))
    for _ in range(3):
        second.push(ids[:, 0], similarities[:, 0])
    is_open = second.distribution(np.arange(500))[2]
    assert (second.partners(np.arange(500)) != again)[is_open].any()


def test_large_requests_are_split_without_a_trace(monkeypatch):
    ids, similarities = random_epochs(300, 3, 4, 6)
    pairing = fill(AdaptiveWindow(300, 3, 4, 0.05), ids, similarities)
    whole = pairing.distribution(np.arange(300))
    monkeypatch.setattr(vote, "CHUNK", 7)
    for ours, expected in zip(pairing.distribution(np.arange(300)), whole, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_statistics():
    ids, similarities = random_epochs(300, 3, 4, 4)
    pairing = AdaptiveWindow(300, 3, 4, 0.5)
    assert pairing.statistics() == {"gate_open": 0.0, "partner_is_self": 1.0}
    fill(pairing, ids, similarities)
    _, probabilities, is_open = pairing.distribution(np.arange(300))
    partners = pairing.partners(np.arange(300))
    entropies = [-sum(p * np.log(p) for p in row if p > 0) for row in probabilities[is_open]]
    expected = {
        "gate_open": is_open.mean(),
        "partner_is_self": (partners == np.arange(300)).mean(),
        "effective_candidates": np.mean(np.exp(entropies)),
    }
    assert pairing.statistics() == pytest.approx(expected)
    assert 0 < expected["partner_is_self"] < 1
    np.testing.assert_array_equal(pairing.partners(np.arange(300)), partners)


def test_statistics_of_many_images_are_those_of_a_sample(monkeypatch):
    ids, similarities = random_epochs(300, 3, 4, 4)
    pairing = fill(AdaptiveWindow(300, 3, 4, 0.5), ids, similarities)
    exact, (images, partners) = pairing.statistics(), pairing.partner_sample()
    np.testing.assert_array_equal(images, np.arange(300))
    np.testing.assert_array_equal(partners, pairing.partners(images))
    monkeypatch.setattr(AdaptiveWindow, "most_sampled", 200)
    monkeypatch.setattr(AdaptiveWindow, "_chunk", 32)
    sampled = fill(AdaptiveWindow(300, 3, 4, 0.5), ids, similarities)
    images, partners = sampled.partner_sample()
    assert len(np.unique(images)) == 200
    np.testing.assert_array_equal(partners, pairing.partners(images))
    is_open = pairing.distribution(images)[2]
    assert sampled.statistics()["gate_open"] == is_open.mean() != exact["gate_open"]
    assert sampled.statistics()["partner_is_self"] == (images == partners).mean()


def test_a_push_renews_statistics_and_partners():
    pairing = AdaptiveWindow(2, window=1, topk=1)
    pairing.push(np.array([[0], [1]]), np.ones((2, 1)))
    assert pairing.statistics()["gate_open"] == 1.0
    pairing.push(np.array([[1], [1]]), np.ones((2, 1)))
    assert pairing.statistics()["gate_open"] == 0.5


def test_memory_bytes():
    assert AdaptiveWindow.memory_bytes(1_281_167) == 3_843_501_000
    assert AdaptiveWindow.memory_bytes(1000, window=5, topk=2) == 60_000


@pytest.mark.parametrize(
    ("ids", "similarities", "message"),
    [
        (np.zeros((4, 3), int), np.zeros((4, 2)), r"`ids` of shape \(4, 2\)"),
        (np.zeros((3, 2), int), np.zeros((4, 2)), r"`ids` of shape \(4, 2\)"),
        (np.zeros((4, 2), int), np.zeros(4), r"`similarities` of shape \(4, 2\)"),
        (np.zeros((4, 2)), np.zeros((4, 2)), "`ids` to hold integers"),
        (np.full((4, 2), 4), np.zeros((4, 2)), r"in \[0, 4\)"),
        (np.full((4, 2), -1), np.zeros((4, 2)), r"in \[0, 4\)"),
        (np.zeros((4, 2), int), np.zeros((4, 2), int), "`similarities` to hold floats"),
        (np.zeros((4, 2), int), np.full((4, 2), np.nan), "cosine similarity"),
        (np.zeros((4, 2), int), np.full((4, 2), 1.5), "L2-normalize"),
        (None, None, "`ids` of shape"),
    ],
)
def test_push_refuses(ids, similarities, message):
    pairing = AdaptiveWindow(4, window=2, topk=2)
    with pytest.raises(ValueError, match=message):
        pairing.push(ids, similarities)
    assert pairing.pushes == 0


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([4], r"in \[0, 4\)"),
        ([-1], r"in \[0, 4\)"),
        ([0.0], "`indices` to hold integers"),
        ([[0]], r"`indices` of shape \(n,\)"),
        (0, r"`indices` of shape \(n,\)"),
    ],
)
def test_requests_that_are_refused(indices, message):
    pairing = AdaptiveWindow(4, window=2, topk=2)
    for method in (pairing.partners, pairing.distribution, pairing.records):
        with pytest.raises(ValueError, match=message):
            method(indices)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_images": 0}, "`num_images` to be a positive integer. Received: num_images=0"),
        ({"window": 0}, "`window` to be a positive integer. Received: window=0"),
        ({"topk": 0}, "`topk` to be a positive integer. Received: topk=0"),
        ({"topk": 2.0}, "`topk` to be a positive integer. Received: topk=2.0"),
        ({"seed": -1}, "`seed` to be a non-negative integer. Received: seed=-1"),
        ({"temperature": -0.1}, "`temperature` to be a non-negative number"),
        ({"temperature": float("nan")}, "`temperature` to be a non-negative number"),
    ],
)
def test_constructor_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveWindow(**{"num_images": 4, **arguments})
