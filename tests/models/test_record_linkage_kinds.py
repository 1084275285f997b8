"""Three kinds of pairs (one person, one household, strangers) and what each column says of them.

Add here what the learned parameters must recover and how a pair is weighed.
Whole linkages on known persons are tested in ``test_record_linkage_probabilistic``.
"""

import duckdb
import numpy as np
import pandas as pd
import pytest

from models_py.record_linkage import RecordLinkage, engine
from models_py.record_linkage.blocking import block_keys
from models_py.record_linkage.comparisons import SAME_HOUSEHOLD, comparisons_of
from models_py.record_linkage.levels import Comparison, Level, edits
from models_py.record_linkage.prepare import prepare_records
from models_py.record_linkage.training import estimate_parameters
from models_py.record_linkage.weights import pair_weights, pattern_weights, rarities

OWN, SHARED = (float("nan"), float("nan")), (0.5, 0.5)
LAMBDA, ETA = 4e-4, 8e-4
# Share of the first of two levels among pairs of one person, of one household, of strangers.
TRUTH = {
    "given": (0.95, 0.02, 0.02),
    "birth": (0.97, 0.001, 0.001),
    "surname": (0.95, 0.7, 0.01),
    "phone": (0.9, 0.3, 0.001),
    "door": (0.9, 0.95, 0.001),
}


def two_levels(name: str) -> Comparison:
    shares = OWN if name in ("given", "birth") else SHARED
    levels = tuple(
        Level(level, "", share, household_share=home)
        for level, share, home in zip(("same", "other"), (0.9, 0.1), shares, strict=True)
    )
    return Comparison(name, (name,), "", levels)


COMPARISONS = [two_levels(name) for name in TRUTH]


def patterns_of(kinds: dict[int, int], seed: int) -> pd.DataFrame:
    """Draw agreement patterns: kind (0 person, 1 household, 2 strangers) -> number of pairs."""
    rng = np.random.default_rng(seed)
    drawn = [
        np.stack([rng.random(count) > share[kind] for share in TRUTH.values()], axis=1)
        for kind, count in kinds.items()
    ]
    frame = pd.DataFrame(np.concatenate(drawn).astype(int), columns=list(TRUTH))
    return frame.value_counts().rename("pairs_count").reset_index()


@pytest.fixture(scope="module")
def learned() -> dict[str, float]:
    records = 5_000
    total = records * (records - 1) // 2
    blocked = patterns_of({0: int(LAMBDA * total), 1: int(ETA * total), 2: 30_000}, seed=1)
    # Strangers come into a block because they agree in something: those in none are left out.
    blocked = blocked[blocked[list(TRUTH)].min(axis=1) == 0]
    random = patterns_of({2: 400_000}, seed=2)
    found = estimate_parameters(COMPARISONS, blocked, random, records)
    return dict(zip(found["parameter"], found["value"], strict=True))


def test_persons_and_households_are_told_apart_without_labels(learned: dict[str, float]) -> None:
    assert learned["lambda"] == pytest.approx(LAMBDA, rel=0.05)
    assert learned["eta"] == pytest.approx(ETA, rel=0.1)
    for name, (person, home, _) in TRUTH.items():
        assert learned[f"m.{name}.same"] == pytest.approx(person, abs=0.03), name
        assert learned[f"h.{name}.same"] == pytest.approx(home, abs=0.06), name


def test_namesakes_behind_one_door_are_doubted_unless_more_agrees(
    learned: dict[str, float],
) -> None:
    shown = pd.DataFrame(
        {
            "pattern": [0, 1],
            "given": 0, "surname": 0, "door": 0, "phone": 1, "birth": [-1, 0],
        }
    )  # fmt: skip
    levels = shown[list(TRUTH)].to_numpy()

    def odds(values: dict[str, float]) -> np.ndarray:
        weights = pattern_weights(COMPARISONS, shown, values)
        return pair_weights(weights, levels, {}, np.array([0, 1]), np.array([0, 0]))

    doubted, sure = 1 / (1 + np.exp(-odds(learned)))
    agreed, other = ("given", "surname", "door"), ("phone",)
    person, home = (
        prior
        * np.prod([TRUTH[name][kind] for name in agreed])
        * np.prod([1 - TRUTH[name][kind] for name in other])
        for kind, prior in ((0, LAMBDA), (1, ETA))
    )
    assert doubted == pytest.approx(person / (person + home), abs=0.03)
    assert doubted < 0.9 < 0.999 < sure
    without = learned | {"eta": 0.0}
    assert odds(without)[0] > odds(learned)[0] + 2, "strangers alone would not have explained it"


