"""Stored micro-segmentations: which one comes before a date, and reading one back with its rules.

Add here what holds for every fit of the segments, whichever date it is asked about. Fitting and
assigning are in assets/segments.py; what former fits say of today is in former_segments.py.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Protocol

from dagster_project.config import Config
from dagster_project.model_registry import parameters_of
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.segmentation import LifecycleRules, Microsegmentation

MODEL = "microsegmentation"
STAR_LINE = "star_value_amount"


class Log(Protocol):
    """The log of a run."""

    def warning(self, msg: object, /) -> None: ...


def version_before(warehouse: Warehouse, as_of: dt.date) -> str | None:
    """The latest fit on earlier data, whose keys live on."""
    found = warehouse.scalar(
        "select model_version_id from models.model_versions where model = ? and data_end_date < ? "
        "and status = 'promoted' order by data_end_date desc limit 1",
        [MODEL, as_of],
    )
    return None if found is None else str(found)


def rules_of(config: Config, star_line: float | None = None) -> LifecycleRules:
    """The lifecycle rules of config.yml, with a star line that a fit measured."""
    from models_py.segmentation import LifecycleRules

    settings = config.lifecycle
    return LifecycleRules(
        new_days=settings.new_days,
        reactivated_days=settings.reactivated_days,
        reactivated_gap_days=settings.reactivated_gap_days,
        churned_days=settings.churned_days,
        overdue_gaps=settings.overdue_gaps,
        overdue_days=settings.overdue_days,
        churned_probability=settings.churned_purchase_probability,
        at_risk_probability=settings.at_risk_purchase_probability,
        star_quantile=settings.star_value_quantile,
        star_value_amount=star_line,
        horizon_days=settings.horizon_days,
        order=settings.order,
    )


def load(
    warehouse: Warehouse, version: str, config: Config
) -> tuple[Microsegmentation, LifecycleRules]:
    """A fit as it was stored, with its star line in the rules.

    Raises
    ------
    ValueError
        When its rows are in the format of a release that is no more read.
    """
    from models_py.segmentation import Microsegmentation

    parameters = parameters_of(warehouse, version)
    is_star = (parameters["model"] == "lifecycle") & (parameters["parameter"] == STAR_LINE)
    if not is_star.any():
        raise ValueError(f"model_parameters has no {STAR_LINE} of {version}: fit it again.")
    line = float(parameters.loc[is_star, "value"].iloc[0])
    return Microsegmentation.from_parameters(parameters[~is_star]), rules_of(config, line)


def load_if_readable(
    warehouse: Warehouse, version: str, config: Config, log: Log
) -> tuple[Microsegmentation, LifecycleRules] | None:
    """`load`, or None with the reason in the log: the version then counts as no fit."""
    try:
        return load(warehouse, version, config)
    except ValueError as error:
        log.warning(f"{version} counts as no fit, and its keys do not live on. {error}")
        return None
