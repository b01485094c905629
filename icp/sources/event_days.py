"""Single events of visitors, counted by company and day; nothing of an event is kept but the counts."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from icp.config_analytics import PAGE_KINDS, EventSection
from icp.sources.companies import Companies
from icp.sources.web_days import KEY, sorted_days

COLUMNS = ["event_id", "at", "day", "session", "name", "is_page", "path", "channel"]
"""What an event is reduced to, beside the columns `said_0`, `said_1` ... that may name its company.

`at` is in microseconds since 1970, `session` is missing outside of sessions, `path` has no query string.
"""


@dataclass(frozen=True)
class Counting:
    """How events are counted: the section of icp.yml, and who finds companies."""

    section: EventSection
    companies: Companies

    @property
    def said(self) -> list[str]:
        """The columns that may name a company, one per way in `company:`."""
        return [f"said_{number}" for number in range(len(self.section.company))]

    def days(self, events: pd.DataFrame) -> pd.DataFrame:
        """Counts by company and day.

        A session of a day is one visit; it belongs to the company it named last and to the channel it named first.
        Events outside of sessions count as views and key events, and are no visit. An event read twice counts once.
        """
        events = events.drop_duplicates("event_id").sort_values(["at", "event_id"], ignore_index=True)
        unit = events["session"].fillna(events["event_id"])
        events = events.assign(unit=unit, **self._counts(events)).join(self._companies(events, unit))
        by_company = events.groupby(KEY, dropna=False)
        visits = by_company["session"].nunique().rename("visits")
        sums = by_company[["page_views", "key_events", *(f"{kind}_views" for kind in PAGE_KINDS)]].sum(min_count=1)
        channel = by_company["channel"].first().rename("first_channel")
        return sorted_days(pd.concat([visits.astype(float), sums, channel], axis=1).reset_index())

    def _counts(self, events: pd.DataFrame) -> dict[str, pd.Series]:
        names, nothing = set(self.section.key_events), pd.Series(float("nan"), events.index)
        counts = {"page_views": events["is_page"].astype(float)}
        counts["key_events"] = events["name"].isin(names).astype(float) if names else nothing
        for kind in PAGE_KINDS:
            pattern = self.section.pages.pattern(kind)
            if pattern is None:
                counts[f"{kind}_views"] = nothing
                continue
            # a site has few pages and many views
            known = {
                path: float(pd.Series([path]).str.fullmatch(pattern)[0]) for path in events["path"].dropna().unique()
            }
            counts[f"{kind}_views"] = events["path"].map(known).fillna(0.0) * counts["page_views"]
        return counts

    def _companies(self, events: pd.DataFrame, unit: pd.Series) -> pd.DataFrame:
        """Of each event its day and the company of its session that day."""
        rows = events[self.said].astype(object).where(events[self.said].notna(), None)
        found = self.companies.find_all(rows.itertuples(index=False, name=None))
        told = pd.DataFrame(
            {
                "day": events["day"],
                "unit": unit,
                "found": [company.found for company in found],
                "account_id": [company.account_id for company in found],
                "website": [company.website for company in found],
            }
        )
        # a company before none, and the later before the earlier
        last = told.sort_values("found", kind="stable").drop_duplicates(["day", "unit"], keep="last")
        of_session = told[["day", "unit"]].merge(last, on=["day", "unit"], how="left")
        return of_session.rename(columns={"day": "activity_date"})[KEY].set_index(events.index)


def session_numbers(visitor: pd.Series, day: pd.Series, at: pd.Series, minutes: float) -> pd.Series:
    """A name for the session of each event of a system that knows none: a new one after a pause, or on a new day."""
    order = pd.DataFrame({"visitor": visitor, "day": day, "at": at}).sort_values(["visitor", "at"], kind="stable")
    same = (order["visitor"] == order["visitor"].shift()) & (order["day"] == order["day"].shift())
    pause = order["at"].diff() > minutes * 60e6
    number = (~same | pause).cumsum().astype(str)
    return number.where(order["visitor"].notna()).reindex(visitor.index)
