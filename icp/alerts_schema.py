"""The shape of `alerts:` in icp.yml: who is told what, and by which way. Secrets are named here, never written."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ChannelKind = Literal["slack", "teams", "email", "webhook"]
SeverityName = Literal["info", "warning", "critical"]
SECRET = re.compile(r"\$\{ENV:([A-Za-z_][A-Za-z0-9_]*)\}")
ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")

_NEEDS: dict[str, tuple[str, ...]] = {
    "slack": ("url",),
    "teams": ("url",),
    "webhook": ("url", "secret"),
    "email": ("host", "from", "to"),
}
_ONLY_EMAIL = ("host", "port", "security", "username", "password", "from", "to")


class ChannelSection(BaseModel):
    """One way to tell people: a Slack or Teams webhook, e-mail over SMTP, or a signed webhook of your own.

    `url`, `secret` and `password` name a variable of the environment: `${ENV:NAME}`. The address of a webhook that holds
    no secret may be written out. `severity` is the least that is told here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, str_strip_whitespace=True)

    kind: ChannelKind
    severity: SeverityName = "info"
    url: str | None = None
    secret: str | None = None
    allow_private: bool = False
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    host: str | None = None
    port: Annotated[int | None, Field(ge=1, le=65535)] = None
    security: Literal["starttls", "tls", "none"] | None = None
    username: str | None = None
    password: str | None = None
    from_: Annotated[str | None, Field(alias="from")] = None
    to: tuple[str, ...] = ()

    @field_validator("secret", "password")
    @classmethod
    def _named(cls, value: str | None) -> str | None:
        if value is not None and not SECRET.fullmatch(value):
            raise ValueError("secrets are not written into icp.yml: name a variable, for example ${ENV:ICP_SECRET}")
        return value

    @field_validator("from_", "to")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for address in (value,) if isinstance(value, str) else value or ():
            if not ADDRESS.fullmatch(address):
                raise ValueError(f"{address!r} is not an e-mail address; write it as name@example.com")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        lacking = [name for name in _NEEDS[self.kind] if not self._given(name)]
        if lacking:
            raise ValueError(f"a channel of kind {self.kind} needs {', '.join(f'`{n}`' for n in lacking)}")
        strange = [n for n in (("url", "secret") if self.kind == "email" else _ONLY_EMAIL) if self._given(n)]
        if strange:
            raise ValueError(f"`{strange[0]}` has no meaning in a channel of kind {self.kind}; remove it")
        if bool(self.username) != bool(self.password):
            raise ValueError("`username` and `password` are given together or not at all")
        self._require_sound_url()
        return self

    def _given(self, name: str) -> bool:
        return bool(getattr(self, "from_" if name == "from" else name))

    def _require_sound_url(self) -> None:
        if self.url is None or SECRET.fullmatch(self.url):
            return
        if self.kind != "webhook":
            raise ValueError(f"the address of a {self.kind} webhook is a secret: name a variable, as ${{ENV:ICP_URL}}")
        if urlsplit(self.url).scheme not in ("https", "http"):
            raise ValueError("`url` must begin with https://")


class AlertsSection(BaseModel):
    """Who is told when the ICP drifts, a revision waits or a run fails. Nothing leaves the machine without a channel."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    channels: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], ChannelSection] = {}
    cool_down_hours: Annotated[float, Field(ge=0, le=24 * 90)] = 24
    late_after_days: Annotated[int, Field(ge=0, le=90)] = 7
    include_account_names: bool = False
    report_url: str | None = None

    @field_validator("report_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^/\s]+", value):
            raise ValueError("`report_url` must begin with https:// and is where lake/published/ can be read")
        return value
