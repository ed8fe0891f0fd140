"""``oathward deid``: de-identify a folder of files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oathward.cli.asking import PersonOption, now_us, opened
from oathward.cli.output import DataOption, JsonOption, emit, one_of, plain_text, shown
from oathward.core.errors import DeidentificationError, InputError
from oathward.core.reasons import Reason

if TYPE_CHECKING:
    from oathward.core.settings import Settings
    from oathward.deid.profile import Profile
    from oathward.deidentifying.job import Done, Say
    from oathward.deidentifying.local_model import Command
    from oathward.deidentifying.output import Output
    from oathward.policy.bundle import Bundle
    from oathward.policy.model import Project
    from oathward.vault.opened import Opened

APP = typer.Typer(
    help="De-identify a folder of HL7 v2, FHIR, DICOM and text; a report says what was done.",
    add_completion=False,
)

REPORT = "oathward-report"


@APP.command()
def deid(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder or file to read; it is not changed.")],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Empty folder for what may leave.")],
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="What happens to each class of elements; `oathward profile` lists them.",
        ),
    ],
    project: Annotated[
        str,
        typer.Option(
            "--project",
            metavar="ID",
            callback=plain_text,
            help="Pseudonyms are stable in it, and unlinkable to other projects.",
        ),
    ],
    authority: Annotated[
        str,
        typer.Option(
            "--authority",
            metavar="NAME",
            callback=plain_text,
            help="Who gave the patient numbers that name nobody; else they mean something in this folder alone.",
        ),
    ] = "",
    folder: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="NAME",
            callback=plain_text,
            help="Names where the files come from: numbers of one are no other's.",
        ),
    ] = "files",
    person: PersonOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """De-identify every file of a folder that is HL7 v2, FHIR, DICOM or text; everything else is held, and counted.

    Run again after it was stopped, it goes on. Files get names of their own; beside them `oathward-report.html` and `oathward-report.json`
    say what was done, held and why. Exit code 1 where something was held.
    """
    from oathward.cli.asking import hasher_of
    from oathward.cli.deid_before import check_authority, check_there, tell_of_images
    from oathward.cli.permitted import asks
    from oathward.deidentifying.job import Order, folder_of, run
    from oathward.deidentifying.keeping import keep_house
    from oathward.deidentifying.recorded import Recorded
    from oathward.deidentifying.report import figures
    from oathward.deidentifying.whom import Whom
    from oathward.reviewing import look_at_jobs

    with opened(data) as site:
        asked = asks(site, person, "deid.run")
        bundle = _bundle(site)
        chosen, text = _profile(bundle, profile)
        check_there("PATH", path)
        check_authority(site, authority)
        tell_of_images(path)
        settings, limits = site.settings, site.settings.deid
        declared = _project(bundle, project)
        shifts = _shifts(chosen, declared, bundle.projects if bundle else {})
        order = Order(
            path,
            out,
            chosen,
            text,
            project,
            authority=authority,
            folder=folder,
            language=limits.language,
            zone=limits.zone,
            pixel_boxes=_pixel_boxes(settings),
            text_model=_text_model(settings, chosen),
            processes=limits.processes or os.cpu_count() or 1,
            time_s=limits.file_time_s_max,
            memory_bytes=limits.memory_bytes_max,
            authorities=settings.patients.authorities,
            apart=declared is None or declared.merges == "apart",
            by=asked.who,
        )
        jobs = settings.data / "deid"
        begun_us = now_us(site)
        told: dict[str, Any] = {}
        keep_house(jobs, begun_us, resume_days=limits.resume_days, job_rows_days=limits.job_rows_days)
        begun = site.keeper.jobs.begin(project, asked.proof)
        whom = Whom(
            site, begun, hasher_of(settings), asked.who, shifts=shifts, apart=order.apart, authority=authority
        )

        def recording(say: Say) -> Recorded:
            return Recorded(site, profile, project, asked.who, say, lambda: look_at_jobs(site))

        with _progress(as_json) as say, _resumable(), recording(say) as recorded:

            def ended(done: Done, output: Output) -> None:
                told.update(figures(order, done, begun_us, now_us(site)))
                recorded.ended(done)
                _end(folder_of(jobs, done.id), output, told)

            run(order, whom, jobs, begun_us, replace(recorded.heard, ended=ended))
    emit(told, as_json=as_json, human=lambda: _show(told, out))
    if told["held"] or told["partly_held"] or told["residue"]["taken_back"]:
        raise typer.Exit(1)


def _bundle(site: Opened) -> Bundle | None:
    from oathward.cli.consents import bundle_in_force

    return bundle_in_force(site.settings)


def _profile(bundle: Bundle | None, name: str) -> tuple[Profile, str]:
    """Give a profile and its text: a built-in one, or one of the policy in force."""
    from oathward.deid.profile import builtin_texts, load_profiles

    own = dict(bundle.profiles) if bundle else {}
    known = load_profiles(own)
    one_of("--profile", name, known, "profile")
    kept = [cls for cls in ("patient.name", "patient.identifier") if known[name].action_of(cls) == "keep"]
    if kept:
        raise InputError(
            "--profile",
            f"`{name}` leaves {kept[0]} as it is; choose one that does not",
            reason=Reason.INPUT_INVALID,
        )
    return known[name], {**builtin_texts(), **own}[name]


def _project(bundle: Bundle | None, name: str) -> Project | None:
    """Give a project of the policy in force; where there is one, no other may be named: a typo would make new pseudonyms."""
    if bundle is None:
        return None
    one_of("--project", name, bundle.projects, "project in the policy in force")
    return bundle.projects[name]


def _pixel_boxes(settings: Settings) -> str:
    """Give the site's own boxes, once they were checked.

    Raises:
        InputError: they cannot be read, or a line is none; names the line.
    """
    from oathward.deid.pixels.models import rows_of

    name = settings.deid.pixel_boxes_file
    if not name:
        return ""
    try:
        text = (settings.data / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = "name a file of text that can be read"
        raise InputError("[deid] pixel_boxes_file", why, reason=Reason.SETTINGS_INVALID) from error
    rows_of(text, Path(name).name)
    return text


def _text_model(settings: Settings, profile: Profile) -> Command | None:
    """Give the site's own model of language where the profile leaves texts, once it was started and answered.

    Raises:
        InputError: it cannot be started, or does not answer as it must.
    """
    from oathward.deidentifying.local_model import LocalModel, command_of

    named = settings.deid
    try:
        command = command_of(named.text_model, named.text_model_folders, named.text_model_memory_bytes_max)
        if command is None or not {"text", "attachment"}.intersection(dict(profile.actions).values()):
            return None
        LocalModel(command).end()
    except DeidentificationError as error:
        raise InputError("[deid] text_model", error.why, reason=Reason.SETTINGS_INVALID) from error
    return command


def _shifts(profile: Profile, project: Project | None, projects: Mapping[str, Project]) -> bool:
    """Say whether dates move: where the profile moves them, and the project, if a policy declares it, permits that.

    Args:
        projects: of the policy in force, by id; it is told which of them do.

    Raises:
        InputError: the profile moves dates and the project does not.
    """
    from oathward.deid.action import actions

    moves = any(actions()[action].shifts for _, action in profile.actions)
    if moves and project is not None and not project.date_shift:
        able = ", ".join(sorted(one.id for one in projects.values() if one.date_shift))
        which = f"({able})" if able else "(date_shift = true in projects.toml; no link may use it)"
        why = f"`{profile.name}` moves dates, and `{project.id}` does not: name one that does {which}, or take another profile"
        raise InputError("--project", why, reason=Reason.INPUT_INVALID)
    return moves


@contextmanager
def _progress(as_json: bool) -> Iterator[Say]:
    """Show how far it is on stderr, where somebody watches."""
    if as_json or not sys.stderr.isatty():
        yield lambda _step, _done, _of: None
        return
    from rich.console import Console
    from rich.progress import Progress

    words = {"learn": "Looked for patients", "files": "De-identified", "search": "Searched"}
    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks = {step: bar.add_task(said, total=None, visible=False) for step, said in words.items()}

        def say(step: str, done: int, of: int) -> None:
            bar.update(tasks[step], completed=done, total=of, visible=True)

        yield say


@contextmanager
def _resumable() -> Iterator[None]:
    """Say how to go on where a person stops it."""
    try:
        yield
    except KeyboardInterrupt:
        print("the same command again goes on where it stopped", file=sys.stderr)
        raise


def _end(folder: Path, output: Output, told: dict[str, Any]) -> None:
    """Write the report beside what was written, and end the job."""
    import orjson

    from oathward.deidentifying.journal import Journal
    from oathward.deidentifying.page import page

    output.put(f"{REPORT}.json", orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    output.put(f"{REPORT}.html", page(told).encode())
    Journal.read(folder).end({key: told[key] for key in ("files", "written", "held", "ended")})


def _show(told: dict[str, Any], out: Path) -> None:
    from oathward.deidentifying.apart import words_of

    patients = "1 patient" if told["patients"] == 1 else f"{told['patients']} patients"
    print(
        f"{told['written']} of {told['files']} files written to {shown(str(out))}, of {patients}; {told['held']} held."
    )
    if told["resumed"]:
        print(f"{told['resumed']} had been done before it was stopped.")
    for reason, count in told["reasons"].items():
        print(f"  {count:>7,}  {reason}")
    twice = words_of(told["authorities"])
    if twice:
        print(twice)
        print("Where they are one: declare that, and run it again into an empty folder.")
    if told["residue"]["taken_back"]:
        print(
            "Taken back, because something known of a patient stood in them; the report says which classes."
        )
    print(f"Report: {shown(str(out / f'{REPORT}.html'))}")
    print(f"Job: {told['job']}; what was done and held: oathward jobs {told['job']}")
