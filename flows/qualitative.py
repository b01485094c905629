"""What people know beside the numbers, put to this ICP's attributes and accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from flows.refresh_steps import Features, Plan
    from icp.profile import Attribute
    from icp.qualitative import Qualitative


def qualitative_of(plan: Plan, attributes: Sequence[Attribute]) -> Qualitative:
    """Personas, case studies and survey of one ICP, under the names of the feature frame.

    Raises:
        ConfigError: an entry fits an attribute that does not exist, with file and line.
    """
    from icp.qualitative import Qualitative
    from icp.qualitative_files import resolve_qualitative

    found = plan.settings.qualitative.get(plan.icp, Qualitative())
    return resolve_qualitative(found, attributes, plan.config.personas or "", plan.config.case_studies or "")


def case_study_links(features: Features) -> pd.Series[str] | None:
    """The case study that fits each account, by account id; None where nobody wrote any down."""
    from icp.qualitative_evidence import case_studies_of

    studies = features.qualitative.case_studies
    return case_studies_of(features.universe, studies) if studies else None
