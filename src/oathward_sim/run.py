"""Put a hospital together and let it run against a gateway: used by the demo, drills, tests and benchmarks.

Rules:
- Order of a run: recipients listen; the feed registers and admits; then devices, feed and strangers send side by
  side; then senders finish what is in flight; then recipients get time for what is still on its way.
- Nothing here asks Oathward anything. It is given addresses, certificates and nothing else.

Deliberately absent: starting or configuring Oathward (``cli/demo.py`` and the tests do).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from oathward_sim import home, monitors, pumps, strangers
from oathward_sim.adt import Feed
from oathward_sim.envelope import NotForUsError, Reader, unopened
from oathward_sim.hospital import Device, Hospital, Patient, build
from oathward_sim.judge import Delivery, Given, Judge, Verdict, Withdrawal
from oathward_sim.plan import DEMO_RULES, Planned, Rule, Sent
from oathward_sim.recipients import Folder, Kept, Recipient
from oathward_sim.senders import Door, FhirSender, Sender, TlsFiles

_POLL_S, _LOOK_S = 0.1, 0.25
_MONITOR_SOURCE_FIRST, _HOME_SOURCE_FIRST = 41, 61
_FINISH_S = 15.0


@dataclass(frozen=True, slots=True)
class Config:
    """What a run needs to know.

    Args:
        plain, secure: the gateway's doors; ``secure`` names no certificate, ``device_tls`` has one a device.
        fhir: the gateway's FHIR door; without it nobody at home sends.
        device_tls: device name -> TLS files; devices without one use the plain door.
        foreign: a certificate nobody trusts, for the intruder.
        rate_s, feed_rate_s: messages a second a device, and of the feed; 0 = as fast as acknowledged.
        duration_s, count: stop after this time, or so many messages a device; whichever comes first.
        drain_s: the longest wait for what is still on its way. settle_s: the wait for second copies after that.
        forget: drop the bytes of what was answered and judged: for runs without end.
    """

    plain: Door
    secure: Door | None = None
    device_tls: Mapping[str, TlsFiles] = field(default_factory=dict)
    foreign: TlsFiles | None = None
    with_strangers: bool = True
    rate_s: float = 2.0
    feed_rate_s: float = 2.0
    duration_s: float | None = 10.0
    count: int | None = None
    repeat_share: float = 0.02
    reply_timeout_s: float = 10.0
    drain_s: float = 15.0
    settle_s: float = 1.0
    forget: bool = False
    fhir: Door | None = None


@dataclass(slots=True)
class Inbox:
    """What one recipient got, opened as it comes.

    Args:
        reader: opens envelopes, where the recipient has a key; then nothing else may be readable to it.
    """

    recipient: Recipient | Folder
    reader: Reader | None = None
    unopened: int = 0
    _seen: int = 0

    @property
    def id(self) -> str:
        """The recipient's id."""
        return self.recipient.id

    def fresh(self, judge: Judge, *, forget: bool) -> None:
        """Show the judge what came since the last time.

        Args:
            forget: drop the bytes afterwards.
        """
        kept = self.recipient.kept
        for item in kept[self._seen :]:
            self._show(item, judge)
            if forget:
                item.data = b""
        self._seen = len(kept)

    def _show(self, item: Kept, judge: Judge) -> None:
        if self.reader is None:
            judge.see(Delivery(self.id, item, item.data))
            return
        try:
            letter = self.reader.open(item.data)
        except NotForUsError:
            self.unopened += 1
            judge.see_unopened(Delivery(self.id, item, b"", unopened(item.data)))
            return
        judge.see(Delivery(self.id, item, letter.data, letter.clear, letter.outgoing_id))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the count, and what else is worth showing.

    ``turned_away``: connections refused to those nobody trusts. ``resent``: copies written because an
    answer did not come. ``repeats``: messages sent again on purpose after their answer; ``answers_differ``: those whose
    second answer was another one.
    """

    verdict: Verdict
    seconds: float
    turned_away: int
    resent: int
    repeats: int
    answers_differ: int
    dropped_on_purpose: int

    @property
    def clean(self) -> bool:
        """Nothing lost, duplicated, disordered or leaked, and every answer the same twice."""
        return self.verdict.clean and self.answers_differ == 0


class Simulation:
    """One run. Make it, ``start``, ``drive``, ``drain``, ``outcome``, ``close``."""

    def __init__(
        self,
        hospital: Hospital,
        recipients: Iterable[Recipient | Folder],
        *,
        rules: Sequence[Rule] = DEMO_RULES,
        readers: Mapping[str, Reader] | None = None,
    ) -> None:
        self.hospital, self.rules = hospital, tuple(rules)
        self.inboxes = {r.id: Inbox(r, (readers or {}).get(r.id)) for r in recipients}
        self.senders: list[Sender] = []
        self.stop = asyncio.Event()
        self.judge = Judge(hospital, [rule for rule in self.rules if rule.recipient in self.inboxes])
        self._began = 0.0
        self._told: dict[str, int] = {}
        self._forget = False

    async def start(self) -> None:
        """Let the recipients listen."""
        for inbox in self.inboxes.values():
            if isinstance(inbox.recipient, Recipient):
                await inbox.recipient.start()

    async def close(self) -> None:
        """Stop the recipients."""
        for inbox in self.inboxes.values():
            if isinstance(inbox.recipient, Recipient):
                await inbox.recipient.stop()

    async def drive(self, config: Config) -> None:
        """Send until the time is over, the count is reached or ``stop`` is set; then finish what is in flight."""
        self._began = time.monotonic()
        self._forget = config.forget
        feed = Feed(self.hospital, self.rules)
        feeder = self._sender(self.hospital.feed, feed.day(), config, config.feed_rate_s)
        devices = [self._sender(d, plans, config, config.rate_s) for d, plans in self._device_plans()]
        if config.fhir is not None:
            devices += [self._home_sender(d, plans, config, config.fhir) for d, plans in self._home_plans()]
        others = self._others(config)
        self.senders = [feeder, *devices, *others]
        await feeder.send_all(feed.opening())
        tasks = [asyncio.ensure_future(s.run(self.stop)) for s in self.senders]
        looking = asyncio.ensure_future(self._look_often())
        counted = tasks if config.count is not None else []
        timer = asyncio.ensure_future(self._time_over(config.duration_s, counted))
        try:
            await timer
            self.stop.set()
            await asyncio.wait(tasks, timeout=_FINISH_S)
        finally:
            self.stop.set()
            for task in (*tasks, timer, looking):
                task.cancel()
            await asyncio.gather(*tasks, timer, looking, return_exceptions=True)

    async def drain(self, config: Config) -> None:
        """Wait until everything due has arrived, at most ``drain_s``; then a little longer for second copies."""
        end = time.monotonic() + config.drain_s
        while time.monotonic() < end and self.outstanding():  # noqa: ASYNC110  files appear without an event
            await asyncio.sleep(_POLL_S)
        await asyncio.sleep(config.settle_s)

    def look(self) -> None:
        """Show the judge what was sent and what arrived since the last time."""
        for sender in self.senders:
            told = self._told.get(sender.name, 0)
            fresh = sender.sent[told:]
            if sender.gives_up:  # the last one may still be on its way to being turned away
                fresh = list(itertools.takewhile(lambda s: s.answer or s.turned_away, fresh))
            self.judge.know(s for s in fresh if not s.turned_away)
            self._told[sender.name] = told + len(fresh)
        for inbox in self.inboxes.values():
            inbox.fresh(self.judge, forget=self._forget)

    def withdrawn(
        self, who: Patient, asked_s: float, told_s: float, effect_s_max: float, path: str = "desk"
    ) -> None:
        """Tell the judge that a patient took permission back: whoever needs it may not have anything more."""
        needing = frozenset(rule.recipient for rule in self.rules if rule.needs_permission)
        self.judge.withdraw(Withdrawal(who.mrn, needing, asked_s, told_s, effect_s_max, path))

    def given(self, who: Patient, asked_s: float, told_s: float) -> None:
        """Tell the judge that a patient gave permission: whoever needs it has it from then on."""
        for rule in self.rules:
            if rule.needs_permission:
                self.judge.give(Given(who.mrn, rule.recipient, rule.types, asked_s, told_s))

    def outstanding(self) -> int:
        """Count deliveries that are due and have not arrived."""
        self.look()
        return self.judge.outstanding()

    def sent(self) -> list[Sent]:
        """List what was sent, without what was turned away at the door."""
        return [s for sender in self.senders for s in sender.sent if not s.turned_away]

    def outcome(self) -> Outcome:
        """Judge the run."""
        self.look()
        verdict = self.judge.verdict()
        everything = [s for sender in self.senders for s in sender.sent]
        return Outcome(
            verdict,
            seconds=time.monotonic() - self._began,
            turned_away=sum(s.refused_connections for s in self.senders if s.gives_up),
            resent=sum(s.tries - len(s.answers) for s in everything if s.answers),
            repeats=sum(s.repeats for s in self.senders),
            answers_differ=sum(len(set(s.answers)) > 1 for s in everything),
            dropped_on_purpose=sum(i.recipient.dropped for i in self.inboxes.values()),
        )

    def _device_plans(self) -> Iterable[tuple[Device, Iterable[Planned]]]:
        people = self.hospital.patients
        for number, pump in enumerate(self.hospital.pumps):
            # The last pump was started before anyone told it for whom.
            who = None if number == len(self.hospital.pumps) - 1 and number > 1 else people[number]
            yield pump, pumps.reports(self.hospital, pump, number + 1, who, self.rules)
        for number, monitor in enumerate(self.hospital.monitors):
            yield (
                monitor,
                monitors.reports(
                    self.hospital, monitor, _MONITOR_SOURCE_FIRST + number, people[number], self.rules
                ),
            )

    def _home_plans(self) -> Iterable[tuple[Device, Iterable[Planned]]]:
        source = _HOME_SOURCE_FIRST
        for number, hub in enumerate(self.hospital.hubs):
            household = self.hospital.household(number)
            yield hub, home.hub(self.hospital, hub, source, household, self.rules)
            source += len(household)
        for number, worn in enumerate(self.hospital.wearables):
            who = self.hospital.patients[number]
            yield worn, home.wearable(self.hospital, worn, source + number, who, self.rules)

    def _home_sender(
        self, device: Device, plans: Iterable[Planned], config: Config, door: Door
    ) -> FhirSender:
        return FhirSender(
            device.name, replace(door, tls=config.device_tls.get(device.name)), iter(plans), config.rate_s,
            config.count, config.repeat_share, self.hospital.seed, reply_timeout_s=config.reply_timeout_s,
            forget=config.forget,
        )  # fmt: skip

    def _sender(self, device: Device, plans: Iterable[Planned], config: Config, rate_s: float) -> Sender:
        tls = config.device_tls.get(device.name)
        door = replace(config.secure, tls=tls) if tls and config.secure else config.plain
        return Sender(
            device.name, door, iter(plans), rate_s, config.count, config.repeat_share, self.hospital.seed,
            reply_timeout_s=config.reply_timeout_s, forget=config.forget,
        )  # fmt: skip

    def _others(self, config: Config) -> list[Sender]:
        if not config.with_strangers:
            return []
        found = strangers.senders(
            self.hospital,
            config.plain,
            config.secure,
            config.device_tls,
            config.foreign,
            self.rules,
            config.fhir,
        )
        for sender in found:
            sender.count = config.count
            sender.rate_s = min(sender.rate_s, config.rate_s)
        return found

    async def _look_often(self) -> None:
        """Judge as it goes: searching everything at the end would take as long again."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    async def _time_over(self, duration_s: float | None, counted: Sequence[asyncio.Future[None]]) -> None:
        """Wait for whichever end comes first."""
        told = asyncio.ensure_future(self.stop.wait())
        done = asyncio.ensure_future(asyncio.wait(counted)) if counted else told
        try:
            await asyncio.wait({told, done}, timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            done.cancel()


async def run(
    config: Config,
    recipients: Iterable[Recipient | Folder],
    *,
    hospital: Hospital | None = None,
    rules: Sequence[Rule] = DEMO_RULES,
    readers: Mapping[str, Reader] | None = None,
) -> Outcome:
    """Do a whole run: start, drive, drain, judge, close."""
    simulation = Simulation(hospital or build(1, datetime.now(UTC)), recipients, rules=rules, readers=readers)
    await simulation.start()
    try:
        await simulation.drive(config)
        await simulation.drain(config)
        return simulation.outcome()
    finally:
        await simulation.close()


def first(plans: Iterable[Planned], count: int) -> list[Planned]:
    """Take the first messages of a source."""
    return list(itertools.islice(plans, count))
