"""What the simulator means to send, and what must become of it: the ground truth the judge works from.

Rules:
- Each message carries a *marker*: a clinical value no other message has (a number with six decimals in an
  OBX-5, or the fraction of EVN-2). It survives every profile that lets anything clinical through, so a delivery is
  matched to its source without any identifier that Oathward makes or could get wrong.
- ``must`` are recipients that have to get the message once it was acknowledged, ``may`` those that are
  allowed to, ``once_adopted`` those that may get it from when somebody adopted its sender; anyone else who gets it is a leak.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from oathward_sim.hospital import Patient

MARKER_DECIMALS = 6
_PER_SOURCE_MAX = 10**MARKER_DECIMALS


def marker(source: int, index: int) -> str:
    """Make the marker of a source's message.

    Args:
        source: 1 to 96: two digits that never begin a hospital number.
        index: position in the source, from 0.
    """
    if not 1 <= source <= 96 or not 0 <= index < _PER_SOURCE_MAX:
        raise ValueError("no marker left for this source")
    return f"{source}.{index:0{MARKER_DECIMALS}d}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a recipient is there for under the policy in force, in the simulator's own words.

    Args:
        recipient: its id.
        sources: device kinds whose messages it gets: ``adt``, ``pump``, ``monitor``, ``hub``, ``wearable``.
        types: MSH-9 code and trigger, e.g. ``ORU^R01``, or ``FHIR^Observation``; ``ADT`` stands for all of its triggers.
        needs_permission: only patients who permit research, by a registration the feed or consent list knows.
        identity: kinds of identity it may see of the message's own patients: ``name``, ``identifier``,
            ``phone``, ``email``, ``birth-date``, ``address``; ``device`` for what names one device.
        care: whether it treats the patient; the canary's record goes to nobody else.
        ordered: whether messages of one sender must arrive there in the order they were sent.
    """

    recipient: str
    sources: frozenset[str]
    types: frozenset[str]
    needs_permission: bool = False
    identity: frozenset[str] = frozenset()
    care: bool = False
    ordered: bool = False

    def wants(self, source: str, type_: str, patients: Iterable[Patient]) -> bool:
        """Say whether a message of this kind about these patients has to reach the recipient."""
        if source not in self.sources or not {type_, type_.partition("^")[0]} & self.types:
            return False
        people = list(patients)
        if not self.care and any(p.canary for p in people):
            return False
        return not self.needs_permission or (bool(people) and all(p.permits_research for p in people))


EVERYTHING = frozenset({"name", "identifier", "phone", "email", "birth-date", "address", "device"})

_DEVICES, _HOME = frozenset({"pump", "monitor"}), frozenset({"hub", "wearable"})
_RESULTS, _READINGS = frozenset({"ORU^R01"}), frozenset({"FHIR^Observation", "FHIR^Bundle"})

DEMO_RULES = (
    Rule(
        "ehr",
        _DEVICES | {"adt"},
        frozenset({"ADT", "ORU^R01", "ORU^R40"}),
        identity=EVERYTHING,
        care=True,
        ordered=True,
    ),
    Rule("home-care", _HOME, frozenset({"FHIR"}), identity=EVERYTHING, care=True, ordered=True),
    Rule("vendor-cloud", _DEVICES, frozenset({"ORU^R01", "ORU^R40"})),
    Rule("research-registry", _DEVICES | _HOME, _RESULTS | _READINGS, needs_permission=True),
)
"""The starter bundle in the simulator's words."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One message before it is sent.

    Args:
        data: HL7 v2 as it stands; FHIR with a line before it that says method and target below the base.
        more: what else the same request holds, each with a marker of its own and no data.
        each: whether the answer tells of each of them (a batch), or of all at once.
    """

    control_id: str
    marker: str
    type: str
    patients: tuple[str, ...]
    data: bytes
    must: frozenset[str]
    may: frozenset[str] = frozenset()
    once_adopted: frozenset[str] = frozenset()
    more: tuple[Planned, ...] = ()
    each: bool = False


ACCEPTED = frozenset({"AA", "CA", "2xx"})
"""Answers by which a gateway takes responsibility; of HTTP any that says yes."""


@dataclass(slots=True)
class Sent:
    """One message and what became of it on the sender's side.

    Args:
        tries: how often its bytes were written to a connection.
        answer: acknowledgement code, or empty while there is none.
        number: of the request that held it, counted by its sender from 1.
        turned_away: the door stayed shut and the sender gave up: nobody ever had the message.
    """

    plan: Planned
    sender: str
    first_s: float
    tries: int = 0
    answer: str = ""
    answered_s: float = 0.0
    answers: list[str] = field(default_factory=list)
    turned_away: bool = False
    number: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the gateway took responsibility for it."""
        return self.answer in ACCEPTED


def targets(rules: Iterable[Rule], source: str, type_: str, patients: Iterable[Patient]) -> frozenset[str]:
    """Name every recipient that has to get such a message."""
    people = tuple(patients)
    return frozenset(rule.recipient for rule in rules if rule.wants(source, type_, people))
