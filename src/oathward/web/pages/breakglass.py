"""Break the glass, end it, and review what others broke.

Rules:
- The form takes a fresh proof; words are sent in its body and stand in no address.
- Whoever does not care for the patient has no such page, whether or not there is one.
- A review shows the words that were said to another person alone, each time on record.

Deliberately absent: deciding (the keeper), and asking anybody beforehand: care comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.errors import InputError, KeeperError
from oathward.core.ids import uuid7
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.policy.access import Thing
from oathward.policy.glass import OUTCOMES, REASONS
from oathward.vault.keeper.glasses import WORDS_MAX
from oathward.web import caring, glass
from oathward.web.page import Page, Route, named
from oathward.web.view import View

if TYPE_CHECKING:
    from oathward.core.settings_breakglass import Breakglass

STATES = {"waiting": "Not reviewed", "all": "All"}
MINUTES = 15
"""Offered first, where the site allows so many."""


def ask(view: View) -> Response:
    """Ask for the reason; where it is broken already, lead back to the patient."""
    subject = view.part("subject")
    if glass.of_patient(view, subject) is not None:
        return view.go(f"/patients/{subject}")
    return _form(view)


def begin(view: View) -> Response:
    """Break it, and show the patient."""
    subject, form = view.part("subject"), view.form
    words, code, minutes = form.get("words", "").strip(), form.get("code", ""), form.get("minutes", "")
    most = _settings(view).minutes_max
    wrong = {
        "code": code not in REASONS,
        "words": not 0 < len(words) <= WORDS_MAX,
        "minutes": not (minutes.isascii() and minutes.isdigit() and 1 <= int(minutes[:6]) <= most),
    }
    if any(wrong.values()):
        return _form(view, wrong=[name for name, is_so in wrong.items() if is_so], status=400)
    once = form.get("once", "")[:64] or uuid7()
    try:
        view.site.keeper.glass.begin(subject, code, Phi(words), int(minutes), once, view.proof)
    except KeeperError as error:
        if (
            error.reason is not Reason.CONFLICT
        ):  # sent twice, or broken already: the patient's page says which
            raise
    return view.go(f"/patients/{subject}")


def end(view: View) -> Response:
    """End one's own."""
    view.site.keeper.glass.end(view.form.get("id", "")[:64] or "-", view.proof)
    return view.go(f"/patients/{view.part('subject')}")


def show(view: View) -> Response:
    """List what was broken."""
    state = view.asked("state", "waiting", known=STATES)
    rows = view.site.keeper.glass.listed(view.proof, waiting=state == "waiting")
    return view.page("glasses.html", reasons=REASONS, outcomes=OUTCOMES, rows=rows, state=state)


def one(view: View) -> Response:
    """Show one with the words that were said."""
    found, words = view.site.keeper.glass.one(view.part("glass"), view.proof)
    return view.page("glass_review.html", one=found, words=words, reasons=REASONS, outcomes=OUTCOMES)


def review(view: View) -> Response:
    """Say whether it was justified."""
    outcome = view.form.get("outcome", "")
    if outcome not in OUTCOMES:
        raise InputError("outcome", "choose one", reason=Reason.INPUT_INVALID)
    view.site.keeper.glass.review(view.part("glass"), outcome, view.reason(), view.proof)
    return view.go("/break-glass")


def _form(view: View, *, wrong: list[str] | None = None, status: int = 200) -> Response:
    most = _settings(view).minutes_max
    return view.page(
        "glass.html",
        status=status,
        given={"code": "", "words": "", "minutes": min(MINUTES, most)} | view.form,
        most=most,
        once=uuid7(),
        reasons=REASONS,
        subject=view.part("subject"),
        words_max=WORDS_MAX,
        wrong=wrong or [],
    )


def _settings(view: View) -> Breakglass:
    return view.site.settings.breakglass


def _patient(view: View) -> Thing:
    return Thing("patient", view.part("subject"))


PAGE = Page(
    "Break-glass reviews",
    (
        Route("/break-glass", show, action="breakglass.see"),
        Route("/break-glass/{glass}", one, action="breakglass.review", thing=named("patient")),
        Route("/break-glass/{glass}", review, "POST", action="breakglass.review", thing=named("patient")),
        Route(
            "/patients/{subject}/glass",
            ask,
            action="breakglass.begin",
            thing=_patient,
            around=caring.opening,
        ),
        Route(
            "/patients/{subject}/glass",
            begin,
            "POST",
            action="breakglass.begin",
            thing=_patient,
            around=caring.opening,
        ),
        Route(
            "/patients/{subject}/glass/end",
            end,
            "POST",
            action="own.change",
            thing=named("account", own=True),
        ),
    ),
    group="Decide",
    key="e",
    order=65,
)
