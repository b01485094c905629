"""The report in a real browser: nothing on the console, nothing on the network, and it draws."""

from __future__ import annotations

import importlib.util
import re
import struct
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from icp.report import render_report

CHROMIUM = Path("/usr/bin/chromium")
SAMPLE = Path(__file__).resolve().parents[1] / "unit" / "report_sample.py"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--v=0")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs a Chromium at /usr/bin/chromium")


def sample() -> ModuleType:
    spec = importlib.util.spec_from_file_location("report_sample_for_browser", SAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def browse(tmp_path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)


def console_messages(run: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in run.stderr.splitlines() if re.search(r":CONSOLE[:(]", line)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = sample()
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_report(data.report_data(data.HOSTILE_NAMES)), encoding="utf-8")
    return path


@pytest.mark.slow
def test_the_console_stays_silent_and_a_picture_is_taken(page: Path, tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    run = browse(tmp_path, "--window-size=1280,1600", f"--screenshot={picture}", page.as_uri())
    assert console_messages(run) == []
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    assert (width, height) == (1280, 1600) and picture.stat().st_size > 50_000


@pytest.mark.slow
def test_the_console_check_would_see_a_refused_script(page: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(
        page.read_text(encoding="utf-8").replace("</body>", "<script>1</script></body>"), encoding="utf-8"
    )
    assert console_messages(browse(tmp_path, f"--screenshot={tmp_path / 'b.png'}", broken.as_uri()))


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_page_never_scrolls_sideways(page: Path, tmp_path: Path, width: int) -> None:
    probe = tmp_path / "probe.html"
    framed = page.read_text(encoding="utf-8").replace("http-equiv", "data-was", 1)
    (tmp_path / "framed.html").write_text(
        framed.replace(
            "</body>", "<script>parent.postMessage(document.documentElement.scrollWidth,'*')</script></body>"
        ),
        encoding="utf-8",
    )
    probe.write_text(
        f"<iframe src=framed.html width={width} height=800 style='border:0'></iframe>"
        "<script>onmessage=e=>document.title='width '+e.data</script>",
        encoding="utf-8",
    )
    run = browse(tmp_path, "--virtual-time-budget=3000", "--dump-dom", probe.as_uri())
    found = re.search(r"<title>width (\d+)</title>", run.stdout)
    assert found is not None and int(found.group(1)) <= width
