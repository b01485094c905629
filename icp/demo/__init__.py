"""Lumenworks, the bundled company: an invented B2B SaaS vendor whose true ICP is known because it was planted.

`create` writes a project folder: `icp.yml`, three years of vendors' extracts, and `truth.yml` with what was planted.
"""

from icp.demo.project import create

__all__ = ["create"]
