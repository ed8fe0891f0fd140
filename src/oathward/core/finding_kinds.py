"""Kinds of findings as one table: what each says, what to do, how grave it is unless what raises it says otherwise.

Rules:
- A kind that does not stand here cannot be raised. A new one is one row; ``docs/reference/findings.md`` is written from it.
- Severity is by harm to patients (ADR 0053), not by how certain it is.
- Words are of the matter, not of one case: what differs from case to case stands in a finding's details.

Deliberately absent: who raises it; that is the part that knows (``discovery``, ``endpoints``, ``mapping`` …).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How grave a finding is, by what may come of it for patients; the gravest first."""

    URGENT = "urgent"  # care or a patient may be harmed now
    SERIOUS = "serious"  # data move, or may move, without what they need
    ATTENTION = "attention"  # something is due

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return _RANKS[self]


_RANKS = {one: rank for rank, one in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class FindingKind:
    """One kind. ``what``: what is the matter; ``remedy``: what to do; ``days``: its own term, 0 where the severity's counts."""

    title: str
    what: str
    remedy: str
    severity: Severity
    days: float = 0.0


KINDS: Mapping[str, FindingKind] = {
    "identity.claimed-twice": FindingKind(
        "One identity claimed twice",
        "one serial number, UDI, certificate, network card or name was claimed by two at the same time: one of them is not what it says, or a list has a mistake",
        "go and look which of the two is the device; then say in the inventory that they are one, or which marks are another device's, or take the other off the network",
        Severity.SERIOUS,
    ),
    "identity.name-twice": FindingKind(
        "One name given twice",
        "a network card of another maker gives the host name of a device that speaks HL7 or DICOM, while that device is there too",
        "see whether it is a second card of the device, and say in the inventory that they are one; else ask who it is",
        Severity.ATTENTION,
    ),
    "source.flood": FindingKind(
        "A source tells of far more new devices than ever",
        "one source told of far more endpoints that nobody knew in an hour than it ever did: somebody makes up network cards or addresses, which can also make a switch show everybody's traffic to everybody; or a part of the network is read for the first time",
        "see at which port of that segment they come in, and bound how many cards it may have; where a new sensor or part of the network is the cause, leave it: those heard a second time are in the inventory",
        Severity.SERIOUS,
    ),
    "flow.undeclared": FindingKind(
        "Traffic nobody declared",
        "two endpoints speak with each other and no link, connection or rule says that they should",
        "declare it where it is meant, with its purpose; else have it stopped by whoever runs the network",
        Severity.SERIOUS,
    ),
    "link.never-observed": FindingKind(
        "A declared link that was never seen",
        "a link or connection is declared and none of its traffic was seen, though its place on the network is watched",
        "see whether it is in use elsewhere, or past a sensor; if nobody needs it, retire it",
        Severity.ATTENTION,
    ),
    "flow.more-data": FindingKind(
        "More data than declared",
        "traffic of a declared link carries classes of data, or far more of them, than its declaration says",
        "compare what is sent with the link's classes; narrow the sender, or declare and assess what it needs",
        Severity.SERIOUS,
    ),
    "flow.weaker-protection": FindingKind(
        "Weaker protection than declared",
        "traffic of a declared link is encrypted or authenticated less than its declaration says",
        "restore what is declared at both ends; until then see who else is on that part of the network",
        Severity.SERIOUS,
    ),
    "flow.other-destination": FindingKind(
        "Another destination than declared",
        "what sends on a declared link sends the same to somebody else too, or instead",
        "find out who changed the destination; if nobody did, treat it as a leak and cut it off",
        Severity.SERIOUS,
        days=3.0,
    ),
    "flow.outside-model": FindingKind(
        "Traffic that the maker does not foresee",
        "devices of a model speak with somebody, and the maker's MUD file does not say that they may; nobody of this site declared it either",
        "ask the maker what it is for; where it is meant, declare it; else have it stopped and look at the device: it may be somebody else's by now",
        Severity.SERIOUS,
    ),
    "flow.clear-text-phi": FindingKind(
        "Patients' data in clear text",
        "a protocol that carries patients' data was seen without encryption where others may listen",
        "put both ends behind one zone, or switch its encryption on (HL7 over TLS, DICOM TLS, HTTPS)",
        Severity.SERIOUS,
    ),
    "connection.outside-agreement": FindingKind(
        "A connection outside its agreement",
        "somebody outside the hospital is connected at a time, from a place or to a device that the agreement does not cover",
        "ask them what for; end the session, or have the agreement changed",
        Severity.SERIOUS,
        days=3.0,
    ),
    "connection.below-minimum": FindingKind(
        "A connection below the minimum protection",
        "a connection to the outside has less protection than the least this site asks for",
        "have the other side raise it; until then close the connection when nobody uses it",
        Severity.SERIOUS,
    ),
    "connection.unregistered": FindingKind(
        "A connection to the outside that nobody registered",
        "a device speaks with an address outside the hospital and no connection to it is in the register",
        "ask the maker and whoever owns the device what it is for; register it with its agreement, or block it",
        Severity.SERIOUS,
    ),
    "rule.unused": FindingKind(
        "A rule nobody uses",
        "a rule of a firewall or switch permits traffic, and none of it was seen for as long as was watched",
        "have it removed, after asking whoever it was made for",
        Severity.ATTENTION,
    ),
    "rule.wider-than-flow": FindingKind(
        "A rule wider than its traffic",
        "a rule of a firewall or switch permits more addresses or services than the traffic that uses it",
        "narrow it to what was seen and declared",
        Severity.ATTENTION,
    ),
    "rule.forbids-flow": FindingKind(
        "A rule that forbids what is declared",
        "a declared link or connection cannot work: a rule of a firewall or switch forbids its traffic",
        "change the rule or the declaration; somebody may miss data at a bedside",
        Severity.URGENT,
    ),
    "element.unused": FindingKind(
        "An element nobody uses",
        "devices send a class of data that no link passes on to anybody: no purpose and no law that this site declared asks for it",
        "have the device configured to send less; or declare the link it is meant for",
        Severity.ATTENTION,
    ),
}
"""Kind -> what it is."""
