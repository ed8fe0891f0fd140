"""The keyed hash that an identifier of a person becomes, so that whoever shares the key finds the same one.

Rules:
- Keyed BLAKE2b over netstrings: no other list of words gives the same bytes, and without the key nothing can be tried.

Deliberately absent: reading of identifiers (``patients/identifiers``).

Source: RFC 7693 (BLAKE2b with key and personalization).
"""

from __future__ import annotations

import unicodedata
from hashlib import blake2b

HASH_BYTES = 16
PERSON, VISIT = b"patient", b"visit"
AUTHORITY, DEVICE = "authority", "device"


def keyed(key: bytes, person: bytes, size: int, *parts: str) -> bytes:
    """Hash words; ``person`` keeps uses apart."""
    data = b"".join(b"%d:%b" % (len(p), p) for p in (part.encode("utf-8", "surrogatepass") for part in parts))
    return blake2b(data, digest_size=size, key=key, person=person).digest()


def of_patient(key: bytes, site: str, authority: str, type_: str, value: str) -> bytes:
    """Hash a patient's number within its assigning authority, as a person wrote it."""
    value = unicodedata.normalize("NFC", value).strip()
    return keyed(key, PERSON, HASH_BYTES, site, AUTHORITY, authority, type_, value)
