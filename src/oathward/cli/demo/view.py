"""The live view of a demo: what flows, what is held and why, whether anything is wrong, where to look next.

Rules:
- Counts are the simulator's own; what is held and how the processes do is read from the site.
- It fits a narrow terminal: columns that do not fit are left out, lines are cut, nothing wraps.
- Without a terminal it prints one line every few seconds.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from oathward.cli.demo.people import CLARA, INES, PRIYA
from oathward.cli.demo.site import DemoSite
from oathward.cli.demo.story import GETS, Story, headed, who_is_who
from oathward.core.clock import wall_s
from oathward.core.process import STATUS_STALE_S, statuses

if TYPE_CHECKING:
    from oathward.cli.demo.newcomer import Newcomer
    from oathward_sim.hospital import Hospital
    from oathward_sim.judge import Verdict
    from oathward_sim.run import Simulation

_REFRESH_S, _LINE_S, _LATE_S = 0.5, 5.0, 3.0
_WIDE, _NARROW, _HIGH = 96, 64, 36

_STRANGERS = {
    "unknown": ("INFUSER-99", "nobody told the inventory of it: held"),
    "no certificate": ("a PUMP-01 without certificate", "a name alone is no identity: held"),
    "another's certificate": ("a PUMP-01 with PUMP-02's", "certificate and sender differ: held"),
    "foreign certificate": ("a PUMP-01 with a foreign one", "turned away at the door"),
    "foreign certificate, FHIR": ("a WATCH-01 with a foreign one", "turned away at the FHIR door"),
}


def opening(site: DemoSite, hospital: Hospital) -> None:
    """Print the console's address, who is who, where everything is and three things to try."""
    program = _program()
    lines = [
        "",
        "Oathward runs with a simulated hospital around it.",
        *_console_lines(site),
        *headed(1, who_is_who(hospital)),
        "",
        f"  MLLP 127.0.0.1:{site.ports['mllp']}   MLLP/TLS 127.0.0.1:{site.ports['mllp_tls']}",
        f"  FHIR https://127.0.0.1:{site.ports['fhir']}/fhir",
        f"  metrics http://127.0.0.1:{site.ports['metrics']}/metrics",
        f"  data folder {site.data}",
        "",
        "In another terminal:",
        *_tries(site, program),
        "",
    ]
    print("\n".join(lines), flush=True)


def _console_lines(site: DemoSite) -> list[str]:
    if "console" not in site.ports:
        return []
    rows = [
        (INES, "integration engineer: messages, what is held, proposals of policy"),
        (PRIYA, "privacy officer: the second person; who gets what and why"),
        (CLARA, "clinician: the patients of one ward, and nobody else's"),
    ]
    lines = ["", "The console, as one of three people; each link works once, within minutes:"]
    for name, what in rows:
        lines += [f"  {name}, {what}", f"  {site.console(name)}"]
    return [
        *lines,
        f'Another link, or another of the ten that `people list` names: {_program()} console --as "{INES}".',
    ]


def _tries(site: DemoSite, program: str) -> list[str]:
    """List commands to paste, each on a line of its own and its purpose above it: no line is wrapped by us."""
    return [
        f"  export OATHWARD_DATA={shlex.quote(str(site.data))}",
        "this site has people: be one (elsewhere that takes password and code):",
        f'  {program} sign-in --as "{INES}"',
        "what is held, and why:",
        f"  {program} quarantine list",
        "who spoke and is not known; adopt INFUSER-99, then send its messages through:",
        f"  {program} device held",
        f"  {program} device adopt HELD INFUSER-99 --kind pump --pin-address",
        f"  {program} quarantine release --all-with-reason {_UNKNOWN_REASON} --why adopted",
        "that nobody changed what happened:",
        f"  {program} ledger verify",
    ]


_UNKNOWN_REASON = "device.unknown"


async def watch(
    site: DemoSite, simulation: Simulation, story: Story, newcomer: Newcomer | None, quiet: bool
) -> None:
    """Show the view until cancelled, and tell above it the story's next step when it is its time, and what is new for you."""
    if quiet:
        return
    view = _View(site, simulation, newcomer)
    if not sys.stdout.isatty():
        while True:
            for _ in range(round(_LINE_S / _REFRESH_S)):
                await asyncio.sleep(_REFRESH_S)
                for line in view.news():
                    print(line, flush=True)
            for line in (*story.next(view.verdict()), view.line()):
                print(line, flush=True)
    console = Console()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            if told := "\n".join([*story.next(view.verdict()), *view.news()]):
                live.console.print(told, highlight=False, markup=False)
            live.update(view.render(console.width, console.height), refresh=True)
            await asyncio.sleep(_REFRESH_S)


