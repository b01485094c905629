{% set columns = [
    ('axis', 'string'), ('attribute', 'string'), ('attribute_label', 'string'),
    ('kind', 'string'), ('member', 'string'), ('bin_key', 'string'),
    ('bin_label', 'string'), ('average_points', 'double'),
] %}

with final as (
    select * from {{ published_rows(var('points_path'), columns) }} as published
)

select * from final
