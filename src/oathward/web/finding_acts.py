"""What pages and calls about findings share: whose each is called, where what it is about leads to, and deciding many at once.

Rules:
- Who may see people reads names; everybody else that it is theirs, or that it is somebody's. What raised it is no person.
- An owner is a person who is active here and whose roles let them see findings; on a site without people whoever asks can take one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from oathward import governing
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.finding import end_of
from oathward.core.reasons import Reason
from oathward.endpoints import views as endpoints
from oathward.findings import actions
from oathward.findings.model import NOBODY, Filters, Outcome
from oathward.people import views as people

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oathward.web.view import View

SOMEBODY = "somebody"
YOU = "you"
ME = "me"
"""As whom one is given: whoever asks."""

VERBS = ("assign", "suppress", "extend", "lift", "note")

PLACES = {
    "device": "/devices/",
    "link": "/links/",
    "recipient": "/governance/recipient/",
    "endpoint": "/inventory/",
    "connection": "/connections/",
}
"""Kind of what a finding is about -> the page of it, where there is one."""


def who(view: View) -> str:
    """Name who asks, as records do: by id, by name on a site without people."""
    return view.who


def called(view: View, ids: Iterable[str]) -> Callable[[str], str]:
    """Give what names people on a page."""
    wanted, mine = {id_ for id_ in ids if id_}, who(view)
    names: dict[str, str] = {}
    if view.may("people.see"):
        with read(view.site.engine) as db:
            names = people.names(db, view.site.site, wanted)

    def call(id_: str) -> str:
        return YOU if id_ == mine else names.get(id_, SOMEBODY)

    return call


def owner_id(view: View, owner: str) -> str:
    """Give an owner's id to who may see people, and to the owner; else that there is one."""
    return owner if not owner or owner == who(view) or view.may("people.see") else SOMEBODY


def place_of(about: str) -> str:
    """Give the address of what a finding is about; empty where it has none."""
    kind, _, id_ = about.partition(":")
    safe = id_.isascii() and id_.replace("-", "").replace(".", "").replace("_", "").isalnum()
    return PLACES[kind] + id_ if kind in PLACES and safe else ""


def names(db: Connection, view: View, about: Iterable[str]) -> dict[str, str]:
    """Give what the endpoints are called that findings are about, to who may see endpoints."""
    return endpoints.called(db, view.site.site, about) if view.may("inventory.see") else {}


def mine(view: View, wanted: Filters) -> Filters:
    """Read the owner of a filter: ``me``; who may not see people asks for nobody else's."""
    if wanted.owner == ME:
        return replace(wanted, owner=who(view))
    known = wanted.owner in {"", NOBODY} or view.may("people.see")
    return wanted if known else replace(wanted, owner="")


def offered(view: View) -> dict[str, str]:
    """Name whom a form offers to give findings to, for who may see people and decide: id -> name."""
    if not (view.actor.id and view.may("people.see") and view.may("finding.change")):
        return {}
    with read(view.site.engine) as db:
        return governing.owners(db, view.site, view.now_us, current=view.asking.active)


def _to(view: View, to: str) -> str:
    """Give the id of the person findings are given to; on a site without people whoever asks can take one."""
    if not to or (to == ME and not view.actor.id):
        return who(view) if to else ""
    whom, sees, current = who(view) if to == ME else to, view.may("people.see"), view.asking.active
    with read(view.site.engine) as db:
        return governing.owner(db, view.site, whom, view.now_us, sees=sees, current=current)


def decide(
    view: View, verb: str, ids: Sequence[str], *, to: str = "", until: str = "", why: str = ""
) -> Outcome:
    """Do one of ``VERBS`` with findings.

    Args:
        to: ``me``, empty for nobody, else a person as people name somebody. until: a day, its end in UTC is meant.

    Raises:
        InputError: the verb is none; as ``governing.owner``; or as ``findings.actions`` says.
    """
    site, by, now_us = view.site, who(view), view.now_us
    if verb == "assign":
        to = _to(view, to)
        with write(site.engine) as db:
            return actions.assign(db, site.site, ids, by=by, to=to, now_us=now_us)
    timed = {"suppress": actions.suppress, "extend": actions.extend}
    said = {"lift": actions.lift, "note": actions.note}
    if verb in timed:
        until_us = end_of(until)
        with write(site.engine) as db:
            return timed[verb](db, site.site, ids, by=by, why=why, until_us=until_us, now_us=now_us)
    if verb not in said:
        raise InputError("verb", f"one of {', '.join(VERBS)}", reason=Reason.INPUT_INVALID)
    with write(site.engine) as db:
        return said[verb](db, site.site, ids, by=by, why=why, now_us=now_us)
