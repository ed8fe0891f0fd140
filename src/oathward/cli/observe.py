"""``oathward observe``: captures, logs and flow records read into the living picture; files, folders, standard input, sockets, an interface.

Rules:
- What nobody here reads, what is empty and what could not be read is told by name and reason; nothing is passed over in silence.
- Nothing is asked on the network: a socket listens, an interface is listened on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli import listening
from oathward.cli.asking import PersonOption, opened
from oathward.cli.output import DataOption, JsonOption, counted, emit, minute, plain_text, say
from oathward.cli.permitted import who_may
from oathward.core.clock import from_micros, iso
from oathward.core.errors import InputError

if TYPE_CHECKING:
    from oathward.findings.model import Told
    from oathward.observing.report import Report, SourceReport
    from oathward.observing.run import Run

FOLLOW_S = 10.0
NAMES_MAX = 20
"""Names that are told of what was not read; the rest is counted. With --json all are."""
LISTS = (".csv", ".csv.gz", ".json", ".xml", ".zip")
"""How lists of devices end; they are no sensor's."""
LISTS_WORDS = "Lists of devices: oathward inventory import; a plan of addresses: oathward network plan import"

APP = typer.Typer(
    help="What sensors saw: captures, logs and flow records, read into the living picture.",
    add_completion=False,
)


