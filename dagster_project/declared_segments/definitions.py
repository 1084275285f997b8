"""Which segments are declared: the ready-made ones with their limits, and the company's own.

Add here what a definition may say besides a rule, its limits and its parts.
What a rule may say is in `expressions.py`, and who belongs on a date in `memberships.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dagster_project.declared_segments.columns import row_columns
from dagster_project.declared_segments.expressions import RuleChecker, RuleError
from dagster_project.feature_catalogue import NUMERIC_TYPES

if TYPE_CHECKING:
    from dagster_project.config import Config

READY_MADE_FILE = Path(__file__).with_name("ready_made.yml")
PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
AT_MOST = "at_most"


@dataclass(frozen=True)
class Line:
    """A limit measured on a date: the `top` share of buyers is at or above it in column `of`."""

    of: str
    top: float


@dataclass(frozen=True)
class Part:
    """One rule of a segment; `name` is the segment's own where it has a single rule."""

    name: str
    description: str
    where: str


@dataclass(frozen=True)
class Segment:
    """A declared segment: rules that share limits, or one rule for each value of a column.

    Parameters
    ----------
    kind
        ready_made or own.
    limits
        Numbers, and lines that become numbers on a date; {name} in a rule stands for them.
    for_each
        Column of which every value gets a segment of its own; {value} stands for it.
    """

    name: str
    kind: str
    parts: tuple[Part, ...]
    limits: Mapping[str, float | Line]
    for_each: str | None = None


def declared_segments(config: Config) -> tuple[Segment, ...]:
    """Return the segments in force, ready-made first: limits of config.yml in, what is off out."""
    ready = []
    for segment in ready_made(config.tier_horizon_days, config.lifecycle.horizon_days).values():
        change = config.segments.ready_made.get(segment.name, {})
        if change != "off":
            ready.append(replace(segment, limits={**segment.limits, **_limits(segment, change)}))
    own = [
        Segment(
            name,
            "own",
            (Part(name, rule.description, rule.where),),
            {line: Line(given.of, given.top) for line, given in rule.lines.items()},
        )
        for name, rule in config.segments.own.items()
    ]
    return (*ready, *own)


def _limits(segment: Segment, change: Mapping[str, Any]) -> dict[str, float | Line]:
    changed: dict[str, float | Line] = {}
    for name, limit in change.items():
        before = segment.limits[name]
        if isinstance(limit, Mapping):
            assert isinstance(before, Line)
            changed[name] = replace(before, top=float(limit["top"]))
        else:
            changed[name] = limit
    return changed


@cache
def ready_made(value_days: int, chance_days: int) -> dict[str, Segment]:
    """The definitions of ready_made.yml at the two horizons that config.yml looks at."""
    text = READY_MADE_FILE.read_text(encoding="utf-8")
    text = text.replace("{value_days}", str(value_days)).replace("{chance_days}", str(chance_days))
    found = {}
    for name, given in yaml.safe_load(text).items():
        parts = {f"{name}:{part}": rule for part, rule in given.get("parts", {}).items()}
        found[name] = Segment(
            name,
            "ready_made",
            tuple(
                Part(part, rule["description"], rule["where"])
                for part, rule in (parts or {name: given}).items()
            ),
            {
                limit: Line(**value) if isinstance(value, dict) else value
                for limit, value in given["limits"].items()
            },
            given.get("for_each"),
        )
    return found


def filled(template: str, values: Mapping[str, str]) -> str:
    """Put values where {name} stands; a name that has none is left as it is."""
    return PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def checker_for(config: Config) -> RuleChecker:
    """The judge of rules over the customer row of this configuration."""
    from dagster_project.settings_segments import TRIED_STAGES

    words = {
        "stage": ("prospect", *TRIED_STAGES, "active"),
        "value_tier": tuple(config.value.tiers),
    }
    return RuleChecker(row_columns(config.lifetime_value.horizons_days), words)


