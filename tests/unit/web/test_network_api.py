"""Promises of the API of the living picture: what the console's pages show, by the same filters, to the same people, page by page."""

import pytest
from tests.unit.mapping.seeding import seed as seed_map
from tests.unit.web import test_flows_page as flows
from tests.unit.web import test_inventory_page as inventory
from tests.unit.web import test_sources_page as sources
from tests.unit.web.test_patients_page import BASE, viewer, world  # noqa: F401  fixtures
from tests.unit.web.test_rules_page import kept

from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.errors import InputError
from oathward.core.finding import Raised
from oathward.endpoints import sql as endpoints
from oathward.findings import sql as findings
from oathward.findings.reconciling import reconcile
from oathward.network import sql
from oathward.people import saved
from oathward.people.tables import saved_view
from oathward.web import flows_asked, view
from oathward.web.security import token_of

HOUR_US = 3_600_000_000
READERS = ("p-privacy", "p-integration", "p-auditor", "p-admin")
CLOSED = ("p-nurse", "p-vendor")
"""Who may not see the network, nor what stands on it."""


@pytest.fixture(autouse=True)
def nothing_there(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        for table in (
            *(
                sql.flow_conversation,
                sql.flow_total,
                sql.clear_class,
                sql.observed_source,
                sql.network_ruleset,
            ),
            *(findings.finding, findings.history, saved_view),
            *(endpoints.endpoint, endpoints.endpoint_mark, endpoints.endpoint_attribute),
        ):
            db.execute(table.delete())


class Caller:
    """Somebody who calls; ``all`` follows ``next`` to the end, two rows at a time."""

    def __init__(self, world, who):  # noqa: F811  the fixture
        self._client = viewer(world, who)
        self._shown = {"oathward-token": token_of(self._client.cookies["oathward_2579"]), "origin": BASE}

    def ask(self, path):
        return self._client.get(f"/api/v1/{path}", headers=self._shown)

    def status(self, path):
        return self.ask(path).status_code

    def json(self, path):
        answer = self.ask(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def all(self, path, limit=2):
        found, after = [], ""
        while True:
            told = self.json(f"{path}{'&' if '?' in path else '?'}limit={limit}{after}")
            assert len(told["items"]) <= limit
            found += told["items"]
            if not told["next"]:
                return found
            after = f"&after={told['next']}"

    def refused(self, path, code, where=""):
        answer = self.ask(path)
        assert answer.json()["code"] == code, answer.text
        assert answer.json()["detail"].startswith(where)
        return answer.status_code


@pytest.fixture
def officer(world):  # noqa: F811  the fixture
    return Caller(world, "p-privacy")


def talked(world):  # noqa: F811  the fixture
    flows.seed(
        world,
        ("10.1.0.5", "", "10.2.0.9", "", 2575, "hl7", 0),
        ("10.1.0.6", "", "10.2.0.9", "", 104, "dicom", 1),
        ("10.1.0.5", "", "10.2.0.7", "", 443, "tls", 9),
    )


def test_flows_are_those_of_the_page_by_the_same_filters(world, officer):  # noqa: F811  the fixture
    talked(world)
    rows = officer.all("flows")
    assert [one["service"] for one in rows] == ["hl7", "dicom", "tls"]
    assert officer.json(f"flows/{rows[0]['id']}") == rows[0]
    day = f"{world.gate.clock.now():%Y-%m-%d}T00:00"
    for asked in (
        *("device=10.1.0.5", "device=10.2.0.9&peer=10.1.0.6", "service=hl7", "port=104", f"until={day}"),
        *("zone=core", "zone=x", "clear=yes", f"since={day}", "device=nobody-has-this-name"),
    ):
        page = flows.clients(viewer(world, "p-privacy").get(f"/flows?{asked}").text)
        assert [one["client"].split() for one in officer.all(f"flows?{asked}")] == page, asked


def test_an_hour_of_a_conversation_stands_on_one_page_alone(world, officer):  # noqa: F811  the fixture
    talked(world)
    one = officer.json("flows?service=hl7")["items"][0]
    hour = micros(world.gate.clock.now()) // HOUR_US * HOUR_US
    with write(world.gate.engine) as db:
        rows = [
            (world.gate.site, bytes.fromhex(one["id"]), hour - n * HOUR_US, n + 1, 0, 0, 10, 5, 1, 1)
            for n in range(5)
        ]
        sql.add(db, sql.flow_total, rows)
    found = officer.all(f"flows/{one['id']}/hours")
    assert [row["flows"] for row in found] == [5, 4, 3, 2, 1]
    assert officer.status("flows/00/hours") == officer.status("flows/zz") == 404


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        *(("port=70000", "port"), ("port=x", "port"), ("port=-1", "port"), ("since=yesterday", "since")),
        *(("until=2026-13-01", "until"), ("clear=no", "clear"), ("limit=999", "limit")),
    ],
)
def test_what_is_no_filter_of_flows_is_refused(officer, asked, where):
    assert officer.refused(f"flows?{asked}", "input.invalid", where) == 400


