"""Tokens of one person as FHIR describes them: each element by its type where that shows, else by its shape.

Rules:
- Types show by their elements, not by where they stand: what has a ``family`` is a name also in an extension.
- Codes are no tokens, nor are systems, uses, periods and profiles; a date is none that is not of birth.
- A number is an identifier where it is a whole one; a fraction only of an address, where it says on which spot.
- A narrative says what the elements say; of what it says more, single words are taken by shape.

Deliberately absent: where persons stand (``of_fhir``), photographs and other attached data.

Source: FHIR R4 §2.24 (data types), §8.1 (Patient) and its extensions, §13.1 (Coverage), §9.9 (FamilyMemberHistory).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from oathward.gateway.guard import makers
from oathward.gateway.guard.tokens import Tokens

DEPTH_MAX = 40
_NOT_VALUES = frozenset(
    (
        "resourceType", "meta", "implicitRules", "language", "system", "url", "use", "type", "code", "coding", "gender", "active",
        "rank", "period", "assigner", "valueCode", "valueCoding", "valuePeriod", "valueUri", "valueCanonical", "contentType",
        "status", "relationship", "maritalStatus", "communication", "valueCodeableConcept", "data", "hash", "size",
    )
)  # fmt: skip
"""Elements that say how to read others, and codes."""
_NAME = frozenset(("family", "given", "text", "prefix", "suffix", "_family", "_given"))
_ADDRESS = frozenset(("line", "text", "city", "district", "state", "postalCode", "country"))
_OF_ADDRESS = frozenset(("line", "city", "district", "postalCode"))
_LINKS = frozenset(("other", "target", "patient"))
"""Elements of Patient.link, Person.link and RelatedPerson that refer to persons."""
_VALUE = frozenset(("value",))
_TELECOM = frozenset(("phone", "fax", "email", "pager", "sms"))
_PARTS = {
    "Coverage": ("identifier", "subscriberId"), "Account": ("identifier",), "FamilyMemberHistory": ("name", "bornDate"),
}  # fmt: skip
"""Elements of resources that are a person's in part."""
_TITLES = frozenset(
    b"mr mrs ms miss dr prof sir herr frau mme mlle sr sra jr senior junior ii iii iv md phd".decode().split()
)
_TAG = re.compile(r"<[^<>]*>")
_ID = re.compile(r"(?:(?:\A|/)(?:Patient|RelatedPerson|Person)/|\Aurn:(?:uuid|oid):)([^/?#]+)").search
_TYPED = re.compile(r"(?:\A|/)(?:Patient|RelatedPerson|Person)[/?]").search
_DATE = re.compile(r"\d{4}-\d\d(?:-\d\d(?:T.*)?)?|\d{1,2}[./\-]\d{1,2}[./\-]\d{4}").fullmatch
_TOWN = ("city", "district", "state", "postalCode", "country")
_POSTCODE = re.compile(r"\s*[A-Za-z]{0,3}\.?\s*\d{4,}(?:-\d+)?\s*").fullmatch
"""Of an address in one text, what is no line: ``OR 97477``."""
_SPLIT = re.compile(r"[,;\n]")


