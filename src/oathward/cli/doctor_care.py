"""What ``oathward doctor`` says of care: how near the number of stays is to what there may be."""

from __future__ import annotations

from collections.abc import Iterator

from oathward.cli.comparing import Line
from oathward.core.settings import Settings


def stays(settings: Settings) -> Iterator[Line]:
    """Look at how many stays there are, ended ones too."""
    from oathward.core.db import connect, read
    from oathward.vault import care_room

    limit = settings.people.care_stays_max
    with read(connect(settings.database_url)) as db:
        there = care_room.count(db, settings.site.name)
    if there < limit * care_room.WARN_SHARE:
        yield Line("ok", "care", f"{there:,} stays of {limit:,} there may be")
        return
    what = "beyond it ended ones are forgotten early, then new ones give nobody care"
    more = "look which source admits so many, or raise [people] care_stays_max"
    yield Line("bad", "care", f"{there:,} stays of {limit:,} there may be; {what}: {more}")
