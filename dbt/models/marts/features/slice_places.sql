select
    customer_id,
    count(case when visit_date > {{ days_before(as_of_date(), 90) }} then 1 end) as visits_90d_count,
    count(distinct place_number) as places_count,
    {{ median('distance_km') }} as median_visit_distance_km,
    max(distance_km) as max_visit_distance_km,
    {{ share_of('count(case when is_near_home then 1 end)', 'count(is_near_home)') }} as near_home_visit_share
from {{ ref('int_customer_visits') }}
where visit_date <= {{ as_of_date() }} and known_date <= {{ as_of_date() }}
group by customer_id
