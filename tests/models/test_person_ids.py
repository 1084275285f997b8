"""Person ids last: over row orders, re-runs, new and older records, merges, splits and losses.

Add here what must hold of an id once it was given.
Which records are one person is tested in test_resolve.py.
"""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from models_py.record_linkage.changes import person_events
from models_py.record_linkage.exact import ordered_records
from models_py.record_linkage.persons import LEDGER_COLUMNS, SUPERSEDED_COLUMNS, name_persons

KEY = ["source_system", "source_record_id"]
EMPTY_LEDGER = pd.DataFrame({column: [] for column in LEDGER_COLUMNS}, dtype=object)
EMPTY_SUPERSEDED = pd.DataFrame({column: [] for column in SUPERSEDED_COLUMNS}, dtype=object)
NOBODY = pd.DataFrame({column: [] for column in [*KEY, "customer_id"]}, dtype=object)
NO_LINKS = pd.DataFrame({"left": [], "right": [], "is_linked": []}).astype(int)


class Warehouse:
    """The memory between runs: the map, the ledger and what was superseded."""

    def __init__(self) -> None:
        self.ledger, self.superseded, self.map = EMPTY_LEDGER, EMPTY_SUPERSEDED, NOBODY

    def run(self, world: dict[str, tuple[int, int]], order=None, links=NO_LINKS) -> pd.DataFrame:
        """`world`: record -> (person, day first seen); returns the events of the run."""
        names = list(world) if order is None else [list(world)[i] for i in order]
        records = pd.DataFrame({"source_system": "crm", "source_record_id": names}, dtype=object)
        seen = [world[name][1] for name in names]
        records["first_seen_at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(seen, unit="D")
        records["last_seen_at"] = records["first_seen_at"]
        records = ordered_records(records)
        person = np.array([world[name][0] for name in records["source_record_id"]])
        found = name_persons(records, person, self.ledger, self.superseded, self.map)
        before = records[KEY].merge(self.map, on=KEY, how="left")["customer_id"]
        events = person_events(
            before.to_numpy(dtype=object),
            found.customer_id,
            found.superseded,
            self.map[["customer_id"]].drop_duplicates(),
            links,
        )
        self.ledger, self.superseded = found.ledger, found.superseded
        self.map = records[KEY].assign(customer_id=found.customer_id)
        return events

    def id_of(self, record: str) -> str:
        return self.map.set_index("source_record_id")["customer_id"][record]


worlds = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=3),
    st.tuples(st.integers(0, 6), st.integers(0, 30)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(worlds, worlds, st.randoms())
def test_ids_survive_any_order_and_any_new_records(world, later, random):
    warehouse, shuffled = Warehouse(), Warehouse()
    warehouse.run(world)
    order = list(range(len(world)))
    random.shuffle(order)
    shuffled.run(world, order)
    ids = dict(zip(warehouse.map["source_record_id"], warehouse.map["customer_id"], strict=True))
    assert all(shuffled.id_of(record) == ids[record] for record in world)
    assert len(set(ids.values())) == len({person for person, _ in world.values()})

    # New records, some dated before all others, join persons or make new ones.
    grown = world | {f"{key}+": (p, day - 40) for key, (p, day) in later.items()}
    events = warehouse.run(grown)
    assert all(warehouse.id_of(record) == ids[record] for record in world)
    assert set(events["event_type"]) <= {"new"}
    assert warehouse.run(grown).empty
    assert warehouse.ledger["customer_id"].is_unique


# Few records, so that they vanish, come back and find their name with somebody else.
coming_and_going = st.dictionaries(
    st.sampled_from("abcd"), st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=4
)


@settings(max_examples=80, deadline=None)
@given(st.lists(coming_and_going, min_size=3, max_size=5))
def test_whatever_happens_each_person_has_one_id_and_old_ids_lead_to_who_they_are_today(history):
    warehouse, given_ids = Warehouse(), set()
    for world in history:
        before = set(warehouse.map["customer_id"])
        events = warehouse.run(world)
        people = pd.Series([world[r][0] for r in warehouse.map["source_record_id"]])
        assert people.groupby(warehouse.map["customer_id"]).nunique().eq(1).all()
        assert warehouse.map.groupby(people)["customer_id"].nunique().eq(1).all()
        now = set(warehouse.map["customer_id"])
        given_ids |= now
        assert warehouse.ledger["customer_id"].is_unique
        assert not set(warehouse.superseded["old_customer_id"]) & now
        assert set(warehouse.ledger["customer_id"]) == given_ids
        chained = set(warehouse.superseded["customer_id"]) & set(
            warehouse.superseded["old_customer_id"]
        )
        assert not chained, "superseded must lead straight to the person"
        # Every id that came or went is logged once.
        born = events[events["event_type"].isin(["split", "new"])]
        came = born["other_customer_id"].where(born["event_type"] == "split", born["customer_id"])
        gone = events[events["event_type"].isin(["merged", "retired"])]
        went = gone["other_customer_id"].where(gone["event_type"] == "merged", gone["customer_id"])
        assert sorted(came) == sorted(now - before)
        assert sorted(went) == sorted(before - now)


def test_a_merge_keeps_the_older_id_and_a_later_split_brings_the_other_back():
    warehouse = Warehouse()
    apart = {"a": (1, 5), "b": (2, 3), "c": (2, 9)}
    warehouse.run(apart)
    young, old = warehouse.id_of("a"), warehouse.id_of("b")
    link = pd.DataFrame({"left": [0], "right": [1], "is_linked": [True]})
    merged = warehouse.run({"a": (1, 5), "b": (1, 3), "c": (1, 9)}, links=link)
    assert merged.to_dict("records") == [
        {"event_type": "merged", "customer_id": old, "other_customer_id": young, "link": 0}
    ]
    assert warehouse.superseded.to_numpy().tolist() == [[young, old]]
    refused = link.assign(is_linked=False)
    split = warehouse.run(apart, links=refused)
    assert split.to_dict("records") == [
        {"event_type": "split", "customer_id": old, "other_customer_id": young, "link": 0}
    ]
    assert warehouse.superseded.empty


def test_a_record_that_moves_between_two_living_persons_is_logged_with_its_link():
    warehouse = Warehouse()
    warehouse.run({"a": (1, 1), "b": (1, 2), "c": (2, 3)})
    link = pd.DataFrame({"left": [0, 1], "right": [1, 2], "is_linked": [False, True]})
    events = warehouse.run({"a": (1, 1), "b": (2, 2), "c": (2, 3)}, links=link)
    to, off = warehouse.id_of("c"), warehouse.id_of("a")
    assert events.to_dict("records") == [
        {"event_type": "moved", "customer_id": to, "other_customer_id": off, "link": 1}
    ]


def test_a_chain_of_merges_leads_straight_to_the_last_person():
    warehouse = Warehouse()
    warehouse.run({"a": (1, 1), "b": (2, 2), "c": (3, 3)})
    first, second, third = (warehouse.id_of(record) for record in "abc")
    warehouse.run({"a": (1, 1), "b": (2, 2), "c": (2, 3)})
    warehouse.run({"a": (1, 1), "b": (1, 2), "c": (1, 3)})
    assert dict(warehouse.superseded.to_numpy().tolist()) == {second: first, third: first}
    # Its records vanish: history still finds the person.
    warehouse.run({"a": (1, 1)})
    assert dict(warehouse.superseded.to_numpy().tolist()) == {second: first, third: first}


def test_a_person_outlives_the_record_it_is_named_after():
    warehouse = Warehouse()
    warehouse.run({"a": (1, 1), "b": (1, 2)})
    name = warehouse.id_of("b")
    assert warehouse.run({"b": (1, 2)}).empty
    assert warehouse.id_of("b") == name
    assert list(warehouse.run({})["event_type"]) == ["retired"]
    warehouse.run({"b": (1, 2)})
    assert warehouse.id_of("b") == name


def test_a_record_that_comes_back_as_somebody_else_gets_a_name_never_given():
    warehouse = Warehouse()
    warehouse.run({"a": (1, 1), "b": (1, 2)})
    name = warehouse.id_of("a")
    warehouse.run({"b": (1, 2)})
    apart = {"a": (2, 1), "b": (1, 2)}
    warehouse.run(apart)
    assert warehouse.id_of("b") == name != warehouse.id_of("a")
    assert warehouse.run(apart).empty
    assert list(warehouse.run({"a": (1, 1), "b": (1, 2)})["event_type"]) == ["merged"]


def test_a_map_made_before_there_was_a_ledger_keeps_its_ids():
    warehouse = Warehouse()
    warehouse.run({"a": (1, 5), "b": (1, 9)})
    name, warehouse.ledger = warehouse.id_of("a"), EMPTY_LEDGER
    warehouse.run({"a": (1, 5), "b": (1, 9), "older": (1, 0)})
    assert warehouse.id_of("older") == name


def test_the_ledger_tells_no_key_of_a_record():
    warehouse = Warehouse()
    warehouse.run({"maria@example.org": (1, 1)})
    assert "maria" not in warehouse.ledger.to_csv()