def tried(segment: Segment, part: Part) -> str:
    """The rule with a number for every line and a word for the value of `for_each`.

    A line may turn out to be 0 on a date, so that no rule may divide by it as it stands.
    """
    values = {
        name: "0" if isinstance(limit, Line) else repr(limit)
        for name, limit in segment.limits.items()
    }
    return filled(part.where, values | ({"value": "'a'"} if segment.for_each else {}))


def columns_of(segment: Segment, part: Part, checker: RuleChecker) -> tuple[str, ...]:
    """What must be known of a customer: the columns of the rule and of its lines."""
    lines = {limit.of for limit in segment.limits.values() if isinstance(limit, Line)}
    each = {segment.for_each} if segment.for_each else set()
    return tuple(sorted({*checker.check(tried(segment, part)).columns, *lines, *each}))


def columns_by_segment(config: Config) -> dict[str, tuple[str, ...]]:
    """The columns that each segment in force needs, by its name."""
    checker = checker_for(config)
    return {
        segment.name: tuple(
            sorted({n for part in segment.parts for n in columns_of(segment, part, checker)})
        )
        for segment in declared_segments(config)
    }


def problems(config: Config) -> list[str]:
    """What is wrong with the key `segments` of config.yml: segment, rule, mistake and remedy."""
    known = ready_made(config.tier_horizon_days, config.lifecycle.horizon_days)
    found = []
    for name, change in config.segments.ready_made.items():
        if name not in known:
            found.append(
                f"segments.ready_made.{name} is no ready-made segment"
                f"{_nearest(name, known)}; a rule of your own stands under segments.own"
            )
        elif change != "off":
            found += _limit_problems(known[name], change)
    own = config.segments.own
    taken = sorted(set(own) & set(known))
    found += [
        f"segments.own.{name} has the name of a ready-made segment; choose another"
        for name in taken
    ]
    if found or not own:
        return found
    checker = checker_for(config)
    for segment in declared_segments(config):
        if segment.kind == "own":
            found += _rule_problems(segment, checker)
    return found


def _limit_problems(segment: Segment, change: Mapping[str, Any]) -> list[str]:
    found = []
    for limit, value in change.items():
        key = f"segments.ready_made.{segment.name}.{limit}"
        if limit not in segment.limits:
            valid = ", ".join(segment.limits)
            near = _nearest(limit, segment.limits)
            found.append(f"{key} is no limit of this segment{near}. Valid here: {valid}")
        elif isinstance(value, Mapping) and not isinstance(segment.limits[limit], Line):
            found.append(f"{key} is a number, not a line; write it plainly, for example {limit}: 2")
        elif limit == AT_MOST and (not isinstance(value, int) or value < 1):
            found.append(f"{key} is {value}; give a whole number from 1")
    return found


def _rule_problems(segment: Segment, checker: RuleChecker) -> list[str]:
    found = []
    for name, line in segment.limits.items():
        kind = checker.columns.get(line.of) if isinstance(line, Line) else "double"
        if kind not in NUMERIC_TYPES:
            what = "holds no number" if kind else "is no column of serving.customer_360"
            numbers = [c for c, k in checker.columns.items() if k in NUMERIC_TYPES]
            near = _nearest(line.of, numbers) if isinstance(line, Line) else ""
            found.append(
                f"segments.own.{segment.name}.lines.{name} is a line through "
                f"{line.of if isinstance(line, Line) else name}, which {what}{near}"
            )
    for part in segment.parts:
        where = f"segments.own.{segment.name}.where: the rule `{part.where}`"
        unknown = [n for n in PLACEHOLDER.findall(part.where) if n not in segment.limits]
        if unknown:
            near = _nearest(unknown[0], segment.limits) or "; declare it under lines"
            found.append(f"{where} names the line {{{unknown[0]}}}, which is not declared{near}")
            continue
        try:
            checker.check(tried(segment, part))
        except RuleError as error:
            found.append(f"{where} {error}")
    return found


def _nearest(word: str, valid: Any) -> str:
    near = difflib.get_close_matches(word, list(valid), 1, 0.5)
    return f"; the nearest is {near[0]}" if near else ""
