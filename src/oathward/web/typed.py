"""Why somebody wanted something, kept while they prove again who they are: a proof asked for in between costs them no words.

Rules:
- One reason a person, the last one; for minutes, in this process's memory, never in an address and never on a disk.
- It is shown to that person alone, in the form it was typed into; once that form went through it is forgotten.

Deliberately absent: other fields. What is secret or about a patient must not outlive its request.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from oathward.core.errors import InputError

if TYPE_CHECKING:
    from oathward.web.view import View

KEPT_S = 900
KEPT_MAX = 1_000


class _Typed(NamedTuple):
    path: str
    words: str
    at_us: int


_guard = threading.Lock()
_known: dict[tuple[str, str], _Typed] = {}


def keep(view: View) -> None:
    """Keep the reason of a form that is sent away for a proof; words that could not be taken anyway are not kept."""
    try:
        words = view.reason()
    except InputError:
        return
    with _guard:
        if len(_known) >= KEPT_MAX:
            _known.clear()
        _known[_key(view)] = _Typed(view.request.url.path, words, view.now_us)


def of(view: View, path: str) -> str:
    """Give what the viewer had typed into the form of a path; empty where nothing is kept."""
    found = _known.get(_key(view))
    if found is None or found.path != path or view.now_us - found.at_us > KEPT_S * 1_000_000:
        return ""
    return found.words


def forget(view: View) -> None:
    """Forget it, now that the form went through."""
    with _guard:
        found = _known.get(_key(view))
        if found is not None and found.path == view.request.url.path:
            del _known[_key(view)]


def _key(view: View) -> tuple[str, str]:
    return str(view.site.settings.data), view.actor.id
