"""Writes the demo company's project folder: configuration, extracts and the answer sheet."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from icp.demo.accounts import build_records
from icp.demo.companies_extract import company_lines, relations
from icp.demo.customers_extract import answer_text, build_answers, build_invoices, build_subscriptions, invoice_lines
from icp.demo.deals import build_deals, deal_versions
from icp.demo.deals_extract import deal_lines
from icp.demo.enrichment import build_enrichment
from icp.demo.network_extract import build_contacts, build_links, build_signals, contact_lines, link_lines, signal_lines
from icp.demo.sales import FULL_SIZE, History, sell
from icp.demo.signals_extract import event_lines, parquet_bytes, technology_lines, web_table
from icp.demo.timeline import extracts, history_and_extracts
from icp.demo.truth import truth, truth_text
from icp.demo.universe import Universe, build_universe
from icp.demo.web import page_views
from icp.errors import ConfigError

VERSION = 3
"""Raise it whenever the same seed would give other files."""

DEFAULT_SEED = 20261001
MARKER = ".complete.json"
BESIDE = ("personas.yml", "case_studies.csv")


def create(directory: Path, *, seed: int = DEFAULT_SEED, accounts: int = FULL_SIZE) -> None:
    """Make `directory` a project of the demo company that `icp refresh` can run on.

    Writes `icp.yml`, `extracts/` and `truth.yml`. The same seed and size always give the same bytes. A folder
    completed before is left as it is; one left half-way, or made by another version, seed or size, is made anew. An
    `icp.yml` that exists is never overwritten.

    Raises:
        ConfigError: `directory` has extracts of its own, or more accounts are asked for than there are names.
    """
    directory.mkdir(parents=True, exist_ok=True)
    wanted = {"version": VERSION, "seed": seed, "accounts": accounts}
    marker = _read_marker(directory)
    if any(marker.get(key) != value for key, value in wanted.items()):
        _write_extracts(directory, wanted)
    _write_config(directory)


def _read_marker(directory: Path) -> dict[str, object]:
    """What the folder was last completed with; empty when it never was."""
    path = directory / "extracts" / MARKER
    if not path.exists() or not (directory / "truth.yml").exists():
        return {}
    marker: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return marker


def _write_extracts(directory: Path, wanted: dict[str, int]) -> None:
    """Writes beside the old folder, the marker last, then swaps the two by renaming."""
    new, old, final = (directory / name for name in (".extracts-new", ".extracts-old", "extracts"))
    if final.exists() and not (final / MARKER).exists():
        raise ConfigError(f"{final} holds extracts the demo did not make. Choose another folder for the demo.")
    for stale in (new, old):
        shutil.rmtree(stale, ignore_errors=True)
    universe = build_universe(wanted["seed"], wanted["accounts"])
    history = sell(wanted["seed"], universe)
    digest = _write_files(new, _files(wanted["seed"], universe, history))
    (directory / "truth.yml").write_text(
        truth_text(truth(wanted["seed"], wanted["accounts"], history)), encoding="utf-8"
    )
    marker = json.dumps({**wanted, "sha256": digest}, sort_keys=True)
    (new / MARKER).write_text(marker + "\n", encoding="utf-8")
    if final.exists():
        final.rename(old)
    new.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> str:
    """Writes the files; answers one hash over all names and contents."""
    digest = hashlib.sha256()
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def _files(seed: int, universe: Universe, history: History) -> Iterator[tuple[str, bytes]]:
    """Every extract: its path below `extracts/` and its bytes."""
    records, related = build_records(seed, universe, history), relations(universe, history)
    deals = build_deals(seed, universe, history, records)
    versions = deal_versions(seed, deals)
    subscriptions = build_subscriptions(seed, deals)
    invoices, answers = build_invoices(seed, subscriptions), build_answers(seed, subscriptions)
    enrichment, pages = build_enrichment(seed, universe), page_views(seed, history.web)
    signals, links = build_signals(seed, universe), build_links(seed, universe, history)
    contacts = build_contacts(seed, universe)
    for extract in extracts():
        day, i = extract.dated, extract.index
        yield f"crm/companies_{day}.jsonl", _text(company_lines(seed, records, universe, related, enrichment, i))
        yield f"crm/deals_{day}.jsonl", _text(deal_lines(versions, records, universe, i))
        yield f"technographics/technologies_{day}.csv", _text(technology_lines(seed, universe, extract))
    for extract in history_and_extracts():
        day = extract.dated
        yield f"billing/invoices_{day}.csv", _text(invoice_lines(invoices, records, extract))
        if answered := answer_text(answers, universe, extract):
            yield f"surveys/nps_{day}.csv", answered.encode()
        yield f"analytics/visits_{day}.parquet", parquet_bytes(web_table(seed, universe, history.web, pages, extract))
        yield f"people/contacts_{day}.csv", _text(contact_lines(contacts, records, extract))
        yield f"network/signals_{day}.csv", _text(signal_lines(signals, universe, extract))
        yield f"network/links_{day}.csv", _text(link_lines(links, records, universe, extract))
        yield f"events/participation_{day}.csv", _text(event_lines(seed, universe, extract))


def _text(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def config_text() -> str:
    """The demo's `icp.yml`, as shipped."""
    return (resources.files("icp.demo") / "icp.yml").read_text(encoding="utf-8")


def _write_config(directory: Path) -> None:
    """Lays down `icp.yml` and what its people know beside the numbers; an `icp.yml` that exists stays as it is."""
    if (directory / "icp.yml").exists():
        return
    for name in (*BESIDE, "icp.yml"):
        (directory / name).write_text(
            (resources.files("icp.demo") / name).read_text(encoding="utf-8"), encoding="utf-8"
        )
