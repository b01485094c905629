"""What every section of icp.yml shares: nothing unknown is allowed, names are plain, values are scalars."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Scalar = str | bool | int | float | date | datetime


class Section(BaseModel):
    """A section of icp.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, str_strip_whitespace=True)