def test_a_word_that_fits_too_many_endpoints_gives_no_part_of_their_flows(world, officer, monkeypatch):  # noqa: F811  the fixture
    inventory.seen(world, *(inventory.said(n, ("make", "Acme", 0.9), world=world) for n in range(3)))
    assert officer.status("flows?device=acme") == 200
    monkeypatch.setattr(flows_asked, "MATCHES_MAX", 2)
    officer.refused("flows?peer=acme", "input.invalid", "peer: fits more than")


def test_endpoints_are_asked_for_by_all_that_the_page_asks_by(world, officer):  # noqa: F811  the fixture
    inventory.seen(
        world,
        inventory.said(1, ("make", "Acme", 0.9), ("criticality", "high", 0.9), world=world),
        inventory.said(2, ("make", "Bolt", 0.9), ("os-end", "2001-01-01", 0.9), world=world),
        inventory.said(3, ago_us=40 * 24 * HOUR_US, world=world),
    )
    page = viewer(world, "p-privacy")
    for asked, many in {
        "make=-": 1,
        "criticality=high": 1,
        "criticality=-": 2,
        "silent=7": 1,
        "silent=never": 0,
        "show=new": 2,
        "show=unlisted": 3,
        "show=never-heard": 0,
        "show=unsupported": 1,
        "show=in-use": 0,
        "show=disagree": 0,
        "show=conflict": 0,
        "sort=network": 3,
        "lifecycle=retired": 0,
        "os=-": 3,
        "search=10.0.0.3": 1,
        "show=undeclared&make=Acme": 1,
    }.items():
        rows = officer.all(f"inventory?{asked}")
        assert [one["id"] for one in rows] == inventory.ids(page.get(f"/inventory?{asked}").text), asked
        assert len(rows) == many, asked
        assert officer.json(f"inventory/facets?{asked}")["total"] == many, asked


def test_facets_count_what_the_list_would_show(world, officer):  # noqa: F811  the fixture
    inventory.seen(
        world,
        *(inventory.said(n, ("make", "Acme", 0.9), world=world) for n in range(3)),
        inventory.said(9, world=world),
    )
    told = officer.json("inventory/facets")
    assert told["total"] == 4
    assert told["facets"]["make"] == {"Acme": 3, "": 1}
    assert officer.json("inventory/facets?make=Acme")["facets"]["make"] == {"Acme": 3}
    assert set(told["facets"]) == {
        "type",
        "make",
        "unit",
        "realm",
        "criticality",
        "lifecycle",
        "os",
        "sort",
        "care",
    }
    officer.refused("inventory/facets?show=never-seen", "input.invalid", "show")


def test_declared_and_never_seen_is_listed_to_who_may_see_declared_devices(world, officer, monkeypatch):  # noqa: F811  the fixture
    assert [one["device"] for one in officer.all("inventory?show=never-seen", limit=1)] == ["adt-1", "mon-1"]
    may = view.View.may
    monkeypatch.setattr(
        view.View, "may", lambda self, action, *thing: action != "devices.see" and may(self, action, *thing)
    )
    officer.refused("inventory?show=never-seen", "input.invalid", "show")


def test_sources_and_their_files_page_by_page(world, officer):  # noqa: F811  the fixture
    for hour in range(5):
        sources.heard(world, f"dns.{hour}.log", 30 + hour)
        sources.heard(world, f"conn.{hour}.log", hour, refused={"observation.cut": 2}, sessions=2)
    sources.heard(world, "visit.pcap", 9_000, observer="pcap")
    rows = officer.all("sources", limit=1)
    assert [one["name"] for one in rows] == ["visit.pcap", "conn.#.log", "dns.#.log"]
    assert [one["silent"] for one in rows] == [False, False, True]
    assert [one["name"] for one in officer.all("sources?show=silent")] == ["dns.#.log"]
    [refused] = officer.all("sources?show=refused")
    assert (refused["files"], refused["refused"], refused["usual_s"]) == (5, {"observation.cut": 10}, 3_600)
    files = officer.all(f"sources/{refused['id']}/files")
    assert (refused["flows"], refused["sessions"]) == (35, 10)
    assert [(one["flows"], one["sessions"]) for one in files] == [(7, 2)] * 5
    assert [one["name"] for one in files] == [f"conn.{n}.log" for n in range(5)]
    assert officer.status("sources/none/files") == 404
    officer.refused("sources?after=none", "input.invalid", "after")