class _View:
    """Reads and draws."""

    def __init__(self, site: DemoSite, simulation: Simulation, newcomer: Newcomer | None = None) -> None:
        self._site, self._simulation, self._newcomer = site, simulation, newcomer
        self._began = time.monotonic()
        self._before: dict[str, tuple[float, int]] = {}

    def news(self) -> list[str]:
        """Say what is new for whoever is the patient."""
        return [f"» {line}" for line in self._newcomer.news()] if self._newcomer is not None else []

    def line(self) -> str:
        """Say all in one line."""
        verdict = self.verdict()
        arrived = ", ".join(
            f"{name} {count} of {_due(verdict, name)} due"
            if not (more := verdict.optional.get(name, 0))
            else f"{name} {count - more} of {_due(verdict, name)} due and {more} not due"
            for name, count in verdict.delivered.items()
        )
        if verdict.withheld:
            arrived += f", withheld by the new policy {sum(verdict.withheld.values()):,}"
        return f"{self._age()}  {_sentence(verdict)[0]}  accepted {verdict.accepted}  delivered {arrived}  held {sum(self._site.held().values())}"

    def render(self, width: int, height: int) -> RenderableType:
        """Draw it for a terminal of this size."""
        verdict = self.verdict()
        parts: list[RenderableType] = [self._head(verdict), Text()]
        parts += [self._senders(width), Text(), self._recipients(width, verdict), Text()]
        parts += [*self._held_lines(), Text(), self._ledger()]
        if self._newcomer is not None:
            parts.append(Text(self._newcomer.line(), style="bold", no_wrap=True, overflow="ellipsis"))
        if height >= _HIGH:
            parts += [Text(), *self._next()]
        return Group(*parts)

    def _head(self, verdict: Verdict) -> Text:
        said, style, mark = *_sentence(verdict), "●"
        if trouble := self._trouble():
            said, style, mark = trouble, "yellow", "▲"
        elif self._simulation.stop.is_set():
            said, style, mark = "ending: waiting for what is on its way", "yellow", "◌"
        head = Text("Oathward demo", style="bold", no_wrap=True, overflow="ellipsis")
        return head.append(f"  {self._age()}  ", style="not bold").append(f"{mark} {said}", style=style)

    def verdict(self) -> Verdict:
        """Count as of now."""
        self._simulation.look()
        for sender in self._site.adopted():
            self._simulation.judge.adopt(sender)
        self._site.tell(self._simulation.judge, _LATE_S)
        return self._simulation.judge.verdict(late_s=_LATE_S)

    def _age(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes:02d}:{seconds:02d}"

    def _senders(self, width: int) -> Table:
        table = _table(width, "who sends", "sent", "accepted", "a second", "")
        groups: dict[str, list[Any]] = {}
        hospital = self._simulation.hospital
        names = {hospital.feed.name: "patient administration"}
        names |= {d.name: f"{len(hospital.pumps)} infusion pumps" for d in hospital.pumps}
        names |= {d.name: f"{len(hospital.monitors)} patient monitors" for d in hospital.monitors}
        names |= {d.name: f"{len(hospital.hubs)} home hubs (FHIR)" for d in hospital.hubs}
        names |= {d.name: f"{len(hospital.wearables)} wearables (FHIR)" for d in hospital.wearables}
        for sender in self._simulation.senders:
            groups.setdefault(names.get(sender.name, sender.name), []).append(sender)
        for name, senders in groups.items():
            sent = sum(len(s.sent) for s in senders)
            accepted = sum(s.accepted for s in senders)
            label, why = _STRANGERS.get(name, (name, ""))
            if name.startswith("foreign certificate"):
                sent = sum(s.refused_connections for s in senders)
            _row(table, width, label, f"{sent:,}", f"{accepted:,}", self._rate(name, accepted), why)
        return table

    def _recipients(self, width: int, verdict: Verdict) -> Table:
        table = _table(width, "who receives", "due", "arrived", "a second", "gets")
        for name, count in verdict.delivered.items():
            more = verdict.optional.get(
                name, 0
            )  # not due, and allowed: said apart, so that due and arrived compare
            arrived = count - more
            _row(
                table,
                width,
                name,
                f"{_due(verdict, name):,}",
                f"{arrived:,} + {more}" if more else f"{arrived:,}",
                self._rate(f"→{name}", count),
                GETS.get(name, ""),
            )
        return table

    def _rate(self, key: str, count: int) -> str:
        now = time.monotonic()
        at, before = self._before.get(key, (now, count))
        if now - at >= 2.0 or key not in self._before:
            self._before[key] = now, count
        return f"{(count - before) / (now - at):.1f}" if now > at else "–"

    def _held_lines(self) -> list[Text]:
        counts = self._site.held()
        if not counts:
            return [Text("Nothing is held yet.", style="dim")]
        from oathward.core.meanings import MEANINGS
        from oathward.core.reasons import BY_CODE

        lines = [Text(f"held {sum(counts.values()):,}", style="bold")]
        for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
            line = Text(f"{count:>7,}  {reason:<26} ", no_wrap=True, overflow="ellipsis")
            lines.append(
                line.append(MEANINGS[BY_CODE[reason]].remedy if reason in BY_CODE else "", style="dim")
            )
        return lines

    def _trouble(self) -> str:
        if not self._site.running:
            return f"oathward serve ended; see {self._site.log}"
        for role, status in statuses(self._site.data / "run").items():
            if status.get("state") == "unhealthy":
                return f"{role}: {status.get('trouble') or 'unhealthy'}"
            if wall_s() - float(status.get("at_s", 0)) > STATUS_STALE_S:
                return f"{role} has said nothing for {STATUS_STALE_S:.0f} s"
        return ""

    def _ledger(self) -> Text:
        size = statuses(self._site.data / "run").get("keeper", {}).get("checkpoint_size", 0)
        line = Text(f"ledger {size:,}", style="bold", no_wrap=True, overflow="ellipsis")
        return line.append(
            "  records in the signed checkpoint, cosigned by an outside witness", style="not bold dim"
        )

    def _next(self) -> list[Text]:
        program = _program()
        words = (
            (f"export OATHWARD_DATA={self._site.data}", "in another terminal; then"),
            (f"{program} quarantine list", "what is held, and why"),
            (f"{program} device held", "who spoke and is not known"),
            (f"{program} device adopt HELD INFUSER-99 --kind pump --pin-address", "HELD: its id there"),
            (f"{program} quarantine release --all-with-reason {_UNKNOWN_REASON} --why adopted", ""),
            (f"{program} ledger verify", "that nobody changed what happened"),
            ("Ctrl-C", "ends it, counts, and removes the folder"),
        )
        width = max(len(what) for what, _ in words[1:])
        lines = [Text(f"{what:<{width}}  ", no_wrap=True, overflow="ellipsis") for what, _ in words]
        return [line.append(why, style="dim") for line, (_, why) in zip(lines, words, strict=True)]


