"""What doctor says of care: it warns before a limit locks anybody out, and not sooner."""

from dataclasses import replace

from tests.unit.vault import sites
from tests.unit.vault.test_stays import STAMPS, room, said

from oathward.cli.doctor import CHECKS
from oathward.cli.doctor_care import stays as look
from oathward.core.db import connect, write
from oathward.vault import stays
from oathward.vault.stays import Turn


def test_eighty_of_a_hundred_stays_are_warned_of(tmp_path):
    settings = sites.make_site(tmp_path / "data")
    settings = replace(settings, people=replace(settings.people, care_stays_max=10))
    with write(connect(settings.database_url)) as db:
        for n in range(7):
            one = said(Turn.ADMIT, 1, subject=f"s{n}")
            stays.take(db, settings.site.name, [one], STAMPS, room())
    assert [line.level for line in look(settings)] == ["ok"]
    with write(connect(settings.database_url)) as db:
        one = said(Turn.DISCHARGE, 1, subject="s8")
        stays.take(db, settings.site.name, [one], STAMPS, room())
    (line,) = look(settings)
    assert (line.level, "care_stays_max" in line.what) == ("bad", True)
    assert look in CHECKS
