"""From bytes to a message: the request, its body, each resource checked against the definitions of R4.

Rules:
- Only create, update, batch and transaction: ``POST Type``, ``PUT Type/id``, ``POST`` of a Bundle at the base.
- What the address says and what the body says must agree: the type, and the id of an update.
- A transaction with one bad entry is bad whole. ``decode`` says the same of a batch; ``bundle.pieces`` takes the
  good entries of a batch from the bad ones before.
- No resource twice in one transaction, no ``fullUrl`` twice; a reference within the bundle points to a type it may.

Deliberately absent: sockets, credentials, storage; whom a message is about (``persons``).

Source: FHIR R4 §3.1.0 (RESTful API), §3.1.0.11 (batch and transaction), §2.36 (Bundle).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import tables
from oathward.protocols.fhir.check import DefinitionError, Found, Issue, Report, check, check_but
from oathward.protocols.fhir.conditions import identifier_of
from oathward.protocols.fhir.contained import HOLDERS
from oathward.protocols.fhir.json import loads
from oathward.protocols.fhir.limits import LIMITS, Limits, exceeded
from oathward.protocols.fhir.message import CONDITIONS, Entry, Message, Request, Resource

METHODS = ("POST", "PUT")
NOT_KEPT = HOLDERS
"""Types that are sent but not stored: a document or a collection is not taken as one resource."""

_END = b"\n\n"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
_PLAIN = re.compile(r"[\x20-\x7e]*").fullmatch
_ABSOLUTE = ("urn:", "http://", "https://")
_BUNDLES = ("batch", "transaction")


class Checked(Message):
    """A message whose references were collected while it was checked.

    ``found``: for each entry the references it has. ``names``: what they lead to, once somebody asked (``persons``).
    ``told``: what it says of persons and things, once somebody asked (``told``).
    """

    __slots__ = ("found", "names", "told")

    def __init__(
        self,
        raw: bytes,
        request: Request,
        body: Resource,
        bundle: str,
        entries: tuple[Entry, ...],
        found: tuple[tuple[Found, ...], ...],
    ) -> None:
        super().__init__(raw, request, body, bundle, entries)
        self.found = found
        self.names: Any = None
        self.told: Any = None


class Read(NamedTuple):
    """One entry of a bundle once it was read: it and its references, or what is wrong with it."""

    entry: Entry | None
    found: tuple[Found, ...]
    error: DecodeError | None


def request_bytes(request: Request, body: bytes) -> bytes:
    r"""Write a request as ``raw``: ``PUT Observation/123\nif-match: W/"3"\n\n`` and the body.

    Raises:
        DecodeError: REQUEST_INVALID, where a line break or another control character would change the request.
    """
    known = dict(request.conditions)
    lines = [f"{request.method} {request.target}"]
    lines += [f"{name}: {known.pop(name)}" for name in CONDITIONS if name in known]
    if known or not all(map(_PLAIN, lines)):
        raise DecodeError("request", "known conditions, in plain text", reason=Reason.REQUEST_INVALID)
    return "\n".join((*lines, "", "")).encode() + body


def decode(raw: bytes, limits: Limits = LIMITS) -> Checked:
    """Read one request.

    Args:
        raw: as ``request_bytes`` writes it.

    Raises:
        DecodeError: with the place, such as ``Bundle.entry[2].resource.status``; a ``DefinitionError`` has more.
    """
    return decode_read(raw, *open_request(raw, limits), limits)


def decode_read(raw: bytes, request: Request, body: Resource, limits: Limits = LIMITS) -> Checked:
    """Take what was read of JSON as the body of a request, as ``decode`` does.

    Args:
        raw: empty where nobody needs the request again.

    Raises:
        DecodeError: see there.
    """
    if request.target:
        return _single(raw, request, body, limits)
    kind, reads = read_bundle(body, limits)
    for read in reads:
        if read.error is not None:
            raise read.error
    entries = tuple(read.entry for read in reads if read.entry is not None)
    return Checked(raw, request, body, kind, entries, tuple(read.found for read in reads))


def open_request(raw: bytes, limits: Limits = LIMITS) -> tuple[Request, Resource]:
    """Read the head of a request and the JSON of its body; nothing of the body is checked yet.

    Raises:
        DecodeError: the head is not one, the interaction is not taken, the body is not JSON.
    """
    end = raw.find(_END, 0, limits.head_bytes_max)
    if end < 0:
        raise DecodeError(
            "request", "method, target, conditions, an empty line", reason=Reason.REQUEST_INVALID
        )
    request = _head(raw[:end])
    return request, loads(raw[end + 2 :], limits)


def _head(head: bytes) -> Request:
    try:
        first, *rest = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise DecodeError("request", "plain text", reason=Reason.REQUEST_INVALID) from None
    method, _, target = first.partition(" ")
    conditions: list[tuple[str, str]] = []
    for line in rest:
        name, colon, value = line.partition(": ")
        if not colon or name not in CONDITIONS or name in dict(conditions) or not _PLAIN(value):
            raise DecodeError("request", "known conditions, each once", reason=Reason.REQUEST_INVALID)
        conditions.append((name, value))
    request = Request(method, target, tuple(conditions))
    address(method, target, "request")
    if not target and conditions:
        raise DecodeError("request", "conditions stand in the entries", reason=Reason.REQUEST_INVALID)
    _conditions(method, dict(conditions), "request")
    return request


def address(method: str, target: str, where: str) -> tuple[str, str]:
    """Take an address apart into type and id; both are empty at the base.

    Raises:
        DecodeError: INTERACTION_UNSUPPORTED, TYPE_UNKNOWN, REQUEST_INVALID.
    """
    if method not in METHODS:
        raise _unsupported(where)
    kind, slash, name = target.partition("/")
    if not target and method == "POST":
        return "", ""
    if kind not in tables.resource_types():
        if kind[:1] in ("$", "_", "") or "?" in kind:
            raise _unsupported(where)
        raise DecodeError(where, "a resource type of FHIR R4", reason=Reason.TYPE_UNKNOWN)
    if kind in NOT_KEPT or bool(slash) != (method == "PUT"):
        raise _unsupported(where)
    if slash and not _ID(name):
        raise DecodeError(where, "Type/id, the id of letters, digits, - and .", reason=Reason.REQUEST_INVALID)
    return kind, name


def _unsupported(where: str) -> DecodeError:
    why = "create, update, batch or transaction"
    return DecodeError(where, why, reason=Reason.INTERACTION_UNSUPPORTED)


def _conditions(method: str, conditions: dict[str, Any], where: str) -> None:
    """Refuse a condition that its interaction does not have: it would be passed over in silence."""
    other = "if-none-exist" if method == "PUT" else "if-match"
    if other in conditions:
        why = "if-match belongs to an update, if-none-exist to a create"
        raise DecodeError(where, why, reason=Reason.REQUEST_INVALID)


def _single(raw: bytes, request: Request, body: Resource, limits: Limits) -> Checked:
    report = check(body, limits)
    report.refuse()
    conditions = dict(request.conditions)
    kind, name = address(request.method, request.target, "request")
    _agree(kind, name, body, kind)
    entry = Entry(
        body, request.method, kind, name or body.get("id", ""), "",
        conditions.get("if-none-exist", ""), conditions.get("if-match", ""),
    )  # fmt: skip
    return Checked(raw, request, body, "", (entry,), (tuple(report.found),))


def _agree(kind: str, name: str, body: Resource, where: str) -> None:
    if body["resourceType"] != kind:
        raise DecodeError(f"{where}.resourceType", "the type of its address", reason=Reason.REQUEST_INVALID)
    if name and body.get("id") != name:
        raise DecodeError(f"{where}.id", "the id of its address", reason=Reason.REQUEST_INVALID)


def read_bundle(body: Resource, limits: Limits = LIMITS) -> tuple[str, list[Read]]:
    """Read a batch or transaction: its kind, and each entry by itself.

    Raises:
        DecodeError: the bundle itself is bad.
    """
    report = check_but(body, "entry", limits)
    report.refuse()
    if body["resourceType"] != "Bundle":
        raise DecodeError("request", "at the base a Bundle, else a type", reason=Reason.REQUEST_INVALID)
    kind, entries = body["type"], body.get("entry")
    if kind not in _BUNDLES:
        raise _unsupported("Bundle.type")
    if "total" in body:
        raise DecodeError("Bundle.total", "only in a search or history (bdl-1)", reason=Reason.RULE_BROKEN)
    if entries.__class__ is not list or not entries:
        raise DecodeError("Bundle.entry", "at least one entry", reason=Reason.ELEMENT_MISSING)
    if len(entries) > limits.entries_max:
        raise exceeded("Bundle.entry", limits.entries_max, "entries")
    reads = [_read(i, entry, limits) for i, entry in enumerate(entries)]
    _across(kind, reads)
    return kind, reads


def _read(i: int, value: Any, limits: Limits) -> Read:
    where = f"Bundle.entry[{i}]"
    try:
        report = _checked(i, value, limits)
        return Read(_entry(i, value, where), tuple(report.found), None)
    except DecodeError as error:
        return Read(None, (), error)


def _checked(i: int, value: Any, limits: Limits) -> Report:
    report = check(value, limits, ((None, "Bundle", -1), "entry", i), "Bundle.entry")
    for name, rule in (("search", "bdl-2"), ("response", "bdl-4")):
        if value.__class__ is dict and name in value:
            where = f"Bundle.entry[{i}].{name}"
            report.issues.append(Issue(where, Reason.RULE_BROKEN, f"not in a batch or transaction ({rule})"))
    report.refuse()
    return report


def _entry(i: int, value: Resource, where: str) -> Entry:
    asked = value.get("request")
    if asked is None:
        raise DecodeError(f"{where}.request", "what is asked for (bdl-3)", reason=Reason.RULE_BROKEN)
    method, target = asked.get("method", ""), asked.get("url", "")
    kind, name = address(method, target, f"{where}.request")
    if not kind:
        raise _unsupported(f"{where}.request")
    resource = value.get("resource")
    if resource is None:
        raise DecodeError(f"{where}.resource", "a resource", reason=Reason.ELEMENT_MISSING)
    _agree(kind, name, resource, f"{where}.resource")
    names = {"if-match": "ifMatch", "if-none-exist": "ifNoneExist"}
    _conditions(
        method, {key: asked[name] for key, name in names.items() if name in asked}, f"{where}.request"
    )
    if "ifNoneMatch" in asked or "ifModifiedSince" in asked:
        raise DecodeError(
            f"{where}.request", "conditions of a create or update", reason=Reason.REQUEST_INVALID
        )
    if "ifMatch" in asked:  # what is not compared must not be taken for what fits
        why = "an update of its own: inside a bundle no version is compared"
        raise DecodeError(f"{where}.request.ifMatch", why, reason=Reason.CONDITION_UNSUPPORTED)
    if "ifNoneExist" in asked and not identifier_of(asked["ifNoneExist"]):
        why = "identifier=system|value: one identifier"
        raise DecodeError(f"{where}.request.ifNoneExist", why, reason=Reason.CONDITION_UNSUPPORTED)
    full = value.get("fullUrl", "")
    own = name or resource.get("id", "")
    _full_url(full, own, f"{where}.fullUrl")
    return Entry(
        resource, method, kind, own, full, asked.get("ifNoneExist", ""), asked.get("ifMatch", ""), i
    )  # fmt: skip


def _full_url(url: str, own: str, where: str) -> None:
    if not url:
        return
    if not url.startswith(_ABSOLUTE):
        raise DecodeError(where, "an absolute address or urn:uuid", reason=Reason.VALUE_INVALID)
    if "/_history/" in url:
        raise DecodeError(where, "an address without a version (bdl-8)", reason=Reason.RULE_BROKEN)
    if own and url.startswith("http") and not url.endswith(f"/{own}"):
        raise DecodeError(where, "an address with the id of its resource", reason=Reason.REQUEST_INVALID)


def _across(kind: str, reads: list[Read]) -> None:
    """Check what entries say of each other; the later one is wrong."""
    urls: dict[str, str] = {}
    targets: set[tuple[str, str]] = set()
    for i, read in enumerate(reads):
        entry = read.entry
        if entry is None:
            continue
        again = entry.full_url in urls or (entry.method == "PUT" and (entry.type, entry.id) in targets)
        if again and (kind == "transaction" or entry.full_url in urls):
            why = "each resource once (bdl-7)"
            error = DecodeError(f"Bundle.entry[{i}]", why, reason=Reason.RULE_BROKEN)
            reads[i] = Read(None, (), error)
            continue
        if entry.full_url:
            urls[entry.full_url] = entry.type
        if entry.method == "PUT":
            targets.add((entry.type, entry.id))
    for i, read in enumerate(reads):
        wrong = _points(read.found, urls) if urls else None
        if wrong is not None:
            reads[i] = Read(None, (), wrong)


def _points(found: tuple[Found, ...], urls: dict[str, str]) -> DecodeError | None:
    """Say which reference to another entry points to a type that it may not."""
    report = Report(LIMITS)
    for each in found:
        kind = urls.get(each.value.get("reference", ""))
        if kind and each.targets and kind not in each.targets:
            allowed = " or ".join(sorted(each.targets))
            report.add((each.at, "reference", -1), Reason.TARGET_NOT_ALLOWED, f"a reference to {allowed}")
    return DefinitionError(tuple(report.issues)) if report.issues else None
