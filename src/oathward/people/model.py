"""What a record of a person must be like, which of its parts only one person may have, and what changed in it.

Rules:
- One person, one number; a sign-in at a provider and a staff number belong to one person too, also after they left.
- A mail address is one person's while they are here: it may be given on.
- Numbers, addresses and staff numbers are compared without regard to case.

Deliberately absent: the signed body (``policy/people``), and which roles go together (``policy/people_rules``).

Source: RFC 7643 §4.1 (User); OpenID Connect Core §2 (``iss``, ``sub``); HL7 v2 XCN (staff numbers).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from oathward.core.errors import InputError
from oathward.people.scim_words import DIRECTORY
from oathward.policy.people import Person

TEXT_LENGTH_MAX = 200
SET_SIZE_MAX = 200
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_NUMBER = re.compile(r"[^\s;|](?:[^\x00-\x1f\x7f;|]{0,62}[^\s;|])?")
_MAIL = re.compile(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,190}")
_STAFF_ID = re.compile(r"[^|]{1,100}\|[^|]{1,100}")
_WORD = re.compile(r"\S(.*\S)?")
_MAKE = re.compile(r"[^|]{1,100}(\|[^|]{1,100})?")

COLUMN = {"sign_ins": "provider_subject"}
"""Field -> its column, where they differ."""

DATA = tuple(f.name for f in fields(Person) if f.name not in {"id", "since_us"})
"""Fields that lists speak about."""

REACH = ("units", "staff_ids", "makes")
"""Fields by which somebody sees more."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an import does to one person: ``fields`` names what changes, never what it says."""

    person: str
    number: str
    name: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """Something about people's access that a reviewer should look at. ``about``: a person or service, with the role."""

    rule: str
    about: str
    words: str


def check(person: Person) -> None:
    """Check a person's record before it is signed.

    Raises:
        InputError: names the column and what is wanted.
    """
    for where, why, holds in (
        ("id", "letters, digits, dot, dash and underscore, at most 64", _is_id(person.id)),
        (
            "number",
            "as the employer counts them: at most 64 characters, no ; and no |",
            _is_number(person.number),
        ),
        ("name", f"what people call them, at most {TEXT_LENGTH_MAX} characters", _is_name(person.name)),
        ("mail", "one address, as in anna@hospital.example", _is_mail(person.mail)),
        ("state", "active or left", person.state in {"active", "left"}),
        ("party", f"printable text of at most {TEXT_LENGTH_MAX} characters", _is_short(person.party)),
        ("makes", "Acme, or Acme|Vista 3 for one model; parted by ;", _are(person.makes, _MAKE)),
        ("units", f"at most {SET_SIZE_MAX} printable words, parted by ;", _are(person.units, _WORD)),
        ("staff_ids", "authority|value, as in HOSP|4711; parted by ;", _are(person.staff_ids, _STAFF_ID)),
        (
            COLUMN["sign_ins"],
            "issuer|subject, or the subject at the provider of [oidc]",
            _are_sign_ins(person),
        ),
    ):
        if not holds:
            raise InputError(where, why)


def identities_of(person: Person) -> list[tuple[str, str]]:
    """List what only one person may have: (column, value as it is compared)."""
    found = [("number", person.number.casefold())] if person.number else []
    if person.mail and person.state == "active":
        found.append(("mail", person.mail.casefold()))
    found += [("staff_ids", one.casefold()) for one in sorted(person.staff_ids)]
    for issuer, subject in sorted(person.sign_ins):
        # A directory's user names differ in more than case (RFC 7643 §4.1.1); a provider's subjects may not.
        same = subject.casefold() if issuer == DIRECTORY else subject
        found.append((COLUMN["sign_ins"], f"{issuer}|{same}"))
    return found


def changed(before: Person, after: Person) -> tuple[str, ...]:
    """Name the columns in which two records differ."""
    return tuple(COLUMN.get(n, n) for n in DATA if getattr(before, n) != getattr(after, n))


def widened(before: Person, after: Person) -> tuple[str, ...]:
    """Name what of reach a record gives more of: whose patients, as whom in messages, which makers' devices."""
    return tuple(n for n in REACH if getattr(after, n) - getattr(before, n))


def _is_id(text: str) -> bool:
    return bool(ID.fullmatch(text))


def _is_number(text: str) -> bool:
    return not text or (bool(_NUMBER.fullmatch(text)) and text.isprintable())


def _is_name(text: str) -> bool:
    return bool(text.strip()) and _is_short(text)


def _is_mail(text: str) -> bool:
    return not text or (bool(_MAIL.fullmatch(text)) and text.isprintable())


def _is_short(text: str) -> bool:
    return len(text) <= TEXT_LENGTH_MAX and text.isprintable()


def _are(values: frozenset[str], form: re.Pattern[str]) -> bool:
    return len(values) <= SET_SIZE_MAX and all(_is_short(v) and form.fullmatch(v) for v in values)


def _are_sign_ins(person: Person) -> bool:
    pairs = person.sign_ins
    return len(pairs) <= SET_SIZE_MAX and all(i and s and _is_short(i) and _is_short(s) for i, s in pairs)
