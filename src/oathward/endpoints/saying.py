"""What a person may say of an endpoint, and the words where only some are possible. Pure.

Rules:
- What people know of a device may be said; what follows from something else (an FDA class, an end of support) is not typed in.
- Words that are from a list of ours must be of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.endpoints.model import Lifecycle
from oathward.endpoints.types import TYPES, type_of

SAID: Mapping[str, str] = {
    "name": "Name",
    "type": "Type of device",
    "make": "Maker",
    "model": "Model",
    "serial": "Serial number",
    "unit": "Unit",
    "location": "Location",
    "owner": "Owner",
    "steward": "Steward",
    "criticality": "Clinical criticality",
    "consequence": "Consequence of failure",
    "stores-phi": "Stores patient data",
    "lifecycle": "Stage of life",
    "last-maintenance": "Last maintenance",
}
"""Attribute that a person may write -> its words, in the order of a form."""

CHOICES: Mapping[str, tuple[str, ...]] = {
    "criticality": ("high", "medium", "low"),
    "consequence": ("death", "injury", "delay", "none"),
    "stores-phi": ("yes", "no"),
    "lifecycle": tuple(one.value for one in Lifecycle),
}


def checked(attribute: str, value: str) -> str:
    """Give a value as it is kept; empty stays empty: it takes back what people said.

    Raises:
        InputError: ``input.invalid``: an attribute that nobody may write, or a word that is none of its list.
    """
    value = " ".join(value.split())
    if attribute not in SAID:
        raise InputError("attribute", f"one of {', '.join(SAID)}", reason=Reason.INPUT_INVALID)
    if not value:
        return ""
    if attribute == "type":
        if not type_of(value):
            why = f"a type of ours: {', '.join(sorted(TYPES))}"
            raise InputError("value", why, reason=Reason.INPUT_INVALID)
        return type_of(value)
    if attribute in CHOICES and value not in CHOICES[attribute]:
        raise InputError("value", f"one of {', '.join(CHOICES[attribute])}", reason=Reason.INPUT_INVALID)
    return value
