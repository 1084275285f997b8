{{ config(materialized='view') }}

select customer_id from {{ ref('int_customer_attributes') }} where is_test
