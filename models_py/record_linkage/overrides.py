"""Decisions of people about pairs of records: always one person, or never.

Add here what a reviewed decision may say and when decisions are refused.
How decisions weigh against identifiers and probabilities is decided in ``resolve``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_py.frames import require_columns
from models_py.record_linkage.graph import connected
from models_py.record_linkage.keys import RECORD_KEY
from models_py.record_linkage.links import links_frame

OVERRIDE_COLUMNS = [f"{side}_{column}" for side in ("left", "right") for column in RECORD_KEY]


def override_links(records: pd.DataFrame, overrides: pd.DataFrame | None) -> pd.DataFrame:
    """Decisions as links between positions of records; those about unknown records are left out.

    Parameters
    ----------
    records : DataFrame
        source_system, source_record_id.
    overrides : DataFrame or None
        left_source_system, left_source_record_id, right_source_system, right_source_record_id,
        decision (always or never).

    Raises
    ------
    ValueError
        If a pair that is never one person is, by other decisions, always one.
    """
    nobody = np.array([], dtype=np.int64)
    if overrides is None or overrides.empty:
        return links_frame(nobody, nobody, "always", "override", -1)
    require_columns(overrides, [*OVERRIDE_COLUMNS, "decision"], "staging.identity_overrides")
    known = overrides.assign(row=np.arange(1, len(overrides) + 1))
    known = known.drop_duplicates([*OVERRIDE_COLUMNS, "decision"])
    for side in ("left", "right"):
        keys = {f"{side}_{column}": records[column].to_numpy() for column in RECORD_KEY}
        position = pd.DataFrame(keys | {side: np.arange(len(records))})
        known = known.merge(position, on=list(keys))
    decision = known["decision"].str.lower()
    links = links_frame(
        known["left"].to_numpy(), known["right"].to_numpy(), "always", "override", -1
    )
    links["link_type"] = decision.to_numpy()
    links["row"] = known["row"].to_numpy()
    is_never = (links["link_type"] == "never").to_numpy()
    links.loc[is_never, "is_linked"] = False
    links.loc[is_never, "refused_because"] = "decided_never"
    links = links.drop_duplicates(["left", "right", "link_type"])
    _refuse_contradictions(records, links)
    return links.drop(columns="row").sort_values(["left", "right", "link_type"], ignore_index=True)


def _refuse_contradictions(records: pd.DataFrame, links: pd.DataFrame) -> None:
    always, never = (links[links["link_type"] == kind] for kind in ("always", "never"))
    person = connected(always["left"].to_numpy(), always["right"].to_numpy(), len(records))
    both = never[person[never["left"].to_numpy()] == person[never["right"].to_numpy()]]
    if both.empty:
        return
    # Rows, not keys: the message goes to the run storage, and a key may be an e-mail address.
    rows = ", ".join(str(row) for row in sorted(both["row"])[:5])
    raise ValueError(
        f"identity_overrides says of {len(both)} pairs both that they are never one person and, "
        f"directly or through other records, that they always are: "
        f"rows {rows} of staging.identity_overrides ordered by all columns. "
        "Remove one of the decisions."
    )
