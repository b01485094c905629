from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from report_sample import HOSTILE_NAMES, first_diff, kept, meta, migration, no_change, profile, report_data

from icp.profile import Estimate, Scorecard
from icp.report import (
    ReportData,
    comparison_markdown,
    diff_markdown,
    render_report,
    tier_moves,
    verdict_of,
    verdict_sentence,
)
from icp.report.charts import Figure, Row, history_chart, interval_chart, odds_ruler, rate_ruler
from icp.report.layout import markdown_safe
from icp.report.migration import migration_matrix
from icp.report.wording import clean, shorten

VOID = {"meta", "link", "br", "img", "input", "hr", "line", "path", "rect", "circle"}


class Page(HTMLParser):
    """Tags, attributes and headings of a page; fails on tags that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name)) is not None]


@pytest.fixture(scope="module")
def html() -> str:
    return render_report(report_data())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def first_data() -> ReportData:
    moves = migration().query("migration_cause == 'new account'").assign(migration_cause="")
    return replace(report_data(), diff=first_diff(), incumbent=None, migration=moves, movers=pd.DataFrame())


def no_icp_data() -> ReportData:
    empty = Scorecard("fit", 0.0, 0.0, ())
    nothing = replace(profile(), state="no_icp", fit=empty, intent=replace(empty, axis="intent"), tiers=())
    return replace(report_data(), profile=nothing, movers=pd.DataFrame())


def test_the_page_is_well_formed(page: Page) -> None:
    assert page.open == []
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(ids)
    assert {name for names in page.values("aria-labelledby") for name in names.split()} <= set(ids)


def test_headings_come_in_order(page: Page) -> None:
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))


def test_the_page_loads_nothing_and_runs_nothing(html: str, page: Page) -> None:
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "img", "form"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "http://" not in html and "https://" not in html
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert {link for link in page.values("href") if not link.startswith("#")} == {"data:,"}


def test_the_page_is_small(html: str) -> None:
    assert len(html.encode()) < 200_000


def test_sections_come_in_the_order_of_the_reader(html: str) -> None:
    order = ["<h1", *(f'<section id="{key}">' for key in (
        "evidence", "icp", "criteria", "changes", "tiers", "backtest", "migration", "accounts", "unconfirmed", "coverage",
        "method",
    )), "<footer>"]  # fmt: skip
    places = [html.index(mark) for mark in order]
    assert places == sorted(places)


def test_every_figure_has_a_name_and_no_colour_of_its_own(html: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(drawings) >= 2
    for drawing in drawings:
        assert 'role="img"' in drawing and "<title id=" in drawing and "<desc id=" in drawing
        assert not re.search(r'(fill|stroke)="(#|rgb|white|black)', drawing)


def test_the_same_data_give_the_same_bytes(html: str) -> None:
    assert render_report(report_data()) == html


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(html: str, tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from report_sample import report_data; from icp.report import render_report\n"
        "sys.stdout.buffer.write(render_report(report_data()).encode())"
    )
    run = [sys.executable, "-c", program, str(Path(__file__).parent)]
    other = subprocess.run(run, capture_output=True, check=True, env={"PYTHONHASHSEED": "7", "HOME": str(tmp_path)})
    assert other.stdout == html.encode()


def test_hostile_names_stay_text() -> None:
    html = render_report(report_data(HOSTILE_NAMES))
    page = Page(html)
    assert page.open == []
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert not set("\u202e\u202c\u200b\u2066") & set(html)
    assert "X" * 300 not in html and "X" * 79 + "…" in html


def test_hostile_labels_stay_text_in_charts_and_markdown() -> None:
    data = report_data()
    bad = "</svg><script>x</script> | @all [a](http://b) \u202e" + "y" * 500
    criteria = tuple(replace(c, label=bad) for c in data.profile.fit.criteria)
    hostile = replace(data, profile=replace(data.profile, fit=replace(data.profile.fit, criteria=criteria)))
    shown = Page(render_report(hostile))
    assert shown.open == [] and "script" not in {tag for tag, _ in shown.tags}
    text = diff_markdown(hostile)
    assert "<script" not in text and "@all" not in text and "](http" not in text and "\u202e" not in text


def test_any_two_icps_compare_in_markdown() -> None:
    data = report_data()
    assert data.incumbent is not None
    text = comparison_markdown(data.diff, data.incumbent, data.profile)
    assert text.startswith("# ICP main: 2026Q2 → 2026Q3\n")
    assert "| Employees | changed | 201–500 | ×1.12 → ×1.91 |" in text
    assert "Employees, Industry, Uses Snowflake" in text


def test_why_the_winners_differ_is_told_wherever_the_change_is(html: str) -> None:
    data = report_data()
    said = (
        "Winners with Employees 201–500 went from 18% to 31%: +11 points because win rates moved [+6 to +16], "
        "+2 because more of them were worked [−1 to +5]."
    )
    assert f"<li>{said}</li>" in html and "Why the winners differ" in html
    assert data.incumbent is not None
    for text in (diff_markdown(data), comparison_markdown(data.diff, data.incumbent, data.profile)):
        assert f"\n- {said}\n" in text
    silent = replace(data, diff=replace(data.diff, decomposition=None))
    assert "Why the winners differ" not in render_report(silent)


def test_the_detectable_change_is_told_as_a_share_of_the_wins(html: str) -> None:
    share = "seen four times in five; with 209 wins a share of 33% must move 10 points."
    assert share in html and share in diff_markdown(report_data())


def test_a_hostile_label_stays_text_among_the_winners() -> None:
    data = report_data()
    found = data.diff.decomposition
    assert found is not None
    bad = replace(found.criteria[0], sentence="Winners with <script>x</script> | @all")
    hostile = replace(data, diff=replace(data.diff, decomposition=replace(found, criteria=(bad,))))
    assert "script" not in {tag for tag, _ in Page(render_report(hostile)).tags}
    assert "<script" not in diff_markdown(hostile) and "@all" not in diff_markdown(hostile)


def test_the_verdict_is_one_sentence_everywhere(html: str) -> None:
    data = report_data()
    verdict = verdict_of(data)
    assert verdict_sentence(data) == f"{verdict.headline} {verdict.moves} {verdict.decision}"
    assert verdict.headline == data.diff.sentence
    assert "1,924 of 29,712 accounts change tier" in verdict.moves
    assert verdict.headline in diff_markdown(data)
    for part in (verdict.headline, verdict.moves):
        assert part in html


def test_the_headline_leaves_what_is_in_brackets_to_the_line_below() -> None:
    data = report_data()
    quiet = "No evidence of a change: none of 9 criteria moved (64 attributes tested)."
    html = render_report(replace(data, diff=replace(data.diff, sentence=quiet)))
    assert "<h1>No evidence of a change: none of 9 criteria moved.</h1>" in html
    assert '<p class="aside">64 attributes tested.</p>' in html
    unpaired = render_report(replace(data, diff=replace(data.diff, sentence="Changed: Size :) (all) (some.")))
    assert "<h1>Changed: Size :) (all) (some.</h1>" in unpaired


def test_one_cause_of_all_moves_is_said_once() -> None:
    data = report_data()
    own = migration()["migration_cause"].isin(["account changed", "unchanged"])
    assert verdict_of(replace(data, migration=migration()[own])).moves.endswith(
        " change tier, all because the account changed."
    )


def test_a_quarter_without_accounts_has_a_clear_page() -> None:
    data = report_data()
    tiers = tuple(replace(tier, accounts=0) for tier in data.profile.tiers)
    tables = {name: getattr(data, name).iloc[:0] for name in ("migration", "movers", "prospects", "coverage")}
    none = replace(
        data, profile=replace(data.profile, tiers=tiers), explanations=(), lists=(), what_if=None, market=None, **tables
    )
    assert "0 accounts are scored, 0 of them in tier A." in verdict_of(none).moves
    html = render_report(none)
    assert Page(html).open == [] and "nan" not in re.sub(r"<[^>]*>", " ", html).lower().split()
    assert "No account rose to a better tier." in html


def test_a_held_revision_says_how_to_decide() -> None:
    verdict = verdict_of(report_data())
    assert verdict.decision == "Held for approval: icp.yml asks for a person's approval."
    assert "icp approve 2026Q3/r1" in verdict.action and "2026Q2 serves meanwhile" in verdict.action


def test_a_quiet_quarter_has_nothing_to_decide() -> None:
    data = report_data()
    quiet = replace(data, profile=kept(data.profile), diff=no_change(), meta=meta("approved"))
    assert verdict_of(quiet).action.startswith("Nothing to decide.")
    html = render_report(quiet)
    assert "No evidence of change" in html and "fitted in 2026Q2" in html


def test_a_first_icp_has_nothing_to_compare() -> None:
    html = render_report(first_data())
    assert "There is no ICP to compare with yet" in html
    assert "Nothing to compare with: no ICP was in force before." in html
    assert "400 accounts are scored" in verdict_sentence(first_data())
    assert Page(html).open == []


def test_no_icp_is_an_answer() -> None:
    html = render_report(no_icp_data())
    assert "No attribute could be told from chance" in html
    assert "There are no tiers" in html
    assert "Do not segment on this. The ICP of 2026Q2 keeps serving." in verdict_of(no_icp_data()).action
    assert Page(html).open == [] and diff_markdown(no_icp_data())


def test_tier_moves_add_up() -> None:
    moves = tier_moves(migration())
    assert (moves.scored, moves.compared, moves.entered) == (30_112, 29_712, 400)
    assert moves.moved == moves.account_changed + moves.icp_changed + moves.both == 1_924


def test_the_matrix_holds_every_account_once() -> None:
    matrix = migration_matrix(migration(), ("A", "B", "C", "D"))
    assert sum(cell.accounts for row in matrix for cell in row.cells) == 30_112
    assert [row.name for row in matrix] == ["A", "B", "C", "D", "new"]


def test_a_tier_that_no_longer_exists_keeps_its_row() -> None:
    gone = pd.DataFrame({"previous_tier": ["E"], "tier": ["A"], "migration_cause": ["ICP changed"], "accounts": [3]})
    assert [row.name for row in migration_matrix(gone, ("A", "B")) if row.total] == ["E"]


def test_an_empty_migration_has_no_matrix() -> None:
    none = migration().iloc[:0]
    assert tier_moves(none).scored == 0 and all(row.total == 0 for row in migration_matrix(none, ("A",)))


def test_far_estimates_stay_on_the_axis() -> None:
    far = Estimate(1e6, 1e-9, float("inf"))
    drawing = interval_chart([Row("far", far)], odds_ruler([far]), Figure("f", "t", "d"))
    assert "NaN" not in drawing and "Infinity" not in drawing


@pytest.mark.parametrize("high", [0.01, 0.2, 0.55, 1.0])
def test_a_rate_axis_holds_its_rates(high: float) -> None:
    ruler = rate_ruler([Estimate(high / 2, 0.0, high)], 0.1, "rate")
    assert ruler.low == 0 and ruler.high >= high and len(ruler.ticks) <= 7


def test_a_history_of_one_quarter_is_drawn() -> None:
    assert "2026Q3" in history_chart([("2026Q3", Estimate(0.7, 0.6, 0.8))], Figure("h", "t", "d"))


@pytest.mark.parametrize(
    ("dirty", "shown"),
    [("A\u202eB", "AB"), ("a\tb\r\nc", "a b c"), (None, ""), (float("nan"), ""), ("é ü 漢", "é ü 漢"), ("\x00x", "x")],
)
def test_names_lose_what_hides_or_breaks(dirty: object, shown: str) -> None:
    assert clean(dirty) == shown


def test_long_names_are_cut_with_a_mark() -> None:
    assert shorten("x" * 100, 10) == "x" * 9 + "…"


def test_markdown_cells_cannot_break_the_table() -> None:
    assert markdown_safe("a|b`c*") == "a\\|b\\`c\\*" and markdown_safe(3) == 3
