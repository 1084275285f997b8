{# Digits of a postal code in countries where it is digits alone and of one length; NULL for others. #}
{% macro postal_length(country_code) -%}
    case
        when {{ country_code }} in ('BG', 'CH', 'AU', 'NZ', 'NO', 'ZA', 'TN', 'AM', 'PH', 'CY', 'HU', 'DK', 'AT', 'BE', 'LU') then 4
        when {{ country_code }} in ('US', 'ES', 'DE', 'FR', 'IT', 'FI', 'MX', 'EE', 'HR', 'CZ', 'SK', 'GR', 'PL', 'UA', 'TR',
            'MY', 'TH', 'ID', 'KR', 'SA', 'MA', 'PE', 'UY', 'PR', 'MC', 'SM', 'VA', 'SE', 'RS', 'BA', 'ME') then 5
        when {{ country_code }} in ('RU', 'KZ', 'CN', 'IN', 'SG', 'RO', 'CO', 'EC', 'VN', 'BY', 'KG', 'UZ') then 6
        when {{ country_code }} in ('JP', 'PT', 'IL', 'CL') then 7
        when {{ country_code }} = 'BR' then 8
    end
{%- endmacro %}

{# A postal code as it can be compared: capitals and digits alone, with the leading zeros that a spreadsheet lost,
   and an American ZIP+4 without the four. #}
{% macro postal_key(postal_code, country_code) -%}
    {%- set plain = keep_only('upper(' ~ postal_code ~ ')', '0-9A-Z') -%}
    case
        when not {{ matches(plain, '^[0-9]+$') }} then {{ plain }}
        when {{ country_code }} = 'US' and length({{ plain }}) in (8, 9) then substr(lpad({{ plain }}, 9, '0'), 1, 5)
        when length({{ plain }}) < {{ postal_length(country_code) }} then lpad({{ plain }}, {{ postal_length(country_code) }}, '0')
        else {{ plain }}
    end
{%- endmacro %}

{# Digits without leading zeros; NULL for a code with letters in it. #}
{% macro postal_digits(key) -%}
    case when {{ matches(key, '^[0-9]+$') }} then {{ replace_all(key, '^0+', '') }} end
{%- endmacro %}
