"""DHCP servers' logs and leases as statements, format by format."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.observing import Observed

from oathward.core.reasons import Reason
from oathward.discovery.model import Around
from oathward.discovery.observer import observer_of
from oathward.discovery.observers.dhcp_server import OBSERVER

AT_US = 1_700_000_000_000_000  # 2023-11-14 22:13:20
UNTIL_US = AT_US + 86_400_000_000
CARD, WHERE = {"mac": "00:11:22:00:00:05"}, {"address": "10.0.0.5"}
HOST = {"host": "pump-5"}

LEASES = """
# written by dhcpd
server-duid "\\000\\001";
lease 10.0.0.5 {
  starts 2 2023/11/14 22:03:20;
  ends 2 2023/11/14 23:13:20;
  cltt 2 2023/11/14 22:13:20;
  binding state active;
  next binding state free;
  hardware ethernet 00:11:22:00:00:05;
  uid "\\001\\000\\021\\"\\000\\000\\005";
  set vendor-class-identifier = "MSFT 5.0";
  client-hostname "PUMP-5";
}
lease 10.0.0.6 {
  starts epoch 1700000000;
  binding state free;
  hardware ethernet 00:11:22:00:00:06;
}
"""
KEA = """address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id
10.0.0.5,00:11:22:00:00:05,01:00:11:22:00:00:05,3600,1700003600,7,0,0,PUMP-5.,0,,0
10.0.0.6,00:11:22:00:00:06,,3600,1700003600,7,0,0,,2,,0
"""
WINDOWS = """\t\tMicrosoft DHCP Service Activity Log

Event ID  Meaning
10\tA new IP address was leased to a client.

