"""What came of a demo, for people and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oathward_sim.run import Outcome

_FINDINGS_SHOWN_MAX = 8


@dataclass(frozen=True, slots=True)
class Report:
    """The simulator's count, and what ``oathward ledger verify`` said.

    Args:
        ledger: the command's JSON; its ``ok`` counts.
        seconds: of everything, set-up included.
    """

    outcome: Outcome
    ledger: Any
    seed: int
    seconds: float

    @classmethod
    def of(cls, outcome: Outcome, ledger: Any, seed: int, seconds: float) -> Report:
        """Put it together."""
        return cls(outcome, ledger, seed, seconds)

    @property
    def ok(self) -> bool:
        """Something was sent and reached everyone it was for, nothing was lost, duplicated or leaked, and the ledger verifies."""
        verdict = self.outcome.verdict
        flowed = verdict.accepted > 0 and all(verdict.delivered.values())
        return flowed and self.outcome.clean and bool(self.ledger and self.ledger.get("ok"))

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
            "lost": verdict.lost,
            "duplicated": verdict.duplicated,
            "leaked": verdict.leaked,
            "connections_turned_away": outcome.turned_away,
            "sent_again": outcome.resent + outcome.repeats,
            "answers_that_differ": outcome.answers_differ,
            "dropped_on_purpose": outcome.dropped_on_purpose,
            "findings": [
                {"kind": f.kind, "recipient": f.recipient, "message": f.message, "what": f.what}
                for f in verdict.findings[:100]
            ],
            "ledger": self.ledger,
            "seed": self.seed,
            "traffic_s": round(outcome.seconds, 1),
            "seconds": round(self.seconds, 1),
        }


def print_report(report: Report) -> None:
    """Say it in words."""
    verdict, outcome = report.outcome.verdict, report.outcome
    print(
        f"\n{verdict.sent} messages sent, {verdict.accepted} accepted, {verdict.held} of them from devices that must be held."
    )
    for recipient, count in verdict.delivered.items():
        due = verdict.expected[recipient]
        lost = sum(f.kind == "lost" and f.recipient == recipient for f in verdict.findings)
        # A message that the guard is there for may reach a recipient without its name, or not at all.
        more = count + lost - due
        extra = f", and {more} of those that may come or not" if more > 0 else ""
        print(f"  {recipient:<18} {count - max(more, 0):>6} delivered of {due} due{extra}")
    print(
        f"Lost {verdict.lost}, duplicated {verdict.duplicated}, leaked {verdict.leaked}: counted from what was sent and what recipients kept."
    )
    for finding in verdict.findings[:_FINDINGS_SHOWN_MAX]:
        print(f"  {finding.kind} at {finding.recipient}: {finding.message} {finding.what}")
    if len(verdict.findings) > _FINDINGS_SHOWN_MAX:
        print(f"  … and {len(verdict.findings) - _FINDINGS_SHOWN_MAX} more")
    if outcome.turned_away:
        print(f"{outcome.turned_away} connections with a certificate of nobody we know were turned away.")
    ledger = report.ledger or {}
    state = "verified" if ledger.get("ok") else "DOES NOT VERIFY"
    print(
        f"Ledger: {ledger.get('size', 0)} records, {state}; the witness holds {ledger.get('witnessed_size', 0)}."
    )
