{{ accepted_rows('products', ref('products_checked')) }}
