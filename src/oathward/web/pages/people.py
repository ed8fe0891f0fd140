"""People and access: who is here, who has which role since when and why, when it was last used; proposing another.

Rules:
- A record is changed by lists and the directory; here somebody leaves, is invited, and has a role proposed or ended.
- What takes two people is proposed here and approved by another, on the page of proposals; the keeper sees to that.
- Of care relationships and sessions there is a count, for whoever may see those; never whose patients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward import granting
from oathward.consent.sheet import moment
from oathward.core.db import read, write
from oathward.core.errors import InputError, KeeperError
from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.people import actions, views
from oathward.policy.access import Thing
from oathward.policy.people_rules import GRANTABLE
from oathward.vault import care
from oathward.vault.keeper.client.people import AccountRow
from oathward.web.page import Page, Route, named
from oathward.web.pages.account import KINDS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.people.views import PersonView
    from oathward.web.view import View

ROWS = 50
STATES = {"active": "here", "left": "left"}
ROLES = {role.value: role.value.replace("-", " ") for role in sorted(GRANTABLE)}
DONE = {
    "proposed": "Proposed. It holds once another person has approved it.",
    "left": "No role, session or service of theirs works any more.",
    "approved": "Approved, signed and in force.",
    "withdrawn": "It is off the list; nothing has changed.",
}
"""What happened, as the page that is gone to afterwards says it."""

_TOLD = {Reason.INPUT_INVALID, Reason.CONFLICT, Reason.ROLES_APART, Reason.ACCESS_OWN, Reason.ACCESS_ROLE}


def show(view: View) -> Response:
    """List people with their roles."""
    site, by = view.site, reader(view)
    role, state = view.asked("role", known=ROLES), view.asked("state", known=STATES)
    unit, words = view.asked("unit"), view.asked("find")
    with read(site.engine) as db:
        parties, units = views.parties(db, site.site), views.units(db, site.site)
        party = view.asked("party", known=dict.fromkeys(one or OURS for one in parties))
        wanted = views.Wanted(
            by.now_us,
            words=words,
            state=state,
            role=role,
            unit=unit,
            party=None if not party else "" if party == OURS else party,
        )
        found = views.page(db, site.site, by, wanted, after=view.asked("after"), limit=ROWS + 1)
        counts = views.counts(db, site.site)
        due = len(views.review(db, site.site, view.now_us, site.settings.people.unused_days))
    return view.page(
        "people.html",
        asked={"role": role, "state": state, "unit": unit, "party": party, "find": words},
        counts=counts,
        due=due,
        more=found[ROWS - 1].person.id if len(found) > ROWS else "",
        parties=[one or OURS for one in parties],
        roles=ROLES,
        rows=found[:ROWS],
        states=STATES,
        units=units,
        unused_days=site.settings.people.unused_days,
    )


def one(view: View) -> Response:
    """Show one person."""
    return _shown(view, {})


def propose(view: View) -> Response:
    """Propose a role for a person."""

    def act() -> Response:
        name = view.form.get("role", "")
        if name not in ROLES:
            raise InputError("role", "choose one")
        until_us = moment(view.form.get("until", "").strip(), "until", end=True)
        granting.propose_role(
            *(view.site, view.part("person"), Role(name)),
            why=view.reason(),
            now_us=view.now_us,
            proof=view.proof,
            until_us=until_us,
        )
        return view.go(f"/people/{view.part('person')}?done=proposed")

    return _tried(view, act)


def end(view: View) -> Response:
    """Propose that a role of a person ends."""

    def act() -> Response:
        name = view.form.get("role", "")
        if name not in ROLES:
            raise InputError("role", "choose one")
        granting.propose_end(
            *(view.site, view.part("person"), Role(name)),
            why=view.reason(),
            now_us=view.now_us,
            proof=view.proof,
        )
        return view.go(f"/people/{view.part('person')}?done=proposed")

    return _tried(view, act)


def leave(view: View) -> Response:
    """Say that a person has left."""

    def act() -> Response:
        site, id_ = view.site, view.part("person")
        with read(site.engine) as db:
            draft = actions.plan_leaving(db, site.site, id_)
        wanted = [(draft.kind, draft.id, draft.version, draft.body)]
        signed = site.keeper.changes.sign_people(wanted, view.proof)
        with write(site.engine) as db:
            actions.store(db, site.site, signed, by=view.who, now_us=view.now_us)
        return view.go(f"/people/{id_}?done=left")

    return _tried(view, act)


def invite(view: View) -> Response:
    """Make an invitation for a person, and show it once."""

    def act() -> Response:
        return _invited(view, view.site.keeper.people.account_invite(view.part("person"), "", view.proof))

    return _tried(view, act)


def reset(view: View) -> Response:
    """Take a person's lost factors away, end their sessions, and show a new invitation once."""

    def act() -> Response:
        return _invited(view, view.site.keeper.people.account_reset(view.part("person"), view.proof))

    return _tried(view, act)


