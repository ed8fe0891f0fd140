"""What the references of one message lead to: names of patients, visits, other entries.

Rules:
- A reference is followed inside the message alone: ``urn:uuid:…`` and addresses by ``fullUrl``, ``Type/id`` to an
  entry with that id, ``#id`` to a contained resource, ``Reference.identifier`` and ``Patient?identifier=…`` to the
  Patient resource that bears it.
- An address of another server is no logical id of this sender: it is an identifier of the system ``address/Patient``.
- A reference that names no type is to a patient where the element is the one that says whom a resource is about.
- Only identifiers of a type that names one person (``ONE_PERSON``) make two names one.

Deliberately absent: judgement about several patients (``persons``).

Source: FHIR R4 §2.3.0 (references), §2.36.4 (resolving references in bundles); HL7 table 0203.
"""

from __future__ import annotations

import re

from oathward.protocols.fhir.check import At, Found, check
from oathward.protocols.fhir.message import Entry, Message, Resource
from oathward.protocols.fhir.references import kind_of
from oathward.protocols.fhir.tables import compartment

Key = tuple[str, ...]
"""Which patient: ``("entry", "3")``, ``("id", "123")``, ``("identifier", system, value)``, ``("urn", …)`` …"""

Identifier = tuple[str, str, str]
"""(system, value, type of HL7 table 0203)."""

ONE_PERSON = frozenset(("", "MR", "MRT", "PI", "PT", "PN", "PE", "NI", "NH", "JHN", "CZ"))
_SUBJECTS = frozenset(("subject", "patient", "for", "beneficiary", "individual", "candidate"))
"""Names of elements that say whom a resource is about; ``who``, ``actor``, ``target`` may be anybody."""
_VISITS = ("Encounter", "EpisodeOfCare")
_TABLE_0203 = "v2-0203"
_ESCAPED = re.compile("%([0-9A-Fa-f]{2})")
_QUERY = re.compile(r"Patient\?(?:.*&)?identifier=([^&|]*)\|([^&]+)").match


