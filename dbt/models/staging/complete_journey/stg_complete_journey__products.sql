select
    {{ shape_row('products', {
        'product_id': 'product_id',
        'product_name': "coalesce(product_type, product_category, department)",
        'category_1': 'department',
        'category_2': 'product_category',
        'category_3': 'product_type',
        'brand': 'brand',
    }, 'complete_journey_products') }}
from {{ source('raw', 'complete_journey_products') }}
