"""Governance: the register follows the policy in force; forms write it; what a page gives back is only to be saved."""

import html
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from starlette.testclient import TestClient
from tests.site import Site, bundle
from tests.unit.governance.office import DUA, REGISTRY
from tests.unit.web.conftest import BASE, OURS
from tests.unit.web.viewers import console_of, links_of, secret_of, visit

from oathward import activation, proposing
from oathward.app import build
from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.labels import Role
from oathward.governance import actions, files, sql, views
from oathward.governance.derive import digest_of
from oathward.governance.model import Lifecycle
from oathward.messages import traffic
from oathward.messages.traffic import HOUR_US, Counts
from oathward.people import views as people
from oathward.web import standing
from oathward.web.cards import governance as card

PAGES = ("", "/findings", "/agreements", "/assessments", "/quality", "/processing")
PEOPLE = {"p-1": "Ada <Lovelace>", "p-2": "Bob"}


@pytest.fixture(scope="module")
def governed(tmp_path_factory):
    """A site of its own with a policy: this module writes its register."""
    folder = tmp_path_factory.mktemp("governed")
    site = Site.make(folder / "s")
    files_ = bundle({"ehr": "mllp://127.0.0.1:9"}, (f"file:{folder}", bytes(range(1, 33))))
    agreed = files_[f"links/{REGISTRY}.toml"]
    assert b'agreement = "DUA-2026-001"' in agreed
    site.activate(files_)
    return site


@pytest.fixture
def site(governed, monkeypatch):
    found = build(governed.settings, "app")
    monkeypatch.setattr(views, "living", lambda _db, _site, _among=None: PEOPLE)
    yield found
    with write(found.engine) as db:
        for table in ("entry", "agreement", "assessment", "change", "connection"):
            db.exec_driver_sql(f"DELETE FROM register_{table}")
        db.exec_driver_sql("DELETE FROM message_traffic")
    found.keeper.close()
    found.engine.dispose()


class Viewer:
    """One person of one role, by name of the secret the keeper knows them by."""

    def __init__(self, app, secret):
        self.client = TestClient(app, base_url=BASE, raise_server_exceptions=False, follow_redirects=False)
        self.client.cookies.set("oathward_2579", secret)

    def get(self, path):
        return self.client.get(path)

    def text(self, path):
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return html.unescape(re.sub(r"<[^>]+>", " ", answer.text))

    def post(self, path, **form):
        token = re.search(r'name="token" value="(\w+)"', self.get("/governance").text)[1]
        return self.client.post(path, data={"token": token, **form}, headers=OURS)


@pytest.fixture
def officers(site, monkeypatch):
    """Two privacy officers and an auditor."""
    bob = visit(Role.PRIVACY_OFFICER, person="p-2")
    app, _ = console_of(site, monkeypatch, **{"bobs-secret-of-forty-characters-and-more": bob})
    ada = Viewer(app, secret_of(Role.PRIVACY_OFFICER))
    return ada, Viewer(app, "bobs-secret-of-forty-characters-and-more"), Viewer(app, secret_of(Role.AUDITOR))


OWNED = {"owner": "p-1", "steward": "p-2", "state": "active"}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_before_anybody_wrote_anything(officers, page):
    ada, _, auditor = officers
    assert "Governance" in ada.text(f"/governance{page}")
    assert auditor.get(f"/governance{page}").status_code == 200


def test_links_of_the_policy_are_in_the_register_and_lead_to_their_entries(officers):
    ada, *_ = officers
    page = ada.get("/governance")
    assert {f"/governance/link/{REGISTRY}", "/governance/recipient/ehr", "/governance/data-set/ledger"} <= (
        links_of(page.text)
    )
    only = ada.text("/governance?kind=recipient")
    assert "data-set" not in only.partition("To look at")[2].partition("Write an entry")[0]


