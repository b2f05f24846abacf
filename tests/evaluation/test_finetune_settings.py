"""What is chosen, and what is refused."""

import pytest

from keras_adasim.evaluation.finetune_settings import choose_settings


def choose(num_images=1000, image_size=32, takes_drop_path=True, replicas=1, **given):
    return choose_settings(num_images, image_size, takes_drop_path, replicas, **given)


@pytest.mark.parametrize(
    ("images", "batch_size", "epochs"),
    [(3, 3, 500), (40, 16, 200), (1000, 32, 100), (5000, 256, 60), (10**6, 256, 30)],
)
def test_chosen_from_the_number_of_images(images, batch_size, epochs):
    settings = choose(images)
    assert (settings.batch_size, settings.epochs) == (batch_size, epochs)
    assert (settings.mixup > 0) == (settings.cutmix > 0) == (images >= 10_000)
    # A step is never smaller than that of 64 images.
    assert settings.learning_rate * batch_size / 256 == pytest.approx(
        1e-3 * max(batch_size, 64) / 256
    )


def test_chosen_from_size_and_backbone():
    assert choose(image_size=224).crop_scale < choose(image_size=32).crop_scale
    assert choose(takes_drop_path=False).drop_path == 0
    assert choose(9, replicas=4).batch_size == 12
    assert choose(epochs=7).warmup_epochs == 0


def test_all_are_told_with_a_reason():
    settings = choose(mixup=0.3)
    lines = list(settings.lines())
    assert len(lines) == 11
    assert [line.split()[-1] for line in lines if line.startswith("mixup")] == ["given"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 1.5),
        ("batch_size", 1001),
        ("learning_rate", 0),
        ("layer_decay", 1.1),
        ("weight_decay", -1),
        ("warmup_epochs", 101),
        ("mixup", float("nan")),
        ("cutmix", -1),
        ("label_smoothing", 1),
        ("drop_path", 1),
        ("crop_scale", 0),
    ],
)
def test_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"`{name}`.*{name}={value}"):
        choose(**{name: value})


def test_drop_path_where_there_is_none_and_batches_that_cannot_be_shared():
    with pytest.raises(ValueError, match="drop_path_rate"):
        choose(takes_drop_path=False, drop_path=0.1)
    with pytest.raises(ValueError, match="2 devices share"):
        choose(replicas=2, batch_size=5)
