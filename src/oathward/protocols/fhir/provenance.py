"""Write Provenance: how what leaves was made, which travels with it.

Rules:
- Of a file it names what leaves, by the references that leave, and what it was made of by the keyed name of the file alone: who has
  the folder and the project's key finds the way back, nobody else.
- Of a delivery it stands in the header of the request, names no target (the server knows what it wrote), and what it was made of by
  the delivery's id, which the recipient has anyway: the site's own record leads from there.
- No person, no path, no clock: who ran a job is on the site's own record, and when comes from the caller.

Source: FHIR R4 §6.3 (Provenance); ISO/HL7 21089 (record lifecycle events: deidentify, pseudonymize); R4 §2.36 (bdl-2: only what is
found by a search says how); R4 §6.3.4.4 (X-Provenance).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from oathward.protocols.fhir.message import Resource

TARGETS_MAX = 1_000
"""In one Provenance; what leaves of a larger file has several."""

FILE, PROFILE, PROJECT = "urn:oathward:file", "urn:oathward:profile", "urn:oathward:project"
DELIVERY = "urn:oathward:delivery"
"""Systems of names: keyed names of files, profiles, projects; ids of deliveries."""

_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


class Origin(NamedTuple):
    """Where what leaves comes from.

    Args:
        program: with its version. recorded: when the job began, or the delivery was made, an instant as FHIR writes it: a job that
            goes on, and what is sent again, say the same.
        project: empty where nothing is keyed.
        pseudonyms: keyed names stand for persons; else nothing leads back.
        file: keyed name.
    """

    program: str
    project: str
    profile: str
    recorded: str
    pseudonyms: bool
    file: str = ""


def provenances(origin: Origin, targets: Sequence[str]) -> Iterator[Resource]:
    """Give the Provenance of one file, in parts of ``TARGETS_MAX``; none where nothing leaves.

    Args:
        targets: references to what leaves, each once.
    """
    for number, at in enumerate(range(0, len(targets), TARGETS_MAX)):
        yield {
            "resourceType": "Provenance",
            "id": f"{origin.file.lower()}-provenance{number or ''}",
            "target": [{"reference": one} for one in targets[at : at + TARGETS_MAX]],
            **_made(origin, FILE, origin.file),
        }


def of_delivery(origin: Origin, delivery: str) -> Resource:
    """Give the Provenance of one delivery, for the header of its request.

    Args:
        delivery: its id.
    """
    return {"resourceType": "Provenance", **_made(origin, DELIVERY, delivery)}


def _made(origin: Origin, system: str, of: str) -> Resource:
    behalf = {"onBehalfOf": {"identifier": {"system": PROJECT, "value": origin.project}}}
    return {
        "recorded": origin.recorded,
        "policy": [f"{PROFILE}:{origin.profile}"],
        "activity": _code(_LIFECYCLE, "pseudonymize" if origin.pseudonyms else "deidentify"),
        "agent": [
            {
                "type": _code(_PARTICIPANT, "assembler"),
                "who": {"display": origin.program},
                **(behalf if origin.project else {}),
            }
        ],
        "entity": [{"role": "derivation", "what": {"identifier": {"system": system, "value": of}}}],
    }


def references(resources: Iterable[Resource]) -> list[str]:
    """Give the references to resources, each once, in order; what has no id cannot be named."""
    return list(dict.fromkeys(f"{one['resourceType']}/{one['id']}" for one in resources if one.get("id")))


def _code(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}
