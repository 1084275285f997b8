{{ accepted_rows('order_items', ref('order_items_checked')) }}
