"""Element classes, and what may happen to them, as people say it: in differences of policy, and of profiles.

Rules:
- The code stands behind each word in brackets: what is read can be looked up.
- An action without words of its own is told by its name; nothing is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

_KINDS = {
    "name": "names",
    "identifier": "identifiers",
    "address": "addresses",
    "contact": "telephone numbers and other contacts",
    "birth-date": "dates of birth and death",
    "demographic": "sex, language and other demographics",
    "encounter": "numbers of stays",
    "time": "times of stays and results",
    "image": "pictures and signatures",
}
_WHOSE = {
    "patient": "the patient's",
    "relative": "relatives'",
    "staff": "staff's",
    "organisation": "organisations'",
}
_PLAIN = {
    "device.identity": "which unit a device is",
    "device.type": "make and model of the device",
    "location": "ward, room and bed",
    "observation.code": "what was measured",
    "observation.value": "measured values",
    "observation.time": "time of event",
    "order": "order numbers",
    "clinical.code": "diagnoses and other clinical codes",
    "note.text": "free text",
    "attachment": "attached documents",
    "financial": "financial data",
    "message.control": "message numbers",
    "message.time": "time of the message",
    "message.party": "sending and receiving system",
    "structure": "the frame of the message",
    "uncatalogued": "what nobody has catalogued",
}
_ACTIONS = {
    "keep": "as they are",
    "pseudonym": "as pseudonyms",
    "alias": "as names of the project",
    "year": "as years alone",
    "birth_year": "as years of birth alone",
    "postcode3": "as the first three digits of a postcode",
    "town": "as towns alone",
    "listed": "where they are on a list",
    "dummy": "as a fixed word",
    "shift": "as moved dates",
    "uid": "as other UIDs",
    "mask": "masked",
    "bands": "as bands",
    "generalise": "as regions",
    "text": "as text in which what names somebody is replaced",
    "attachment": "as documents in whose text what names somebody is replaced",
}


def class_words(cls: str) -> str:
    """Say an element class: ``time of event (observation.time)``."""
    whose, _, kind = cls.partition(".")
    said = _PLAIN.get(cls) or f"{_WHOSE.get(whose, whose)} {_KINDS.get(kind, kind)}"
    return f"{said} ({cls})"


def action_words(action: str) -> str:
    """Say what becomes of values: ``as pseudonyms``."""
    return _ACTIONS.get(action, f"by `{action}`")


def some(words: Iterable[str]) -> str:
    """Write a list as people do: ``a, b and c``."""
    found = list(words)
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)
