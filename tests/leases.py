"""Who held an address at a time, asked of one lease after the other: the judge of what the inventory says of many at once."""

from sqlalchemy import select

from oathward.endpoints.picture import HOLD_US, SKEW_US
from oathward.endpoints.tables import endpoint_lease


def holder_of(db, site, realm, address, at_us):
    """Say which endpoint held an address then; empty where nobody is known to."""
    table = endpoint_lease.c
    mine = (table.site == site, table.address == address, table.realm == realm)
    query = select(table.endpoint, table.until_us).where(*mine, table.from_us <= at_us)
    row = db.execute(query.order_by(table.from_us.desc()).limit(1)).first()
    if row is not None:
        return row[0] if at_us - row[1] <= HOLD_US else ""
    query = select(table.endpoint).where(*mine, table.from_us > at_us, table.from_us <= at_us + SKEW_US)
    return db.execute(query.order_by(table.from_us).limit(1)).scalar() or ""
