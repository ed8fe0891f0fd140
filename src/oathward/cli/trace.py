"""``oathward trace``: where a message or a patient's data went, and what something that was released came from."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import IdentifierFileOption, PersonOption, hasher_of, identifiers_in, now_us, opened
from oathward.cli.deid_before import check_there, tell
from oathward.cli.output import DataOption, JsonOption, emit, say, settings_of, shown
from oathward.cli.permitted import who_may
from oathward.core.clock import iso
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from oathward.core.settings import Settings
    from oathward.tracing.told import Back, Came, Filed, Onward, Went
    from oathward.vault.opened import Opened

APP = typer.Typer(
    help="Where a message or a patient's data went, and what something that was released came from.",
    add_completion=False,
    no_args_is_help=True,
)
ACTION = "trace.read"


@APP.command()
def message(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Our id of the message.")] = "",
    control_id: Annotated[str, typer.Option("--control-id", help="Its MSH-10 instead, with --device.")] = "",
    device: Annotated[str, typer.Option("--device", help="Id of the device that sent it.")] = "",
    sender: Annotated[
        str,
        typer.Option(
            "--sender",
            metavar="APP|FACILITY",
            help="MSH-3 and MSH-4 as written; those declared of the device by default.",
        ),
    ] = "",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say where a message went: each link, its recipient, what was decided, what became of the delivery."""
    from oathward.tracing import onward

    if bool(id_) == bool(control_id) or bool(control_id) != bool(device):
        raise InputError("options", "say either an id, or --control-id and --device")
    with opened(data) as site:
        who = who_may(site, person, ACTION)
        if control_id:
            key = _duplicate_key(site.settings)
            id_ = onward.with_control_id(site, key, device, _senders(site, device, sender), control_id)
        found = onward.of_message(site, id_)
        _record(site, who, "message", [id_], len(found.went), message=id_)
    emit(_plain(asdict(found)), as_json=as_json, human=lambda: _show_onward(found, {}))


