"""The living inventory on PostgreSQL: the same promises as on SQLite."""

import pytest
from tests.postgres import needs_postgres, postgres_engine, postgres_server, postgres_url  # noqa: F401  fixtures
from tests.unit.endpoints.conftest import DAY, HOUR, SITE, A, B, Inventory, T, says

import oathward.endpoints.sql
import oathward.ledger.tables  # noqa: F401  these declare their tables
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.discovery.model import Mark, MarkKind
from oathward.endpoints import deciding, probes, views
from oathward.endpoints.alone import alone
from oathward.endpoints.model import Filters, ProbeRow

pytestmark = needs_postgres
BY = {"by": "p-7", "reason": "seen at the bedside", "now_us": T + 50 * DAY}


@pytest.fixture
def inventory(engine):
    return Inventory(engine)


def test_an_endpoints_days(inventory):
    pl = pytest.importorskip("polars")
    inventory.take(says(T, mac=A, address="10.0.0.1", serial="acme|77", facts=[("type", "ventilator", 0.8)]))
    taken = inventory.take(says(T + 1, mac=B, address="10.0.0.2", serial="acme|77"))
    assert len(taken.conflicts) == 1
    inventory.take(says(T + 2, mac=B, address="10.0.0.2", serial="acme|77"))
    a, b = inventory.rows(conflict=True)
    done = deciding.merge(inventory.engine, SITE, a.id, b.id, **BY)
    assert [row.id for row in inventory.rows()] == [a.id]
    deciding.undo(inventory.engine, SITE, done, **BY)
    new, split = deciding.split(inventory.engine, SITE, a.id, [(MarkKind.SERIAL, "", "acme|77")], **BY)
    deciding.undo(inventory.engine, SITE, split, **BY)
    assert inventory.whole(new).row.merged == a.id
    inventory.take(says(T + DAY, mac=A, address="10.0.0.2"))
    with read(inventory.engine) as db:
        page = views.page(db, SITE, Filters(search="ACME|77", equal={"fda-code": "CBK"}), limit=1)
        assert [row.id for row in page.rows] == [a.id]
        assert page.facets["type"] == {"ventilator": 1}
        asked = pl.DataFrame({"realm": ["main"] * 2, "address": ["10.0.0.2"] * 2, "hour_us": [T, T + DAY]})
        hours = asked.with_columns(pl.col("hour_us") // HOUR * HOUR)
        assert views.holders(db, SITE, hours)["endpoint"].to_list() == [b.id, a.id]
    assert [kind for kind, _ in inventory.records()][-1] == "endpoint.restored"


def test_through_whom_an_endpoint_is_heard_follows_a_merge_and_goes_back(inventory):
    behind = [Mark(MarkKind.MAC, B)]
    inventory.take(says(T, mac=A, address="10.0.0.1"), says(T + 1, mac=B, address="10.0.0.2"))
    inventory.take(says(T + 2, serial="acme|101", behind=behind))
    a, b, pump = (row.id for row in inventory.rows())
    done = deciding.merge(inventory.engine, SITE, a, b, **BY)
    assert inventory.whole(pump).row.parent == a
    deciding.undo(inventory.engine, SITE, done, **BY)
    assert [inventory.whole(id_).row.parent for id_ in (a, b, pump)] == ["", "", b]


def test_an_ordered_probe(inventory):
    inventory.take(says(T, mac=A, address="10.0.0.1"), says(T, source="cmms", tag="T-1", address="10.0.0.1"))
    [a, *_] = inventory.rows()
    row = ProbeRow("p-1", a.id, T, "p-7", "which version?", "tls", "10.0.0.1", 443)
    with alone(inventory.engine, SITE, "probe"), write(inventory.engine) as db:
        probes.begin(db, SITE, row)
    with write(inventory.engine) as db, pytest.raises(InputError, match="already-running"):
        probes.begin(db, SITE, row)
    with write(inventory.engine) as db:
        ended = probes.end(db, SITE, row, outcome="answered", detail="", facts=2, now_us=T + 1)
    with write(inventory.engine) as db, pytest.raises(InputError, match="too-soon"):
        probes.begin(db, SITE, row)
    with read(inventory.engine) as db:
        assert probes.of_endpoint(db, SITE, [a.id]) == [ended]
        assert [one.address for one in probes.leases_at(db, SITE, "10.0.0.1")] == ["10.0.0.1"]
        assert len(probes.listed_at(db, SITE, "main", "10.0.0.1")) == 1
    assert [kind for kind, _ in inventory.records()][-2:] == ["probe.ordered", "probe.ended"]
