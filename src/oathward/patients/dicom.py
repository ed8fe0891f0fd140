"""Whom a DICOM file is about: its patient's numbers, with who issued them.

Rules:
- (0010,0021) or the universal id of (0010,0024) names the assigning authority as CX-4 does, by the site's table; so a patient is one
  subject on every wire. A number without an issuer is of the source's configured authority, else the source's own.
- DICOM says no type: it is the source's configured one, else ``UNTYPED``.

Deliberately absent: names and birth dates as identity.

Source: DICOM PS3.3 §C.2.2, §10.14; HL7 v2.8.2 §2A.3.14 (CX).
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from oathward.core.phi import Phi
from oathward.patients.identifiers import UNTYPED, Hasher, Identifier, is_placeholder
from oathward.patients.model import Source
from oathward.protocols.dicom.persons import identifiers_of

if TYPE_CHECKING:
    from oathward.protocols.dicom.reader import File


def spoken_of(file: File, source: Source, hasher: Hasher) -> tuple[Identifier, ...]:
    """Give the identifiers of the patient of a file, as the source means them."""
    found = []
    kind = source.default_identifier_type or UNTYPED
    for one in identifiers_of(file):
        text = unicodedata.normalize("NFC", one.value.reveal()).strip()
        if is_placeholder(text):
            continue
        named = hasher.authorities.named(one.namespace, one.universal, one.kind).authority
        authority = named or hasher.authorities.written(source.default_authority)
        found.append(
            Identifier(Phi(text), authority, kind)
            if authority
            else Identifier(Phi(text), source.id, kind, local=True)
        )
    return tuple(dict.fromkeys(found))
