{# Which run is building, for quarantine.first_seen_*. '' while the project is parsed: dbt would
   otherwise note the variable and parse again with every run. By hand it is dbt's own invocation. #}
{% macro build_run_id() -%}
    '{{ (env_var("CLIENTELA_RUN_ID", "") or invocation_id) if execute else "" }}'
{%- endmacro %}

{% macro build_started_at() -%}
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") if execute else "1970-01-01 00:00:00" }}' as timestamp)
{%- endmacro %}

{# The table that this model made last time, or none: on the first run, after a full clean, and where the
   columns named are not in it yet because an older release made it. #}
{% macro previous_build(columns) -%}
    {%- set found = none -%}
    {%- if execute -%}
        {%- set relation = adapter.get_relation(this.database, this.schema, this.identifier) -%}
        {%- if relation is not none and relation.is_table -%}
            {%- set names = adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list -%}
            {%- set missing = columns | reject('in', names) | list -%}
            {%- if not missing -%} {%- set found = relation -%} {%- endif -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}
