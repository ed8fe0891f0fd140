"""Ids made of identifiers: who is known by a number has the same id whenever and by whichever wire it is told of.

Rules:
- An id is hashed from the type and one identifier: equal in, equal out, and the id shows nothing. Its letters have no
  vowels and no digits, so that no name and no number can stand in one by chance.
- A hash of a short number can be guessed by trying all of them: an id says no more and no less than the identifier
  it is made of, and leaves only where that does, as it is or as a pseudonym.

Deliberately absent: which of several identifiers names a resource; a namespace that nobody declared is not a system.
"""

from __future__ import annotations

import hashlib

from oathward.protocols.fhir.message import Resource

_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrstv")


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
