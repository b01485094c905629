"""A message as Slack's Block Kit, within its limits: 50 blocks, header 150, section 3,000, field 2,000 characters.

Text is mrkdwn with `& < >` escaped, so `<!channel>` in a company name calls nobody.
"""

from __future__ import annotations

from typing import Any

from icp.notify.message import Event, Message
from icp.notify.news import shortened

HEADER, SECTION, FIELD, SENTENCE = 150, 3000, 2000, 700
EVENTS, FACTS, ACCOUNTS = 12, 8, 10
MARKS = {"info": ":large_green_circle:", "warning": ":large_yellow_circle:", "critical": ":red_circle:"}


def payload(message: Message) -> dict[str, Any]:
    """The JSON an incoming webhook takes: `text` for notifications and screen readers, `blocks` for the eye."""
    from slack_sdk.models.blocks import (
        Block,
        ContextBlock,
        HeaderBlock,
        MarkdownTextObject,
        PlainTextObject,
        SectionBlock,
    )

    blocks: list[Block] = [HeaderBlock(text=PlainTextObject(text=shortened(message.title, HEADER), emoji=False))]
    facts = [_mrkdwn(f"*{_safe(f.label, 100)}*\n{_safe(f.value, FIELD // 2)}") for f in message.facts[:FACTS]]
    if facts:
        blocks.append(SectionBlock(fields=facts))
    blocks += [SectionBlock(text=_mrkdwn(_line(event))) for event in message.events[:EVENTS]]
    if len(message.events) > EVENTS:
        blocks.append(SectionBlock(text=_mrkdwn(f"and {len(message.events) - EVENTS} more: see the report")))
    if message.accounts:
        names = ", ".join(_safe(name, 80) for name in message.accounts[:ACCOUNTS])
        blocks.append(SectionBlock(text=_mrkdwn(f"*Accounts:* {names}")))
    if message.link:
        blocks.append(SectionBlock(text=_mrkdwn(f"<{_safe_link(message.link)}|Open the report>")))
    foot: list[Any] = [MarkdownTextObject(text=_safe(message.path or message.command, 300), verbatim=True)]
    blocks.append(ContextBlock(elements=foot))
    for block in blocks:
        block.validate_json()
    sentences = " ".join(event.sentence for event in message.events)
    return {
        "text": _safe(f"{message.title}. {sentences}", SECTION // 2),
        "blocks": [block.to_dict() for block in blocks],
        "unfurl_links": False,
    }


def _line(event: Event) -> str:
    return f"{MARKS[event.severity]} *{_safe(event.word, 60)}* {_safe(event.sentence, SENTENCE)}"


def _mrkdwn(text: str) -> Any:
    from slack_sdk.models.blocks import MarkdownTextObject

    return MarkdownTextObject(text=text, verbatim=True)


def _safe(text: str, limit: int) -> str:
    """Escaped after it was cut, so that no entity is cut; an escaped character is at most five."""
    return shortened(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _safe_link(url: str) -> str:
    return url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
