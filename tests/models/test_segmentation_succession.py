"""Keys of micro-segments go on with their customers, whatever becomes of their patterns.

Add here a way in which the layers of a stage can change between two fits.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from models_py.segmentation import Microsegmentation
from models_py.segmentation.cells import OUT, Cell
from models_py.segmentation.patterns import pattern_layers
from models_py.segmentation.succession import (
    carry_keys,
    identity,
    joint_lineage,
    with_whole_stages,
)
from tests.models.test_segmentation_microsegments import FAST, TWO_LAYERS, planted

LAYERS = ("value", "product")


def cell(pattern: str, key: str = "") -> Cell:
    """A cell of two layers by the end of its cluster keys: "01 02", "01 *", "01 ." (not used)."""
    named = zip(("va", "pr"), pattern.split(), strict=True)
    parts = tuple({"*": None, ".": OUT}.get(p, f"active-{code}-{p}") for code, p in named)
    made = Cell("", "active", parts, 0)
    return Cell(key or made.place, "active", parts, 0)


def succession(
    moves: dict[tuple[str, str], int],
    before: list[Cell],
    after: list[Cell],
    ended: dict[str, tuple[str, str]] | None = None,
) -> dict[str, str]:
    """Keys of `after` by place, when so many customers are at an old key and a new place."""
    pairs = [pair for pair, count in moves.items() for _ in range(count)]
    old, new = (
        pd.DataFrame({"stage": "active", "microsegment_key": [pair[side] for pair in pairs]})
        for side in (0, 1)
    )
    by_key, by_place = {c.key: c for c in before}, {c.place: c for c in after}
    return carry_keys(old, new, by_key, by_place, (LAYERS, LAYERS), ended or {}, 0.5)


def test_a_layer_that_leaves_takes_no_key_with_it() -> None:
    before = [cell("01 01"), cell("01 02"), cell("02 02")]
    after = [cell("01 ."), cell("02 .")]
    moves = {
        ("active-va-01-pr-02", "active-va-01"): 900,
        ("active-va-01-pr-01", "active-va-01"): 40,
        ("active-va-02-pr-02", "active-va-02"): 500,
    }
    assert succession(moves, before, after) == {
        "active-va-01": "active-va-01-pr-02",
        "active-va-02": "active-va-02-pr-02",
    }


def test_a_layer_that_comes_leaves_the_key_with_most_customers() -> None:
    after = [cell("01 01"), cell("01 02"), cell("01 *")]
    moves = {
        ("active-va-01", "active-va-01-pr-01"): 70,
        ("active-va-01", "active-va-01-pr-02"): 26,
        ("active-va-01", "active-va-01"): 4,
    }
    # What falls back is at the place of the old key, which is another's now.
    assert succession(moves, [cell("01 .")], after) == {
        "active-va-01-pr-01": "active-va-01",
        "active-va-01-pr-02": "active-va-01-pr-02",
        "active-va-01": "active-va-01.2",
    }


def test_an_equal_pattern_of_other_layers_is_another_segment() -> None:
    before = [cell("01 01"), cell("01 02"), cell("01 03"), cell("01 *")]
    moves = {(f"active-va-01-pr-0{n}", "active-va-01"): 100 for n in (1, 2, 3)}
    moves["active-va-01", "active-va-01"] = 5
    assert succession(moves, before, [cell("01 .")]) == {"active-va-01": "active-va-01.2"}


def test_a_small_segment_of_an_equal_pattern_goes_on_and_so_does_the_rest() -> None:
    cells = [cell("01 01"), cell("02 01"), cell("* *")]
    moves = {
        ("active-va-01-pr-01", "active-va-01-pr-01"): 10,
        ("active-va-01-pr-01", "active-va-02-pr-01"): 15,
        ("active-va-02-pr-01", "active-va-02-pr-01"): 60,
        ("active-all", "active-va-02-pr-01"): 3,
    }
    same = {c.key: c.key for c in cells}
    assert succession(moves, cells, cells) == same
    # Where nobody is left of it, the pattern alone is no reason.
    moves["active-va-01-pr-01", "active-va-01-pr-01"] = 0
    moves["active-va-02-pr-01", "active-va-01-pr-01"] = 8
    assert succession(moves, cells, cells) == same | {"active-va-01-pr-01": "active-va-01-pr-01.2"}


def test_the_key_of_a_whole_stage_is_not_that_of_its_rest() -> None:
    after = [cell("01 ."), cell("02 ."), cell("03 ."), cell("* .")]
    moves = {("active-all", f"active-va-0{n}"): 40 for n in (1, 2, 3)} | {
        ("active-all", "active-all"): 2
    }
    found = succession(moves, [cell(". .")], after)
    assert found["active-all"] == "active-all.2"
    assert found["active-va-01"] == "active-va-01"


def test_a_segment_that_falls_to_the_rest_ends_and_the_rest_stays() -> None:
    before = [cell("01 01"), cell("01 02"), cell("* *")]
    moves = {
        ("active-va-01-pr-01", "active-va-01-pr-01"): 90,
        # Nobody else is in the rest, so they are the same customers.
        ("active-va-01-pr-02", "active-all"): 12,
    }
    found = succession(moves, before, [cell("01 01"), cell("* *")])
    assert found == {"active-va-01-pr-01": "active-va-01-pr-01", "active-all": "active-all"}


def test_an_ended_key_comes_back_to_its_own_pattern_alone() -> None:
    whole = {"active-va-01": ("active", identity(cell("01 ."), LAYERS))}
    moves = {("active-va-02", "active-va-02"): 50, ("active-va-02", "active-va-01"): 20}
    again = succession(moves, [cell("02 .")], [cell("01 ."), cell("02 .")], whole)
    assert again == {"active-va-01": "active-va-01", "active-va-02": "active-va-02"}
    # What is left of the group beside its other cells is at the same place, and another segment.
    kept = ("active-va-02-pr-01", "active-va-02-pr-01")
    moves = {kept: 50, ("active-va-02-pr-01", "active-va-01"): 20}
    before, after = [cell("02 01")], [cell("02 01"), cell("01 *")]
    assert succession(moves, before, after, whole)["active-va-01"] == "active-va-01.2"
    left = {"active-va-01.2": ("active", identity(cell("01 *"), LAYERS))}
    assert succession(moves, before, after, whole | left)["active-va-01"] == "active-va-01.2"
    # A key of another stage is not asked.
    other = {"new-va-01": ("new", identity(cell("01 *"), LAYERS))}
    assert succession(moves, before, after, other)["active-va-01"] == "active-va-01"


def test_a_stage_that_was_empty_at_the_fit_is_one_segment_before() -> None:
    assigned = pd.DataFrame({"stage": "active", "microsegment_key": ["active-all"] * 100})
    before = with_whole_stages({}, assigned, LAYERS)
    assert [(c.key, c.place, c.customers_count) for c in before.values()] == [
        ("active-all", "active-all", 100)
    ]
    after = [cell("01 ."), cell("02 ."), cell("* .")]
    moves = {("active-all", "active-va-01"): 60, ("active-all", "active-va-02"): 40}
    assert succession(moves, list(before.values()), after) == {
        "active-va-01": "active-all",
        "active-va-02": "active-va-02",
        "active-all": "active-all.2",
    }


def test_a_layer_that_comes_takes_no_place_of_one_that_stands() -> None:
    rows = np.arange(400)
    keys = np.column_stack([rows % 4, rows // 4 % 2, rows // 8 % 2]).astype(str)
    shares = dict.fromkeys(range(3), 0.8)
    # Two of the three fit: four, eight, and then sixteen cells of 25 under the floor of 30.
    assert pattern_layers(keys, shares, 30) == (1, 0)
    assert pattern_layers(keys, shares, 30, standing=[1, 2]) == (2, 1)
    assert pattern_layers(keys, shares, 20, standing=[1, 2]) == (2, 1, 0)


@pytest.fixture(scope="module")
def fits() -> tuple[pd.DataFrame, list[Microsegmentation]]:
    """Two layers, of which the second has structure at the first fit, not at the second."""
    plain = planted(1_200)
    rng = np.random.default_rng(3)

    def engaged(share: float) -> pd.DataFrame:
        is_online = rng.random(len(plain)) < share
        return plain.assign(
            online_order_share=np.where(is_online, 0.9, 0.1) + rng.normal(0, 0.03, len(plain)),
            web_events_30d_count=rng.poisson(np.where(is_online, 90, 5)),
        )

    customers = plain.assign(
        online_order_share=rng.normal(0.2, 0.1, len(plain)),
        web_events_30d_count=rng.poisson(10, len(plain)),
    )
    found = [Microsegmentation(TWO_LAYERS, floor=30, **FAST).fit(engaged(0.15))]
    for frame in (customers, engaged(0.15)):
        found.append(Microsegmentation(TWO_LAYERS, floor=30, **FAST).fit(frame, found[-1]))
    return customers, found


def test_customers_keep_their_keys_when_a_layer_dissolves(
    fits: tuple[pd.DataFrame, list[Microsegmentation]],
) -> None:
    _, (first, second, _) = fits
    assert first.pattern_layers("active") == ("engagement", "value_behaviour")
    assert second.pattern_layers("active") == ("value_behaviour",)
    joint = second.lineage_[second.lineage_["layer"] == "microsegment"]
    continued = joint[joint["decision"] == "continued"]
    assert continued["customers_count"].sum() > 0.99 * 1_200
    assert (continued["old_key"] == continued["new_key"]).all()
    assert set(joint.loc[joint["decision"] == "merged", "new_key"]) <= set(continued["new_key"])
    told = second.catalogue().set_index("microsegment_key")["pattern"]
    assert told[continued["new_key"]].str.contains("engagement").sum() == 0


def test_carried_and_ended_keys_are_stored(
    fits: tuple[pd.DataFrame, list[Microsegmentation]],
) -> None:
    customers, (_, second, third) = fits
    assert any(cell.key != cell.place for cell in second.cells_.values())
    assert second.ended_ and third.ended_
    for model in (second, third):
        model.minted_ |= {("active", "gone/away"): 4}
        again = Microsegmentation.from_parameters(model.parameters_frame())
        assert (again.ended_, again.minted_) == (model.ended_, model.minted_)
        assert {k: c.place for k, c in again.cells_.items()} == {
            k: c.place for k, c in model.cells_.items()
        }
        pd.testing.assert_frame_equal(
            *(m.microsegments(m.predict(customers)) for m in (model, again))
        )


def test_every_old_and_new_key_is_in_the_lineage(
    fits: tuple[pd.DataFrame, list[Microsegmentation]],
) -> None:
    _, models = fits
    for before, after in pairwise(models):
        joint = after.lineage_[after.lineage_["layer"] == "microsegment"]
        assert set(joint["old_key"].dropna()) == set(before.cells_)
        assert set(joint["new_key"].dropna()) == set(after.cells_)


def test_equal_keys_are_continued_in_the_lineage() -> None:
    old, new = (
        pd.DataFrame({"stage": "active", "microsegment_key": list(keys)}) for keys in ("aab", "abb")
    )
    cells = {key: Cell(key, "active", (OUT,), 0) for key in "ab"}
    told = joint_lineage(old, new, cells, cells)
    assert told["decision"].tolist() == ["continued", "continued"]
    assert told["customers_count"].tolist() == [1, 1]


def test_a_group_that_ends_and_a_remainder_at_its_place_are_two_keys() -> None:
    """A layer joins and the whole group ends; later its small cells leave a remainder behind."""
    rng = np.random.default_rng(5)
    people = planted(900)

    def delivered(shares: tuple[float, ...]) -> pd.DataFrame:
        kind = rng.choice(len(shares), len(people), p=shares)
        return people.assign(
            online_order_share=kind / 3 + rng.normal(0, 0.02, len(people)),
            web_events_30d_count=rng.poisson(np.array([3, 40, 150, 400])[kind]),
        )

    even, one = (0.25, 0.25, 0.25, 0.25), (1.0, 0.0, 0.0, 0.0)
    model = Microsegmentation(TWO_LAYERS, floor=40, **FAST).fit(delivered(one))
    members: dict[str, set[str]] = {}
    for shares in (one, even, even, (0.88, 0.04, 0.04, 0.04), even):
        frame = delivered(shares)
        model = Microsegmentation(TWO_LAYERS, floor=40, **FAST).fit(frame, model)
        cells = model.microsegments(model.predict(frame))
        texts = cells.groupby("microsegment_key")["pattern"].first()
        for key, text in texts.items():
            members.setdefault(str(key), set()).add(text)
        lineage = model.lineage_[model.lineage_["layer"] == "microsegment"]
        assert set(lineage["new_key"].dropna()) == set(model.cells_)
    for key, texts in members.items():
        # No key was once a whole group and once what is left of it.
        assert not {f"value_behaviour={key}", f"value_behaviour={key}|engagement=*"} <= texts


def test_numbers_of_clusters_go_on_after_a_change_of_config() -> None:
    both = pd.concat([planted(600), planted(600, seed=2, stage="new")], ignore_index=True)
    first = Microsegmentation(TWO_LAYERS, floor=30, **FAST).fit(both)
    assert first.models_["new", "value_behaviour"].keys_minted == 3
    # The stage is empty while another layer comes into config, and its clusters go.
    three = {**TWO_LAYERS, "rhythm": ("median_gap_days",)}
    second = Microsegmentation(three, floor=30, **FAST).fit(planted(600), first)
    assert second.minted_["new", "value_behaviour"] == 3
    stored = Microsegmentation.from_parameters(second.parameters_frame())
    third = Microsegmentation(three, floor=30, **FAST).fit(both, stored)
    keys = third.models_["new", "value_behaviour"].keys
    assert keys == ("new-vb-04", "new-vb-05", "new-vb-06")
    assert ("new", "value_behaviour") not in third.minted_
    before = {key for key in first.cells_ if key.startswith("new")}
    assert before and not before & set(third.cells_) and before <= set(third.ended_)


def test_a_small_cell_that_stands_lives_on_below_the_floor() -> None:
    """First 40 customers, then 22 of a floor of 30: less than a new cell needs, and above 60 %."""
    people = planted(1_200)
    rng = np.random.default_rng(7)
    order = people.groupby("group").cumcount()

    def delivered(few: int) -> pd.DataFrame:
        is_online = order < np.where(people["group"] == 0, few, 200)
        return people.assign(
            online_order_share=np.where(is_online, 0.9, 0.1) + rng.normal(0, 0.03, len(people)),
            web_events_30d_count=rng.poisson(np.where(is_online, 90, 5)),
        )

    first = Microsegmentation(TWO_LAYERS, floor=30, **FAST).fit(delivered(40))
    [small] = [key for key, cell in first.cells_.items() if cell.customers_count == 40]
    frame = delivered(22)
    again = Microsegmentation(TWO_LAYERS, floor=30, **FAST).fit(frame, first)
    assert again.cells_[small].customers_count == 22
    fresh = Microsegmentation(TWO_LAYERS, floor=30, **FAST).fit(frame)
    assert 22 not in [c.customers_count for c in fresh.cells_.values() if not c.fallback_level]
