{# What a rep would notice first; each as it stood on the last paid day against today. #}
{% set noticed = [
    ('employees', 'employees'), ('annual_revenue', 'annual revenue'), ('industry', 'industry'), ('country', 'country'),
    ('ownership', 'ownership'), ('funding_stage', 'funding stage'), ('operating_model', 'operating model'),
] %}

with gone as (
    select
        inputs.observation_id,
        inputs.account_id,
        history.last_paid_on
    from {{ ref('int_account_scoring_inputs') }} as inputs
    inner join {{ ref('feat_account__history') }} as history on inputs.observation_id = history.observation_id
    where history.is_past_customer
),

before as (
    select
        gone.account_id,
        versions.*
    from gone
    inner join {{ ref('int_account_versions') }} as versions
        on gone.account_id = versions.record_id and {{ local_date('versions.valid_from') }} <= gone.last_paid_on
    qualify row_number() over (partition by gone.account_id order by versions.version_number desc) = 1
),

tools as (
    select
        gone.account_id,
        {{ listed_by("technologies.technology", "', '", "order by technologies.technology", 5) }} as added
    from gone
    inner join {{ ref('int_technologies__resolved') }} as technologies
        on gone.account_id = technologies.account_id
        and {{ local_date('technologies.first_detected_at') }} > gone.last_paid_on
    group by gone.account_id
),

final as (
    select
        gone.account_id,
        gone.last_paid_on,
        before.record_id is not null as is_known_before,
        concat_ws(
            '; ',
            {% for name, words in noticed %}
            case
                when before.{{ name }} <> today.{{ name }}
                    then '{{ words }} ' || {{ value_text('before.' ~ name) }} || ' -> ' || {{ value_text('today.' ~ name) }}
            end,
            {% endfor %}
            'now uses ' || tools.added
        ) as changes
    from gone
    inner join {{ ref('int_account_attributes__as_of') }} as today on gone.observation_id = today.observation_id
    left join before on gone.account_id = before.account_id
    left join tools on gone.account_id = tools.account_id
)

select * from final
