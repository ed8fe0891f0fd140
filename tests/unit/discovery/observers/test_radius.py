"""RADIUS accounting as statements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.observing import Observed

from oathward.core.reasons import Reason
from oathward.discovery.observer import observer_of
from oathward.discovery.observers.radius import OBSERVER

AT_US = 1_700_000_000_000_000
USUAL = {
    "Acct-Status-Type": "Start",
    "User-Name": '"JANE DOE"',
    "Calling-Station-Id": '"00-11-22-00-00-05"',
    "NAS-IP-Address": "10.0.0.2",
    "NAS-Port-Id": '"Gi1/0/5"',
    "Framed-IP-Address": "10.0.0.5",
    "Timestamp": "1700000000",
}


def detail(**changed: str | None) -> bytes:
    said = USUAL | {name.replace("_", "-"): value for name, value in changed.items()}
    return (
        "Tue Nov 14 22:13:20 2023\n"
        + "".join(f"\t{name} = {value}\n" for name, value in said.items() if value is not None)
        + "\n"
    ).encode()


CARD = {"mac": "00:11:22:00:00:05", "address": "10.0.0.5"}


def test_a_wired_port_is_known() -> None:
    data = detail() + detail(Calling_Station_Id='"001122000006"', Framed_IP_Address=None)
    assert observer_of(data, "detail-20231114") == ("radius", OBSERVER)
    seen = Observed(OBSERVER, data)
    assert seen.said() == [
        ("radius", CARD, {"switch-port": "10.0.0.2 Gi1/0/5"}),
        ("radius", {"mac": "00:11:22:00:00:06"}, {"switch-port": "10.0.0.2 Gi1/0/5"}),
    ]
    assert [one.at_us for one in seen.statements] == [AT_US, AT_US]
    assert not seen.refused
    assert "JANE" not in str(seen.statements)


@pytest.mark.parametrize(
    ("data", "segment", "facts"),
    [
        (detail(Called_Station_Id='"AA-BB-CC-DD-EE-FF:ward wifi"'), "ward wifi", {}),
        (detail(**{"Tunnel_Private_Group_Id:0": '"12"'}), "vlan 12", {"switch-port": "10.0.0.2 Gi1/0/5"}),
        (
            detail(NAS_Identifier='"sw1"', NAS_Port_Id=None, NAS_Port="50105"),
            "",
            {"switch-port": "sw1 50105"},
        ),
        (
            detail(User_Name='"host/PUMP-5.example"'),
            "",
            {"switch-port": "10.0.0.2 Gi1/0/5", "host": "pump-5.example"},
        ),
    ],
)
def test_where_a_card_is(data: bytes, segment: str, facts: dict[str, str]) -> None:
    seen = Observed(OBSERVER, data)
    assert [one.segment for one in seen.statements] == [segment]
    assert [one[2] for one in seen.said()] == [facts]


def test_the_time_of_the_head_is_taken_where_no_attribute_tells_it() -> None:
    assert [one.at_us for one in Observed(OBSERVER, detail(Timestamp=None)).statements] == [AT_US]


@pytest.mark.parametrize(
    ("data", "reason", "place"),
    [
        (detail(Calling_Station_Id='"nobody"'), Reason.OBSERVED_BROKEN, "Calling-Station-Id"),
        (detail(Calling_Station_Id='"FF-FF-FF-FF-FF-FF"'), Reason.OBSERVED_BROKEN, "Calling-Station-Id"),
        (detail(Timestamp="99999999999999"), Reason.OBSERVED_TIME, "time"),
        (detail(Timestamp=None).replace(b"Nov 14", b"Nov 44"), Reason.OBSERVED_BROKEN, "time"),
        (b"\tUser-Name = 7\n" + detail(), Reason.OBSERVED_BROKEN, "attribute"),
        (detail() + b"what\n", Reason.OBSERVED_BROKEN, "line"),
        (detail() + b"Tue Nov", Reason.OBSERVED_CUT, "line"),
    ],
)
def test_what_cannot_be_is_counted(data: bytes, reason: Reason, place: str) -> None:
    assert Observed(OBSERVER, data, until_us=AT_US * 2).refused == {(reason, place): 1}


def test_attributes_of_a_record_are_bounded() -> None:
    many = detail(**{f"X{n}": "1" for n in range(300)})
    assert Observed(OBSERVER, many).refused == {(Reason.OBSERVED_SIZE, "attribute"): 300 + len(USUAL) - 256}


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([detail(), b"\n", b"\tA = \n"]))))
def test_any_bytes_are_read_to_their_end(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert Observed(OBSERVER, data).offset <= len(data)
    OBSERVER.knows(data, "")
