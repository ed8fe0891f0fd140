"""Consents as files: resources, Bundles of them, or one of either a line, with the Patient resources they refer to.

Rules:
- Each file is one JSON resource, or NDJSON: one resource a line. Of a Bundle its Consent and Patient entries count. Other
  resources are passed over.
- A reference to a patient is followed within what was given, by type and id or by ``fullUrl``: in its own file or
  Bundle first, for ``Patient/1`` of another server is somebody else. One that leads to two different patients is a mistake.
- Every mistake has its file, line or entry, and place, never a value; with any, nothing of the set may be used. One
  mistake does not hide the next.
- A set is bounded: bytes of a file and of all of them, files, consents.

Deliberately absent: opening files, and whose subject a patient is.

Source: FHIR R4 §3.1.0.2 (Bundle); FHIR Bulk Data (``application/fhir+ndjson``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any, cast
from zoneinfo import ZoneInfo

from oathward.consent.fhir.parts import REMARKS, objects
from oathward.consent.fhir.r5 import Edition
from oathward.consent.fhir.reader import Reading, identifiers_of, read
from oathward.core.errors import OathwardError
from oathward.core.foreign import parsed
from oathward.core.parsing import printable
from oathward.core.phi import Phi
from oathward.protocols.fhir.json import dumps, loads

FILES_MAX = 20_000
CONSENTS_MAX = 20_000
FILE_BYTES_MAX = 64 * 1024 * 1024
"""Of NDJSON; one resource has the limit of a FHIR request."""

SET_BYTES_MAX = 256 * 1024 * 1024
LINES = (".ndjson", ".jsonl")
SNIFFED_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a file (``consents.ndjson:12``, ``bundle.json, entry[3]``), and where in the resource."""

    file: str
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Named:
    """One Consent of a set. ``group``: the file or Bundle it stands in, where references lead first.

    ``patient``: the identifiers of whom it is of, as far as they are known. ``body``: its own bytes.
    """

    file: str
    reading: Reading
    patient: tuple[tuple[str, Phi[str], str], ...]
    group: str
    body: Phi[bytes]


@dataclass(slots=True)
class Consents:
    """What a set of files says; with ``problems`` none of it may be used."""

    found: list[Named] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def gather(
    files: Iterable[tuple[str, bytes]],
    *,
    zone: tzinfo = UTC,
    edition: Edition | None = None,
    now_us: int | None = None,
) -> Consents:
    """Read a set of files.

    Args:
        files: name and content of each.
        zone: in which dates without a time are meant.
        edition, now_us: as ``reader.read`` takes them.
    """
    how = _How(zone, edition, now_us)
    consents, patients, room = Consents(), _Patients(), SET_BYTES_MAX
    for name, data in files:
        room -= len(data)
        if len(data) > FILE_BYTES_MAX or room < 0:
            most = FILE_BYTES_MAX if len(data) > FILE_BYTES_MAX else SET_BYTES_MAX
            consents.problems.append(Problem(name, "file", f"at most {most} bytes"))
            break
        for label, line in _lines(name, data):
            _take(consents, patients, _Piece(name, label, line), how)
            if len(consents.found) > CONSENTS_MAX:
                consents.problems.append(Problem(label, "Consent", f"at most {CONSENTS_MAX} at once"))
                return consents
    consents.found = [_of_patient(one, patients, consents.problems) for one in consents.found]
    _twice(consents)
    return consents


@dataclass(frozen=True, slots=True)
class _Piece:
    """One JSON document of a file."""

    group: str
    label: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _How:
    """What ``reader.read`` is told of each."""

    zone: tzinfo
    edition: Edition | None
    now_us: int | None


def _take(consents: Consents, patients: _Patients, piece: _Piece, how: _How) -> None:
    """Take what one JSON document says."""
    try:
        resource = loads(piece.data)
        entries = _entries(resource, piece)
    except OathwardError as error:
        consents.problems.append(Problem(piece.label, error.where, error.why))
        return
    # Lines of one file speak of one another; a Bundle is closed in itself, whatever line it stands in.
    group = piece.label if resource.get("resourceType") == "Bundle" else piece.group
    for label, one, url, body in entries:
        try:
            if one.get("resourceType") == "Consent":
                reading = read(one, body, zone=how.zone, edition=how.edition, now_us=how.now_us)
                found = Named(label, reading, reading.patient.identifiers, group, Phi(body))
                consents.found.append(found)
            elif one.get("resourceType") == "Patient":
                patients.add(group, one, url)
        except OathwardError as error:
            consents.problems.append(Problem(label, error.where, error.why))


