"""Promises of Findings: listed by what matters, decided many at once without script, one with its clock and its history."""

import re
from datetime import timedelta

import pytest
from tests.unit.web.test_patients_page import BASE, post, token_of, viewer, world  # noqa: F401  fixtures

from oathward.app import process
from oathward.core.db import read, write
from oathward.core.finding import Raised
from oathward.core.finding_kinds import KINDS, Severity
from oathward.findings import sql, views
from oathward.findings.model import Filters
from oathward.findings.reconciling import reconcile
from oathward.people import granted_sql
from oathward.people import sql as people
from oathward.policy.people import PERSON, Person
from oathward.vault.authority import load

DAY = 86_400_000_000


@pytest.fixture(autouse=True)
def nothing_known(world):  # noqa: F811  the fixture
    with write(world.gate.engine) as db:
        db.execute(sql.finding.delete())
        db.execute(sql.history.delete())


def tell(world, *seen, days_ago=0, source="mapping"):  # noqa: F811  the fixture
    at_us = world.gate.now_us() - days_ago * DAY
    reconcile(world.gate.engine, world.gate.site, source, seen, world.site.settings.findings, at_us)
    with read(world.gate.engine) as db:
        rows = views.listed(db, world.gate.site, Filters(state=""), at_us, limit=500).rows
    return {row.about: row.id for row in rows}


def undeclared(n, **more):
    return Raised("flow.undeclared", f"a>{n}", f"endpoint:e-{n}", **more)


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def day(world, ahead):  # noqa: F811  the fixture
    return f"{world.gate.clock.now() + timedelta(days=ahead):%Y-%m-%d}"


def test_nothing_says_what_would_fill_it(world):  # noqa: F811  the fixture
    page = viewer(world, "p-privacy").get("/findings").text
    assert "Nothing is open" in page
    assert "differs from what is declared" in page
    assert 'id="findings"' not in viewer(world, "p-privacy").get("/").text


def test_the_gravest_is_on_top_and_filters_stand_in_the_address(world):  # noqa: F811  the fixture
    tell(world, undeclared(1, severity=Severity.ATTENTION), undeclared(2), days_ago=20)
    tell(world, Raised("rule.forbids-flow", "r", "rule:fw/9"), source="rules")
    officer = viewer(world, "p-privacy")
    page = officer.get("/findings").text
    assert 'href="/inventory/e-1"' in page
    titles = re.findall(r'<a href="/findings/[^"]+">([^<]+)</a>', page)
    assert titles == [KINDS[k].title for k in ("rule.forbids-flow", "flow.undeclared", "flow.undeclared")]
    assert "3 open, 1 overdue" in text_of(page)
    assert "serious (1)" in page
    for query, count in (
        ("severity=urgent", 1),
        ("kind=flow.undeclared", 2),
        ("about=e-2", 1),
        ("overdue=yes", 1),
        ("source=rules", 1),
        ("owner=-", 3),
        ("owner=me", 0),
        ("state=cleared", 0),
        ("state=any&severity=attention", 1),
        ("state=none&kind=none&severity=none&after=none", 3),
    ):
        page = officer.get(f"/findings?{query}").text
        assert len(re.findall(r'<a href="/findings/[0-9a-f]', page)) == count, query
    card = text_of(officer.get("/").text)
    assert "1 overdue" in card
    assert "1 urgent" in card


def test_many_are_decided_by_a_plain_form_and_the_filters_stay(world):  # noqa: F811  the fixture
    ids = tell(world, *(undeclared(n) for n in range(3)))
    officer = viewer(world, "p-privacy")
    ticked = [ids["endpoint:e-0"], ids["endpoint:e-1"]]
    fields = {"verb": "suppress", "finding": ticked, "why": "on loan", "until": day(world, 10)}
    at = "/findings?kind=flow.undeclared"
    answer = post(officer, "/findings/decide?kind=flow.undeclared", at, **fields)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/findings?kind=flow.undeclared&did=suppress&done=2"
    page = officer.get(answer.headers["location"]).text
    assert "2 findings suppressed." in page
    assert "1 open" in text_of(page)
    held = text_of(officer.get("/findings?state=suppressed").text)
    assert f"until {day(world, 10)}" in held
    again = post(officer, "/findings/decide", at, verb="assign", finding=[ids["endpoint:e-2"]], to="me")
    assert again.status_code == 303
    assert "you" in text_of(officer.get("/findings?owner=me").text)
    assert "1 given to you" in officer.get("/").text


