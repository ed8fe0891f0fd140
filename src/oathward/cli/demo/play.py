"""Play the demo: recipients listen, the site starts, the hospital sends, then all is counted and cleared away.

Rules:
- Whatever happens, the processes end and the folder goes, unless it is to stay or something leaked: then what the judge saw
  it in lies in ``evidence`` there, so that it can be explained.
- Half-way a patient takes permission back; the judge is told when.
- Ctrl-C (and SIGTERM, and a terminal that is closed) ends the traffic, waits for what is on its way, counts and clears
  away; a second one, or one before there is traffic, does not wait; none leaves the folder behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oathward.cli.demo.desk import Desk
from oathward.cli.demo.invited import NEWCOMER, invite, mailbox, reviewed, reviews, scenes
from oathward.cli.demo.newcomer import Newcomer, welcome
from oathward.cli.demo.people import PRIYA
from oathward.cli.demo.report import Report, Told
from oathward.cli.demo.site import DemoSite
from oathward.cli.demo.story import Story
from oathward.core.clock import Clock

if TYPE_CHECKING:
    from oathward_sim.hospital import Hospital
    from oathward_sim.judge import Judge
    from oathward_sim.patients import Scenes
    from oathward_sim.run import Config, Outcome, Simulation

_DRAIN_S, _DRAIN_S_MIN = 10.0, 3.0
_WITHDRAWS_AFTER_S, _EFFECT_S_MAX = 30.0, 2.0
"""When a patient withdraws at the latest, and how long after the site was told the first row would be a leak."""
_SEEN_S, _TOLD_S_MAX = 3.0, 10.0
"""How long the traffic goes on after a withdrawal at least, so that its effect is seen; and how long it waits for it."""
_PLAYED_S_MAX, _STAFF_AFTER_S = 60.0, 60.0
"""How much longer the traffic goes on for what patients do; and when staff of a demo with somebody before it begin."""
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_REST_S_MAX = 22.0
"""Set-up and draining together; with verifying and stopping, a run ends within 30 s beside its traffic."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    for_s: float | None
    seed: int
    rate_s: float
    port_base: int | None
    drop_one: bool
    keep: bool
    quiet: bool

    @property
    def alone(self) -> bool:
        """Whether nobody is there to be a patient: the simulator plays them."""
        return self.quiet or self.for_s is not None


