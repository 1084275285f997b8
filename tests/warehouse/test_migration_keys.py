"""A few days of the ninety-day benchmark: keys survive refits, behaviour is what was planted.

Add here what must hold of days that follow one another. The whole run is
benchmarks/migration_keys.py.
"""

import pytest

from benchmarks import migration_keys


def test_behaviour_is_what_was_planted_and_a_refit_moves_nobody_between_clear_groups():
    found = migration_keys.run(8, 600, 2)
    assert found["refits"] == 1 and found["keys_without_lineage"] == 0
    assert found["counted_behaviour_moves"] == found["planted_moves"] > 80
    assert found["days_with_another_count"] == 0 and found["moves_by_refit"] == 0


def test_a_refit_on_unchanged_data_moves_nobody_and_continues_every_key():
    found = migration_keys.run(8, 600, 2, is_moving=False, blur=0.45)
    assert found["refits"] == 1
    assert found["moves_by_refit"] == found["counted_behaviour_moves"] == 0
    assert set(found["lineage_decisions"]) == {"continued"}


def test_where_groups_touch_a_refit_moves_some_and_is_told_from_behaviour():
    found = migration_keys.run(8, 600, 2, blur=0.6)
    assert found["refits"] == 1 and found["keys_without_lineage"] == 0
    assert found["moves_by_refit"] > 0
    # Who changes group and still looks like the old one is not seen to move.
    assert found["counted_behaviour_moves"] == pytest.approx(found["planted_moves"], rel=0.15)
