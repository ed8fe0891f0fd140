"""Read what some opened originals tell, whatever wire they came by.

Rules:
- What begins with MSH is HL7 v2, everything else FHIR; what cannot be read is counted, and nothing else is lost for it.
- When a message came is said by whoever knows what its id means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from oathward.bedside import fhir, hl7v2
from oathward.bedside.picture import Told
from oathward.core.errors import DecodeError

if TYPE_CHECKING:
    from oathward.vault.keeper.original import Original


def read_all(originals: Iterable[Original], came_us: Callable[[str], int]) -> Told:
    """Read originals, in their order."""
    told = Told()
    for original in originals:
        raw = original.data.reveal()
        reader = hl7v2 if b"MSH" in raw[:8] else fhir
        try:
            reader.told(raw, original.message, came_us(original.message), told)
        except DecodeError:
            told.unread += 1
    return told
