"""The typed keys of `config.yml` about stages and declared segments, and what each may be.

Add a key here when a business may decide something more about them.
What a rule over the customer row may say stays out; that is `declared_segments`.
"""

import difflib
import math
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dagster_project.settings_values import (
    Name,
    Positive,
    Probability,
    Settings,
    Stage,
    distinct,
)

TRIED_STAGES: tuple[str, ...] = get_args(Stage)[1:-1]
"""Stages that have a condition. A prospect has no purchase, and active is whoever is left."""


def _known_stages(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in TRIED_STAGES:
            near = difflib.get_close_matches(name, TRIED_STAGES, 1, 0.5)
            hint = f"the nearest is {near[0]}" if near else f"use {', '.join(TRIED_STAGES)}"
            always = (
                "which comes first of all and cannot be moved"
                if name == "prospect"
                else "which holds whoever is left and cannot be moved"
                if name == "active"
                else "which is no stage"
            )
            raise ValueError(f"names {name}, {always}; {hint}")
    return names


StageOrder = Annotated[tuple[str, ...], AfterValidator(distinct), AfterValidator(_known_stages)]


class LifecycleSettings(Settings):
    """Limits between the lifecycle stages."""

    new_days: Positive = 30
    at_risk_purchase_probability: Probability = 0.5
    churned_purchase_probability: Probability = 0.1
    churned_days: Positive = 90
    overdue_gaps: Annotated[float, Field(gt=1)] = 6.0
    overdue_days: Positive = 30
    reactivated_days: Positive = 30
    reactivated_gap_days: Positive = 120
    star_value_quantile: Probability = 0.9
    horizon_days: Positive = 90
    order: StageOrder = TRIED_STAGES

    @model_validator(mode="after")
    def _churned_is_below_at_risk(self) -> "LifecycleSettings":
        if self.churned_purchase_probability >= self.at_risk_purchase_probability:
            raise ValueError(
                "has churned_purchase_probability "
                f"{self.churned_purchase_probability}, which must be below "
                f"at_risk_purchase_probability {self.at_risk_purchase_probability}"
            )
        return self


class Line(Settings):
    """A limit that is measured on every date: the best `top` share of the buyers is above it."""

    of: str
    top: Probability


class OwnSegment(Settings):
    """A segment of the company's own: who belongs, in words and as an SQL expression."""

    description: Annotated[str, Field(min_length=1)]
    where: Annotated[str, Field(min_length=1)]
    lines: dict[Name, Line] = Field({})


def _limits_or_off(value: object) -> object:
    """Off (which YAML reads as false), or limits by name: a number or {top: share}."""
    if value is False or value == "off":
        return "off"
    if not isinstance(value, dict) or not value:
        raise ValueError("must be off, or limits by name, for example {value_line: {top: 0.1}}")
    for name, limit in value.items():
        if isinstance(limit, dict):
            share = limit.get("top")
            is_share = isinstance(share, int | float) and not isinstance(share, bool)
            if set(limit) != {"top"} or not is_share or not 0 < share < 1:
                raise ValueError(
                    f"has {name}: {limit}; a line is written {{top: 0.2}}, with a share of the "
                    "buyers between 0 and 1"
                )
        elif isinstance(limit, bool) or not (
            isinstance(limit, int | float) and math.isfinite(limit)
        ):
            raise ValueError(f"has {name}: {limit!r}, which is no number and no {{top: share}}")
    return value


ReadyMade = Annotated[Any, BeforeValidator(_limits_or_off)]


class DeclaredSegmentSettings(Settings):
    """Which ready-made segments to keep, with which limits, and the company's own rules."""

    ready_made: dict[Name, ReadyMade] = Field({})
    own: dict[Name, OwnSegment] = Field({})
