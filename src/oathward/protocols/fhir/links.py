"""What things are called on what leaves: logical ids, references to them, and extensions by their URL.

Rules:
- A logical id means something at its sender alone: kept, it is hashed with the sender (``known``), so that two
  senders' ``Patient/1`` are never one at a recipient. A reference to what the recipient itself has
  (``Seeds.shared``) leaves as it is. It has the class of its type (``overrides.ID_CLASSES``).
- Kept or changed a logical id is that of what leaves; else the resource is called after the outgoing message: ``out-1-0``; or after what it is known by (``known``), where
  ids of its type may leave and the sender gave none.
- A reference takes the ruling of its target's id, so both stay consistent. Inside the message it follows the target,
  whatever that is called now, and goes where the target goes.
- A pseudonym stands for one person: a reference to another patient goes; what is about another patient goes with it.
- A reference whose target nobody can tell is a note.
- An extension that nobody reviewed is ``uncatalogued``, whole.

Deliberately absent: fetching what a reference points to.

Source: FHIR R4 §2.3.0 (references), §3.1.0.11.2 (references in transactions), §2.4 (extensions).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

from oathward.protocols.fhir import tables
from oathward.protocols.fhir.edits import NOTE, Run, Step
from oathward.protocols.fhir.elements import NAMES, REST, Element, strictness
from oathward.protocols.fhir.known import Naming, id_of, key_of, sent_id
from oathward.protocols.fhir.message import Entry, Resource
from oathward.protocols.fhir.overrides import id_class
from oathward.protocols.fhir.primitives import FORMS
from oathward.protocols.fhir.references import kind_of
from oathward.protocols.fhir.templates import Result
from oathward.protocols.shaping import KEEP, REMOVE, Ruling

_is_id = FORMS["id"][1]
_REFERENCE = re.compile(rb'"reference":"([A-Z][A-Za-z]+/[A-Za-z0-9./_-]+)"')
STEPS = frozenset((".", ".."))
"""Ids that FHIR takes and an address does not: there they are a step in the path, out of the type and the base."""
BY_IDENTIFIER = frozenset(("Patient", "Device", "Encounter", "Practitioner"))
"""Types that are told of again and again: without an id of the sender's they are named after their identifier."""
IdRuling = Callable[[str], Ruling]
"""Resource type -> what happens to its logical ids."""


# --- names of entries


def name_entries(run: Run, entries: Sequence[Entry], outgoing_id: str, ruling_of: IdRuling) -> None:
    """Decide what each entry is called on what leaves."""
    taken: dict[str, int] = {}
    patient = False
    run.types = [entry.type for entry in entries]
    for index, entry in enumerate(entries):
        ruling = ruling_of(entry.type)
        new = _named(entry, ruling, run) or f"{outgoing_id.lower()}-{entry.index}"
        name = f"{entry.type}/{new}"
        if callable(ruling) and entry.type == "Patient":
            # One pseudonym for two people would make them one.
            name, patient = "" if patient else name, True
        first = taken.setdefault(name, index) if name else index
        run.outgoing.append(name if first == index else "")
        for called in (f"{entry.type}/{entry.id}" if entry.id else "", entry.full_url):
            if called:
                run.names.setdefault(called, first)


def _named(entry: Entry, ruling: Ruling, run: Run) -> str:
    """Give the id an entry has or gets by its ruling; empty where it is called after the message."""
    if ruling is REMOVE:
        return ""
    old = entry.id
    if ruling is KEEP:
        return _by_identifier(entry, run) if not old else "" if old in STEPS else _sent(entry.type, old, run)
    value = old or _identifier(entry.resource)
    return run.asked(_id_by(ruling), value) or "" if value else ""


@lru_cache(1_024)
def _id_by(ruling: Ruling) -> Result:
    """Give what makes an id of a value by a ruling that is no fate: None where it gives none."""

    def result(value: str, context: object) -> str | None:
        found = ruling(value, context)  # type: ignore[operator]  # no fate is left
        return found if found and _is_id(found) and found not in STEPS else None

    return result


