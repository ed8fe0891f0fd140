"""Trace: where a message or a patient's data went, and what something that was released came from. One field, both directions.

Rules:
- What is typed is sent in a form's body, and who asked is a record before the answer is shown.
- Ids, codes and times. What a file was called in the folder it came from is for the command line: this page has no folder.

Deliberately absent: numbers of patients (find the subject elsewhere), pseudonyms (whose one is, is another question).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.tracing.asked import note
from oathward.tracing.back import back
from oathward.tracing.ids import ids_in
from oathward.tracing.onward import of_message, of_patient
from oathward.web.page import Page, Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from oathward.tracing.told import Back, Onward
    from oathward.web.view import View

MESSAGES_MAX = 50
"""Of a patient, newest first."""
RECORDS_MAX = 200_000
"""Looked through for one answer; who looks for older ones does so at the command line."""
_OURS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.\d{1,3})?")


def show(view: View) -> Response:
    """Ask for an id."""
    return view.page("trace.html", asked="", found=None, limit=MESSAGES_MAX, wrong=False)


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
        return view.page("trace.html", asked="", found=None, limit=MESSAGES_MAX, wrong=True)
    return view.page("trace.html", asked=text, found=found, limit=MESSAGES_MAX, wrong=False)


def _back(view: View, text: str) -> Back:
    found = back(view.site, ids_in([text]), records_max=RECORDS_MAX)
    _note(view, "release", found.asked, len(found.went) + len(found.files))
    return found


def _onward(view: View, id_: str) -> Onward:
    """Trace a message, or, where there is none of this id, a patient."""
    try:
        found = of_message(view.site, id_)
    except InputError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        found = of_patient(view.site, id_, limit=MESSAGES_MAX)
        _note(view, "subject", (), len(found.went) + len(found.files), subject=found.subjects[0])
    else:
        _note(view, "message", (id_,), len(found.went), message=id_)
    return found


def _note(
    view: View, of: str, asked: Sequence[str], found: int, *, subject: str = "", message: str = ""
) -> None:
    site, by, now_us = view.site, view.person, view.now_us
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
