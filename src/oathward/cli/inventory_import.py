"""``oathward inventory import`` and ``reconcile``: lists that others keep, compared with the inventory and taken into it; the wizard for CSV."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from oathward.cli.asking import PersonOption, now_us, open_file, opened, read_bytes
from oathward.cli.output import DataOption, JsonOption, console, emit, one_of, say, shown
from oathward.cli.permitted import who_may
from oathward.core.clock import micros
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.discovery.lists.mapping import ColumnMap
    from oathward.discovery.lists.proposing import Proposal
    from oathward.discovery.lists.reading import How, MayDo, Refused, Told
    from oathward.discovery.lists.reconciling import Report
    from oathward.observing.listed import Outcome
    from oathward.vault.opened import Opened

SHOWN_MAX = 20

FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE…", help="Files of one list; - for stdin; .gz and .zip too.")
]
FormatOption = Annotated[
    str, typer.Option("--format", help="cmms, vendor, netbox, fhir, mud or gudid; found out by default.")
]
MappingOption = Annotated[
    str,
    typer.Option(metavar="FILE", help="TOML that says which column of a CSV is what; --wizard writes one."),
]
RealmOption = Annotated[
    str, typer.Option(help="Where its addresses mean something; as the settings say by default.")
]
AsOfOption = Annotated[
    str,
    typer.Option("--as-of", metavar="TIME", help="As of when the list is, as in 2026-05-04; now by default."),
]
TagOption = Annotated[
    str,
    typer.Option(
        "--tag-system", metavar="URI", help="System of the FHIR identifier that is the site's own number."
    ),
]


def import_(  # noqa: PLR0913, PLR0917  one parameter an option
    files: FilesArgument,
    format_: FormatOption = "",
    mapping: MappingOption = "",
    realm: RealmOption = "",
    as_of: AsOfOption = "",
    tag_system: TagOption = "",
    wizard: Annotated[
        bool,
        typer.Option(
            "--wizard",
            help="Propose which column of a CSV is what, and write it to --mapping; import nothing.",
        ),
    ] = False,
    vendor: Annotated[str, typer.Option(help="With --wizard and --format vendor: whose list it is.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare and tell; change nothing.")] = False,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a list into the inventory, and tell what was new, the same, different, gone, twice or refused."""
    if wizard:
        _wizard(files, format_ or "cmms", mapping, vendor, as_json=as_json)
        return
    _run(
        _Wanted(files, format_, mapping, realm, as_of, tag_system),
        person=person,
        data=data,
        as_json=as_json,
        dry=dry_run,
    )


