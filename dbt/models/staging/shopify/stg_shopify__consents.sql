-- accepts_marketing is the e-mail consent as it is now; when it was given is not exported. A refusal holds
-- from the last change of the account on, a consent from its making: dated by the last change it would bring
-- back what another system knows as withdrawn before.
select
    {{ shape_row('consents', {
        'source_system': "'shopify'",
        'source_record_id': 'id',
        'purpose': "'email'",
        'changed_at': 'case when ' ~ cast_text('accepts_marketing', 'boolean') ~ ' then created_at else coalesce(updated_at, created_at) end',
        'is_granted': 'accepts_marketing',
    }, 'shopify_customer') }}
from {{ source('raw', 'shopify_customer') }}
where {{ clean_text('accepts_marketing') }} is not null
