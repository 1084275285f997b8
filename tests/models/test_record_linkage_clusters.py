"""Clusters: strongest links first, contradictions and overrides respected, whatever the row order.

Add here what the grouping of linked records must keep true.
How probable a link is stays out (the probabilistic linkage has its own file).
"""

import pandas as pd
import pytest

from models_py.record_linkage import cluster_pairs, cluster_scores

COLUMNS = ["source_record_id", "given_name", "family_name", "birth_date", "street", "house_number"]
HOUSE = ("calle mayor", "5")
RECORDS = pd.DataFrame(
    [
        ("1", "ana", "garcia", "1980-01-02", *HOUSE),
        ("2", "anna", "garcia", None, *HOUSE),
        ("3", "luis", "garcia", "1982-05-06", *HOUSE),
        ("4", None, "garcia", None, *HOUSE),
        ("5", "luis", "garcia", "1950-11-30", *HOUSE),
    ],
    columns=COLUMNS,
).assign(source_system="crm")


def links_of(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["l", "r", "link_type", "match_weight"])
    for side in "lr":
        table[f"source_record_id_{side}"] = table.pop(side)
        table[f"source_system_{side}"] = "crm"
    return table


def groups(records: pd.DataFrame, links: pd.DataFrame) -> set[frozenset[str]]:
    persons, _ = cluster_pairs(records, links)
    return {frozenset(ids) for _, ids in persons.groupby("person")["source_record_id"]}


def test_a_household_stays_several_persons() -> None:
    links = links_of(
        ("1", "2", "probabilistic", 20.0),
        ("2", "4", "probabilistic", 12.0),
        ("3", "4", "probabilistic", 9.0),
        ("1", "3", "exact", float("nan")),
    )
    persons, told = cluster_pairs(RECORDS, links)
    assert groups(RECORDS, links) == {
        frozenset({"1", "2", "4"}), frozenset({"3"}), frozenset({"5"})
    }  # fmt: skip
    refused = told[told["is_refused"]]
    assert set(zip(refused["source_record_id_l"], refused["source_record_id_r"], strict=True)) == {
        ("1", "3"), ("3", "4")
    }  # fmt: skip
    assert list(persons["person"]) == [0, 0, 1, 0, 2]


def test_father_and_son_of_one_name_are_two_persons() -> None:
    assert frozenset({"3", "5"}) not in groups(RECORDS, links_of(("3", "5", "exact", 30.0)))


def test_people_move_together_unless_they_contradict_each_other() -> None:
    elsewhere = RECORDS.assign(street=["a", "b", "c", "d", "e"])
    assert groups(elsewhere, links_of(("1", "2", "probabilistic", 9.0))) >= {frozenset({"1", "2"})}


def test_overrides_win() -> None:
    always = links_of(("1", "3", "always", 0.0), ("1", "4", "probabilistic", 9.0))
    assert frozenset({"1", "3", "4"}) in groups(RECORDS, always)
    never = links_of(("1", "2", "never", 0.0), ("1", "2", "exact", 9.0))
    assert frozenset({"1", "2"}) not in groups(RECORDS, never)
    through = links_of(
        ("1", "2", "never", 0.0), ("1", "4", "exact", 9.0), ("4", "2", "exact", 8.0)
    )  # fmt: skip
    assert not any({"1", "2"} <= group for group in groups(RECORDS, through))


def test_a_single_link_does_not_join_two_crowds() -> None:
    names = [("a", k) for k in range(5)] + [("b", k) for k in range(5)]
    records = pd.DataFrame({"source_record_id": [f"{crowd}{k}" for crowd, k in names]})
    records = records.assign(source_system="crm", given_name="juan")
    inside = [
        (f"{crowd}{one}", f"{crowd}{two}", "probabilistic", 9.0)
        for crowd in "ab" for one in range(5) for two in range(one)
    ]  # fmt: skip
    joined = groups(records, links_of(*inside, ("a0", "b0", "probabilistic", 8.0)))
    assert {len(group) for group in joined} == {5}


def test_no_records_are_no_persons() -> None:
    persons, told = cluster_pairs(RECORDS.head(0), links_of())
    assert persons.empty and told.empty


def test_row_order_does_not_matter() -> None:
    links = links_of(
        ("1", "2", "probabilistic", 9.0),
        ("2", "4", "probabilistic", 9.0),
        ("4", "3", "probabilistic", 9.0),
    )
    persons, told = cluster_pairs(RECORDS, links)
    other, retold = cluster_pairs(RECORDS.sample(frac=1, random_state=2), links[::-1])
    pd.testing.assert_frame_equal(persons, other)
    pd.testing.assert_frame_equal(told, retold)


def test_links_of_strangers_and_unknown_types_are_refused() -> None:
    with pytest.raises(ValueError, match="whose record is not among the 5 records"):
        cluster_pairs(RECORDS, links_of(("1", "99", "exact", 1.0)))
    with pytest.raises(ValueError, match="link_type"):
        cluster_pairs(RECORDS, links_of(("1", "2", "maybe", 1.0)))


def test_cluster_scores_count_whole_persons() -> None:
    truth = RECORDS[["source_system", "source_record_id"]].assign(person_id=list("aabbc"))
    found = truth.assign(customer_id=list("xxyxz"))
    scores = cluster_scores(found, truth)
    assert scores["cluster_precision"] == pytest.approx(2 / 3)
    assert scores["cluster_recall"] == pytest.approx(2 / 3)
    assert scores["exact_share"] == pytest.approx(1 / 3)
    assert (scores["joined_clusters_precision"], scores["clusters_true"]) == (0.0, 3)
