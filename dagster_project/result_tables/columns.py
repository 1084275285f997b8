"""What a result table is, and the columns that several of them share.

Add a column here when tables of two rooms carry it. The tables themselves are in the modules beside
this one.
"""

from __future__ import annotations

from dataclasses import dataclass

Column = tuple[str, str, str]

QUANTILES = ("mean", "p05", "p25", "p50", "p75", "p95")


@dataclass(frozen=True)
class ResultTable:
    """One table written by Python.

    Parameters
    ----------
    schema, name
        Where it lives; together they are also the Dagster asset key.
    grain
        What one row is, as a sentence that begins "One row per".
    columns
        (name, SQL type, description) in storage order.
    """

    schema: str
    name: str
    grain: str
    columns: tuple[Column, ...]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def key(self) -> list[str]:
        return [self.schema, self.name]

    @property
    def column_names(self) -> list[str]:
        return [name for name, _, _ in self.columns]

    @property
    def ddl(self) -> str:
        body = ", ".join(f"{name} {kind}" for name, kind, _ in self.columns)
        return f"create table if not exists {self.full_name} ({body})"


CUSTOMER_ID: Column = (
    "customer_id",
    "VARCHAR",
    "The person, as identity.customers_map knows them.",
)
AS_OF: Column = ("as_of_date", "DATE", "Last day whose events were seen (inclusive).")
HORIZON: Column = ("horizon_days", "INTEGER", "Days after as_of_date that the row looks ahead.")
VERSION: Column = (
    "model_version_id",
    "VARCHAR",
    "The fit that made the row (models.model_versions).",
)
OBSERVED: tuple[Column, ...] = (
    ("observed_revenue_amount", "DECIMAL(18,2)", "Net revenue to date, to the cent of the ledger."),
    ("observed_margin_amount", "DECIMAL(18,2)", "Margin to date; NULL when cost is unknown."),
)
STATUS: Column = (
    "interval_status",
    "VARCHAR",
    "calibrated, uncalibrated or extrapolated: what past origins say of this interval.",
)


def quantiles(quantity: str, meaning: str) -> tuple[Column, ...]:
    """The six columns of an uncertain number: mean and five quantiles of its predictive draws."""
    label = {"mean": "mean", "p05": "5 % quantile", "p50": "median"}
    return tuple(
        (f"{quantity}_{q}", "DOUBLE", f"{meaning}; {label.get(q, q[1:] + ' % quantile')}.")
        for q in QUANTILES
    )
