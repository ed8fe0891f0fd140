"""The rows of the register: entries, agreements, assessments, what changed, and what somebody should look at.

Rules:
- An owner answers for a thing, a steward looks after it day by day; both are persons, by their ids.
- Where an entry may go from where it stands is a table (``TRANSITIONS``); nothing comes back from retired.
- An agreement says what is permitted: purposes, destinations, classes, to whom it may go on, from when until when.
- An assessment is one person's judgement of a thing as it was, approved by another; it ends, and is open again when the
  thing changes.

Deliberately absent: names of persons (signed documents have them), the text of an agreement (a file, by its digest).

Source: GDPR Art. 28, 30 and 35; HIPAA 45 CFR 164.504(e), 164.514(e); DAMA-DMBOK 2 ch. 3 (owner, steward).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from oathward.core.finding_kinds import Severity

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").fullmatch
TEXT_LENGTH_MAX = 200
WORDS_LENGTH_MAX = 4_000


class EntryKind(StrEnum):
    """What an entry is about."""

    DATA_SET = "data-set"
    LINK = "link"
    RECIPIENT = "recipient"
    CONNECTION = "connection"
    RELEASE = "release"
    BACKUP = "backup"


class Lifecycle(StrEnum):
    """Where a thing stands in its life."""

    DRAFT = "draft"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


TRANSITIONS: Mapping[Lifecycle, frozenset[Lifecycle]] = MappingProxyType(
    {
        Lifecycle.DRAFT: frozenset({Lifecycle.ACTIVE, Lifecycle.RETIRED}),
        Lifecycle.ACTIVE: frozenset({Lifecycle.SUSPENDED, Lifecycle.RETIRED}),
        Lifecycle.SUSPENDED: frozenset({Lifecycle.ACTIVE, Lifecycle.RETIRED}),
        Lifecycle.RETIRED: frozenset(),
    }
)
"""Where an entry may go from where it stands."""


class AgreementKind(StrEnum):
    """What sort of contract an agreement is."""

    BAA = "BAA"  # business associate, HIPAA 45 CFR 164.504(e)
    DPA = "DPA"  # processor, GDPR Art. 28(3)
    DUA = "DUA"  # data use, HIPAA 45 CFR 164.514(e)
    JOINT = "joint"  # joint controllers, GDPR Art. 26
    SERVICE = "service"


class PartyRole(StrEnum):
    """What the party at the other end of an external connection is."""

    CONTROLLER = "controller"  # GDPR Art. 4(7); it decides for itself what it does with the data
    PROCESSOR = "processor"  # GDPR Art. 4(8), Art. 28; a business associate, 45 CFR 160.103
    JOINT_CONTROLLER = "joint controller"  # GDPR Art. 26
    VENDOR_SUPPORT = "vendor support"  # a maker or service firm that maintains devices from afar
    PUBLIC_AUTHORITY = "public authority"
    CARE_PROVIDER = "care provider"  # who treats the same patients elsewhere
    NO_PERSONAL_DATA = "no personal data"  # time, updates, licences


class Authentication(StrEnum):
    """Who must prove who they are on a connection."""

    NONE = "none"
    SERVER = "server"
    MUTUAL = "mutual"


class AssessedKind(StrEnum):
    """What an assessment is about."""

    DEVICE_MODEL = "device-model"
    LINK = "link"
    RECIPIENT = "recipient"
    PURPOSE = "purpose"


class Acceptability(StrEnum):
    """How an assessment ends."""

    ACCEPTABLE = "acceptable"
    WITH_MEASURES = "acceptable with measures"
    NOT_ACCEPTABLE = "not acceptable"


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One thing of the register.

    Args:
        owner, steward: person ids; empty for nobody. classification: words of this site's scheme.
        review_due_us: when it is looked at next; 0 where nobody said. version: counts its changes from 1; 0 is an
            entry that follows from the bundle or the settings and that nobody has written yet.
    """

    kind: EntryKind
    id: str
    title: str = ""
    owner: str = ""
    steward: str = ""
    state: Lifecycle = Lifecycle.DRAFT
    classification: tuple[str, ...] = ()
    review_due_us: int = 0
    changed_us: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """One contract with another legal person, under the id that links name.

    Args:
        party: that legal person, as recipients name it. purposes: ActReason codes. destinations: recipient ids.
        classes: element classes, with ``*`` as links write them. sub_recipients: parties it may go on to.
        country: where the party processes, ISO 3166 code; empty where nobody said. safeguards: of a transfer to a third country,
            in words.
        until_us: exclusive; None has no end. ended_us: when somebody ended it before; 0 where not.
        digest: SHA-256 of the file, hex; empty where none was given. file: its name.
    """

    id: str
    party: str
    kind: AgreementKind
    purposes: frozenset[str]
    destinations: frozenset[str]
    classes: frozenset[str]
    sub_recipients: frozenset[str] = frozenset()
    country: str = ""
    safeguards: str = ""
    from_us: int
    until_us: int | None = None
    review_due_us: int = 0
    digest: str = ""
    file: str = ""
    by: str = ""
    added_us: int = 0
    ended_us: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """One external connection: with whom, under which agreement, to where, how well protected at least.

    Its owner and steward stand in its entry (``EntryKind.CONNECTION``, same id); purposes, classes and sub-recipients in the agreement.

    Args:
        agreement: id of an agreement of the register; empty where none was named.
        hosts: host names, ``*.example.org`` for all below one. networks: in CIDR. ports: ``443`` or ``8000-8010``; none is any.
        transport: ``tcp``, ``udp``; empty is either. retention_days: how long the party keeps what it gets; 0 where nobody said.
        tls_min: ``TLSv1.2``, ``TLSv1.3``; empty asks for none. certificate_days_min: days a certificate must still be valid.
        until_us: exclusive; None has no end. ended_us: when somebody ended it before; 0 where not.
    """

    id: str
    party: str
    role: PartyRole
    agreement: str = ""
    hosts: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    ports: frozenset[str] = frozenset()
    transport: str = ""
    retention_days: int = 0
    tls_min: str = ""
    authentication: Authentication = Authentication.NONE
    certificate_days_min: int = 0
    from_us: int
    until_us: int | None = None
    by: str = ""
    added_us: int = 0
    ended_us: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentRow:
    """One judgement of privacy and security.

    Args:
        about: id of the thing; ``Acme|Vista 3`` of a device model. about_digest: of the thing as it was judged
            (``derive.digest_of``); empty where it has no body.
        privacy, security: what was found, in words. author, approver: person ids; without an approver it does not stand.
        measures: what must be done where it is acceptable with measures. digest, file: as of an agreement.
        reopened_us: when somebody asked for another; 0 where nobody did.
    """

    id: str
    kind: AssessedKind
    about: str
    about_digest: str = ""
    privacy: str
    security: str
    author: str
    approver: str = ""
    at_us: int
    approved_us: int = 0
    outcome: Acceptability
    measures: str = ""
    digest: str = ""
    file: str = ""
    valid_until_us: int
    reopened_us: int = 0


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change of one field; ``kind`` is an entry's, ``agreement``, ``assessment`` or ``external-connection``."""

    id: str
    kind: str
    about: str
    at_us: int
    by: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RegisterFinding:
    """Something of the register that somebody should look at.

    Args:
        code: what kind of finding, ``entry.owner-missing``. kind, about: which thing; kinds as of ``ChangeRow``.
        words: what is wrong, for a person. since_us: since when; 0 where that cannot be told.
    """

    code: str
    severity: Severity
    kind: str
    about: str
    words: str
    since_us: int = 0
