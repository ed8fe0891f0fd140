"""``Retry-After`` as a time: by the server's own clock where it tells, else by ours, and bounded."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from oathward.courier.fhir import retry_after_s
from oathward.courier.http_client import Answer

from .far_end import answer
from .test_fhir_wire import run


@pytest.mark.parametrize(
    ("said", "date", "least_s", "most_s"),
    [
        ("Sun, 06 Nov 1994 08:49:47 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 10.0, 10.0),
        ("Sunday, 06-Nov-94 08:49:47 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 10.0, 10.0),
        ("Sun Nov  6 08:49:47 1994", "Sun, 06 Nov 1994 08:49:37 GMT", 10.0, 10.0),
        ("Sun, 06 Nov 1994 08:49:27 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 0.0, 0.0),
        ("Tue, 06 Nov 2794 08:49:47 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 60.0, 60.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", "", 0.0, 0.0),
        ("Sun, 46 Nov 1994 08:49:47 GMT", "", 0.0, 0.0),
        ("Sun, 06 Nov 99999999999 08:49:47 GMT", "", 0.0, 0.0),
        ("Sun, 06 Nov 1994 08:49:47 +9999999999", "", 0.0, 0.0),
        ("\u0661\u0662 Nov", "", 0.0, 0.0),
    ],
)
def test_retry_after_is_a_time_by_the_servers_own_clock_or_ours(said, date, least_s, most_s):
    headers = {"retry-after": said} | ({"date": date} if date else {})
    assert least_s <= retry_after_s(Answer(429, headers, b""), 60.0) <= most_s


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_a_date_it_counts_from_now(date):
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    headers = {"retry-after": until} | ({"date": date} if date else {})
    assert 15.0 <= retry_after_s(Answer(429, headers, b""), 60.0) <= 30.0


def test_the_lane_waits_until_then_and_no_longer_than_its_limit():
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    _, _, far = run([answer(503, Retry_After="Sun, 06 Nov 1994 08:59:37 GMT", Date=date)])
    assert 0.29 <= far.at_s[1] - far.at_s[0] < 1.0
