"""How the keeper's answers are written: plain JSON, bytes as base64."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from oathward.vault.authority import Document
from oathward.vault.keeper.original import Original


def b64(raw: bytes) -> str:
    """Write bytes."""
    return b64encode(raw).decode()


def original(one: Original) -> dict[str, str]:
    """Write an opened original: only ever into the answer to whoever opened it."""
    return {
        "message": one.message,
        "subject": one.subject,
        "purpose": one.purpose,
        "data": b64(one.data.reveal()),
    }


def document(d: Document) -> dict[str, Any]:
    """Write a signed document."""
    return {
        "site": d.site,
        "kind": d.kind,
        "id": d.id,
        "version": d.version,
        "body": b64(d.body),
        "signature": b64(d.signature),
        "at_us": d.at_us,
    }
