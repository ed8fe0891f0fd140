"""The register by the API: what the pages say, in JSON, under the same rules."""

import pytest
from tests.unit.governance.office import REGISTRY
from tests.unit.web.test_governance_page import governed, site  # noqa: F401  fixtures
from tests.unit.web.viewers import bearer, console_of, viewer

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
