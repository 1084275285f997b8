"""Simulated customers with known truth: the models' own assumptions, and a whole retailer.

Add here what makes data for recovery, coverage and end-to-end tests.
Fitting, reading and judging stay out: the pipeline never sees what is true here.
"""

from models_py.simulate.plain import PlainParameters, PlainTruth, simulate_purchases
from models_py.simulate.retailer import (
    Ceiling,
    RetailerSimulation,
    simulate_retailer,
    write_retailer,
)
from models_py.simulate.seasonal import simulate_seasonal

__all__ = [
    "Ceiling",
    "PlainParameters",
    "PlainTruth",
    "RetailerSimulation",
    "simulate_purchases",
    "simulate_retailer",
    "simulate_seasonal",
    "write_retailer",
]
