"""Leave of an address an area of many people: the beginning of the postcode as its country cuts it, the state and the country.

Rules:
- Parameter ``country``: whose postcodes come here, one two-letter code (``US`` where it is not said). A postcode does not say of
  which country it is, so a site says it; one of another form is removed.
- ``US`` is the rule of ``postcode3``. Elsewhere it is the part that names a region, none of which has 20,000 people or fewer:
  of ``DE``, ``ES``, ``FR``, ``IT`` and ``NL`` two digits, of ``AT``, ``AU`` and ``CH`` one, of ``GB`` the letters of the postcode area, of ``CA`` the
  first letter.
- A state or country that is not a short code is removed, as street and town are.

Source: 45 CFR 164.514(b)(2)(i)(B) for the number of people; Universal Postal Union, addressing systems, for the forms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from oathward.deid.action import Action, Parameters, Seeds
from oathward.deid.actions import postcode3
from oathward.protocols.shaping import Ruling

_DEFAULT = ("US",)
_FORMS = {
    "AT": r"([1-9])[0-9]{3}",
    "AU": r"([0-9])[0-9]{3}",
    "CA": r"([ABCEGHJ-NPRSTVXY])[0-9][A-Z] ?[0-9][A-Z][0-9]",
    "CH": r"([1-9])[0-9]{3}",
    "DE": r"([0-9]{2})[0-9]{3}",
    "ES": r"(0[1-9]|[1-4][0-9]|5[0-2])[0-9]{3}",
    "FR": r"([0-9]{2})[0-9]{3}",
    "GB": r"([A-Z]{1,2})[0-9][0-9A-Z]? ?[0-9][A-Z]{2}",
    "IT": r"([0-9]{2})[0-9]{3}",
    "NL": r"([1-9][0-9])[0-9]{2} ?[A-Z]{2}",
}
"""Country -> form of its postcodes; the group is what stays."""

COUNTRIES = tuple(sorted((*_FORMS, "US")))


def _rule(cls: str, part: str, parameters: Parameters) -> Ruling:
    country = "".join(parameters.get("country", _DEFAULT))
    if part != "postcode" or country == "US":
        return postcode3.ACTION.rule(cls, part, {})
    form = re.compile(_FORMS[country])

    def region(value: str, _seeds: Seeds) -> str:
        found = form.fullmatch(value.strip().upper())
        return found[1] if found else ""

    return region


def _wrong(parameters: Parameters) -> Mapping[str, str]:
    if parameters.get("country", _DEFAULT) in [(country,) for country in COUNTRIES]:
        return {}
    return {"country": f"write one of {', '.join(COUNTRIES)}"}


ACTION = Action(_rule, parameters=frozenset(("country",)), wrong=_wrong)
