"""The Patient page at the widths it is read at: nothing of it makes the page scroll sideways."""

from tests.care import adt
from tests.e2e.browser import needs_chromium, signed_in
from tests.e2e.test_patient_page import NUMBER, measured, now, send, ward  # noqa: F401  the served ward

pytestmark = needs_chromium

SIZES = [(1280, 800), (768, 1024), (390, 844)]
WIDE = [  # what a bedside shows: a long name, a flag, limits, a silence
    (b"Cuff pressure, diastolic (left arm)", b"mm[Hg]{cuff}", b"LL", b"50.0-90.0 mm[Hg]"),
    (b"Ventricular extrasystoles", b"/min", b"HH", b"0-5 per minute"),
]


def wide_ones(value, seconds_ago):
    """One measurement of each of these."""
    for n, (name, unit, flag, limits) in enumerate(WIDE):
        raw = measured(f"{value}{n}.5", seconds_ago)
        head = raw[: raw.index(b"OBX|")]
        yield head + b"|".join(
            (
                b"OBX|1|NM|%d^%s^99X|1.1.1.1|%d%d.5" % (n, name, value, n),
                unit + b"^^UCUM",
                limits,
                flag,
                b"",
                b"",
                b"R\r",
            )
        )


def test_the_page_scrolls_sideways_at_no_width(ward, chromium):  # noqa: F811  the fixture
    send(ward, adt("A01", said=now(60), mrn=NUMBER, visit="VW^^^HOSP^VN"))
    send(ward, *(measured(70 + n, 300 - 60 * n) for n in range(5)))
    send(ward, *(one for n in range(5) for one in wide_ones(100 + n, 2400 - 60 * n)))
    with signed_in(chromium, ward, person="Nora Nurse") as console:
        page = console.page
        console.open("/patients")
        page.click("table th a")
        page.wait_for_url("**/patients/*-*")
        assert page.locator("svg.trend").count() > 0
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, (width, wide)
        page.set_viewport_size({"width": 1280, "height": 800})
        cut = page.evaluate(
            "(e => e.scrollWidth - e.clientWidth)(document.querySelector('.rows:has(.vitals)'))"
        )
        assert cut <= 0, "at 1280 the whole table is there"
        wide = page.evaluate(
            """() => {
            document.querySelector('.rows:has(.vitals)').style.overflowX = 'visible';
            document.querySelectorAll('svg.trend').forEach(one => { one.style.width = '240px'; });
            return document.documentElement.scrollWidth - document.documentElement.clientWidth;
        }"""
        )
        assert wide > 0, "the reverse: as wide as it was, the page scrolls"
    send(ward, adt("A03", said=now(), mrn=NUMBER, visit="VW^^^HOSP^VN"))
