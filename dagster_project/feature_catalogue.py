"""The columns of marts.fct_customer_features as Python knows them: type, unit and shapes needed.

Add here a question about features that several modules ask. A new feature is added in dbt, with
its unit and needs in `_customer_features.yml`, and appears here by itself; what it computes stays
in its slice.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

CONTRACT = Path(__file__).resolve().parent.parent / "dbt/models/marts/_customer_features.yml"
NUMERIC_TYPES = ("bigint", "double", "decimal(18,2)")
# What a customer brings along, rather than what the shop has seen of them since.
STATIC_ATTRIBUTES = (
    "acquisition_channel", "is_online_first", "age_years", "age_band", "gender", "income_band",
    "household_size", "household_persons_count", "region", "urbanity", "income_index",
)  # fmt: skip
PREDICTED = ("purchase_probability", "predicted_revenue_mean")


@dataclass(frozen=True)
class Feature:
    """A column; `needs` holds shapes, of which ``a|b`` is met by either."""

    name: str
    data_type: str
    unit: str
    needs: tuple[str, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether a layer of the segmentation can group customers by it."""
        return self.data_type in NUMERIC_TYPES

    def is_fed_by(self, shapes: Collection[str]) -> bool:
        """Whether the delivered shapes are all it needs; else it is NULL for everyone."""
        return all(any(shape in shapes for shape in need.split("|")) for need in self.needs)


@cache
def features() -> dict[str, Feature]:
    """Every column of the contract by name, in its order."""
    model = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["models"][0]
    return {
        column["name"]: Feature(
            column["name"],
            column["data_type"],
            column["config"]["meta"]["unit"],
            tuple(column["config"]["meta"]["needs"]),
        )
        for column in model["columns"]
    }


def features_fed_by(shape: str, delivered: Collection[str]) -> tuple[str, ...]:
    """Names of the features that would be lost without a shape that is delivered."""
    others = set(delivered) - {shape}
    return tuple(
        feature.name
        for feature in features().values()
        if feature.is_fed_by({*others, shape}) and not feature.is_fed_by(others)
    )


def layer_columns() -> tuple[str, ...]:
    """What a layer of config.yml may name: traits, and value at the stages' horizon."""
    traits = (
        name
        for name, feature in features().items()
        if name != "customer_id" and not feature.data_type.startswith(("date", "timestamp"))
    )
    return (*traits, *PREDICTED)
