"""FHIR R4 as JSON: a resource, a bundle of any type, or lines of resources (NDJSON, as bulk exports are).

Rules:
- What is of several patients is cut by patient, shaped with each one's seeds, and put together again, patient by patient.
- A bundle keeps its type, where that is one of R4, and its resources; what else it says of itself or of entries does not leave.
- A resource is read as a create of it would be: against the definitions of R4.
- How it was made travels with it as Provenance: the last entry of a bundle, the last line of lines. A single resource has no place for
  it: its reference is told (``named``), and what is said of it stands beside the output.

Source: FHIR R4 §2.36 (Bundle; bdl-2 to bdl-4), §3.1.0, §3.3 (documents may have Provenance); Bulk Data Access (NDJSON).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from oathward.core.errors import DecodeError
from oathward.core.labels import CLASSES
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.deid.plan import Plan, Route, compile_plan, shape
from oathward.deid.text.model import Known
from oathward.deidentifying.format import LOGICAL, Content, Format, Piece, Shaped, Terms, Unit, broken
from oathward.patients.fhir import spoken_of
from oathward.patients.identifiers import Identifier
from oathward.protocols.fhir import persons
from oathward.protocols.fhir.bundle import part_of
from oathward.protocols.fhir.json import dumps, loads
from oathward.protocols.fhir.limits import LIMITS
from oathward.protocols.fhir.message import Message, Request
from oathward.protocols.fhir.provenance import provenances, references
from oathward.protocols.fhir.reader import address, decode_read
from oathward.protocols.fhir.told import known_of

_FHIR = Route("fhir", "fhir")
_BYTES_MAX = 1 << 30
_LINES = (".ndjson", ".jsonl")
_TOLD = ("fullUrl", "resource")
_TYPES = frozenset(
    [
        "document",
        "message",
        "searchset",
        "collection",
    ]
)
"""Source: FHIR R4 BundleType. Of the others every entry must say what it asks of a server, or what one answered: that does not
leave, and they leave as a collection."""
_SEARCHED = "searchset"
_A_BUNDLE = b'{"resourceType":"Bundle",'
"""How those begin that leave."""


def _recognise(head: bytes, _name: str) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and b'"resourceType"' in head


def _compile(terms: Terms) -> Plan:
    return compile_plan(terms.profile, CLASSES, _FHIR)


def _read(data: bytes, terms: Terms) -> Content:
    lines = data.removeprefix(b"\xef\xbb\xbf").strip()
    if (terms.suffix in _LINES or b"\n" in lines) and _is_whole(lines.split(b"\n", 1)[0]):
        return _lines(lines.splitlines(), terms)
    body = loads(lines, LIMITS)
    if body.get("resourceType") == "Bundle":
        return _bundle(body, terms)
    return Content([_unit(_message(body), terms)], _one)


def _is_whole(line: bytes) -> bool:
    """Whether a first line is a resource of its own."""
    line = line.strip()
    return line.startswith(b"{") and line.endswith(b"}")


def _lines(lines: Sequence[bytes], terms: Terms) -> Content:
    def put_together(parts: Sequence[Shaped | None]) -> tuple[Piece, ...]:
        made = [one for part in parts if part is not None for one in _resources(part)]
        return tuple(dumps(one) + b"\n" for one in (*made, *_provenance(made, terms)))

    return Content([_of_line(line, terms) for line in lines if line.strip()], put_together)


def _of_line(line: bytes, terms: Terms) -> Unit:
    try:
        return _unit(_message(loads(line, LIMITS)), terms)
    except DecodeError as error:
        return broken(error)


def _message(body: dict[str, Any]) -> Message:
    kind = body.get("resourceType")
    if not isinstance(kind, str):
        raise DecodeError("resourceType", "a type of R4", reason=Reason.TYPE_UNKNOWN)
    address("POST", kind, "request")
    return decode_read(b"", Request("POST", kind), body)


def _bundle(body: dict[str, Any], terms: Terms) -> Content:
    """Read the entries of a bundle as those of a transaction, cut by patient."""
    entries = body.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise DecodeError("Bundle.entry", "a list of entries", reason=Reason.VALUE_INVALID)
    told = [one for one in entries if isinstance(one.get("resource"), dict)]
    asked = {"resourceType": "Bundle", "type": "transaction", "entry": [_asked(one) for one in told]}
    message = decode_read(b"", Request("POST", ""), asked)
    parts = persons.parts(message)
    # What is of one patient is not cut: what it names was found out already.
    whole = len(parts) == 1 and len(parts[0]) == len(message.entries)
    units = [
        _unit(one, terms) for one in ([message] if whole else [part_of(message, part) for part in parts])
    ]
    named = body.get("type")
    kind = named if isinstance(named, str) and named in _TYPES else "collection"

    def put_together(shaped: Sequence[Shaped | None]) -> tuple[Piece, ...]:
        made = [entry for part in shaped if part is not None for entry in _entries(part)]
        beside = {"search": {"mode": "include"}} if kind == _SEARCHED else {}
        told = list(_provenance([entry["resource"] for entry in made], terms))
        made += ({"resource": one, **beside} for one in told)
        # Of a bundle with nothing left: R4 has no empty lists.
        return (dumps({"resourceType": "Bundle", "type": kind, **({"entry": made} if made else {})}),)

    return Content(units, put_together)


def _asked(entry: dict[str, Any]) -> dict[str, Any]:
    kind = entry["resource"].get("resourceType")
    asked: dict[str, Any] = {"resource": entry["resource"], "request": {"method": "POST", "url": kind}}
    if isinstance(entry.get("fullUrl"), str):
        asked["fullUrl"] = entry["fullUrl"]
    return asked


def _entries(part: Shaped) -> list[dict[str, Any]]:
    """Give what leaves as entries of a bundle that asks for nothing."""
    body = loads(_text(part), LIMITS)
    if body.get("resourceType") != "Bundle":
        return [{"resource": body}]
    return [
        {key: value for key, value in entry.items() if key in _TOLD}
        for entry in body.get("entry", [])
        if "resource" in entry
    ]


def _unit(message: Message, terms: Terms) -> Unit:
    people = persons.persons(message)
    if len(people) > 1:
        raise DecodeError(message.trigger, "one patient", reason=Reason.PATIENTS_SEVERAL)
    found: list[Identifier] = []
    for person in people:
        found += spoken_of(person, terms.folder, terms.hasher).persons
        if person.server_id:
            found.append(Identifier(Phi(person.server_id), terms.folder.id, LOGICAL, local=True))
    return Unit(
        tuple(found),
        lambda: Known(known_of(message)),
        lambda plan, seeds: Shaped.of(shape(message, plan, seeds)),
    )


def _text(part: Shaped) -> bytes:
    return b"".join(piece for piece in part.pieces if isinstance(piece, bytes))


def _resources(part: Shaped) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in _entries(part)]


def _one(parts: Sequence[Shaped | None]) -> tuple[Piece, ...]:
    found = [one for part in parts if part is not None for one in _resources(part)]
    return (dumps(found[0]),) if len(found) == 1 else ()


def _provenance(made: Sequence[dict[str, Any]], terms: Terms) -> Iterator[dict[str, Any]]:
    return provenances(terms.origin, references(made)) if terms.origin else iter(())


def _named(data: bytes) -> str:
    if data.endswith(b"\n") or data.startswith(_A_BUNDLE):  # these say it themselves
        return ""
    return next(iter(references([loads(data, LIMITS)])), "")


FORMAT = Format(
    "fhir",
    ".json",
    _recognise,
    _compile,
    _read,
    _BYTES_MAX,
    named=_named,
    names=b"resourceType",
    keeps=_LINES,
)
