"""Profiles, by the API: what each does with every class, what differs between two, before and after of a made-up patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.deid import words
from oathward.deidentifying.example.rows import examples
from oathward.web.calls import Call, Query
from oathward.web.page import Route, named
from oathward.web.pages.profiles import Known, known, made_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View


@dataclass(frozen=True, slots=True)
class ProfileOut:
    """One profile; `links`, `projects`: of the policy in force, that use it, or where it moves dates may."""

    name: str
    summary: str
    not_claimed: str
    source: str
    built_in: bool
    links: list[str]
    projects: list[str]


@dataclass(frozen=True, slots=True)
class ClassOut:
    """What becomes of one class of elements; `action`: as the profile names it; `dicom`: of which attributes Annex E says something else."""

    cls: str
    what: str
    action: str
    becomes: str
    dicom: str


@dataclass(frozen=True, slots=True)
class OptionOut:
    """An option of DICOM PS3.15 Annex E that holds beside the basic profile."""

    code: int
    meaning: str


@dataclass(frozen=True, slots=True)
class ProfileWhole:
    """One profile with every class and its options for DICOM."""

    profile: ProfileOut
    classes: list[ClassOut]
    dicom: list[OptionOut]


@dataclass(frozen=True, slots=True)
class DifferentOut:
    """One class of which another profile makes something else; `direction`: with the other `more` leaves, `less`, or `other`."""

    cls: str
    what: str
    before: str
    after: str
    direction: str


@dataclass(frozen=True, slots=True)
class ExampleRowOut:
    """One value of a made-up document: where, its class, what came, what leaves, why."""

    place: str
    name: str
    cls: str
    before: str
    after: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class ExampleOut:
    """Before and after; `held`: reason code where nothing leaves; `before`, `after`: empty where the document is no text."""

    profile: str
    format: str
    held: str
    rows: list[ExampleRowOut]
    before: str
    after: str


def profiles(view: View) -> Response:
    """List the profiles, by name; all of them, for there are few."""
    found = known(view)
    return view.listed([_plain(found, name) for name in sorted(found.profiles)])


def profile(view: View) -> Response:
    """Give one profile."""
    found = known(view)
    shown = found.one(view.part("profile"))
    classes = [ClassOut(row.cls, row.what, row.action, row.becomes, row.dicom) for row in words.said(shown)]
    options = [OptionOut(code, meaning) for code, meaning in words.options(shown)]
    return view.json(ProfileWhole(_plain(found, shown.name), classes, options))


def differences(view: View) -> Response:
    """Say of which classes another profile makes something else."""
    found = known(view)
    before = found.one(view.part("profile"))
    other = view.asks.get("other", "")
    if other not in found.profiles:
        raise InputError("other", "name a profile that there is", reason=Reason.INPUT_INVALID)
    rows = words.difference(before, found.profiles[other])
    return view.listed([DifferentOut(*row) for row in rows])


def example(view: View) -> Response:
    """Show what a profile makes of a made-up patient; nothing of it is anybody's, or stored."""
    made = made_of(view, view.asks.get("format", "hl7v2"))
    rows = [
        ExampleRowOut(row.place, row.name, row.cls, row.before, row.after, row.what, row.why)
        for row in made.rows
    ]
    return view.json(ExampleOut(made.profile, made.format, made.held, rows, *made.documents))


def _plain(found: Known, name: str) -> ProfileOut:
    about = words.about(found.texts[name])
    links, projects = found.uses(name)
    return ProfileOut(
        name, about.summary, about.not_claimed, about.source, found.is_ours(name), links, projects
    )


_ROOT = "/api/v1/profiles"
_ONE = f"{_ROOT}/{{profile}}"
API = (
    Route(_ROOT, profiles, action="policy.see", api=True, call=Call(gives=ProfileOut, listed=True)),
    Route(_ONE, profile, action="policy.see", thing=named("policy"), api=True, call=Call(gives=ProfileWhole)),
    Route(
        f"{_ONE}/differences",
        differences,
        action="policy.see",
        thing=named("policy"),
        api=True,
        call=Call(gives=DifferentOut, listed=True, asks={"other": Query("the profile to compare with")}),
    ),
    Route(
        f"{_ONE}/example",
        example,
        action="policy.see",
        thing=named("policy"),
        api=True,
        call=Call(gives=ExampleOut, asks={"format": Query("of the made-up document", tuple(examples()))}),
    ),
)
