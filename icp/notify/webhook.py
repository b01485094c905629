"""A message as signed JSON for a receiver of your own; the signature is that of the timestamp, a point and the body."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime

from icp.notify.message import Message

SIGNATURE, TIMESTAMP, KEY = "X-ICP-Signature", "X-ICP-Timestamp", "Idempotency-Key"


def body(message: Message) -> bytes:
    """The JSON that is signed and sent."""
    return json.dumps(message.to_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def headers(message: Message, content: bytes, secret: str, sent_at: datetime) -> dict[str, str]:
    """Signature, timestamp (seconds since 1970) and the key by which a repetition is recognised."""
    return signed_headers(content, message.key, secret, sent_at)


def signed_headers(content: bytes, key: str, secret: str, sent_at: datetime) -> dict[str, str]:
    """The same for any content."""
    stamp = str(int(sent_at.timestamp()))
    return {
        "Content-Type": "application/json",
        TIMESTAMP: stamp,
        SIGNATURE: f"v1={sign(secret, stamp, content)}",
        KEY: key,
    }


def sign(secret: str, stamp: str, content: bytes) -> str:
    """HMAC-SHA256 of `<timestamp>.<body>` in hexadecimal; a receiver computes the same and refuses old timestamps."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + content, hashlib.sha256).hexdigest()
