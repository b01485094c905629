"""The section of icp.yml that belongs to a source's kind."""

from __future__ import annotations

from typing import TypeVar

from icp.config import Settings
from icp.config_vendors import VendorSection

Found = TypeVar("Found", bound=VendorSection)


def section_of(settings: Settings, source_name: str, kind: type[Found]) -> Found:
    """The section, of the type its source reads; icp.yml was checked, so it is there."""
    source = settings.source(source_name)
    section = getattr(source, source.kind)
    assert isinstance(section, kind)
    return section
