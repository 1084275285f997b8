{{ rows_in_from_raw('adventureworks_customers', 'customer_records') }}
union all
{{ rows_in_from_raw('adventureworks_products', 'products') }}
union all
{{ rows_in_from_raw('adventureworks_sales', 'order_items') }}
union all
{{ rows_in_by('adventureworks_sales', 'orders', "trim(ordernumber) || ':' || trim(customerkey)") }}
