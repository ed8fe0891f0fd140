"""Tables of the living inventory: ``endpoint`` and those beside it, ``endpoint_probe`` (probes that people ordered), ``device_catalogue``, ``type_model`` (what guesses of types were learned from), ``model_may_do`` (MUD files), ``card_maker``.

Rows of marks, attributes and leases keep the ``origin``: the endpoint that had them before a merge, so that it can be undone.
"""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, Table, Text

from oathward.core.db import METADATA
from oathward.endpoints.model import CatalogueRow, ConflictRow, EndpointRow, MergeRow, ProbeRow, SourceRow

_WHOLE = {"first_us", "last_us", "lifecycle_us", "conflicts"}

endpoint = Table(
    "endpoint",
    METADATA,
    Column("site", Text, primary_key=True),
    *(
        Column(
            one.name, BigInteger if one.name in _WHOLE else Text, nullable=False, primary_key=one.name == "id"
        )
        for one in fields(EndpointRow)
    ),
    Column("began_us", BigInteger, nullable=False),
    Column("spoke_us", BigInteger, nullable=False),
    Column("segment_us", BigInteger, nullable=False),
    Column("search", Text, nullable=False),
    Index("endpoint_seen", "site", "merged", "last_us", "id"),
    # What first pages count, and facets of what they lead to, stands in the index whole: 100,000 endpoints in a few hundredths of a second.
    Index(
        "endpoint_summary",
        *("site", "merged", "lifecycle", "device", "conflicts", "first_us", "last_us", "tag", "care"),
        *("type", "make", "unit", "realm", "criticality", "os", "sort"),
    ),
    Index("endpoint_parent", "site", "parent"),
    # Lists leave out what is retired, and ask for what nobody declared: with both beside each value, counts of values are read from the index alone.
    *(
        Index(f"endpoint_{name}", "site", "merged", name, "lifecycle", "device")
        for name in ("type", "make", "unit", "realm", "criticality", "os", "sort", "care")
    ),
    Index("endpoint_lifecycle", "site", "merged", "lifecycle", "device"),
)
endpoint_mark = Table(
    "endpoint_mark",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger, nullable=False),
    Column("fronts", Integer, nullable=False),
    Column("returns", Integer, nullable=False),
    Column("returned_us", BigInteger, nullable=False),
    Index("endpoint_mark_value", "site", "kind", "value"),
)
endpoint_attribute = Table(
    "endpoint_attribute",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("attribute", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("shown", Integer, nullable=False),
    Column("conflict", Integer, nullable=False),
    Index("endpoint_attribute_value", "site", "attribute", "shown", "value"),
)
Index(
    "endpoint_attribute_conflict",
    *(endpoint_attribute.c.site, endpoint_attribute.c.endpoint),
    sqlite_where=endpoint_attribute.c.conflict == 1,
    postgresql_where=endpoint_attribute.c.conflict == 1,
)
endpoint_lease = Table(
    "endpoint_lease",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("realm", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("mac", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("given_us", BigInteger, nullable=False),
    Index("endpoint_lease_address", "site", "address", "realm", "from_us"),
    Index("endpoint_lease_endpoint", "site", "endpoint", "until_us"),
    Index("endpoint_lease_until", "site", "until_us"),
)
# Leases that were learned after flows of their time were kept: the sums of those are to be given to whoever had the address.
endpoint_lease_late = Table(
    "endpoint_lease_late",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("realm", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Index("endpoint_lease_late_order", "site", "realm", "address", "from_us", "id"),
)
endpoint_relation = Table(
    "endpoint_relation",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("child", Text, primary_key=True),
    Column("parent", Text, primary_key=True),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Index("endpoint_relation_child", "site", "child"),
    Index("endpoint_relation_parent", "site", "parent"),
)
endpoint_conflict = Table(
    "endpoint_conflict",
    METADATA,
    Column("site", Text, primary_key=True),
    *(
        Column(
            one.name,
            BigInteger if one.name.endswith("_us") or one.name == "times" else Text,
            nullable=False,
            primary_key=one.name == "id",
        )
        for one in fields(ConflictRow)
    ),
    Index("endpoint_conflict_one", "site", "endpoint"),
    Index("endpoint_conflict_other", "site", "other"),
)
endpoint_merge = Table(
    "endpoint_merge",
    METADATA,
    Column("site", Text, primary_key=True),
    *(
        Column(
            one.name,
            BigInteger if one.name.endswith("_us") else Text,
            nullable=False,
            primary_key=one.name == "id",
        )
        for one in fields(MergeRow)
    ),
    Index("endpoint_merge_into", "site", "into"),
    Index("endpoint_merge_other", "site", "other"),
)
endpoint_probe = Table(
    "endpoint_probe",
    METADATA,
    Column("site", Text, primary_key=True),
    *(
        Column(
            one.name,
            BigInteger if one.name.endswith("_us") or one.name == "port" else Text,
            nullable=False,
            primary_key=one.name == "id",
        )
        for one in fields(ProbeRow)
    ),
    Index("endpoint_probe_endpoint", "site", "endpoint", "at_us"),
    Index("endpoint_probe_at", "site", "at_us"),
)
endpoint_source = Table(
    "endpoint_source",
    METADATA,
    Column("site", Text, primary_key=True),
    *(
        Column(
            one.name,
            Text if one.name in {"realm", "source", "segment"} else BigInteger,
            nullable=False,
            primary_key=one.name in {"realm", "source"},
        )
        for one in fields(SourceRow)
    ),
)
endpoint_once = Table(
    "endpoint_once",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("realm", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("noted_us", BigInteger, nullable=False),
    Index("endpoint_once_noted", "site", "noted_us"),
)
device_catalogue = Table(
    "device_catalogue",
    METADATA,
    Column("site", Text, primary_key=True),
    *(
        Column(one.name, Text, nullable=False, primary_key=one.name == "udi_di")
        for one in fields(CatalogueRow)
    ),
)
type_model = Table(
    "type_model",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("examples", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
model_may_do = Table(
    "model_may_do",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("url", Text, primary_key=True),
    Column("make", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
card_maker = Table(
    "card_maker",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("prefix", Text, primary_key=True),
    Column("maker", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
)
