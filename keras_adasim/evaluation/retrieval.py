"""How well a ranking finds what belongs to a query, as on the revisited Oxford and Paris."""

import numpy as np

from keras_adasim.pairing.validation import check_integers
from keras_adasim.validation import check_has


def average_precision(ranks, positives, junk, kappas):
    """Average precision of ranked lists, and the precision of their beginnings.

    Junk is taken out of a list before anything is measured. Then, with p_0 < p_1 < ... as the
    places of the positives, counted from 0, the average precision is the sum over all j of
    (j / p_j + (j + 1) / (p_j + 1)) / 2, where j / p_j is 1 if p_j = 0, divided by the number of
    the query's positives. Those that aren't in the list add nothing. The precision at kappa is
    the share of positives up to place min(kappa, that of the last positive).

    Args:
        ranks: Integers (database, queries): in each column the ids of a query's list, best first.
        positives: List of an array of ids for each query, in any order.
        junk: List of an array of ids for each query, or None for no junk.
        kappas: Integers (c,), each positive.

    Returns:
        Tuple `(mean, per_query, precisions)`: a float, the average precisions (queries,) and the
        precisions at kappa (queries, c). A query without positives has NaN, and is left out of
        the mean, which is NaN if no query has any.

    Raises:
        ValueError: If the lists aren't as many as the queries, an id is both positive and junk, or
            a positive comes twice in a column.

    Reference:
        - Radenovic et al., "Revisiting Oxford and Paris: Large-Scale Image Retrieval
          Benchmarking", CVPR 2018, as in `compute_map` of the official DINO code.

    Example:
        ```python
        ranks = np.array([[3, 0], [0, 1], [1, 2], [2, 3]])  # Of two queries.
        ka.evaluation.retrieval.average_precision(ranks, [[3, 1], [1]], [[0], []], kappas=[1])
        ```
    """
    ranks = check_integers("ranks", ranks, (None, None))
    kappas = check_integers("kappas", kappas, (None,))
    if not (kappas > 0).all():
        raise ValueError(f"Expected positive `kappas`. Received: kappas={kappas.tolist()}")
    number = ranks.shape[1]
    positives = _lists("positives", positives, number)
    junk = [np.array([], int)] * number if junk is None else _lists("junk", junk, number)
    precisions = np.full((number, len(kappas)), np.nan)
    per_query = np.full(number, np.nan)
    for query, (wanted, ignored) in enumerate(zip(positives, junk, strict=True)):
        places = _places(ranks[:, query], wanted, ignored, query)
        if len(wanted):
            per_query[query] = _area(places) / len(wanted)
            precisions[query] = _precisions(places, kappas)
    known = per_query[~np.isnan(per_query)]
    return float(known.mean()) if len(known) else float("nan"), per_query, precisions


def _lists(name, lists, number):
    """Ids of each query, each once."""
    check_has(name, lists, "a list of an array of ids for each query", "__len__", "__iter__")
    if len(lists) != number:
        raise ValueError(
            f"Expected `{name}` to be {number} arrays of ids, one for each column of `ranks`. "
            f"Received: len({name})={len(lists)}"
        )
    return [np.unique(check_integers(name, ids, (None,))) for ids in lists]


def _places(ranking, positives, junk, query):
    """Sorted places of the positives among all that isn't junk."""
    both = np.intersect1d(positives, junk)
    if len(both):
        raise ValueError(
            "Expected no id in both `positives` and `junk` of a query. "
            f"Received: {both[:5].tolist()} in those of query {query}"
        )
    ranking = ranking[~np.isin(ranking, junk)]
    places = np.flatnonzero(np.isin(ranking, positives))
    if len(np.unique(ranking[places])) < len(places):
        raise ValueError(
            "Expected every id once in a column of `ranks`. "
            f"Received: a positive twice in that of query {query}"
        )
    return places


def _area(places):
    """Sum of the trapezoids under precision over recall, in units of one positive."""
    found = np.arange(len(places))
    before = np.where(places > 0, found / np.maximum(places, 1), 1.0)
    return np.sum(before + (found + 1) / (places + 1)) / 2


def _precisions(places, kappas):
    """Share of positives up to each kappa, or up to the last positive."""
    if not len(places):
        return np.zeros(len(kappas))
    cuts = np.minimum(kappas, places[-1] + 1)
    return np.searchsorted(places, cuts) / cuts