@APP.command()
def subject(
    id_: Annotated[str, typer.Argument(metavar="SUBJECT", help="Subject id.")] = "",
    identifier_file: IdentifierFileOption = None,
    limit: Annotated[
        int, typer.Option(min=1, max=5_000, help="At most this many messages, newest first.")
    ] = 200,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say where a patient's data went: deliveries of their newest messages, and every file of a job that holds them."""
    from oathward.tracing import onward

    if bool(id_) == bool(identifier_file):
        raise InputError("options", "say either a subject or --identifier-file")
    with opened(data) as site:
        who = who_may(site, person, ACTION)
        id_ = id_ or _subject(site, data, str(identifier_file))
        found = onward.of_patient(site, id_, limit=limit)
        _record(site, who, "subject", [], len(found.went) + len(found.files), subject=found.subjects[0])
        names = _names(site, found.files)
    emit(_plain(asdict(found)), as_json=as_json, human=lambda: _show_onward(found, names))


@APP.command()
def back(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ID",
            help="Of what was released: MSH-10 or an id of a FHIR resource from a link; the name of a file that a job wrote or held, or an id in it.",
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A released file, whose name and ids are looked for.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--in", metavar="PATH", help="The folder or file that the job read: says which of it."),
    ] = None,
    before: Annotated[
        int | None, typer.Option("--before", metavar="RECORD", help="Go on where a long look back ended.")
    ] = None,
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what something that was released came from. Exit code 1 where nothing is known of it."""
    from oathward.tracing import files as jobs
    from oathward.tracing.back import back as look_back
    from oathward.tracing.ids import ids_in, ids_of_file
    from oathward.vault.keeper import client

    if bool(ids) == bool(file):
        raise InputError("options", "say either ids or --file")
    if folder is not None:
        check_there("--in", folder)
    with opened(data) as site:
        who = who_may(site, person, ACTION)
        asked = ids_in(_readable(ids or ())) if file is None else ids_of_file(file)
        found = look_back(site, asked, before=before)
        files = found.files
        if folder is not None:
            with client.connect(site.settings, "gateway") as keeper:
                sources = jobs.sources(files, folder, keeper.device_key)
            files = [replace(one, source=shown(one.source)) for one in sources]
            if files and not any(one.source for one in files):
                tell(
                    "--in: none of its files is the one; name the folder or file that the job read, as it was named then"
                )
        known = [*(one.outgoing for one in found.went), *dict.fromkeys(one.file for one in files)]
        names = _names(site, files)
        _record(site, who, "release", known if file else list(found.asked), len(found.went) + len(files))
    value = _plain(
        asdict(found) | {"files": list(map(asdict, files)), "asked": None if file else found.asked}
    )
    emit(value, as_json=as_json, human=lambda: _show_back(found, files, names))
    if not (found.went or found.notices or files):
        raise typer.Exit(1)


def _readable(ids: Sequence[str]) -> Sequence[str]:
    """Leave out what is no id where others are, and say which it is, by its place: it may be a patient's number."""
    from oathward.tracing.ids import ids_in

    good: list[str] = []
    for place, text in enumerate(ids, 1):
        try:
            ids_in([text])
        except InputError as error:
            if len(ids) == 1 or (place == len(ids) and not good):
                raise
            tell(f"ID {place} of {len(ids)} was not looked for: it {error.why}")
        else:
            good.append(text)
    return good


def _duplicate_key(settings: Settings) -> bytes:
    from oathward.vault.keeper import client

    with client.connect(settings, "gateway") as keeper:
        return keeper.hello().duplicate_key


def _senders(site: Opened, device: str, sender: str) -> Sequence[str]:
    """Give what may stand in MSH-3 and MSH-4: as said, else as declared of the device."""
    from oathward.core.db import read
    from oathward.inventory import views

    if sender:
        return (sender if "|" in sender else f"{sender}|",)
    with read(site.engine) as db:
        view = views.one(db, site.site, device, site.authority, site.seen)
    found = sorted(one for one in view.device.senders if "|" in one) if view else []
    if not found:
        raise InputError(
            "--sender", "say MSH-3 and MSH-4: none are declared of this device", reason=Reason.NOT_FOUND
        )
    return found


def _subject(site: Opened, data: str | None, identifier_file: str) -> str:
    from oathward.core.db import read
    from oathward.patients import views

    hasher = hasher_of(settings_of(data))
    wanted = identifiers_in(identifier_file, hasher)
    if len(wanted) != 1:
        raise InputError("--identifier-file", "must hold one identifier")
    with read(site.engine) as db:
        found = views.find(db, site.site, hasher, wanted[0])
    if not found:
        raise InputError("--identifier-file", "no such patient", reason=Reason.NOT_FOUND)
    return found


def _names(site: Opened, files: Iterable[Filed]) -> Mapping[str, str]:
    """Give the names of whoever ran jobs, by id."""
    from oathward.core.db import read
    from oathward.people import views

    with read(site.engine) as db:
        return views.names(db, site.site, {one.by for one in files})


def _record(
    site: Opened, who: str, of: str, asked: Iterable[str], found: int, *, subject: str = "", message: str = ""
) -> None:
    from oathward.tracing.asked import note

    note(site, of, asked, found, by=who, now_us=now_us(site), subject=subject, message=message)


def _show_onward(found: Onward, names: Mapping[str, str]) -> None:
    for one in found.came:
        _show_came(one)
    if not found.came:
        say(f"Subject {found.subjects[0]}")
    _show_went(found.went)
    _show_files(found.files, names)
    if not (found.went or found.files):
        print("Nothing of it went anywhere.")
    if not found.whole:
        print("There is more; --limit shows older ones.")


def _show_back(found: Back, files: Sequence[Filed], names: Mapping[str, str]) -> None:
    for one in found.came:
        _show_came(one)
    _show_went(found.went)
    _show_files(files, names)
    if found.not_looked:
        print(
            f"{found.not_looked:,} more that may be ids were not looked for; name some of them by themselves."
        )
    for index in found.notices:
        print(f"A notice of what a patient allows; record {index} (`oathward ledger search`)")
    if not (found.went or found.notices or files):
        print("Nothing is known of it here.")
    if found.before:
        print(f"Older records were not looked through; --before {found.before} does.")


def _show_came(one: Came) -> None:
    state = f"; {one.state}{f' ({one.reason})' if one.reason else ''}" if one.state else ""
    say(f"Message {one.message} of {one.device or 'an unknown device'}, {one.type}, {iso(one.at)}{state}")
    for subject_id in one.subjects:
        say(f"  about subject {subject_id}")


def _show_went(went: Sequence[Went]) -> None:
    for one in went:
        to = f"{one.recipient} for {one.purpose}" if one.recipient else "a recipient of a policy that is gone"
        if one.word != "permit":
            say(f"  {one.link} to {to}: {one.word} ({', '.join(one.reasons)})")
            continue
        at = f" {iso(one.state_at)}" if one.state_at else ""
        say(
            f"  {one.link} to {to}: {one.state or 'permitted'}{at}, as {one.outgoing}, of message {one.message}"
        )


def _show_files(files: Sequence[Filed], names: Mapping[str, str]) -> None:
    for one in files:
        when = f" of {iso(one.begun)}" if one.begun else ""
        say(
            f"  file {one.file}, job {one.job}{when} by {names.get(one.by, one.by) or '?'}: {one.profile}, project {one.project}, {one.units} units"
        )
        for subject_id in one.subjects:
            say(f"    about subject {subject_id}")
        for kept in one.held:
            what = "held" if kept.unit < 0 else f"unit {kept.unit} held"
            say(f"    {what}: {kept.reason} {kept.place}".rstrip())
        if one.source:
            say(f"    made from {one.source}")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
