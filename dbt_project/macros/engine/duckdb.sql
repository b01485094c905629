{# What only DuckDB says this way. Another engine is another file beside this one, with the same macros. #}

{% macro duckdb__read_landed(paths, columns) -%}
(
    {%- if paths %}
    select * from read_parquet([{% for path in paths %}{{ sql_text(path) }}{{ ', ' if not loop.last }}{% endfor %}], union_by_name = true)
    union all by name
    {%- endif %}
    select * from {{ empty_relation(columns) }}
)
{%- endmacro %}


{% macro duckdb__read_parquet(path, columns) -%}
(
    select {% for name, type in columns %}cast({{ name }} as {{ type }}) as {{ name }}{{ ', ' if not loop.last }}{% endfor %}
    from read_parquet({{ sql_text(path) }})
)
{%- endmacro %}


{% macro duckdb__newest_landed(manifests, table) -%}
select max(effective_at) as effective_at
from read_json({{ sql_text(manifests) }}, columns = {effective_at: 'TIMESTAMP', tables: 'JSON'})
where json_exists(tables, {{ sql_text('$.' ~ table) }})
{%- endmacro %}


{% macro duckdb__write_parquet(relation, path, keys) -%}
copy (
    select * from {{ relation }} order by {{ keys | join(', ') }}
) to {{ sql_text(path) }} (format parquet, compression zstd, row_group_size 131072)
{%- endmacro %}


{% macro duckdb__local_date(instant) -%}
cast({{ instant }} at time zone 'UTC' at time zone '{{ var("timezone") }}' as date)
{%- endmacro %}


{% macro duckdb__regexp_replace_all(text, pattern, replacement) -%}
regexp_replace({{ text }}, {{ sql_text(pattern) }}, {{ sql_text(replacement) }}, 'g')
{%- endmacro %}


{% macro duckdb__ordered_list(text, separator, condition) -%}
string_agg({{ text }}, {{ sql_text(separator) }} order by {{ text }}) filter (where {{ condition }})
{%- endmacro %}


{% macro duckdb__value_text(column) -%}
regexp_replace(replace(trim(cast({{ column }} as varchar), '|'), '|', ', '), '\.0$', '')
{%- endmacro %}