def records_of(*rows: tuple[str | None, str | None, str | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["given_name", "family_name", "birth_date"])
    frame["source_record_id"] = [f"{k:04d}" for k in range(len(frame))]
    return frame.assign(source_system="crm")


def test_a_single_word_stands_where_others_have_it_and_points_fall_away() -> None:
    prepared = prepare_records(
        records_of(
            ("J.", "Baxter", None), ("Ann", "Baxter", None), ("Baxter", None, None),
            ("Ann", None, None), (None, "ann", None), ("Zoe", None, None),
        )
    )  # fmt: skip
    names = prepared[["given_name", "family_name"]].astype(object).where(prepared.notna(), None)
    assert [tuple(row) for row in names.to_numpy()] == [
        ("j", "baxter"), ("ann", "baxter"), (None, "baxter"),
        ("ann", None), ("ann", None), ("zoe", None),
    ]  # fmt: skip


def test_one_figure_of_a_year_counts_less_on_the_first_of_january() -> None:
    rng = np.random.default_rng(3)
    days = np.where(
        rng.random(400) < 0.5, "01-01", [f"{m:02d}-17" for m in rng.integers(2, 13, 400)]
    )
    prepared = prepare_records(
        records_of(*((f"n{k}", "x", f"18{k % 90 + 10}-{day}") for k, day in enumerate(days)))
    )
    comparisons = comparisons_of(prepared, everything=True)
    values = {f"u.{c.name}.{level.name}": 0.01 for c in comparisons for level in c.levels}
    place = [c.name for c in comparisons].index("birth_date")
    names = [level.name for level in comparisons[place].levels]
    log, is_own = rarities(comparisons, prepared, values)[place, names.index("year_one_edit")]
    share = (days == "01-01").mean()
    agreement = sum(((days == day).mean()) ** 2 for day in set(days))
    assert is_own
    assert log[days == "01-01"] == pytest.approx(np.log(share / agreement))
    assert log[days == "01-01"][0] > 0 > log[days == "02-17"][0]


def test_the_gates_before_a_distance_leave_its_answer_as_it_is() -> None:
    rng = np.random.default_rng(5)
    words = ["".join(rng.choice(list("abé"), rng.integers(1, 8))) for _ in range(300)]
    pairs = pd.DataFrame({"x_l": np.repeat(words, len(words)), "x_r": np.tile(words, len(words))})
    with duckdb.connect() as con:
        con.register("pairs", pairs)
        wrong = "select count(*) from pairs where ({}) <> (damerau_levenshtein(x_l, x_r) <= {})"
        assert con.execute(wrong.format(edits("x", 1), 1)).fetchone() == (0,)
        close = con.execute(f"select count(*) from pairs where {edits('x', 1)}").fetchone()
        assert close is not None and close[0] > 2 * len(words)
        # Two edits: only a letter out and another in, in texts of one length, is given up.
        lost = con.execute(
            f"select count(*), count_if(strlen(x_l) = strlen(x_r)) from pairs "
            f"where damerau_levenshtein(x_l, x_r) <= 2 and not {edits('x', 2)}"
        ).fetchone()
        assert lost is not None and lost[0] == lost[1]


@pytest.mark.parametrize(
    ("other", "together"),
    [(("28001", "madrid"), True), (("28001", None), True), ((None, None), True),
     (("28009", "madrid"), True), (("41001", "sevilla"), False)],
)  # fmt: skip
def test_one_street_and_number_in_two_towns_is_no_household(
    other: tuple[str | None, str | None], together: bool
) -> None:
    columns = ["street", "house_number", "phone", "email", "postal_code", "city"]
    here = ("calle mayor", "3", None, None, "28001", "madrid")
    pair = pd.DataFrame(
        [(*here, *here[:4], *other)], columns=[f"{c}_{side}" for side in "lr" for c in columns]
    )
    with duckdb.connect() as con:
        con.register("pair", pair)
        found = con.execute(f"select {SAME_HOUSEHOLD} from pair").fetchone()
    assert found is not None and bool(found[0]) is together


def test_pairs_compared_in_parts_are_the_same_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    people = records_of(
        *(
            (f"given{rng.integers(12)}", f"family{rng.integers(30)}", f"19{k % 80 + 10}-05-06")
            for k in range(300)
        )
    )
    prepared = prepare_records(people)
    keys, _ = block_keys(prepared, 200, 5)
    comparisons = comparisons_of(prepared)

    def compared() -> tuple[pd.DataFrame, pd.DataFrame]:
        splink = engine.SplinkEngine(prepared, keys, comparisons)
        patterns = splink.blocked_patterns()
        pairs = splink.blocked_pairs(patterns["pattern"].to_numpy())
        splink.close()
        return patterns, pairs

    whole, pairs = compared()
    monkeypatch.setattr(engine, "CHUNK_PAIRS", 40)
    parts, again = compared()
    assert whole["pairs_count"].sum() == len(pairs) > 400
    pd.testing.assert_frame_equal(parts, whole)
    pd.testing.assert_frame_equal(again, pairs)
    assert not pairs.duplicated(["record_l", "record_r"]).any()


def test_other_records_than_those_of_the_fit_are_compared_again() -> None:
    people = records_of(
        *((f"given{k % 12}", f"family{k % 40}", f"19{k % 80 + 10}-05-06") for k in range(160)),
        *((f"given{k % 12}", f"family{k % 40}", f"19{k % 80 + 10}-05-06") for k in range(40)),
    )
    linkage = RecordLinkage(max_random_pairs=20_000).fit(people)
    assert len(linkage.predict(people)) >= 40
    fewer = people.iloc[:160]
    known = set(fewer["source_record_id"])
    found = linkage.predict(fewer)
    assert set(found["source_record_id_l"]) | set(found["source_record_id_r"]) <= known
