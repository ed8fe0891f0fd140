"""What simulated patients, and people around them, do at the portal and the console while devices send.

| who | what they do |
|---|---|
| the newcomer | comes in by an invitation, and says no to research; somebody who tries the demo may play them instead |
| one whose permission ended | gives it again |
| a parent | has a choice of their child open while their time ends, and presses |
| that one's hub | says no by a FHIR Consent, then an old yes once more |
| a thief | has a mail address and guesses codes |
| one who narrows | lies in bed: permits research, but for when they were born |
| a pump | says that the newcomer is somebody else |
| a department | says so of another, and may send such messages |
| a clinician at night | breaks the glass for the newcomer, and ends it |
| a clerk | opens a message of the newcomer's that is none of their work |

Rules:
- The list of what each did is the simulator's own, with times of its own clock; what came of it is looked for where the patient
  would: at recipients' sockets, on pages, in letters.
- A *promise* is kept, broken, or not tried: what did not come about says so, and a broken one names no patient.

Deliberately absent: who made the invitations and the links (staff of the site), anything read from the product's database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from oathward_sim.contrary import Consents, merge
from oathward_sim.holder import Holder
from oathward_sim.hospital import AUTHORITY, Device, Patient
from oathward_sim.plan import Planned
from oathward_sim.run import Config, Simulation
from oathward_sim.senders import FhirSender, Sender
from oathward_sim.staff import Staff

EFFECT_S_MAX = 1.0
"""How long after the site said that it knows something may still arrive: what is promised."""

_STEP_S, _COMES_S = 0.1, 15.0
_RESEARCH, _VENDOR, _CARE = "research-registry", "vendor-cloud", "ehr"
_THIEF = "127.0.0.2"
T = TypeVar("T")
_WORDS = "found unresponsive, need the last readings"


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing somebody did. ``who``: a part in the play, never a name; times are seconds since 1970."""

    who: str
    what: str
    asked_s: float
    told_s: float


@dataclass(frozen=True, slots=True)
class Promise:
    """What had to come of it. ``kept``: None where it was not tried. ``after_s``: how long it took, where that says something."""

    what: str
    kept: bool | None
    after_s: float | None = None
    why: str = ""


