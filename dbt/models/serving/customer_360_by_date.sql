-- Made before a date is promoted: declared segments are evaluated over it.
{{ customer_row(
    slices={
        'ltv': source('predictions', 'customer_ltv'),
        'lifecycle': source('predictions', 'customer_lifecycle'),
        'segments': source('predictions', 'customer_microsegments'),
        'potential': source('predictions', 'customer_potential'),
    },
) }}
