from __future__ import annotations

from dataclasses import replace

from report_sample import HOSTILE_NAMES, kept, profile, report_data
from test_report import Page

from icp.drift_report import Alert, DriftReport, Finding, Watched
from icp.report import IndexData, IndexedRevision, render_index
from icp.report.index_page import MOST_LOOKS, criterion_lines, leading
from icp.track_record import TrackedQuarter

FILES = ("report.html", "workbook.xlsx")


def look(as_of: str, state: str = "not enough data") -> DriftReport:
    finding = Finding("concept", "employees", "Employees", 5, state, f"Employees: {state}.")  # type: ignore[arg-type]
    alerts = (Alert("concept/employees", "entered", "Employees began to drift."),) if state == "drift" else ()
    monitors = {"population": "ok", "concept": state, "performance": "not enough data"}
    return DriftReport(
        "main", "2026Q3/r1", "2026Q3", as_of, 5, 80, 20, state, f"Headline: {state}.", monitors,  # type: ignore[arg-type]
        (Watched(finding, state, 5),), alerts, 0.2,  # type: ignore[arg-type]
    )  # fmt: skip


def record() -> tuple[TrackedQuarter, ...]:
    return report_data().meta.history


def data() -> IndexData:
    before = IndexedRevision(
        "2026Q2",
        1,
        "was in force",
        "First.",
        None,
        None,
        "Approved by policy: x",
        FILES,
        profile("2026Q2", before=True),
    )
    held = IndexedRevision("2026Q3", 2, "held", "It changed.", 12, 900, "Held by policy: y", FILES, profile())
    now = IndexedRevision("2026Q3", 1, "in force", "Nothing.", 7, 900, "Approved by ann: z", FILES, kept(profile()))
    return IndexData("Acme", "main", (before, now, held), (look("2026-11-09"), look("2026-11-16", "drift")), record())


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    html = render_index(data())
    page = Page(html)
    assert page.open == [] and page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {name for names in page.values("aria-labelledby") for name in names.split()} <= set(ids)
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "img", "form"}
    assert "http://" not in html and "https://" not in html
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert render_index(data()) == html


def test_every_revision_is_there_with_its_state_and_links() -> None:
    html = render_index(data())
    links = {link for link in Page(html).values("href") if not link.startswith(("#", "data:"))}
    assert links == {f"{path}/{file}" for path in ("2026Q2/r1", "2026Q3/r1", "2026Q3/r2") for file in FILES}
    assert html.index("2026Q3/r2/workbook.xlsx") < html.index("2026Q2/r1/workbook.xlsx")
    assert "icp approve 2026Q3/r2" in html and ">was in force<" in html and ">held<" in html
    assert "The ICP in force is that of 2026Q3" in html


def test_the_first_lines_say_whether_it_changed_and_what_to_do() -> None:
    held, quiet = data(), replace(data(), revisions=data().revisions[:2])
    head = render_index(quiet).partition("<nav")[0]
    assert "Nothing. 7 of 900 accounts changed tier." in head and "Headline: drift." in head
    assert "Nothing waits for a decision." in head and 'href="2026Q3/r1/workbook.xlsx"' in head
    assert "Nothing waits" not in render_index(held) and profile().paragraph not in head


def test_the_timeline_follows_what_was_in_force() -> None:
    assert [(r.quarter, r.number) for r in leading(data().revisions)] == [("2026Q2", 1), ("2026Q3", 1)]
    without = replace(profile(), fit=replace(profile().fit, criteria=profile().fit.criteria[1:]))
    lines = {line.label: line.cells for line in criterion_lines([profile("2026Q2", before=True), without])}
    assert lines["Employees"] == (22, None) and lines["Industry"] == (20, 20)
    assert list(lines)[-1] == "Website visits, 30 days"


def test_drift_is_told_with_its_history() -> None:
    html = render_index(data())
    assert "Headline: drift. 2 looks since 2026-11-09, the newest on 2026-11-16" in html
    assert "entered: Employees began to drift." in html and "not enough data" in html
    assert html.index("2026-11-16</th>") < html.index("2026-11-09</th>")
    quiet = render_index(replace(data(), looks=()))
    assert "Nobody has looked between quarters yet" in quiet
    many = tuple(look(f"2026-{month:02d}-{day:02d}") for month in range(1, 11) for day in (1, 8, 15, 22))
    assert f"{len(many) - MOST_LOOKS} earlier looks not shown" in render_index(replace(data(), looks=many))


def test_nothing_published_and_files_that_cannot_be_read_are_said() -> None:
    empty = render_index(IndexData("Acme", "main", ()))
    assert Page(empty).open == [] and "Nothing is published yet" in empty and "No ICP is in force" in empty
    damaged = IndexedRevision("2026Q1", 1, "in force")
    html = render_index(replace(data(), revisions=(damaged,), unread=("monitor/main/2026-01-01.json",)))
    assert "cannot be read by this version" in html and "monitor/main/2026-01-01.json" in html


def test_hostile_text_stays_text() -> None:
    for bad in HOSTILE_NAMES:
        revision = replace(data().revisions[1], sentence=bad, decided=bad, profile=replace(profile(), paragraph=bad))
        html = render_index(replace(data(), company=bad, icp=bad, revisions=(revision,)))
        page = Page(html)
        assert page.open == [] and not {tag for tag, _ in page.tags} & {"script", "img"}
        assert not set("\u202e\u202c\u200b\u2066") & set(html) and "49" not in Page(html).values("title")
