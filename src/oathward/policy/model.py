"""What a decision is made of: recipients, links, facts in; permit, deny or indeterminate out.

Rules:
- Everything is frozen. ``None`` in a fact means *not known*; the decision is then never wider.
- Facts carry codes, counts and random ids only: ``body()`` may stand in the ledger.
- Equal facts have equal digests, whatever order they were collected in, on every platform.

Deliberately absent: subjects and patients (a decision never sees who, only what is known), and any I/O.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, Literal

import orjson

from oathward.core.labels import CARE_PURPOSES, Assurance, Confidentiality, Purpose
from oathward.core.reasons import Reason
from oathward.policy.consents import ANY, ConsentFact, codes_asked, in_order

__all__ = [
    "ANY", "FACTS_VERSION", "IDENTITY_CLASSES", "KEEP", "PROTECTION", "TRANSPORT_CLASSES", "ConsentFact", "Decision",
    "Deny", "Facts", "Indeterminate", "Link", "Mentioned", "Notify", "Obligation", "Permit", "ProfileView", "Project", "Recipient",
    "RecipientKind", "Sources", "SubjectKind", "Tls", "TravelLabel", "Wire", "in_order",
]  # fmt: skip

FACTS_VERSION = 2
"""2 added ``codes_present``; bodies of 1 are still read, as of messages whose codes are not known."""

KEEP = "keep"
"""The recipient that stands for what Oathward keeps for itself."""

PROTECTION = ("none", "tls", "mtls", "mtls+e2e")
"""Levels of protection on the way, weakest first."""

TRANSPORT_CLASSES = frozenset({"structure", "message.control", "message.time", "message.party"})
"""The envelope: says nothing about a person, so consents neither grant nor deny it."""

IDENTITY_CLASSES = frozenset(
    f"{role}.{kind}"
    for role in ("patient", "relative")
    for kind in ("name", "identifier", "encounter", "address", "contact", "image")
)
"""Left as they are, these say who it is."""

RecipientKind = Literal["mllp", "mllps", "fhir", "file", "keep"]
Wire = Literal["hl7v2", "fhir"]  # a protocol, as a link's `format` names it
Mentioned = Literal["create", "update"]  # what becomes of a resource that a message only mentions
SubjectKind = Literal["known", "holding", "none"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files for TLS to a recipient, by name; they lie in ``recipients`` of the data folder."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where data may go.

    ``address``: ``host:port`` for mllp and mllps, ``https://host:port/base`` for fhir, a folder for file, empty for keep.
    ``public_key``: X25519, 32 bytes; with it, what leaves is sealed end to end.
    ``party``: the legal person behind it; ``external`` when that is not this site. ``actors``: what consents call those
    behind it: ``Organization/54``, ``system|value``. ``withdrawal_notice``: told when what a patient allows it changes.
    """

    id: str
    name: str
    kind: RecipientKind
    zone: str
    address: str = ""
    party: str = ""
    external: bool = False
    public_key: bytes | None = None
    tls: Tls | None = None
    actors: frozenset[str] = frozenset()
    withdrawal_notice: bool = False

    @property
    def protection(self) -> str:
        """The level this recipient's transport gives: one of ``PROTECTION``.

        A file sealed to a key can be read by its holder alone. A sealed body on a plain connection is
        confidential, but nobody proves who acknowledges it: that counts as ``tls``, not more.
        """
        sealed = self.public_key is not None
        if self.kind in ("keep", "file"):
            return "mtls+e2e" if sealed or self.kind == "keep" else "none"
        if self.kind == "mllp":
            return "tls" if sealed else "none"
        mutual = self.tls is not None and bool(self.tls.certificate)
        if not mutual:
            return "tls"
        return "mtls+e2e" if sealed else "mtls"

    @property
    def wire(self) -> Wire | None:
        """The protocol it speaks; None where it takes what comes."""
        if self.kind == "fhir":
            return "fhir"
        return "hl7v2" if self.kind in ("mllp", "mllps") else None


