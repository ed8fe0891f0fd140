"""The demo told in six steps: who is who, what flows, what is held, a withdrawal, a night, the proof.

Rules:
- A step is told when what it speaks of has happened, never before; each once.
- Every number is the simulator's own count, or the site's answer to a command that anyone can type.
- Names of patients do not appear: a bed and a device say enough.

Deliberately absent: drawing (``view.py``), counting (the judge).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oathward.cli.demo.people import CLARA, NILS

if TYPE_CHECKING:
    from oathward_sim.hospital import Hospital
    from oathward_sim.judge import Verdict, Withdrawal
    from oathward_sim.patients import Deed, Scenes

_FLOWS_S, _FLOWS_S_MAX, _HELD_S, _EFFECT_S = 4.0, 12.0, 7.0, 3.0
"""When there is something to see: of what flows once it has arrived everywhere, or after so long in any case."""

GETS = {
    "ehr": "HL7 v2: everything about its patients, over mutual TLS",
    "home-care": "FHIR: what its patients measure at home, over HTTPS",
    "vendor-cloud": "HL7 v2: devices and measurements, nobody's name",
    "research-registry": "FHIR: only who permits it, sealed to its own key",
}
"""What each recipient of the starter bundle is there for."""

STEPS = (
    "Who is who",
    "What flows",
    "What is held, and why",
    "A patient takes permission back",
    "An emergency at night, and a curious clerk",
    "The proof",
)


def who_is_who(hospital: Hospital) -> list[str]:
    """Say who takes part."""
    lines = [
        f"{len(hospital.patients)} patients in bed, {len(hospital.pumps)} infusion pumps and {len(hospital.monitors)} monitors send HL7 v2,",
        f"{len(hospital.hubs)} home hubs and {len(hospital.wearables)} wearables post FHIR. Some senders lie about who they are.",
        "Four receive, each by a declared link, signed and in force:",
    ]
    return lines + [f"  {name:<18} {what}" for name, what in GETS.items()]


def what_flows(verdict: Verdict) -> list[str]:
    """Say what arrived where; the same message in as many forms as there are links."""
    lines = [f"{verdict.accepted:,} messages were taken in, stored before they were acknowledged:"]
    lines += [f"  {name:<18} {count:>6,} arrived" for name, count in verdict.delivered.items()]
    return [
        *lines,
        "A result from a ward reaches the record as HL7 v2 and, of who permits it, the registry as FHIR.",
    ]


def what_is_held(held: dict[str, int]) -> list[str]:
    """Say what went nowhere."""
    from oathward.core.meanings import MEANINGS
    from oathward.core.reasons import BY_CODE

    if not held:
        return ["Nothing so far."]
    lines = ["Kept sealed, acknowledged, and for a person to decide:"]
    for reason, count in sorted(held.items(), key=lambda item: -item[1]):
        what = MEANINGS[BY_CODE[reason]].what if reason in BY_CODE else ""
        lines.append(f"  {count:>6,}  {reason:<26} {what}")
    return lines


def withdrawal(hospital: Hospital, found: Withdrawal) -> list[str]:
    """Say how long it took."""
    who = hospital.withdraws
    told = f"The command was done after {found.told_s - found.asked_s:.1f} s"
    last = f"the last row of this patient reached the registry {found.effect_s:.1f} s later"
    return [
        f"The patient in {who.ward} {who.room}-{who.bed}, who wears {hospital.wearables[0].name} at home, says no to research.",
        "  oathward consent record --deny --purpose HRESCH --identifier-file FILE",
        f"{told}; {last if found.effect_s else 'nothing of this patient reached the registry after it'}.",
        f"{found.stopped:,} messages since then did not go to the registry, on either wire. Care still gets them.",
    ]


def night(deeds: Iterable[Deed]) -> list[str]:
    """Say what staff did."""
    lines = []
    for one in deeds:
        if one.who == "clinician":
            took = f"{one.told_s - one.asked_s:.1f} s"
            lines.append(
                f"{CLARA} breaks the glass for the patient in your bed: the data are there after {took}."
            )
        elif one.who == "clerk":
            lines.append(f"{NILS} opens a message of yours, and nothing on record says why.")
    if lines:
        lines.append(
            "You find both at the portal; a reviewer finds them with `access list --waiting` and `break-glass list`."
        )
    return lines


@dataclass(slots=True)
class Story:
    """What was told already.

    Args:
        hospital: who takes part.
        held: asks the site what is held: reason -> count.
        play: what patients and staff do.
    """

    hospital: Hospital
    held: Callable[[], dict[str, int]]
    play: Scenes | None = None
    began_s: float = field(default_factory=time.monotonic)
    told: int = 1  # the first step is told at the start

    def next(self, verdict: Verdict) -> Iterator[str]:
        """Give the lines of the next step, if it is its time."""
        age_s = time.monotonic() - self.began_s
        lines: list[str] = []
        flows = all(verdict.delivered.values()) or age_s > _FLOWS_S_MAX
        if self.told == 1 and age_s > _FLOWS_S and verdict.accepted and flows:
            lines = what_flows(verdict)
        elif self.told == 2 and age_s > _HELD_S:
            lines = what_is_held(self.held())
        elif self.told == 3 and verdict.withdrawals:
            lines = self._withdrawal(verdict)
        elif self.told == 4 and self.play is not None and self.play.night_is_over:
            lines = night(self.play.deeds)
        if lines:
            self.told += 1
            yield from headed(self.told, lines)

    def rest(self, verdict: Verdict) -> Iterator[str]:
        """Give what was not told when the traffic ends."""
        if self.told < 2:
            self.told = 2
            yield from headed(2, what_flows(verdict))
        if self.told < 3:
            self.told = 3
            yield from headed(3, what_is_held(self.held()))
        if self.told == 3 and (found := _at_the_desk(verdict)):
            self.told = 4
            yield from headed(4, withdrawal(self.hospital, found))
        if self.told == 4 and self.play is not None and (lines := night(self.play.deeds)):
            self.told = 5
            yield from headed(5, lines)

    def _withdrawal(self, verdict: Verdict) -> list[str]:
        from oathward.core.clock import wall_s

        found = _at_the_desk(verdict)  # what stopped is counted for a while first
        return withdrawal(self.hospital, found) if found and wall_s() > found.told_s + _EFFECT_S else []


def _at_the_desk(verdict: Verdict) -> Withdrawal | None:
    return next((one for one in verdict.withdrawals if one.path == "desk"), None)


def headed(number: int, lines: list[str]) -> list[str]:
    """Put a step's head before its lines."""
    return ["", f"{number} {STEPS[number - 1]}", *(f"  {line}" for line in lines)]
