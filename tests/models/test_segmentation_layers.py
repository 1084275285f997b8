"""Layers of mixed features: what is known of whom, each algorithm, and input that is bad.

Add here what one layer must keep true whatever its data look like.
Keys at refits are tested in `test_segmentation_microsegments`.
"""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from models_py.segmentation import LayerSpec, Microsegmentation
from models_py.segmentation.gates import StructureSearch
from models_py.segmentation.lloyd import many_kmeans
from models_py.segmentation.scaling import raw_values
from models_py.segmentation.structure import NOT_STABLE, find_structure

FAST = {"n_bootstraps": 25, "max_clusters": 4}


def mixed(count: int = 800, seed: int = 3) -> pd.DataFrame:
    """Two groups that show in an amount, a favourite, a truth value and a band."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 2, count)
    likely = np.where(group == 1, 0.9, 0.1)
    favourite = np.where(rng.random(count) < likely, "Home", "Toys").astype(object)
    favourite[rng.random(count) < 0.02] = "Rare"
    return pd.DataFrame(
        {
            "customer_id": [f"c{number:06d}" for number in range(count)],
            "stage": "active",
            "group": group,
            "average_order_amount": np.where(group == 1, 90.0, 15.0) * rng.lognormal(0, 0.3, count),
            "favourite_category": favourite,
            "is_online_first": pd.array(rng.random(count) < likely, dtype="boolean"),
            "income_band": np.where(rng.random(count) < likely, "50-74K", "Under 15K"),
        }
    )


SPEC = LayerSpec(
    ("average_order_amount", "favourite_category", "is_online_first", "income_band"),
    transforms={"income_band": "ordered"},
)


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return mixed()


@pytest.fixture(scope="module")
def model(customers: pd.DataFrame) -> Microsegmentation:
    return Microsegmentation({"value": SPEC}, **FAST).fit(customers)


@pytest.mark.parametrize("algorithm", ["kmeans", "gaussian_mixture", "hdbscan", "auto"])
def test_every_algorithm_finds_groups_of_mixed_features_and_survives_storage(
    customers: pd.DataFrame, algorithm: str
) -> None:
    from sklearn.metrics import adjusted_rand_score

    features = ("average_order_amount", "income_band")
    spec = LayerSpec(features, algorithm=algorithm, transforms={"income_band": "ordered"})
    fitted = Microsegmentation({"value": spec}, **FAST).fit(customers)
    assigned = fitted.predict(customers)
    assert len(fitted.models_["active", "value"].keys) >= 2
    assert adjusted_rand_score(customers["group"], assigned["cluster_key"]) > 0.6
    loaded = Microsegmentation.from_parameters(fitted.parameters_frame())
    pd.testing.assert_frame_equal(assigned, loaded.predict(customers), check_exact=True)
    assert loaded.layers == fitted.layers
    alone = pd.concat([fitted.predict(customers.iloc[[row]]) for row in range(10)])
    pd.testing.assert_frame_equal(assigned.head(10), alone.reset_index(drop=True), check_exact=True)


def test_an_unknown_category_is_other_and_a_missing_one_the_mean(
    model: Microsegmentation, customers: pd.DataFrame
) -> None:
    scale = next(
        scale
        for scale in model.models_["active", "value"].scales
        if scale.feature == "favourite_category"
    )
    assert scale.levels == ("Home", "Toys")
    assert scale.shares[-1] == pytest.approx((customers["favourite_category"] == "Rare").mean())
    raw = np.array(["Rare", "Never seen", None], dtype=object)
    rare, unseen, missing = scale.transform(raw)
    assert (rare == unseen).all() and (missing == 0.0).all() and rare[-1] > 0.0
    strange = customers.head(5).assign(favourite_category="Never seen")
    assert model.predict(strange)["distance"].notna().all()


def test_customers_of_whom_nothing_is_known_are_a_cluster_of_their_own(
    customers: pd.DataFrame,
) -> None:
    covered = customers.index % 3 > 0
    features = list(SPEC.features)
    holed = customers.astype(dict.fromkeys(features, object))
    holed.loc[~covered, features] = None
    fitted = Microsegmentation({"value": SPEC}, **FAST).fit(holed)
    assigned = fitted.predict(holed)
    assert (assigned["cluster_key"] == "active-va-00").to_numpy().tolist() == (~covered).tolist()
    assert assigned.loc[~covered, "distance"].isna().all()
    quality = fitted.quality(assigned).set_index("layer")
    assert quality.loc["value", "coverage_share"] == pytest.approx(covered.mean())
    assert quality.loc["value", "clusters_count"] == 2
    whole = Microsegmentation({"value": SPEC}, **FAST).fit(holed[covered])
    known = whole.predict(holed[covered])["cluster_key"].to_numpy()
    assert known.tolist() == assigned.loc[covered, "cluster_key"].tolist()


def test_a_layer_that_is_not_delivered_is_left_out_and_says_so(customers: pd.DataFrame) -> None:
    layers = {"value": SPEC, "engagement": ("web_sessions_90d_count",)}
    empty = customers.assign(web_sessions_90d_count=np.nan)
    fitted = Microsegmentation(layers, **FAST).fit(empty)
    quality = fitted.quality(fitted.predict(empty)).set_index("layer")
    assert quality.loc["engagement", "reason"].startswith("left out")
    assert quality.loc["engagement", "coverage_share"] == 0.0
    assert not fitted.catalogue()["pattern"].str.contains("engagement").any()


def test_unrelated_categories_are_no_structure() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{number:05d}" for number in range(900)],
            "stage": "active",
            "gender": rng.choice(["f", "m"], 900),
            "region": rng.choice(["a", "b", "c"], 900),
        }
    )
    fitted = Microsegmentation({"demography": ("gender", "region")}, **FAST).fit(frame)
    assert len(fitted.models_["active", "demography"].keys) == 1
    assert fitted.catalogue()["microsegment_key"].tolist() == ["active-all"]


def test_features_are_forced_in_and_kept_out_by_config(customers: pd.DataFrame) -> None:
    sparse = customers["average_order_amount"].where(customers.index % 10 == 0)
    frame = customers.assign(
        first_purchase_amount=sparse, max_order_amount=customers["average_order_amount"] * 1.001
    )
    names = ("average_order_amount", "first_purchase_amount", "max_order_amount")
    plain = Microsegmentation({"value": names}, **FAST).fit(frame)
    assert plain.features().set_index("feature")["decision"].to_dict() == {
        "average_order_amount": "used",
        "first_purchase_amount": "left out: 90% missing",
        "max_order_amount": "left out: says the same as an earlier feature",
    }
    spec = LayerSpec(names, always=("first_purchase_amount",), never=("average_order_amount",))
    told = Microsegmentation({"value": spec}, **FAST).fit(frame).features().set_index("feature")
    assert told["is_used"].to_dict() == {
        "average_order_amount": False,
        "first_purchase_amount": True,
        "max_order_amount": True,
    }


def test_a_stage_is_left_to_other_layers_where_config_says_so(customers: pd.DataFrame) -> None:
    spec = LayerSpec(SPEC.features, stages=("star",))
    fitted = Microsegmentation({"value": spec}, **FAST).fit(customers)
    assert fitted.predict(customers)["cluster_key"].eq("active-all").all()
    assert fitted.catalogue()["microsegment_key"].tolist() == ["active-all"]


@pytest.mark.parametrize("transform", ["log", "none", "rank"])
def test_transforms_are_overruled_and_survive_storage(
    customers: pd.DataFrame, transform: str
) -> None:
    spec = LayerSpec(("average_order_amount",), transforms={"average_order_amount": transform})
    fitted = Microsegmentation({"value": spec}, **FAST).fit(customers)
    outlier = customers.head(1).assign(average_order_amount=1e9)
    assert np.isfinite(fitted.predict(outlier)["distance"]).all()
    loaded = Microsegmentation.from_parameters(fitted.parameters_frame())
    pd.testing.assert_frame_equal(
        fitted.predict(customers), loaded.predict(customers), check_exact=True
    )


def test_one_customer_in_a_stage_constants_and_an_empty_layer_have_their_fallback(
    customers: pd.DataFrame,
) -> None:
    one = customers.head(1).assign(stage="star", customer_id="z")
    constant = customers.assign(average_order_amount=5.0)
    layers = {"value": ("average_order_amount",), "engagement": ("web_recency_days",)}
    frame = pd.concat([constant, one]).assign(web_recency_days=np.nan)
    fitted = Microsegmentation(layers, **FAST).fit(frame)
    reasons = fitted.quality().set_index(["stage", "layer"])["reason"]
    assert reasons["active", "value"] == "one group: every feature is constant or mostly missing"
    assert reasons["star", "value"].startswith("one group")
    segments = fitted.microsegments(fitted.predict(frame))
    assert segments["microsegment_key"].value_counts().to_dict() == {
        "active-all": len(customers),
        "star-all": 1,
    }
    assert fitted.profile(frame, segments)["standardised_gap"].dropna().eq(0.0).all()


def test_a_layer_without_any_feature_left_is_refused() -> None:
    with pytest.raises(ValueError, match="no feature left"):
        LayerSpec(("gender",), never=("gender",))
    with pytest.raises(ValueError, match="use one of kmeans"):
        LayerSpec(("gender",), algorithm="dbscan")


def test_many_kmeans_at_once_are_as_good_as_one_by_one() -> None:
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(5)
    values = rng.normal(size=(400, 3)) + 4.0 * rng.integers(0, 3, 400)[:, None]
    weights = np.array([np.bincount(rng.integers(0, 400, 400), minlength=400) for _ in range(8)])
    found = many_kmeans(values, 3, weights.astype(float), 5, np.random.default_rng(0))
    for centres, weight in zip(found, weights, strict=True):
        apart = ((values[:, None, :] - centres) ** 2).sum(axis=2).min(axis=1)
        best = KMeans(3, n_init=10, random_state=0).fit(values, sample_weight=weight).inertia_
        assert (apart * weight).sum() == pytest.approx(best, rel=1e-3)


def test_groups_are_found_nearly_as_well_as_with_the_true_densities_in_hand() -> None:
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(2)
    group = rng.choice(2, 1_000, p=[0.6, 0.4])
    # Both features tell the groups apart: docs/segments.md says what one that does not would do.
    values = 2.5 * group[:, None] + rng.normal(size=(1_000, 2))
    # Unit normals at (0, 0) and (2.5, 2.5): the Bayes rule compares their log-densities.
    bayes = np.log(0.4 / 0.6) + 2.5 * values.sum(axis=1) - 2.5**2 > 0
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{number:05d}" for number in range(1_000)],
            "stage": "active",
            "a_share": values[:, 0],
            "b_share": values[:, 1],
            "c_share": rng.normal(size=1_000),
            "d_share": rng.normal(size=1_000),
        }
    )
    layers = {"value": ("a_share", "b_share"), "product": ("c_share", "d_share")}
    fitted = Microsegmentation(layers, **FAST).fit(frame)
    assigned = fitted.predict(frame)
    found = assigned.loc[assigned["layer"] == "value", "cluster_key"]
    best = adjusted_rand_score(group, bayes)
    assert adjusted_rand_score(group, found) >= 0.9 * best
    assert fitted.models_["active", "value"].worst_jaccard >= 0.75
    assert len(fitted.models_["active", "product"].keys) == 1


def test_a_number_that_is_a_category_has_one_text_whoever_else_is_there(
    customers: pd.DataFrame,
) -> None:
    spec = LayerSpec(("store_type",), transforms={"store_type": "category"})
    whole = customers.assign(store_type=np.where(customers["group"] == 0, 1, 2))
    holed = whole.astype({"store_type": float})
    holed.loc[holed.index[0], "store_type"] = np.nan
    asked = {"value": spec}
    fits = [Microsegmentation(asked, **FAST).fit(frame) for frame in (whole, holed)]
    for fitted in fits:
        scale = fitted.models_["active", "value"].scales[0]
        assert scale.levels == ("1", "2")
        alone, among = (fitted.predict(frame).iloc[1:] for frame in (whole, holed))
        pd.testing.assert_frame_equal(alone, among, check_exact=True)
    kinds = [np.array([1, 2]), np.array([1.0, 2.0]), [Decimal("1.0"), Decimal(2)], ["1", "2"]]
    for values in [*kinds, pd.array([1, 2], dtype="Int64"), pd.array([1, 2], dtype="Float64")]:
        frame = pd.DataFrame({"store_type": values})
        assert raw_values(frame, "store_type", "category").tolist() == ["1", "2"]
    odd = pd.DataFrame({"store_type": [1.5, np.inf]})
    assert raw_values(odd, "store_type", "category").tolist() == ["1.5", "inf"]


def test_a_grouping_on_the_edge_of_stability_stays_but_does_not_come() -> None:
    """Its worst group comes back at 0.81: enough to stay (0.75), too little to be new (0.85)."""
    rng = np.random.default_rng(4)
    group = rng.choice(3, 150, p=[0.5, 0.3, 0.2])
    values = 2.8 * np.array([[0, 0], [1, 0], [0.5, 0.87]])[group] + rng.normal(size=(150, 2))
    search = StructureSearch(4, 0.75, 15, 100, 1_500, 50_000, 1)
    new = find_structure(values, search)
    assert (new.clusters.count, new.reason) == (1, NOT_STABLE)
    stays = find_structure(values, search, standing=("kmeans", group))
    assert stays.clusters.count == 3
    assert 0.75 <= stays.worst_jaccard < 0.85


@pytest.mark.parametrize(("far", "kept"), [(12.0, 4), (15.0, 2)])
def test_a_grouping_that_stands_gives_way_only_to_a_much_better_one(far: float, kept: int) -> None:
    """Two pairs of groups: as two they have a silhouette better by 0.17 or by 0.21."""
    rng = np.random.default_rng(1)
    group = rng.integers(0, 4, 300)
    centres = np.array([[0, 0], [0, 4], [far, 0], [far, 4]])
    values = centres[group] + rng.normal(size=(300, 2))
    search = StructureSearch(5, 0.75, 15, 40, 1_500, 50_000, 1)
    assert find_structure(values, search).clusters.count == 2
    assert find_structure(values, search, standing=("kmeans", group)).clusters.count == kept
