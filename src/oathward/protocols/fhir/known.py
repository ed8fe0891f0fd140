"""Ids made of identifiers: who is known by a number has the same id whenever and by whichever wire it is told of.

Rules:
- An id is hashed from the type and one identifier: equal in, equal out, and the id shows nothing. Its letters have no
  vowels and no digits, so that no name and no number can stand in one by chance.
- A logical id, and a number without an authority, mean something at their sender alone: its id goes into the hash, so
  that two senders' ``Patient/1`` are two patients at a recipient.
- Where pseudonyms stand for identifiers, the pseudonym is the id, on every wire.
- A hash of a short number can be guessed by trying all of them: an id says no more and no less than the identifier
  it is made of, and leaves only where that does, as it is or as a pseudonym.

Deliberately absent: which of several identifiers names a resource.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from oathward.protocols.fhir.message import Resource
from oathward.protocols.fhir.primitives import FORMS

_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrstv")
_is_id = FORMS["id"][1]


class Naming(NamedTuple):
    """How ids are made on one link.

    Args:
        source: who sent it; empty where nothing tells.
        raw: identifiers leave as they are; else a pseudonym stands in the place of each.
    """

    source: str = ""
    raw: bool = True


def digest(*parts: str) -> str:
    """Make an id from the parts of identifiers."""
    text = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32].translate(_LETTERS)


def key_of(identifier: Resource) -> tuple[str, str, str]:
    """Say what makes two identifiers the same: system, namespace, value."""
    return (
        identifier.get("system", ""),
        identifier.get("assigner", {}).get("display", ""),
        identifier.get("value", ""),
    )


def id_of(kind: str, key: tuple[str, ...], naming: Naming) -> str:
    """Give the id that follows from an identifier; empty for no identifier.

    Args:
        key: of ``key_of``.
    """
    if len(key) < 3 or not key[2]:
        return ""
    if key[0] or key[1]:
        return digest(kind, *key)
    if naming.raw:
        return digest(kind, *key, naming.source)
    return key[2] if _is_id(key[2]) else digest(kind, *key)


def sent_id(kind: str, ident: str, source: str) -> str:
    """Give the id that stands for a sender's own logical id; that one itself where nothing tells who sent it."""
    return digest(kind, "sent", source, ident) if source else ident
