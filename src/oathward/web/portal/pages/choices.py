"""Change my choices: what stands, by purpose; one choice with what each answer would change; what counts from then on.

Rules:
- Only the last button writes: looking, going back and closing write nothing.
- Yes and no stand on one page, in one form, in one order, with the same weight: it takes as many steps to take back as to give.
- Before somebody chooses they read what each answer changes anywhere, and what of the care stays as it is.
- An answer to what has changed since it was shown does nothing; the page says so and shows it anew.

Deliberately absent: choosing several at once, choices of which the law leaves none (they are explained).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oathward.choosing import Board, board
from oathward.consent.choices import Choice, Consequence, consequence, statements_for
from oathward.consent.withdrawals import Withdrawals
from oathward.core.db import read
from oathward.core.errors import AuthorityError, InputError, OathwardError
from oathward.core.reasons import Reason
from oathward.patients import views as patients
from oathward.web.portal.page import Page, Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from oathward.consent.choices import Answer
    from oathward.policy.bundle import Bundle
    from oathward.web.portal.view import View

_ANSWERS: tuple[Answer, ...] = ("allowed", "not-allowed")
_ORDER = ("use", "care", "law")
_KINDS = (
    *("values", "health", "notes", "files", "device", "place"),
    *("name", "reach", "age", "number", "family", "staff", "house", "money", "other"),
)
"""Plain words for kinds of data, in the order in which they are said."""

_WORDS = {
    "observation": "values",
    "clinical": "health",
    "order": "health",
    "note": "notes",
    "attachment": "files",
    "device": "device",
    "location": "place",
    "patient.name": "name",
    "patient.address": "reach",
    "patient.contact": "reach",
    "patient.birth-date": "age",
    "patient.demographic": "age",
    "patient.time": "age",
    "patient.identifier": "number",
    "patient.encounter": "number",
    "patient.image": "files",
    "relative": "family",
    "staff": "staff",
    "organisation": "house",
    "financial": "money",
    "uncatalogued": "other",
}
"""A class of data, or its first word -> which plain word says it; those of the message's frame say nothing of anybody."""


