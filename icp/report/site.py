"""The front page of the local site: one link per ICP."""

from __future__ import annotations

from collections.abc import Sequence

from icp.report.layout import html_environment


def render_site(icps: Sequence[str]) -> str:
    """Where each ICP's page is.

    Args:
        icps: names of ICPs that have an index page.
    """
    return html_environment().get_template("site.html.j2").render(icps=icps)
