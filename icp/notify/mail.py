"""A message as e-mail: plain text and HTML with the same content, sent over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from icp.notify.http import DeliveryFailed
from icp.notify.message import Message
from icp.notify.news import shortened

PORTS = {"starttls": 587, "tls": 465, "none": 25}
PAGE = """<!doctype html>
<html lang="en"><body style="font-family: sans-serif; color: #1b1b1b; max-width: 44em">
<h1 style="font-size: 1.3em">{{ m.title }}</h1>
{% if m.facts %}<table>{% for f in m.facts %}<tr><th align="left" style="padding-right: 1em">{{ f.label }}</th>\
<td>{{ f.value }}</td></tr>{% endfor %}</table>{% endif %}
<ul>{% for e in m.events %}<li><strong>{{ e.word }}</strong> ({{ e.severity }}): {{ e.sentence }}</li>{% endfor %}</ul>
{% if m.accounts %}<p><strong>Accounts:</strong> {{ m.accounts | join(", ") }}</p>{% endif %}
{% if m.link %}<p><a href="{{ m.link }}">Open the report</a></p>{% endif %}
<p style="color: #555">{{ m.path or m.command }}</p>
</body></html>
"""


@dataclass(frozen=True)
class Server:
    """The SMTP server to hand a message to, and how."""

    host: str
    sender: str
    recipients: tuple[str, ...]
    security: str = "starttls"
    port: int | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 10.0


def letter(message: Message, sender: str, recipients: tuple[str, ...], sent_at: datetime) -> EmailMessage:
    """The e-mail: subject, text, HTML; its Message-ID is made from the message's key, so a repetition is recognised."""
    from jinja2 import Environment, StrictUndefined

    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = shortened(f"[{message.severity}] {message.title}", 180)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(sent_at)
    mail["Message-ID"] = f"<{message.key}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(as_text(message))
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE).render(m=message)
    mail.add_alternative(page, subtype="html")
    return mail


def as_text(message: Message) -> str:
    """The whole message as plain lines."""
    lines = [shortened(message.title), ""]
    lines += [f"{fact.label}: {shortened(fact.value)}" for fact in message.facts]
    lines += ["", *(f"* {e.word} ({e.severity}): {shortened(e.sentence, 2000)}" for e in message.events), ""]
    lines += [f"Accounts: {', '.join(shortened(name) for name in message.accounts)}"] if message.accounts else []
    return "\n".join([*lines, message.link or message.path, ""])


def send(server: Server, mail: EmailMessage) -> None:
    """Hand the letter over.

    Raises:
        DeliveryFailed: the server cannot be reached or refused it; says why, without the password.
    """
    port = server.port or PORTS[server.security]
    try:
        with _connected(server, port) as smtp:
            if server.security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
            if server.username and server.password:
                smtp.login(server.username, server.password)
            refused = smtp.send_message(mail)
    except smtplib.SMTPResponseException as error:
        raise DeliveryFailed(f"the mail server answered {error.smtp_code}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryFailed(f"the mail server could not be used ({type(error).__name__})") from None
    if refused:
        raise DeliveryFailed(f"the mail server refused {len(refused)} of {len(server.recipients)} recipients")


def _connected(server: Server, port: int) -> smtplib.SMTP:
    if server.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, port, timeout=server.timeout, context=context)
    return smtplib.SMTP(server.host, port, timeout=server.timeout)
