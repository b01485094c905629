"""The pages in a real Chromium, driven as a person would: what-if, accessibility, console, network, widths and schemes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from icp.report import ReportData, render_report
from icp.report.site import render_site
from icp.report.what_if_view import _row

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = Path("/usr/bin/chromium")
UNIT = Path(__file__).resolve().parents[1] / "unit"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs a Chromium at /usr/bin/chromium"),
]


@pytest.fixture(scope="module")
def data() -> Iterator[ReportData]:
    """The report's sample; the pages of the unit tests can be imported as long as it is in use."""
    sys.path.insert(0, str(UNIT))
    try:
        yield importlib.import_module("hostile_pages").report()
    finally:
        sys.path.remove(str(UNIT))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def pages(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = importlib.import_module("hostile_pages")
    folder = tmp_path_factory.mktemp("pages")
    texts = {
        "report": render_report(data),
        "index": made.index(),
        "beside": made.beside(),
        "site": render_site(["main", "</script><script>alert(1)</script>", "X" * 10_000]),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture(scope="module")
def report(pages: dict[str, Path]) -> Path:
    return pages["report"]


def opened(browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> tuple[Any, list[str]]:
    """The page, and what it said or asked for besides itself."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: request.url in (path.as_uri(), "data:,") or heard.append(request.url))
    page.goto(path.as_uri())
    return page, heard


def test_the_panel_shows_the_numbers_of_every_combination(browser: Any, report: Path, data: ReportData) -> None:
    page, heard = opened(browser, report)
    assert data.what_if is not None
    boxes = page.locator("#what-if-form input[type=checkbox]")
    shown = page.locator("#what-if-form [data-cell]")
    for one in data.what_if.combinations:
        for place in range(boxes.count()):
            boxes.nth(place).set_checked(bool(one.asked >> place & 1))
        assert tuple(shown.all_inner_texts()) == _row(one, len(data.what_if.choices))[1:]
    page.get_by_role("button", name="As it was").click()
    page.wait_for_timeout(50)
    assert tuple(shown.all_inner_texts()) == _row(data.what_if.combinations[1], len(data.what_if.choices))[1:]
    assert heard == []
    page.close()


def test_without_scripts_the_table_is_there_and_the_panel_is_not(browser: Any, report: Path) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(report.as_uri())
    assert not page.locator("#what-if-form").is_visible()
    page.locator("#what-if summary").click()
    assert page.locator("#what-if-table tbody tr").last.is_visible()
    page.context.close()


def test_a_script_put_into_the_page_does_not_run(browser: Any, report: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    text = report.read_text(encoding="utf-8")
    broken.write_text(text.replace("</body>", "<script>document.title='ran'</script></body>"), encoding="utf-8")
    page, heard = opened(browser, broken)
    assert page.title() != "ran" and any("Content Security Policy" in line for line in heard)
    page.close()


@pytest.mark.parametrize("name", ["report", "index", "beside", "site"])
def test_nothing_hostile_runs_or_breaks_the_page_and_axe_finds_nothing(
    browser: Any, pages: dict[str, Path], name: str
) -> None:
    """At every width the console is silent, nothing is asked for and nothing scrolls sideways; axe in both schemes."""
    page, heard = opened(browser, pages[name], 360, "dark")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert violations(page) == []
    for width in (360, 768, 1280, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.emulate_media(color_scheme="light")
    assert violations(page) == [] and heard == []
    page.close()


def test_axe_would_find_something(browser: Any, report: Path) -> None:
    page, _ = opened(browser, report)
    page.evaluate("document.querySelector('h1').insertAdjacentHTML('afterend', '<img src=\"data:,\">')")
    assert any(line.startswith("image-alt") for line in violations(page))
    page.close()


def violations(page: Any) -> list[str]:
    """What axe-core finds, one line per rule with the first place."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page, options={"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]})
    return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}" for v in found.response["violations"]]
