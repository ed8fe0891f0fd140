"""Where DICOM does something else with a class than the profile: what PS3.15 Annex E decides before anybody asks the profile, in words.

Rules:
- Counted over every attribute of the standard's dictionary, by the catalogue and the table that files are shaped by.
- Where the profile removes a class, only what leaves all the same is told: how a value goes, Annex E says for each attribute.

Deliberately absent: private attributes (``uncatalogued``), and what a value must be to leave (``protocols.dicom.ops``).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from oathward.core.label_words import some
from oathward.deid.profile import Profile
from oathward.protocols.dicom import catalogue
from oathward.protocols.dicom.annex_e import NEVER_EMPTY, row_of
from oathward.protocols.dicom.compiling import PERSON
from oathward.protocols.dicom.dictionary import keyword, tags, vr_of
from oathward.protocols.dicom.reader import place

ASKED = "asked"
_SAYS = {"X": "removed", "Z": "emptied", "D": "replaced by a dummy", "U": "replaced by another UID"}
_PERSON = "replaced by the keyed name of the person"
_KIND = "kept, for they name kinds of things"
_LEAVES = (_PERSON, _KIND, _SAYS["U"])
_NAMED_MAX = 3
"""So few attributes are named; more are counted."""
_PERSONS = frozenset((catalogue.PATIENT_NAME, catalogue.PATIENT_ID))
_META_GROUP, _DATA_GROUPS_END = 2, 0xFFFA


def otherwise(profile: Profile, cls: str) -> str:
    """Say which attributes of a class become something else than the profile says; empty where none does."""
    action, every = profile.action_of(cls), _attributes().get(cls, ())
    gone = cls != "structure" and action in ("remove", "hold")
    as_said = {"uid": (_SAYS["U"],), "pseudonym": (_PERSON,) if cls == PERSON else ()}.get(action, ())
    found: dict[str, list[int]] = {}
    for tag, vr in every:
        became = outcome(profile, tag, vr)
        told = became in _LEAVES if gone else became not in (ASKED, _KIND, *as_said)
        if told:
            found.setdefault(became, []).append(tag)
    several = sum(map(len, found.values()))
    if several <= _NAMED_MAX:
        return some(f"{some(map(_name, of))} {_is(len(of))} {became}" for became, of in found.items())
    most = sorted(found, key=lambda became: -len(found[became]))
    if len(most) == 1 and several == len(every):
        return f"all its {several:,} attributes are {most[0]}"
    return f"of its {len(every):,} attributes {some(f'{len(found[one]):,} {_is(len(found[one]))} {one}' for one in most)}"


def outcome(profile: Profile, tag: int, vr: bytes) -> str:
    """Say what happens to an attribute before its class is asked; ``ASKED`` where that decides."""
    if tag in _PERSONS:
        return _SAYS["Z"] if profile.action_of(PERSON) in ("remove", "hold") else _PERSON
    action = catalogue.treatment(tag, vr, frozenset(profile.dicom), known=True).action
    if vr == b"SQ":
        empty = action == "Z" and tag in NEVER_EMPTY
        return _SAYS["X"] if empty else ASKED if action == "U" else _SAYS.get(action, ASKED)
    if vr == b"UI" and action == "D":
        return _SAYS["U"]
    if vr == b"UI" and action == "K" and row_of(tag) is None:
        return _KIND
    return _SAYS.get(action, ASKED)


def _name(tag: int) -> str:
    return f"{keyword(tag)} {place(tag)}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


@cache
def _attributes() -> Mapping[str, tuple[tuple[int, bytes], ...]]:
    """Give the attributes of each class: tag, VR."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    for tag in tags():
        vr = vr_of(tag)
        if vr is None or not _META_GROUP < tag >> 16 < _DATA_GROUPS_END:
            continue
        found.setdefault(catalogue.class_of(tag, vr)[0], []).append((tag, vr))
    return {cls: tuple(sorted(every)) for cls, every in found.items()}
