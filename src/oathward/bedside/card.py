"""Read from an opened card who the patient is, as an authoritative source said it last.

Rules:
- The first name, the number of type MR or else the first; as with messages, values travel as ``Phi``.

Source: ``patients.card`` (the card's form, in words of HL7 v2 PID).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from oathward.bedside.picture import Called
from oathward.core.phi import Phi
from oathward.vault import cards

if TYPE_CHECKING:
    from oathward.vault.keeper.original import Original


def is_card(original: Original) -> bool:
    """Say whether what was opened is a card, and no message."""
    return original.purpose == cards.PURPOSE


def called_of(original: Original) -> Called | None:
    """Give name, birth date and number; None where the card says neither name nor birth date."""
    card: Any = orjson.loads(original.data.reveal())
    name = _first(card, "names")
    numbers = [one for one in card.get("identifiers", ()) if one.get("value")]
    number = next((one for one in numbers if one.get("type") == "MR"), numbers[0] if numbers else {})
    born = str(card.get("birth", ""))[:8]
    words = f"{name.get('given', '')} {name.get('family', '')}".strip() or str(name.get("text", ""))
    if not (words or born):
        return None
    written = f"{born[:4]}-{born[4:6]}-{born[6:]}" if len(born) == 8 and born.isdigit() else ""
    return Called(Phi(words), Phi(written), Phi(str(number.get("value", ""))))


def _first(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    rows = card.get(name, ())
    return rows[0] if rows else {}