ID,Date,Time,Description,IP Address,Host Name,MAC Address,User Name, TransactionID, QResult,Probationtime, CorrelationID,Dhcid,VendorClass(Hex),VendorClass(ASCII)
24,11/14/23,22:00:00,Database Cleanup Begin,,,,,0,6,,,,,
10,11/14/23,22:13:20,Assign,10.0.0.5,PUMP-5,001122000005,DOMAIN\\JANE,1,0,,,,0x4D,MSFT 5.0
15,11/14/23,22:13:21,NACK,10.0.0.6,,001122000006,,1,0,,,,,
"""
KEA_LOG = "2023-11-14 22:13:20.000 INFO  [kea-dhcp4.leases/7] DHCP4_LEASE_ALLOC [hwtype=1 00:11:22:00:00:05], cid=[01:00:11:22:00:00:05], "
KEA_LOG += "tid=0x1: lease 10.0.0.5 has been allocated for 3600 seconds\n"
ISO = "2023-11-14T22:13:20+00:00 dhcp1 "
OLD = "Nov 14 22:13:20 dhcp1 "
ID = {"client-id": "01001122000005"}
VENDOR = {"vendor-class": "MSFT 5.0", "os": "Windows"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (LEASES, [("dhcp.leases", CARD | WHERE | ID | HOST, HOST | VENDOR)]),
        (KEA, [("dhcp.kea", CARD | WHERE | ID | HOST, HOST)]),
        (WINDOWS, [("dhcp.windows", CARD | WHERE | HOST, HOST | VENDOR)]),
        (WINDOWS.replace("\n", "\r\n"), [("dhcp.windows", CARD | WHERE | HOST, HOST | VENDOR)]),
        (
            f"{AT_US // 10**6} 00:11:22:00:00:05 10.0.0.5 PUMP-5 01:00:11:22:00:00:05\n",
            [("dhcp.dnsmasq", CARD | WHERE | ID | HOST, HOST)],
        ),
        (
            f"{AT_US // 10**6} 00:11:22:00:00:05 10.0.0.5 * *\nduid 00:01\n",
            [("dhcp.dnsmasq", CARD | WHERE, {})],
        ),
        (
            ISO + "dhcpd[7]: DHCPACK on 10.0.0.5 to 00:11:22:00:00:05 (PUMP-5) via eth0\n",
            [("dhcp.log", CARD | WHERE | HOST, HOST)],
        ),
        (
            OLD + "dhcpd: DHCPACK on 10.0.0.5 to 0:11:22:0:0:5 via 10.0.0.1\n",
            [("dhcp.log", CARD | WHERE, {})],
        ),
        (OLD + "dhcpd: DHCPACK to 10.0.0.5 (00:11:22:00:00:05) via eth0\n", [("dhcp.log", CARD | WHERE, {})]),
        (
            "<30>"
            + OLD
            + "dhcpd: DHCPREQUEST for 10.0.0.9 (10.0.0.1) from 00:11:22:00:00:05 (PUMP-5) via eth0\n",
            [("dhcp.log", CARD | HOST, HOST)],
        ),
        (
            OLD + "dhcpd: DHCPDISCOVER from 00:11:22:00:00:05 (PUMP-5) via eth0\n",
            [("dhcp.log", CARD | HOST, HOST)],
        ),
        (
            OLD + "dnsmasq-dhcp[7]: DHCPACK(eth0) 10.0.0.5 00:11:22:00:00:05 PUMP-5\n",
            [("dhcp.log", CARD | WHERE | HOST, HOST)],
        ),
        (
            KEA_LOG,
            [("dhcp.log", CARD | WHERE | ID, {})],
        ),
    ],
)
def test_what_a_server_gave_is_said(data: str, said: list[Any]) -> None:
    raw = data.encode()
    assert observer_of(raw, "dhcp") == ("dhcp_server", OBSERVER)
    seen = Observed(OBSERVER, raw, until_us=UNTIL_US)
    assert seen.said() == said
    assert [one.at_us for one in seen.statements] == [AT_US] * len(seen.statements)
    assert not seen.refused
    assert "JANE" not in str(seen.statements)
    assert seen.offset == len(raw)


def test_what_was_asked_for_is_no_address() -> None:
    line = OLD + "dhcpd: DHCPREQUEST for 10.0.0.9 from 00:11:22:00:00:05 (PUMP-5) via eth0\n"
    assert Observed(OBSERVER, line.encode(), until_us=UNTIL_US).said() == [("dhcp.log", CARD | HOST, HOST)]


def test_a_subnet_is_a_segment() -> None:
    (one,) = Observed(OBSERVER, KEA.encode()).statements
    assert one.segment == "subnet 7"


def test_a_time_without_a_year_is_of_the_last_that_can_be() -> None:
    line = (OLD + "dhcpd: DHCPACK on 10.0.0.5 to 00:11:22:00:00:05 via eth0\n").encode()
    before = Observed(OBSERVER, line, until_us=AT_US - 1).statements
    assert [one.at_us for one in before] == [AT_US - 365 * 86_400_000_000]
    assert Observed(OBSERVER, line).refused == {(Reason.OBSERVED_TIME, "time"): 1}
    leap = line.replace(b"Nov 14", b"Feb 29")
    assert [one.at_us for one in Observed(OBSERVER, leap, until_us=UNTIL_US).statements] == [
        1_583_014_400_000_000
    ]


def test_leases_without_an_end_hold_now() -> None:
    line = b"0 00:11:22:00:00:05 10.0.0.5 * *\n"
    assert [one.at_us for one in Observed(OBSERVER, line, until_us=UNTIL_US).statements] == [UNTIL_US]
    assert Observed(OBSERVER, line).refused == {(Reason.OBSERVED_TIME, "time"): 1}


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (LEASES.replace("00:11:22:00:00:05", "00:00:00:00:00:00").replace("uid", "xid").replace("client-h", "h"), {(Reason.OBSERVED_BROKEN, "card"): 1}),
        (LEASES[: LEASES.index("client-h")], {(Reason.OBSERVED_CUT, "lease"): 1, (Reason.OBSERVED_CUT, "line"): 1}),
        (LEASES.replace("  next", "  x;\n" * 300 + "  next"), {(Reason.OBSERVED_SIZE, "lease"): 1}),
        (LEASES.replace("cltt 2 2023/11/14", "cltt 2 9999/99/99"), {(Reason.OBSERVED_TIME, "time"): 1}),
        (KEA + "one,two\n" + "x," * 40 + "\n" + "10.0.0.7,,,x,y,,,,,0,,\n", {(Reason.OBSERVED_BROKEN, "line"): 3}),
        (f"{AT_US // 10**6} 00:11:22:00:00:05 10.0.0.5 * *\nnonsense\n", {(Reason.OBSERVED_BROKEN, "line"): 1}),
        (WINDOWS + "10,99/99/99,x,Assign,10.0.0.5,PUMP-5,001122000005,\n", {(Reason.OBSERVED_TIME, "time"): 1}),
        (KEA + "a" * 70_000 + "\n", {(Reason.OBSERVED_SIZE, "line"): 1}),
        (KEA + "10.0.0.7,00:11", {(Reason.OBSERVED_CUT, "line"): 1}),
    ],
)  # fmt: skip
def test_what_cannot_be_is_counted(data: str, refused: dict[Any, int]) -> None:
    assert dict(Observed(OBSERVER, data.encode(), until_us=UNTIL_US).refused) == refused


PIECES = [
    one.encode()
    for one in (
        LEASES,
        KEA,
        WINDOWS,
        ISO + "dhcpd: DHCPACK on 10.0.0.5 to 00:11:22:00:00:05 via eth0\n",
        "lease 1 {\n",
        "uid \\\n",
    )
]


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(PIECES))))
def test_any_bytes_are_read_to_their_end(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert Observed(OBSERVER, data).offset <= len(data)
    OBSERVER.knows(data, "")


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (KEA, KEA.index("\n") + 1),
        (WINDOWS, WINDOWS.index("24,")),
        (KEA_LOG, 0),
        (LEASES, -1),
        ("0 00:11:22:00:00:05 10.0.0.5 * *\n", -1),
    ],
)
def test_what_is_written_later_is_read_with_the_header_of_before(data: str, kept: int) -> None:
    assert OBSERVER.header is not None
    assert OBSERVER.header(data.encode()) == kept


def test_other_text_is_none() -> None:
    for head in (b"", b"hello\n", b'{"ts":1}\n', b"Nov 14 22:13:20 host sshd[1]: ok\n", b"a,b,c\n1,2,3\n"):
        assert not OBSERVER.knows(head, "dhcpd.log")


class Slowly:
    """A socket that has one line at a time; ``had``: how many were taken of it."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines, self._left, self.had = lines, b"", 0

    def read1(self, size: int) -> bytes:
        if not self._left and self.had < len(self._lines):
            self._left, self.had = self._lines[self.had], self.had + 1
        found, self._left = self._left[:size], self._left[size:]
        return found

    read = read1


def test_what_a_socket_said_is_told_before_much_more_comes() -> None:
    """A quiet network sends a line an hour: nobody waits for thousands of them."""
    lines = [
        f"{ISO}dhcpd[7]: DHCPACK on 10.0.0.{n} to 00:11:22:00:00:{n:02x} via eth0\n".encode()
        for n in range(1, 60)
    ]
    stream = Slowly(lines)
    first = next(
        seen for seen in OBSERVER.read(stream, Around(realm="r", until_us=UNTIL_US)) if seen.statements
    )
    assert first.statements[0].marks
    assert stream.had <= 4
