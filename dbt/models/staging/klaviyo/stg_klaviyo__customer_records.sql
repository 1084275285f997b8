-- A profile that was deleted in Klaviyo is refused. Not mapped: custom properties of the company's own.
select
    {{ shape_row('customer_records', {
        'source_system': "'klaviyo'",
        'source_record_id': 'id',
        'email': 'email',
        'phone': 'phone_number',
        'first_name': 'first_name',
        'last_name': 'last_name',
        'street': 'address_1',
        'city': 'city',
        'postal_code': 'zip',
        'country_code': 'country',
        'created_at': 'created',
        'updated_at': 'updated',
    }, 'klaviyo_person') }},
    {{ refusal(
        'case when ' ~ klaviyo_is_deleted() ~ " then 'deleted_at_source' end",
        "'the profile was deleted in Klaviyo'",
    ) }}
from {{ source('raw', 'klaviyo_person') }}