@APP.command()
def observe(  # noqa: PLR0913  one parameter an option
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...", help="Files, folders with all below them, or - for stdin; gzip too."
        ),
    ] = None,
    *,
    realm: Annotated[
        str,
        typer.Option(
            callback=plain_text,
            help="Where these addresses mean something; else as the settings say.",
            show_default=False,
        ),
    ] = "",
    segment: Annotated[
        str,
        typer.Option(
            callback=plain_text, help="Where the sensor stands: VLAN, SSID; for sources that name none."
        ),
    ] = "",
    live: Annotated[
        str, typer.Option(metavar="INTERFACE", help="Listen on an interface until Ctrl-C; dumpcap does it.")
    ] = "",
    udp: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Listen for NetFlow and IPFIX until Ctrl-C.")
    ] = "",
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT|PATH",
            help="Listen for lines (Suricata EVE, Zeek JSON) on TCP or a Unix socket until Ctrl-C.",
        ),
    ] = "",
    own: Annotated[
        bool,
        typer.Option("--own", help="What the gateway itself knows: who sent it what, and where that went."),
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Look again every ten seconds for what is new, until Ctrl-C.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count; store nothing.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read what sensors saw. The same file again adds nothing; of a log that grew only what is new is read.

    Exit code 1 where a source could not be read, or a file named by itself is of no known format; 65 where nothing at all is of one.
    """
    from oathward.mapping import telling
    from oathward.observing import caring
    from oathward.observing.living import Living
    from oathward.observing.own import observe_own
    from oathward.observing.run import Run

    if bool(paths) + bool(live) + bool(udp) + bool(listen) + own != 1:
        raise InputError("PATH", "name files or folders, or one of --live, --udp, --listen, --own")
    if follow and not paths:
        raise InputError("--follow", "is for files and folders")
    with opened(data) as site, _progress() as progress:
        who = who_may(site, person, "network.change")
        where = realm or site.settings.network.realm or site.site
        living = Living(site, who)
        run = Run(site, where, living, segment, dry_run, progress)
        if own:
            observe_own(run)
        elif live:
            listening.live(run, live)
        elif udp:
            listening.udp(run, udp)
        elif listen:
            listening.listen(run, listen)
        else:
            _paths(run, paths or [], follow=follow)
        run.tidy()
        given = 0 if dry_run else living.settle()
        guessed = 0 if dry_run else living.guess_types()
        if not dry_run:
            caring.tend(site)
        raised = 0 if dry_run else living.raise_findings()
        told = None if dry_run else telling.tell_all(site)
        report = run.report
    _check_formats(report)
    value = _plain(report, realm=where, dry=dry_run) | {
        "endpoints": living.counts(),
        "conflicts": living.conflicts(),
        "findings_raised": raised,
        "findings_told": told,
        "types_guessed": guessed,
        "hours_given": given,
    }
    emit(value, as_json=as_json, human=lambda: _tell(value))
    if report.of("failed") or any(one.named for one in report.of("unknown")):
        raise typer.Exit(1)


def _check_formats(report: Report) -> None:
    """Refuse what was given where nothing of it is of a format that is read here, and something is not even empty."""
    from oathward.core.reasons import Reason
    from oathward.discovery.observer import observers

    unknown = [one.name for one in report.of("unknown")]
    if not unknown or any(one.observer for one in report.sources):
        return
    names = ", ".join(unknown[:NAMES_MAX])
    more = f" and {len(unknown) - NAMES_MAX:,} more" if len(unknown) > NAMES_MAX else ""
    words = "is of no format" if len(unknown) == 1 else "are of no format"
    lists = f". {LISTS_WORDS}" if _has_list(unknown) else ""
    known = "; ".join(one.words for one in observers().values())
    raise InputError(
        names + more, f"{words} that is read here: {known}{lists}", reason=Reason.OBSERVED_UNKNOWN
    )


def _paths(run: Run, paths: list[str], *, follow: bool) -> None:
    run.paths(paths)
    if not follow:
        return
    stopped = listening.until_stopped()
    while not stopped():
        time.sleep(FOLLOW_S)
        before = len(run.report.sources)
        run.paths(paths)
        run.report.sources[before:] = [one for one in run.report.sources[before:] if one.state != "known"]


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show how far it is, on stderr, if somebody watches."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def told(name: str, done: int, size: int) -> None:
            bar.update(
                task, description=escape(name[-40:]), completed=max(done, 0), total=size if size > 0 else None
            )

        yield told


def _plain(report: Report, *, realm: str, dry: bool) -> dict[str, Any]:
    read = [one for one in report.sources if one.state in {"read", "failed"}]
    times = [one.first_us for one in read if one.first_us], [one.last_us for one in read if one.last_us]
    return {
        "realm": realm,
        "dry_run": dry,
        "sources": [_source(one) for one in report.sources],
        "flows": sum(one.flows for one in read),
        "sessions": sum(one.sessions for one in read),
        "statements": sum(one.statements for one in read),
        "first": iso(from_micros(min(times[0]))) if times[0] else "",
        "last": iso(from_micros(max(times[1]))) if times[1] else "",
        "clear_text": dict(sorted(report.clear.items())),
        "refused": [
            {"reason": code, "place": place, "count": n} for (code, place), n in report.refused.most_common()
        ],
    }


def _source(one: SourceReport) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.state,
        "observer": one.observer,
        "flows": one.flows,
        "sessions": one.sessions,
        "statements": one.statements,
        "refused": sum(one.refused.values()),
        "why": one.why,
        "waiting_bytes": one.held_bytes,
    }


def _tell(value: dict[str, Any]) -> None:
    sources = value["sources"]
    read = [one for one in sources if one["state"] in {"read", "failed"}]
    for one in read[:NAMES_MAX]:
        failed = f"; {one['why']}" if one["why"] else ""
        say(
            f"{one['name']}  {one['observer']}  {_flows(one)}, {counted(one['statements'], 'statement')}, {one['refused']:,} not read{failed}"
        )
    if len(read) > NAMES_MAX:
        print(f"… and {len(read) - NAMES_MAX:,} more")
    span = f", from {minute(value['first'])} to {minute(value['last'])} UTC" if value["first"] else ""
    print(
        f"{len(read):,} of {counted(len(sources), 'source')} read: {_flows(value)}, {counted(value['statements'], 'statement')}{span}."
    )
    _tell_unread(sources)
    if any(value["endpoints"].values()):
        print(
            "Endpoints: "
            + ", ".join(f"{n:,} {_CAME.get(name, name)}" for name, n in value["endpoints"].items() if n)
            + "."
        )
    if value["hours_given"]:
        print(
            f"Addresses learned late: {value['hours_given']:,} sums by hour of flows read before are their devices' now."
        )
    if value["conflicts"]:
        count = len(value["conflicts"])
        words = "1 identity is" if count == 1 else f"{count:,} identities are"
        print(f"{words} claimed twice: oathward findings list --kind identity.claimed-twice")
    if value["clear_text"]:
        classes = ", ".join(f"{cls} {n:,}" for cls, n in value["clear_text"].items())
        print(f"In clear text, elements by class: {classes}")
    _tell_refused(value["refused"])
    _tell_findings(value["findings_told"])
    if value["dry_run"]:
        print("Nothing was stored: without --dry-run it is.")
    elif value["flows"]:
        print("Next: oathward inventory list, oathward map, oathward flows top")


def _flows(counts: dict[str, Any]) -> str:
    more = (
        f", {counted(counts['sessions'], 'session')} of flows that other logs count"
        if counts["sessions"]
        else ""
    )
    return f"{counted(counts['flows'], 'flow')}{more}"


_CAME = {
    "statements": "sightings, addresses of flows among them",
    "new": "new",
    "known": "of known ones",
    "joined": "joined to others",
    "unclear": "by names that several have",
    "empty": "with nothing to tell whose",
    "refused": "for which there was no room",
    "held": "heard once in a flood of new ones, and held back until they are heard again",
    "records": "records in the ledger",
}
"""Count of ``endpoints.actions.take`` -> its words; ``statements`` are those of the sources and one for each address of flows in an hour."""


def _tell_unread(sources: list[dict[str, Any]]) -> None:
    for state, one, words in (
        ("known", "had nothing new", "had nothing new"),
        ("unknown", "is of no format that is read here", "are of no format that is read here"),
        ("empty", "is empty", "are empty"),
        ("skipped", "was passed over: a link, no regular file, or not to be read", "were passed over: links, no regular files, or not to be read"),
        ("grown", "was read when it was shorter, and can only be read whole", "were read when they were shorter, and can only be read whole"),
    ):  # fmt: skip
        names = [row["name"] for row in sources if row["state"] == state]
        if names:
            more = f" and {len(names) - NAMES_MAX:,} more" if len(names) > NAMES_MAX else ""
            say(f"{len(names):,} {one if len(names) == 1 else words}: {', '.join(names[:NAMES_MAX])}{more}")
            if state == "unknown" and _has_list(names):
                print(LISTS_WORDS)
    for row in [one for one in sources if one["state"] == "known" and one["why"]][:NAMES_MAX]:
        say(f"{row['name']}: {row['why']}")


def _has_list(names: list[str]) -> bool:
    return any(name.lower().endswith(LISTS) for name in names)


def _tell_findings(told: Told | None) -> None:
    if told is not None and told.opened + told.reopened + told.cleared:
        print(
            f"Findings: {told.opened:,} new, {told.reopened:,} back, {told.cleared:,} gone: oathward findings list"
        )
    if told is not None and told.cut:
        print(
            "More differs than is told at once: the gravest are told, and nothing is taken for gone until it is less."
        )


def _tell_refused(refused: list[dict[str, Any]]) -> None:
    if not refused:
        return
    from rich.markup import escape
    from rich.table import Table

    from oathward.cli.output import console
    from oathward.core.meanings import MEANINGS
    from oathward.core.reasons import Reason

    words = {reason.code: MEANINGS[reason] for reason in Reason if reason in MEANINGS}
    table = Table(
        "not read", "of", "reason", "what to do", title="What could not be read", title_justify="left"
    )
    table.columns[0].justify = "right"
    for one in refused:
        meaning = words.get(one["reason"])
        table.add_row(
            f"{one['count']:,}",
            escape(one["place"]),
            one["reason"],
            f"{meaning.what}; {meaning.remedy}" if meaning else "",
        )
    console().print(table)