def test_an_entry_is_written_and_bears_its_history_with_names_escaped(officers, site):
    ada, *_ = officers
    answer = ada.post(f"/governance/link/{REGISTRY}", **OWNED, classification="secret; health")
    assert answer.headers["location"] == f"/governance/link/{REGISTRY}?written=yes"
    with read(site.engine) as db:
        row = views.owner_of(db, site.site, "link", REGISTRY)
    assert (row.owner, row.state, row.classification) == ("p-1", Lifecycle.ACTIVE, ("health", "secret"))
    page = ada.get(f"/governance/link/{REGISTRY}")
    assert "Ada &lt;Lovelace&gt;" in page.text
    assert "Ada <Lovelace>" not in page.text
    assert "draft" in ada.text(f"/governance/link/{REGISTRY}").partition("History")[2]


def test_people_are_offered_as_owners_to_who_may_see_people_alone(officers, site, monkeypatch):
    app, _ = console_of(site, monkeypatch)
    engineer = Viewer(app, secret_of(Role.INTEGRATION_ENGINEER)).get("/governance/link/ehr")
    officer = officers[0].get("/governance/link/ehr")
    assert (engineer.status_code, officer.status_code) == (200, 200)
    for told, there in ((officer.text, True), (engineer.text, False)):
        assert ('<option value="p-2">Bob' in told, "staff number" in told) == (there, there)
        assert 'name="owner"' in told


@pytest.fixture
def numbered(monkeypatch):
    """Ada and Bob have staff numbers, by which people name them."""
    numbers = {id_: (name, f"S-{id_[2:]}") for id_, name in PEOPLE.items()}
    monkeypatch.setattr(
        people, "called", lambda _db, _site, ids: {i: numbers[i] for i in ids if i in numbers}
    )


def test_after_saving_people_stand_there_with_name_and_number(officers, numbered):
    ada, *_ = officers
    ada.post(f"/governance/link/{REGISTRY}", **OWNED)
    page = ada.get(f"/governance/link/{REGISTRY}")
    for field, number, name in (("owner", "S-1", "Ada &lt;Lovelace&gt;"), ("steward", "S-2", "Bob")):
        assert re.search(
            rf'name="{field}"[^>]*value="{number}"[^>]*><span class="dim">now {name}<', page.text
        )
    assert '<option value="S-2">Bob' in page.text
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())
    assert "Owner Ada <Lovelace> (S-1) Steward Bob (S-2)" in text
    history = text.partition("History")[2]
    assert "Ada <Lovelace> (S-1) steward — Bob (S-2)" in history
    assert not re.search(r"\bp-[12]\b", text)
    assert "Ada <Lovelace> (S-1)" in " ".join(ada.text("/governance").split())


def test_who_may_not_see_people_sees_ids_and_no_names(officers, numbered, site, monkeypatch):
    officers[0].post(f"/governance/link/{REGISTRY}", **OWNED)
    app, _ = console_of(site, monkeypatch)
    engineer = Viewer(app, secret_of(Role.INTEGRATION_ENGINEER))
    for path in ("", f"/link/{REGISTRY}", "/assessments"):
        text = engineer.text(f"/governance{path}")
        assert not re.search("Lovelace|Bob|S-[12]", text), path
    assert 'value="p-1"' in engineer.get(f"/governance/link/{REGISTRY}").text
    assert "p-2" in engineer.text(f"/governance/link/{REGISTRY}").partition("History")[2]


def test_a_form_that_cannot_be_written_is_shown_again_with_its_reason(officers, site):
    ada, *_ = officers
    answer = ada.post(f"/governance/link/{REGISTRY}", owner="p-9", steward="p-2", state="active")
    assert answer.status_code == 422
    assert "governance.owner-missing" in answer.text
    assert 'value="p-9"' in answer.text
    with read(site.engine) as db:
        assert views.owner_of(db, site.site, "link", REGISTRY) is None


def test_what_a_form_shows_empty_becomes_so(officers, site):
    ada, *_ = officers
    ada.post("/governance/link/ehr", owner="p-1", title="To the record", classification="x")
    ada.post("/governance/link/ehr", owner="", title="To the record", classification="")
    with read(site.engine) as db:
        row = views.owner_of(db, site.site, "link", "ehr")
    assert (row.owner, row.title, row.classification) == ("", "To the record", ())


