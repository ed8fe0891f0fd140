"""Collect what one decision reads of a message, as codes (step 6).

Rules:
- The same facts for the same content, whichever wire it came by: what follows reads nothing else.
- A message's codes are looked at only where a label rule or a consent of its subject asks for some.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from oathward.core.labels import Assurance
from oathward.gateway.wires.wire import LabelFacts, Wire
from oathward.inventory.model import Device
from oathward.policy.bundle import Bundle
from oathward.policy.consents import ConsentFact, codes_asked, codes_met
from oathward.policy.labels import Seen, raised
from oathward.policy.model import Facts, SubjectKind


@dataclass(frozen=True, slots=True)
class Known:
    """The facts of a decision, their SHA-256, and the canonical body the ledger keeps once."""

    facts: Facts
    key: bytes
    body: bytes
    type: str


class Read(NamedTuple):
    """What is read of a message itself; equal messages of a device have equal ones."""

    type: str
    classes: frozenset[str]
    labels: LabelFacts
    codes: frozenset[str]
    own_labels: frozenset[str]


class Around(NamedTuple):
    """What is known besides the message."""

    site: str
    assurance: Assurance
    subject_kind: SubjectKind
    consent_version: int | None
    consents: tuple[ConsentFact, ...] | None
    clock_sure: bool
    bundle_version: int


_NO_CODES = frozenset[str]()


def read_of(
    wire: Wire, message: Any, bundle: Bundle, device: Device, consents: tuple[ConsentFact, ...] | None
) -> Read:
    """Read a message for a decision."""
    codes = codes_met(consents, wire.codes(message)) if consents and codes_asked(consents) else _NO_CODES
    return Read(
        wire.type_of(message),
        wire.classes(message),
        wire.labelled(message, bundle.labels, device),
        codes,
        wire.own_labels(message),
    )


def known_of(read: Read, around: Around, bundle: Bundle, device: Device) -> Known:
    """Put together the facts of one decision."""
    labels = bundle.labels.label(Seen(*read.labels))
    if read.own_labels:
        labels = raised(labels, read.own_labels)
    facts = Facts(
        site=around.site,
        device=device.id,
        device_kind=device.kind,
        device_tags=device.tags,
        assurance=around.assurance,
        subject_kind=around.subject_kind,
        message_type=read.type,
        confidentiality=labels.confidentiality,
        sensitivity=labels.sensitivity,
        classes_present=read.classes,
        codes_present=read.codes,
        consent_version=around.consent_version,
        consents=around.consents,
        clock_sure=around.clock_sure,
        bundle_version=around.bundle_version,
    )
    body = facts.body()
    return Known(facts, sha256(body).digest(), body, read.type)
