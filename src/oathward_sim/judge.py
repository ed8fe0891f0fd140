"""Lost, duplicated, leaked: counted from what was sent and from what recipients kept, and from nothing else.

Rules:
- *Lost*: acknowledged, due at a recipient, and absent there when everything had time to arrive.
- *Duplicated*: the same source message at one recipient more than once, unless the recipient never
  acknowledged the earlier copy and the id is the same (then the sender had to repeat it).
- *Leaked*: delivered to somebody it was not for; or a trace of any patient in the bytes of a recipient that may not see
  that kind; or a trace of *another* patient where identity is allowed; or bytes that match nothing sent.
- Findings name kind, recipient and the source's control id; never a value.

Deliberately absent: anything Oathward says about itself.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from oathward_sim.hospital import Hospital
from oathward_sim.plan import MARKER_DECIMALS, Rule, Sent
from oathward_sim.recipients import Kept
from oathward_sim.traces import Index

_MARKER = re.compile(rf"\d{{1,2}}\.\d{{{MARKER_DECIMALS}}}")
_STRONG = frozenset({"identifier", "phone", "email"})
_OBX_VALUE, _EVENT_TIME = 5, 2


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing at a recipient, opened.

    Args:
        data: the message as the recipient reads it (an envelope's content).
        wire: the bytes that came, where they differ; nobody may read anything from them.
    """

    recipient: str
    kept: Kept
    data: bytes
    wire: bytes = b""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not be. ``message``: control id of the source message, where known."""

    kind: str
    recipient: str
    message: str
    what: str


@dataclass(slots=True)
class Verdict:
    """The count.

    ``held``: accepted messages that were due nowhere. ``repeated``: copies after an answer that never came, which
    are no fault of the sender. ``waiting``: sent and never answered, so nobody's loss.
    """

    sent: int = 0
    accepted: int = 0
    refused: int = 0
    waiting: int = 0
    held: int = 0
    delivered: dict[str, int] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    lost: int = 0
    duplicated: int = 0
    duplicated_new_id: int = 0
    leaked: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing lost, duplicated or leaked."""
        return self.lost == self.duplicated == self.leaked == 0


def judge(
    hospital: Hospital,
    rules: Sequence[Rule],
    sent: Sequence[Sent],
    deliveries: Iterable[Delivery],
    *,
    wires: Iterable[tuple[str, bytes]] = (),
) -> Verdict:
    """Compare what was sent with what arrived.

    Args:
        wires: (recipient, bytes) that no one could open; still searched for traces.
    """
    verdict = Verdict(sent=len(sent))
    verdict.accepted = sum(s.accepted for s in sent)
    verdict.waiting = sum(not s.answer for s in sent)
    verdict.refused = verdict.sent - verdict.accepted - verdict.waiting
    verdict.held = sum(s.accepted and not s.plan.must and not s.plan.may for s in sent)
    by_marker = {s.plan.marker: s for s in sent}
    arrived: dict[str, dict[str, list[Kept]]] = defaultdict(lambda: defaultdict(list))
    index = Index(hospital.everyone)
    rights = {rule.recipient: rule.identity for rule in rules}
    for delivery in deliveries:
        source = _source_of(delivery.data, by_marker)
        verdict.findings += _leaks(delivery, source, index, rights)
        if source is not None:
            arrived[delivery.recipient][source.plan.control_id].append(delivery.kept)
    for recipient, data in wires:
        verdict.findings += [
            Finding("leaked", recipient, "", f"{t.kind} in {t.form}") for t in index.search(data)
        ]
    _count_deliveries(verdict, rules, sent, arrived)
    kinds = Counter(f.kind for f in verdict.findings)
    verdict.lost, verdict.duplicated = kinds["lost"], kinds["duplicated"]
    verdict.leaked = len({(f.recipient, f.message) for f in verdict.findings if f.kind == "leaked"})
    return verdict


def markers_in(data: bytes) -> list[str]:
    """List the markers of a message: numbers in OBX-5, and EVN-2."""
    found = []
    for line in data.split(b"\r"):
        name = line[:3]
        if name not in {b"OBX", b"EVN"}:
            continue
        fields = line.split(line[3:4])
        wanted = _OBX_VALUE if name == b"OBX" else _EVENT_TIME
        if len(fields) > wanted:
            value = fields[wanted].decode("ascii", "replace")
            if name == b"EVN" or _MARKER.fullmatch(value):
                found.append(value)
    return found


def _source_of(data: bytes, by_marker: Mapping[str, Sent]) -> Sent | None:
    for mark in markers_in(data):
        if (source := by_marker.get(mark)) is not None:
            return source
    return None


def _leaks(
    delivery: Delivery, source: Sent | None, index: Index, rights: Mapping[str, frozenset[str]]
) -> list[Finding]:
    recipient = delivery.recipient
    if source is None:
        return [Finding("leaked", recipient, "", "matches nothing that was sent")]
    plan, whats = source.plan, []
    if recipient not in plan.must | plan.may:
        whats.append(f"{plan.type} is not for this recipient")
    own, allowed = set(plan.patients), rights.get(recipient, frozenset())
    whats += [f"{trace.kind} on the wire, in {trace.form}" for trace in index.search(delivery.wire)]
    for trace in index.search(delivery.data):
        if trace.kind not in allowed:
            whats.append(f"{trace.kind} in {trace.form}")
        elif trace.kind in _STRONG and not trace.owners & own:
            whats.append(f"another patient's {trace.kind} in {trace.form}")
    return [Finding("leaked", recipient, plan.control_id, what) for what in whats]


def _count_deliveries(
    verdict: Verdict,
    rules: Sequence[Rule],
    sent: Sequence[Sent],
    arrived: Mapping[str, Mapping[str, list[Kept]]],
) -> None:
    for rule in rules:
        here = arrived.get(rule.recipient, {})
        verdict.delivered[rule.recipient] = len(here)
        due = [s for s in sent if s.accepted and rule.recipient in s.plan.must]
        verdict.expected[rule.recipient] = len(due)
        verdict.findings += [
            Finding("lost", rule.recipient, s.plan.control_id, s.plan.type)
            for s in due
            if s.plan.control_id not in here
        ]
        for control_id, copies in here.items():
            _count_copies(verdict, rule.recipient, control_id, copies)


def _count_copies(verdict: Verdict, recipient: str, control_id: str, copies: Sequence[Kept]) -> None:
    for earlier, later in pairwise(copies):
        if earlier.id != later.id:
            verdict.duplicated_new_id += 1
            verdict.findings.append(Finding("duplicated", recipient, control_id, "under another outgoing id"))
        elif earlier.acked:
            verdict.findings.append(Finding("duplicated", recipient, control_id, "after it was acknowledged"))
        else:
            verdict.repeated += 1
