"""The register by the API: what the pages say, in JSON, under the same rules."""

import pytest
from tests.people import employ
from tests.site import Site, bundle
from tests.unit.governance.office import REGISTRY
from tests.unit.web.test_governance_page import Viewer, governed, site  # noqa: F401  fixtures
from tests.unit.web.viewers import bearer, console_of, secret_of, viewer

from oathward.app import build
from oathward.core.labels import Role

ROOT = "/api/v1/governance"
READS = ("entries", "findings", "processing", "quality")


@pytest.fixture
def client(site, monkeypatch):  # noqa: F811  the fixture above
    app, _ = console_of(site, monkeypatch)
    found = viewer(app, Role.PRIVACY_OFFICER)
    found.cookies.clear()
    return found


def officer():
    return bearer(Role.PRIVACY_OFFICER)


@pytest.mark.parametrize("what", READS)
def test_each_answer_is_json_for_who_may_see_it_and_nothing_for_who_may_not(client, what):
    assert client.get(f"{ROOT}/{what}", headers=officer()).status_code == 200
    assert client.get(f"{ROOT}/{what}", headers=bearer(Role.VENDOR_USER)).status_code == 404
    assert client.get(f"{ROOT}/{what}").status_code == 401


def test_an_entry_is_written_and_read_back(client):
    body = {"owner": "p-1", "steward": "p-2", "state": "active", "classification": ["health"]}
    answer = client.put(f"{ROOT}/entries/link/{REGISTRY}", json=body, headers=officer())
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "active"
    items = client.get(f"{ROOT}/entries", headers=officer()).json()["items"]
    (row,) = [one for one in items if (one["kind"], one["id"]) == ("link", REGISTRY)]
    assert (row["owner"], row["classification"], row["version"]) == ("p-1", ["health"], 1)
    serious = client.get(f"{ROOT}/findings?severity=serious", headers=officer()).json()["items"]
    assert "entry.missing" not in {
        one["code"] for one in serious if one["about"] == REGISTRY and one["kind"] == "link"
    }


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (f"link/{REGISTRY}", {"owner": "p-9"}, 422, "governance.owner-missing"),
        (f"link/{REGISTRY}", {"state": "suspended"}, 409, "governance.transition"),
        (f"link/{REGISTRY}", {"state": "asleep"}, 400, "input.invalid"),
        (f"link/{REGISTRY}", {"review_due": "soon"}, 400, "input.invalid"),
        (f"link/{REGISTRY}", {"boss": "p-1"}, 400, "input.invalid"),
        ("thing/x", {"owner": "p-1"}, 400, "input.invalid"),
        ("link/none", {"owner": "p-1"}, 404, "not-found"),
    ],
)
def test_what_cannot_be_written_says_why(client, path, body, status, code):
    answer = client.put(f"{ROOT}/entries/{path}", json=body, headers=officer())
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_auditor_reads_and_writes_nothing(client):
    assert client.get(f"{ROOT}/entries", headers=bearer(Role.AUDITOR)).status_code == 200
    answer = client.put(f"{ROOT}/entries/link/{REGISTRY}", json={"title": "x"}, headers=bearer(Role.AUDITOR))
    assert answer.status_code in {403, 404}


def test_the_record_of_processing_names_every_column(client):
    rows = client.get(f"{ROOT}/processing", headers=officer()).json()["items"]
    (row,) = [one for one in rows if one["id"] == REGISTRY]
    assert len(row["cells"]) == 12
    assert all(cell["text"] or cell["missing"] for cell in row["cells"])


@pytest.fixture(scope="module")
def staffed(tmp_path_factory):
    """A site with people whom its keeper signed: number -> id."""
    made = Site.make(tmp_path_factory.mktemp("staffed") / "s")
    made.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    return made, employ(made)


class TestWhoIsWho:
    """Who is named by address or number is found for who may see people; others learn nothing of either."""

    ANNA = ("anna@hospital.example", "ANNA@hospital.example", "4711")
    NOBODY = ("nobody@hospital.example", "4799", "lena@hospital.example", "4715")

    @pytest.fixture
    def app(self, staffed, monkeypatch):
        opened = build(staffed[0].settings, "app")
        yield console_of(opened, monkeypatch)[0]
        opened.keeper.close()
        opened.engine.dispose()

    def put(self, app, role, owner):
        client = viewer(app, role)
        client.cookies.clear()
        return client.put(f"{ROOT}/entries/link/ehr", json={"owner": owner}, headers=bearer(role))

    def test_an_engineer_is_answered_alike_whoever_an_address_is(self, app, staffed):
        told = {
            (a.status_code, a.text.replace(who, "…"))
            for who in (*self.ANNA, *self.NOBODY)
            for a in [self.put(app, Role.INTEGRATION_ENGINEER, who)]
        }
        ((status, text),) = told
        assert status == 422
        assert "governance.owner-missing" in text
        assert self.put(app, Role.INTEGRATION_ENGINEER, staffed[1]["4715"]).text == text, "who has left"
        assert self.put(app, Role.INTEGRATION_ENGINEER, staffed[1]["4711"]).status_code == 200

    @pytest.mark.parametrize("who", ANNA)
    def test_reverse_an_officer_names_people_as_people_do(self, app, staffed, who):
        answer = self.put(app, Role.PRIVACY_OFFICER, who)
        assert (answer.status_code, answer.json()["owner"]) == (200, staffed[1]["4711"])

    @pytest.mark.parametrize("role", [Role.INTEGRATION_ENGINEER, Role.PRIVACY_OFFICER])
    def test_a_form_answers_as_a_call_does(self, app, role):
        form = {"steward": "", "title": "", "classification": "", "review_due": ""}
        page = Viewer(app, secret_of(role))
        sees = role is Role.PRIVACY_OFFICER
        for who in self.ANNA:
            assert page.post("/governance/link/ehr", owner=who, **form).status_code == (303 if sees else 422)
        for who in self.NOBODY:
            assert page.post("/governance/link/ehr", owner=who, **form).status_code == 422
