-- What was agreed to at the end of the as-of date, whatever was said afterwards.
select
    customer_id
    {%- for purpose in ['email', 'sms', 'geo', 'profiling'] %},
    max(case when purpose = '{{ purpose }}' then case when is_granted then 1 else 0 end end) = 1
        as has_{{ purpose }}_consent
    {%- endfor %}
from {{ ref('int_consent_periods') }}
where valid_from <= {{ as_of_date() }} and valid_until > {{ as_of_date() }}
group by customer_id