@pytest.mark.parametrize(
    "wrong",
    [
        {"finding": []},
        {"why": ""},
        {"until": ""},
        {"until": "2020-01-01"},
        {"until": "9999-12-31"},
        {"until": "x"},
        {"verb": "clear"},
        {"verb": "assign", "to": "person", "person": "no-such"},
        {"verb": "assign", "to": "person"},
        {"finding": ["no-such"]},
        {"verb": "lift"},
    ],
)
def test_what_is_wrong_shows_the_page_again_with_what_was_ticked(world, wrong):  # noqa: F811  the fixture
    [id_] = tell(world, undeclared(1)).values()
    officer = viewer(world, "p-privacy")
    fields = {"verb": "suppress", "finding": [id_], "why": "on loan", "until": day(world, 10)} | wrong
    answer = post(officer, "/findings/decide", "/findings", **fields)
    assert answer.status_code == 400
    assert "Nothing was changed" in answer.text
    assert ("checked" in answer.text) == (id_ in fields["finding"])
    assert ("on loan" in answer.text) == (fields["why"] == "on loan")
    with read(world.gate.engine) as db:
        found = views.one(db, world.gate.site, id_, world.gate.now_us())
    assert (found.standing.state, found.owner) == ("open", "")


def test_one_says_what_to_do_its_clock_and_its_history(world):  # noqa: F811  the fixture
    about = Raised("flow.undeclared", "k", "link:ehr", details={"peer": "10.0.0.9", "port": 2575})
    [id_] = tell(world, about, days_ago=2).values()
    officer = viewer(world, "p-privacy")
    place = f"/findings/{id_}"
    page = officer.get(place).text
    assert 'href="/links/ehr"' in page
    for words in ("10.0.0.9", "2575", "declare it where it is meant"):
        assert words.lower() in page.lower()
    assert re.search(r"1[12] d .*left", text_of(page))
    for fields in (
        {"verb": "assign", "to": "person", "person": "p-integration"},
        {"verb": "extend", "why": "waits for a part", "until": day(world, 40)},
        {"verb": "suppress", "why": "known <b>", "until": day(world, 5)},
        {"verb": "note", "why": "asked the maker"},
        {"verb": "lift", "why": "it is not"},
    ):
        assert post(officer, place, place, **fields).status_code == 303, fields
    page = officer.get(place).text
    said = text_of(page)
    assert "known &lt;b&gt;" in page
    for words in ("gave it to", "waits for a part", "asked the maker", "opened it again", day(world, 40)):
        assert words in said
    assert post(officer, place, place, verb="lift", why="again").status_code == 400
    assert officer.get("/findings/no-such").status_code == 404
    tell(world)
    assert "It clears by itself" not in officer.get(place).text
    assert post(officer, place, place, verb="note", why="done").status_code == 303


def test_what_was_seen_stands_first_and_an_address_is_an_address(world):  # noqa: F811  the fixture
    seen = {"what": "mqtt to 198.51.100.88, outside this site", "patient.name": 2}
    [id_] = tell(
        world, Raised("connection.unregistered", "k", "address:198.51.100.88", details=seen)
    ).values()
    officer = viewer(world, "p-privacy")
    page = officer.get(f"/findings/{id_}").text
    assert page.index("<strong>mqtt to") < page.index('<dl class="facts">')
    assert "<dt>patient.name</dt>" in page
    for place in (f"/findings/{id_}", "/findings"):
        cells = officer.get(place).text.partition("<h1>")[2]
        assert ">address:198.51.100.88" not in cells
        assert ">198.51.100.88<" in cells


