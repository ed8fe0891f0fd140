"""The map as it is read from the tables, told as findings, and cleared again."""

from tests.unit.governance.office import NOW, SITE
from tests.unit.mapping.seeding import seed

from oathward.core.db import read, write
from oathward.mapping import reading
from oathward.mapping.model import Listed

DICOM = ("10.1.0.5", "ward", "10.2.0.9", "enterprise", 5000, "dicom", "", {"patient.name": 4})
OUT = ("10.1.0.6", "ward", "203.0.113.7", "external", 443, "ssl", "TLSv1.2", {})


def kinds(office):
    with read(office.engine) as db:
        rows = db.exec_driver_sql("SELECT kind, state FROM finding ORDER BY kind").fetchall()
    return [tuple(row) for row in rows]


def test_what_differs_is_told_and_what_is_gone_is_cleared(office):
    seed(office.engine, SITE, [DICOM, OUT], NOW)
    found = reading.read_living(office.site, office.bundle, NOW)
    assert (found.compared.looked, found.compared.left) == (2, False)
    assert reading.tell(office.site, found, NOW).opened == len(found.compared.differences)
    told = dict(kinds(office))
    assert {"flow.undeclared", "flow.clear-text-phi", "connection.unregistered"} <= set(told)
    with write(office.engine) as db:
        db.exec_driver_sql("DELETE FROM flow_conversation WHERE port = 443")
    reading.tell(office.site, reading.read_living(office.site, office.bundle, NOW + 1), NOW + 1)
    assert dict(kinds(office))["connection.unregistered"] == "cleared"
    assert dict(kinds(office))["flow.undeclared"] == "open"
    assert "finding.opened" in office.records()


def test_a_part_never_says_that_something_was_not_seen(office):
    seed(office.engine, SITE, [DICOM, OUT], NOW)
    with read(office.engine) as db:
        whole = reading.living(db, office.site, office.bundle, NOW)
        some = reading.living(db, office.site, office.bundle, NOW, service="dicom")
        few = reading.living(db, office.site, office.bundle, NOW, most=1)
    assert some.compared.looked == few.compared.looked == 1
    assert few.compared.left
    assert not some.compared.listed(Listed.UNSEEN)
    assert not few.compared.listed(Listed.UNSEEN)
    assert {one.client for one in whole.observed} == {"10.1.0.5", "10.1.0.6"}
    ends, lines = reading.ends_and_lines(whole)
    assert ({end.zone for end in ends}, len(lines)) == ({"ward", "enterprise", "external"}, 2)
