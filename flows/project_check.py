"""What can be said of a project without its data: the pages of its features, and what each ICP names of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icp.config import Settings


def check_project(settings: Settings) -> int:
    """Look the project over; the number of features of its own.

    Raises:
        ConfigError: a feature page is malformed, an ICP includes, excludes or filters by an attribute there is not, or
            its pins cannot be read.
    """
    from flows.population import checked_rules
    from icp import attributes, feature_pages
    from icp.pins_file import read_pins

    feature_pages.check(settings.dbt_project)
    own = feature_pages.added_models(settings.dbt_project)
    pages = feature_pages.pages(settings.dbt_project)
    built_in = [
        attribute
        for model in ("fct_account_features", *own)
        for attribute in attributes.from_columns(
            {
                name: {"description": "", "meta": {"icp": meta}}
                for name, meta in feature_pages.declared(pages[model]).items()
            },
            model,
        )
    ]
    everything = attributes.candidates(built_in, settings.declared_attributes, ())
    for name, section in settings.icps.items():
        wanted = section.attributes
        excluded = (*section.exclude_attributes, *wanted.exclude)
        attributes.candidates(built_in, settings.declared_attributes, excluded, wanted.include, wanted.families)
        checked_rules(settings, name, everything)
        if section.label.pins is not None:
            read_pins(settings.root / section.label.pins)
    return len(own)