class Names:
    """Everything one message names.

    ``direct``: for each entry the patients it names. ``targets``: for each entry the entries it refers to.
    ``identifiers``, ``spoken``, ``contained``: of a patient, what references say, how it is referred to, and the
    contained resource.
    """

    __slots__ = (
        "_by_identifier",
        "_by_name",
        "_by_url",
        "_first",
        "_found",
        "_inside",
        "contained",
        "direct",
        "identifiers",
        "message",
        "spoken",
        "targets",
    )

    def __init__(self, message: Message) -> None:
        self.message = message
        self._found = found_in(message)
        self._inside = [_inside(entry.resource) for entry in message.entries]
        self._by_name: dict[str, int] = {}
        self._by_url: dict[str, int] = {}
        self._first: dict[int, int] = {}
        self._by_identifier: dict[tuple[str, str], Key] = {}
        self.identifiers: dict[Key, dict[Identifier, None]] = {}
        self.spoken: dict[Key, str] = {}
        self.contained: dict[Key, Resource] = {}
        if message.bundle:
            self._note_entries()
        self._note_ids()
        self.direct: list[dict[Key, None]] = []
        self.targets: list[list[int]] = []
        for i, entry in enumerate(message.entries):
            self._note(i, entry)

    def visits(self, i: int) -> list[Identifier]:
        """Give the encounters and episodes of care that an entry is one of or refers to, and the accounts of those here."""
        entry = self.message.entries[i]
        listed = self._of_visit(i) if entry.type in _VISITS else []
        for found in self._found[i]:
            value = found.value
            text = value.get("reference", "")
            kind = found.kind or declared(value)
            if kind not in _VISITS and not (not kind and found.targets and found.targets.issubset(_VISITS)):
                continue
            at = self._find(text, entry)
            inner = self._inside[i].get(text)
            if at is not None:
                listed += self._of_visit(at)
            elif inner is not None:
                listed += identifiers_of(inner)
            elif kind and text.startswith(f"{kind}/"):
                listed.append(("", text.partition("/_history/")[0], ""))
            elif elsewhere := _elsewhere(text):
                listed.append(elsewhere)
            listed += identifiers_of(value)
        return listed

    def accounts(self, i: int) -> list[Identifier]:
        """Give the account numbers of an Encounter, in its order: of the reference, or of the Account it leads to here.

        A reference alone is no number. One whose type nobody said is an account's (AN), as in PID-18.
        """
        entry = self.message.entries[i]
        if entry.type != "Encounter":
            return []
        listed: list[Identifier] = []
        for value in entry.resource.get("account", ()):
            text = value.get("reference", "")
            at = self._find(text, entry)
            inner = self._inside[i].get(text) if at is None else self.message.entries[at].resource
            listed += identifiers_of(value)
            if inner is not None and inner.get("resourceType") == "Account":
                listed += identifiers_of(inner)
        return [(system, value, kind or "AN") for system, value, kind in dict.fromkeys(listed)]

    def _of_visit(self, i: int) -> list[Identifier]:
        entry = self.message.entries[i]
        own = [("", f"{entry.type}/{entry.id}", "")] if entry.id else []
        return [*identifiers_of(entry.resource), *own, *self.accounts(i)]

    def _note_entries(self) -> None:
        """Note what entries are called. An id that two have names neither, but for two updates of one resource."""
        updated: dict[str, int] = {}
        several = set()
        for i, entry in enumerate(self.message.entries):
            if entry.full_url:
                self._by_url[entry.full_url] = i
            if not entry.id:
                continue
            name = f"{entry.type}/{entry.id}"
            if entry.method == "PUT":
                self._first[i] = updated.setdefault(name, i)
            if self._by_name.setdefault(name, i) != self._first.get(i, i):
                several.add(name)
        for name in several:
            del self._by_name[name]

    def _find(self, text: str, entry: Entry) -> int | None:
        """Give the entry that a reference of another one leads to; None where it leads out of the message."""
        if not self._by_url and not self._by_name:
            return None
        text = _plain(text)
        at = self._by_url.get(text)
        if at is None and entry.full_url.startswith("http"):
            base = entry.full_url.removesuffix(f"{entry.type}/{entry.id}")
            at = self._by_url.get(f"{base}{text}")
        return self._by_name.get(text) if at is None else at

    def _entry_key(self, i: int) -> Key:
        return "entry", str(self._first.get(i, i))

    def _note_ids(self) -> None:
        """Note which identifier is whose: of Patient resources, then of references with both."""
        for i, entry in enumerate(self.message.entries):
            if entry.type == "Patient":
                for one in _telling(entry.resource):
                    self._by_identifier.setdefault(one, self._entry_key(i))
        for entry, founds in zip(self.message.entries, self._found, strict=True):
            for found in founds:
                value = found.value
                if "identifier" in value and value.get("reference", "").startswith("Patient/"):
                    at = self._find(value["reference"], entry)
                    name = _plain(value["reference"]).partition("/")[2]
                    key = ("id", name) if at is None else self._entry_key(at)
                    for one in _telling(value):
                        self._by_identifier.setdefault(one, key)

    def _note(self, i: int, entry: Entry) -> None:
        keys: dict[Key, None] = {}
        targets: dict[int, None] = {}
        if entry.type == "Patient":
            keys[self._entry_key(i)] = None
        for found in self._found[i]:
            text = found.value.get("reference", "")
            at = self._find(text, entry) if text else None
            if at is not None and at != i:
                targets[at] = None
            if entry.type == "Patient" and _link(found.at):
                continue
            key = self._key(found, text, at, i, entry)
            if key is not None:
                keys |= dict.fromkeys((key, *self._contradicting(key, found.value)))
                self.spoken.setdefault(key, text)
        for inner in self._inside[i].values():
            if inner["resourceType"] == "Patient":
                keys[self._contained(i, inner)] = None
        self.direct.append(keys)
        self.targets.append([t for t in targets if self.message.entries[t].type != "Patient"])

    def _contradicting(self, key: Key, value: Resource) -> list[Key]:
        """Note the identifiers that a reference to a patient says, and give other patients that bear them."""
        if "identifier" not in value:
            return []
        self.identifiers.setdefault(key, {}).update(dict.fromkeys(identifiers_of(value)))
        return [
            self._by_identifier[one] for one in _telling(value) if self._by_identifier.get(one, key) != key
        ]

    def _key(self, found: Found, text: str, at: int | None, i: int, entry: Entry) -> Key | None:
        """Say which patient a reference is to; None for anything else."""
        if at is not None:
            return self._entry_key(at) if self.message.entries[at].type == "Patient" else None
        if text[:1] == "#":
            inner = self._inside[i].get(text)
            return self._contained(i, inner) if inner and inner["resourceType"] == "Patient" else None
        kind = found.kind or declared(found.value)
        if kind != "Patient" and (kind or not _main(entry, found)):
            return None
        return self._named(text, found.value, i)

    def _named(self, text: str, value: Resource, i: int) -> Key | None:
        """Say which patient a reference is to that leads out of the message."""
        if text.startswith("Patient/"):
            return "id", _plain(text).partition("/")[2]
        said = _elsewhere(text) or _asked(text)
        for one in ([said] if said else []) + identifiers_of(value):
            key = self._by_identifier.get(one[:2], ("identifier", *one[:2]))
            self.identifiers.setdefault(key, {})[one] = None
            return key
        if text:
            return "urn", text
        return ("display", str(i)) if value else None

    def _contained(self, i: int, inner: Resource) -> Key:
        """Say which patient a contained resource is: one that is named elsewhere by its identifier, or its own."""
        telling = _telling(inner)
        known = next((self._by_identifier[one] for one in telling if one in self._by_identifier), None)
        key = known or (
            ("identifier", *telling[0]) if telling else ("contained", str(i), inner.get("id", ""))
        )
        self.identifiers.setdefault(key, {}).update(dict.fromkeys(identifiers_of(inner)))
        self.contained.setdefault(key, inner)
        return key


