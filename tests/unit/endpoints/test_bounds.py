"""Whatever is said of an endpoint, by a network or by a person, is bounded: each bound is seen to hold by going beyond it."""

import pytest
from tests.unit.endpoints.conftest import DAY, HOUR, MINUTE, SITE, A, T, says

from oathward.core.db import read
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.discovery.model import VALUE_LENGTH_MAX, Mark, MarkKind
from oathward.endpoints import deciding, views
from oathward.endpoints.makers import read_registry
from oathward.endpoints.marks import MARKS_MAX, sort_marks
from oathward.endpoints.model import Filters


def test_a_statement_marks_nobody_by_too_many_or_too_long_marks():
    many = tuple(Mark(MarkKind.APPLICATION, f"app-{number}") for number in range(MARKS_MAX + 8))
    assert len(sort_marks(many).names) == MARKS_MAX
    assert sort_marks((Mark(MarkKind.APPLICATION, "a" * VALUE_LENGTH_MAX),)).names
    assert not sort_marks((Mark(MarkKind.APPLICATION, "a" * (VALUE_LENGTH_MAX + 1)),)).names


def test_of_one_kind_an_endpoint_keeps_the_latest_marks(inventory):
    for number in range(MARKS_MAX + 8):
        inventory.take(says(T + number * MINUTE, mac=A, application=f"app-{number}"))
    [row] = inventory.rows()
    kept = {value for kind, value in inventory.marks(row.id) if kind == "application"}
    assert kept == {f"app-{number}" for number in range(8, MARKS_MAX + 8)}
    assert ("mac", A) in inventory.marks(row.id)


def test_what_is_said_is_cut_where_it_is_too_long(inventory):
    inventory.take(says(mac=A, facts=(("model", "m" * (VALUE_LENGTH_MAX + 50), 1.0),)))
    [row] = inventory.rows()
    assert row.model == "m" * VALUE_LENGTH_MAX


def test_what_one_endpoint_is_searched_by_is_bounded(inventory):
    hosts = [f"{number:03}-{'x' * 100}" for number in range(20)]
    for number, host in enumerate(hosts):
        inventory.take(says(T + number * HOUR, mac=A, host=host))
    with read(inventory.engine) as db:
        longest = db.exec_driver_sql("SELECT max(length(search)) FROM endpoint").scalar()
    assert 0 < longest <= 600


def test_a_card_that_speaks_for_many_addresses_at_once_holds_none(inventory):
    addresses = [f"10.0.{number}.7" for number in range(8)]
    inventory.take(*(says(T + number, mac=A, address=address) for number, address in enumerate(addresses)))
    assert [(row.mac, row.address) for row in inventory.rows()] == [("", address) for address in addresses]


def test_a_card_that_has_many_addresses_one_after_the_other_is_one(inventory):
    addresses = [f"10.0.{number}.7" for number in range(20)]
    inventory.take(*(says(T + n * DAY, mac=A, address=address) for n, address in enumerate(addresses)))
    [row] = inventory.rows()
    assert (row.mac, row.address) == (A, addresses[-1])


def test_a_card_on_addresses_that_others_hold_all_the_time_is_a_router(inventory):
    """Three addresses are few; that their holders had them before and after says that it spoke for them."""
    cards = [f"00:50:c2:00:00:{number:02x}" for number in range(3)]
    held = [(mac, f"10.0.0.{number}") for number, mac in enumerate(cards, 5)]
    inventory.take(
        *(says(T + n, mac=mac, address=address) for n, (mac, address) in enumerate(held)),
        *(
            says(T + HOUR + n, mac=A, address=address, source="zeek.conn")
            for n, (_, address) in enumerate(held)
        ),
        *(says(T + 2 * HOUR + n, mac=mac, address=address) for n, (mac, address) in enumerate(held)),
    )
    assert [(row.mac, row.address) for row in inventory.rows()] == held


def test_what_a_person_decides_is_bounded(inventory):
    inventory.take(says(mac=A, host="pump"))
    [row] = inventory.rows()
    by = {"by": "p-1", "now_us": T + HOUR}
    mark = (MarkKind.MAC, "main", A)
    wrong = [
        lambda: deciding.split(inventory.engine, SITE, row.id, [mark] * 201, reason="two", **by),
        lambda: deciding.split(inventory.engine, SITE, row.id, [], reason="two", **by),
        lambda: deciding.split(inventory.engine, SITE, row.id, [mark], reason="w" * 1_001, **by),
        lambda: deciding.describe(inventory.engine, SITE, [row.id] * 501, {"unit": "ICU"}, **by),
        lambda: deciding.describe(inventory.engine, SITE, [], {"unit": "ICU"}, **by),
        lambda: deciding.describe(inventory.engine, SITE, [row.id], {"unit": "u" * 1_001}, **by),
        lambda: deciding.describe(inventory.engine, SITE, [row.id], {"unit": "\x1b[2J"}, **by),
    ]
    before = len(inventory.records())
    for act in wrong:
        with pytest.raises(InputError) as error:
            act()
        assert error.value.reason is Reason.INPUT_INVALID
    assert len(inventory.records()) == before


def test_a_page_is_bounded_whatever_is_asked_for(inventory, monkeypatch):
    monkeypatch.setattr(views, "PAGE_MAX", 2)
    inventory.take(*(says(T + n, mac=f"00:1b:c5:00:00:{n:02x}") for n in range(1, 6)))
    with read(inventory.engine) as db:
        assert len(views.page(db, SITE, Filters(), limit=1_000_000).rows) == 2


def test_a_registry_of_makers_is_bounded(monkeypatch):
    lines = "\n".join(f"00-00-{number:02X}   (hex)\t\tMaker {number}" for number in range(5))
    assert len(read_registry(lines)) == 5
    monkeypatch.setattr("oathward.endpoints.makers.ROWS_MAX", 3)
    assert len(read_registry(lines)) == 3


def test_a_place_in_a_list_that_is_none_begins_at_the_first(inventory):
    inventory.take(says(mac=A))
    with read(inventory.engine) as db:
        for after in ("9" * 30 + "|x", "x", "-1|x", "\u0661|x"):
            assert len(views.page(db, SITE, Filters(), after=after).rows) == 1
