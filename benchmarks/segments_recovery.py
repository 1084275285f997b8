"""How much of the retailer's hidden segments the layers show, beside what could be shown at all.

Add here a bound on recovery; `segments.py` runs it on a finished home. Densities of features under
the six hidden segments have no closed form; the ceiling is a gradient boosting that is told the
segments of other customers and scored out of fold, per stage and layer, so it is an estimate of the
Bayes value from below. A layer with one group is no success. No clustering is told segments, so two
more bounds stand beside it: the best of k-means and normal mixtures with two to six groups, chosen
by the truth, and a mixture whose EM starts at the true segments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from models_py.segmentation import Microsegmentation
from models_py.segmentation.scaling import raw_values


def measure_recovery(
    model: Microsegmentation, frame: pd.DataFrame, assigned: pd.DataFrame, segments: pd.Series
) -> list[dict[str, Any]]:
    """Adjusted Rand against hidden segments by stage and layer, beside the informed ceiling."""
    hidden = frame["customer_id"].map(segments)
    rows = []
    for (stage, layer), fitted in sorted(model.models_.items()):
        here = (frame["stage"] == stage).to_numpy() & hidden.notna().to_numpy()
        mine = (assigned["stage"] == stage) & (assigned["layer"] == layer)
        keys = assigned[mine].set_index("customer_id")["cluster_key"]
        covered = here & ~frame["customer_id"].map(keys).eq(fitted.unknown_key).to_numpy()
        truth = hidden[covered].to_numpy()
        common = pd.Series(truth).value_counts()
        if not fitted.keys or (common >= 5).sum() < 2:
            continue
        columns = [scale for scale in fitted.scales if scale.is_used]
        table = np.column_stack(
            [
                scale.transform(raw_values(frame[covered], scale.feature, scale.kind))
                for scale in columns
            ]
        ) if columns else np.zeros((int(covered.sum()), 1))  # fmt: skip
        usable = np.isin(truth, common[common >= 5].index)
        informed = cross_val_predict(
            HistGradientBoostingClassifier(max_depth=4, max_iter=60, random_state=0),
            table[usable],
            truth[usable],
            cv=StratifiedKFold(5, shuffle=True, random_state=0),
        )
        ceiling = adjusted_rand_score(truth[usable], informed)
        labels = frame["customer_id"][covered].map(keys)[usable]
        score = adjusted_rand_score(truth[usable], labels)
        best, from_truth = measure_clusterings(table[usable], truth[usable])
        rows.append(
            {
                "stage": stage,
                "layer": layer,
                "customers": int(usable.sum()),
                "clusters": len(fitted.keys),
                "adjusted_rand": round(float(score), 4),
                "informed_adjusted_rand": round(float(ceiling), 4),
                "share_of_informed": round(float(score / ceiling), 3) if ceiling > 0.02 else None,
                "best_clustering_adjusted_rand": round(best, 4),
                "from_truth_adjusted_rand": round(from_truth, 4),
            }
        )
    return rows


def measure_clusterings(table: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Adjusted Rand of the best clustering, chosen by the truth, and of EM started at the truth."""
    found = [
        clusterer.fit_predict(table)
        for groups in range(2, 7)
        for clusterer in (
            KMeans(groups, n_init=10, random_state=0),
            GaussianMixture(groups, n_init=3, random_state=0, reg_covar=1e-3),
        )
    ]
    _, group = np.unique(truth, return_inverse=True)
    count, width = int(group.max()) + 1, table.shape[1]
    blocks = [table[group == number] for number in range(count)]
    started = GaussianMixture(
        count,
        means_init=np.array([block.mean(axis=0) for block in blocks]),
        precisions_init=np.array(
            [
                np.linalg.inv(np.cov(block.T).reshape(width, width) + 0.01 * np.eye(width))
                for block in blocks
            ]
        ),
        weights_init=np.bincount(group) / len(group),
        reg_covar=1e-3,
    ).fit_predict(table)
    best = max(adjusted_rand_score(truth, labels) for labels in found)
    return float(best), float(adjusted_rand_score(truth, started))


def hidden_segments(connection: duckdb.DuckDBPyConnection, home: Path) -> pd.Series:
    """Hidden segment of each customer: that of most of their records, of equals the first."""
    connection.execute(
        f"create temp view records as select * from '{home}/truth/person_records.parquet'"
    )
    connection.execute(f"create temp view persons as select * from '{home}/truth/persons.parquet'")
    found = connection.execute(
        """
        select customer_id, segment from identity.customers_map as mapped
        join records on records.source_record_id = mapped.source_record_id
            and case when records.kind = 'device' then 'device' else records.source_system end
                = mapped.source_system
        join persons using (person_id) group by customer_id, segment
        qualify row_number() over (partition by customer_id order by count(*) desc, segment) = 1
        """
    ).df()
    return found.set_index("customer_id")["segment"]