def test_an_auditor_sees_all_and_changes_nothing(officers, site):
    *_, auditor = officers
    assert "Write" not in auditor.text(f"/governance/link/{REGISTRY}")
    posts = (f"/governance/link/{REGISTRY}", "/governance/agreements", "/governance/assessments")
    for path in posts:
        assert auditor.post(path, **OWNED).status_code in {403, 404}
    with read(site.engine) as db:
        assert views.owner_of(db, site.site, "link", REGISTRY) is None


@pytest.mark.parametrize("path", ["/link/none", "/nothing/x", "/agreements/none", "/papers/" + "0" * 64])
def test_what_there_is_not_is_not_found(officers, path):
    assert officers[0].get(f"/governance{path}").status_code == 404


def test_an_agreement_is_written_covers_its_link_and_is_ended(officers):
    ada, *_ = officers
    assert "DUA-2026-001 is not in the register" in ada.text("/governance/agreements")
    form = {
        "id": DUA.id, "party": DUA.party, "kind": "DUA", "purposes": "HRESCH", "destinations": REGISTRY,
        "classes": "*", "country": "us", "from": "2026-01-01", "until": "2036-01-01",
    }  # fmt: skip
    assert ada.post("/governance/agreements", **form).status_code == 303
    page = ada.text("/governance/agreements/DUA-2026-001")
    assert "covered" in page
    assert "not covered" not in page
    assert ada.post("/governance/agreements", **form).status_code == 422, "there is one already"
    assert ada.post("/governance/agreements/DUA-2026-001/end").status_code == 303
    assert "was ended on" in ada.text("/governance/agreements/DUA-2026-001")


def test_an_assessment_is_approved_by_another_person_than_its_author(officers):
    ada, bob, _ = officers
    form = {
        "kind": "link", "about": REGISTRY, "privacy": "fine", "security": "fine", "outcome": "acceptable",
        "valid_until": "2036-01-01",
    }  # fmt: skip
    assert ada.post("/governance/assessments", **form | {"about": "none"}).status_code == 422
    assert ada.post("/governance/assessments", **form).status_code == 303
    approve = re.search(
        r'"(/governance/assessments/[^"]+/approve)"', bob.get("/governance/assessments").text
    )[1]
    assert approve not in ada.get("/governance/assessments").text, "no button for the author"
    assert ada.post(approve).status_code == 403
    assert "until 2036-01-01" not in ada.text("/governance/assessments")
    assert bob.post(approve).status_code == 303
    assert "until 2036-01-01" in ada.text("/governance/assessments")


def test_a_paper_is_given_back_to_be_saved_and_never_shown(officers, site):
    ada, *_ = officers
    content = b"<script>alert(1)</script>"
    digest = files.keep(site.settings.data, content)
    row = replace(DUA, digest=digest, file='du"a\n.html')
    with write(site.engine) as db:
        actions.put_agreement(db, site.site, row, by="p-1", now_us=micros(site.clock.now()))
    answer = ada.get(f"/governance/papers/{digest}")
    assert answer.content == content
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="du_a_.html"'
    (site.settings.data / "governance" / digest).write_bytes(b"another")
    assert ada.get(f"/governance/papers/{digest}").status_code == 409
    (site.settings.data / "governance" / digest).unlink()


def test_counters_of_traffic_are_shown_by_kind_and_link(officers, site):
    ada, *_ = officers
    hour_us = micros(site.clock.now()) // HOUR_US * HOUR_US
    with write(site.engine) as db:
        counts = {
            (hour_us, "pump", ""): Counts(1_200, late=12, unidentified=3, duplicates=2),
            (hour_us, "pump", "ehr"): Counts(1_000, late=10),
        }
        traffic.add(db, site.site, counts)
    page = " ".join(ada.text("/governance/quality?days=1").split())
    assert "pump 1,200 12 1.0 %" in page
    assert "ehr 1,000 10 1.0 %" in page


def test_the_record_of_processing_is_given_as_csv_and_as_a_page(officers):
    ada, *_ = officers
    csv, page = ada.get("/governance/processing.csv"), ada.get("/governance/processing.html")
    assert "Art. 30(1)(g)" in csv.text.splitlines()[0]
    assert f"{REGISTRY}: HRESCH to" in csv.text
    assert page.text.startswith("<!doctype html>")
    for answer in (csv, page):
        assert answer.headers["content-disposition"].startswith("attachment")