def told_of_rules(world, name, n, kind="rule.unused"):  # noqa: F811  the fixture
    raised = [Raised(kind, f"{name}|{at}", f"rules:{name}", None, {"place": f"#{at}"}) for at in range(n)]
    at_us = micros(world.gate.clock.now())
    reconcile(
        world.gate.engine, world.gate.site, f"rules:{name}", raised, world.site.settings.findings, at_us
    )


def test_rules_with_what_their_comparison_told(world, officer):  # noqa: F811  the fixture
    for name in ("core-fw", "core-fw2", "edge"):
        kept(world, name)
    told_of_rules(world, "core-fw", 3)
    told_of_rules(world, "core-fw2", 1, "rule.wider-than-flow")
    rows = officer.all("rules")
    assert [(one["name"], one["findings"]) for one in rows] == [
        ("core-fw", {"rule.unused": 3}),
        ("core-fw2", {"rule.wider-than-flow": 1}),
        ("edge", {}),
    ]
    assert officer.json("rules/core-fw") == rows[0]
    found = officer.all("rules/core-fw/comparison")
    assert {one["details"]["place"] for one in found} == {"#0", "#1", "#2"}
    assert officer.all("rules/core-fw/comparison?kind=rule.wider-than-flow") == []
    assert officer.all("rules/core-fw/comparison?state=cleared") == []
    assert officer.status("rules/none") == officer.status("rules/none/comparison") == 404
    officer.refused("rules/core-fw/comparison?kind=x", "input.invalid", "kind")


def test_who_may_not_see_findings_reads_of_no_comparison(world, officer, monkeypatch):  # noqa: F811  the fixture
    kept(world, "core-fw")
    told_of_rules(world, "core-fw", 2)
    may = view.View.may
    monkeypatch.setattr(
        view.View, "may", lambda self, action, *thing: action != "findings.see" and may(self, action, *thing)
    )
    assert officer.json("rules/core-fw")["findings"] is None
    assert officer.json("rules")["items"][0]["findings"] is None
    assert officer.status("rules/core-fw/comparison") == 404


def test_who_imported_rules_is_somebody_to_who_may_not_see_people(world):  # noqa: F811  the fixture
    kept(world, "core-fw")
    assert Caller(world, "p-privacy").json("rules/core-fw")["by"] == "p-privacy"
    assert Caller(world, "p-integration").json("rules/core-fw")["by"] == "somebody"


def test_the_map_says_what_differs_and_between_which_zones(world, officer):  # noqa: F811  the fixture
    rows = [
        ("10.1.0.5", "ward", "10.2.0.9", "enterprise", 5000, "dicom", "", {"patient.name": 4}),
        ("10.1.0.6", "imaging", "203.0.113.7", "external", 443, "tls", "TLSv1.0", {}),
    ]
    seed_map(world.gate.engine, world.gate.site, rows, micros(world.gate.clock.now()))
    told, found = officer.json("map"), officer.all("map/differences")
    assert (told["looked"], told["left"], told["conduits"]) == (2, False, 2)
    assert told["lists"] == {
        name: sum(one["listed"] == name for one in found) for name in ("undeclared", "unseen", "otherwise")
    }
    assert {"flow.clear-text-phi", "connection.unregistered"} <= {one["kind"] for one in found}
    assert len({one["id"] for one in found}) == len(found)
    only = officer.all("map/differences?list=undeclared&zone=ward")
    assert {one["listed"] for one in only} == {"undeclared"}
    assert "203.0.113.7" not in str(only)
    ends = {(one["client_zone"], one["server_zone"]): one for one in officer.all("map/conduits", limit=1)}
    assert set(ends) == {("ward", "enterprise"), ("imaging", "external")}
    assert ends["ward", "enterprise"]["clear"] == {"patient.name": 4}
    assert officer.json("map?service=tls&days=1")["looked"] == 1
    for asked in ("map?days=2", "map/differences?list=x", "map/conduits?after=none"):
        officer.refused(asked, "input.invalid")


