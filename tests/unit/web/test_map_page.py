"""The map as a page: lists, conduits and the picture follow the filters; names of the network are never markup."""

import pytest
from tests.unit.mapping.seeding import seed
from tests.unit.web.test_governance_page import governed, officers, site  # noqa: F401  fixtures

from oathward.core.clock import micros
from oathward.core.db import write
from oathward.mapping import reading, telling

EVIL = '"><script>alert(1)</script>'
ROWS = [
    ("10.1.0.5", "ward", "10.2.0.9", "enterprise", 5000, "dicom", "", {"patient.name": 4}),
    ("10.1.0.6", EVIL, "203.0.113.7", "external", 443, EVIL, "TLSv1.0", {}),
]


@pytest.fixture
def mapped(officers, site):  # noqa: F811  the fixtures above
    seed(site.engine, site.site, ROWS, micros(site.clock.now()))
    yield officers[0]
    with write(site.engine) as db:
        for table in ("flow_conversation", "clear_class"):
            db.exec_driver_sql(f"DELETE FROM {table}")


def test_an_empty_map_says_what_would_fill_it(officers):  # noqa: F811  the fixtures above
    assert "oathward observe PATH" in officers[0].text("/map")


def test_lists_conduits_and_picture_say_the_same(mapped):
    page = mapped.get("/map").text
    for words in (
        "flow.undeclared",
        "flow.clear-text-phi",
        "connection.unregistered",
        "patient.name",
        "<svg",
    ):
        assert words in page
    assert "<script>alert" not in page
    assert ">link ehr</a>" in page
    only = mapped.get("/map?list=undeclared&zone=ward").text
    assert "flow.undeclared" in only
    assert "203.0.113.7" not in only
    assert 'href="/map?zone=%22%3E%3Cscript' in page


def test_the_picture_stands_alone_as_a_file(mapped):
    answer = mapped.get("/map.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "<script>" not in answer.text
    assert "10.2.0.9" in answer.text


def test_a_picture_of_many_is_put_together_until_it_can_be_looked_at(officers, site):  # noqa: F811  the fixtures above
    rows = [
        (f"10.1.{n // 200}.{n % 200 + 1}", "ward", "10.2.0.9", "enterprise", 443, "tls", "TLSv1.3", {})
        for n in range(90)
    ]
    seed(site.engine, site.site, rows, micros(site.clock.now()))
    counts = {
        asked: officers[0].get(f"/map{asked}").text.count('class="node"')
        for asked in ("", "?boxes=60", "?boxes=150", "?boxes=9")
    }
    with write(site.engine) as db:
        for table in ("flow_conversation", "clear_class"):
            db.exec_driver_sql(f"DELETE FROM {table}")
    assert 0 < counts[""] == counts["?boxes=60"] == counts["?boxes=9"] <= 60
    assert counts["?boxes=150"] == 91


def test_old_captures_are_on_the_map_which_says_when_they_end(officers, site):  # noqa: F811  the fixtures above
    seed(site.engine, site.site, ROWS, micros(site.clock.now()) - 300 * 86_400_000_000)
    found, none = officers[0].text("/map?days=1"), officers[0].text("/map?zone=nowhere")
    with write(site.engine) as db:
        for table in ("flow_conversation", "clear_class"):
            db.exec_driver_sql(f"DELETE FROM {table}")
    assert "flow.undeclared" in found
    assert "up to the last flow that was seen" in found
    assert "No conversation fits these filters" in none
    assert "oathward observe" not in none


def test_what_differs_in_the_same_words_is_one_line_that_says_how_often(officers, site):  # noqa: F811  the fixtures above
    rows = [
        ("10.1.0.5", "ward", "10.2.0.9", "enterprise", port, "dicom", "", {"patient.name": 4})
        for port in (104, 11112)
    ]
    seed(site.engine, site.site, rows, micros(site.clock.now()))
    text = officers[0].get("/map?list=otherwise").text
    with write(site.engine) as db:
        for table in ("flow_conversation", "clear_class"):
            db.exec_driver_sql(f"DELETE FROM {table}")
    words = "dicom from 10.1.0.5 to 10.2.0.9 says whose data they are"
    assert text.count(words) == 1
    assert "2 times, ports 104, 11112" in text
    assert 'href="/flows?device=10.1.0.5&amp;peer=10.2.0.9"' in text


def test_the_page_compares_with_declared_devices_as_findings_do(mapped, monkeypatch):
    """Else the page calls undeclared what no finding does."""
    given = []
    whole = reading.living
    monkeypatch.setattr(telling, "devices_of", lambda _site: ["a declared device"])
    monkeypatch.setattr(
        reading, "living", lambda *a, devices=(), **more: given.extend(devices) or whole(*a, **more)
    )
    assert mapped.get("/map").status_code == 200
    assert given == ["a declared device"]
