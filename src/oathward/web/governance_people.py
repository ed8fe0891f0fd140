"""People as the register's pages name them: name and staff number to who may see people, the id to everybody else.

Deliberately absent: who is active (``governance`` reads that from signed documents).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from oathward.core.db import read
from oathward.people import views

if TYPE_CHECKING:
    from oathward.governance.model import ChangeRow
    from oathward.web.view import View

_PERSONS = frozenset({"owner", "steward"})
"""Fields whose values are people."""


class Called:
    """How people are called on one page, by id."""

    def __init__(self, view: View, ids: Iterable[str], living: Mapping[str, str] | None) -> None:
        """Look the people of these ids up; ``living``: those of them whose documents were verified, by name."""
        self._known: dict[str, tuple[str, str]] = {}
        if view.may("people.see"):
            wanted = {id_ for id_ in ids if id_}
            with read(view.site.engine) as db:
                found = views.called(db, view.site.site, wanted)
            known = {id_: found.get(id_, ((living or {}).get(id_, ""), "")) for id_ in wanted}
            self._known = {id_: (name, number) for id_, (name, number) in known.items() if name}

    def __call__(self, id_: str) -> str:
        """Give name and staff number; what stands there where it is nobody's id, or the viewer may not see people."""
        name, number = self._known.get(id_, (id_, ""))
        return f"{name} ({number})" if number else name

    def name(self, id_: str) -> str:
        """Give the name alone."""
        return self._known.get(id_, (id_, ""))[0]

    def written(self, id_: str) -> str:
        """Give what a form has of somebody: the staff number, the id where there is none."""
        return self._known.get(id_, ("", ""))[1] or id_

    def value(self, field: str, value: str) -> str:
        """Give a value of an entry's history."""
        return self(value) if field in _PERSONS else value


def ids_of(history: Iterable[ChangeRow]) -> set[str]:
    """Say who stands in a history: who wrote, and who was written down."""
    found = set()
    for row in history:
        found |= {row.by, *((row.before, row.after) if row.field in _PERSONS else ())}
    return found
