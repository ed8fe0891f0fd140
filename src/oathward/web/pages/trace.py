"""Trace: where a message or a patient's data went, and what something that was released came from. One field, both directions.

Rules:
- What is typed is sent in a form's body, and who asked is a record before the answer is shown.
- What was found has an address of its own, to keep or to send: of a message, a delivery, a file of a job. A subject has none.
- Ids, codes and times. What a file was called in the folder it came from is for the command line: this page has no folder.

Deliberately absent: numbers of patients (find the subject elsewhere), pseudonyms (whose one is, is another question).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.meanings_files import of_file
from oathward.core.reasons import Reason
from oathward.people import views as people
from oathward.tracing.asked import note
from oathward.tracing.back import back
from oathward.tracing.ids import ids_in
from oathward.tracing.onward import of_message, of_patient
from oathward.tracing.told import Back, Onward
from oathward.web.page import Page, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from oathward.web.view import View

MESSAGES_MAX = 50
"""Of a patient, newest first."""
RECORDS_MAX = 200_000
"""Looked through for one answer; who looks for older ones does so at the command line."""
_RELEASED = re.compile(r"[0-9A-F]{20}|[A-Z2-7]{16}")
"""The id of a delivery, the name of a file: as they stand in an address."""
_OURS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.\d{1,3})?")


def show(view: View) -> Response:
    """Ask for an id; or trace the message, delivery or file that the address names. What else stands there does not stay."""
    text = view.asked("id")
    if not text:
        return _page(view)
    if _RELEASED.fullmatch(text):
        return _page(view, text, _back(view, text))
    try:
        return _page(view, text, _of_message(view, text)) if _OURS.fullmatch(text) else again(view)
    except InputError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return again(view)


def again(view: View) -> Response:
    """Lead back to the form whoever loads an answer of it anew."""
    return view.go("/trace")


def find(view: View) -> Response:
    """Trace an id: a message's or a subject's to where it went, one that was released to what it came from."""
    text = view.form.get("id", "").strip()
    try:
        found = _onward(view, text) if _OURS.fullmatch(text) else _back(view, text)
    except InputError as error:
        if error.reason is not Reason.INPUT_INVALID:
            raise
        return _page(view, wrong=True)
    return _page(view, text, found)


def _page(view: View, text: str = "", found: Back | Onward | None = None, *, wrong: bool = False) -> Response:
    with read(view.site.engine) as db:
        names = people.names(db, view.site.site, {one.by for one in found.files} if found else set())
    return view.page(
        "trace.html",
        address=_address(text, found) if found else "",
        asked=text,
        found=found,
        limit=MESSAGES_MAX,
        meaning_of_file=of_file,
        names=names,
        wrong=wrong,
    )


def _address(text: str, found: Back | Onward) -> str:
    """Give the id by which what was found may stand in an address: ours alone, and no patient's."""
    if not isinstance(found, Back):
        return text if found.came else ""
    known = [one.file for one in found.files] or [one.outgoing for one in found.went]
    return next((one for one in found.asked if one in known), "")


def _back(view: View, text: str) -> Back:
    found = back(view.site, ids_in([text]), records_max=RECORDS_MAX)
    _note(view, "release", found.asked, len(found.went) + len(found.files))
    return found


def _onward(view: View, id_: str) -> Onward:
    """Trace a message, or, where there is none of this id, a patient."""
    try:
        return _of_message(view, id_)
    except InputError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
    found = of_patient(view.site, id_, limit=MESSAGES_MAX)
    _note(view, "subject", (), len(found.went) + len(found.files), subject=found.subjects[0])
    return found


def _of_message(view: View, id_: str) -> Onward:
    found = of_message(view.site, id_)
    _note(view, "message", (id_,), len(found.went), message=id_)
    return found


def _note(
    view: View, of: str, asked: Sequence[str], found: int, *, subject: str = "", message: str = ""
) -> None:
    site, by, now_us = view.site, view.who, view.now_us
    note(site, of, asked, found, by=by, now_us=now_us, subject=subject, message=message)


PAGE = Page(
    "Trace",
    (
        Route("/trace", show, action="trace.read"),
        Route("/trace/find", again, action="trace.read"),
        Route("/trace/find", find, "POST", action="trace.read"),
    ),
    group="See",
    key="2",
    order=9,
)
