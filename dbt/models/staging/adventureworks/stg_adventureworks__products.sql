-- Keys are small numbers that another system might use too, so AW- stands before them.
select
    {{ shape_row('products', {
        'product_id': "'AW-' || productkey",
        'product_name': 'productname',
        'category_1': 'modelname',
        'category_2': 'productsubcategorykey',
        'unit_cost_amount': 'productcost',
    }, 'adventureworks_products') }}
from {{ source('raw', 'adventureworks_products') }}
