"""Put a fixed text in the value's place (parameter ``text``, else ``XXX``), for receivers that need something.

Rules:
- Without ``text``, the place of a date has a fixed date of the same form and precision, that of a UID or UUID a fixed one: a
  receiver that looks at the form takes them. Nothing of the value but its form is in what stands there.

Source: DICOM PS3.15 Annex E (action D: a dummy value that is consistent with the VR).
"""

from __future__ import annotations

import re

from oathward.deid.action import Action, Parameters, Seeds
from oathward.deid.actions.shift import written_as
from oathward.protocols.shaping import REMOVE, Ruling

DEFAULT = "XXX"
YEAR = 1900
_UID = re.compile(r"[0-9]+(?:\.[0-9]+){4,}")
_UUID = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOTHING = "00000000-0000-8000-8000-000000000000"
_FORMS = (
    (_UID, "2.25.0"),
    (re.compile(f"urn:oid:{_UID.pattern}"), "urn:oid:2.25.0"),
    (_UUID, _NOTHING),
    (re.compile(f"urn:uuid:{_UUID.pattern}"), f"urn:uuid:{_NOTHING}"),
)


def _dummy(value: str, _seeds: Seeds) -> str:
    text = value.strip()
    return written_as(text, YEAR) or next((made for form, made in _FORMS if form.fullmatch(text)), DEFAULT)


def _rule(_cls: str, part: str, parameters: Parameters) -> Ruling:
    if part:
        return REMOVE
    text = "".join(parameters.get("text", ()))

    def given(_value: str, _seeds: Seeds) -> str:
        return text

    return given if "text" in parameters else _dummy


ACTION = Action(_rule, parameters=frozenset(("text",)))