def test_who_may_not_see_people_reads_that_it_is_somebodys(world):  # noqa: F811  the fixture
    [id_] = tell(world, undeclared(1)).values()
    post(viewer(world, "p-privacy"), f"/findings/{id_}", f"/findings/{id_}", verb="assign", to="me")
    with write(world.gate.engine) as db:  # as a list of joiners leaves them
        signed = load(
            db, world.gate.site, PERSON, "p-privacy", world.gate.opened.authority, world.gate.opened.seen
        )
        rows = [(signed, Person.from_body(signed.body))]
        people.put(db, world.gate.site, rows, now_us=world.gate.now_us(), gone=False)
    for path in ("/findings", f"/findings/{id_}"):
        assert "Person p-privacy" in viewer(world, "p-admin").get(path).text
    engineer = viewer(world, "p-integration")
    for path in ("/findings", f"/findings/{id_}"):
        page = engineer.get(path).text
        assert "somebody" in page
        assert "p-privacy" not in page
    assert len(re.findall(f"/findings/{id_}", engineer.get("/findings?owner=p-admin").text)) == 1
    shown = engineer.get(f"/api/v1/findings/{id_}", headers=headers(engineer)).json()
    assert (shown["owner"], shown["history"][0]["by"]) == ("somebody", "somebody")
    assert engineer.get("/api/v1/findings?owner=p-admin", headers=headers(engineer)).status_code == 400


def headers(client):
    return {"oathward-token": token_of(client.get("/account").text), "origin": BASE}


def test_an_auditor_looks_and_a_clinician_has_no_such_page(world):  # noqa: F811  the fixture
    [id_] = tell(world, undeclared(1)).values()
    for who in ("p-auditor", "p-admin"):
        page = viewer(world, who).get("/findings").text
        assert "Traffic nobody declared" in page
        assert 'type="checkbox" name="finding"' not in page
        assert 'action="/findings/' not in viewer(world, who).get(f"/findings/{id_}").text
        token = {"oathward-token": token_of(page), "origin": BASE}
        call = {"findings": [id_], "to": "me"}
        assert viewer(world, who).post("/api/v1/findings/assign", json=call, headers=token).status_code >= 400
    for who in ("p-nurse", "p-vendor"):
        assert viewer(world, who).get("/findings").status_code == 404
        assert viewer(world, who).get(f"/findings/{id_}").status_code == 404


def test_who_signed_in_to_look_decides_nothing(world):  # noqa: F811  the fixture
    [id_] = tell(world, undeclared(1)).values()
    looker = viewer(world, "p-privacy", acts=False)
    page = looker.get("/findings").text
    assert "to look only" in page
    assert 'name="verb"' not in page + looker.get(f"/findings/{id_}").text
    for path in ("/findings/decide", f"/findings/{id_}"):
        assert post(looker, path, "/account", verb="assign", finding=[id_], to="me").status_code == 403
    token = headers(looker)
    for verb, body in (("assign", {"to": "me"}), ("note", {"why": "x"})):
        call = {"findings": [id_]} | body
        assert looker.post(f"/api/v1/findings/{verb}", json=call, headers=token).status_code == 403
    with read(world.gate.engine) as db:
        assert views.one(db, world.gate.site, id_, world.gate.now_us()).owner == ""


def test_the_api_lists_shows_and_decides(world):  # noqa: F811  the fixture
    ids = tell(world, *(undeclared(n) for n in range(3)), Raised("element.unused", "e", "link:ehr"))
    officer = viewer(world, "p-privacy")
    token = headers(officer)
    first = officer.get("/api/v1/findings?limit=3", headers=token).json()
    rest = officer.get(f"/api/v1/findings?limit=3&after={first['next']}", headers=token).json()
    assert {one["id"] for one in first["items"] + rest["items"]} == set(ids.values())
    assert rest["next"] == ""
    chosen = [ids["endpoint:e-0"], ids["endpoint:e-1"]]
    until = day(world, 20)
    for verb, body in (
        ("assign", {"to": "me"}),
        ("extend", {"until": until, "why": "waits"}),
        ("suppress", {"until": until, "why": "known"}),
        ("note", {"why": "asked"}),
        ("lift", {"why": "not so"}),
    ):
        answer = officer.post(f"/api/v1/findings/{verb}", json={"findings": chosen} | body, headers=token)
        assert (answer.status_code, answer.json()) == (200, {"done": chosen, "left": []}), verb
    one = officer.get(f"/api/v1/findings/{chosen[0]}", headers=token).json()
    steps = [row["step"] for row in reversed(one["history"])]
    assert steps == ["opened", "assigned", "extended", "suppressed", "noted", "lifted"]
    assert (one["owner"], one["state"], one["due"][:10]) == ("p-privacy", "open", day(world, 21))
    assert one["what"] == KINDS["flow.undeclared"].what
    bad = officer.post(
        "/api/v1/findings/suppress", json={"findings": chosen, "until": "x", "why": "y"}, headers=token
    )
    assert bad.status_code == 400
    assert officer.get("/api/v1/findings/no-such", headers=token).status_code == 404


