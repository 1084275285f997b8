"""The columns of the source shapes that the simulated retailer delivers.

Add here a shape or column that the source contract gains and a retailer would have.
Types and checks stay out: the pipeline must find out by itself what it was given.
"""

_LINES = """
customer_records: source_system source_record_id email phone loyalty_id device_id first_name
  last_name full_name birth_date gender street city postal_code country_code income_band
  household_size acquisition_channel acquisition_cost_amount is_test created_at updated_at
identifiers: source_system source_record_id identifier_type identifier_value first_seen_at
  last_seen_at
orders: source_system order_id source_record_id email phone loyalty_id device_id ordered_at
  gross_amount status channel store_id currency_code discount_amount tax_amount shipping_amount
  coupon_code action_id
order_items: source_system order_id line_number product_id quantity net_amount unit_cost_amount
refunds: source_system refund_id order_id source_record_id refunded_at refund_amount
  currency_code
products: product_id product_name category_1 category_2 category_3 brand unit_cost_amount
web_events: event_id source_system device_id source_record_id email occurred_at event_type
  product_id
message_events: message_id event_type source_system source_record_id email action_id occurred_at
visits: visit_id source_system device_id source_record_id visited_at latitude longitude place_id
regions: postal_code region latitude longitude income_index urbanity
actions: action_id action_name channel offer_type contact_cost_amount redemption_cost_amount
  starts_on ends_on measurement_days is_randomised
action_exposures: action_id source_system source_record_id assigned_at arm
  assignment_probability is_delivered is_redeemed
consents: source_system source_record_id purpose changed_at is_granted
erasure_requests: request_id identifier_type identifier_value requested_at
exchange_rates: rate_date currency_code rate_to_reporting
"""


def _shape_columns() -> dict[str, list[str]]:
    """Read `shape: column column ...`; a line that begins with a space continues the last."""
    lines = _LINES.strip().replace("\n ", " ").splitlines()
    return {shape: columns.split() for shape, columns in (line.split(":") for line in lines)}


SHAPE_COLUMNS = _shape_columns()
