"""What a page of the portal is, and a route of one.

Rules:
- A page stands in one file of ``pages/`` as the constant ``PAGE``; nothing else registers one.
- Every route says what it needs: nobody signed in (``public``), somebody (``signed-in``), or a patient whom they may
  ``see``, ``choose`` for or ``request`` for. The frame looks before the route's function, and the keeper by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from oathward.core.registry import collect

if TYPE_CHECKING:
    from starlette.responses import Response

    from oathward.web.portal.view import View

NEEDS = ("public", "signed-in", "see", "choose", "request")


@dataclass(frozen=True, slots=True)
class Route:
    """An address and what answers it, on a thread of its own.

    Args:
        answer: reads for GET, changes for POST.
        needs: of ``NEEDS``.

    Raises:
        ValueError: it needs what there is not.
    """

    path: str
    answer: Callable[[View], Response]
    needs: str
    method: str = "GET"

    def __post_init__(self) -> None:
        """Refuse a route that nobody could be let in to."""
        if self.needs not in NEEDS:
            raise ValueError(f"{self.method} {self.path}: needs one of {', '.join(NEEDS)}")


@dataclass(frozen=True, slots=True)
class Page:
    """One page, with everything below it.

    Args:
        title: id of the text it is called by. order: in the menu; 0 keeps it out.
        says: ids of the texts that its code names, beside those its template does.
    """

    title: str
    routes: tuple[Route, ...]
    order: int = 0
    says: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where it begins."""
        return self.routes[0].path


def pages() -> list[Page]:
    """Collect every page, in the order of the menu."""
    found = [cast("Page", page) for page in collect("oathward.web.portal.pages", "PAGE").values()]
    return sorted(found, key=lambda page: (page.order, page.path))