def gather_apart(files: Iterable[tuple[str, bytes]], zone: str, edition: str, now_us: int) -> Consents:
    """Read as ``gather``, in a process that can do nothing else. Raises as ``foreign.parsed``.

    Args:
        zone: its name. edition: empty where each says it itself.
    """
    named = ((printable(name), content) for name, content in files)
    return parsed(gather_named, named, zone, edition, now_us, check=_check)


def gather_named(files: Iterable[tuple[str, bytes]], zone: str, edition: str, now_us: int) -> Consents:
    """Read as ``gather``, of a zone by its name."""
    return gather(files, zone=ZoneInfo(zone), edition=cast("Edition | None", edition or None), now_us=now_us)


def _check(consents: Consents) -> None:
    for one in consents.found:
        places = (one.file, one.group, *(remark.where for remark in one.reading.remarks))
        if not all(map(str.isprintable, places)) or any(r.code not in REMARKS for r in one.reading.remarks):
            raise ValueError("words")
        if not all(said.source.isprintable() for said in one.reading.statements):
            raise ValueError("statement")


def _lines(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Give the JSON documents of a file: itself, or each line that is not empty."""
    if not (name.endswith(LINES) or _has_lines(data)):
        yield name, data.strip()
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield f"{name}:{number}", line.strip()


def _has_lines(data: bytes) -> bool:
    """Say whether the first line is a whole document and more follows."""
    first, _, rest = data.lstrip().partition(b"\n")
    if not rest.strip() or len(first) > SNIFFED_BYTES_MAX:
        return False
    try:
        loads(first.strip())
    except OathwardError:
        return False
    return True


def _entries(resource: dict[str, Any], piece: _Piece) -> list[tuple[str, dict[str, Any], str, bytes]]:
    """Give each resource of a document with its place, its ``fullUrl`` and the bytes it stands for."""
    if resource.get("resourceType") != "Bundle":
        return [(piece.label, resource, "", piece.data)]
    found = []
    for number, entry in enumerate(objects(resource.get("entry"), "Bundle.entry")):
        inner, url = entry.get("resource"), entry.get("fullUrl", "")
        if isinstance(inner, dict):
            label = f"{piece.label}, entry[{number}]"
            found.append((label, inner, url if isinstance(url, str) else "", dumps(inner)))
    return found


class _Patients:
    """The identifiers of the patients of a set, by reference: of each file, and of all of them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, str], list[dict[str, Any]] | None] = {}

    def add(self, file: str, resource: dict[str, Any], url: str) -> None:
        """Take a Patient resource; ``url``: its ``fullUrl``, empty for none."""
        identifiers = list(objects(resource.get("identifier")))
        for reference in (url, f"Patient/{resource.get('id')}"):
            for key in ((file, reference), (None, reference)):
                if reference and self._known.setdefault(key, identifiers) != identifiers:
                    self._known[key] = None

    def of(self, file: str, reference: str) -> list[dict[str, Any]] | None:
        """Give the identifiers of whom a reference in a file means; ``None``: of different people."""
        key = (file, reference)
        return self._known[key] if key in self._known else self._known.get((None, reference), [])


def _of_patient(one: Named, patients: _Patients, problems: list[Problem]) -> Named:
    if one.patient:
        return one
    found = patients.of(one.group, one.reading.patient.reference.reveal())
    if found is None:
        problems.append(
            Problem(one.file, "Consent.patient", "leads to different patients; import them apart")
        )
    return replace(one, patient=tuple(identifiers_of(found or [])))


def _twice(consents: Consents) -> None:
    """Note two versions of one consent: which of them stands nobody can say."""
    seen: dict[str, str] = {}
    for one in consents.found:
        other = next((seen[origin] for origin in one.reading.origins if origin in seen), None)
        if other is not None:
            consents.problems.append(Problem(one.file, "Consent.identifier", f"stands in {other} too"))
        seen |= dict.fromkeys(one.reading.origins, one.file)
