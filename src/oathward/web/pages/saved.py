"""Saved views: one's own and those that others share, with their names; saving, renaming, sharing, deleting them.

Rules:
- A view of a list that the viewer may not open is not shown to them.
- What was refused is said beside the form, with the words as they were typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.people import saved
from oathward.web import finding_acts as acts
from oathward.web import saved_views
from oathward.web.page import Page, Route, named

if TYPE_CHECKING:
    from oathward.web.view import View

DONE = {"saved": "The view is saved.", "changed": "The view is changed.", "deleted": "The view is deleted."}
_REFUSED = frozenset({Reason.INPUT_INVALID, Reason.CONFLICT, Reason.LIMIT_EXCEEDED})


def show(view: View) -> Response:
    """List views."""
    return _page(view)


def save(view: View) -> Response:
    """Save a list's filters, and go back to them."""
    form, page = view.form, view.form.get("page", "")
    query = saved_views.filters(form.get("query", ""))
    if page not in saved_views.LISTS or not view.leads(page):
        raise InputError("page", "is none whose filters can be saved", reason=Reason.INPUT_INVALID)
    name, choice = form.get("name", ""), form.get("shared", "")
    try:
        shared, role = saved_views.shown_to(view, choice)
        with write(view.site.engine) as db:
            saved.save(
                db,
                view.site.site,
                page=page,
                name=name,
                query=query,
                shared=shared,
                role=role,
                by=acts.who(view),
                now_us=view.now_us,
            )
    except InputError as error:
        return _page(view, wrong=error, trying={"page": page, "query": query, "name": name, "shared": choice})
    return view.go(f"{page}?{query}" if query else page)


def change(view: View) -> Response:
    """Rename, share or delete one."""
    form, id_, who = view.form, view.part("view")[:64], acts.who(view)
    verb = form.get("verb", "")
    try:
        with write(view.site.engine) as db:
            if verb == "delete":
                anybodys = view.may("people.change")
                ours = saved_views.roles(view)
                saved.remove(
                    db, view.site.site, id_, by=who, anybodys=anybodys, roles=ours, now_us=view.now_us
                )
            elif verb == "change":
                name, (shared, role) = (
                    form.get("name", ""),
                    saved_views.shown_to(view, form.get("shared", "")),
                )
                saved.change(
                    *(db, view.site.site, id_),
                    name=name,
                    shared=shared,
                    role=role,
                    by=who,
                    now_us=view.now_us,
                )
            else:
                raise InputError("verb", "change or delete", reason=Reason.INPUT_INVALID)
    except InputError as error:
        if error.reason not in _REFUSED:
            raise
        return _page(view, wrong=error)
    return view.go(f"/views?did={'deleted' if verb == 'delete' else 'changed'}")


def _page(
    view: View, *, wrong: InputError | None = None, trying: dict[str, object] | None = None
) -> Response:
    who = acts.who(view)
    with read(view.site.engine) as db:
        found = saved.seen_by(db, view.site.site, who, roles=saved_views.roles(view))
    open_to = [one for one in found if view.leads(one.page)]
    return view.page(
        "saved.html",
        status=400 if wrong else 200,
        anybodys=view.may("people.change"),
        called=acts.called(view, {one.owner for one in open_to}),
        chars_max=saved.NAME_CHARS_MAX,
        did=DONE.get(view.asked("did"), ""),
        lists=saved_views.LISTS,
        mine=[one for one in open_to if one.owner == who],
        everybody=saved_views.EVERYBODY,
        roles=sorted(saved_views.roles(view)),
        others=[one for one in open_to if one.owner != who],
        trying=trying,
        wrong=f"{wrong.where}: {wrong.why}" if wrong else "",
    )


PAGE = Page(
    "Saved views",
    (
        Route("/views", show, action="own.see"),
        Route("/views", save, "POST", action="own.change"),
        Route("/views/{view}", change, "POST", action="own.change", thing=named("account", "view", own=True)),
    ),
)