@dataclass(frozen=True, slots=True)
class Sources:
    """Which messages a link takes: of these devices, or kinds, or tags; and of these types.

    ``*`` is any; an empty set is none. ``message_types`` are ``ORU^R01`` or ``ADT^*``.
    """

    devices: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    message_types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Link:
    """One declared flow: who may get what, why, on which legal ground, how protected.

    ``without_consent``: the legal basis does not rest on consent. ``objection``: whether a patient's
    denial narrows it all the same (``honoured``) or the law is stronger (``overruled``).
    ``indeterminate``: what happens when it cannot be told: ``hold``, or ``care-team`` (care links only).
    ``sensitivity_denied``: sensitivity code → classes that then do not pass.
    ``format``: what leaves, whatever came in; None is what the recipient speaks, else as it came.
    ``mentioned``: where HL7 v2 leaves as FHIR, what a message names and is not about: only created, or written.
    ``provenance``: a FHIR server is told with each write how what leaves was made, where a profile makes it less telling.
    ``shared_ids``: devices that refer by logical ids of the recipient's own server: their references leave as they are.
    ``valid_from_us``, ``valid_until_us``: microseconds UTC of the agreement; ``None`` is unbounded.
    """

    id: str
    recipient: str
    purpose: Purpose
    legal_basis: str
    classes: frozenset[str]
    profile: str
    sources: Sources
    without_consent: bool = False
    objection: Literal["honoured", "overruled"] = "honoured"
    project: str = ""
    min_assurance: Assurance = Assurance.CERTIFICATE
    min_protection: str = "mtls"
    agreement: str = ""
    indeterminate: Literal["hold", "care-team"] = "hold"
    retention_days: int = 0
    format: Wire | None = None
    mentioned: Mentioned = "create"
    provenance: bool = True
    shared_ids: frozenset[str] = frozenset()
    on_exhausted: Literal["block", "skip"] = "block"
    carries_identity: bool = False
    uncatalogued: Literal["remove", "pass", "hold"] = "remove"
    confidentiality_max: Confidentiality = Confidentiality.N
    sensitivity_denied: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    labels_travel: bool = True
    notify: tuple[str, ...] = ()
    valid_from_us: int | None = None
    valid_until_us: int | None = None

    @property
    def for_care(self) -> bool:
        """Whether its purpose is the patient's care."""
        return self.purpose in CARE_PURPOSES

    def shares_ids(self, device: str | None) -> bool:
        """Whether a device's logical ids are those of the recipient's own server."""
        return bool(self.shared_ids) and (device in self.shared_ids or "*" in self.shared_ids)

    @property
    def person_free(self) -> bool:
        """Whether nothing it may carry belongs to a patient or a relative."""
        return not self.carries_identity and not any(
            c.startswith(("patient.", "relative.")) for c in self.classes
        )


def outgoing_wire(link: Link, recipient: Recipient, incoming: Wire) -> Wire:
    """Say which protocol leaves on a link for what came in by another."""
    return recipient.wire or link.format or incoming


