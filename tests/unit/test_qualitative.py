"""Personas, case studies and the survey: read with file and line, linked to the profile, never mixed into it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from report_sample import report_data

from icp.account_lists import list_counts, list_tables
from icp.beliefs import Beliefs, BeliefVerdict
from icp.errors import ConfigError
from icp.hypotheses import Hypothesis
from icp.profile import Attribute
from icp.qualitative import Answer, CaseStudy, Persona, Qualitative
from icp.qualitative_evidence import agreements, case_studies_of, support
from icp.qualitative_files import read_case_studies, read_personas, read_survey, resolve_qualitative
from icp.report.qualitative_view import personas_markdown

SOFTWARE = Hypothesis("industry", "in", "medium", ("software",), line=2)
RETAIL = Hypothesis("industry", "out", "weak", ("retail",), line=3)
TOOLS = Hypothesis("technologies", "in", "strong", ("dbt", "snowflake"), line=4)

PERSONA = """personas:
  - name: Head of data
    roles: [VP analytics]
    jobs_to_be_done: [Numbers every team trusts]
    current_way: Spreadsheets
    problem: Numbers differ
    how_we_help: One tested model
    fits: {industry: software, uses_dbt: yes}
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_persona_is_read_whole(tmp_path: Path) -> None:
    (persona,) = read_personas(written(tmp_path, "personas.yml", PERSONA))
    assert (persona.name, persona.roles, persona.line) == ("Head of data", ("VP analytics",), 2)
    assert dict(persona.fits)["industry"] == ("software",)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("problem: Numbers differ", "problems: Numbers differ"), "personas.yml, line 6: .*Did you mean `problem`"),
        (("jobs_to_be_done: [Numbers every team trusts]", "jobs_to_be_done: []"), "personas.yml, line 4"),
    ],
)
def test_a_malformed_persona_has_its_line(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_personas(written(tmp_path, "personas.yml", PERSONA.replace(*change)))


def test_two_personas_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = PERSONA + PERSONA.removeprefix("personas:\n").replace("Head of data", "head of Data")
    with pytest.raises(ConfigError, match=r"personas.yml, line 9: .* line 2 already"):
        read_personas(written(tmp_path, "personas.yml", twice))


def test_bad_case_studies_are_all_named(tmp_path: Path) -> None:
    text = (
        "title,link,fits,date\n,ftp://x,industry,soon\nOk,https://x.com,industry=software; industry=saas,2026-01-31\n"
    )
    with pytest.raises(ConfigError) as refused:
        read_case_studies(written(tmp_path, "case_studies.csv", text))
    lines = str(refused.value).splitlines()
    assert len(lines) == 4 and all(line.startswith("case_studies.csv, line 2: ") for line in lines)
    good = read_case_studies(written(tmp_path, "good.csv", text.replace("\n,ftp://x,industry,soon", "")))
    assert good == (CaseStudy("Ok", "https://x.com", (("industry", ("software", "saas")),), "2026-01-31", 2),)
    with pytest.raises(ConfigError, match="line 1: the column date is missing"):
        read_case_studies(written(tmp_path, "short.csv", "title,link,fits\n"))


def test_a_claim_is_one_stated_belief(tmp_path: Path) -> None:
    text = "respondent,role,claim,agrees,date\n1,CEO,{},yes,2026-01-31\n"
    with pytest.raises(ConfigError, match=r"survey.csv, line 2: 'industry' is said in lines 2, 3 .*add a value"):
        read_survey(written(tmp_path, "survey.csv", text.format("industry")), [SOFTWARE, RETAIL])
    with pytest.raises(ConfigError, match=r"'funding' is no claim of hypotheses.yml. It has: industry"):
        read_survey(written(tmp_path, "survey.csv", text.format("funding")), [SOFTWARE, RETAIL])
    (answer,) = read_survey(written(tmp_path, "survey.csv", text.format("industry=Retail")), [SOFTWARE, RETAIL])
    assert answer == Answer("1", "CEO", "industry=Retail", True, "2026-01-31", 2)


def test_what_fits_must_be_an_attribute_with_values() -> None:
    known = [
        Attribute("attr_model", "category", "firmographic", "Model"),
        Attribute("employees", "numeric", "firmographic", "Employees"),
    ]

    def study(name: str) -> Qualitative:
        return Qualitative(case_studies=(CaseStudy("t", "https://x.com", ((name, ("a",)),), "2026-01-01", 7),))

    resolved = resolve_qualitative(study("model"), known, "p.yml", "c.csv")
    assert resolved.case_studies[0].fits == (("attr_model", ("a",)),)
    for name, told in (
        ("modle", "c.csv, line 7: modle: .*model"),
        ("employees", "c.csv, line 7: employees is a number"),
    ):
        with pytest.raises(ConfigError, match=told):
            resolve_qualitative(study(name), known, "p.yml", "c.csv")


def test_the_narrowest_then_newest_case_study_is_an_account_s() -> None:
    accounts = pd.DataFrame(
        {
            "account_id": ["both", "one", "none", "unknown"],
            "industry": ["Software", "software", "retail", None],
            "technologies": ["|aws|dbt|", "|aws|", "|dbt|", "|dbt|"],
        }
    )
    software, tool = ("industry", ("software",)), ("technologies", ("dbt",))
    studies = [
        CaseStudy("old", "old", (software,), "2025-01-01", 2),
        CaseStudy("new", "new", (software,), "2026-01-01", 3),
        CaseStudy("narrow", "narrow", (software, tool), "2024-01-01", 4),
    ]
    links = case_studies_of(accounts, studies).to_dict()
    assert links == {"both": "narrow", "one": "new", "none": "", "unknown": ""}


def test_agreement_stands_beside_what_outcomes_say() -> None:
    def verdict(attribute: str, belief: str, state: str) -> BeliefVerdict:
        return BeliefVerdict(attribute, "", belief, "weak", 1.5, state, "", "", "", "", "")  # type: ignore[arg-type]

    beliefs = Beliefs("main", "2026Q3", (
        verdict("industry", "software wins more often", "supported"),
        verdict("industry", "retail wins less often", "contradicted"),
        verdict("technologies=dbt", "yes wins more often", "supported"),
    ))  # fmt: skip
    answers = [
        Answer("Ann", "CEO", "industry=software", False, "2025-01-01", 2),
        Answer("ann", "CEO", "industry=software", True, "2026-01-01", 3),
        Answer("Bo", "CS", "industry=software", False, "2026-01-01", 4),
        Answer("Bo", "CS", "technologies", True, "2026-01-01", 5),
    ]
    found = agreements(answers, [SOFTWARE, RETAIL, TOOLS], beliefs)
    assert [(a.attribute, a.agree, a.disagree, a.verdict) for a in found] == [
        ("industry", 1, 1, "supported"),
        ("technologies", 1, 0, "supported"),
    ]
    assert agreements(answers, [SOFTWARE], None)[0].verdict == "cannot tell"


def test_a_persona_is_linked_to_the_criteria_it_names() -> None:
    profile = report_data().profile
    criterion = profile.fit.criteria[0]
    bin_ = criterion.bins[0]
    said = support(((criterion.attribute, (bin_.label, "no such value")), ("attr_absent", ("x",))), profile)
    assert said[0].startswith(f"{criterion.attribute.removeprefix('attr_')} {bin_.label}: odds x{bin_.odds.value:.2f}")
    assert said[1].endswith("too rare to tell") and said[2] == "absent x: no criterion"
    persona = Persona(
        "Head", ("VP",), ("Trust",), "Sheets", "Differ", (), "Model", fits=((criterion.attribute, (bin_.label,)),)
    )
    page = personas_markdown([persona], [], profile)
    assert "## Head" in page and said[0] in page and "Limits" not in page


def test_an_empty_list_says_whether_anything_could_be_on_it() -> None:
    lists = pd.DataFrame({"list": ["look_alikes"], "account_id": ["a"], "detail": ["same"]})
    accounts = pd.DataFrame({"account_id": ["b", "a"], "fit_score": [1, 2], "intent_score": [0, 0]})
    universe = pd.DataFrame({"is_past_customer": [False, None], "uses_competitor": [None, None]})
    counts = {c.name: (c.accounts, c.note) for c in list_counts(lists, universe, has_tiers=True)}
    assert counts["look_alikes"] == (1, "") and counts["churned_fit"] == (0, "")
    assert counts["competitor_customers"] == (0, "cannot tell: no competitor signals have landed")
    assert all("no tiers" in c.note for c in list_counts(lists, universe, has_tiers=False))
    tables = list_tables(lists, accounts)
    assert tables["look_alikes"][["account_id", "detail"]].to_numpy().tolist() == [["a", "same"]]
    assert list(tables["churned_fit"]) == [*accounts, "detail"] and tables["churned_fit"].empty
