"""The simulated retailer as files: sources in one folder, truth in another.

Add here a file format in which companies deliver.
What the tables hold stays out and is decided in ``build``.
"""

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models_py.simulate.retailer.build import simulate_retailer
from models_py.simulate.retailer.ceilings import Ceiling

# Small tables that a shop would export from a spreadsheet.
CSV_SHAPES = ("regions", "erasure_requests", "exchange_rates")


def write_retailer(
    folder: Path,
    truth_folder: Path,
    customers: int,
    seed: int,
    *,
    end_date: date = date(2025, 12, 31),
    ceiling: Ceiling | None = None,
) -> dict[str, int]:
    """Simulate and write one file per shape, and the truth apart from them.

    The same arguments give the same bytes: fixed row order, no metadata, one row group size.

    Parameters
    ----------
    folder : Path
        Gets `<shape>.parquet`, or `<shape>.csv` for `CSV_SHAPES`; made when missing.
    truth_folder : Path
        Gets `<table>.parquet`; must not lie in `folder`, which the pipeline reads.
    customers, seed, end_date, ceiling
        As for `simulate_retailer`.

    Returns
    -------
    dict of int
        Rows written per shape.

    Raises
    ------
    ValueError
        When the truth would lie within the pipeline's reach, or customers are too few.
    """
    folder, truth_folder = Path(folder).resolve(), Path(truth_folder).resolve()
    if truth_folder == folder or folder in truth_folder.parents:
        raise ValueError(
            f"truth folder {truth_folder} lies in the source folder {folder}: choose one outside it"
        )
    simulation = simulate_retailer(customers, seed, end_date=end_date, ceiling=ceiling)
    folder.mkdir(parents=True, exist_ok=True)
    truth_folder.mkdir(parents=True, exist_ok=True)
    for shape, frame in simulation.sources.items():
        if shape in CSV_SHAPES:
            frame.to_csv(folder / f"{shape}.csv", index=False, lineterminator="\n")
        else:
            _write_parquet(frame, folder / f"{shape}.parquet")
    for name, frame in simulation.truth.items():
        _write_parquet(frame, truth_folder / f"{name}.parquet")
    return {shape: len(frame) for shape, frame in simulation.sources.items()}


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd", row_group_size=250_000)
