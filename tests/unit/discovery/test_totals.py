"""Totals of flows: nothing lost, in any order, in any parts."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from oathward.discovery.model import FLOW_COLUMNS
from oathward.discovery.totals import COUNT_MAX, FLOW_HOURS_MAX, HOUR_US, KEY, TOTAL_COLUMNS, merged, totals

NINE = 1_700_000_000_000_000 // HOUR_US * HOUR_US
SCHEMA = {name: getattr(pl, kind) for name, kind in FLOW_COLUMNS.items()}
SUMS = ("client_bytes", "server_bytes", "client_packets", "server_packets")


def flow(**said: object) -> dict[str, object]:
    usual: dict[str, object] = {name: "" for name, kind in FLOW_COLUMNS.items() if kind == "String"}
    usual |= {
        "start_us": NINE + 5,
        "end_us": NINE + 9,
        "realm": "r",
        "client": "10.0.0.1",
        "server": "10.0.0.2",
    }
    usual |= {"transport": "tcp", "port": 2575, "service": "hl7", "answered": True, "source": "test"}
    return usual | dict.fromkeys(SUMS, 10) | said


def frame(*flows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(flows), schema=SCHEMA)


def test_flows_of_one_hour_and_service_are_one_row() -> None:
    got = totals(
        frame(flow(), flow(start_us=NINE + 1, answered=False), flow(end_us=NINE + HOUR_US - 1, answered=None))
    )
    assert dict(zip(got.columns, (str(one) for one in got.dtypes), strict=True)) == dict(TOTAL_COLUMNS)
    assert got.rows(named=True) == [
        {
            "hour_us": NINE,
            "realm": "r",
            "client": "10.0.0.1",
            "server": "10.0.0.2",
            "transport": "tcp",
            "port": 2575,
            "service": "hl7",
        }
        | {
            "tls": "",
            "flows": 3,
            "answered": 1,
            "unanswered": 1,
            "first_us": NINE + 1,
            "last_us": NINE + HOUR_US - 1,
        }
        | dict.fromkeys(SUMS, 30)
    ]


def test_each_part_of_the_key_keeps_flows_apart() -> None:
    other = {
        "realm": "s",
        "client": "10.0.0.3",
        "server": "10.0.0.4",
        "transport": "udp",
        "port": 1,
        "service": "",
        "tls": "TLSv1.3",
    }
    assert set(other) == set(KEY[1:])
    for name, value in other.items():
        assert totals(frame(flow(), flow(**{name: value}))).height == 2, name
    assert totals(frame(flow(), flow(start_us=NINE - 1, end_us=NINE - 1))).height == 2


def test_a_connection_that_stays_open_is_seen_in_each_of_its_hours() -> None:
    got = totals(frame(flow(start_us=NINE + 5, end_us=NINE + 2 * HOUR_US + 7, client_bytes=100)))
    assert got["hour_us"].to_list() == [NINE, NINE + HOUR_US, NINE + 2 * HOUR_US]
    assert got["client_bytes"].to_list() == [34, 33, 33]
    assert got["flows"].to_list() == got["answered"].to_list() == [1, 0, 0]
    assert got["first_us"].to_list() == [NINE + 5, NINE + HOUR_US, NINE + 2 * HOUR_US]
    assert got["last_us"].to_list() == [NINE + HOUR_US - 1, NINE + 2 * HOUR_US - 1, NINE + 2 * HOUR_US + 7]


def test_a_lie_of_a_duration_makes_no_more_rows_than_the_bound() -> None:
    got = totals(frame(flow(end_us=2**62, client_bytes=2**62)))
    assert got.height == FLOW_HOURS_MAX
    assert got["client_bytes"].sum() == COUNT_MAX
    assert got["last_us"].max() == 2**62


def test_what_is_missing_counts_as_nothing() -> None:
    got = totals(frame(flow(end_us=None, client_bytes=None, server_packets=-3)))
    assert (got["client_bytes"].item(), got["server_packets"].item(), got["last_us"].item()) == (
        0,
        0,
        NINE + 5,
    )


def test_a_row_that_says_more_of_a_flow_counts_none() -> None:
    more = flow(tls="TLSv1.3", service="tls", **dict.fromkeys(SUMS))
    got = totals(frame(flow(service="tls"), more))
    assert got.select("tls", "flows", "answered", "client_bytes").rows() == [
        ("", 1, 1, 10),
        ("TLSv1.3", 0, 0, 0),
    ]


def test_no_flows_are_no_totals() -> None:
    assert totals(frame()).is_empty()
    assert list(totals(frame()).columns) == list(TOTAL_COLUMNS)


FLOWS = st.lists(
    st.builds(
        flow,
        start_us=st.integers(NINE, NINE + 3 * HOUR_US),
        end_us=st.integers(NINE, NINE + 60 * HOUR_US),
        client=st.sampled_from(["10.0.0.1", "10.0.0.3"]),
        client_bytes=st.integers(0, 2**40),
        answered=st.sampled_from([True, False, None]),
    ),
    min_size=1,
    max_size=12,
)


@given(flows=FLOWS, cut=st.integers(0, 12), order=st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_totals_lose_nothing_whatever_the_parts_and_their_order(
    flows: list[dict[str, object]], cut: int, order: object
) -> None:
    whole = totals(frame(*flows))
    assert whole["flows"].sum() == len(flows)
    for name in SUMS:
        assert whole[name].sum() == sum(one[name] for one in flows)  # type: ignore[misc]  # counts of the flows above
    mixed = list(flows)
    order.shuffle(mixed)  # type: ignore[attr-defined]  # Hypothesis' random
    assert merged([totals(frame(*mixed[:cut])), totals(frame(*mixed[cut:]))]).equals(whole)
