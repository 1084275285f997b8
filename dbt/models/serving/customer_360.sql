{{ customer_row(
    slices={
        'ltv': ref('customer_ltv_current'),
        'lifecycle': ref('customer_lifecycle_current'),
        'segments': ref('customer_microsegments_current'),
        'potential': ref('customer_potential_current'),
    },
    latest=ref('current_as_of_date'),
) }}
