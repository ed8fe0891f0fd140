"""Lost, duplicated, leaked: counted from what was sent and from what recipients kept, and from nothing else.

Rules:
- *Lost*: acknowledged, due at a recipient, and absent there when everything had time to arrive.
- *Withheld*: due by the policy the run began with, and kept back by one that people put in force meanwhile. Whoever runs the site
  says of each (``withhold``) that another policy than the first decided so; what the first one keeps back is lost. It must not
  arrive any more: then it is leaked, unless whoever runs the site says that the policy in force when it went permits it again
  (``allow``); then it is due like any other.
- *Duplicated*: the same source message at one recipient more than once, unless the recipient never
  acknowledged the earlier copy and the id is the same (then the sender had to repeat it).
- *Disordered*: two messages of one sender in the other order, where order is promised.
- *Leaked*: delivered to somebody it was not for; or a trace of any patient or device in the bytes of a
  recipient that may not see that kind; or a trace of *another* patient where identity is allowed; or bytes that match nothing sent.
- A patient who withdraws: what was on its way then need not arrive, and what arrives at those recipients later than the
  time allowed for it to take effect is leaked. That time is measured.
- A patient who permits something meanwhile: what is sent from then on may arrive, and a little later it must.
- A patient who withholds one class of data: all else is due where they permit it, and that class in it is leaked.
- A message of somebody unknown is for nobody until it is ``adopted`` (whoever runs the site says so, and the
  demo asks the inventory); what was released then counts as an extra delivery, not as one that was due.
- Findings name kind, recipient and the source's control id; never a value. The bytes a leak was seen in are kept apart (``evidence``).

Deliberately absent: anything Oathward says about itself.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from oathward_sim.evidence import KEPT_MAX, Evidence, gather
from oathward_sim.hl7 import tells_born
from oathward_sim.hospital import Choice, Hospital
from oathward_sim.plan import MARKER_DECIMALS, Rule, Sent
from oathward_sim.recipients import Kept
from oathward_sim.traces import Index
from oathward_sim.verdict import Delivery, Finding, Given, Missing, Returned, Verdict, Withdrawal

__all__ = [
    "Delivery",
    "Finding",
    "Given",
    "Judge",
    "Missing",
    "Returned",
    "Verdict",
    "Withdrawal",
    "judge",
    "markers_in",
]

_MARKER = re.compile(rf"\d{{1,2}}\.\d{{{MARKER_DECIMALS}}}")
_JSON_MARKER = re.compile(rb'"value"\s*:\s*"?(\d{1,2}\.\d{%d})(?=["\s,}])' % MARKER_DECIMALS)
_STRONG = frozenset({"identifier", "phone", "email"})
_OBX_VALUE, _EVENT_TIME = 5, 2


class Judge:
    """Counts as things happen, so that a long run can be watched and need not be kept.

    Tell it of every message sent (``know``) and of everything that arrived (``see``, ``see_unopened``); ask
    for the ``verdict`` at any time.
    """

    def __init__(self, hospital: Hospital, rules: Sequence[Rule]) -> None:
        self._index = Index(hospital.everyone, hospital.devices)
        self._rights = {rule.recipient: rule.identity for rule in rules}
        self._by_marker: dict[str, Sent] = {}
        self._open: dict[str, Sent] = {}
        self._last: dict[
            tuple[str, str], tuple[str, Kept]
        ] = {}  # of what came last: outgoing id, and whether it was answered
        self._settled: Counter[str] = Counter()
        self._delivered: Counter[str] = Counter({rule.recipient: 0 for rule in rules})
        self._expected: Counter[str] = Counter({rule.recipient: 0 for rule in rules})
        self._optional: Counter[str] = Counter({rule.recipient: 0 for rule in rules})
        self._early: list[tuple[str, Finding]] = []  # sender, and what is a leak as long as it is not adopted
        self._adopted: set[str] = set()
        self._ordered = {rule.recipient for rule in rules if rule.ordered}
        self._newest: dict[tuple[str, str], int] = {}  # recipient and sender -> request that came last
        self._withdrawals: list[Withdrawal] = []
        self._given: list[Given] = []
        self._came: dict[
            tuple[str, str], tuple[int, float]
        ] = {}  # patient and recipient -> how many, when last
        self._born: Counter[tuple[str, str]] = Counter()  # patient and recipient -> how often it said when
        self._narrowed = frozenset(p.mrn for p in hospital.everyone if p.choice is Choice.NARROWS)
        self._needing = frozenset(rule.recipient for rule in rules if rule.needs_permission)
        self._overtaken: set[tuple[str, str]] = set()  # arrived after a withdrawal that might have stopped it
        self._withheld: set[tuple[str, str]] = set()
        self._returned: dict[tuple[str, str], tuple[Returned, Finding]] = {}
        self._repeated = self._new_ids = 0
        self._findings: list[Finding] = []
        self.evidence: list[Evidence] = []
        """What the first leaks were seen in."""

    def know(self, sent: Iterable[Sent]) -> None:
        """Take in messages that are on their way or answered."""
        for one in sent:
            self._by_marker[one.plan.marker] = self._open[one.plan.marker] = one

    def adopt(self, sender: str) -> None:
        """Learn that a sender which was unknown is a device of the site now: its messages may go out."""
        self._adopted.add(sender)

    def see(self, delivery: Delivery) -> None:
        """Take in one delivery: whose it is, whether it came before, what can be read in it."""
        found = (self._by_marker.get(mark) for mark in markers_in(delivery.data))
        sources = list({s.plan.marker: s for s in found if s is not None}.values())
        before = len(self._findings)
        self._findings += self._leaks(delivery, sources)
        returned = set(self._returned)
        for source in sources:  # what was sent in one batch may leave as one
            self._arrived(delivery, source)
        back = [finding for key, (_, finding) in self._returned.items() if key not in returned]
        self._keep(delivery, sources, [*self._findings[before:], *back])

    def _arrived(self, delivery: Delivery, source: Sent) -> None:
        key = (delivery.recipient, source.plan.control_id)
        earlier = self._last.get(key)
        self._last[key] = delivery.outgoing_id, delivery.kept
        if earlier is not None:
            self._compare(key, *earlier, delivery.outgoing_id)
            return
        if key in self._withheld:
            leak = Finding("leaked", *key, "though the policy in force withholds it")
            self._returned[key] = Returned(delivery.recipient, source, delivery.kept.at_s), leak
        for mrn in source.plan.patients:
            count, _ = self._came.get((mrn, delivery.recipient), (0, 0.0))
            self._came[mrn, delivery.recipient] = count + 1, delivery.kept.at_s
        must = delivery.recipient in self._must(source)
        if self._withdrawn(delivery, source):
            self._overtaken.add(key)
            must = False
        self._delivered[delivery.recipient] += 1
        self._optional[delivery.recipient] += not must
        if must and delivery.recipient in self._ordered:
            self._in_order(delivery.recipient, source)

    def missing(self, late_s: float = 0.0) -> list[Missing]:
        """List what is due and has not arrived; ``late_s`` as of ``verdict``."""
        self._settle()
        before_s = time.time() - late_s
        late = [sent for sent in self._open.values() if sent.accepted and sent.answered_s <= before_s]
        found = [(recipient, sent) for sent in late for recipient in self._missing(sent)]
        groups: dict[tuple[str, int], list[Sent]] = {
            (sent.sender, sent.number): [] for _, sent in found if sent.number
        }
        if groups:
            for sent in self._by_marker.values():
                if (request := (sent.sender, sent.number)) in groups:
                    groups[request].append(sent)
        return [self._absent(r, s, groups.get((s.sender, s.number)) or [s]) for r, s in found]

    def _absent(self, recipient: str, sent: Sent, group: Sequence[Sent]) -> Missing:
        """Say what became of the rest of a request at the same recipient."""
        came = [s for s in group if (recipient, s.plan.control_id) in self._last]
        absent = [
            s
            for s in group
            if s not in came
            and (recipient in self._due(s) or (recipient, s.plan.control_id) in self._withheld)
        ]
        people = len({s.plan.patients for s in absent})
        return Missing(recipient, sent, len(came), len(group) - len(came) - len(absent), people)

    def withhold(self, recipient: str, control_id: str) -> None:
        """Learn that a policy other than the first kept a message back from a recipient: it is not due, and may not come."""
        self._withheld.add((recipient, control_id))

    def returned(self) -> list[Returned]:
        """List what arrived though it was said to be withheld: leaked, as long as it is not allowed."""
        return [returned for returned, _ in self._returned.values()]

    def allow(self, recipient: str, control_id: str) -> None:
        """Learn that what returned was permitted by the policy in force when it was delivered: due like any other."""
        key = recipient, control_id
        returned, _ = self._returned.pop(key)
        self._withheld.discard(key)
        if returned.sent.plan.marker not in self._open:  # counted already, without it
            self._expected[recipient] += recipient in self._due(returned.sent)

    def withdraw(self, withdrawal: Withdrawal) -> None:
        """Learn that a patient took permission back."""
        self._withdrawals.append(withdrawal)

    def give(self, given: Given) -> None:
        """Learn that a patient permits something, for the first time or again."""
        again = [
            one
            for one in self._withdrawals
            if one.mrn == given.mrn and given.recipient in one.recipients and math.isinf(one.again_s)
        ]
        for one in again:
            one.again_s = given.asked_s
        self._given.append(given)

    def came(self, mrn: str, recipient: str) -> tuple[int, float]:
        """Say how much of a patient arrived at a recipient, and when the last of it did."""
        return self._came.get((mrn, recipient), (0, 0.0))

    def told_born(self, mrn: str, recipient: str) -> int:
        """Say how many of a patient's deliveries told a recipient when they were born."""
        return self._born[mrn, recipient]

    def _must(self, sent: Sent) -> frozenset[str]:
        """Name who has to have a message: by what was meant when it was planned, and what its patient permitted since."""
        given = {one.recipient for one in self._given if one.demands(sent)}
        return sent.plan.must | given if given else sent.plan.must

    def _withdrawn(self, delivery: Delivery, source: Sent) -> bool:
        """Whether a withdrawal might have stopped this; one that had to is a leak."""
        found = False
        for one in self._withdrawals:
            at_s = delivery.kept.at_s
            if (
                delivery.recipient in one.recipients
                and one.mrn in source.plan.patients
                and one.asked_s < at_s < one.again_s
            ):
                one.last_s = max(one.last_s, at_s)
                found = found or one.overtakes(source)
                if at_s > one.told_s + one.effect_s_max:
                    what = "after the patient withdrew"
                    self._findings.append(Finding("leaked", delivery.recipient, source.plan.control_id, what))
        return found

    def _in_order(self, recipient: str, source: Sent) -> None:
        key = (recipient, source.sender)
        if source.number < self._newest.get(key, 0):
            self._findings.append(
                Finding("disordered", recipient, source.plan.control_id, "after a later one")
            )
        self._newest[key] = max(self._newest.get(key, 0), source.number)

    def see_unopened(self, delivery: Delivery) -> None:
        """Take in bytes that their recipient could not open: still nothing may be read in them (``wire``)."""
        found = [Finding("leaked", delivery.recipient, "", what) for what in self._on_the_wire(delivery)]
        self._findings += found
        self._keep(delivery, [], found)

    def outstanding(self) -> int:
        """Count deliveries that are due and have not arrived."""
        self._settle()
        return sum(len(self._missing(s)) for s in self._open.values() if s.accepted)

    def verdict(self, *, late_s: float = 0.0) -> Verdict:
        """Sum up, taking what has not arrived by now for lost.

        Args:
            late_s: what was answered less than this ago may still be on its way.
        """
        self._settle()
        answered_before_s = time.time() - late_s
        verdict = Verdict(
            sent=len(self._by_marker), accepted=self._settled["accepted"], refused=self._settled["refused"],
            held=self._settled["held"], delivered=dict(self._delivered), expected=dict(self._expected),
            optional=dict(self._optional), repeated=self._repeated, duplicated_new_id=self._new_ids,
            withdrawals=self._withdrawals,
            withheld=dict(Counter(recipient for recipient, _ in self._withheld)),
            findings=[
                *self._findings,
                *(finding for _, finding in self._returned.values()),
                *(f for who, f in self._early if who not in self._adopted),
            ],
        )  # fmt: skip
        for sent in self._open.values():
            verdict.accepted += sent.accepted
            verdict.waiting += not sent.answer
            for recipient in self._due(sent):
                verdict.expected[recipient] += 1
            if sent.answered_s <= answered_before_s:
                verdict.findings += [
                    Finding("lost", r, sent.plan.control_id, sent.plan.type) for r in self._missing(sent)
                ]
        kinds = Counter(f.kind for f in verdict.findings)
        verdict.lost, verdict.duplicated = kinds["lost"], kinds["duplicated"]
        verdict.disordered = kinds["disordered"]
        verdict.leaked = len({(f.recipient, f.message) for f in verdict.findings if f.kind == "leaked"})
        return verdict

    def _settle(self) -> None:
        """Close what was answered and has arrived everywhere it is due."""
        done = [s for s in self._open.values() if s.answer and not self._missing(s)]
        for sent in done:
            del self._open[sent.plan.marker]
            self._settled["accepted" if sent.accepted else "refused"] += 1
            self._settled["held"] += sent.accepted and not sent.plan.must and not sent.plan.may
            if sent.accepted:
                self._expected.update(self._due(sent))
            for one in self._withdrawals:
                stopped = one.recipients & self._must(sent) if sent.accepted and one.overtakes(sent) else ()
                one.stopped += any((r, sent.plan.control_id) not in self._last for r in stopped)

    def _due(self, sent: Sent) -> frozenset[str]:
        """Name who has to have an accepted message: whom it was meant for, less what a withdrawal overtook."""
        if not sent.accepted:
            return frozenset()
        due = self._must(sent) & self._expected.keys()
        if self._withheld:
            due -= {recipient for recipient in due if (recipient, sent.plan.control_id) in self._withheld}
        for one in self._withdrawals:
            if one.overtakes(sent):
                keys = ((r, sent.plan.control_id) for r in one.recipients & due)
                due -= {r for r, id_ in keys if (r, id_) not in self._last or (r, id_) in self._overtaken}
        return frozenset(due)

    def _missing(self, sent: Sent) -> list[str]:
        return [r for r in sorted(self._due(sent)) if (r, sent.plan.control_id) not in self._last]

    def _compare(self, key: tuple[str, str], earlier_id: str, earlier: Kept, later_id: str) -> None:
        if earlier_id != later_id:
            self._new_ids += 1
            self._findings.append(Finding("duplicated", *key, "under another outgoing id"))
        elif earlier.acked:
            self._findings.append(Finding("duplicated", *key, "after it was acknowledged"))
        else:
            self._repeated += 1

    def _leaks(self, delivery: Delivery, sources: Sequence[Sent]) -> list[Finding]:
        recipient = delivery.recipient
        whats = [what for source in sources if (what := self._not_for(recipient, source))]
        if not sources:
            whats.append("matches nothing that was sent")
        if len({source.plan.patients for source in sources}) > 1:
            whats.append("messages of several patients in one")
        message, patients = (sources[0].plan.control_id, sources[0].plan.patients) if sources else ("", ())
        own, allowed = set(patients), self._rights.get(recipient, frozenset())
        whats += self._on_the_wire(delivery)
        if tells_born(delivery.data):
            self._born.update((mrn, recipient) for mrn in own)
            if recipient in self._needing and own & self._narrowed:
                whats.append("a class of data that the patient withholds")
        for trace in self._index.search(delivery.data):
            if trace.kind not in allowed:
                whats.append(f"{trace.kind} in {trace.form}")
            elif trace.kind in _STRONG and not trace.owners & own:
                whats.append(f"another patient's {trace.kind} in {trace.form}")
        return [Finding("leaked", recipient, message, what) for what in whats]

    def _on_the_wire(self, delivery: Delivery) -> list[str]:
        return [f"{t.kind} on the wire, in {t.form}" for t in self._index.search(delivery.wire)]

    def _keep(self, delivery: Delivery, sources: Sequence[Sent], found: Sequence[Finding]) -> None:
        """Keep what a leak was seen in."""
        leaks = [finding for finding in found if finding.kind == "leaked"]
        if leaks and len(self.evidence) < KEPT_MAX:
            who = delivery.recipient, leaks[0].message
            whats = [finding.what for finding in leaks]
            self.evidence.append(
                gather(self._index, delivery.kept, (*who, whats), delivery.data, delivery.wire, sources)
            )

    def _not_for(self, recipient: str, source: Sent) -> str:
        """Say that a message is not for a recipient; of a stranger's, that is told later, unless it is adopted."""
        plan = source.plan
        if recipient in plan.must | plan.may or any(one.covers(recipient, source) for one in self._given):
            return ""
        what = f"{plan.type} is not for this recipient"
        if recipient not in plan.once_adopted:
            return what
        self._early.append((source.sender, Finding("leaked", recipient, plan.control_id, what)))
        return ""


def judge(
    hospital: Hospital, rules: Sequence[Rule], sent: Iterable[Sent], deliveries: Iterable[Delivery]
) -> Verdict:
    """Compare what was sent with what arrived, in one go."""
    one = Judge(hospital, rules)
    one.know(sent)
    for delivery in deliveries:
        one.see(delivery)
    return one.verdict()


def markers_in(data: bytes) -> list[str]:
    """List the markers of a message: numbers in OBX-5, and EVN-2; of FHIR any value that has the form of one."""
    if data.startswith(b"{"):
        return [mark.decode() for mark in _JSON_MARKER.findall(data)]
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