def _due(verdict: Verdict, name: str) -> int:
    """Say how many were due: also what arrived before its sender has heard that it was taken in."""
    return max(verdict.expected[name], verdict.delivered[name] - verdict.optional.get(name, 0))


def _sentence(verdict: Verdict) -> tuple[str, str]:
    if verdict.clean:
        return "nothing lost, duplicated or leaked", "green"
    wrong = f"lost {verdict.lost}, duplicated {verdict.duplicated}, leaked {verdict.leaked}, disordered {verdict.disordered}"
    return wrong, "bold red"


def _table(width: int, *heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=False)
    for index, head in enumerate(heads):
        if index == len(heads) - 1 and width < _WIDE:
            continue
        if index == len(heads) - 2 and width < _NARROW:
            continue
        number = 0 < index < len(heads) - 1
        table.add_column(
            head,
            justify="right" if number else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=8 if number else 26,
        )
    return table


def _row(table: Table, width: int, *cells: str) -> None:
    keep = len(cells) - (1 if width < _WIDE else 0) - (1 if width < _NARROW else 0)
    table.add_row(*(Text(c, style="dim" if i == len(cells) - 1 else "") for i, c in enumerate(cells[:keep])))


def _program() -> str:
    """Name the command so that it can be pasted."""
    if shutil.which("oathward"):
        return "oathward"
    beside = Path(sys.executable).with_name("oathward")
    relative = os.path.relpath(beside)
    return relative if len(relative) < len(str(beside)) else str(beside)
