"""A message as Slack's Block Kit, within its limits: 50 blocks, header 150, section 3,000, field 2,000 characters.

Slack also refuses messages of about 13,000 characters in all, which it does not document; the sum here stays below.

Text is mrkdwn with `& < >` escaped, so `<!channel>` in a company name calls nobody.
"""

from __future__ import annotations

from typing import Any

from icp.notify.message import Event, Message
from icp.notify.news import shortened

HEADER, TEXT, FIELD, SENTENCE = 150, 1500, 200, 450
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
    facts = [_mrkdwn(f"*{_safe(f.label, 60)}*\n{_safe(f.value, FIELD)}") for f in message.facts[:FACTS]]
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
        "text": _safe(f"{message.title}. {sentences}", TEXT),
        "blocks": [block.to_dict() for block in blocks],
        "unfurl_links": False,
    }


def _line(event: Event) -> str:
    return f"{MARKS[event.severity]} *{_safe(event.word, 60)}* {_safe(event.sentence, SENTENCE)}"


def _mrkdwn(text: str) -> Any:
    from slack_sdk.models.blocks import MarkdownTextObject

    return MarkdownTextObject(text=text, verbatim=True)


def _safe(text: str, limit: int) -> str:
    """Escaped, and cut so that what is sent keeps within the limit and no entity is cut."""
    kept = shortened(text, limit)
    while len(escaped := kept.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")) > limit:
        kept = shortened(kept, len(kept) - max((len(escaped) - limit) // 5, 1))
    return escaped


def _safe_link(url: str) -> str:
    return url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
