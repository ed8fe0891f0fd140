"""Whoever tries the demo, as the patient they are at the portal: their mail, what they chose, and what came of it.

Rules:
- Their letters are shown as they come: a demo has no mailbox of its own.
- What they chose is read from the site's records, and the judge is told; when the last of theirs arrived is the recipient's clock.
- Lines speak of a bed and of devices; no name, no number.

Deliberately absent: playing them where nobody does (``oathward_sim.patients``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oathward.cli.demo.invited import ADDRESSES, NEWCOMER
from oathward.core.clock import from_micros, wall_s

if TYPE_CHECKING:
    from oathward.cli.demo.site import DemoSite
    from oathward_sim.hospital import Hospital
    from oathward_sim.mailbox import Letter, Mailbox
    from oathward_sim.run import Simulation
    from oathward_sim.verdict import Withdrawal

EFFECT_S_MAX = 2.0
"""From the record to the last thing that may arrive; the record's time is a little before its commit."""

_SETTLED_S = 3.0
_RESEARCH = "research-registry"


def welcome(portal: str, hospital: Hospital, letter: Letter) -> list[str]:
    """Say how to be a patient of this hospital. ``portal``: where it is."""
    who = hospital.newcomer
    devices = ", ".join(device.name for device in hospital.newcomer_devices)
    return [
        "",
        f"Be a patient yourself: {who.ward} {who.room}-{who.bed}, with {devices}. Open",
        f"  {letter.link}",
        "and have a code sent. Your mail is shown here as it comes. Then say no to research, and watch it stop below.",
        f"Later you sign in at {portal}/ with {ADDRESSES[NEWCOMER]}",
    ]


@dataclass(slots=True)
class Newcomer:
    """Follows them. ``subject``: the id that the site gave the patient."""

    site: DemoSite
    simulation: Simulation
    mail: Mailbox
    subject: str
    _letters: int = 0
    _chosen: int = 0
    _said: list[Withdrawal] = field(default_factory=list)
    _told: int = 0

    def news(self) -> list[str]:
        """Say what is new since the last time, a line each."""
        return [*self._mail(), *self._choices(), *self._effects()]

    def line(self) -> str:
        """Say how things stand."""
        count, last_s = self.simulation.judge.came(self.simulation.hospital.newcomer.mrn, _RESEARCH)
        code = self.mail.newest_code
        since = f", the last {wall_s() - last_s:.0f} s ago" if last_s else ""
        return f"you: {count:,} of yours at research{since}" + (f"; your newest code: {code}" if code else "")

    def _mail(self) -> list[str]:
        letters = self.mail.letters()
        fresh, self._letters = letters[self._letters :], len(letters)
        lines = []
        for one in fresh:
            what = f"your code: {one.code}" if one.code else one.link
            lines.append(f"Mail for you: {one.subject}. {what}")
        return lines

    def _choices(self) -> list[str]:
        lines = []
        for recipient, answer, at_s in self.site.chosen(self.subject)[self._chosen :]:
            self._chosen += 1
            self._tell(recipient, answer, at_s)
            word = "yes" if answer == "allowed" else "no"
            lines.append(f"You said {word} to {recipient} at {from_micros(round(at_s * 1e6)):%H:%M:%S} UTC.")
        return lines

    def _tell(self, recipient: str, answer: str, at_s: float) -> None:
        from oathward_sim.verdict import Given, Withdrawal

        judge, mrn = self.simulation.judge, self.simulation.hospital.newcomer.mrn
        if answer == "allowed":
            for rule in self.simulation.rules:
                if rule.recipient == recipient:
                    judge.give(Given(mrn, recipient, rule.types, at_s, at_s))
            return
        said = Withdrawal(mrn, frozenset({recipient}), at_s, at_s, EFFECT_S_MAX, "portal")
        self._said.append(said)
        judge.withdraw(said)

    def _effects(self) -> list[str]:
        lines = []
        for said in self._said[self._told :]:
            if wall_s() < said.told_s + _SETTLED_S:
                break
            self._told += 1
            last = (
                f"the last of yours arrived {said.effect_s:.2f} s later"
                if said.effect_s
                else "nothing of yours arrived after it"
            )
            lines.append(
                f"{', '.join(sorted(said.recipients))}: {last}; {said.stopped:,} messages were stopped since. Care still gets them."
            )
        return lines
