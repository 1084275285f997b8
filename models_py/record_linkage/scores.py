"""How well a linkage agrees with the truth, by pairs of records and by whole persons.

Add here the figures by which ways to link are compared.
Linking itself stays out, and so do benchmarks, which only call this.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_py.frames import require_columns
from models_py.record_linkage.keys import RECORD_KEY


def pairwise_scores(
    customers_map: pd.DataFrame, truth: pd.DataFrame, truth_column: str = "person_id"
) -> dict[str, float]:
    """Score a linkage by its pairs of records, counted from sizes and never listed.

    Parameters
    ----------
    customers_map : DataFrame
        source_system, source_record_id, customer_id.
    truth : DataFrame
        source_system, source_record_id and `truth_column`; only its records are scored.

    Returns
    -------
    dict
        precision and recall of "these two records are one person" (NaN without any such pair),
        f1, pairs_predicted, pairs_true, pairs_correct, records_count.

    Raises
    ------
    ValueError
        If a record of the truth is not in the map, or comes twice.
    """
    both = _scored_records(customers_map, truth, truth_column)

    def pairs(by: list[str]) -> int:
        sizes = both.groupby(by, sort=False).size().to_numpy().astype(np.int64)
        return int((sizes * (sizes - 1) // 2).sum())

    predicted, true, correct = (
        pairs(["customer_id"]),
        pairs([truth_column]),
        pairs(["customer_id", truth_column]),
    )
    return {
        "precision": correct / predicted if predicted else float("nan"),
        "recall": correct / true if true else float("nan"),
        "f1": 2 * correct / (predicted + true) if predicted + true else float("nan"),
        "pairs_predicted": predicted,
        "pairs_true": true,
        "pairs_correct": correct,
        "records_count": len(both),
    }


def cluster_scores(
    customers_map: pd.DataFrame, truth: pd.DataFrame, truth_column: str = "person_id"
) -> dict[str, float]:
    """Score a linkage by whole persons: one false link spoils two of them.

    Parameters
    ----------
    customers_map : DataFrame
        source_system, source_record_id, customer_id.
    truth : DataFrame
        source_system, source_record_id and `truth_column`; only its records are scored.

    Returns
    -------
    dict
        cluster_precision (share of predicted persons whose records are all of one true person),
        cluster_recall (share of true persons whose records all share one customer_id),
        exact_share (share of true persons found whole and alone), joined_clusters_precision (as
        cluster_precision, among predicted persons of two records and more; NaN without any),
        clusters_predicted, clusters_true.

    Raises
    ------
    ValueError
        If a record of the truth is not in the map, or comes twice.
    """
    both = _scored_records(customers_map, truth, truth_column)
    predicted = both.groupby("customer_id", sort=False)[truth_column].agg(["nunique", "size"])
    true = both.groupby(truth_column, sort=False)["customer_id"].agg(["nunique", "first"])
    pure, whole = predicted["nunique"] == 1, true["nunique"] == 1
    joined = predicted["size"] > 1
    alone = whole & true["first"].map(pure)
    return {
        "cluster_precision": _mean(pure),
        "cluster_recall": _mean(whole),
        "exact_share": _mean(alone),
        "joined_clusters_precision": _mean(pure[joined]),
        "clusters_predicted": len(predicted),
        "clusters_true": len(true),
    }


def _mean(flags: pd.Series) -> float:
    return float(flags.mean()) if len(flags) else float("nan")


def _scored_records(
    customers_map: pd.DataFrame, truth: pd.DataFrame, truth_column: str
) -> pd.DataFrame:
    require_columns(customers_map, [*RECORD_KEY, "customer_id"], "identity.customers_map")
    require_columns(truth, [*RECORD_KEY, truth_column], "truth")
    both = truth[[*RECORD_KEY, truth_column]].merge(
        customers_map[[*RECORD_KEY, "customer_id"]], on=RECORD_KEY, how="left", validate="1:1"
    )
    strangers = int(both[["customer_id", truth_column]].isna().any(axis=1).sum())
    if strangers:
        raise ValueError(
            f"truth has {strangers} records that identity.customers_map does not know, or without "
            f"{truth_column}: score the map of the run that read them."
        )
    return both
