"""External connections: what one must say, what is kept of it, what of it is a finding."""

from dataclasses import replace

import pytest
from tests.unit.governance.office import DAY, NOW, SITE, YEAR

from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.reasons import Reason
from oathward.governance import connections, covering, sql, views
from oathward.governance.model import Authentication, Lifecycle, PartyRole

CELLS = {
    "id": "registry-net",
    "party": "Example University",
    "role": "processor",
    "agreement": "DUA-2026-001",
    "hosts": "*.Registry.example.org; api.example.org.",
    "networks": "192.0.2.17/24",
    "ports": "443; 8000-8010",
    "transport": "tcp",
    "retention_days": "90",
    "tls_min": "TLSv1.2",
    "authentication": "mutual",
    "certificate_days_min": "30",
    "from": covering.day(NOW - DAY),
    "until": covering.day(NOW + YEAR),
}


def put(office, cells=None, **more):
    row = connections.connection(CELLS | (cells or {}))
    with write(office.engine) as db:
        return connections.put(db, SITE, row, by="p-cyd", now_us=NOW, **more)


def codes(office, id_="registry-net"):
    return [code for code, _ in office.findings(kind="connection", about=id_)]


def test_a_connection_is_kept_as_it_was_said_and_is_a_record(office):
    row = put(office)
    with read(office.engine) as db:
        assert views.connection(db, SITE, "registry-net") == row
        history = views.history(db, SITE, connections.CONNECTION, "registry-net")
    assert row.hosts == {"*.registry.example.org", "api.example.org"}
    assert row.networks == {"192.0.2.0/24"}
    assert (row.role, row.authentication) == (PartyRole.PROCESSOR, Authentication.MUTUAL)
    assert {one.field for one in history} >= {"party", "hosts", "tls_min", "from", "until"}
    assert office.records() == ["connection.added"]


def test_one_that_is_there_changes_only_where_that_is_meant_and_ends_once(office):
    put(office)
    with pytest.raises(InputError) as error:
        put(office)
    assert error.value.reason is Reason.CONFLICT
    assert put(office, {"ports": "443"}, changes=True).version == 2
    with write(office.engine) as db:
        connections.end(db, SITE, "registry-net", by="p-cyd", now_us=NOW)
    with pytest.raises(InputError) as error, write(office.engine) as db:
        connections.end(db, SITE, "registry-net", by="p-cyd", now_us=NOW)
    assert error.value.reason is Reason.CONFLICT
    assert office.records() == ["connection.added", "connection.changed", "connection.ended"]
    with pytest.raises(InputError) as error, write(office.engine) as db:
        connections.end(db, SITE, "none", by="p-cyd", now_us=NOW)
    assert error.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"id": "a b"}, "id"),
        ({"party": ""}, "party"),
        ({"party": "a\x07"}, "party"),
        ({"role": "friend"}, "role"),
        ({"agreement": "../x"}, "agreement"),
        ({"hosts": "", "networks": ""}, "hosts"),
        ({"hosts": "<script>"}, "hosts"),
        ({"hosts": "a.*.example.org"}, "hosts"),
        ({"hosts": ";".join(f"h{n}.example.org" for n in range(201))}, "hosts"),
        ({"networks": "192.0.2.0/99"}, "networks"),
        ({"ports": "0"}, "ports"),
        ({"ports": "90-80"}, "ports"),
        ({"ports": "70000"}, "ports"),
        ({"transport": "icmp"}, "transport"),
        ({"tls_min": "TLSv1.0"}, "tls_min"),
        ({"tls_min": "", "authentication": "server", "certificate_days_min": ""}, "tls_min"),
        ({"tls_min": "", "authentication": "none", "certificate_days_min": "3"}, "tls_min"),
        ({"authentication": "some"}, "authentication"),
        ({"retention_days": "-1"}, "retention_days"),
        ({"certificate_days_min": "many"}, "certificate_days_min"),
        ({"from": ""}, "from"),
        ({"from": "01.07.2026"}, "from"),
        ({"until": CELLS["from"]}, "until"),
    ],
)
def test_what_cannot_be_meant_names_its_field_and_writes_nothing(office, cells, field):
    with pytest.raises(InputError) as error:
        put(office, cells)
    assert error.value.where == field
    assert office.records() == []


def test_a_connection_is_an_entry_that_somebody_must_answer_for(office):
    put(office)
    assert "entry.missing" in codes(office)
    office.agree()
    office.change(
        kind="connection", id_="registry-net", owner="p-ann", steward="p-bob", state=Lifecycle.ACTIVE
    )
    assert codes(office) == []
    with write(office.engine) as db:
        connections.end(db, SITE, "registry-net", by="p-cyd", now_us=NOW - DAY)
    assert codes(office) == ["entry.gone"]


def test_one_without_an_agreement_in_force_is_serious(office):
    put(office)
    assert "connection.no-agreement" in codes(office)
    with read(office.engine) as db:
        row = views.connection(db, SITE, "registry-net")
    assert covering.lacks(replace(row, agreement=""), None, NOW) == ("names no agreement",)
    assert covering.lacks(replace(row, agreement="", role=PartyRole.NO_PERSONAL_DATA), None, NOW) == ()
    agreement = office.agree()
    assert covering.lacks(row, agreement, NOW) == ()
    assert covering.lacks(row, agreement, NOW + 2 * YEAR)[0].startswith("DUA-2026-001 ended")
    assert "does not name Another" in covering.lacks(replace(row, party="Another"), agreement, NOW)[0]
    assert (
        covering.lacks(
            replace(row, party="Another"), replace(agreement, sub_recipients=frozenset({"Another"})), NOW
        )
        == ()
    )
    with read(office.engine) as db:
        assert [one.id for one in sql.connections(db, SITE)] == ["registry-net"]


def test_one_whose_days_are_over_does_not_stand(office):
    row = put(office)
    assert covering.standing(row, NOW)
    assert not covering.standing(row, NOW + 2 * YEAR)
    assert not covering.standing(row, NOW - 2 * DAY)
    assert not covering.standing(replace(row, ended_us=NOW), NOW)
