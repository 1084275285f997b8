{# E-mail addresses, names and addresses as the record linkage compares them. #}

{# The name or code of a country as country_codes spells it (dagster_project/country_names.py). #}
{% macro country_key(value) -%}
    {%- set bare = without_accents('lower(trim(' ~ value ~ '))') -%}
    {{ replace_all("replace(replace(" ~ bare ~ ", '’', ''''), ' & ', ' and ')", '^the ', '') }}
{%- endmacro %}

{# Providers that deliver name+anything to name. Google also ignores dots; Microsoft, Apple and Proton do not. #}
{% macro plus_tag_domains() -%}
    {{ return([
        'gmail.com', 'outlook.com', 'outlook.es', 'outlook.fr', 'outlook.de', 'outlook.it', 'outlook.pt', 'hotmail.com',
        'hotmail.es', 'hotmail.fr', 'hotmail.de', 'hotmail.it', 'hotmail.co.uk', 'live.com', 'live.es', 'live.fr',
        'live.co.uk', 'live.nl', 'msn.com', 'icloud.com', 'me.com', 'mac.com', 'fastmail.com', 'fastmail.fm',
        'proton.me', 'protonmail.com', 'pm.me', 'yandex.com', 'yandex.ru',
    ]) }}
{%- endmacro %}

{# What people and tills type when there is no address. #}
{% macro junk_mailboxes() -%}
    {{ return([
        'none', 'no', 'na', 'n/a', 'null', 'nil', 'unknown', 'nobody', 'anonymous', 'nomail', 'noemail', 'no-email',
        'no_email', 'nomail', 'noreply', 'no-reply', 'no_reply', 'donotreply', 'do-not-reply', 'test', 'testing',
        'asdf', 'xxx', 'xx', 'x', 'sincorreo', 'sinemail', 'notiene', 'no-tiene', 'notengo', 'keine', 'nicht',
        'customer', 'guest', 'invalid', 'fake', 'aaa', 'abc', 'email', 'mail', 'user', 'name',
    ]) }}
{%- endmacro %}
{% macro junk_mail_domains() -%}
    {{ return(['none.com', 'nomail.com', 'noemail.com', 'no.com', 'test.com', 'none.none', 'na.com', 'domain.com']) }}
{%- endmacro %}

{# The mailbox that an address reaches; NULL for what is no address, or nobody's. #}
{% macro normalised_email(value) -%}
    {%- set mail = "lower(trim(replace(" ~ value ~ ", ' ', '')))" -%}
    {%- set domain = "replace(split_part(" ~ mail ~ ", '@', 2), 'googlemail.com', 'gmail.com')" -%}
    {%- set box = "split_part(" ~ mail ~ ", '@', 1)" -%}
    case
        when {{ mail }} not like '_%@_%._%' or {{ mail }} like '%@%@%' then null
        when {{ box }} in ({{ quoted_list(junk_mailboxes()) }}) or {{ domain }} in ({{ quoted_list(junk_mail_domains()) }})
            then null
        when {{ domain }} = 'gmail.com' then replace(split_part({{ box }}, '+', 1), '.', '') || '@gmail.com'
        when {{ domain }} in ({{ quoted_list(plus_tag_domains()) }}) then split_part({{ box }}, '+', 1) || '@' || {{ domain }}
        else {{ box }} || '@' || {{ domain }}
    end
{%- endmacro %}

{# Lower case without accents, punctuation as single spaces. Other alphabets keep their letters. #}
{% macro plain_words(value, kept='\\p{L}') -%}
    {%- set ns = namespace(text=without_accents("lower(" ~ value ~ ")")) -%}
    {%- for letters in ['ß=ss', 'ø=o', 'æ=ae', 'œ=oe', 'ł=l', 'đ=d', 'ð=d', 'þ=th', 'ı=i', "\'\'=", '’=', '`=', '´=', 'º=', 'ª='] -%}
        {%- set pair = letters.split('=') -%}
        {%- set ns.text = "replace(" ~ ns.text ~ ", '" ~ pair[0] ~ "', '" ~ pair[1] ~ "')" -%}
    {%- endfor -%}
    nullif(trim({{ replace_all(ns.text, '[^' ~ kept ~ ']+', ' ') }}), '')
{%- endmacro %}

{# The text without certain whole words, unless nothing else would be left. #}
{% macro without_words(value, words) -%}
    coalesce(
        nullif(trim({{ replace_all(replace_all(value, '\\b(' ~ words | join('|') ~ ')\\b', ' '), ' +', ' ') }}), ''),
        {{ value }}
    )
{%- endmacro %}
{% macro name_titles() -%}
    {{ return(['mr', 'mrs', 'ms', 'miss', 'mx', 'dr', 'dra', 'prof', 'sir', 'sr', 'sra', 'srta', 'don', 'dona', 'herr', 'frau', 'mme', 'mlle', 'jr', 'phd', 'ii', 'iii']) }}
{%- endmacro %}
{% macro name_particles() -%}
    {{ return(['de', 'del', 'la', 'las', 'los', 'el', 'da', 'do', 'dos', 'das', 'di', 'du', 'le', 'van', 'von', 'der', 'den', 'ter', 'y', 'e', 'jr', 'sr', 'ii', 'iii']) }}
{%- endmacro %}
{% macro no_names() -%}
    {{ return(['unknown', 'none', 'null', 'na', 'nn', 'xxx', 'xx', 'anonymous', 'anonimo', 'anonimous', 'test', 'guest', 'noname', 'customer', 'cliente', 'nombre', 'firstname', 'lastname', 'surname', 'apellido', 'first', 'last', 'account', 'invitado']) }}
{%- endmacro %}

{# One spelling of the words that streets are named with; articles and the word for "number" go. #}
{% macro plain_street(value) -%}
    {%- set spelt = {
        'street': 'st|str', 'avenue': 'avenida|avda|avd|av|ave', 'calle': 'c|cl|cll', 'road': 'rd', 'plaza': 'pza|plz|praca|place|pl|platz',
        'paseo': 'pso|ps', 'carretera': 'ctra|crta', 'boulevard': 'blvd|bulevar|bd', 'drive': 'dr', 'lane': 'ln',
        'court': 'ct', 'rua': 'r', 'strasse': 'straße', 'square': 'sq', 'travessa': 'tv|trv', 'camino': 'cno|cmno',
    } -%}
    {%- set ns = namespace(text=plain_words(value)) -%}
    {%- for word, others in spelt.items() -%}
        {%- set ns.text = replace_all(ns.text, '\\b(' ~ others ~ ')\\b', word) -%}
    {%- endfor -%}
    {{ without_words(ns.text, ['de', 'del', 'la', 'las', 'los', 'el', 'da', 'do', 'dos', 'das', 'du', 'n', 'no', 'num', 'numero']) }}
{%- endmacro %}

{# The first number of an address that is no floor or flat. #}
{% macro house_number(value) -%}
    nullif(regexp_extract(
        {{ replace_all(plain_words(value, '\\p{L}0-9'), '\\b(flat|apt|apartment|unit|suite|piso|planta|floor) [0-9a-z]+', ' ') }},
        '{{ regex('[0-9]+[a-z]?\\b') }}', 0
    ), '')
{%- endmacro %}

{% macro plain_gender(value) -%}
    case
        when lower({{ value }}) in ('f', 'female', 'w', 'woman', 'mujer', 'femenino', 'feminino', 'weiblich', 'femme') then 'f'
        when lower({{ value }}) in ('m', 'male', 'man', 'hombre', 'masculino', 'mannlich', 'männlich', 'homme') then 'm'
    end
{%- endmacro %}

{# A card number as printed in whatever grouping. #}
{% macro plain_number(value) -%} {{ keep_only('upper(' ~ value ~ ')', '0-9A-Z') }} {%- endmacro %}

{# Rule and sources by which one value of a field survives; a field that config.yml does not name: the latest. #}
{% macro survivorship(field) -%}
    {{ return(var('identity_survivorship').get(field, {'rule': 'latest', 'sources': []})) }}
{%- endmacro %}
