"""Who knows whom, which companies use competitors, and whom sales knows there: facts no deal depends on.

Each comes from a random stream of its own and without regard to who buys, so every attribute made of it is noise.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from icp.demo.accounts import AccountRecords
from icp.demo.sales import History
from icp.demo.timeline import DAY, STARTS, Days, Extract, Texts, iso, moments, random_source
from icp.demo.universe import Universe
from icp.demo.vocabulary import BUYING_ROLES, COMPETITORS, DEPARTMENTS, LINK_KINDS, SENIORITIES

SINCE = STARTS[0] - 900 * DAY
DAYS = int((STARTS[-1] - SINCE) / DAY)
USES_COMPETITOR, DROPS_IT, EVALUATES = 0.12, 0.35, 0.10
LINKS_PER_COMPANY = 0.35
CONTACTS_PER_COMPANY = 1.1


def _dates(rng: np.random.Generator, count: int) -> Days:
    days: Days = SINCE + rng.integers(0, DAYS, count) * DAY
    return days


def build_signals(seed: int, universe: Universe) -> pd.DataFrame:
    """Signals about competitors: company, competitor, signal and day, by day."""
    rng = random_source(seed, "competitors")
    seen = np.flatnonzero(universe.has_own_domain).astype(np.int64)
    users = seen[rng.random(len(seen)) < USES_COMPETITOR]
    used_on, product = _dates(rng, len(users)), rng.integers(0, len(COMPETITORS), len(users))
    left_on = used_on + rng.integers(120, 900, len(users)) * DAY
    left = rng.random(len(users)) < DROPS_IT
    lookers = seen[rng.random(len(seen)) < EVALUATES]
    parts = [
        (users, product, "Uses", used_on),
        (users[left], product[left], "Dropped", left_on[left]),
        (lookers, rng.integers(0, len(COMPETITORS), len(lookers)), "Evaluating", _dates(rng, len(lookers))),
    ]
    frames = [
        pd.DataFrame({"company": c, "competitor": p, "signal": s, "day": d.astype("datetime64[s]")})
        for c, p, s, d in parts
    ]
    return pd.concat(frames).sort_values(["day", "company", "signal"], kind="stable", ignore_index=True)


def signal_lines(signals: pd.DataFrame, universe: Universe, extract: Extract) -> list[str]:
    """The product marketing team's sheet of what it heard in the delivery's months."""
    mine = _window(signals, extract)
    sites, days = universe.own_domain[mine["company"].to_numpy()].tolist(), _day_texts(mine)
    rows = zip(sites, mine["competitor"].tolist(), mine["signal"].tolist(), days, strict=True)
    return ["Website,Competitor,Signal,Heard on", *(f"{w},{COMPETITORS[c]},{s},{d}" for w, c, s, d in rows)]


def build_links(seed: int, universe: Universe, history: History) -> pd.DataFrame:
    """Ties of companies to others: half to customers won before the baseline, half to anybody, none for a reason."""
    rng = random_source(seed, "links")
    count = round(LINKS_PER_COMPANY * universe.size)
    customers = history.earlier["company"].to_numpy()
    anybody = np.flatnonzero(universe.arrives_in < 0)
    company = rng.integers(0, universe.size, count)
    to_customer = customers[rng.integers(0, len(customers), count)]
    other = np.where(rng.random(count) < 0.5, to_customer, anybody[rng.integers(0, len(anybody), count)])
    kind = rng.choice(len(LINK_KINDS), count, p=(0.45, 0.15, 0.25, 0.15))
    links = pd.DataFrame(
        {"company": company, "other": other, "kind": kind, "day": _dates(rng, count).astype("datetime64[s]")}
    )
    known = links[universe.has_own_domain[company] & (company != other)].drop_duplicates(["company", "other", "kind"])
    ordered: pd.DataFrame = known.sort_values(["day", "company", "other"], kind="stable", ignore_index=True)
    return ordered


def link_lines(links: pd.DataFrame, records: AccountRecords, universe: Universe, extract: Extract) -> list[str]:
    """The edge list a founder keeps: a company's site, the CRM id of whom it is tied to, how, and since when."""
    mine = _window(links, extract)
    sites = universe.own_domain[mine["company"].to_numpy()].tolist()
    others = records.record_id[mine["other"].to_numpy()].tolist()
    rows = zip(sites, others, mine["kind"].tolist(), _day_texts(mine), strict=True)
    return ["Website,Knows CRM id,Through,Since", *(f"{w},{o},{LINK_KINDS[k]},{d}" for w, o, k, d in rows)]


def build_contacts(seed: int, universe: Universe) -> pd.DataFrame:
    """People on record: company, role, seniority, department, and when they were entered; never a name or an address."""
    rng = random_source(seed, "contacts")
    company = np.repeat(np.arange(universe.size), rng.poisson(CONTACTS_PER_COMPANY, universe.size))
    count = len(company)
    room = ((STARTS[-1] - universe.created_on[company]) / DAY).astype(np.int64)
    entered = universe.created_on[company] + np.floor(rng.random(count) * np.maximum(room, 1)).astype(np.int64) * DAY
    contacts = pd.DataFrame(
        {
            "company": company, "role": _some(rng, BUYING_ROLES, 0.55, count), "day": entered.astype("datetime64[s]"),
            "seniority": _some(rng, SENIORITIES, 0.8, count), "department": _some(rng, DEPARTMENTS, 0.75, count),
        }
    )  # fmt: skip
    contacts = contacts.assign(at=iso(moments(rng, entered)))
    return contacts.sort_values(["day", "company"], kind="stable", ignore_index=True)


def contact_lines(contacts: pd.DataFrame, records: AccountRecords, extract: Extract) -> list[str]:
    """The CRM's contacts entered since the previous delivery, cut down to what the ICP may know of people."""
    mine = _window(contacts, extract)
    companies = records.record_id[mine["company"].to_numpy()].tolist()
    columns = (mine[name].tolist() for name in ("role", "seniority", "department", "at"))
    rows = zip(mine.index.tolist(), companies, *columns, strict=True)
    return [
        "Record ID,Company ID,Buying role,Seniority,Department,Create date",
        *(f"{5_000_000 + number},{c},{role},{level},{area},{at}" for number, c, role, level, area, at in rows),
    ]


def _some(rng: np.random.Generator, words: tuple[str, ...], known: float, count: int) -> Texts:
    """One of the words, or nothing."""
    picked = np.array(words, dtype=object)[rng.integers(0, len(words), count)]
    return np.where(rng.random(count) < known, picked, "")


def _window(frame: pd.DataFrame, extract: Extract) -> pd.DataFrame:
    days = frame["day"].to_numpy().astype("datetime64[D]")
    return frame[(days >= extract.since) & (days < extract.until)]


def _day_texts(frame: pd.DataFrame) -> list[str]:
    days: list[str] = np.datetime_as_string(frame["day"].to_numpy().astype("datetime64[D]")).tolist()
    return days
