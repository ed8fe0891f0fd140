"""Leads from a patient's number, or a subject id, to that patient's page: for pages that begin by asking whom they are about.

Rules:
- A number is typed into a form and sent in its body; the keeper finds by it, and says *nobody* of whom the viewer may not know.
- A subject id is not looked up here: the page it leads to says whether there is one, the same for all who may not see.

Deliberately absent: search by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.core.errors import KeeperError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.web import caring

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from oathward.web.view import View

_ID_CHARS = 36


def find(view: View, below: str, again: Callable[..., Response]) -> Response:
    """Go to ``below/SUBJECT``, or ask again.

    Args:
        again: gives the page with the form; ``nobody``: nobody is of this number; ``missing``: something is.
    """
    subject = view.form.get("subject", "").strip()
    if len(subject) == _ID_CHARS and all(mark in "0123456789abcdef-" for mark in subject):
        return view.go(f"{below}/{subject}")
    number, authority = view.form.get("number", "").strip(), view.form.get("authority", "").strip()
    if not number or len(number) > 100 or not number.isprintable() or not authority:
        return again(view, missing=True)
    purpose = caring.purpose(view, "patient.find")
    try:
        found = view.site.keeper.patients.find(Phi(number), authority[:200], "MR", purpose, view.proof)
    except KeeperError as error:
        if error.reason is not Reason.RATE_OF_OPENING:
            raise
        return view.page("patient_limit.html", status=429)
    return view.go(f"{below}/{found}") if found else again(view, nobody=True)


def asking(view: View) -> tuple[str, bool]:
    """For the form: whoever cares for anybody may ask; whom it leads to is asked about again."""
    return caring.purpose(view, "patient.find"), True


def about(view: View) -> tuple[str, bool]:
    """For what is about the subject in the path."""
    return caring.purpose(view, "patient.open"), caring.relation(view, view.part("subject")) is not None
