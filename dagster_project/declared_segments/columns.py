"""The customer row that rules are written over: its columns, their types and what feeds them.

Add a column here when dbt/macros/customer_row.sql gets one that is no feature; features appear by
themselves.
What a feature means stays out; that is in `_customer_features.yml`.
"""

from collections.abc import Collection, Iterable, Sequence

from dagster_project.feature_catalogue import features

ROW = "customer_360"
OTHERS = {
    "birth_decade": "integer",
    "country_code": "varchar",
    "stage": "varchar",
    "stage_rule": "varchar",
    "microsegment_key": "varchar",
    "microsegment_name": "varchar",
    "microsegment_pattern": "varchar",
    "visit_distance_band": "varchar",
    "currency_code": "varchar",
    "value_rank": "bigint",
    "value_tier": "varchar",
    "alive_probability": "double",
    "expected_next_order_date": "date",
    "expected_order_value_mean": "double",
    "model_version_id": "varchar",
    "differences_to_peers": "varchar",
}
# Columns of OTHERS that are empty unless these shapes are delivered.
NEEDS = {
    "birth_decade": ("customer_records",),
    "country_code": ("customer_records",),
    "visit_distance_band": ("visits", "consents", "regions", "customer_records"),
}
AT_HORIZON = {
    "predicted_revenue_{days}d_mean": "double",
    "predicted_revenue_{days}d_p05": "double",
    "predicted_revenue_{days}d_p50": "double",
    "predicted_revenue_{days}d_p95": "double",
    "predicted_orders_{days}d_mean": "double",
    "predicted_margin_{days}d_mean": "double",
    "predicted_present_value_{days}d_mean": "double",
    "purchase_{days}d_probability": "double",
    "interval_status_{days}d": "varchar",
    "benchmark_gap_{days}d_amount": "double",
    "potential_revenue_{days}d_mean": "double",
    "potential_basis_{days}d": "varchar",
}


def row_columns(horizons_days: Sequence[int]) -> dict[str, str]:
    """Name and SQL type of every column of serving.customer_360_by_date."""
    value = {
        name.format(days=days): kind for days in horizons_days for name, kind in AT_HORIZON.items()
    }
    return {name: feature.data_type for name, feature in features().items()} | OTHERS | value


def unfed(names: Iterable[str], delivered: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The columns that are empty for everybody, each with the shapes that it lacks."""
    catalogue, lacking = features(), {}
    for name in names:
        needs = catalogue[name].needs if name in catalogue else NEEDS.get(name, ())
        missing = tuple(n for n in needs if not any(shape in delivered for shape in n.split("|")))
        if missing:
            lacking[name] = missing
    return lacking