def source_of(context: object) -> str:
    """Give who sent what is written; empty where nothing tells."""
    return str(getattr(context, "source", ""))


def _sent(kind: str, ident: str, run: Run) -> str:
    return run.asked(_sent_by(kind), ident) if source_of(run.context) else ident


@cache
def _sent_by(kind: str) -> Result:
    return lambda ident, context: sent_id(kind, ident, source_of(context))


def _kept_id(kind: str, ident: str, run: Run) -> str:
    """Give the id of what is not in the message, as a reference has it that is kept."""
    return ident if shares_ids(run.context) else _sent(kind, ident, run)


def shares_ids(context: object) -> bool:
    """Say whether the recipient knows the sender's logical ids, or nothing tells who sent it."""
    return not source_of(context) or bool(getattr(context, "shared", False))


def _by_identifier(entry: Entry, run: Run) -> str:
    """Give the id that follows from what it is known by; empty where the type or the identifier says too little."""
    listed = entry.resource.get("identifier") if entry.type in BY_IDENTIFIER else None
    for identifier in listed if isinstance(listed, list) else ():
        if identifier.get("value"):
            return id_of(entry.type, key_of(identifier), Naming(source_of(run.context)))
    return ""


def _identifier(resource: Resource) -> str:
    listed = resource.get("identifier")
    for identifier in listed if isinstance(listed, list) else ():
        if identifier.get("value"):
            return str(identifier["value"])
    return ""


def own_patient(entries: Sequence[Entry]) -> str:
    """Give the name of the patient that a message is about, as references have it; empty where it has none."""
    for entry in entries:
        if entry.type == "Patient":
            return f"Patient/{entry.id}" if entry.id else entry.full_url
    for entry in entries:
        for path in _subjects(entry.type):
            for text in _at(entry.resource, path):
                if text.startswith("Patient/") or kind_of(text) in ("Patient", ""):
                    return plain(text)
    return ""


@cache
def _subjects(kind: str) -> tuple[tuple[str, ...], ...]:
    """Give the paths to the elements that say whom a type is about."""
    subjects = tables.compartment().get(kind)
    return tuple(tuple(path.split(".")) for path in sorted(subjects.main)) if subjects else ()


def plain(text: str) -> str:
    """Give a reference without the version it names; what it names stays at its server."""
    return text.partition("/_history/")[0]


def _at(value: Any, path: tuple[str, ...]) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _at(item, path)]
    if not isinstance(value, dict):
        return []
    if path:
        return _at(value.get(path[0]), path[1:])
    text = value.get("reference")
    return [text] if isinstance(text, str) else []


# --- references


def target_class(targets: tuple[str, ...], said: str) -> str:
    """Give the class of the id of what is referred to: by what the reference says, else the strictest possible."""
    kinds = (said,) if said in tables.resource_types() else targets
    return max((id_class(kind) for kind in kinds), key=strictness, default=NOTE)


def name_class(targets: tuple[str, ...], said: str) -> str:
    """Give the class of the display of a reference: a name of somebody, or a note."""
    role = target_class(targets, said).partition(".")[0]
    return NAMES.get(role, NOTE)


