"""Micro-segments: planted clusters found, noise left alone, keys that survive refits.

Add here what a fit, an assignment or its stored parameters must keep true.
Matching of labellings is tested in `test_segmentation_alignment`.
"""

import numpy as np
import pandas as pd
import pytest

from models_py.segmentation import Microsegmentation

LAYERS = {"value_behaviour": ("predicted_revenue_mean", "median_gap_days", "discount_share")}
TWO_LAYERS = {**LAYERS, "engagement": ("online_order_share", "web_events_30d_count")}
FAST = {"n_bootstraps": 25, "max_clusters": 5}
PLANTED = [(400.0, 5.0, 0.1), (60.0, 12.0, 0.5), (15.0, 40.0, 0.15)]


def planted(count: int = 900, seed: int = 1, stage: str = "active") -> pd.DataFrame:
    """Three groups of spend, rhythm and discount; online shares that know nothing of them."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, count)
    centre = np.array(PLANTED)[group]
    return pd.DataFrame(
        {
            "customer_id": [f"{stage}_{number:06d}" for number in range(count)],
            "stage": stage,
            "group": group,
            "predicted_revenue_mean": centre[:, 0] * rng.lognormal(0.0, 0.25, count),
            "median_gap_days": centre[:, 1] * rng.lognormal(0.0, 0.2, count),
            "discount_share": np.clip(centre[:, 2] + rng.normal(0.0, 0.04, count), 0.0, 1.0),
            "online_order_share": np.clip(rng.normal(0.5, 0.1, count), 0.0, 1.0),
            "web_events_30d_count": rng.poisson(20.0, count),
        }
    )


def noise(count: int, stage: str, *, correlated: bool) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    shared = rng.normal(size=count) * (1.5 if correlated else 0.0)
    drawn = shared[:, None] + rng.normal(size=(count, 3))
    return pd.DataFrame(
        {
            "customer_id": [f"{stage}_{number:06d}" for number in range(count)],
            "stage": stage,
            "predicted_revenue_mean": np.expm1(5.0 + 0.5 * drawn[:, 0]),
            "median_gap_days": np.expm1(4.0 + 0.5 * drawn[:, 1]),
            "discount_share": drawn[:, 2],
        }
    )


def layers_of(model: Microsegmentation) -> pd.DataFrame:
    quality = model.quality()
    return quality[quality["layer"] != "microsegment"].reset_index(drop=True)


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return planted()


@pytest.fixture(scope="module")
def model(customers: pd.DataFrame) -> Microsegmentation:
    return Microsegmentation(LAYERS, **FAST).fit(customers)


def test_planted_clusters_are_recovered(model: Microsegmentation, customers: pd.DataFrame) -> None:
    from sklearn.metrics import adjusted_rand_score

    found = model.predict(customers)["cluster_key"]
    assert adjusted_rand_score(customers["group"], found) > 0.9
    quality = layers_of(model)
    assert quality["clusters_count"].tolist() == [3]
    assert quality["worst_jaccard"].min() >= 0.75


@pytest.mark.parametrize("correlated", [False, True])
def test_one_cloud_is_no_structure_even_when_a_cut_would_be_stable(correlated: bool) -> None:
    cloud = noise(1_000, "active", correlated=correlated)
    quality = layers_of(Microsegmentation(LAYERS, **FAST).fit(cloud))
    assert quality["clusters_count"].tolist() == [1]
    assert quality["reason"].str.startswith("no structure").all()


def test_key_one_is_the_cluster_of_most_value_at_the_first_fit(
    model: Microsegmentation, customers: pd.DataFrame
) -> None:
    found = model.predict(customers).merge(customers, on="customer_id")
    value = found.groupby("cluster_key")["predicted_revenue_mean"].median()
    assert value.index.tolist() == ["active-vb-01", "active-vb-02", "active-vb-03"]
    assert value.is_monotonic_decreasing


def test_row_order_does_not_matter(model: Microsegmentation, customers: pd.DataFrame) -> None:
    shuffled = customers.sample(frac=1.0, random_state=2)
    again = Microsegmentation(LAYERS, **FAST).fit(shuffled)
    pd.testing.assert_frame_equal(model.parameters_frame(), again.parameters_frame())
    pd.testing.assert_frame_equal(model.predict(customers), again.predict(shuffled))


def test_a_customer_is_assigned_alone_as_in_a_crowd(
    model: Microsegmentation, customers: pd.DataFrame
) -> None:
    whole = model.predict(customers)
    pd.testing.assert_frame_equal(whole, model.predict(customers, batch_size=7))
    alone = [model.predict(customers.iloc[[row]]) for row in range(20)]
    pd.testing.assert_frame_equal(whole.head(20), pd.concat(alone, ignore_index=True))


def test_a_refit_on_the_same_data_keeps_every_key(
    model: Microsegmentation, customers: pd.DataFrame
) -> None:
    again = Microsegmentation(LAYERS, **FAST).fit(customers, previous=model)
    lineage = again.lineage_
    assert set(lineage["decision"]) == {"continued"}
    assert (lineage["old_key"] == lineage["new_key"]).all()
    assert again.retention_["key_retention_share"].eq(1.0).all()
    pd.testing.assert_frame_equal(model.predict(customers), again.predict(customers))
    first, second = (fit.parameters_frame().set_index("parameter") for fit in (model, again))
    told = second.index.str.contains("key_retention_share|low_margin_share", regex=True)
    pd.testing.assert_frame_equal(first, second[~told])


def test_a_bootstrap_refit_keeps_the_keys_of_nearly_everyone(
    model: Microsegmentation, customers: pd.DataFrame
) -> None:
    drawn = customers.sample(len(customers), replace=True, random_state=9)
    again = Microsegmentation(LAYERS, random_state=77, **FAST)
    lineage = again.fit(drawn.drop_duplicates(), previous=model).lineage_
    assert set(lineage["decision"]) == {"continued"}
    before = model.microsegments(model.predict(customers))["microsegment_key"]
    after = again.microsegments(again.predict(customers))["microsegment_key"]
    assert (before == after).mean() > 0.95


def test_a_cluster_that_leaves_takes_its_key_with_it(
    model: Microsegmentation, customers: pd.DataFrame
) -> None:
    rich_left = customers[customers["group"] != 0]
    later = Microsegmentation(LAYERS, **FAST).fit(rich_left, previous=model)
    lineage = later.lineage_
    clusters = lineage[lineage["layer"] == "value_behaviour"]
    assert clusters.loc[clusters["decision"] == "retired", "old_key"].tolist() == ["active-vb-01"]
    returned = Microsegmentation(LAYERS, **FAST).fit(customers, previous=later)
    keys = set(returned.predict(customers)["cluster_key"])
    assert keys == {"active-vb-02", "active-vb-03", "active-vb-04"}


def test_a_stage_that_is_empty_at_a_refit_keeps_its_keys(customers: pd.DataFrame) -> None:
    both = pd.concat([customers, planted(300, seed=5, stage="at_risk")])
    first = Microsegmentation(LAYERS, **FAST).fit(both)
    second = Microsegmentation(LAYERS, **FAST).fit(customers, previous=first)
    lineage = second.lineage_
    assert set(lineage["decision"]) == {"continued"}
    pd.testing.assert_frame_equal(first.predict(both), second.predict(both))
    assert set(second.catalogue()["stage"]) == {"active", "at_risk"}


def test_parameters_round_trip_through_a_plain_table(customers: pd.DataFrame) -> None:
    fitted = Microsegmentation(TWO_LAYERS, floor=60, **FAST).fit(customers)
    table = fitted.parameters_frame()
    assert list(table.columns) == ["model", "draw", "parameter", "value"]
    assert table["value"].dtype == np.float64 and table["parameter"].is_unique
    loaded = Microsegmentation.from_parameters(table.sample(frac=1.0, random_state=1))
    assigned = fitted.predict(customers)
    pd.testing.assert_frame_equal(assigned, loaded.predict(customers))
    pd.testing.assert_frame_equal(
        fitted.microsegments(assigned), loaded.microsegments(loaded.predict(customers))
    )
    pd.testing.assert_frame_equal(fitted.catalogue(), loaded.catalogue())
    pd.testing.assert_frame_equal(table, loaded.parameters_frame())


def test_a_cell_under_the_floor_drops_the_layer_declared_last(customers: pd.DataFrame) -> None:
    online = customers.assign(
        online_order_share=np.where(customers.index % 5 == 0, 0.9, 0.1)
        + np.linspace(-0.05, 0.05, len(customers)),
        web_events_30d_count=np.where(customers.index % 5 == 0, 90, 5) + customers.index % 3,
    )
    layers = dict(reversed(TWO_LAYERS.items()))
    fitted = Microsegmentation(layers, floor=100, **FAST).fit(online)
    segments = fitted.microsegments(fitted.predict(online))
    assert len(segments) == len(online)
    sizes = segments["microsegment_key"].value_counts()
    catalogue = fitted.catalogue().set_index("microsegment_key")
    assert catalogue.loc[sizes.index, "customers_count"].tolist() == sizes.tolist()
    # One in five is online, so each of its three cells has about 60 of 900 and falls back.
    fallen = segments[segments["fallback_level"] > 0]
    assert fallen["customer_id"].isin(online.loc[online.index % 5 == 0, "customer_id"]).all()
    assert len(fallen) == 180
    assert fallen["fallback_level"].eq(1).all()
    assert fallen["pattern"].str.endswith("|value_behaviour=*").all()


def test_few_customers_and_unseen_stages_are_one_group(model: Microsegmentation) -> None:
    few = Microsegmentation(LAYERS, **FAST).fit(planted(40))
    assert layers_of(few)["clusters_count"].tolist() == [1]
    assert few.catalogue()["microsegment_key"].tolist() == ["active-all"]
    unseen = model.predict(planted(3, stage="churned"))
    assert unseen["cluster_key"].tolist() == ["churned-all"] * 3
    assert unseen["distance"].isna().all()
    assert model.microsegments(unseen)["microsegment_key"].tolist() == ["churned-all"] * 3


def test_missing_and_constant_features_are_filled_or_left_out_on_record(
    customers: pd.DataFrame,
) -> None:
    rows = customers.index.to_numpy()
    holed = customers.assign(
        median_gap_days=customers["median_gap_days"].where(rows % 10 > 0),
        online_order_share=customers["online_order_share"].where(rows % 10 == 0),
        web_events_30d_count=7,
    )
    wide = {"value_behaviour": (*LAYERS["value_behaviour"], *TWO_LAYERS["engagement"])}
    fitted = Microsegmentation(wide, **FAST).fit(holed)
    decisions = fitted.features().set_index("feature")["decision"]
    assert decisions["median_gap_days"] == "used, median for the 10% missing"
    assert decisions["online_order_share"] == "left out: 90% missing"
    assert decisions["web_events_30d_count"] == "left out: constant"
    assert fitted.predict(holed)["distance"].notna().all()


def test_a_stage_without_any_usable_feature_is_one_group() -> None:
    empty = planted(300, stage="prospect").assign(
        predicted_revenue_mean=None, median_gap_days=None, discount_share=None
    )
    fitted = Microsegmentation(LAYERS, **FAST).fit(empty)
    assert layers_of(fitted)["reason"].str.contains("nothing is known").all()
    assert fitted.catalogue()["microsegment_name"].tolist() == ["Prospect"]
    loaded = Microsegmentation.from_parameters(fitted.parameters_frame())
    pd.testing.assert_frame_equal(fitted.predict(empty), loaded.predict(empty))


def test_profiles_compare_with_the_stage(model: Microsegmentation, customers: pd.DataFrame) -> None:
    segments = model.microsegments(model.predict(customers))
    profile = model.profile(customers, segments).set_index(["microsegment_key", "feature"])
    revenue = profile.xs("predicted_revenue_mean", level="feature")
    assert np.allclose(revenue["stage_mean"], customers["predicted_revenue_mean"].mean())
    sizes = segments["microsegment_key"].value_counts()
    assert np.isclose((revenue["standardised_gap"] * sizes).sum(), 0.0, atol=1e-6)
    assert revenue["standardised_gap"].idxmax() == "active-vb-01"


def test_names_can_be_said_and_told_apart(model: Microsegmentation) -> None:
    names = model.catalogue().set_index("microsegment_key")["microsegment_name"]
    assert names.is_unique
    assert names["active-vb-01"] == "Active, high spend, every 5 days"


def test_bad_input_is_refused_with_table_and_column(customers: pd.DataFrame) -> None:
    model = Microsegmentation(LAYERS, **FAST)
    with pytest.raises(ValueError, match="features has no column discount_share"):
        model.fit(customers.drop(columns="discount_share"))
    mixed = customers["discount_share"].astype(object).where(customers.index > 0, "often")
    with pytest.raises(ValueError, match="discount_share holds values that are not numbers"):
        model.fit(customers.assign(discount_share=mixed))
    with pytest.raises(ValueError, match="duplicates"):
        model.fit(pd.concat([customers, customers]))
    with pytest.raises(ValueError, match="share the code"):
        Microsegmentation({"value_behaviour": ("a",), "visit_breadth": ("b",)}).fit(customers)


def test_a_stage_nobody_was_in_at_the_fit_is_in_the_catalogue_of_the_day(
    model: Microsegmentation, customers: pd.DataFrame
) -> None:
    later = pd.concat([customers, planted(30, seed=8, stage="churned")])
    cells = model.microsegments(model.predict(later))
    catalogue = model.catalogue(cells).set_index("microsegment_key")
    assert set(cells["microsegment_key"]) <= set(catalogue.index)
    assert catalogue["customers_count"].sum() == len(later)
    assert catalogue.loc["churned-all", "customers_count"] == 30
    assert catalogue["microsegment_name"].notna().all() and catalogue["pattern"].notna().all()
    # A refit that meets the stage tells where its customers come from.
    both = pd.concat([customers, planted(300, seed=8, stage="churned")])
    lineage = Microsegmentation(LAYERS, **FAST).fit(both, previous=model).lineage_
    joint = lineage[(lineage["layer"] == "microsegment") & (lineage["stage"] == "churned")]
    joint = joint[joint["customers_count"] > 0]  # What is left of the stage is nobody yet.
    assert set(joint["old_key"]) == {"churned-all"} and set(joint["decision"]) == {"split"}
    assert joint["customers_count"].sum() == 300