@dataclass(slots=True)
class Scenes:
    """The play.

    Args:
        holders: part -> who signs in at the portal; a part that is left out is not played.
        staff: part -> a link that signs in at the console, asked for when it is needed.
        parent_until_s: when the parent's time ends; seconds since 1970.
        names: part of staff -> the name that the patient must read.
        config: the gateway's doors; without it no device contradicts anybody.
    """

    simulation: Simulation
    holders: dict[str, Holder]
    staff: dict[str, Callable[[], str]]
    parent_until_s: float = 0.0
    names: Mapping[str, str] = field(default_factory=dict)
    config: Config | None = None
    deeds: list[Deed] = field(default_factory=list)
    promises: dict[str, Promise] = field(default_factory=dict)
    _played: asyncio.Event = field(default_factory=asyncio.Event)
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, staff_after_s: float | None = None) -> None:
        """Play every part, side by side; one that fails breaks its promise and stops no other.

        Args:
            staff_after_s: so long staff wait; None: until the newcomer has played.
        """
        if staff_after_s is not None or "newcomer" not in self.holders:
            self._played.set()
        parts = {
            "newcomer": self._says_no,
            "gives": self._says_yes,
            "parent": self._too_late,
        }
        self._over.set()
        acts = [self._act(what, parts[what]) for what in parts if what in self.holders]
        if self.config is not None and self.config.secure is not None:
            acts += [self._act("pump", self._merged), self._act("department", self._merged_beside)]
            acts.append(self._act("one who narrows", self._narrowed))
        await asyncio.gather(*acts, self._staff(staff_after_s or 0.0))

    @property
    def night_is_over(self) -> bool:
        """Whether staff have done what they do."""
        return {"clinician", "clerk"} <= {one.who for one in self.deeds}

    async def _staff(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._played.wait()
        if "clinician" in self.staff:
            await self._act("clinician", self._at_night)
        if "clerk" in self.staff:
            await self._act("clerk", self._snoops)

    async def _act(self, part: str, play: Callable[[], Awaitable[None]]) -> None:
        try:
            await play()
        except (LookupError, TimeoutError, OSError) as error:
            self._promise(f"the {part} gets through", kept=False, why=str(error) or type(error).__name__)
        finally:
            if part == "newcomer":
                self._played.set()

    def _promise(self, what: str, *, kept: bool | None, after_s: float | None = None, why: str = "") -> None:
        self.promises[what] = Promise(what, kept, after_s, why)

    def _did(self, who: str, what: str, asked_s: float, told_s: float) -> None:
        self.deeds.append(Deed(who, what, asked_s, told_s))

    async def _says_no(self) -> None:
        """Enrol, wait until something of theirs reached research, and say no."""
        holder, who = self.holders["newcomer"], self.simulation.hospital.newcomer
        await holder.enrol()
        await self._until(lambda: self._came(who)[0] > 0)
        pressed = await holder.choose(_RESEARCH, yes=False)
        if not pressed.took:
            raise LookupError("no to research was not taken")
        self._did("newcomer", "withdraws research at the portal", pressed.asked_s, pressed.told_s)
        self.simulation.withdrawn(who, pressed.asked_s, pressed.told_s, EFFECT_S_MAX, "portal")
        devices = {f"{one.make} {one.model}" for one in self.simulation.hospital.newcomer_devices}

        async def all_there() -> bool:
            text = (await holder.read("/devices")).text
            return all(name in text for name in devices)

        self._promise("the patient sees each of their devices", kept=await _tried(all_there))

    async def _says_yes(self) -> None:
        """Enrol, say yes, see that something arrives; then somebody else guesses codes."""
        holder, who = self.holders["gives"], self.simulation.hospital.gives
        await holder.enrol()
        before, _ = self._came(who)
        pressed = await holder.choose(_RESEARCH, yes=True)
        if not pressed.took:
            raise LookupError("yes to research was not taken")
        self._did("gives", "permits research at the portal", pressed.asked_s, pressed.told_s)
        self.simulation.given(who, pressed.asked_s, pressed.told_s)
        came = await self._until(lambda: self._came(who)[0] > before)
        first_s = max(0.0, time.time() - pressed.told_s)
        self._promise("what a patient permits arrives", kept=came, after_s=round(first_s, 1))
        if self.config is not None:
            await self._contradicted(self.config, who)
        self._promise("guessing codes is shut", kept=await holder.guess(source=_THIEF))

    async def _contradicted(self, config: Config, who: Patient) -> None:
        """Say no by the hub at home, then an old yes once more: the judge sees whether anything comes of that."""
        hospital = self.simulation.hospital
        hub = hospital.hubs[1]
        told = Consents(hospital, hub, who, self.simulation.rules, 0)
        if config.fhir is None:
            return
        door = replace(config.fhir, tls=config.device_tls.get(hub.name))
        sender = FhirSender(f"{hub.name}, Consents", door, iter(()), seed=hospital.seed)
        self.simulation.senders.append(sender)
        await sender.send_all([told.introduction()])
        asked_s = time.time()
        await sender.send_all([told.no()])
        told_s = time.time()
        self._did("hub", "brings a no to research", asked_s, told_s)
        self.simulation.withdrawn(who, asked_s, told_s, EFFECT_S_MAX, "fhir")
        await sender.send_all([told.old_yes()])
        self._did("hub", "brings an old yes once more", told_s, time.time())
        await sender.run(self._over)  # closes the connection

    async def _merged(self) -> None:
        """Let a pump say who is who: what is due goes on."""
        hospital = self.simulation.hospital
        pump, who = hospital.pumps[0], hospital.newcomer
        await self._says_one("pump", pump, merge(hospital, pump, who), who)

    async def _merged_beside(self) -> None:
        """Let a department do so, whose messages are taken: what is due goes on."""
        hospital = self.simulation.hospital
        clinic, who = hospital.department, hospital.withdraws
        plan = merge(hospital, clinic, who, self.simulation.rules, days=2)
        await self._says_one("department", clinic, plan, who)

    async def _says_one(self, part: str, device: Device, plan: Planned, who: Patient) -> None:
        """Send a merge, and see that what its patient's devices send still goes where the other one denies it."""
        config, what = self.config, f"a merge by a {part} changes nothing"
        assert config is not None, "without doors nobody plays it"
        assert config.secure is not None, "without doors nobody plays it"
        door = replace(config.secure, tls=config.device_tls.get(device.name))
        sender = Sender(f"{device.name}, a merge", door, iter(()), seed=self.simulation.hospital.seed)
        self.simulation.senders.append(sender)
        asked_s = time.time()
        await sender.send_all([plan])
        told_s = time.time()
        self._did(part, "says that two are one", asked_s, told_s)
        later_s = told_s + EFFECT_S_MAX
        came = self.simulation.judge.came
        self._promise(what, kept=await self._until(lambda: came(who.mrn, _VENDOR)[1] > later_s))
        await sender.run(self._over)  # closes the connection

    async def _narrowed(self) -> None:
        """See that all but one class of somebody's data reaches research, where that class of others arrives."""
        hospital, judge = self.simulation.hospital, self.simulation.judge
        mrn = hospital.narrows.mrn
        others = [one.mrn for one in hospital.patients if one.mrn != mrn]

        def seen() -> bool:
            here = self._came(hospital.narrows)[0] and judge.told_born(mrn, _CARE)
            return bool(here) and any(judge.told_born(one, _RESEARCH) for one in others)

        came = await self._until(seen)
        kept = came and not judge.told_born(mrn, _RESEARCH)
        self._promise("what a patient withholds of a kind stays, and the rest arrives", kept=kept)

    async def _too_late(self) -> None:
        """Enrol as a parent, open a choice, and press once the time is over: nothing is written."""
        holder, what = self.holders["parent"], "a proxy past the end writes nothing"
        self._promise(what, kept=None, why="it did not come to that")
        try:
            await holder.enrol()
            page = await holder.consider(_RESEARCH)
        except LookupError:
            if time.time() < self.parent_until_s:
                raise
            return  # the time was over before a page was open: on a slow machine
        await asyncio.sleep(max(0.0, self.parent_until_s - time.time()) + _STEP_S)
        pressed = await holder.answer(page, yes=True)
        self._did("parent", "presses yes after their time", pressed.asked_s, pressed.told_s)
        self._promise(what, kept=not pressed.took, why=f"answered with {pressed.shown.status}")

    async def _at_night(self) -> None:
        """Find the newcomer, break the glass and end it."""
        who = self.simulation.hospital.newcomer
        if not await self._until(lambda: self._admitted(who)):
            raise LookupError("the feed told of no admission")
        one = await Staff.signed_in(self.staff["clinician"]())
        patient = await _tried(lambda: one.find(who.mrn, AUTHORITY))
        if not patient:
            raise LookupError("the patient was not found on the ward")
        asked_s, told_s = await one.break_glass(patient, _WORDS)
        self._did("clinician", "breaks the glass", asked_s, told_s)
        self._promise(
            "a clinician in an emergency gets through", kept=True, after_s=round(told_s - asked_s, 1)
        )
        await one.end_glass(patient)
        if (holder := self.holders.get("newcomer")) is not None:
            letter = await holder.mail.wait("notice", asked_s, _COMES_S)
            after_s = round(letter.at_s - asked_s, 1)
            self._promise("a letter tells the patient of the broken glass", kept=True, after_s=after_s)
            await self._reads(holder, "/notices", "clinician")

    async def _reads(self, holder: Holder, page: str, who: str) -> None:
        """See that the patient finds somebody's name on a page of the portal."""
        name, begun_s = self.names[who], time.time()

        async def found() -> bool:
            return name in (await holder.read(page)).text

        kept = await _tried(found)
        self._promise(f"the patient reads of the {who}", kept=kept, after_s=round(time.time() - begun_s, 1))

    async def _snoops(self) -> None:
        """Open a message that came from the newcomer's pump."""
        one = await Staff.signed_in(self.staff["clerk"]())
        device = self.simulation.hospital.newcomer_devices[0].name
        asked_s = time.time()
        if not await _tried(lambda: one.snoop(device)):
            raise LookupError("the clerk saw nothing")
        self._did("clerk", "opens a message of the newcomer's", asked_s, time.time())
        if (holder := self.holders.get("newcomer")) is not None:
            await self._reads(holder, "/looked", "clerk")

    def _admitted(self, who: Patient) -> bool:
        """Say whether the feed was heard on where a patient lies."""
        name = self.simulation.hospital.feed.name
        sent = (one for feed in self.simulation.senders if feed.name == name for one in feed.sent)
        return any(
            one.accepted and one.plan.type == "ADT^A01" and who.mrn in one.plan.patients for one in sent
        )

    def _came(self, who: Patient) -> tuple[int, float]:
        return self.simulation.judge.came(who.mrn, _RESEARCH)

    async def _until(self, happened: Callable[[], bool]) -> bool:
        """Wait until something has happened, so long and no longer; says whether it has."""
        end = time.monotonic() + _COMES_S
        while not (done := happened()) and time.monotonic() < end:  # noqa: ASYNC110  arrivals have no event
            await asyncio.sleep(_STEP_S)
        return done


async def _tried(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer, so long and no longer; gives the last one."""
    end = time.monotonic() + _COMES_S
    while True:
        found = await ask()
        if found or time.monotonic() > end:
            return found
        await asyncio.sleep(_STEP_S * 5)