def reconcile(  # noqa: PLR0917  one parameter an option
    files: FilesArgument,
    format_: FormatOption = "",
    mapping: MappingOption = "",
    realm: RealmOption = "",
    as_of: AsOfOption = "",
    tag_system: TagOption = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a list with the inventory; change nothing."""
    _run(
        _Wanted(files, format_, mapping, realm, as_of, tag_system),
        person=person,
        data=data,
        as_json=as_json,
        dry=True,
    )


class _Wanted(NamedTuple):
    """What was asked for."""

    files: Sequence[str]
    format: str
    mapping: str
    realm: str
    as_of: str
    tag_system: str


def _run(wanted: _Wanted, *, person: str | None, data: str | None, as_json: bool, dry: bool) -> None:
    from oathward.discovery.lists.mapping import BYTES_MAX, read_apart
    from oathward.discovery.lists.reading import How
    from oathward.observing import guessing, identities, listed

    columns = read_apart(read_bytes(wanted.mapping, BYTES_MAX)) if wanted.mapping else None
    name = wanted.format or (columns.list if columns else "")
    with opened(data) as site, ExitStack() as stack:
        by = who_may(site, person, "inventory.see" if dry else "inventory.change")
        at_us = now_us(site)
        realm = wanted.realm or site.settings.network.realm or site.site
        how = How(
            realm=realm, at_us=_as_of(wanted.as_of, at_us), columns=columns, tag_system=wanted.tag_system
        )
        source, found = _read(site, wanted.files, name, how, stack)
        outcome = listed.take(site.engine, site.site, found, how, source, by=by, now_us=at_us, dry=dry)
        if not dry:
            identities.tell(site)
            guessing.guess(site)
    report = outcome.report
    if report.counts["refused"] and not (report.counts["rows"] or outcome.products or outcome.models):
        one = report.refused[0]
        raise InputError(_place(one), one.why, reason=one.reason)
    emit(_document(outcome, dry=dry), as_json=as_json, human=lambda: _tell(outcome, dry=dry))


def _as_of(text: str, at_us: int) -> int:
    if not text:
        return at_us
    try:
        found = micros(datetime.fromisoformat(text).astimezone())
    except (ValueError, OverflowError) as error:
        raise InputError("--as-of", "a time as in 2026-05-04 or 2026-05-04T07:00Z") from error
    if not 0 < found <= at_us:
        raise InputError("--as-of", "is not ahead of now", reason=Reason.OBSERVED_TIME)
    return found


def _read(
    site: Opened, files: Sequence[str], name: str, how: How, stack: ExitStack
) -> tuple[str, Iterator[Told | Refused]]:
    """Have the files read by a process of their own; gives the source of their statements too."""
    from oathward.core.parsing import Parser
    from oathward.discovery.lists import apart
    from oathward.discovery.lists.reading import formats

    if name:
        one_of("--format", name, formats(), "format")
    limits = site.settings.network
    parser = Parser(
        apart.MODULE,
        apart.asked(how, name),
        _opened(files),
        memory_bytes_max=limits.memory_bytes_max,
        silence_s_max=limits.silence_s_max,
    )
    found = apart.read(stack.enter_context(parser), how)
    if not found.format:
        raise InputError(shown(files[0]), "holds nothing", reason=Reason.MESSAGE_EMPTY)
    if found.known.mapped and how.columns is None:
        why = "say which column is what with --mapping; --wizard proposes it"
        raise InputError(shown(files[0]), why, reason=Reason.OBSERVED_COLUMNS)
    return found.known.source, found.found


def _opened(files: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Open file by file, as they are asked for."""
    from oathward.core.parsing import held

    for name in files:
        plain = os.fsencode(name).decode("utf-8", "replace")
        try:
            if name != "-":
                with open_file(name) as stream:
                    yield plain, stream.fileno()
            elif isinstance(sys.stdin.buffer, io.BufferedReader):
                yield plain, sys.stdin.buffer.fileno()
            else:  # somebody put something in its place
                with held(sys.stdin.buffer.read()) as fd:
                    yield plain, fd
        except OSError as error:
            raise InputError(shown(name), "cannot be read", reason=Reason.NOT_FOUND) from error


def _wizard(files: Sequence[str], list_: str, mapping: str, vendor: str, *, as_json: bool) -> None:
    from oathward.core.parsing import Parser
    from oathward.discovery.lists import apart
    from oathward.discovery.lists.mapping import check, write
    from oathward.discovery.lists.reading import How

    one_of("--format", list_, ("cmms", "vendor"), "format with columns")
    target = Path(mapping or f"{Path(files[0]).name}.mapping.toml")
    if target.exists():
        raise InputError(str(target), "is there already; name another with --mapping", reason=Reason.CONFLICT)
    asked = apart.asked(How(realm="", at_us=0), propose_for=list_)
    with Parser(apart.MODULE, asked, _opened(files[:1])) as parser:
        proposal = apart.proposal(parser)
    if proposal is None:
        raise InputError(shown(files[0]), "holds nothing", reason=Reason.MESSAGE_EMPTY)
    columns = proposal.mapping(list_, vendor)
    if not as_json:
        _show(proposal)
        if sys.stdin.isatty():
            columns = _decided(columns, proposal.undecided)
    target.write_text(write(columns), encoding="utf-8")
    undecided = [one.name for one in columns.columns if one.date == "?"]
    if not undecided:
        check(columns)
    value = {
        "mapping": str(target),
        "rows": proposal.rows,
        "header_line": proposal.shape.header_line,
        "undecided": undecided,
        "columns": [one._asdict() for one in proposal.columns],
    }

    def human() -> None:
        print(f"Written to {target}: look at it, then import with --mapping {target} --dry-run.")
        for name in undecided:
            say(f"  {name}: day first or month first? Write its form in place of the question mark.")

    emit(value, as_json=as_json, human=human)


def _show(proposal: Proposal) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("column", "is", "why", "filled", "for example")
    for one in proposal.columns:
        what = one.attribute + (f" ({one.date})" if one.date else "")
        share = f"{one.filled} of {proposal.rows}"
        table.add_row(escape(one.name), what or "not read", one.why, share, escape(" | ".join(one.samples)))
    console().print(table)


def _decided(columns: ColumnMap, undecided: Sequence[str]) -> ColumnMap:
    forms = {
        name: typer.prompt(f"{name}: form of its dates (%d/%m/%Y or %m/%d/%Y)", default="?")
        for name in undecided
    }
    return replace(
        columns, columns=tuple(one._replace(date=forms.get(one.name, one.date)) for one in columns.columns)
    )


def _document(outcome: Outcome, *, dry: bool) -> dict[str, Any]:
    report = outcome.report
    refusals = [
        {"column": c, "reason": r, "why": w, "count": n} for (c, r, w), n in report.refusals.most_common()
    ]
    return {
        "dry_run": dry,
        "counts": dict(report.counts),
        "taken": dict(outcome.taken),
        "catalogue": outcome.products,
        "models": [_model(one) for one in outcome.models],
        "differing": dict(report.differing),
        "differences": [
            {**one._asdict(), "others": [other._asdict() for other in one.others]}
            for one in report.differences
        ],
        "new": [one._asdict() for one in report.new],
        "unclear": [one._asdict() for one in report.unclear],
        "duplicates": [one._asdict() for one in report.duplicates],
        "duplicates_whole": report.whole,
        "gone": [one._asdict() for one in report.gone],
        "refusals": refusals,
        "refused": [{**one._asdict(), "reason": one.reason.code} for one in report.refused],
        "conflicts": len(outcome.conflicts),
    }


def _model(one: MayDo) -> dict[str, Any]:
    rules = [{**rule._asdict(), "peers": [peer._asdict() for peer in rule.peers]} for rule in one.rules]
    return {**asdict(one), "rules": rules}


def _tell(outcome: Outcome, *, dry: bool) -> None:
    report = outcome.report
    if outcome.products:
        print(f"{outcome.products} rows of the device catalogue {'read' if dry else 'kept'}.")
    for model in outcome.models:
        say(
            f"{model.make} {model.model} ({model.url}): {len(model.rules)} rules{'; not kept' if dry else ''}."
        )
    if report.counts["rows"]:
        _tell_rows(report)
    if report.counts["refused"]:
        _tell_refused(report)
    if outcome.conflicts:
        count = len(outcome.conflicts)
        words = "1 identity is" if count == 1 else f"{count:,} identities are"
        print(f"{words} claimed twice: oathward findings list --kind identity.claimed-twice")
    print("Nothing was changed." if dry else "Taken.")


def _tell_rows(report: Report) -> None:
    counts = report.counts
    print(
        f"{counts['rows']:,} rows: {counts['new']:,} new, {counts['same']:,} the same, {counts['differs']:,} differ, {counts['unclear']:,} unclear;"
        f" {counts['duplicates']:,} claim what an earlier row has, {counts['gone']:,} endpoints are gone from the list."
    )
    for attribute, count in report.differing.most_common():
        print(f"  {attribute}: differs in {count:,}")
    for one in report.differences[:SHOWN_MAX]:
        others = "; ".join(f"{other.value} ({other.source})" for other in one.others)
        say(f"  {one.file}, line {one.line}, {one.attribute}: {one.value}; known: {others}")
    if counts["disputed"]:
        print(
            f"  {counts['disputed']} of these are tags of two devices by their serials, UDIs or EUI-64s: both are kept, and the tag is in dispute."
        )
    for twice in sorted(report.duplicates, key=lambda one: not one.disputed)[:SHOWN_MAX]:
        why = ", of another device: in dispute" if twice.disputed else ""
        say(
            f"  {twice.file}, line {twice.line}: its {twice.mark} stands in {twice.first[0]}, line {twice.first[1]} already{why}"
        )
    for row in report.unclear[:SHOWN_MAX]:
        say(f"  {row.file}, line {row.line}: unclear, several endpoints have its {row.mark}")
    for gone in report.gone[:SHOWN_MAX]:
        say(f"  {gone.endpoint} {gone.tag}: is in the list no more")


def _tell_refused(report: Report) -> None:
    print(f"{report.counts['refused']} things could not be read:", file=sys.stderr)
    for (column, reason, why), count in report.refusals.most_common(SHOWN_MAX):
        print(f"  {count} × {column or 'row'}: {why} ({reason})", file=sys.stderr)
    for refused in report.refused[:SHOWN_MAX]:
        print(f"  {_place(refused)}: {refused.why} ({refused.reason.code})", file=sys.stderr)


def _place(one: Refused) -> str:
    return ", ".join(part for part in (one.file, f"line {one.line}" if one.line else "", one.column) if part)
