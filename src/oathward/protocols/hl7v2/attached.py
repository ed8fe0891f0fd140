"""Documents inside a field: ED is opened, shaped and written again; RP points elsewhere, and what it points to nobody saw.

Rules:
- ED is its encoding's (Base64, Hex, A); what cannot be decoded as it says is no document.
- What is written has the same encoding. Its source goes; its types are words of the tables, or those of what it is now.

Source: HL7 v2.8.2 §2A.2.24 (ED), §2A.2.65 (RP), tables 0834, 0291, 0299.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from binascii import hexlify, unhexlify

from oathward.protocols.hl7v2.escapes import escape_bytes, unescape_bytes
from oathward.protocols.hl7v2.wire import NULL, Run
from oathward.protocols.shaping import Attachments

_ENCODED = {b"base64": "base64", b"hex": "hex", b"a": "a"}
_TYPES = frozenset(
    (b"AP", b"FT", b"TEXT", b"TX", b"SD", b"application", b"text", b"Application", b"Text", b"multipart")
)
_SUBTYPES = frozenset(
    (b"HTML", b"RTF", b"XML", b"PLAIN", b"html", b"rtf", b"xml", b"plain", b"x-hl7-cda-level-one")
)
_PARTS = 5


def documents(ruling: Attachments, value: bytes, cls: str, run: Run) -> bytes:
    """Write a field of ED or RP as it may leave."""
    if not value or value == NULL:
        return value
    made = [_document(ruling, one, run) for one in value.split(run.wire.repetition) if one]
    run.lost += [cls] * made.count(b"")
    return run.wire.repetition.join(one for one in made if one)


def _document(ruling: Attachments, value: bytes, run: Run) -> bytes:
    parts = value.split(run.wire.component)
    encoding = _ENCODED.get(parts[3].lower()) if len(parts) == _PARTS else None
    data = None if encoding is None else _decoded(encoding, parts[4], run)
    made = ruling.shaped(data, run.context)
    if made is None or encoding is None:
        return b""
    kind = parts[1] if parts[1] in _TYPES else b"TEXT"
    subtype = made.media.partition(";")[0].partition("/")[2].encode()
    subtype = parts[2] if parts[2] in _SUBTYPES and parts[2].lower() == subtype else subtype
    return run.wire.component.join((b"", kind, subtype, parts[3], _encoded(encoding, made.data, run)))


def _decoded(encoding: str, value: bytes, run: Run) -> bytes | None:
    """Give the bytes of a document; None for what cannot be decoded."""
    raw = unescape_bytes(value, run.wire.separators)
    if encoding == "a":
        return raw.decode(run.wire.charset, "replace").encode()
    packed = b"".join(raw.split())
    try:
        return b64decode(packed, validate=True) if encoding == "base64" else unhexlify(packed)
    except (BinasciiError, ValueError):
        return None


def _encoded(encoding: str, data: bytes, run: Run) -> bytes:
    if encoding == "base64":
        return b64encode(data)
    if encoding == "hex":
        return hexlify(data)
    return escape_bytes(data.decode().encode(run.wire.charset, "replace"), run.wire.separators)
