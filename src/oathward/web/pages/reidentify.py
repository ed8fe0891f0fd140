"""Who asked whose a pseudonym is, and what became of it: for those who may see that it was asked.

Deliberately absent: pseudonyms, words and patients, and every act: asking, agreeing and being shown take the command line (``cli.reidentify``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oathward.policy.reidentify import REASONS
from oathward.web.page import Page, Route

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View

SHOWN = {"open": "Open", "all": "All"}
STATES = {
    "waiting": ("note", "waits for a second person"),
    "approved": ("note", "agreed to, not shown yet"),
    "shown": ("ok", "shown"),
    "refused": ("dim", "refused"),
    "withdrawn": ("dim", "withdrawn"),
    "lapsed": ("dim", "its time was over"),
}
"""State -> level and words."""


def show(view: View) -> Response:
    """List requests, newest first."""
    state = view.asked("state", "open", known=SHOWN)
    founded = view.site.keeper.state().get("founded")
    rows = view.site.keeper.reidentify.listed(view.proof, waiting=state == "open") if founded else []
    return view.page("reidentify.html", reasons=REASONS, rows=rows, state=state, states=STATES)


PAGE = Page(
    "Pseudonyms asked about",
    (Route("/reidentify", show, action="reidentify.see"),),
    group="Decide",
    key="3",
    order=67,
)
