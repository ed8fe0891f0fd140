"""Read the conditions of one provision of a FHIR Consent into boxes: at most (``wide``) and at least (``narrow``).

Rules:
- What cannot be read leaves ``narrow`` empty and ``wide`` without that condition; a remark says which.
- ``action``: of data that goes to a recipient, only access and disclosure are permitted; denials of use and collection
  stop it too. A denial of correction alone is of no flow.
- ``actor``: by reference and by identifier, in the roles of a recipient. A denial by absolute reference means the
  relative one too. Identifiers of patients and relatives are not kept.
- ``code``: the coding's system in its one form (``core/code_systems.py``); of several codings one is enough.

Deliberately absent: how provisions stand in each other (``provisions.py``).

Source: FHIR R4 §6.2 (Consent.provision).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from oathward.consent.fhir import words
from oathward.consent.fhir.dates import moment
from oathward.consent.provisions import Boxes
from oathward.core.code_systems import name_of
from oathward.core.errors import InputError
from oathward.policy.consents import EVERY, Box

_KNOWN = frozenset(
    (
        "id", "extension", "type", "period", "actor", "action", "securityLabel", "purpose", "class", "code",
        "dataPeriod", "data", "provision",
    )
)  # fmt: skip
_VERSION = re.compile(r"/_history/[^/]+$")
_TAIL = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}$")
RECIPIENT = "urn:oathward:recipient"
"""System of identifiers that are ids of recipients of the policy, where a Consent written here names them."""

_PRIVATE = frozenset(("Patient", "RelatedPerson", "Person"))
_NONE = frozenset[str]()


@dataclass(frozen=True, slots=True)
class Remark:
    """Something of a Consent that was read otherwise than it stands there: a code of ``REMARKS``, and a place."""

    code: str
    where: str


REMARKS = {
    "consent.not-active": "its status is not active: it says nothing",
    "consent.scope-other": "its scope is of no sharing of data: permits do not count",
    "consent.base-unread": "no policyRule that opts in or out, and no type: the root says nothing itself",
    "consent.modifier-unread": "an extension may turn its meaning: permits do not count, denials are of everything",
    "consent.element-unread": "an element its edition does not have: permits do not count, denials count without it",
    "consent.type-unread": "neither permit nor deny: read as a denial",
    "consent.period-unread": "a period that cannot be read: permits do not count, denials are of any time",
    "consent.actor-unread": "an actor that is no recipient's: permits do not count, denials are of anybody",
    "consent.actor-unknown": "no recipient of the policy in force declares this actor",
    "consent.purpose-unread": "a purpose nobody knows here: not permitted; denied for any",
    "consent.class-unread": "a class of data nobody knows here: not permitted; a denial is of all",
    "consent.code-unread": "a code without a system: not permitted; a denial is of everything",
    "consent.label-unread": "a label nobody knows here: permits do not count, denials are of any",
    "consent.label-at-least": "a denial of a confidentiality is read as: from this one on",
    "consent.action-other": "actions by which no data goes to a recipient",
    "consent.data-unread": "data by date or by reference: permits do not count, denials are of all data",
    "consent.edition-mixed": "elements of R4 and of R5: permits do not count, denials are of everything",
    "consent.contradicted": "its decision permits and its regulatory basis denies: read as a denial",
    "consent.status-unknown": "nobody knows whether it is active: permits do not count",
    "consent.dated-ahead": "its date is in the future, or cannot be read: permits do not count",
    "consent.not-verified": "it says that nobody verified it: permits do not count",
    "consent.giver-other": "neither the patient nor a relative gave it: permits do not count",
    "consent.grantees-alone": "it names grantees: permits are of them alone",
    "consent.policy-narrows": "the overarching policy that it agrees to leaves less than it permits",
    "consent.too-large": "more provisions than are read: everything is denied",
}
"""Code -> what it means."""


def objects(value: object, place: str = "") -> Iterator[dict[str, Any]]:
    """Give the objects of a list; nothing where there is none.

    Raises:
        InputError: it is something else, and the place was named.
    """
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        if place:
            raise InputError(place, "a list of objects")
        return
    yield from value


def codings(concept: object) -> Iterator[tuple[str, str]]:
    """Give system and code of each coding of a concept that has a code."""
    for one in objects(concept.get("coding") if isinstance(concept, dict) else None):
        yield from coding(one)


def coding(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give system and code of a coding, if it has a code."""
    system, code = one.get("system", ""), one.get("code")
    if isinstance(code, str) and code and isinstance(system, str):
        yield words.OLD.get(system, system), code


