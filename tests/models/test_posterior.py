"""Summaries of draws: levels, ranks, axes.

Add here what `posterior` promises of numbers that people read.
Diagnostics of sampling are in `test_lifetime_value_sampling`.
"""

import numpy as np
import pytest

from models_py import posterior


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_row_of_draws_is_summarised_alike_in_whatever_company(axis):
    draws = np.random.default_rng(4).normal(size=(41, 43, 47))
    many = posterior.quantiles(draws, "value", axis=axis)
    assert list(many) == [f"value_{level}" for level in posterior.QUANTILES]
    few = posterior.quantiles(draws[:2, :2] if axis == 2 else draws[..., :2], "value", axis=axis)
    for name, levels in few.items():
        whole = many[name][:2, :2] if axis == 2 else many[name][..., :2]
        np.testing.assert_array_equal(levels, whole)


def test_the_rank_of_a_level_is_rounded_up_without_interpolation():
    draws = np.random.default_rng(5).permutation(np.arange(1.0, 401.0))[None, :]
    expected = {"v_p05": 20.0, "v_p25": 100.0, "v_p50": 200.0, "v_p75": 300.0, "v_p95": 380.0}
    assert {k: v[0] for k, v in posterior.quantiles(draws, "v").items()} == expected
    repeated = np.repeat(draws, 100, axis=0)
    assert {k: v[7] for k, v in posterior.quantiles(repeated, "v").items()} == expected


def test_missing_numbers_rank_last_however_many_draws_there_are():
    draws = np.random.default_rng(6).normal(size=(300, 100))
    draws[0, :20] = np.nan
    assert np.isnan(posterior.quantiles(draws, "v")["v_p95"][0])
    assert not np.isnan(posterior.quantiles(draws, "v")["v_p75"][0])
