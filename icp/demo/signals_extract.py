"""What other systems see of companies: technologies on their sites, visits to ours, and conferences."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from icp.demo.planted import TECHNOLOGIES
from icp.demo.timeline import DAY, STARTS, WEB_FROM, Days, Extract, Ints, random_source
from icp.demo.universe import Universe
from icp.demo.vocabulary import CHANNELS, EVENTS
from icp.demo.web import PageViews, WebLog

NOT_CRAWLED = 0.03
ATTENDS = 0.05
INTERNET_PROVIDERS = ("(not set)", "comcast.net", "t-online.de")


def _last_seen(universe: Universe, rows: Ints, crawled: Days, since: np.datetime64) -> tuple[Ints, Ints, Days]:
    """Company place, technology and last day seen, of everything seen since the previous list."""
    adopted, dropped = universe.adopted[rows], universe.dropped[rows]
    last = np.minimum(crawled[:, None], dropped - DAY)
    place, technology = np.nonzero((adopted <= last) & (last >= since))
    return place.astype(np.int64), technology.astype(np.int64), last[place, technology]


def technology_lines(seed: int, universe: Universe, extract: Extract) -> list[str]:
    """A BuiltWith list export: every technology seen since the last list, with first and last day seen."""
    rng = random_source(seed, f"technologies {extract.index}")
    crawled = extract.until - rng.integers(1, 21, universe.size) * DAY
    missed = rng.random(universe.size) < NOT_CRAWLED
    listed = universe.technology_known & ~missed & (universe.arrives_in < extract.index)
    rows = np.flatnonzero(listed).astype(np.int64)
    place, technology, last = _last_seen(universe, rows, crawled[rows], extract.since)
    company = rows[place]
    domains = np.where(company % 33 == 0, "www." + universe.own_domain[company], universe.own_domain[company]).tolist()
    names = [f"{t.name},{t.category}" for t in TECHNOLOGIES]
    first_seen = np.datetime_as_string(universe.adopted[company, technology]).tolist()
    last_seen = np.datetime_as_string(last).tolist()
    lines = [
        f"{domain},{names[t]},{first},{final}"
        for domain, t, first, final in zip(domains, technology.tolist(), first_seen, last_seen, strict=True)
    ]
    return ["Root Domain,Technology,Category,First Detected,Last Found", *lines]


def _strangers(seed: int, extract: Extract, since: np.datetime64) -> pd.DataFrame:
    """Visits nobody can attribute: one row per day and internet provider, and GA4's "(not set)"."""
    rng = random_source(seed, f"strangers {extract.index}")
    days = np.arange(since, extract.until)
    sessions = rng.poisson(60, len(days) * len(INTERNET_PROVIDERS))
    return pd.DataFrame(
        {
            "day": np.repeat(days, len(INTERNET_PROVIDERS)).astype("datetime64[s]"),
            "domain": np.tile(np.array(INTERNET_PROVIDERS, dtype=object), len(days)),
            "sessions": sessions, "views": sessions * 2, "key_events": rng.poisson(1.0, len(sessions)),
            "pricing": 0, "product": 0, "content": 0, "channel": "(none)",
        }
    )  # fmt: skip


def web_table(seed: int, universe: Universe, web: WebLog, pages: PageViews, extract: Extract) -> pa.Table:
    """GA4 report rows by day and company domain; analytics restates the last two days of the previous delivery."""
    since = max(extract.since, WEB_FROM) if extract.index == 0 else extract.since - 2 * DAY
    day = web.day
    keep = np.flatnonzero((day >= since) & (day < extract.until))
    seen = pd.DataFrame(
        {
            "day": day[keep].astype("datetime64[s]"), "domain": universe.own_domain[web.company[keep]],
            "sessions": web.sessions[keep], "views": web.views[keep], "key_events": web.key_events[keep],
            "pricing": pages.pricing[keep], "product": pages.product[keep], "content": pages.content[keep],
            "channel": np.array(CHANNELS, dtype=object)[pages.channel[keep]],
        }
    )  # fmt: skip
    rows = pd.concat([seen, _strangers(seed, extract, since)]).sort_values(["day", "domain"], kind="stable")
    compact = np.char.replace(np.datetime_as_string(rows["day"].to_numpy().astype("datetime64[D]")), "-", "")
    return pa.table(
        {
            "date": pa.array(compact.tolist(), pa.string()),
            "customEvent:company_domain": pa.array(rows["domain"].tolist(), pa.string()),
            "sessions": pa.array(rows["sessions"].to_numpy(), pa.int64()),
            "screenPageViews": pa.array(rows["views"].to_numpy(), pa.int64()),
            "keyEvents": pa.array(rows["key_events"].to_numpy(), pa.int64()),
            "pricingViews": pa.array(rows["pricing"].to_numpy(), pa.int64()),
            "productViews": pa.array(rows["product"].to_numpy(), pa.int64()),
            "contentViews": pa.array(rows["content"].to_numpy(), pa.int64()),
            "sessionDefaultChannelGroup": pa.array(rows["channel"].tolist(), pa.string()),
        }
    )


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file, the same bytes every time."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def event_lines(seed: int, universe: Universe, extract: Extract) -> list[str]:
    """Who attended or sponsored the conferences of the delivery's months, dates the American way."""
    rng = random_source(seed, f"events {extract.index}")
    first = extract.since if extract.index else STARTS[0] - 365 * DAY
    lines = ["Company Website,Event,Participation,Event Date"]
    for month in np.arange(first.astype("datetime64[M]"), extract.until.astype("datetime64[M]")):
        year, number = divmod(int(month.astype(np.int64)), 12)
        for name in (name for name, at in EVENTS if at == number + 1):
            lines += _guests(rng, universe, f"{name} {year + 1970}", f"{number + 1:02d}/17/{year + 1970}")
    return lines


def _guests(rng: np.random.Generator, universe: Universe, event: str, day: str) -> list[str]:
    present = universe.has_own_domain & (rng.random(universe.size) < ATTENDS)
    part = rng.choice(["Attended", "attended", "Sponsored"], universe.size, p=[0.6, 0.3, 0.1])
    rows = np.flatnonzero(present)
    return [f"https://www.{universe.own_domain[c]},{event},{part[c]},{day}" for c in rows.tolist()]
