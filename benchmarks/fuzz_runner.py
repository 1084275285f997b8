"""Trying hostile cases and writing down how they ended, for the studies of hostile input.

Add here what fuzz.py and fuzz_features.py share; what a case is, and how it is judged, is theirs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

RESULT = Path(__file__).parent / "results" / "fuzz.json"


def try_cases(
    cases: int,
    random_state: int,
    strategy: SearchStrategy[Any],
    run_case: Callable[[Path, Any], str],
    kind_of: Callable[[Any], str] = lambda case: "",
) -> Counter:
    """Outcomes counted, by kind of case where there are kinds.

    A case that raises AssertionError has lost rows, any other exception is a crash; both are
    printed with their case, and the next is tried.
    """
    outcomes: Counter = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:

        @seed(random_state)
        @settings(
            max_examples=cases,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def judge(case: Any) -> None:
            try:
                outcome = run_case(Path(temporary), case)
            except AssertionError as error:
                outcome = "rows lost"
                print(f"{case!r}: {error}", flush=True)
            except Exception as error:
                outcome = "crashed"
                print(f"{case!r}: {type(error).__name__}: {error}", flush=True)
            kind = kind_of(case)
            outcomes[f"{kind}, {outcome}" if kind else outcome] += 1

        judge()
    return outcomes


def counted(outcomes: Counter, outcome: str) -> int:
    """Cases of every kind that ended so."""
    return sum(count for kind, count in outcomes.items() if kind.split(", ")[-1] == outcome)


def written() -> dict[str, Any]:
    """The result file as it is: the figures of fuzz.py, and `features`, those of fuzz_features."""
    return dict(json.loads(RESULT.read_text())) if RESULT.exists() else {}


def study(
    chunk: int,
    try_chunk: Callable[[int, int], Counter],
    facts: dict[str, int],
    joined: Callable[[dict[str, Any]], dict[str, Any]],
    started: float,
    arguments: argparse.Namespace,
) -> None:
    """Try chunk after chunk, write what there is after each, and end with 1 if a case failed.

    `try_chunk` takes the number of the chunk and its random state; `joined` puts the counts beside
    what else the result file holds.
    """
    outcomes: Counter = Counter()
    result: dict[str, Any] = {}
    for number in range(-(-arguments.cases // chunk)):
        if time.monotonic() - started > arguments.minutes * 60:
            break
        outcomes += try_chunk(number, arguments.random_state + number)
        result = {
            "cases": sum(outcomes.values()),
            "crashes": counted(outcomes, "crashed"),
            "rows_lost": counted(outcomes, "rows lost"),
            **facts,
            "random_states": [arguments.random_state, arguments.random_state + number],
            "outcomes": dict(sorted(outcomes.items())),
            "seconds": round(time.monotonic() - started),
        }
        RESULT.write_text(json.dumps(joined(result), indent=2) + "\n")
    print(json.dumps(result, indent=2))
    sys.exit(1 if result["crashes"] or result["rows_lost"] else 0)


def arguments_of(description: str | None, cases: int) -> argparse.Namespace:
    """The options that both studies have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--cases", type=int, default=cases)
    parser.add_argument("--random-state", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600, help="begin no more after these")
    return parser.parse_args()