@dataclass(frozen=True, slots=True)
class Project:
    """What pseudonyms are stable within, and unlinkable outside of.

    ``date_shift``: dates move by a secret number of days; never on live links. ``merges``: a merge leaves each number its
    pseudonym (``apart``), or the merged have the surviving one's from then on. ``released_by``: the persons, by id, and roles
    that may run jobs of de-identification into it; empty: whoever may run one.
    """

    id: str
    title: str = ""
    date_shift: bool = False
    merges: Literal["apart", "together"] = "apart"
    released_by: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ProfileView:
    """What policy must know of a de-identification profile, which is ``deid``'s to read.

    ``keeps``: classes that stay as they are; ``passes``: those of which anything stays; ``keyed``: classes
    whose values become keyed names (a project is needed); ``shifts_dates``: never on live links.
    """

    keeps: frozenset[str]
    passes: frozenset[str]
    keyed: frozenset[str] = frozenset()
    shifts_dates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything one decision reads, as codes. ``None`` is *not known*.

    ``consents``: all that stands for this subject at ``consent_version``; ``()`` is known to be none.
    ``codes_present``: the message's codes that some of ``consents`` speaks of, as ``consents.codes_met`` gives them.
    ``message_type``: ``ORU^R01``. ``bundle_version``: the version these facts were first decided under.
    """

    site: str | None
    device: str | None
    device_kind: str | None
    device_tags: frozenset[str] | None = frozenset()
    assurance: Assurance | None
    subject_kind: SubjectKind | None
    message_type: str | None
    confidentiality: Confidentiality | None
    sensitivity: frozenset[str] | None
    classes_present: frozenset[str] | None
    consent_version: int | None
    consents: tuple[ConsentFact, ...] | None
    clock_sure: bool | None
    bundle_version: int
    codes_present: frozenset[str] | None = None
    _digest: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def digest(self) -> bytes:
        """16 bytes that stand for all of it; computed once."""
        found = self._digest
        if found is None:
            found = hashlib.blake2b(self.body(), digest_size=16).digest()
            object.__setattr__(self, "_digest", found)
        return found

    def body(self) -> bytes:
        """Canonical JSON: sorted keys, sorted sets, consents by id; codes only."""
        row: dict[str, Any] = dict(zip(_PLAIN_FACTS, _plain(self), strict=True))
        for name in _SET_FACTS:
            value = getattr(self, name)
            row[name] = None if value is None else _written(value)
        row["consents"] = None if self.consents is None else _written_consents(self.consents)
        row["version"] = FACTS_VERSION
        return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_body(cls, body: bytes) -> Facts:
        """Invert ``body()``, for dry runs.

        Raises:
            ValueError: not such a body, or of another version.
        """
        row = orjson.loads(body)
        version = row.pop("version", None) if isinstance(row, dict) else None
        if version not in (1, FACTS_VERSION):
            raise ValueError("not facts of this version")
        if version == 1:
            row["codes_present"] = None
        try:
            for name in _SET_FACTS:
                row[name] = None if row[name] is None else frozenset(row[name])
            if row["assurance"] is not None:
                row["assurance"] = Assurance(row["assurance"])
            if row["confidentiality"] is not None:
                row["confidentiality"] = Confidentiality(row["confidentiality"])
            if row["consents"] is not None:
                row["consents"] = tuple(map(ConsentFact.from_row, row["consents"]))
            return cls(**row)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("not facts of this version") from error

    def renewed(
        self, *, consent_version: int | None, consents: tuple[ConsentFact, ...] | None, clock_sure: bool
    ) -> Facts:
        """Give the same message's facts under what its subject says now.

        What is said now of codes that nobody asked for then cannot be told of this message any more.
        """
        known = codes_asked(consents) <= codes_asked(self.consents)
        return replace(
            self,
            consent_version=consent_version,
            consents=consents,
            clock_sure=clock_sure,
            codes_present=self.codes_present if known else None,
        )


@lru_cache(maxsize=4_096)
def _written(words: frozenset[str]) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(in_order(words)))


@lru_cache(maxsize=4_096)
def _written_consents(consents: tuple[ConsentFact, ...]) -> orjson.Fragment:
    """Write what stands for one patient; it comes again with every message about them."""
    return orjson.Fragment(b"[" + b",".join(sorted(orjson.dumps(c.row()) for c in consents)) + b"]")


_PLAIN_FACTS = (
    "site", "device", "device_kind", "assurance", "subject_kind", "message_type", "confidentiality",
    "consent_version", "clock_sure", "bundle_version",
)  # fmt: skip
_plain = attrgetter(*_PLAIN_FACTS)
_SET_FACTS = ("device_tags", "sensitivity", "classes_present", "codes_present")


@dataclass(frozen=True, slots=True)
class TravelLabel:
    """Obligation: what leaves bears these labels."""

    confidentiality: Confidentiality
    sensitivity: frozenset[str]


@dataclass(frozen=True, slots=True)
class Notify:
    """Obligation: people of this role are told."""

    role: str


Obligation = TravelLabel | Notify


@dataclass(frozen=True, slots=True)
class Permit:
    """These classes may leave on this link, shaped by this profile.

    ``basis``: what it rests on: ``link:…``, ``consent:…``, ``policy:…``. ``valid_until_us``: the earliest
    end of any of it, exclusive; ``None`` is unbounded.

    Both of these narrow what may leave, whole items at a time, before it is shaped. ``withheld``: whatever bears one
    of these codes does not leave. ``only``: observations leave only where they bear one of these; ``None``: all may.
    Their words stand as the message has them; nothing that observes is left where they take every observation.
    """

    link: str
    classes: frozenset[str]
    profile: str
    obligations: tuple[Obligation, ...] = ()
    basis: tuple[str, ...] = ()
    valid_until_us: int | None = None
    withheld: frozenset[str] = frozenset()
    only: frozenset[str] | None = None

    def covers(
        self,
        classes: frozenset[str],
        withheld: frozenset[str] = frozenset(),
        only: frozenset[str] | None = None,
    ) -> bool:
        """Whether all that was to leave once may leave under this answer."""
        fits = self.only is None or (only is not None and only <= self.only)
        return fits and classes <= self.classes and self.withheld <= withheld


@dataclass(frozen=True, slots=True)
class Deny:
    """Nothing leaves on this link; ``basis`` names the consents and policies that say so."""

    link: str
    reasons: tuple[Reason, ...]
    basis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Indeterminate:
    """It cannot be told; the link's ``indeterminate`` rule applies. ``about``: fact names or policy ids."""

    link: str
    why: Reason
    about: tuple[str, ...] = ()


Decision = Permit | Deny | Indeterminate
