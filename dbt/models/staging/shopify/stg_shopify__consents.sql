-- accepts_marketing is the e-mail consent as it is now; when it was given is not exported, so it holds from
-- the last change of the account on.
select
    {{ shape_row('consents', {
        'source_system': "'shopify'",
        'source_record_id': 'id',
        'purpose': "'email'",
        'changed_at': 'coalesce(updated_at, created_at)',
        'is_granted': 'accepts_marketing',
    }, 'shopify_customer') }}
from {{ source('raw', 'shopify_customer') }}
where {{ clean_text('accepts_marketing') }} is not null
