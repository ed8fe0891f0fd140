"""Profiles: what each does with every class of elements, in words; what differs between two; before and after of a made-up patient.

Rules:
- Profiles are the built-in ones and those of the policy in force. Words are of ``deid.words``: the same as at the command line.
- Nobody in an example exists, nothing of it is stored, and its keys are of no site (``deidentifying.example``). Of the site it has what
  devices and authorities are called, for those who may see devices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.activation import load_active
from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.labels import ROLES
from oathward.core.reasons import Reason
from oathward.deid import words
from oathward.deid.action import actions
from oathward.deid.profile import Profile, builtin_texts, load_profiles
from oathward.deidentifying.example.preview import Preview, preview
from oathward.deidentifying.example.rows import examples
from oathward.deidentifying.example.story import STORY, Story, of_site
from oathward.inventory import views
from oathward.policy.reading import near
from oathward.web.page import Page, Route, named
from oathward.web.view import View

if TYPE_CHECKING:
    from oathward.activation import Active
    from oathward.policy.bundle import Bundle

DEVICES_LOOKED_AT = 50
"""Of the inventory: one of them is named in the example."""

HEADS = {
    "patient": "The patient",
    "relative": "Relatives",
    "staff": "Staff",
    "organisation": "Organisations",
    "": "Everything else",
}
FATES = {"keep": ("ok", "stays"), "pass": ("ok", "stays"), "remove": ("off", "goes"), "hold": ("off", "held")}
"""Action -> status and word; every other one leaves the class in another form."""
CHANGES = ("note", "changes")
DIRECTIONS = {
    "more": ("note", "more leaves"),
    "less": ("ok", "less leaves"),
    "other": ("off", "in another form"),
}
WHATS = {
    "changed": ("note", "changed"),
    "added": ("note", "added"),
    "removed": ("off", "removed"),
    "kept": ("ok", "kept"),
}
"""What becomes of a value, in the order in which an example shows it; what is kept is folded."""


@dataclass(frozen=True, slots=True)
class Known:
    """The profiles there are, their texts, and the policy in force, if any."""

    profiles: Mapping[str, Profile]
    texts: Mapping[str, str]
    active: Active | None

    def one(self, name: str) -> Profile:
        """Give a profile.

        Raises:
            InputError: there is no such one.
        """
        found = self.profiles.get(name)
        if found is None:
            why = f"there is no such profile; {near(name, self.profiles)}"
            raise InputError("profile", why, reason=Reason.NOT_FOUND)
        return found

    def is_ours(self, name: str) -> bool:
        """Whether it came with Oathward."""
        return name in builtin_texts()

    def uses(self, name: str) -> tuple[list[str], list[str]]:
        """List links of the policy in force that are shaped by a profile, and projects: theirs, and where it moves dates those for it."""
        bundle: Bundle | None = self.active.bundle if self.active else None
        if bundle is None:
            return [], []
        links = [one for one in bundle.links.values() if one.profile == name]
        projects = {one.project for one in links if one.project}
        if any(actions()[action].shifts for _, action in self.profiles[name].actions):
            projects |= {one.id for one in bundle.projects.values() if one.date_shift}
        return [one.id for one in links], sorted(projects)


def known(view: View) -> Known:
    """Give the profiles of this site."""
    site = view.site
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen, current=view.asking.active)
    own = dict(active.bundle.profiles) if active else {}
    return Known(load_profiles(own), {**builtin_texts(), **own}, active)


def story(view: View) -> Story:
    """Give the example in this site's words, as far as the viewer may see its devices."""
    site = view.site
    if not view.may("devices.see") or view.makes("devices.see") is not None:
        return STORY
    with read(site.engine) as db:
        found = views.page(db, site.site, site.authority, site.seen, status="active", limit=DEVICES_LOOKED_AT)
    return of_site((one.device for one in found if one.signed == "yes"), site.settings.patients.authorities)


def show(view: View) -> Response:
    """List the profiles."""
    found = known(view)
    rows = [
        (name, words.about(found.texts[name]), words.everything(one), *found.uses(name))
        for name, one in sorted(found.profiles.items())
    ]
    return view.page("profiles.html", active=found.active, known=found, rows=rows)


def one(view: View) -> Response:
    """Say what one does, and what differs from another."""
    found = known(view)
    profile = found.one(view.part("profile"))
    links, projects = found.uses(profile.name)
    other = view.asked("with", known=found.profiles)
    rows = words.said(profile)
    return view.page(
        "profile.html",
        about=words.about(found.texts[profile.name]),
        changes=CHANGES,
        different=words.difference(profile, found.profiles[other]) if other else (),
        directions=DIRECTIONS,
        everything=words.everything(profile),
        fates=FATES,
        formats=tuple(dict.fromkeys((row.becomes, *how) for row in rows for how in row.formats)),
        groups=[(title, [row for row in rows if _role(row.cls) == role]) for role, title in HEADS.items()],
        links=links,
        options=words.options(profile),
        other=other,
        ours=found.is_ours(profile.name),
        others=sorted(found.profiles.keys() - {profile.name}),
        profile=profile,
        projects=projects,
        settings=words.settings(profile),
    )


def example(view: View) -> Response:
    """Show before and after of a made-up patient."""
    profile = known(view).one(view.part("profile"))
    kinds = examples()
    kind = view.asked("format", known=kinds) or "hl7v2"
    made = preview(profile, kind, story(view))
    counts = Counter(row.what for row in made.rows)
    return view.page(
        "profile_example.html",
        counts=counts,
        kinds=kinds,
        made=made,
        profile=profile,
        kept=[row for row in made.rows if row.what == "kept"],
        rows=[row for what in WHATS for row in made.rows if row.what == what != "kept"],
        whats=WHATS,
    )


def made_of(view: View, kind: str) -> Preview:
    """Give before and after of one format, for a call."""
    return preview(known(view).one(view.part("profile")), kind, story(view))


def _role(cls: str) -> str:
    role = cls.partition(".")[0]
    return role if role in ROLES else ""


PAGE = Page(
    "Profiles",
    (
        Route("/profiles", show, action="policy.see"),
        Route("/profiles/{profile}", one, action="policy.see", thing=named("policy")),
        Route("/profiles/{profile}/example", example, action="policy.see", thing=named("policy")),
    ),
    group="Decide",
    key="g",
    order=15,
)
