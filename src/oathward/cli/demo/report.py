"""What came of a demo, for people and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oathward.cli.demo.invited import Reviews
from oathward.cli.demo.story import STEPS

if TYPE_CHECKING:
    from oathward_sim.patients import Deed, Promise
    from oathward_sim.run import Outcome

_FINDINGS_SHOWN_MAX = 8
_WIDTH = 79
_WITHHELD = "Withheld is what a policy kept back that people put in force meanwhile, as the site's own records say: it was neither due nor lost."
_NOT_DUE = "Not due is what may come and need not: a message that has a name where the guard looks, those of a device adopted meanwhile, and what a withdrawal overtook."


@dataclass(frozen=True, slots=True)
class Told:
    """What patients and staff did, what came of it, and what waits for reviewers."""

    deeds: Sequence[Deed] = ()
    promises: Sequence[Promise] = ()
    reviews: Reviews = field(default_factory=Reviews)

    @property
    def kept(self) -> bool:
        """Nothing that was tried came out otherwise than promised."""
        return all(one.kept is not False for one in self.promises)


@dataclass(frozen=True, slots=True)
class Report:
    """The simulator's count, and what ``oathward ledger verify`` said.

    Args:
        ledger: the command's JSON; its ``ok`` counts.
        seconds: of everything, set-up included.
        evidence: the folder of what leaks were seen in; None where nothing leaked.
    """

    outcome: Outcome
    ledger: Any
    seed: int
    seconds: float
    evidence: Path | None = None
    told: Told = field(default_factory=Told)

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        ledger: Any,
        seed: int,
        seconds: float,
        evidence: Path | None = None,
        told: Told | None = None,
    ) -> Report:
        """Put it together."""
        return cls(outcome, ledger, seed, seconds, evidence, told or Told())

    @property
    def ok(self) -> bool:
        """Something was sent and reached everyone it was for, nothing was lost, duplicated, disordered or leaked, what was promised was kept, and the ledger verifies."""
        verdict = self.outcome.verdict
        flowed = verdict.accepted > 0 and all(verdict.delivered.values())
        return (
            flowed and self.outcome.clean and self.told.kept and bool(self.ledger and self.ledger.get("ok"))
        )

    def as_dict(self) -> dict[str, Any]:
        """Give it as JSON has it."""
        outcome, verdict = self.outcome, self.outcome.verdict
        return {
            "ok": self.ok,
            "sent": verdict.sent,
            "accepted": verdict.accepted,
            "held": verdict.held,
            "refused": verdict.refused,
            "unanswered": verdict.waiting,
            "delivered": verdict.delivered,
            "due": verdict.expected,
            "delivered_not_due": verdict.optional,
            "withheld": verdict.withheld,
            "lost": verdict.lost,
            "duplicated": verdict.duplicated,
            "disordered": verdict.disordered,
            "leaked": verdict.leaked,
            "withdrawals": [
                {
                    "told_after_s": round(one.told_s - one.asked_s, 3),
                    "effect_s": round(one.effect_s, 3),
                    "effect_s_max": one.effect_s_max,
                    "at_most_s": round(one.at_most_s, 3),
                    "stopped": one.stopped,
                    "path": one.path,
                }
                for one in verdict.withdrawals
            ],
            "deeds": [
                {"who": one.who, "what": one.what, "took_s": round(one.told_s - one.asked_s, 3)}
                for one in self.told.deeds
            ],
            "promises": [
                {"what": one.what, "kept": one.kept, "after_s": one.after_s, "why": one.why}
                for one in self.told.promises
            ],
            "reviews": {
                "unexplained": self.told.reviews.unexplained,
                "of_the_clerk": self.told.reviews.of_the_clerk,
                "glasses": self.told.reviews.glasses,
            },
            "connections_turned_away": outcome.turned_away,
            "sent_again": outcome.resent + outcome.repeats,
            "answers_that_differ": outcome.answers_differ,
            "dropped_on_purpose": outcome.dropped_on_purpose,
            "findings": [
                {"kind": f.kind, "recipient": f.recipient, "message": f.message, "what": f.what}
                for f in verdict.findings[:100]
            ],
            "evidence": str(self.evidence) if self.evidence else None,
            "ledger": self.ledger,
            "seed": self.seed,
            "traffic_s": round(outcome.seconds, 1),
            "seconds": round(self.seconds, 1),
        }


def _print(text: str) -> None:
    """Print a sentence, broken between words where a narrow terminal would break within one."""
    lines = text.split("\n")
    print("\n".join(textwrap.fill(line, _WIDTH) for line in lines))


def print_report(report: Report) -> None:
    """Say it in words."""
    verdict, outcome = report.outcome.verdict, report.outcome
    print(f"\n{len(STEPS)} {STEPS[-1]}")
    _print(
        f"{verdict.sent} messages sent, {verdict.accepted} accepted, {verdict.held} of them from devices that must be held."
    )
    for recipient, count in verdict.delivered.items():
        due = verdict.expected[recipient]
        more = verdict.optional.get(recipient, 0)
        extra = f", and {more} not due" if more else ""
        kept = verdict.withheld.get(recipient, 0)
        extra += f", {kept} withheld" if kept else ""
        print(f"  {recipient:<18} {count - more:>6} delivered of {due} due{extra}")
    if any(verdict.optional.values()):
        _print(_NOT_DUE)
    if any(verdict.withheld.values()):
        _print(_WITHHELD)
    _print(
        f"Lost {verdict.lost}, duplicated {verdict.duplicated}, leaked {verdict.leaked}, disordered {verdict.disordered}: counted from what was sent and what recipients kept."
    )
    for one in report.told.promises:
        state = "not tried" if one.kept is None else "kept" if one.kept else "BROKEN"
        took = f", {one.after_s} s" if one.after_s is not None else ""
        print(f"  {state:<10} {one.what}{took}{f' ({one.why})' if one.why else ''}")
    for finding in verdict.findings[:_FINDINGS_SHOWN_MAX]:
        print(f"  {finding.kind} at {finding.recipient}: {finding.message} {finding.what}")
    if len(verdict.findings) > _FINDINGS_SHOWN_MAX:
        print(f"  … and {len(verdict.findings) - _FINDINGS_SHOWN_MAX} more")
    if report.evidence:
        print(f"What leaks were seen in: {report.evidence}")
    if outcome.turned_away:
        _print(f"{outcome.turned_away} connections with a certificate of nobody we know were turned away.")
    ledger = report.ledger or {}
    state = "verified" if ledger.get("ok") else "DOES NOT VERIFY"
    _print(
        f"Ledger: {ledger.get('size', 0)} records, {state}; the witness holds {ledger.get('witnessed_size', 0)}."
    )
