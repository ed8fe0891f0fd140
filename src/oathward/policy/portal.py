"""Who may see a patient's portal, and until when: the signed document ``portal-access`` and its rules.

| ends by | of whom | how it is known |
|---|---|---|
| its date | everybody | ``end_us`` |
| coming of age | a parent; a guardian who was named while the patient was a child | day of birth, given by whoever asks |
| the patient's own word, death, a mistake | everybody | ``state`` is ``ended`` |
| the patient wants nothing of it on their own phone | the patient | ``state`` is ``hidden`` |

Rules:
- The holder (who signs in) and the subject (whose data it is) are random ids; a name stands nowhere in it.
- What is not known is not in force: a parent's access without a day of birth gives nothing; nor does one with an end while
  nobody can say what time it is.
- A day begins where it begins first (UTC+14), so that coming of age is never late anywhere.
- Bodies are canonical JSON, and read strictly: a word nobody knows is no access.

Deliberately absent: any clock, who signed in (``vault/keeper/portal``), and what a holder's roles permit (``rules``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

import orjson

from oathward.core.labels import Role

ACCESS = "portal-access"
"""Kind of the signed document."""

Standing = Literal["in-force", "ended", "hidden", "early", "late", "of-age", "unsure"]
State = Literal["active", "ended", "hidden"]

SCOPE = ("see", "choose", "request")
SELF = "self"
BASES = (SELF, "parent", "guardian", "attorney", "wish")
STATES = ("active", "ended", "hidden")
NEEDS: Mapping[str, str] = {
    "portal.see": "see",
    "portal.values": "see",
    "portal.report": "see",
    "portal.choose": "choose",
    "portal.request": "request",
}
"""Action -> what of an access's scope it takes."""

_FIRST_DAYS_US = 14 * 3_600_000_000
_FIELDS = frozenset(("as", "basis", "by", "end_us", "holder", "id", "scope", "start_us", "state", "subject"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One holder's access to one patient's portal.

    Args:
        basis: ``self`` for the patient; else why somebody may stand in for them.
        start_us, end_us: from and until; None is without an end. by: who gave it, or changed it last.
    """

    id: str
    holder: str
    subject: str
    basis: str
    scope: frozenset[str]
    start_us: int
    end_us: int | None = None
    state: State = "active"
    by: str = ""

    @property
    def own(self) -> bool:
        """The holder is the patient."""
        return self.basis == SELF

    @property
    def role(self) -> Role:
        """The role it gives while it is in force."""
        return Role.PATIENT if self.own else Role.PROXY

    def body(self) -> bytes:
        """Write it canonically."""
        row = {
            "as": "self" if self.own else "proxy",
            "basis": self.basis,
            "by": self.by,
            "end_us": self.end_us,
            "holder": self.holder,
            "id": self.id,
            "scope": sorted(self.scope),
            "start_us": self.start_us,
            "state": self.state,
            "subject": self.subject,
        }
        return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_body(cls, body: bytes) -> Access:
        """Invert ``body``.

        Raises:
            ValueError: it is not such a body.
        """
        row = orjson.loads(body)
        if not isinstance(row, dict) or row.keys() != _FIELDS or not isinstance(row["scope"], list):
            raise ValueError("not a body of a portal access")
        said = row.pop("as")
        found = cls(**{**row, "scope": frozenset(map(str, row["scope"]))})
        if unfit(found) or said != ("self" if found.own else "proxy") or found.state not in STATES:
            raise ValueError("not a body of a portal access")
        return found

    def in_state(self, state: State, by: str) -> Access:
        """Give the next version of it."""
        return replace(self, state=state, by=by)


def unfit(access: Access) -> str:
    """Say why an access cannot be meant, in words; empty where it can."""
    words: tuple[Any, ...] = (access.id, access.holder, access.subject, access.by)
    if not all(isinstance(word, str) for word in words) or not all(words[:3]):
        return "needs a holder and a subject"
    if access.basis not in BASES:
        return f"basis must be one of {', '.join(BASES)}"
    if not access.scope or access.scope - set(SCOPE) or "see" not in access.scope:
        return f"scope must be `see`, and may be more of {', '.join(SCOPE)}"
    if type(access.start_us) is not int or not (access.end_us is None or type(access.end_us) is int):
        return "start and end must be times"
    if access.end_us is not None and access.end_us <= access.start_us:
        return "must end after it begins"
    return ""


def standing(
    access: Access, now_us: int, *, born: date | None, adult_years: int, clock_sure: bool = True
) -> Standing:
    """Say whether an access is in force now, or why not.

    Args:
        born: the patient's day of birth; None where it is not known.
        adult_years: the age at which a patient speaks for themselves.
        clock_sure: ``now_us`` can be believed (``core.clock``): one that ended is not in force again when a clock goes back.
    """
    if access.state != "active":
        return access.state
    if now_us < access.start_us:
        return "early"
    if access.end_us is not None and now_us >= access.end_us:
        return "late"
    if _of_age(access, now_us, born, adult_years):
        return "of-age"
    ends = access.end_us is not None or access.basis == "parent" or (access.basis == "guardian" and born)
    return "unsure" if ends and not clock_sure else "in-force"


def grown_us(born: date, adult_years: int) -> int:
    """Say when a patient is of age wherever on earth that day begins first; whoever was born on 29 February, on 1 March."""
    year = born.year + adult_years
    try:
        day = born.replace(year=year)
    except ValueError:
        day = date(year, 3, 1)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int(midnight.timestamp()) * 1_000_000 - _FIRST_DAYS_US


def _of_age(access: Access, now_us: int, born: date | None, adult_years: int) -> bool:
    if access.basis == "parent":
        return born is None or now_us >= grown_us(born, adult_years)
    if access.basis == "guardian" and born is not None:
        return access.start_us < grown_us(born, adult_years) <= now_us
    return False
