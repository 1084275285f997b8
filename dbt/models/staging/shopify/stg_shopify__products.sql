-- product_type is the shop's own category. The cost is a variant's, so it comes with the order line.
select
    {{ shape_row('products', {
        'product_id': 'id',
        'product_name': 'title',
        'category_1': 'product_type',
        'brand': 'vendor',
    }, 'shopify_product') }}
from {{ source('raw', 'shopify_product') }}