def test_house_keeping_notices_that_a_suppression_is_over_and_forgets_what_is_old(world):  # noqa: F811  the fixture
    ids = tell(world, undeclared(1), undeclared(2), days_ago=2_000)
    tell(world, undeclared(1), days_ago=1_999)
    with write(world.gate.engine) as db:
        db.execute(
            sql.finding.update()
            .where(sql.finding.c.id == ids["endpoint:e-1"])
            .values(state="suppressed", until_us=1)
        )
    process._keep_findings(world.gate.opened)
    with read(world.gate.engine) as db:
        [left] = views.listed(db, world.gate.site, Filters(state=""), world.gate.now_us()).rows
        assert views.steps(db, world.gate.site, left.id)[0].step == "ended"
    assert left.id == ids["endpoint:e-1"]


def test_a_finding_is_given_to_nobody_who_may_not_see_it(world):  # noqa: F811  the fixture
    [id_] = tell(world, undeclared(1)).values()
    officer, place = viewer(world, "p-privacy"), f"/findings/{id_}"
    token = headers(officer)
    for whom in ("p-nurse", "p-vendor"):
        for at, form_on in (("/findings/decide", "/findings"), (place, place)):
            fields = {"verb": "assign", "finding": [id_], "to": "person", "person": whom}
            answer = post(officer, at, form_on, **fields)
            assert answer.status_code == 400, whom
            assert "has no role that sees it" in answer.text
        call = {"findings": [id_], "to": whom}
        answer = officer.post("/api/v1/findings/assign", json=call, headers=token)
        assert (answer.status_code, answer.json()["code"]) == (409, "access.given-to"), whom
    with read(world.gate.engine) as db:
        assert views.one(db, world.gate.site, id_, world.gate.now_us()).owner == ""
    for whom in ("p-integration", "p-admin"):
        fields = {"verb": "assign", "to": "person", "person": whom}
        assert post(officer, place, place, **fields).status_code == 303, whom


def test_the_form_offers_only_those_who_see_findings(world):  # noqa: F811  the fixture
    [id_] = tell(world, undeclared(1)).values()
    now_us = world.gate.now_us()
    with write(world.gate.engine) as db:  # as lists of joiners and agreed roles leave them
        for who, role in (
            ("p-privacy", "privacy-officer"),
            ("p-nurse", "clinician"),
            ("p-admin", "administrator"),
        ):
            load_of = (world.gate.opened.authority, world.gate.opened.seen)
            signed = load(db, world.gate.site, PERSON, who, *load_of)
            people.put(
                db, world.gate.site, [(signed, Person.from_body(signed.body))], now_us=now_us, gone=False
            )
            values = {
                "until_us": None,
                "why": "t",
                "proposer": "",
                "approver": "",
                "proposal": "",
                "at_us": 0,
            }
            granted_sql.put_role(db, world.gate.site, who, (role, 0), values)
    for place in ("/findings", f"/findings/{id_}"):
        page = viewer(world, "p-privacy").get(place).text
        assert re.findall(r'<option value="(p-[a-z]+)">', page) == ["p-admin", "p-privacy"]
        assert "<datalist" not in viewer(world, "p-integration").get(place).text, "who may not see people"