def names_of(message: Message) -> Names:
    """Give what a message names; found out once for a message that was read."""
    names: Names | None = getattr(message, "names", None)
    if names is None:
        names = Names(message)
        if hasattr(message, "names"):
            message.names = names
    return names


def found_in(message: Message) -> tuple[tuple[Found, ...], ...]:
    """Give the references of each entry: as they were collected when it was read, or collect them."""
    found: tuple[tuple[Found, ...], ...] | None = getattr(message, "found", None)
    return found or tuple(tuple(check(entry.resource).found) for entry in message.entries)


def identifiers_of(value: Resource) -> list[Identifier]:
    """Give the identifiers of a resource or Reference that have a value."""
    listed = value.get("identifier", ())
    listed = [listed] if listed.__class__ is dict else listed
    return [(one.get("system", ""), one["value"], _type(one)) for one in listed if one.get("value")]


def declared(value: Resource) -> str:
    """Give the type that a Reference declares; empty for none."""
    kind: str = value.get("type", "")
    return kind.rpartition("/")[2]


def _telling(value: Resource) -> list[tuple[str, str]]:
    return [(s, v) for s, v, kind in identifiers_of(value) if s and (kind in ONE_PERSON or kind[:2] == "NN")]


def _type(identifier: Resource) -> str:
    for coding in identifier.get("type", {}).get("coding", ()):
        if coding.get("system", "").rpartition("/")[2] in (_TABLE_0203, "0203"):
            code: str = coding.get("code", "")
            return code
    return ""


def _plain(text: str) -> str:
    return text.partition("/_history/")[0]


def _inside(resource: Resource) -> dict[str, Resource]:
    """Map ``#id`` to the contained resources of one."""
    return {f"#{inner.get('id')}": inner for inner in resource.get("contained", ())}


def _elsewhere(text: str) -> Identifier | None:
    """Read an address of another server as an identifier."""
    if not text.startswith(("http://", "https://")) or not kind_of(text):
        return None
    system, _, value = _plain(text).rpartition("/")
    return system, value, ""


def _asked(text: str) -> Identifier | None:
    """Read a conditional reference by identifier."""
    found = _QUERY(text)
    return (_unescaped(found[1]), _unescaped(found[2]), "") if found else None


def _unescaped(text: str) -> str:
    plain = _ESCAPED.sub(lambda m: chr(int(m[1], 16)), text)
    return plain.encode("latin-1", "replace").decode("utf-8", "replace") if plain != text else text


def _link(at: At) -> bool:
    outer = at[0]
    return at[1] == "other" and outer is not None and outer[1] == "link"


def _main(entry: Entry, found: Found) -> bool:
    """Say whether a reference is the one that says whom a resource, or a contained one, is about."""
    kind, path, at = entry.type, found.path, found.at
    if path.startswith("contained."):
        while at[1] != "contained":
            at = at[0]
        kind = entry.resource["contained"][at[2]]["resourceType"]
        path = path.removeprefix("contained.")
    return tells_whom(kind, path)


def tells_whom(kind: str, path: str) -> bool:
    """Say whether an element is the one that says whom a resource of a type is about: it names a patient, said or not."""
    return path.rpartition(".")[2] in _SUBJECTS and kind in compartment() and path in compartment()[kind].main
