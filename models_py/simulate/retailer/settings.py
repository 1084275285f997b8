"""What the simulated shop chain is like: hidden segments, channels, campaigns, rates of dirt.

Change a number here to change the shop; every value is an assumption, chosen for plausibility.
Drawing from these numbers stays out and lives in the module of its subject.
"""

from dataclasses import dataclass
from typing import Literal

HISTORY_DAYS = 914  # two and a half years, so that two full seasons are seen
TIME_ZONE = "Europe/Madrid"
GLOBAL_HOLDOUT_SHARE = 0.05
PROSPECT_SHARE = 0.06
TEST_SHARE = 0.0015
MONTH_SHOCK_SD = 0.08  # log scale: months differ in ways no customer model knows
FIRST_ORDER_FACTOR = 0.85
VALUE_ADDED_TAX = 0.21

CATEGORIES = ("Groceries", "Home", "Fashion", "Beauty", "Toys", "Electronics")
CATEGORY_COST_SHARE = (0.74, 0.58, 0.46, 0.50, 0.60, 0.80)


@dataclass(frozen=True)
class Segment:
    """A hidden kind of customer.

    `season` holds relative purchase rates January to December; `category_weights` follow
    `CATEGORIES`; spend per order is gamma with `spend_shape` around a mean of its own, whose
    spread over customers is inverse gamma with shape `spend_tail`.
    """

    name: str
    weekly_rate: float
    rate_shape: float
    dropout: float
    dropout_strength: float
    spend_mean: float
    spend_shape: float
    spend_tail: float
    store_share: float
    discount_probability: float
    weekend_factor: float
    season: tuple[float, ...]
    category_weights: tuple[float, ...]


_EVEN = (0.98, 0.95, 1.0, 1.0, 1.0, 0.98, 0.95, 0.9, 1.0, 1.02, 1.07, 1.15)
_GIFTS = (0.9, 0.7, 0.5, 0.5, 0.9, 0.6, 0.5, 0.4, 0.6, 0.9, 2.3, 3.2)
_SALES = (1.9, 0.8, 0.7, 0.7, 0.8, 0.9, 1.6, 0.7, 0.7, 0.8, 1.7, 0.7)
_SUMMER = (0.7, 0.7, 0.9, 1.1, 1.4, 1.6, 1.3, 0.8, 0.9, 0.8, 0.9, 0.9)

SEGMENTS = (
    Segment("neighbourhood_regulars", 0.42, 2.5, 0.030, 30, 24, 5, 6, 0.92, 0.20, 1.3, _EVEN,
            (0.74, 0.10, 0.03, 0.09, 0.02, 0.02)),
    Segment("family_planners", 0.20, 2.0, 0.055, 25, 62, 4, 5, 0.65, 0.30, 1.7, _EVEN,
            (0.40, 0.22, 0.16, 0.06, 0.14, 0.02)),
    Segment("gift_buyers", 0.075, 1.2, 0.14, 12, 55, 3, 4.5, 0.45, 0.20, 1.2, _GIFTS,
            (0.04, 0.18, 0.14, 0.20, 0.34, 0.10)),
    Segment("bargain_hunters", 0.12, 1.2, 0.17, 10, 21, 3, 5, 0.40, 0.65, 1.0, _SALES,
            (0.18, 0.22, 0.38, 0.14, 0.04, 0.04)),
    Segment("passers_by", 0.05, 0.9, 0.55, 6, 34, 2.5, 4, 0.55, 0.25, 1.4, _SUMMER,
            (0.16, 0.20, 0.30, 0.18, 0.08, 0.08)),
    Segment("online_enthusiasts", 0.15, 1.5, 0.06, 20, 96, 2.5, 4, 0.08, 0.15, 0.9, _EVEN,
            (0.02, 0.14, 0.24, 0.16, 0.04, 0.40)),
)  # fmt: skip


