"""Vendors' lists of what is off the network: wearables, hubs, sensors, accounts, as CSV.

Rules:
- A row is an endpoint by its vendor's account or id (mark ``account``), last heard when the vendor says.
- Whose it is is never read: ``attributes.names_patient`` refuses such columns whatever a mapping says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.lists import cmms
from oathward.discovery.lists.opening import Source
from oathward.discovery.lists.reading import How, ListFormat, Refused, Told


def read(sources: Iterable[Source], how: How) -> Iterator[Told | Refused]:
    """Read lists of a vendor by their mapping.

    Raises:
        InputError: the mapping does not name the vendor.
    """
    if how.columns is None or not how.columns.vendor:
        raise InputError("mapping: vendor", "name whose list it is", reason=Reason.ELEMENT_MISSING)
    if all(column.attribute != "account" for column in how.columns.columns):
        raise InputError("mapping: columns", "one is the account", reason=Reason.ELEMENT_MISSING)
    yield from cmms.read(sources, how, source="vendor")


LIST = ListFormat(
    words="a vendor's list of wearables, hubs or accounts, as CSV",
    source="vendor",
    knows=lambda _head, _name: False,  # a CSV like any other: whoever imports it says so
    read=read,
    mapped=True,
    order=95,
)
