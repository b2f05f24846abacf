"""Purity of partners, by class, worked out by hand."""

import numpy as np
import pytest

from keras_adasim.evaluation.bootstrapping import class_purity, nearest_others

LABELS = np.array(["ant", "ant", "ant", "bee", "bee", "cow"])


def test_purity_by_class_and_over_all():
    #                            ant  ant  itself  ant  itself  bee
    partners = np.array([1, 0, 2, 0, 4, 3])
    #                     ant  bee  none  bee  bee  ant
    neighbors = np.array([1, 3, 2, 4, 3, 0])
    purity = class_purity(LABELS, partners, neighbors)
    assert purity.classes.tolist() == ["ant", "bee", "cow"]
    assert purity.images.tolist() == [3, 2, 1]
    assert purity.bootstrapped.tolist() == [[2, 0, 0], [1, 0, 0], [0, 1, 0]]
    np.testing.assert_allclose(purity.partner_purity, [1, 0, 0])
    np.testing.assert_allclose(purity.neighbor_purity, [0.5, 1, 0])
    np.testing.assert_allclose(purity.chance, [2 / 5, 1 / 5, 0])
    overall = purity.overall()
    np.testing.assert_allclose(overall["partner"], (0.5, np.sqrt(0.25 / 4)))
    np.testing.assert_allclose(overall["neighbor"], (0.6, np.sqrt(0.24 / 5)))
    np.testing.assert_allclose(overall["chance"][0], 0.5 * 2 / 5 + 1 / 3 / 5)


def test_nobody_is_paired():
    purity = class_purity(LABELS, np.arange(6))
    assert np.isnan(purity.overall()["partner"]).all()
    assert np.isnan(purity.neighbor_purity).all()


def test_the_nearest_other_passes_over_itself_and_rows_never_written():
    ids = np.array([[0, 2], [2, 0], [0, 1]])
    similarities = np.array([[0.9, 0.4], [0.8, 0.1], [0.0, 0.0]])
    assert nearest_others(ids, similarities).tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (([0.5, 1.0], [0, 1]), "`labels`"),
        (([0, 1], [0, 2]), "`partners`"),
        (([0, 1], [0]), "`labels`"),
        (([0, 1], [0, 1], [-1, 0]), "`neighbors`"),
    ],
)
def test_wrong_arguments_are_named(arguments, word):
    with pytest.raises(ValueError, match=word):
        class_purity(*arguments)
