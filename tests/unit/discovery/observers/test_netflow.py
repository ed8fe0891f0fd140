"""NetFlow and IPFIX as flows: templates by exporter, withdrawn and awaited; halves joined; whatever is broken."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.exporters import (
    IPFIX_FIELDS,
    SENT_S,
    V9_FIELDS,
    ip,
    ipfix,
    ipfix_record,
    one_set,
    template,
    v5,
    v9,
    v9_record,
)
from tests.observing import Observed

from oathward.core.reasons import Reason
from oathward.discovery.logs import exports, halves, sampling, templates
from oathward.discovery.model import Around, Seen
from oathward.discovery.observer import observer_of
from oathward.discovery.observers import netflow
from oathward.discovery.observers.netflow import OBSERVER

START, END = (SENT_S - 10) * 1_000_000, (SENT_S - 5) * 1_000_000
COLUMNS = (
    "start_us",
    "end_us",
    "client",
    "server",
    "transport",
    "port",
    "client_bytes",
    "server_bytes",
    "client_packets",
    "server_packets",
    "answered",
)
BOTH = (START, END, "10.0.0.5", "10.0.0.9", "tcp", 2575, 100, 50, 2, 1, True)
GO, BACK = ("10.0.0.5", "10.0.0.9", 50_000, 2575), ("10.0.0.9", "10.0.0.5", 2575, 50_000)
V9_TEMPLATE = one_set(0, template(256, V9_FIELDS))
IPFIX_TEMPLATE = one_set(2, template(256, IPFIX_FIELDS))


def read(data: bytes, **around: Any) -> Observed:
    return Observed(OBSERVER, data, **around)


@pytest.mark.parametrize(
    "data",
    [
        v5((*GO, 6, 2, 100), (*BACK, 6, 1, 50)),
        v5((*BACK, 6, 1, 50), (*GO, 6, 2, 100)),
        v5((*GO, 6, 2, 100)) + v5((*BACK, 6, 1, 50)),
        v9(V9_TEMPLATE, one_set(256, v9_record(*GO) + v9_record(*BACK, 50, 1), pad=2), count=3),
        v9(V9_TEMPLATE) + v9(one_set(256, v9_record(*GO))) + v9(one_set(256, v9_record(*BACK, 50, 1))),
        ipfix(IPFIX_TEMPLATE, one_set(256, ipfix_record(*GO) + ipfix_record(*BACK, 50, 1, b""), pad=3)),
        ipfix(one_set(256, ipfix_record(*GO)))
        + ipfix(IPFIX_TEMPLATE)
        + ipfix(one_set(256, ipfix_record(*BACK, 50, 1))),
    ],
)
def test_two_directions_are_one_flow(data: bytes) -> None:
    assert observer_of(data, "flows.bin") == ("netflow", OBSERVER)
    seen = read(data)
    assert seen.rows(*COLUMNS) == [BOTH]
    assert not seen.refused
    assert seen.offset == len(data)


def test_names_cards_and_vlans_are_read() -> None:
    seen = read(ipfix(IPFIX_TEMPLATE, one_set(256, ipfix_record(*GO, name=b"HL7"))))
    assert seen.rows("service", "segment", "client_mac", "server_mac", "answered") == [
        ("hl7", "vlan 12", "00:11:22:00:00:05", "00:11:22:00:00:09", None)
    ]
    assert [one[1] for one in seen.said()] == [
        {"mac": "00:11:22:00:00:05", "address": "10.0.0.5"},
        {"mac": "00:11:22:00:00:09", "address": "10.0.0.9"},
    ]


def test_a_long_field_says_its_length_in_three_bytes() -> None:
    record = ip("10.0.0.5") + ip("10.0.0.9") + b"\xff\x01\x00" + b"a" * 256
    seen = read(ipfix(one_set(2, template(300, [(8, 4), (12, 4), (96, 65_535)])), one_set(300, record)))
    assert seen.rows("client", "service") == [("10.0.0.5", "a" * 200)]


def test_a_biflow_is_whole_by_itself() -> None:
    reverse = [
        (8, 4),
        (12, 4),
        (7, 2),
        (11, 2),
        (4, 1),
        (1, 4),
        (2, 4),
        (1, 4, 29_305),
        (2, 4, 29_305),
        (239, 1),
    ]
    fixed = struct.pack("!HHBIIII", 50_000, 2575, 6, 100, 2, 50, 1)
    forward = read(
        ipfix(
            one_set(2, template(256, reverse)),
            one_set(256, ip("10.0.0.5") + ip("10.0.0.9") + fixed + b"\x01"),
        )
    )
    assert forward.rows(*COLUMNS[2:]) == [BOTH[2:]]
    fixed = struct.pack("!HHBIIII", 2575, 50_000, 6, 50, 1, 100, 2)
    turned = read(
        ipfix(
            one_set(2, template(256, reverse)),
            one_set(256, ip("10.0.0.9") + ip("10.0.0.5") + fixed + b"\x02"),
        )
    )
    assert turned.rows(*COLUMNS[2:]) == [BOTH[2:]]


@pytest.mark.parametrize(
    ("fields", "values", "times"),
    [
        ([(150, 4), (151, 4)], struct.pack("!II", SENT_S - 10, SENT_S - 5), (START, END)),
        (
            [(154, 8), (155, 8)],
            struct.pack("!IIII", SENT_S - 10 + 2_208_988_800, 0, SENT_S - 5 + 2_208_988_800, 0),
            (START, END),
        ),
        ([(158, 4), (159, 4)], struct.pack("!II", 10_000_000, 5_000_000), (START, END)),
        ([(152, 8), (161, 4)], struct.pack("!QI", SENT_S * 1_000 - 10_000, 5_000), (START, END)),
        ([(160, 8), (22, 4), (21, 4)], struct.pack("!QII", SENT_S * 1_000 - 10_000, 0, 5_000), (START, END)),
        ([(22, 4), (21, 4)], struct.pack("!II", 1_000, 6_000), (END, SENT_S * 1_000_000)),
        ([], b"", (SENT_S * 1_000_000, SENT_S * 1_000_000)),
    ],
)
def test_times_are_put_by_whichever_element_tells_them(
    fields: list[tuple[int, int]], values: bytes, times: tuple[int, int]
) -> None:
    record = ip("10.0.0.5") + ip("10.0.0.9") + values
    assert read(ipfix(one_set(2, template(256, [(8, 4), (12, 4), *fields])), one_set(256, record))).rows(
        "start_us", "end_us"
    ) == [times]


def test_a_counter_that_began_anew_is_of_before() -> None:
    record = ip("10.0.0.5") + ip("10.0.0.9") + struct.pack("!II", 2**32 - 1_000, 1_000)
    data = (
        struct.pack("!HHIIII", 9, 1, 2_000, SENT_S, 7, 0)
        + one_set(0, template(256, [(8, 4), (12, 4), (22, 4), (21, 4)]))
        + one_set(256, record)
    )
    assert read(data).rows("start_us", "end_us") == [((SENT_S - 3) * 1_000_000, (SENT_S - 1) * 1_000_000)]


def test_the_server_is_told_by_ports_then_by_who_began() -> None:
    alone = read(v5((*BACK, 6, 1, 50)))
    assert alone.rows(*COLUMNS[2:]) == [("10.0.0.5", "10.0.0.9", "tcp", 2575, 0, 50, 0, 1, True)]
    near = read(v5(("10.0.0.5", "10.0.0.9", 6_000, 5_000, 17, 2, 100)))
    assert near.rows("client", "transport", "port", "answered") == [("10.0.0.5", "udp", 5_000, None)]
    icmp = read(v5(("10.0.0.5", "10.0.0.9", 0, 2048, 1, 2, 100)))
    assert icmp.rows("client", "transport", "port") == [("10.0.0.5", "icmp", 0)]


def datagrams(*sent: tuple[bytes, str], name: str) -> tuple[list[Any], list[tuple[Reason, str]]]:
    around = Around(realm=name)
    assert OBSERVER.datagram is not None
    parts = [
        OBSERVER.datagram(data, exporter, SENT_S * 1_000_000 + n, around)
        for n, (data, exporter) in enumerate([*sent, (b"", "")])
    ]
    rows = [row for part in parts if part.flows is not None for row in part.flows.select(COLUMNS).rows()]
    return rows, [key for part in parts for key in part.refused]


def test_templates_of_one_exporter_mean_nothing_for_another() -> None:
    told, record = v9(V9_TEMPLATE), v9(one_set(256, v9_record(*GO) + v9_record(*BACK, 50, 1)))
    assert datagrams((told, "a"), (record, "a"), name="1") == ([BOTH], [])
    assert datagrams((told, "a"), (record, "b"), name="2") == ([], [(Reason.OBSERVED_TEMPLATE, "set")])
    other = v9(one_set(256, v9_record(*GO)), domain=7)
    assert datagrams((told, "a"), (other, "a"), name="3") == ([], [(Reason.OBSERVED_TEMPLATE, "set")])
    shorter = v9(one_set(0, template(256, [(8, 4), (12, 4)])))
    assert datagrams((told, "a"), (shorter, "b"), (record, "a"), name="4") == ([BOTH], [])


def test_an_empty_datagram_of_somebody_ends_nothing() -> None:
    told, record = v9(V9_TEMPLATE), v9(one_set(256, v9_record(*GO) + v9_record(*BACK, 50, 1)))
    assert datagrams((told, "a"), (b"", "a"), (record, "a"), name="8") == (
        [BOTH],
        [(Reason.OBSERVED_BROKEN, "message")],
    )


def test_a_template_is_taken_back_and_sent_anew() -> None:
    told, record = ipfix(IPFIX_TEMPLATE), ipfix(one_set(256, ipfix_record(*GO)))
    back = ipfix(one_set(2, struct.pack("!HH", 256, 0)))
    all_back = ipfix(one_set(2, struct.pack("!HH", 2, 0)))
    assert datagrams((told, "a"), (back, "a"), (record, "a"), name="5") == (
        [],
        [(Reason.OBSERVED_TEMPLATE, "set")],
    )
    assert datagrams((told, "a"), (all_back, "a"), (record, "a"), name="6") == (
        [],
        [(Reason.OBSERVED_TEMPLATE, "set")],
    )
    rows, refused = datagrams((told, "a"), (back, "a"), (record, "a"), (told, "a"), name="7")
    assert (len(rows), refused) == (1, [])


def test_what_an_exporter_says_of_itself_is_read_over() -> None:
    v9_options = one_set(1, struct.pack("!HHHHHHH", 300, 4, 4, 1, 4, 34, 4))
    data = v9(v9_options, one_set(300, bytes(8)), V9_TEMPLATE, one_set(256, v9_record(*GO)))
    assert read(data).flows.height == 1
    ipfix_options = one_set(3, struct.pack("!HHHHHHH", 300, 2, 1, 144, 4, 34, 4))
    seen = read(ipfix(ipfix_options, one_set(300, bytes(8)), IPFIX_TEMPLATE, one_set(256, ipfix_record(*GO))))
    assert seen.flows.height == 1
    assert not seen.refused


def test_memory_of_templates_sets_and_halves_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "DOMAINS_MAX", 3)
    monkeypatch.setattr(templates, "TEMPLATES_MAX", 3)
    many = b"".join(
        ipfix(one_set(2, template(256 + n, [(8, 4)])), domain=m) for m in range(5) for n in range(5)
    )
    full = read(many).refused
    assert full == {(Reason.OBSERVED_FULL, "domain"): 2, (Reason.OBSERVED_FULL, "template"): 10}
    monkeypatch.setattr(exports, "WAITING_BYTES_MAX", 1_000)
    waiting = exports.Exports()
    gathered = netflow.Gathered(Around(realm="r"))
    for _ in range(50):
        list(waiting.message(ipfix(one_set(256, bytes(200))), "", gathered))
    assert gathered.refused[Reason.OBSERVED_TEMPLATE, "set"] == 50 - 3
    monkeypatch.setattr(halves, "WAITING_MAX", 3)
    kept = halves.Halves()
    gone = [
        row
        for n in range(10)
        for row in kept.take(halves.Half(n, n, "10.0.0.5", n, "", "10.0.0.9", 99, "", "tcp", 1, 1))
    ]
    assert (len(gone), len(list(kept.end()))) == (7, 3)


WIDE = [(8, 4), (12, 4), (4, 1), (7, 2), (11, 2)]


@pytest.mark.parametrize("times", [(150, 151), (152, 153), (154, 155), (158, 159), (22, 21), (160, 22)])
@pytest.mark.parametrize("said", [b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\x80" + bytes(7)])
def test_numbers_as_large_as_a_field_may_hold_are_survived(times: tuple[int, int], said: bytes) -> None:
    fields = [*WIDE, (1, 8), (2, 8), (232, 8), (299, 8), *((one, 8) for one in times)]
    one = ip("10.0.0.5") + ip("10.0.0.9") + struct.pack(">BHH", 6, 50_000, 80) + b"\xff" * 32 + said * 2
    data = ipfix(one_set(2, template(256, fields)), one_set(256, one))
    for row in read(data).rows("client_bytes", "server_packets"):
        assert max(row) < 2**53
    assert read(data + ipfix(IPFIX_TEMPLATE, one_set(256, ipfix_record(*GO)))).flows.height >= 1


def test_a_datagram_from_the_future_ends_no_wait_of_others() -> None:
    around, now = Around(realm="future"), SENT_S * 1_000_000
    ahead = [*WIDE, (152, 8), (153, 8)]
    lie = ip("10.0.0.1") + ip("10.0.0.2") + struct.pack(">BHHQQ", 6, 50_000, 80, 4 * 10**12, 4 * 10**12)
    parts = [
        ipfix(one_set(2, template(300, ahead)), one_set(300, lie), domain=9),
        ipfix(IPFIX_TEMPLATE, one_set(256, ipfix_record(*GO))),
        ipfix(one_set(256, ipfix_record(*BACK, 50, 1))),
    ]
    seen = [netflow._datagram(data, "192.0.2.1", now, around) for data in parts]
    seen.append(netflow._datagram(b"", "", now, around))
    answered = [one.flows["answered"].to_list() for one in seen if one.flows is not None]
    assert answered == [[True]]
    assert sum(one.refused[Reason.OBSERVED_TIME, "time"] for one in seen) == 1


def test_halves_too_far_apart_are_two_flows() -> None:
    later = v5((*BACK, 6, 1, 50), sent_s=SENT_S + 301)
    assert read(v5((*GO, 6, 2, 100)) + later).flows.height == 2


def test_a_clock_gone_wrong_is_counted() -> None:
    assert read(v5((*GO, 6, 2, 100)), until_us=START - 1).refused == {(Reason.OBSERVED_TIME, "time"): 1}


@pytest.mark.parametrize(
    ("data", "refused", "flows"),
    [
        (v5((*GO, 6, 2, 100), count=3), {(Reason.OBSERVED_CUT, "message"): 1, (Reason.OBSERVED_CUT, "record"): 2}, 1),
        (v5((*GO, 6, 2, 100)) + b"nonsense" * 9 + v5((*BACK, 6, 1, 50)), {(Reason.OBSERVED_BROKEN, "message"): 1}, 1),
        (b"\x00\x05nonsense" * 9 + v5((*BACK, 6, 1, 50)), {(Reason.OBSERVED_BROKEN, "message"): 1}, 1),
        (ipfix(IPFIX_TEMPLATE, one_set(256, ipfix_record(*GO)[:-5])), {}, 0),
        (ipfix(IPFIX_TEMPLATE, one_set(256, ipfix_record(*GO)) + b"\x01\x00\xff\xff"), {(Reason.OBSERVED_CUT, "set"): 1}, 1),
        (ipfix(one_set(2, template(256, IPFIX_FIELDS)[:-3])), {(Reason.OBSERVED_BROKEN, "template"): 1}, 0),
        (ipfix(one_set(2, template(256, [(1, 4)])), one_set(256, bytes(8))), {(Reason.OBSERVED_UNKNOWN, "record"): 2}, 0),
        (ipfix(one_set(2, template(256, [(8, 3), (12, 4)])), one_set(256, bytes(7))), {(Reason.OBSERVED_BROKEN, "address"): 1}, 0),
        (ipfix(IPFIX_TEMPLATE, one_set(100, b"what")), {(Reason.OBSERVED_UNKNOWN, "set"): 1}, 0),
    ],
)  # fmt: skip
def test_what_is_broken_is_counted_and_what_comes_behind_is_read(
    data: bytes, refused: dict[tuple[Reason, str], int], flows: int
) -> None:
    seen = read(data)
    assert dict(seen.refused) == refused
    assert seen.flows.height == flows


def test_a_template_of_nothing_makes_no_endless_records() -> None:
    nothing = ipfix(one_set(2, template(256, [(8, 0)] * 500 + [(1, 1)])), one_set(256, bytes(60_000)))
    assert read(nothing).refused == {(Reason.OBSERVED_UNKNOWN, "record"): 60_000}
    assert read(ipfix(one_set(2, template(256, [(8, 0)] * 5)))).refused == {
        (Reason.OBSERVED_BROKEN, "template"): 1
    }


PIECES = [
    v5((*GO, 6, 2, 100)),
    v9(V9_TEMPLATE),
    ipfix(IPFIX_TEMPLATE),
    one_set(256, v9_record(*GO)),
    b"\x00\x05",
    b"\x00\x09",
    b"\x00\x0a",
    bytes(40),
]


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(PIECES))))
def test_any_bytes_are_read_to_their_end(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert read(data).offset <= len(data)
    OBSERVER.knows(data, "")
    assert OBSERVER.datagram is not None
    for piece in [*pieces, b""]:
        assert isinstance(OBSERVER.datagram(piece, "x", 0, Around(realm="any")), Seen)


def test_logs_and_captures_are_no_messages() -> None:
    for head in (
        b'{"ts":1}',
        b"#separator",
        b"\xd4\xc3\xb2\xa1" + bytes(40),
        b"\x0a\x0d\x0d\x0a" + bytes(40),
        bytes(100),
        b"",
    ):
        assert not OBSERVER.knows(head, "x")


def options_v9(number: int, *fields: int) -> bytes:
    """A template of options with a scope (the system) and fields of four bytes."""
    told = b"".join(struct.pack("!HH", one, 4) for one in fields)
    return one_set(1, struct.pack("!HHHHH", number, 4, 4 * len(fields), 1, 4) + told)


def options_ipfix(number: int, *fields: int) -> bytes:
    """The same of IPFIX; its scope is the observation domain."""
    told = b"".join(struct.pack("!HH", one, 4) for one in (149, *fields))
    return one_set(3, struct.pack("!HHH", number, len(fields) + 1, 1) + told)


def numbers(*said: int) -> bytes:
    return struct.pack(f"!{len(said)}L", *said)


COUNTED = ("client_bytes", "client_packets", "source")
SAMPLED = [(100_000, 2_000, "netflow.estimated")]
SAMPLER_TEMPLATE = one_set(0, template(257, [*V9_FIELDS, (48, 4)]))


@pytest.mark.parametrize(
    "data",
    [
        v5((*GO, 6, 2, 100))[:22] + struct.pack("!H", 0x4000 | 1_000) + v5((*GO, 6, 2, 100))[24:],
        v9(options_v9(300, 34), one_set(300, numbers(1, 1_000)), V9_TEMPLATE, one_set(256, v9_record(*GO))),
        v9(
            *(options_v9(300, 48, 50), one_set(300, numbers(1, 7, 1_000) + numbers(1, 8, 5))),
            *(SAMPLER_TEMPLATE, one_set(257, v9_record(*GO) + numbers(7))),
        ),
        v9(one_set(0, template(257, [*V9_FIELDS, (34, 4)])), one_set(257, v9_record(*GO) + numbers(1_000))),
        ipfix(options_ipfix(300, 305, 306), one_set(300, numbers(0, 1, 999)), IPFIX_TEMPLATE)
        + ipfix(one_set(256, ipfix_record(*GO))),
        ipfix(options_ipfix(300, 309, 310), one_set(300, numbers(0, 2, 2_000)), IPFIX_TEMPLATE)
        + ipfix(one_set(256, ipfix_record(*GO))),
    ],
    ids=[
        "v5",
        "v9 of all",
        "v9 by number",
        "v9 in the record",
        "IPFIX so many of each",
        "IPFIX so many of all",
    ],
)
def test_what_was_sampled_is_scaled_and_marked_as_an_estimate(data: bytes) -> None:
    assert read(data).rows(*COUNTED) == SAMPLED


@pytest.mark.parametrize(
    "before",
    [
        b"",
        v9(options_v9(300, 34), one_set(300, numbers(1, 1)), domain=0),
        v9(options_v9(300, 34), one_set(300, numbers(1, 1_000)), domain=9),
        v9(options_v9(300, 48, 50), one_set(300, numbers(1, 7, 1_000))),
    ],
    ids=["never told", "each packet", "another domain", "another sampler"],
)
def test_what_no_sampler_of_its_own_took_is_as_counted(before: bytes) -> None:
    seen = read(before + v9(V9_TEMPLATE, one_set(256, v9_record(*GO))))
    assert seen.rows(*COUNTED) == [(100, 2, "netflow")]


def test_a_sampler_that_cannot_be_is_refused_and_their_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(sampling, "SAMPLERS_MAX", 2)
    wrong = v9(options_v9(300, 34), one_set(300, numbers(1, 2**31)))
    seen = read(wrong + v9(V9_TEMPLATE, one_set(256, v9_record(*GO))))
    assert seen.rows(*COUNTED) == [(100, 2, "netflow")]
    assert seen.refused == {(Reason.OBSERVED_BROKEN, "sampler"): 1}
    told = b"".join(numbers(1, number, 1_000) for number in (7, 8, 9))
    records = b"".join(v9_record("10.0.0.5", "10.0.0.9", 40_000 + n, 104) + numbers(n) for n in (7, 8, 9))
    seen = read(v9(options_v9(300, 48, 50), one_set(300, told), SAMPLER_TEMPLATE, one_set(257, records)))
    assert sorted(seen.rows(*COUNTED)) == sorted([(100, 2, "netflow"), *SAMPLED, *SAMPLED])


@pytest.mark.parametrize(
    "element", [1, 2, 21, 22, 150, 151, 152, 153, 154, 155, 158, 159, 160, 161, 162, 232, 310]
)
def test_a_number_larger_than_any_ends_nothing(element: int) -> None:
    """One datagram of a stranger must not end what listens."""
    told = one_set(2, template(258, [*IPFIX_FIELDS[:5], (element, 8), (305, 1), (99, 1)]))
    record = ip("10.0.0.5") + ip("10.0.0.9") + struct.pack("!HHB", 50_000, 2_575, 6) + b"\xff" * 8 + b"\1\0"
    fine = ipfix(IPFIX_TEMPLATE, one_set(256, ipfix_record(*GO)))
    assert read(ipfix(told, one_set(258, record)) + fine).flows.height >= 1