def test_findings_are_counted_by_what_they_are_listed_by(world, officer):  # noqa: F811  the fixture
    told_of_rules(world, "core-fw", 3)
    told_of_rules(world, "edge", 1, "rule.wider-than-flow")
    told = officer.json("findings/facets")
    assert (told["total"], told["kinds"]) == (4, {"rule.unused": 3, "rule.wider-than-flow": 1})
    assert told["owners"] == {"-": 4}
    assert officer.json("findings/facets?kind=rule.unused")["total"] == 3


def test_whose_findings_are_is_counted_by_name_only_for_who_may_see_people(world):  # noqa: F811  the fixture
    told_of_rules(world, "core-fw", 3)
    with write(world.gate.engine) as db:
        db.execute(findings.finding.update().values(owner="p-privacy"))
    assert Caller(world, "p-privacy").json("findings/facets")["owners"] == {"p-privacy": 3}
    engineer = Caller(world, "p-integration")
    assert engineer.json("findings/facets")["owners"] == {"somebody": 3}
    engineer.refused("findings/facets?owner=p-privacy", "input.invalid", "owner")


def keep(world, owner, name, *, page="/inventory", shared=False, role=""):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        return saved.save(
            *(db, world.gate.site),
            page=page,
            name=name,
            query="make=Acme",
            shared=shared,
            role=role,
            by=owner,
            now_us=1,
        )


def test_a_view_of_anothers_own_is_not_there(world):  # noqa: F811  the fixture
    own, shared = keep(world, "p-privacy", "Mine"), keep(world, "p-privacy", "Ours", shared=True)
    officer, auditor = Caller(world, "p-privacy"), Caller(world, "p-auditor")
    assert {one["id"] for one in officer.all("views", limit=1)} == {own, shared}
    assert [one["id"] for one in auditor.all("views")] == [shared]
    assert officer.json(f"views/{own}")["query"] == "make=Acme"
    assert (auditor.status(f"views/{own}"), auditor.status(f"views/{shared}")) == (404, 200)
    absent, hidden = auditor.ask("views/none").json(), auditor.ask(f"views/{own}").json()
    assert absent == hidden
    assert auditor.json(f"views/{shared}")["owner"] == "p-privacy"
    assert Caller(world, "p-integration").json(f"views/{shared}")["owner"] == "somebody"


def test_a_shared_view_of_a_list_that_one_may_not_open_is_not_there(world):  # noqa: F811  the fixture
    shared = keep(world, "p-privacy", "Ours", shared=True)
    keep(world, "p-privacy", "Flows", page="/flows", shared=True)
    nurse = Caller(world, "p-nurse")
    assert nurse.all("views") == []
    assert nurse.status(f"views/{shared}") == 404
    assert [one["name"] for one in Caller(world, "p-auditor").all("views?page=/flows")] == ["Flows"]


def test_a_view_shared_with_a_role_is_there_for_who_has_it(world):  # noqa: F811  the fixture
    ours, own = keep(world, "p-x", "Rounds", role="auditor"), keep(world, "p-x", "Alone")
    auditor, officer = Caller(world, "p-auditor"), Caller(world, "p-privacy")
    assert [(one["id"], one["role"], one["shared"]) for one in auditor.all("views")] == [
        (ours, "auditor", False)
    ]
    assert auditor.status(f"views/{ours}") == 200
    assert officer.all("views") == []
    assert officer.status(f"views/{ours}") == auditor.status(f"views/{own}") == 404
    with read(world.gate.engine) as db, pytest.raises(InputError):
        saved.one(db, world.gate.site, own, "p-another", roles=[""])


PATHS = (
    *("flows", "flows/00", "flows/00/hours", "sources", "sources/none/files", "rules", "rules/core-fw"),
    *("rules/core-fw/comparison", "map", "map/differences", "map/conduits", "inventory/facets"),
    "findings/facets",
)


@pytest.mark.parametrize("path", PATHS)
def test_who_may_not_see_the_network_finds_nothing_there(world, path):  # noqa: F811  the fixture
    kept(world, "core-fw")
    for who in CLOSED:
        assert Caller(world, who).status(path) == 404, who
    there = 404 if path in {"flows/00", "flows/00/hours", "sources/none/files"} else 200
    for who in READERS:
        assert Caller(world, who).status(path) == there, who
