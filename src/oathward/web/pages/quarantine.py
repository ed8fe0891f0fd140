"""Quarantine: what is held and why; releasing it through the path again, or giving it up for good.

Rules:
- A release is an order to the keeper with this session's secret; the gateway's side carries it out under today's
  policy (docs/adr/0017-console.md). This process never sees what is released.
- Giving up cannot be undone: it is asked twice.
- Many rows at once are ticked rows, or all that have the reason one looks at; at most ``MESSAGES_MAX`` in one order.
"""

from __future__ import annotations

import time

from starlette.responses import Response

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import BY_CODE, Reason
from oathward.messages import actions, views
from oathward.messages import sql as rows
from oathward.messages.model import HeldRow
from oathward.web.page import Page, Route, named
from oathward.web.view import View

ROWS = 50
MESSAGES_MAX = 200
STATES = {"held": "held now", "released": "released", "discarded": "given up", "any": "any"}
_PATIENCE_S = 2.5
_LOOK_S = 0.05


def show(view: View) -> Response:
    """List what is held."""
    state = view.asked("state", "held", known=STATES)
    reason, device = view.asked("reason", known=BY_CODE), view.asked("device")
    with read(view.site.engine) as db:
        found = views.held(
            *(db, view.site.site),
            reason=reason,
            device=device,
            state="" if state == "any" else state,
            after=view.asked("after"),
            limit=ROWS,
        )
        counts = rows.held_counts(db)
    newest = found.rows[0].message if found.rows else ""
    live = state == "held" and not (reason or device or view.asked("after"))
    return view.page(
        "quarantine.html",
        counts=counts,
        device=device,
        found=found,
        live=view.link("/quarantine/new", than=newest) if live else "",
        most=MESSAGES_MAX,
        reason=reason,
        state=state,
        states=STATES,
        total=sum(counts.values()),
    )


def new(view: View) -> Response:
    """Count what was held since an open page was made."""
    with read(view.site.engine) as db:
        count = views.newer_held(db, view.site.site, view.asked("than"))
    return view.piece("new.html", count=count)


def release(view: View) -> Response:
    """Order the release of the named messages, and wait a moment for what becomes of it."""
    why = view.reason()
    ids = [row.message for row in _chosen(view)]
    order = view.site.keeper.release_order(ids, why, view.proof)
    until_s = time.monotonic() + _PATIENCE_S
    while order.state in {"waiting", "taken"} and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
        order = view.site.keeper.release_ordered(order.id, view.proof)
    return view.go(f"/quarantine/releases/{order.id}")


def released(view: View) -> Response:
    """Show what became of an order."""
    order = view.site.keeper.release_ordered(view.part("order"), view.proof)
    return view.page("release.html", order=order)


def released_yet(view: View) -> Response:
    """Tell an open page of an order whether it is settled: then it loads itself anew."""
    order = view.site.keeper.release_ordered(view.part("order"), view.proof)
    settled = order.state not in {"waiting", "taken"}
    return Response(status_code=204, headers={"hx-refresh": "true"} if settled else {})


def discard(view: View) -> Response:
    """Give messages up, once the person has said so twice."""
    if view.visit is None or not view.visit.acts:
        raise InputError("session", "was made for looking only", reason=Reason.NOT_PERMITTED)
    why, found = view.reason(), _chosen(view)
    if view.form.get("sure") != "yes":
        return view.page("discard.html", found=found, why=why)
    with write(view.site.engine) as db:
        again = [row for one in found for row in (rows.held(db, one.message),) if row is not None]
        actions.discard_held(db, again, by=view.who, reason=why, now_us=view.now_us)
    return view.go("/quarantine")


def _chosen(view: View) -> list[HeldRow]:
    """Read the messages that a form names: ticked ones, or all held for one reason.

    Raises:
        InputError: none is named, too many are, or none is held any more.
    """
    ids, reason = list(dict.fromkeys(view.many("message"))), view.form.get("every", "")
    if not ids and reason not in BY_CODE:
        raise InputError("messages", "tick the messages that are meant", reason=Reason.INPUT_INVALID)
    if len(ids) > MESSAGES_MAX:
        raise InputError("messages", f"at most {MESSAGES_MAX} at once", reason=Reason.LIMIT_EXCEEDED)
    with read(view.site.engine) as db:
        if ids:
            found = [row for id_ in ids for row in (rows.held(db, id_),) if row and row.state == "held"]
        else:
            found = views.held(db, view.site.site, reason=reason, limit=MESSAGES_MAX).rows
    if not found:
        raise InputError("messages", "none of these is held any more", reason=Reason.NOT_FOUND)
    return found


PAGE = Page(
    "Quarantine",
    (
        Route("/quarantine", show, action="quarantine.see"),
        Route("/quarantine/new", new, quiet=True, action="quarantine.see"),
        Route("/quarantine/release", release, "POST", action="quarantine.release"),
        Route("/quarantine/releases/{order}", released, action="quarantine.release", thing=named("message")),
        Route(
            "/quarantine/releases/{order}/yet",
            released_yet,
            quiet=True,
            action="quarantine.release",
            thing=named("message"),
        ),
        Route("/quarantine/discard", discard, "POST", action="quarantine.discard"),
    ),
    group="Protect",
    key="q",
    order=0,
)
