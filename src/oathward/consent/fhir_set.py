"""Consents as files: resources, Bundles of them, with the Patient resources they refer to.

Rules:
- Each file is one JSON resource; of a Bundle its Consent and Patient entries count. Other resources are passed over.
- A reference to a patient is followed within what was given, by type and id or by ``fullUrl``: in its own file first,
  for ``Patient/1`` of another server is somebody else. One that leads to two different patients is a mistake.
- Every mistake has its file and place, never a value; with any, nothing of the set may be used.

Deliberately absent: opening files, and whose subject a patient is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from typing import Any

from oathward.consent.fhir import Reading, identifiers_of, read
from oathward.consent.fhir_parts import objects
from oathward.core.errors import OathwardError
from oathward.core.phi import Phi
from oathward.protocols.fhir.json import dumps, loads

FILES_MAX = 20_000
FILE_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a file, and where."""

    file: str
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Named:
    """One Consent of a set. ``patient``: the identifiers of whom it is of, as far as they are known."""

    file: str
    reading: Reading
    patient: tuple[tuple[str, Phi[str], str], ...]


@dataclass(slots=True)
class Consents:
    """What a set of files says; with ``problems`` none of it may be used."""

    found: list[Named] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def gather(files: Iterable[tuple[str, bytes]], *, zone: tzinfo = UTC) -> Consents:
    """Read a set of files.

    Args:
        files: name and content of each.
        zone: in which dates without a time are meant.
    """
    consents = Consents()
    patients = _Patients()
    for name, data in files:
        try:
            for resource, url, body in _resources(data):
                if resource.get("resourceType") == "Consent":
                    one = read(resource, body, zone=zone)
                    consents.found.append(Named(name, one, one.patient.identifiers))
                elif resource.get("resourceType") == "Patient":
                    patients.add(name, resource, url)
        except OathwardError as error:
            consents.problems.append(Problem(name, error.where, error.why))
    consents.found = [_of_patient(one, patients, consents.problems) for one in consents.found]
    _twice(consents)
    return consents


def _resources(data: bytes) -> Iterator[tuple[dict[str, Any], str, bytes]]:
    """Give each resource of a file with its ``fullUrl`` and the bytes it stands for."""
    resource = loads(data)
    if resource.get("resourceType") != "Bundle":
        yield resource, "", data
        return
    for entry in objects(resource.get("entry"), "Bundle.entry"):
        inner, url = entry.get("resource"), entry.get("fullUrl", "")
        if isinstance(inner, dict):
            yield inner, url if isinstance(url, str) else "", dumps(inner)


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
    found = patients.of(one.file, one.reading.patient.reference.reveal())
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