@dataclass(frozen=True, slots=True)
class Row:
    """One choice in a list. ``place``: the recipient's name."""

    choice: Choice
    place: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What an answer does at one place: kinds of data that it gets from then on, and that it gets no more."""

    place: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]


def _list(view: View) -> Response:
    assert view.seat is not None, "the frame lets nobody else here"
    bundle = view.policy.now()
    if bundle is None:
        return view.page("choices.html", known=True, groups=[])
    try:
        shown = board(view.site, bundle, view.seat.subject)
    except AuthorityError:
        return view.page("choices.html", known=False, groups=[])
    rows = [Row(one, _name(bundle, one.recipient)) for one in shown.choices]
    groups = [(kind, [row for row in rows if row.choice.kind == kind]) for kind in _ORDER]
    return view.page("choices.html", known=True, groups=[(kind, some) for kind, some in groups if some])


def _one(view: View) -> Response:
    return _shown(view, *_chosen(view))


def _shown(
    view: View, bundle: Bundle, shown: Board, choice: Choice, *, again: bool = False, status: int = 200
) -> Response:
    effects = {answer: _consequence(view, bundle, shown, choice, answer) for answer in _ANSWERS}
    care = [
        _name(bundle, one.recipient)
        for one in effects["not-allowed"].stays
        if one.perhaps and bundle.links[one.link] is not bundle.keep
    ]
    return view.page(
        "choice.html",
        status=status,
        row=Row(choice, _name(bundle, choice.recipient)),
        kinds=_kinds(choice.classes),
        named=any(bundle.links[link].carries_identity for link in choice.links),
        yes=_effects(bundle, effects["allowed"]),
        no=_effects(bundle, effects["not-allowed"]),
        care=sorted(set(care)),
        seen=shown.seen(choice),
        again=again,
    )


def _choose(view: View) -> Response:
    assert view.seat is not None, "the frame lets nobody else here"
    answer = view.form.get("answer", "")
    bundle, shown, choice = _chosen(view)
    if answer not in _ANSWERS:
        return _shown(view, bundle, shown, choice, again=True, status=409)
    try:
        view.site.keeper.portal.choose(
            *(view.seat.subject, choice.purpose, choice.recipient, answer, view.form.get("seen", "")[:64]),
            view.proof,
        )
    except OathwardError as error:
        if error.reason is not Reason.CONFLICT:
            raise
        return _shown(view, *_chosen(view), again=True, status=409)
    return view.go(f"/choices/{choice.id}/done")


def _done(view: View) -> Response:
    bundle, _, choice = _chosen(view)
    took, unheard = _took(view, choice)
    row = Row(choice, _name(bundle, choice.recipient))
    return view.page("choice_done.html", row=row, took=took, unheard=unheard)


def _took(view: View, choice: Choice) -> tuple[str, bool]:
    """Say in how many seconds a no came to work everywhere, and whether some process has not said so yet; empty: not told yet."""
    assert view.seat is not None, "the frame lets nobody else here"
    active, site = view.policy.active(), view.site
    if active is None or choice.state != "not-allowed":
        return "", False
    with read(site.engine) as db:
        found = Withdrawals(
            *(db, site.site),
            bundle=active.bundle,
            bundle_us=active.at_us,
            family=lambda subject: patients.family(db, site.site, subject),
            now_us=view.now_us,
            days=1,
            subject=view.seat.subject,
        )
    ours = next((one for one in found.rows if {on.link for on in one.links} & set(choice.links)), None)
    if ours is None:
        return "", False
    return "" if ours.ms is None else f"{max(ours.ms, 10) / 1_000:.2f}", bool(ours.unheard)


def _chosen(view: View) -> tuple[Bundle, Board, Choice]:
    """Find the choice that an address names.

    Raises:
        InputError: ``not-found``. AuthorityError: it cannot be told what was said.
    """
    assert view.seat is not None, "the frame lets nobody else here"
    bundle = view.policy.now()
    purpose, _, recipient = view.request.path_params["choice"].partition(".")
    if bundle is None:
        raise InputError(reason=Reason.NOT_FOUND)
    shown = board(view.site, bundle, view.seat.subject)
    return bundle, shown, shown.find(purpose, recipient)


def _consequence(view: View, bundle: Bundle, shown: Board, choice: Choice, answer: Answer) -> Consequence:
    said = statements_for(choice, answer, source="portal", id_="asked")
    return consequence(bundle, choice, shown.statements, said, view.now_us)


def _effects(bundle: Bundle, found: Consequence) -> list[Effect]:
    """Say what changes, place by place; links of one place together."""
    gained: dict[str, set[str]] = {}
    lost: dict[str, set[str]] = {}
    for one in found.changes:
        name = _name(bundle, one.recipient)
        gained.setdefault(name, set()).update(_kinds(one.gained))
        lost.setdefault(name, set()).update(_kinds(one.lost))
    return [
        Effect(name, *(tuple(kind for kind in _KINDS if kind in some[name]) for some in (gained, lost)))
        for name in sorted(gained)
        if gained[name] or lost[name]
    ]


def _kinds(classes: Iterable[str]) -> tuple[str, ...]:
    """Say kinds of data in plain words, each once, in their order."""
    found = {_WORDS.get(one) or _WORDS.get(one.partition(".")[0], "") for one in classes}
    return tuple(kind for kind in _KINDS if kind in found)


def _name(bundle: Bundle, recipient: str) -> str:
    return bundle.recipients[recipient].name


PAGE = Page(
    "choices.title",
    (
        Route("/choices", _list, "choose"),
        Route("/choices/{choice}", _one, "choose"),
        Route("/choices/{choice}", _choose, "choose", "POST"),
        Route("/choices/{choice}/done", _done, "choose"),
    ),
    order=30,
)