def reader(view: View) -> views.Reader:
    """Say with what signatures are checked, and the time it is."""
    return views.Reader(view.site.authority, view.site.seen, view.now_us)


def told(view: View) -> str:
    """Say what was done before this page was gone to."""
    return DONE.get(view.asked("done"), "")


def _invited(view: View, key: str) -> Response:
    return _shown(view, {}, invitation=str(view.request.url.replace(path="/enrol", query=f"key={key}")))


def _tried(view: View, act: Callable[[], Response]) -> Response:
    try:
        return act()
    except (InputError, KeeperError) as error:
        if error.reason not in _TOLD:
            raise
        return _shown(view, {"where": error.where, "why": error.why, "code": error.reason.code})


def _shown(view: View, wrong: dict[str, str], *, invitation: str = "") -> Response:
    site, id_ = view.site, view.part("person")
    with read(site.engine) as db:
        found = views.one(db, site.site, reader(view), id_)
        if found is None:
            raise InputError("person", "there is no such person", reason=Reason.NOT_FOUND)
        behind = {name for role in found.roles for name in (role.proposer, role.approver)}
        shown = {
            "names": views.names(db, site.site, behind),
            "patients": _patients(view, db, found),
        }
    thing = Thing("person", id_, owner=id_)
    return view.page(
        "person.html",
        status=422 if wrong else 200,
        done=told(view),
        form=view.form,
        found=found,
        invitation=invitation,
        kinds=KINDS,
        may={name: view.may(name, thing) for name in _BUTTONS},
        roles=ROLES,
        account=_account(view, id_),
        sessions=_sessions(view, found),
        by_links=site.settings.people.links_sign_in,
        unused_days=site.settings.people.unused_days,
        waiting=waiting_for(view, id_),
        wrong=wrong,
        **shown,
    )


def waiting_for(view: View, about: str = "") -> list[granting.Waiting]:
    """List what waits for another person, of everybody or about one; nothing for who may neither propose nor approve."""
    if not (view.may("grant.approve") or view.may("grant.propose")) or not view.may("policy.see"):
        return []
    if not view.site.keeper.state().get("founded"):
        return []
    found = granting.waiting(view.site, now_us=view.now_us, proof=view.proof)
    return [row for row in found if about in {"", row.about}]


def _patients(view: View, db: Connection, found: PersonView) -> int | None:
    """Count the patients somebody cares for now; None for a person who treats nobody."""
    if not any(role.role is Role.CLINICIAN for role in found.held):
        return None
    asked = care.Asked.by(view.site.settings.people)
    return len(care.mine(db, view.site.site, found.person, view.now_us, asked))


def _account(view: View, id_: str) -> AccountRow | None:
    """Give somebody's account; None where there is none."""
    acts = view.visit is not None and view.visit.acts
    if not acts or not view.site.keeper.state().get("founded"):
        return None
    found = view.site.keeper.people.account_list(view.proof)
    return next((one for one in found if one.person_id == id_), None)


def _sessions(view: View, found: PersonView) -> int | None:
    """Count open sessions; None for a viewer who may not see those."""
    if not view.may("sessions.see") or not view.site.keeper.state().get("founded"):
        return None
    return len(view.site.keeper.people.session_list(view.proof, found.person.id))


def _whose(view: View) -> Thing:
    """Say that a request is about a person: nobody proposes anything for themselves."""
    id_ = view.part("person")
    return Thing("person", id_, owner=id_)


_whose.kind = "person"  # type: ignore[attr-defined]  # for the test that compares it with the action's

OURS = "this site"
_BUTTONS = ("grant.propose", "people.change", "account.invite", "account.reset")

PAGE = Page(
    "People and access",
    (
        Route("/people", show, action="people.see"),
        Route("/people/{person}", one, action="people.see", thing=named("person", "person")),
        Route("/people/{person}/grant", propose, "POST", action="grant.propose", thing=_whose),
        Route("/people/{person}/end", end, "POST", action="grant.propose", thing=_whose),
        Route("/people/{person}/leave", leave, "POST", action="people.change", thing=_whose),
        Route("/people/{person}/invite", invite, "POST", action="account.invite", thing=_whose),
        Route("/people/{person}/reset", reset, "POST", action="account.reset", thing=_whose),
    ),
    group="Decide",
    key="a",
    order=60,
)
