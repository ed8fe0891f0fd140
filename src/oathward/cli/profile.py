"""``oathward profile``: what profiles do, in words; what differs between two; before and after of a made-up message.

With ``--data`` the profiles of that site's policy in force are known too, and the example names its devices and authorities.

Deliberately absent: a site's own profiles that are not active; ``oathward policy diff`` tells what those of a bundle change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from oathward.cli.output import JsonOption, console, emit, one_of, say, settings_of
from oathward.core.errors import InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.deid.profile import Profile
    from oathward.deidentifying.example.story import Story

APP = typer.Typer(
    help="Profiles of de-identification in words: list, show one, what differs between two, before and after.",
    add_completion=False,
)


@APP.command()
def profile(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A profile, e.g. safe-harbor; without one all are listed.",
            show_default=False,
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[OTHER]", help="Say only what differs from NAME to this one.", show_default=False
        ),
    ] = None,
    example: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="Show what it makes of a made-up patient's hl7v2, fhir, dicom or text: before and after.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the made-up patient as files, one a format, into an empty folder: to try `oathward deid` on.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Data folder: with the profiles of its policy, and its own words in the example.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the profiles, say what one does with each class of elements, what differs between two, or show before and after."""
    from oathward.deid.profile import builtin_texts, load_profiles

    site = _Site({}, None) if data is None else _site(data)
    if write is not None:
        if name is not None or example is not None:
            raise InputError("--write", "is of no profile: name none", reason=Reason.INPUT_INVALID)
        _write(write, site.story, as_json=as_json)
        return
    known, texts = load_profiles(site.profiles), {**builtin_texts(), **site.profiles}
    if name is None:
        if example is not None:
            raise InputError("--example", "name a profile before it", reason=Reason.INPUT_INVALID)
        _all(texts, as_json=as_json)
        return
    one_of("NAME", name, known, "profile")
    if example is not None:
        if other is not None:
            raise InputError("--example", "is of one profile, not of two", reason=Reason.INPUT_INVALID)
        _example(known[name], example, site.story, as_json=as_json)
    elif other is None:
        _whole(known[name], texts[name], as_json=as_json)
    else:
        one_of("OTHER", other, known, "profile")
        _difference(known[name], known[other], as_json=as_json)


class _Site(NamedTuple):
    """A site's own profiles, name to TOML text, and the example in its words; None in ours."""

    profiles: Mapping[str, str]
    story: Story | None


def _site(data: str) -> _Site:
    from oathward.cli.consents import bundle_in_force
    from oathward.core.db import connect, read
    from oathward.deidentifying.example.story import of_site
    from oathward.inventory.views import devices
    from oathward.vault.authority import Seen, trust_anchor

    settings = settings_of(data)
    bundle = bundle_in_force(settings)
    engine = connect(settings.database_url)
    try:
        with read(engine) as db:
            found = devices(db, settings.site.name, trust_anchor(settings), Seen())
    finally:
        engine.dispose()
    story = of_site((one.device for one in found), settings.patients.authorities)
    return _Site(bundle.profiles if bundle else {}, story)


def _write(folder: Path, story: Story | None, *, as_json: bool) -> None:
    from oathward.deidentifying.example.rows import examples
    from oathward.deidentifying.example.story import STORY

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("--write", "name a new or empty folder", reason=Reason.CONFLICT)
    folder.mkdir(parents=True, exist_ok=True)
    found = list(examples().values())
    for one in found:
        (folder / one.name).write_bytes(one.told(story or STORY))
    names = [one.name for one in found]
    emit({"written": names}, as_json=as_json, human=lambda: say(f"Written to {folder}: {', '.join(names)}."))


def _all(texts: Mapping[str, str], *, as_json: bool) -> None:
    from oathward.deid import words

    told = {name: words.about(text) for name, text in sorted(texts.items())}

    def human() -> None:
        for name, head in told.items():
            say(f"{name}: {head.summary}")

    rows = [{"name": name, **head._asdict()} for name, head in told.items()]
    emit({"profiles": rows}, as_json=as_json, human=human)


def _whole(shown: Profile, text: str, *, as_json: bool) -> None:
    from oathward.deid import words

    head, rows, given = words.about(text), words.said(shown), words.settings(shown)
    options = words.options(shown)
    value = {
        "name": shown.name,
        **head._asdict(),
        "classes": [row._asdict() | {"formats": dict(row.formats)} for row in rows],
        "parameters": [one._asdict() for one in given],
        "dicom": [{"code": code, "meaning": meaning} for code, meaning in options],
    }

    def human() -> None:
        say(f"{shown.name}: {head.summary}")
        say(words.everything(shown))
        _table(
            ("what", "what becomes of it"),
            [(row.what, row.becomes + (f". In DICOM: {row.dicom}" if row.dicom else "")) for row in rows],
        )
        for one in given:
            say(f"{one.action}, {one.name} = {', '.join(one.values)}: {one.meaning}")
        say(
            f"DICOM, beside the basic profile: {'; '.join(f'{code} {meaning}' for code, meaning in options) or 'nothing'}"
        )
        say(f"Not claimed: {head.not_claimed}")
        say(f"Source: {head.source}")

    emit(value, as_json=as_json, human=human)


def _difference(one: Profile, other: Profile, *, as_json: bool) -> None:
    from oathward.deid import words

    rows = words.difference(one, other)

    def human() -> None:
        if not rows:
            say(f"{one.name} and {other.name} do the same.")
            return
        leaves = {"more": "more leaves", "less": "less leaves", "other": "in another form"}
        told = [(row.what, row.before, row.after, leaves[row.direction]) for row in rows]
        _table(("what", one.name, other.name, ""), told)

    found = [row._asdict() for row in rows]
    emit({"before": one.name, "after": other.name, "differences": found}, as_json=as_json, human=human)


def _example(profile: Profile, name: str, story: Story | None, *, as_json: bool) -> None:
    from oathward.deidentifying.example.preview import preview
    from oathward.deidentifying.example.rows import examples
    from oathward.deidentifying.example.story import STORY

    one_of("--example", name, examples(), "format")
    found = preview(profile, name, story or STORY)
    before, after = found.documents

    def human() -> None:
        say(f"{found.title}, before and after `{profile.name}`: made up, shaped by keys of no site.")
        told = [
            (f"{row.place} {row.name}".strip(), row.before, row.what, row.after, f"{row.about}: {row.why}")
            for row in found.rows
        ]
        _table(("where", "before", "what happens", "after", "why"), told)
        for title, document in (("Before", before), ("After", after)):
            if document:
                say(f"{title}:")
                for line in document.splitlines():
                    say(line)
        if found.held:
            say(f"Held: nothing of it leaves ({found.held}).")

    emit(
        {
            "profile": profile.name,
            "format": name,
            "held": found.held,
            "rows": [row._asdict() for row in found.rows],
            "before": before,
            "after": after,
        },
        as_json=as_json,
        human=human,
    )


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads)
    for row in rows:
        table.add_row(*map(Text, row))  # a mark such as [name] is text, and no style
    console().print(table)
