"""What every section of icp.yml shares: nothing unknown is allowed, names are plain, values are scalars."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# No dash: where a key admits no underscore (Prefect's artifacts), `a_b` becomes `a-b`, and must stay the only one that does.
NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Scalar = str | bool | int | float | date | datetime


class Section(BaseModel):
    """A section of icp.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, str_strip_whitespace=True)
