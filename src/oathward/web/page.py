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
from oathward.policy.access import Thing
from oathward.policy.actions import ACTIONS
from oathward.web.calls import Call

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.view import View

BEGIN = "session.begin"
"""The action of public routes: anybody may, and nothing is asked."""

API = "/api/"

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
        around: gives the purpose of use, and whether a care relationship holds, where the action opens something.
        api: answers in JSON, and is heard with a bearer token too; ``call`` says what it takes and gives.

    Raises:
        ValueError: such a route cannot be: no such action, a path with a name in it and no ``thing``, a public route that
            is not for beginning a session, a changing method that is quiet.
    """

    path: str
    answer: Callable[[View], Response]
    method: str = "GET"
    quiet: bool = False
    public: bool = False
    action: str = field(kw_only=True)
    thing: Callable[[View], Thing | None] | None = field(default=None, kw_only=True)
    around: Callable[[View], tuple[str, bool]] | None = field(default=None, kw_only=True)
    api: bool = field(default=False, kw_only=True)
    call: Call = field(default=Call(), kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a route that nobody could own."""
        wrong = (
            (self.public != (self.action == BEGIN), "public routes and those alone begin a session"),
            (not self.public and self.action not in ACTIONS, "there is no such action"),
            (
                "{" in self.path and self.thing is None and not self.public,
                "a path that names one says what it is",
            ),
            (self.quiet and self.method != "GET", "what changes something is use of the session"),
            (
                self.api != self.path.startswith(API),
                f"what begins with {API} is the JSON API, and nothing else",
            ),
        )
        for is_so, why in wrong:
            if is_so:
                raise ValueError(f"{self.method} {self.path}: {why}")

    @property
    def kind(self) -> str:
        """The kind of thing it is about; empty where it is public."""
        return ACTIONS[self.action].thing if not self.public else ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the navigation, with everything below it.

    Args:
        title: as in the navigation. group: of ``GROUPS``; empty keeps it out of the navigation.
        key: the letter or digit after ``g`` that goes there. order: within its group.
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


def calls() -> list[Route]:
    """Collect every route of the JSON API, by address."""
    found = collect("oathward.web.api", "API").values()
    routes = [route for one in found for route in cast("tuple[Route, ...]", one)]
    return sorted(routes, key=lambda route: (route.path, route.method))


def named(kind: str, part: str = "", *, own: bool = False) -> Callable[[View], Thing]:
    """Say what a request is about by a part of its path alone: the page itself looks whether there is one.

    Args:
        part: empty where the request is about the kind as a whole although something stands in its path.
        own: it is the viewer's own.
    """

    def thing(view: View) -> Thing:
        return Thing(kind, view.part(part) if part else "", owner=view.actor.id if own else "")

    thing.kind = kind  # type: ignore[attr-defined]  # for the test that compares it with the action's
    return thing
