"""A shop chain with a web shop, tills, a CRM and campaigns, whose truth is known.

Add here a module per subject of the shop: people, records, orders, traffic, campaigns.
The models' own assumptions live in ``models_py.simulate.plain``; the pipeline stays out.
"""

from models_py.simulate.retailer.build import RetailerSimulation, simulate_retailer
from models_py.simulate.retailer.ceilings import Ceiling
from models_py.simulate.retailer.write import write_retailer

__all__ = ["Ceiling", "RetailerSimulation", "simulate_retailer", "write_retailer"]
