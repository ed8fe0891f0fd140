"""Attachments inside a resource: their bytes are shaped, and what is said of them is made anew.

Rules:
- An attachment leaves as what it is now: its type, size and hash are of the bytes that leave. Its title is a note; when it was
  made, a time of the patient. A URL leads to what nobody saw: it goes.
- Bytes that are no base64 are none.
- How an attachment is written is never remembered by the shape of a message.

Source: FHIR R4 §2.24.0.3 (Attachment: ``hash`` is SHA-1), §2.43 (Binary).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from hashlib import sha1
from typing import Any

from oathward.protocols.fhir.edits import NOTE, STRUCTURE, Run, Step
from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.templates import UnmarkedError
from oathward.protocols.fhir.values import Leaf
from oathward.protocols.shaping import Attachments


def binary(cls: str, ruling: Attachments) -> Step:
    """Make the step of bytes that stand alone."""

    def walk(value: Any, run: Run) -> str | None:
        made = _shaped(value, ruling, run)
        (run.remove if made is None else run.change)(cls)
        return None if made is None else b64encode(made[0]).decode()

    return walk


def attachment(cls: str, ruling: Attachments, leaf: Leaf) -> Step:
    """Make the step of an Attachment."""
    beside = {"title": leaf("string", NOTE, ""), "creation": leaf("dateTime", "patient.time", "")}
    beside["language"] = leaf("code", STRUCTURE, "")

    def walk(value: Resource, run: Run) -> Resource | None:
        made = _shaped(value.get("data"), ruling, run)
        if made is None:
            run.remove(cls)
            return None
        run.change(cls)
        data, media = made
        out: Resource = {"contentType": media, "data": b64encode(data).decode(), "size": len(data)}
        if "hash" in value:
            out["hash"] = b64encode(sha1(data, usedforsecurity=False).digest()).decode()
        for key, step in beside.items():
            left = step(value[key], run) if key in value else None
            if left is not None:
                out[key] = left
        return out

    return walk


def _shaped(value: Any, ruling: Attachments, run: Run) -> tuple[bytes, str] | None:
    if run.recorder is not None:
        raise UnmarkedError
    return ruling.shaped(_decoded(value), run.context)


def _decoded(value: Any) -> bytes | None:
    if value.__class__ is not str:
        return None
    try:
        return b64decode("".join(value.split()), validate=True)
    except (BinasciiError, ValueError):
        return None
