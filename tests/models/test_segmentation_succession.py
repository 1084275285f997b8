"""Keys of micro-segments go on with their customers, whatever becomes of their patterns.

Add here a way in which the layers of a stage can change between two fits.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from models_py.segmentation import Microsegmentation
from models_py.segmentation.cells import OUT, Cell
from models_py.segmentation.succession import carry_keys, joint_lineage
from tests.models.test_segmentation_microsegments import FAST, TWO_LAYERS, planted


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
    retired: dict[str, tuple[str, str]] | None = None,
) -> dict[str, str]:
    """Keys of `after` by place, when so many customers are at an old key and a new place."""
    pairs = [pair for pair, count in moves.items() for _ in range(count)]
    old, new = (
        pd.DataFrame({"stage": "active", "microsegment_key": [pair[side] for pair in pairs]})
        for side in (0, 1)
    )
    used = [{n for n, part in enumerate(c[0].pattern) if part != OUT} for c in (before, after)]
    by_key, by_place = {c.key: c for c in before}, {c.place: c for c in after}
    same = {"active"} if used[0] == used[1] else set()
    return carry_keys(old, new, by_key, by_place, same, retired or {}, 0.5)


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


def test_a_key_that_ended_elsewhere_is_given_to_nobody_else() -> None:
    retired = {"active-va-01": ("active", "active-va-01-pr-01")}
    before, after = [cell("02 .")], [cell("02 ."), cell("01 .")]
    moves = {("active-va-02", "active-va-02"): 50, ("active-va-02", "active-va-01"): 20}
    found = succession(moves, before, after, retired)
    assert found == {"active-va-02": "active-va-02", "active-va-01": "active-va-01.2"}
    # At the place where it ended it is itself again.
    again = succession(moves, before, after, {"active-va-01": ("active", "active-va-01")})
    assert again["active-va-01"] == "active-va-01"


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
    assert third.retired_ or any(cell.key != cell.place for cell in third.cells_.values())
    for model in (second, third):
        model.retired_ |= {"active-vb-09": ("active", "active-vb-09-en-01")}
        again = Microsegmentation.from_parameters(model.parameters_frame())
        assert again.retired_ == model.retired_
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
