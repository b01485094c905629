"""The moments at which the schedules of deployments.yaml fire, computed by Prefect itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml
from prefect.server.schemas.schedules import CronSchedule

DEPLOYMENTS = Path(__file__).resolve().parents[1] / "deployments.yaml"


@dataclass(frozen=True, order=True)
class Due:
    """One scheduled run."""

    at: datetime
    deployment: str


def schedules(first: datetime, last: datetime, file: Path = DEPLOYMENTS) -> list[Due]:
    """Every scheduled run from `first` up to `last`, in order."""
    found = []
    for deployment in yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]:
        for entry in deployment.get("schedules", ()):
            schedule = CronSchedule(cron=entry["cron"], timezone=entry["timezone"])
            dates = asyncio.run(schedule.get_dates(n=2000, start=first, end=last))
            zone = ZoneInfo(entry["timezone"])
            found += [Due(datetime.fromtimestamp(at.timestamp(), zone), deployment["name"]) for at in dates]
    return sorted(found)
