"""Emergency: a patient who is not on one's list. By number, with a reason, for minutes; seen and reviewed.

Rules:
- The form takes a fresh proof; number and words are sent in its body and stand in no address.
- Whether somebody is here by a number is said after all of it, once the keeper has it on record.
- What was typed is shown again where something is missing, but the number: it is typed anew.

Deliberately absent: deciding, and counting of numbers that are nobody's (the keeper).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from oathward.core.errors import KeeperError
from oathward.core.ids import uuid7
from oathward.core.labels import Purpose
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.policy.glass import REASONS
from oathward.vault.keeper.glasses import WORDS_MAX
from oathward.web.page import Page, Route

if TYPE_CHECKING:
    from oathward.web.view import View

EMERGENCIES = {code: why for code, why in REASONS.items() if why.purpose == Purpose.ETREAT}
MINUTES = 15
NUMBER_LENGTH_MAX, AUTHORITY_LENGTH_MAX = 100, 200


def show(view: View) -> Response:
    """Ask for number and reason."""
    return _form(view)


def reach(view: View) -> Response:
    """Break the glass and show the patient, or say that nobody is here by that number."""
    form = view.form
    number, authority = form.get("number", "").strip(), form.get("authority", "").strip()
    words, code, minutes = form.get("words", "").strip(), form.get("code", ""), form.get("minutes", "")
    most = view.site.settings.breakglass.minutes_max
    wrong = {
        "number": not 0 < len(number) <= NUMBER_LENGTH_MAX or not number.isprintable(),
        "authority": not 0 < len(authority) <= AUTHORITY_LENGTH_MAX or not authority.isprintable(),
        "code": code not in EMERGENCIES,
        "words": not 0 < len(words) <= WORDS_MAX,
        "minutes": not (minutes.isascii() and minutes.isdigit() and 1 <= int(minutes[:6]) <= most),
    }
    if any(wrong.values()):
        return _form(view, wrong=[name for name, is_so in wrong.items() if is_so], status=400)
    once = form.get("once", "")[:64] or uuid7()
    told = (Phi(number), authority, "MR")
    try:
        found = view.site.keeper.glass.reach(told, code, Phi(words), int(minutes), once, view.proof)
    except KeeperError as error:
        if error.reason is not Reason.RATE_OF_OPENING:
            raise
        return _form(view, blocked=True, status=429)
    return view.go(f"/patients/{found.subject}") if found else _form(view, nobody=True)


def _form(
    view: View,
    *,
    wrong: list[str] | None = None,
    nobody: bool = False,
    blocked: bool = False,
    status: int = 200,
) -> Response:
    most = view.site.settings.breakglass.minutes_max
    given = {"authority": "", "code": "", "words": "", "minutes": min(MINUTES, most)} | view.form
    return view.page(
        "reach.html",
        status=status,
        authorities=sorted(view.site.settings.patients.authorities),
        blocked=blocked,
        given=given,
        most=most,
        nobody=nobody,
        once=uuid7(),
        reasons=EMERGENCIES,
        words_max=WORDS_MAX,
        wrong=wrong or [],
    )


def _emergency(_view: View) -> tuple[str, bool]:
    """For the policy: an emergency, and nobody said that they care for the patient."""
    return Purpose.ETREAT.value, False


PAGE = Page(
    "Emergency",
    (
        Route("/emergency", show, action="breakglass.reach", around=_emergency),
        Route("/emergency", reach, "POST", action="breakglass.reach", around=_emergency),
    ),
    group="See",
    key="z",
    order=6,
)
