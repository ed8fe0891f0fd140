"""Policies: the bundle in force with its links, policies and tests; what waits for somebody; what was in force before.

Rules:
- Everything shown of the bundle in force is what was signed and is decided by.
- One step back takes a reason and is asked twice; who may, and whose emergency it was, the keeper says.

Deliberately absent: writing (``policy_editor``) and deciding a proposal (``policy_proposals``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward import proposing
from oathward.activation import load_active
from oathward.changes import views
from oathward.changes.model import OPEN, ProposalRow, ProposalState, state_words
from oathward.core.db import read
from oathward.people import views as people
from oathward.policy.difference_words import purpose_words
from oathward.policy.memo import Memo
from oathward.web.page import Page, Route
from oathward.web.view import View

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.activation import Active
    from oathward.policy.bundle import Bundle
    from oathward.policy.statements import Statement

OPEN_SHOWN = 20
HISTORY_SHOWN = 20
LEVELS = {
    ProposalState.DRAFT: ("note", "draft"),
    ProposalState.PROPOSED: ("note", "proposed"),
    ProposalState.APPROVED: ("ok", "approved"),
    ProposalState.ACTIVE: ("ok", "put in force"),
    ProposalState.WITHDRAWN: ("off", "withdrawn"),
    ProposalState.REFUSED: ("off", "refused"),
    ProposalState.STALE: ("off", "stale"),
}
"""A proposal's state, as status and word."""


def level_of(row: ProposalRow, in_force: int) -> tuple[str, str]:
    """Give the status and the word of a proposal; of those that were put in force one is."""
    if row.state is not ProposalState.ACTIVE:
        return LEVELS[row.state]
    return "ok" if row.version == in_force else "off", state_words(row.state, row.version, in_force)


@dataclass(frozen=True, slots=True)
class PolicyShown:
    """One policy as people read it. ``reaches``: links; empty where it is about people."""

    id: str
    permits: bool
    why: str
    where: str
    about: str
    notify: tuple[str, ...]
    reaches: tuple[str, ...]


def show(view: View) -> Response:
    """Show what is in force, what waits, and what was in force before."""
    site = view.site
    with read(site.engine) as db:
        active = load_active(db, site.site, site.authority, site.seen, current=view.asking.active)
        waiting = views.proposals(db, site.site, states=OPEN, limit=OPEN_SHOWN)
        unassessed = views.unassessed(db, site.site)
        history = views.proposals(db, site.site, states=[ProposalState.ACTIVE], limit=HISTORY_SHOWN)
        undone = _gone_back_from(db, site.site, active)
        names = people.names(db, site.site, _ids([*waiting, *unassessed, *history]))
    bundle = active.bundle if active else None
    return view.page(
        "policies.html",
        active=active,
        cases=[*bundle.cases, *bundle.people_cases] if bundle else [],
        history=history,
        levels=LEVELS,
        links=_links(bundle) if bundle else [],
        may_go_back=bool(view.actor.id) and active is not None and active.version > 1,
        name=Names(names),
        policies=_policies(bundle) if bundle else [],
        profiles=sorted(bundle.profiles) if bundle else [],
        unassessed=unassessed,
        undone=undone,
        waiting=waiting,
    )


def again(view: View) -> Response:
    """Lead to the form whoever loads the question anew."""
    return view.go("/policies")


def back(view: View) -> Response:
    """Ask whether somebody means it, then put the version before in force again."""
    why, active = view.reason(), proposing.in_force(view.site)
    if view.form.get("sure") != "yes":
        changes = _undone(view, active)
        with read(view.site.engine) as db:
            undone = _gone_back_from(db, view.site.site, active)
        return view.page(
            "policy_back.html",
            active=active,
            changes=changes,
            undone=undone,
            waiting=proposing.waiting(view.site.engine, changes),
            why=why,
        )
    now = proposing.roll_back(view.site, why, view.proof, view.actor.id)
    return view.go(view.link("/policies", active=str(now.version)))


def _undone(view: View, active: Active | None) -> Sequence[proposing.Change]:
    """Say what going one step back changes, where this side knows both."""
    if active is None:
        return ()
    site = view.site
    with read(site.engine) as db:
        row = views.of_version(db, site.site, active.version)
        if row is None or not row.base_body:
            return ()
        before = views.file(db, site.site, row.base_body)
    return proposing.changes_between(active.bundle, proposing.compiled(before))


def _gone_back_from(db: Connection, site: str, active: Active | None) -> int:
    """Say which version the one in force went back from; 0 where it is no step back. One more step undoes it."""
    row = views.of_version(db, site, active.version) if active is not None else None
    return row.base_version if row is not None and row.kind == "rollback" else 0


class Names:
    """Names of people by id, for templates; nobody's id is an empty name, and an unknown one is shown as it is."""

    def __init__(self, known: dict[str, str]) -> None:
        self._known = known

    def __call__(self, id_: str) -> str:
        """Give a name."""
        return self._known.get(id_, id_)


def _ids(rows: Iterable[ProposalRow]) -> set[str]:
    return {one for row in rows for one in (row.proposer, row.approver) if one}


def _links(bundle: Bundle) -> list[dict[str, object]]:
    return [
        {
            "id": link.id,
            "recipient": bundle.recipients[link.recipient],
            "purpose": purpose_words(link.purpose),
            "profile": link.profile,
            "agreement": link.agreement,
            "consent": "not asked" if link.without_consent else "asked",
            "policies": len(bundle.cuts[link.id].policies) if link.id in bundle.cuts else 0,
        }
        for link in bundle.links.values()
    ]


def _policies(bundle: Bundle) -> list[PolicyShown]:
    """Say of each policy what it reaches; remembered, as hundreds of them by hundreds of links take a while."""
    found = _known.get(bundle.digest)
    if found is None:
        found = [_shown(one, bundle) for one in bundle.policies]
        found += [_shown(one, None) for one in bundle.people]
        _known.put(bundle.digest, found)
    return found


_known: Memo[bytes, list[PolicyShown]] = Memo(8)


def _shown(one: Statement, bundle: Bundle | None) -> PolicyShown:
    links = bundle.links.values() if bundle else ()
    reaches = tuple(link.id for link in links if one.reaches("Disclose", link.id, link.recipient))
    every = bundle is not None and len(reaches) == len(bundle.links)
    about = "people" if bundle is None else "every link" if every else ", ".join(reaches)
    return PolicyShown(one.id, one.permits, one.why, one.where, about or "no link", one.notify, reaches)


PAGE = Page(
    "Policies",
    (
        Route("/policies", show, action="policy.see"),
        Route("/policies/back", again, action="policy.see"),
        Route("/policies/back", back, "POST", action="policy.rollback"),
    ),
    group="Decide",
    key="b",
    order=10,
)