class Referrer:
    """Writes references anew, by the ruling of their target's id."""

    def __init__(self, ruling_of: IdRuling, note: Ruling) -> None:
        self._ruling_of, self._note = ruling_of, note
        self._rulings: dict[str, tuple[Ruling, str]] = {}

    def step(self, element: Element) -> Step:
        """Make the step of ``Reference.reference`` of one element."""
        rest = element.part == REST

        def walk(text: str, run: Run) -> str | None:
            cls, found = self._found(text, run, rest=rest)
            if found:
                run.told.add(cls)
                if found != text:
                    run.links.append(cls)
                return found
            run.remove(cls)
            return None

        return walk

    def _found(self, text: str, run: Run, *, rest: bool) -> tuple[str, str]:
        """Give the class of a reference and what stands in its place."""
        index = run.names.get(text)
        if index is not None:
            new = run.outgoing[index]
            if new:
                run.referred.add(index)
            return id_class(run.types[index]), new
        if text[:1] == "#":
            run.used.add(text[1:])
            return "structure", run.local.get(text[1:], "")
        kind, _, ident = text.partition("/")
        known = self._rulings.get(kind)
        if known is None or "/" in ident:
            return self._unusual(text, run, rest=rest)
        return self._literal(kind, ident, text, known, run, rest=rest)

    def _literal(
        self, kind: str, ident: str, text: str, known: tuple[Ruling, str], run: Run, *, rest: bool
    ) -> tuple[str, str]:
        ruling, cls = known
        if ruling is KEEP:
            return cls, f"{kind}/{_kept_id(kind, ident, run)}"
        if ruling is REMOVE or rest:
            return cls, ""
        if kind == "Patient":
            run.own = run.own or text
            if run.own != text:
                return cls, ""
        found = run.tokens.get(text)
        if found is None:
            made = run.asked(_id_by(ruling), ident)
            found = run.tokens[text] = f"{kind}/{made}" if made else ""
        return cls, found

    def _unusual(self, text: str, run: Run, *, rest: bool) -> tuple[str, str]:
        """Read what is no ``Type/id``: a version, another server's, a search, or nothing we know."""
        kind = kind_of(text)
        if not kind:
            return NOTE, text if self._note is KEEP else ""
        known = self._rulings.get(kind)
        if known is None:
            known = self._rulings[kind] = self._ruling_of(kind), id_class(kind)
        short = plain(text)
        if short in run.names:
            return self._found(short, run, rest=rest)
        if known[0] is KEEP:
            return known[1], kept_reference(text, run)
        if "?" in text and kind != "Patient":
            return known[1], ""
        return self._literal(kind, short.rpartition("/")[2], short, known, run, rest=rest)


# --- what is kept as it came


def kept_reference(text: str, run: Run) -> str:
    """Write a reference to what is not in the message: a sender's own ids are called as that sender's resources are."""
    kind, slash, ident = text.partition("/")
    ident, _, version = ident.partition("/_history/")
    if not slash or "/" in ident or not _is_id(ident) or kind not in tables.resource_types():
        return text  # another server's, a search, a fragment: they mean the same wherever they stand
    return f"{kind}/{_kept_id(kind, ident, run)}" + (
        f"/_history/{version}" if version and shares_ids(run.context) else ""
    )


def referred_anew(data: bytes, run: Run) -> bytes:
    """Write every reference of a document as ``kept_reference`` does, where no entry has another name than it had.

    A quotation mark inside a text is escaped, so that nothing but a key and its value looks like this.
    """

    def anew(match: re.Match[bytes]) -> bytes:
        return b'"reference":"%b"' % kept_reference(match[1].decode(), run).encode()

    return data if shares_ids(run.context) else _REFERENCE.sub(anew, data)


def relinked(value: Any, names: dict[str, str], run: Run) -> Any:
    """Copy a value, every string that is a name of an entry, and every reference, as it is called now."""
    if value.__class__ is str:
        return names.get(value, value)
    if value.__class__ is dict:
        return {
            key: names.get(item) or names.get(plain(item)) or kept_reference(item, run)
            if key == "reference" and item.__class__ is str
            else relinked(item, names, run)
            for key, item in value.items()
        }
    if value.__class__ is list:
        return [relinked(item, names, run) for item in value]
    return value


def renamed(run: Run) -> dict[str, str]:
    """Map what entries were called to what they are called now, where that is another name."""
    return {
        old: run.outgoing[index]
        for old, index in run.names.items()
        if run.outgoing[index] and run.outgoing[index] != old
    }