class Parts:
    """Read conditions; ``remarks`` are what was found on the way."""

    def __init__(self, resource: dict[str, Any], zone: tzinfo) -> None:
        self.remarks: list[Remark] = []
        self._zone = zone
        self._contained = {
            one["id"]: one for one in objects(resource.get("contained")) if isinstance(one.get("id"), str)
        }

    def note(self, code: str, where: str) -> None:
        """Remark that something is read otherwise."""
        assert code in REMARKS
        self.remarks.append(Remark(code, where))

    def conditions(self, own: dict[str, Any], place: str, *, permit: bool) -> tuple[Boxes, Boxes]:
        """Read the conditions of one provision: what it is of at most, and at least."""
        if "modifierExtension" in own:
            self.note("consent.modifier-unread", f"{place}.modifierExtension")
            return (Box(),), ()
        sure = not any(not name.startswith("_") for name in set(own) - _KNOWN)
        if not sure:
            self.note("consent.element-unread", place)
        if "data" in own or "dataPeriod" in own:
            self.note("consent.data-unread", f"{place}.data")
            sure = False
        wide_action, narrow_action = self._action(own, place)
        wide, narrow = Box(), Box()
        for name in ("purpose", "actor", "class", "code"):
            at_most, at_least = getattr(self, f"_{name}")(own, f"{place}.{name}")
            field = {"purpose": "purposes", "actor": "recipients", "class": "classes", "code": "codes"}[name]
            wide, narrow = _with(wide, field, at_most), _with(narrow, field, at_least)
        times = self._period(own, f"{place}.period")
        if times is None:
            sure = False
        else:
            wide, narrow = _timed(wide, times), _timed(narrow, times)
        wides, narrows = self._labels(own, f"{place}.securityLabel", permit=permit)
        some = tuple(_with(wide, "labels", labels) for labels in wides) if wide_action else ()
        sure = sure and narrow_action
        return _there(some), _there(tuple(_with(narrow, "labels", one) for one in narrows) if sure else ())

    def _action(self, own: dict[str, Any], place: str) -> tuple[bool, bool]:
        """Whether it may be, and surely is, of data going to a recipient."""
        concepts = list(objects(own.get("action"), f"{place}.action"))
        if not concepts:
            return True, True
        named = {
            code for one in concepts for system, code in codings(one)
            if system == words.ACTION and code in words.ACTIONS
        }  # fmt: skip
        unread = any(
            not any(system == words.ACTION and code in words.ACTIONS for system, code in codings(one))
            for one in concepts
        )
        may, sure = unread or bool(named & words.FORBIDS), bool(named & words.ALLOWS)
        if unread or not sure:
            self.note("consent.action-other", f"{place}.action")
        return may, sure

    def _purpose(self, own: dict[str, Any], place: str) -> tuple[frozenset[str], frozenset[str]]:
        wide, narrow, unread = _NONE, _NONE, False
        found = list(objects(own.get("purpose"), place))
        for one in found:
            read = [words.purposes_of(code) for system, code in coding(one) if system == words.ACT_REASON]
            if read and read[0] is not None:
                narrow, wide = narrow | read[0][0], wide | read[0][1]
            else:
                unread = True
        return self._sets(found, wide, narrow, unread=unread, code="consent.purpose-unread", place=place)

    def _class(self, own: dict[str, Any], place: str) -> tuple[frozenset[str], frozenset[str]]:
        wide, narrow, unread = _NONE, _NONE, False
        found = list(objects(own.get("class"), place))
        for one in found:
            read = [
                words.classes_of_type(code) for system, code in coding(one) if system == words.RESOURCE_TYPES
            ]
            if read and read[0] is not None:
                narrow, wide = narrow | read[0][0], wide | read[0][1]
            else:
                unread = True
        return self._sets(found, wide, narrow, unread=unread, code="consent.class-unread", place=place)

    def _code(self, own: dict[str, Any], place: str) -> tuple[frozenset[str], frozenset[str]]:
        named, unread = _NONE, False
        found = list(objects(own.get("code"), place))
        for one in found:
            some = {f"{name_of(system) or system}|{code}" for system, code in codings(one) if system}
            named |= some
            unread |= not some
        return self._sets(found, named, named, unread=unread, code="consent.code-unread", place=place)

    def _actor(self, own: dict[str, Any], place: str) -> tuple[frozenset[str], frozenset[str]]:
        wide, narrow, unread = _NONE, _NONE, False
        found = list(objects(own.get("actor"), place))
        for one in found:
            role = any(
                system == words.PARTICIPATION and code in words.RECIPIENT_ROLES
                for system, code in codings(one.get("role"))
            )
            exact, loose = self.words_of(one.get("reference"))
            if role and exact and "modifierExtension" not in one:
                narrow, wide = narrow | exact, wide | exact | loose
            else:
                unread = True
        # One whose part in it is unclear may be a condition on the others.
        narrow = _NONE if unread else narrow
        return self._sets(found, wide, narrow, unread=unread, code="consent.actor-unread", place=place)

    def words_of(self, reference: object) -> tuple[frozenset[str], frozenset[str]]:
        """Say what an actor is called, and what besides a denial of it takes."""
        if not isinstance(reference, dict):
            return _NONE, _NONE
        exact, loose = set[str](), set[str]()
        literal, identifiers = reference.get("reference"), [reference.get("identifier")]
        kind = reference.get("type", "")
        if isinstance(literal, str) and literal.startswith("#"):
            contained = self._contained.get(literal[1:], {})
            kind = contained.get("resourceType", "")
            identifiers += objects(contained.get("identifier"))
        elif isinstance(literal, str) and literal:
            word = _VERSION.sub("", literal)
            tail = _TAIL.search(word)
            kind = tail[0].partition("/")[0] if tail else kind
            exact.add(word)
            loose |= {tail[0]} if tail else set()
        named = {
            one["value"] if one["system"] == RECIPIENT else f"{one['system']}|{one['value']}"
            for one in identifiers
            if isinstance(one, dict)
            and isinstance(one.get("system"), str)
            and isinstance(one.get("value"), str)
        }
        if named and kind in _PRIVATE:
            named = {f"{kind}/-"}  # what numbers relatives have stands nowhere; no recipient is one of them
        return frozenset(exact | named), frozenset(loose)

    def kind_of(self, reference: dict[str, Any]) -> str:
        """Give the resource type that a reference leads to; empty where it does not say."""
        literal = reference.get("reference")
        if isinstance(literal, str) and literal.startswith("#"):
            return str(self._contained.get(literal[1:], {}).get("resourceType", ""))
        tail = _TAIL.search(_VERSION.sub("", literal)) if isinstance(literal, str) else None
        return tail[0].partition("/")[0] if tail else str(reference.get("type", ""))

    def _period(self, own: dict[str, Any], place: str) -> tuple[int | None, int | None] | None:
        """Read the period in microseconds; ``None`` where it cannot be read."""
        period = own.get("period", {})
        try:
            if not isinstance(period, dict) or "modifierExtension" in period:
                raise ValueError("not a Period")
            start, end = (
                moment(_text(period[name]), end=name == "end", zone=self._zone) if name in period else None
                for name in ("start", "end")
            )
            if start is not None and end is not None and start >= end:
                raise ValueError("ends before it begins")
        except ValueError:
            self.note("consent.period-unread", place)
            return None
        return start, end

    def _labels(
        self, own: dict[str, Any], place: str, *, permit: bool
    ) -> tuple[list[frozenset[str]], list[frozenset[str]]]:
        """Read security labels: a denial is of each kind of them, a permit of all kinds at once."""
        levels, wide_kinds, kinds, unread = _NONE, _NONE, _NONE, False
        found = list(objects(own.get("securityLabel"), place))
        for one in found:
            system, code = next(coding(one), ("", ""))
            if system == words.CONFIDENTIALITY and code in words.LEVELS:
                levels |= {code}
            elif system == words.ACT_CODE and words.kinds_of(code, wide=True):
                wide_kinds |= words.kinds_of(code, wide=True)
                kinds |= words.kinds_of(code, wide=False)
            else:
                unread = True
        if not found:
            return [EVERY], [EVERY]
        if unread:
            self.note("consent.label-unread", place)
            return [EVERY], []
        if levels:
            levels = words.levels_of(levels, permit=permit)
            if not permit:
                self.note("consent.label-at-least", place)
        return [some for some in (levels, wide_kinds) if some], [levels | kinds]

    def _sets(
        self,
        found: list[dict[str, Any]],
        wide: frozenset[str],
        narrow: frozenset[str],
        *,
        unread: bool,
        code: str,
        place: str,
    ) -> tuple[frozenset[str], frozenset[str]]:
        if not found:
            return EVERY, EVERY
        if unread:
            self.note(code, place)
        return EVERY if unread else wide, narrow


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not text")  # noqa: TRY004  as unreadable as a text that is no time
    return value


def _with(box: Box, field: str, value: frozenset[str]) -> Box:
    values = {name: getattr(box, name) for name in Box.__slots__} | {field: value}
    return Box(**values)


def _timed(box: Box, times: tuple[int | None, int | None]) -> Box:
    return Box(box.purposes, box.recipients, box.classes, box.codes, box.labels, *times)


def _there(boxes: Boxes) -> Boxes:
    """Leave out boxes of nothing: an empty set names nothing, and elsewhere would mean everything."""
    return tuple(
        box
        for box in boxes
        if box.purposes and box.recipients and box.classes and box.codes and box.labels
    )  # fmt: skip