@dataclass(frozen=True)
class AcquisitionChannel:
    """Where customers come from; `segment_weights` follow `SEGMENTS` and make its quality."""

    name: str
    share: float
    cost_amount: float
    segment_weights: tuple[float, ...]


ACQUISITION_CHANNELS = (
    AcquisitionChannel("walk_in", 0.34, 0.0, (0.17, 0.18, 0.16, 0.12, 0.36, 0.01)),
    AcquisitionChannel("organic_search", 0.20, 1.5, (0.04, 0.14, 0.18, 0.16, 0.32, 0.16)),
    AcquisitionChannel("paid_search", 0.18, 11.0, (0.02, 0.09, 0.20, 0.24, 0.35, 0.10)),
    AcquisitionChannel("social_ads", 0.13, 8.5, (0.01, 0.07, 0.22, 0.30, 0.36, 0.04)),
    AcquisitionChannel("referral", 0.08, 5.0, (0.12, 0.30, 0.12, 0.08, 0.16, 0.22)),
    AcquisitionChannel("marketplace", 0.07, 4.0, (0.01, 0.05, 0.20, 0.24, 0.46, 0.04)),
)

Audience = Literal["all", "active", "lapsed", "recent_spenders"]


@dataclass(frozen=True)
class Action:
    """A campaign.

    `effects` follow `SEGMENTS`: expected extra orders per delivered contact within the
    measurement window; a negative value is the chance that an order in the window is lost.
    A customer who has left responds with a quarter of a positive effect. `weeks_before_end`
    counts back from the last day of data.
    """

    code: str
    name: str
    channel: str
    offer_type: str
    contact_cost: float
    redemption_cost: float
    weeks_before_end: int
    measurement_days: int
    is_randomised: bool
    treated_share: float
    audience: Audience
    effects: tuple[float, ...]


ACTIONS = (
    Action("SPRING10", "Spring ten per cent", "email", "percent_off", 0.02, 3.5, 90, 28, True,
           0.70, "all", (0.04, 0.20, 0.08, 0.50, 0.10, 0.06)),
    Action("FREESHIP", "Free shipping week", "email", "free_shipping", 0.02, 4.9, 76, 28, True,
           0.60, "all", (0.00, 0.08, 0.14, 0.20, 0.08, 0.50)),
    Action("GIFTGUIDE", "Gift guide", "direct_mail", "catalogue", 0.95, 0.0, 58, 35, True,
           0.65, "all", (0.00, 0.12, 0.60, 0.08, 0.08, 0.12)),
    Action("COMEBACK", "We miss you", "email", "voucher_5_eur", 0.02, 5.0, 45, 42, True,
           0.50, "lapsed", (0.20, 0.30, 0.20, 0.45, 0.12, 0.28)),
    Action("TEXTSALE", "Text message sale", "sms", "percent_off", 0.08, 4.0, 34, 21, True,
           0.60, "active", (-0.15, -0.05, 0.10, 0.60, 0.14, -0.20)),
    Action("DOUBLEPOINTS", "Double points", "email", "points", 0.02, 2.0, 22, 28, True,
           0.70, "active", (0.45, 0.32, 0.00, 0.06, 0.00, 0.00)),
    Action("AUTUMNMAIL", "Autumn newsletter", "email", "none", 0.02, 0.0, 11, 28, True,
           0.75, "all", (0.00, 0.00, 0.00, 0.00, 0.00, 0.00)),
    # Sent to the best recent customers: comparing them with the others flatters it.
    Action("VIPEVENING", "Evening for good customers", "direct_mail", "event", 1.40, 6.0, 28, 28,
           False, 0.40, "recent_spenders", (0.05, 0.05, 0.02, 0.00, 0.02, 0.10)),
)  # fmt: skip

DELIVERED_SHARE = 0.93
REDEEMED_SHARE = 0.6

# Rows per clean row; every planted defect occurs at least once.
DUPLICATE_RATE = 0.003
LATE_RATE = 0.005
MALFORMED_RATE = 0.0006
