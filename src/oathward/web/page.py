"""What a page is, and what a route of the console or the JSON API is.

Rules:
- A page stands in one file of ``pages/`` as the constant ``PAGE``, routes of the JSON API in one file of ``api/`` as the
  tuple ``API``; nothing else registers either.
- Every route names the ``action`` that ``policy.access.decide`` is asked about before anything else happens, and where it
  is about one thing, how to find what that is. One without an action cannot be written: the module is not importable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from oathward.core.registry import collect

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.policy.access import Thing
    from oathward.web.view import View

GROUPS = ("See", "Decide", "Protect", "Watch", "Respond", "Prove")
"""Of the navigation, by task, in this order."""


@dataclass(frozen=True, slots=True)
class Route:
    """An address and what answers it, on a thread of its own.

    Args:
        path: as Starlette writes it: ``/messages/{message}``.
        answer: takes the ``View``; reads for GET, changes for POST.
        quiet: asked by an open page itself: it is no use of the session.
        public: for somebody who is not signed in.
        action: of ``policy.actions.ACTIONS``; asked about before ``answer``.
        thing: what a request is about, as far as a decision looks at it; None where it names nothing there is. Without it
            the action is asked about its kind of thing as a whole.
        api: answers in JSON, and is heard with a bearer token too.
    """

    path: str
    answer: Callable[[View], Response]
    method: str = "GET"
    quiet: bool = False
    public: bool = False
    action: str = field(kw_only=True)
    thing: Callable[[View], Thing | None] | None = field(default=None, kw_only=True)
    api: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the navigation, with everything below it.

    Args:
        title: as in the navigation. group: of ``GROUPS``; empty keeps it out of the navigation.
        key: the letter after ``g`` that goes there. order: within its group.
    """

    title: str
    routes: tuple[Route, ...]
    group: str = ""
    key: str = ""
    order: int = 50

    @property
    def path(self) -> str:
        """Where it begins."""
        return self.routes[0].path


def pages() -> list[Page]:
    """Collect every page, in the order of the navigation."""
    found = [cast("Page", page) for page in collect("oathward.web.pages", "PAGE").values()]
    rank = {group: number for number, group in enumerate(GROUPS)}
    return sorted(found, key=lambda page: (rank.get(page.group, -1), page.order, page.title))
