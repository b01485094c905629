"""A message as an Adaptive Card for a Microsoft Teams Workflows webhook (at most 28 KB).

All text stands in text runs: they know no Markdown, so a company's name can neither link nor mention.
"""

from __future__ import annotations

from typing import Any

from icp.notify.message import Message
from icp.notify.news import shortened

SENTENCE, EVENTS, FACTS, ACCOUNTS = 500, 12, 8, 10
COLOURS = {"info": "good", "warning": "warning", "critical": "attention"}


def payload(message: Message) -> dict[str, Any]:
    """The JSON the webhook takes."""
    body = [_text({"text": shortened(message.title, 200), "weight": "bolder", "size": "large"})]
    for fact in message.facts[:FACTS]:
        body.append(
            _text({"text": f"{shortened(fact.label, 60)}: ", "weight": "bolder"}, {"text": shortened(fact.value, 200)})
        )
    for event in message.events[:EVENTS]:
        word = {"text": f"{event.word}: ", "weight": "bolder", "color": COLOURS[event.severity]}
        body.append(_text(word, {"text": shortened(event.sentence, SENTENCE)}))
    if len(message.events) > EVENTS:
        body.append(_text({"text": f"and {len(message.events) - EVENTS} more: see the report"}))
    if message.accounts:
        names = ", ".join(shortened(name, 80) for name in message.accounts[:ACCOUNTS])
        body.append(_text({"text": "Accounts: ", "weight": "bolder"}, {"text": names}))
    body.append(_text({"text": shortened(message.path or message.command, 300), "isSubtle": True, "size": "small"}))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": shortened(message.title, 200),
        "body": body,
    }
    if message.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open the report", "url": message.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _text(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}
