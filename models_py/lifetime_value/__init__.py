"""Lifetime value of customers who may leave unseen: purchases, spend, predictions, backtests.

Export here what callers outside the package use.
Nothing here knows another model family, a clock or a connection.
"""

from models_py.lifetime_value.backtest import evaluate, randomised_pit
from models_py.lifetime_value.contract_value import ContractValue, group_contracts
from models_py.lifetime_value.discrepancy import TotalDiscrepancy
from models_py.lifetime_value.grouping import group_purchases, group_spend, group_weeks
from models_py.lifetime_value.past_blocks import PastTotal
from models_py.lifetime_value.priors import stated_priors
from models_py.lifetime_value.recalibration import Recalibration
from models_py.lifetime_value.results import LTV_COLUMNS, Totals
from models_py.lifetime_value.sampler import Sampling
from models_py.lifetime_value.scores import score
from models_py.lifetime_value.season_fit import find_clock
from models_py.lifetime_value.seasonality import OperationalClock
from models_py.lifetime_value.total_status import TotalStatus
from models_py.lifetime_value.totals import GroupTotals
from models_py.lifetime_value.value import LifetimeValue

__all__ = [
    "LTV_COLUMNS",
    "ContractValue",
    "GroupTotals",
    "LifetimeValue",
    "OperationalClock",
    "PastTotal",
    "Recalibration",
    "Sampling",
    "TotalDiscrepancy",
    "TotalStatus",
    "Totals",
    "evaluate",
    "find_clock",
    "group_contracts",
    "group_purchases",
    "group_spend",
    "group_weeks",
    "randomised_pit",
    "score",
    "stated_priors",
]
