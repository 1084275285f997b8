"""Names of micro-segments that people can say, made from what sets a cell apart at the fit.

Add here the words for a feature, low and high.
Keys, which must stay the same when the words change, live in `layers` and `cells`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models_py.segmentation.cells import Cell

VALUE_FEATURES = (
    "predicted_revenue_mean",
    "observed_revenue_amount",
    "revenue_365d_amount",
    "revenue_90d_amount",
)
RHYTHM_FEATURE = "median_gap_days"

WORDS: dict[str, tuple[str, str]] = {
    "actions_90d_count": ("few campaigns", "many campaigns"),
    "average_order_amount": ("small baskets", "large baskets"),
    "app_order_share": ("not by app", "by app"),
    "cart_adds_90d_count": ("empty carts", "full carts"),
    "categories_count": ("narrow range", "wide range"),
    "category_entropy": ("few categories", "even mix of categories"),
    "cheap_line_share": ("few cheap goods", "cheap goods"),
    "discount_share": ("full price", "bargains"),
    "discounted_order_share": ("rarely discounted", "often discounted"),
    "income_band": ("low income", "high income"),
    "income_index": ("poorer area", "richer area"),
    "household_size": ("small household", "large household"),
    "age_years": ("younger", "older"),
    "median_visit_distance_km": ("visits nearby", "visits far away"),
    "message_clicked_share": ("ignores messages", "clicks messages"),
    "message_opened_share": ("opens few messages", "opens messages"),
    "messages_90d_count": ("few messages", "many messages"),
    "online_order_share": ("in store", "online"),
    "order_amount_variation": ("baskets alike", "baskets vary"),
    "orders_count": ("few orders", "many orders"),
    "price_index": ("below usual prices", "above usual prices"),
    "product_views_90d_count": ("views few products", "views many products"),
    "purchase_days_365d_count": ("few visits", "many visits"),
    "purchase_days_count": ("few visits", "many visits"),
    "recency_days": ("here lately", "quiet lately"),
    "repeat_product_share": ("new products", "the same products"),
    "refund_share": ("few returns", "many returns"),
    "tenure_days": ("joined lately", "long with us"),
    "top_category_share": ("mixed baskets", "one favourite category"),
    "web_events_30d_count": ("little browsing", "much browsing"),
    "web_recency_days": ("online lately", "long not online"),
    "web_sessions_90d_count": ("rarely online", "often online"),
    "weekend_order_share": ("weekdays", "weekends"),
}
NOTABLE_GAP = 0.25
MAX_PHRASES = 5


def microsegment_names(cells: Iterable[Cell], layers: Sequence[str]) -> dict[str, str]:
    """Name every cell, so that no two names are equal; `layers` are those of the patterns.

    A name holds the stage, the level of spend and the rhythm; the next most telling features are
    added until it is unique. A cell that gathers fallbacks is called by its stage and "others",
    and the only cell of its stage by the stage alone.
    """
    cells = sorted(cells, key=lambda cell: cell.key)
    siblings: dict[str, int] = {}
    for cell in cells:
        siblings[cell.stage] = siblings.get(cell.stage, 0) + (not cell.is_rest)
    places = {cell.key: cell.place for cell in cells}
    parts = {cell.key: _phrases(cell, siblings[cell.stage], layers) for cell in cells}
    used = {key: min(3, len(words)) for key, words in parts.items()}
    for _ in range(max((len(words) for words in parts.values()), default=0)):
        names = {key: ", ".join(parts[key][: used[key]]) for key in parts}
        for key in _repeated(names):
            used[key] = min(used[key] + 1, len(parts[key]), MAX_PHRASES)
    names = {key: ", ".join(parts[key][: used[key]]) for key in parts}
    for key in _repeated(names):
        names[key] = f"{names[key]} ({places[key].split('-', 1)[-1]})"
    return names


def _repeated(names: dict[str, str]) -> list[str]:
    count: dict[str, int] = {}
    for name in names.values():
        count[name] = count.get(name, 0) + 1
    return [key for key, name in names.items() if count[name] > 1]


def _phrases(cell: Cell, siblings: int, layers: Sequence[str]) -> Sequence[str]:
    """Stage, spend, rhythm, then the other features by how far they set the cell apart."""
    label = cell.stage.replace("_", " ").capitalize().replace("One time", "One-time")
    if cell.is_rest:
        return [label, "others"]
    if siblings == 1:
        return [label]
    value = next((name for name in VALUE_FEATURES if name in cell.gaps), None)
    phrases = [label]
    if value is not None:
        gap = cell.gaps[value]
        level = "medium" if abs(gap) < NOTABLE_GAP else "high" if gap > 0 else "low"
        phrases.append(f"{level} spend")
    if RHYTHM_FEATURE in cell.medians:
        phrases.append(_rhythm(cell.medians[RHYTHM_FEATURE]))
    others = sorted(
        (name for name in cell.gaps if name not in (*VALUE_FEATURES, RHYTHM_FEATURE)),
        key=lambda name: (-abs(cell.gaps[name]), name),
    )
    # Two features may share their words, and the absence of a category says little.
    telling = (name for name in others if "=" not in name or cell.gaps[name] > 0)
    unknown = (
        f"{layer.replace('_', ' ')} not known"
        for layer, part in zip(layers, cell.pattern, strict=True)
        if part and part.endswith("-00")
    )
    said = [*phrases, *unknown, *(words(name, cell.gaps[name]) for name in telling)]
    return list(dict.fromkeys(said))


def _rhythm(days: float) -> str:
    whole = max(1, round(days))
    return "every day" if whole == 1 else f"every {whole} days"


def words(feature: str, gap: float) -> str:
    """A feature in plain words, low or high; a category as feature=level."""
    name, _, level = feature.partition("=")
    plain = name.replace("_", " ")
    if level:
        return f"mostly {level}" if name == "favourite_category" else f"{plain} {level}"
    low, high = WORDS.get(name, (f"low {plain}", f"high {plain}"))
    return high if gap > 0 else low