def test_a_finding_leads_to_where_it_is_mended(officers):
    ada, *_ = officers
    links = links_of(ada.get("/governance/findings").text)
    assert f"/governance/link/{REGISTRY}" in links
    answers = [ada.get(link).status_code for link in sorted(links) if link.startswith("/governance/")]
    assert set(answers) == {200}


def test_home_shows_an_officer_what_is_serious_and_where_it_is_mended(officers):
    ada, *_ = officers
    home = ada.get("/")
    assert home.status_code == 200
    assert "/governance/findings" in links_of(home.text)
    assert any(link.startswith("/governance/link/") for link in links_of(home.text))


def test_home_of_a_site_without_people_does_not_nag():
    nobody = SimpleNamespace(visit=SimpleNamespace(person_id=""))
    assert card.values(nobody) is None


@pytest.mark.parametrize(
    ("founded", "lines"),
    [(False, []), (True, [("note", "/governance/findings?severity=serious")])],
)
def test_health_says_what_flows_without_what_it_needs_once_there_are_people(
    site, monkeypatch, founded, lines
):
    state = site.keeper.state()
    keeper = SimpleNamespace(state=lambda: state | {"founded": founded})
    standing._kept.clear()
    found = standing.standing(replace(site, keeper=keeper), site.clock.now())
    standing._kept.clear()
    assert [(line.level, line.href) for line in found.lines if line.about == "register"] == lines


def test_the_bundle_is_not_compiled_again_for_each_page(officers, monkeypatch):
    ada, *_ = officers
    assert ada.get("/governance").status_code == 200

    def compiled(*_args, **_more):
        raise AssertionError("a page compiled the bundle")

    monkeypatch.setattr("oathward.activation.check", compiled)
    for page in PAGES:
        assert ada.get(f"/governance{page}").status_code == 200


def test_what_is_only_proposed_gets_an_owner_before_it_is_live(officers, site):
    ada, _, auditor = officers
    assert ada.get("/governance/link/next-year").status_code == 404
    assert ada.post("/governance/link/next-year", owner="p-1").status_code == 404
    went = ada.get("/governance/new?kind=link&id=next-year").headers["location"]
    assert went == "/governance/link/next-year?new=yes"
    assert 'name="new" value="yes"' in ada.get(went).text
    assert ada.post("/governance/link/next-year", owner="p-1", steward="p-2", new="yes").status_code == 303
    with read(site.engine) as db:
        assert views.owner_of(db, site.site, "link", "next-year").owner == "p-1"
    assert auditor.get("/governance/link/other?new=yes").status_code == 404
    assert ada.get("/governance/new?kind=link&id=../x").status_code == 400


def test_a_link_is_assessed_as_a_proposal_has_it(officers, site, monkeypatch):
    ada, *_ = officers
    with read(site.engine) as db:
        bundle_ = activation.load_active(db, site.site, site.authority, site.seen).bundle
    other = replace(bundle_.links["ehr"], id="next-year")
    proposed = replace(bundle_, links={**bundle_.links, "next-year": other})
    monkeypatch.setattr(proposing, "shown", lambda *_a, **_k: SimpleNamespace(bundle=proposed))
    form = {
        "kind": "link", "about": "next-year", "privacy": "fine", "security": "fine", "outcome": "acceptable",
        "valid_until": "2036-01-01",
    }  # fmt: skip
    assert ada.post("/governance/assessments", **form).status_code == 422
    assert ada.post("/governance/assessments", **form, proposal="P-1").status_code == 303
    with read(site.engine) as db:
        (row,) = sql.assessments(db, site.site, kind="link", about="next-year")
    assert row.about_digest == digest_of(other)


def test_a_proposal_that_is_none_is_said(officers):
    ada, *_ = officers
    form = {"kind": "link", "about": "ehr", "privacy": "x", "security": "x", "outcome": "acceptable"}
    answer = ada.post("/governance/assessments", **form, valid_until="2036-01-01", proposal="none")
    assert answer.status_code == 422
