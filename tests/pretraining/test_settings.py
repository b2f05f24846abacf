"""Settings live with what they configure."""

import inspect

import pytest

from keras_adasim import augment, backbones, objectives, optimizers
from keras_adasim.pretraining import building, plan, settings
from keras_adasim.pretraining.deciding import Decision
from keras_adasim.pretraining.settings import SETTINGS, applicable, checked
from tests.models import tiny


def test_every_argument_of_an_objective_is_a_setting():
    for name, kind in settings.objectives_by_name().items():
        known = applicable([name])
        for argument, parameter in inspect.signature(kind).parameters.items():
            if argument in ("kwargs", "seed"):
                continue
            setting = argument.replace("_step", "_epoch") if "_step" in argument else argument
            assert known[setting] == parameter.default, (name, argument)


def test_objectives_are_found_by_their_file():
    names = set(settings.objectives_by_name())
    assert names == {name for name in objectives.__all__ if name.islower()}


def test_every_setting_is_explained():
    for setting in SETTINGS.values():
        assert len(setting.help) > 10, setting.name
        assert setting.help.endswith("."), setting.name


@pytest.mark.parametrize("objective", settings.objectives_by_name())
def test_settings_build_what_they_configure(objective):
    decision = Decision({"objective": objective}, defaults={})
    decision.choose(_Images())
    built = building.make_objective(decision, steps_per_epoch=10)
    assert type(built) is settings.objectives_by_name()[objective]
    default = type(built)().get_config()
    assert {**built.get_config(), "name": ""} == {**default, "name": ""}


class _Images:
    """What choosing looks at."""

    image_size = (32, 32)
    channels = 3

    def __len__(self):
        return 1000


def test_steps_are_set_in_epochs():
    decision = Decision({"freeze_last_layer_epochs": 2, "teacher_temperature": 0.07}, defaults={})
    decision.choose(_Images())
    built = building.make_objective(decision, steps_per_epoch=10)
    assert built.freeze_last_layer_steps == 20
    assert float(built.teacher_temperature(0)) == pytest.approx(0.07)


def test_a_temperature_warms_up():
    given = {"warmup_teacher_temperature_epochs": 3, "teacher_temperature": 0.07}
    decision = Decision(given, defaults={})
    decision.choose(_Images())
    schedule = building.make_objective(decision, steps_per_epoch=10).teacher_temperature
    assert [float(schedule(step)) for step in (0, 10, 20)] == pytest.approx([0.04, 0.055, 0.07])


def test_optimizers_get_their_own_settings():
    for name, kind in settings.OPTIMIZERS.items():
        decision = Decision({"optimizer": name}, defaults={})
        decision.choose(_Images())
        assert type(building.make_optimizer(decision, 100, 10)) is kind
    decision = Decision({"optimizer": "sgd", "optimizer_momentum": 0.5}, defaults={})
    decision.choose(_Images())
    assert building.make_optimizer(decision, 100, 10).momentum == 0.5
    with pytest.raises(ValueError, match="setting of adamw"):
        Decision({"optimizer": "sgd", "beta_1": 0.5}, defaults={}).choose(_Images())


def test_presets_have_their_own_settings():
    assert applicable(["vit_small"])["patch_size"] == 16
    assert "patch_size" not in applicable(["resnet50"])
    assert set(backbones.PRESETS) >= {"vit_mini", "vit_tiny", "vit_small", "vit_base", "resnet50"}
    assert "window_size" in applicable(["swin_tiny"])


def test_crops_and_views_are_settings():
    for kind in (augment.MultiCrop, optimizers.AdamW):
        for name in inspect.signature(kind).parameters:
            assert name in SETTINGS or name in settings.DERIVED, name


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("epochs", 3, 3), ("clipnorm", 3, 3.0), ("mean", [0.5, 0.5], (0.5, 0.5)), ("xla", "no", "no")],
)
def test_values_get_their_type(name, value, expected):
    found = checked(name, value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", True),
        ("epochs", "3"),
        ("epochs", 2.0),
        ("epochs", None),
        ("clipnorm", "3"),
        ("norm_last_layer", 1),
        ("xla", True),
        ("mean", 0.5),
        ("learning_rate", float("nan")),
    ],
)
def test_values_of_another_kind_are_named(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        checked(name, value)


def test_a_bank_has_the_rows_and_shares_of_the_settings():
    source, student = range(12), tiny.vit()
    bank = building.make_bank(source, student, object(), row_dtype="float16", sharded=True)
    assert (bank.num_images, bank.topk, bank.row_dtype, bank.sharded) == (12, 10, "float16", True)
    told = plan.about_the_bank(bank, 2_500_000)
    assert told == "2.5 MB of the bank, of float16 rows, all of it, as there is but one device"