async def play(options: Options) -> Report:
    """Run the whole demo and give what came of it."""
    with _ending() as ending:
        folder = Path(tempfile.mkdtemp(prefix="oathward-demo-"))
        site = DemoSite(folder, options.port_base)
        os.environ["XDG_CONFIG_HOME"] = str(
            folder / "config"
        )  # who signs in at this demo is remembered in it
        started = time.monotonic()
        stays = options.keep
        try:
            simulation = _cast(options, site)
            await simulation.start()
            try:
                report = await _play(options, site, simulation, started, ending)
                stays = stays or report.evidence is not None
                return report
            finally:
                ending.clears = True
                await simulation.close()
        finally:
            ending.clears = True
            await site.stop()
            if stays:
                print(f"The data folder stays: {site.data}", file=sys.stderr)
            else:
                shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A site that runs, and everybody who takes part. ``newcomer``: None where the simulator plays them."""

    play: Scenes
    newcomer: Newcomer | None
    config: Config
    story: Story


async def _play(
    options: Options, site: DemoSite, simulation: Simulation, started: float, told: _Ending
) -> Report:
    ready = await _make_ready(options, site, simulation)
    await _traffic(options, site, simulation, ready, started, told)
    for sender in site.adopted():
        simulation.judge.adopt(sender)
    simulation.look()
    site.tell(simulation.judge)
    outcome = simulation.outcome()
    if not options.quiet:
        print("\n".join(ready.story.rest(outcome.verdict)))
    site.command("sign-in", "--as", PRIYA, fine=(0,))  # by now that session is over, or somebody else's
    found = reviews(site, ready.play)
    promises = ready.play.promises | reviewed(found, ready.play)
    ledger = await asyncio.to_thread(site.verify)
    evidence = keep_evidence(site.folder, simulation.judge, outcome)
    came = Told(ready.play.deeds, list(promises.values()), found)
    return Report.of(outcome, ledger, options.seed, time.monotonic() - started, evidence, came)


async def _make_ready(options: Options, site: DemoSite, simulation: Simulation) -> _Ready:
    """Make the site, start it, invite patients; say where everything is."""
    from oathward.cli.demo.view import opening

    _say(options, "Making a site: keys, policy, devices, consents …")
    reader = simulation.inboxes["research-registry"].reader
    assert reader is not None  # _cast gives it one
    await site.set_up(simulation.hospital, _addresses(simulation), reader.public)
    await site.start()
    site.command("sign-in", "--as", PRIYA, fine=(0,))  # whoever is at the desk enters what patients say
    site.govern()
    invited = invite(site, simulation.hospital)
    config = _config(options, site, simulation.hospital)
    play = scenes(site, simulation, invited, config, alone=options.alone)
    newcomer = (
        None if options.alone else Newcomer(site, simulation, mailbox(site), invited.subjects[NEWCOMER])
    )
    if not options.quiet:
        opening(site, simulation.hospital)
    if newcomer is not None:
        letter = await newcomer.mail.wait("invitation", 0.0)
        print("\n".join([*welcome(site.portal, simulation.hospital, letter), ""]), flush=True)
    story = Story(simulation.hospital, site.held, play)
    return _Ready(play, newcomer, config, story)


async def _traffic(
    options: Options, site: DemoSite, simulation: Simulation, ready: _Ready, started: float, told: _Ending
) -> None:
    """Let devices send and people act, until it ends; then wait for what is on its way."""
    from oathward.cli.demo.view import watch

    desk = await Desk.ready(site.data)
    told.stop = simulation.stop
    driving = asyncio.ensure_future(simulation.drive(ready.config))
    watching = asyncio.ensure_future(watch(site, simulation, ready.story, ready.newcomer, options.quiet))
    withdrawing = asyncio.ensure_future(_withdraw(options, desk, simulation))
    playing = asyncio.ensure_future(ready.play.run(None if options.alone else _STAFF_AFTER_S))
    ending = asyncio.ensure_future(_end(options, simulation, withdrawing, playing))
    try:
        await driving
        await withdrawing
        left_s = max(_DRAIN_S_MIN, started + (options.for_s or 0.0) + _REST_S_MAX - time.monotonic())
        await simulation.drain(replace(ready.config, drain_s=min(_DRAIN_S, left_s)))
    finally:
        tasks = (watching, withdrawing, playing, ending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, driving, return_exceptions=True)
        await desk.close()


def keep_evidence(folder: Path, judge: Judge, outcome: Outcome) -> Path | None:
    """Write what leaks were seen in to files; gives their folder, None where nothing leaked."""
    from oathward_sim.evidence import write

    if not outcome.verdict.leaked:
        return None
    write(folder / "evidence", judge.evidence)
    return folder / "evidence"


async def _withdraw(options: Options, desk: Desk, simulation: Simulation) -> None:
    """Let one patient take permission back, half-way."""
    who = simulation.hospital.withdraws
    half_s = min(_WITHDRAWS_AFTER_S, (options.for_s or 2 * _WITHDRAWS_AFTER_S) / 2)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(simulation.stop.wait(), half_s)
    if options.for_s is None and simulation.stop.is_set():
        return  # ended before it came to that
    asked_s, told_s = await desk.withdraw(who)
    simulation.withdrawn(who, asked_s, told_s, _EFFECT_S_MAX)


async def _end(
    options: Options, simulation: Simulation, withdrawing: asyncio.Future[None], playing: asyncio.Future[None]
) -> None:
    """End the traffic when its time is over and the effect of the withdrawal could be seen."""
    if options.for_s is None:
        return
    begun = time.monotonic()
    await asyncio.sleep(options.for_s / 2)
    await asyncio.wait({withdrawing}, timeout=options.for_s / 2 + _TOLD_S_MAX)
    await asyncio.wait({playing}, timeout=max(0.0, begun + options.for_s + _PLAYED_S_MAX - time.monotonic()))
    await asyncio.sleep(max(_SEEN_S, begun + options.for_s - time.monotonic()))
    simulation.stop.set()


def _cast(options: Options, site: DemoSite) -> Simulation:
    """Choose who takes part: the hospital of this seed, and its recipients with keys and certificates of their own."""
    from oathward_sim.envelope import Reader
    from oathward_sim.hospital import build
    from oathward_sim.pki import Authority, server_context
    from oathward_sim.recipients import FhirRecipient, Recipient
    from oathward_sim.run import Simulation

    outside = Authority(site.folder / "outside", "recipients")
    courier = outside.issue("courier")
    site.trust_recipients(
        {
            "site-ca.pem": outside.file,
            "vendor-ca.pem": outside.file,
            "registry-ca.pem": outside.file,
            "courier.pem": courier.cert,
            "courier.key": courier.key,
        }
    )
    kinds = {
        "ehr": Recipient,
        "home-care": FhirRecipient,
        "vendor-cloud": Recipient,
        "research-registry": FhirRecipient,
    }
    recipients = {
        id_: kind(id_, tls=server_context(outside.issue(id_), outside.file)) for id_, kind in kinds.items()
    }
    recipients["ehr"].faults.drop = int(options.drop_one)
    hospital = build(options.seed, Clock().now().replace(microsecond=0))
    return Simulation(hospital, recipients.values(), readers={"research-registry": Reader()})


def _addresses(simulation: Simulation) -> dict[str, str]:
    from oathward_sim.recipients import FhirRecipient, Recipient

    addresses = {}
    for id_, inbox in simulation.inboxes.items():
        assert isinstance(inbox.recipient, Recipient)  # _cast has no others
        where = f"127.0.0.1:{inbox.recipient.port}"
        fhir = isinstance(inbox.recipient, FhirRecipient)
        addresses[id_] = f"https://{where}/fhir" if fhir else f"mllps://{where}"
    return addresses


def _config(options: Options, site: DemoSite, hospital: Hospital) -> Config:
    from oathward_sim.pki import Authority
    from oathward_sim.run import Config

    plain, secure, fhir = site.doors()
    intruder = Authority(site.folder / "intruder", "intruder")
    return Config(
        plain,
        secure,
        site.device_tls(hospital),
        intruder.client("PUMP-01", site.folder / "devices" / "device-ca.pem"),
        rate_s=options.rate_s,
        feed_rate_s=options.rate_s,
        duration_s=None,
        drain_s=_DRAIN_S,
        forget=options.for_s is None,
        fhir=fhir,
    )


@dataclass(slots=True)
class _Ending:
    """What being told to end does.

    Args:
        stop: ends the traffic; None while there is none.
        clears: all is being cleared away: nothing ends that.
    """

    task: asyncio.Task[object]
    stop: asyncio.Event | None = None
    clears: bool = False

    def told(self) -> None:
        """End the traffic; everything where it is told again, or there is no traffic yet."""
        if self.clears:
            return
        if self.stop is None or self.stop.is_set():
            self.task.cancel()
        else:
            self.stop.set()


@contextlib.contextmanager
def _ending() -> Iterator[_Ending]:
    """Let Ctrl-C and its like end the demo in order, from before its folder is made until after that is gone."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    ending = _Ending(task)
    for number in _ENDS:
        loop.add_signal_handler(number, ending.told)
    try:
        yield ending
    finally:
        for number in _ENDS:
            loop.remove_signal_handler(number)


def _say(options: Options, text: str) -> None:
    if not options.quiet:
        print(text, file=sys.stderr, flush=True)