class Taker:
    """Take the tokens of persons; each way of taking says whether it took all.

    ``kind``: the resource type; it begins the place of each token.
    """

    __slots__ = ("tokens",)

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def resource(self, kind: str, person: dict[str, Any]) -> bool:
        """Take a whole person."""
        for text in texts(person.get("id")):
            self.id(kind, text)
        told = self._inside(kind, person, frozenset(("id", "text")), 0)
        return told and self._inside(kind, {"text": person.get("text")}, frozenset(), 0)

    def part(self, kind: str, resource: dict[str, Any]) -> bool:
        """Take those elements of a resource that are a person's."""
        for name in _PARTS[kind]:
            place = f"{kind}.{name}"
            for one in objects(resource.get(name)):
                self._identifier(place, one)
            for text in texts(resource.get(name)):
                if name == "name":
                    self._name_text(place, text)
                elif name == "bornDate":
                    makers.take_birth(self.tokens, place, text)
                else:
                    makers.take_identifier(self.tokens, place, text)
        return True

    def reference(self, kind: str, reference: dict[str, Any]) -> bool:
        """Take what names a person elsewhere."""
        for text in texts(reference.get("reference")):
            match = _ID(text)
            if match:
                self.id(kind, match[1])
            elif "?" in text:
                self.query(kind, text.partition("?")[2])
        for one in objects(reference.get("identifier")):
            self._identifier(f"{kind}.identifier", one)
        for text in texts(reference.get("display")):
            self._name_text(f"{kind}.display", text)
            self._words(f"{kind}.display", text)
        return True

    def query(self, kind: str, query: str) -> bool:
        """Take what somebody searches a person by."""
        said = {name.partition(":")[0]: value for name, value in parse_qsl(query)}
        makers.take_name(self.tokens, f"{kind}.name", said.get("family", ""), said.get("given", ""))
        self._name_text(f"{kind}.name", said.get("name", ""))
        for name, value in said.items():
            plain = value.rpartition("|")[2]
            if name == "birthdate":
                makers.take_birth(self.tokens, f"{kind}.birthDate", value.lstrip("eqgtlnsab"))
            elif name in {"identifier", "_id"}:
                makers.take_identifier(self.tokens, f"{kind}.identifier", plain)
            else:
                self._telecom(f"{kind}.telecom", {"value": plain})
        return True

    def id(self, kind: str, text: str) -> bool:
        """Take a logical id."""
        makers.take_identifier(self.tokens, f"{kind}.id", text)
        return True

    # --- by type

    def _inside(self, place: str, node: dict[str, Any], known: frozenset[str], depth: int) -> bool:
        """Take all elements of an object but those that are known."""
        for name, value in node.items():
            if name in _NOT_VALUES or name in known:
                continue
            here = f"{place}.{name.removeprefix('_')}"
            for one in value if isinstance(value, list) else [value]:
                if self.tokens.full or depth > DEPTH_MAX:
                    return False
                if isinstance(one, dict):
                    if not self._inside(here, one, self._object(here, name, one), depth + 1):
                        return False
                elif (
                    isinstance(one, str) or type(one) is int or (isinstance(one, float) and "address" in here)
                ):
                    self._scalar(here, name, getattr(one, "text", None) or str(one))
        return True

    def _object(self, place: str, name: str, one: dict[str, Any]) -> frozenset[str]:
        """Take an object by its type; gives the elements that were taken by it."""
        if name == "contained":
            return frozenset(one)  # they are persons of their own, or none
        if name in {"name", "valueHumanName"} or "family" in one or "given" in one:
            self._name(place, one)
            return _NAME
        if name in {"address", "valueAddress"} or not _OF_ADDRESS.isdisjoint(one):
            self._address(place, one)
            return _ADDRESS
        if name in {"telecom", "valueContactPoint"} or one.get("system") in _TELECOM:
            self._telecom(place, one)
            return _VALUE
        if name in {"identifier", "valueIdentifier"}:
            self._identifier(place, one)
            return _VALUE
        return self._special(place, name, one)

    def _special(self, place: str, name: str, one: dict[str, Any]) -> frozenset[str]:
        if "reference" in one:
            if name in _LINKS or any(map(_TYPED, texts(one["reference"]))):
                self.reference(place.partition(".")[0], one)
            return frozenset(one)
        if name == "extension":
            return self._extension(place, one)
        if name in {"photo", "valueAttachment"}:
            for text in texts(one.get("url")):
                self._url(place, text)
        for text in texts(one.get("div")):
            self._words(place, html.unescape(_TAG.sub(" ", text)))
        return frozenset(("div",))

    def _extension(self, place: str, one: dict[str, Any]) -> frozenset[str]:
        root, url = place.partition(".")[0], str(one.get("url"))
        if url.endswith("mothersMaidenName"):
            for text in texts(one.get("valueString")):
                self._name_text(f"{root}.mothersMaidenName", text)
            return frozenset(("valueString",))
        if url.endswith("birthTime"):
            for text in texts(one.get("valueDateTime")):
                makers.take_birth(self.tokens, f"{root}.birthDate", text)
            return frozenset(("valueDateTime",))
        return frozenset()

    def _url(self, place: str, text: str) -> None:
        makers.take_identifier(self.tokens, place, text)
        makers.take_by_shape(self.tokens, place, text.rpartition("/")[2].partition(".")[0])

    def _scalar(self, place: str, name: str, text: str) -> None:
        if name == "birthDate":
            makers.take_birth(self.tokens, place, text)
        elif not _DATE(text):
            makers.take_by_shape(self.tokens, place, text)

    def _words(self, place: str, text: str) -> None:
        for word in text.split():
            plain = word.strip(".,;:()[]")
            if not _DATE(plain):
                makers.take_by_shape(self.tokens, place, plain)

    # --- data types

    def _identifier(self, place: str, identifier: dict[str, Any]) -> None:
        for text in texts(identifier.get("value")):
            makers.take_identifier(self.tokens, place, text)

    def _name(self, place: str, name: dict[str, Any]) -> None:
        given, families = texts(name.get("given")), texts(name.get("family"))
        for beside in ("_family", "_given"):
            for part in objects(name.get(beside)):
                families += [
                    t for one in objects(part.get("extension")) for t in texts(one.get("valueString"))
                ]
        first, further = (given[0], " ".join(given[1:])) if given else ("", "")
        for family in families or [""]:
            makers.take_name(self.tokens, place, family, first, further)
        for text in texts(name.get("text")):
            self._name_text(place, text, (*texts(name.get("prefix")), *texts(name.get("suffix"))))

    def _name_text(self, place: str, text: str, titles: Iterable[str] = ()) -> None:
        """Take a name of which nobody says where the family's begins: before a comma, else first or last."""
        left_out = _TITLES.union(word.strip(".").lower() for one in titles for word in one.split())
        first, comma, rest = text.partition(",")
        words = [
            w
            for w in (rest if comma else text).replace(",", " ").split()
            if w.strip(".").lower() not in left_out
        ]
        if comma:
            makers.take_name(self.tokens, place, first.strip(), " ".join(words[:1]), " ".join(words[1:]))
        elif words:
            makers.take_name(
                self.tokens, place, words[-1], " ".join(words[:1] if words[1:] else ()), " ".join(words[1:-1])
            )
        if len(words) > 2 and not comma:
            makers.take_name(self.tokens, place, words[0], words[1], " ".join(words[2:]))

    def _address(self, place: str, address: dict[str, Any]) -> None:
        town, code = (
            " ".join(text for name in names for text in texts(address.get(name)))
            for names in (("city", "district"), ("postalCode",))
        )
        rest = {word for name in _TOWN for text in texts(address.get(name)) for word in text.split()}
        parts = [part for text in texts(address.get("text")) for part in _SPLIT.split(text)]
        lines = [
            " ".join(word for word in part.split() if word not in rest)
            for part in parts
            if not _POSTCODE(part)
        ]
        makers.take_address(self.tokens, place, texts(address.get("line")) + lines, town, code)

    def _telecom(self, place: str, point: dict[str, Any]) -> None:
        for text in texts(point.get("value")):
            if not makers.take_email(self.tokens, place, text):
                makers.take_phone(self.tokens, place, (makers.without_extension(text),))
                if "://" in text:
                    self._url(place, text)
                elif point.get("system") not in _TELECOM:
                    makers.take_by_shape(self.tokens, place, text)


def objects(value: object) -> list[dict[str, Any]]:
    """List the objects of an element, whether it repeats or not."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def texts(value: object) -> list[str]:
    """List the texts of an element, whether it repeats or not."""
    listed = value if isinstance(value, list) else [value]
    return [one.strip() for one in listed if isinstance(one, str) and one.strip()]
