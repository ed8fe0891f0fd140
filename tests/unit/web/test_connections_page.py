"""External connections by page and by the API: written, shown escaped, changed, ended; a mistake keeps what was written."""

import pytest
from tests.unit.web.test_governance_api import client, officer  # noqa: F401  a fixture
from tests.unit.web.test_governance_page import governed, officers, site  # noqa: F401  fixtures
from tests.unit.web.viewers import bearer

from oathward.core.db import read
from oathward.core.labels import Role
from oathward.governance import views

FORM = {
    "id": "pump-support",
    "party": "Example <b>Devices</b>",
    "role": "vendor support",
    "hosts": "*.support.example.com",
    "ports": "443",
    "transport": "tcp",
    "tls_min": "TLSv1.2",
    "authentication": "mutual",
    "from": "2026-07-01",
}


def test_a_connection_is_written_shown_changed_and_ended(officers, site):  # noqa: F811  the fixtures above
    ada, _, auditor = officers
    assert "No external connection yet" in ada.text("/connections")
    assert ada.post("/connections", **FORM).headers["location"] == "/connections/pump-support"
    page = ada.get("/connections").text
    assert "Example &lt;b&gt;Devices" in page
    assert "<b>Devices" not in page + ada.get("/connections/pump-support").text
    assert "names no agreement" in page
    answer = ada.post("/connections/pump-support", **FORM | {"ports": "8443", "role": "no personal data"})
    assert answer.headers["location"] == "/connections/pump-support"
    shown = auditor.text("/connections/pump-support")
    assert "8443" in shown.partition("History")[2]
    assert "TLS at least" in shown.partition("History")[2], "a field in words"
    assert "names no agreement" not in shown
    assert ada.post("/connections/pump-support/end").headers["location"] == "/connections/pump-support"
    assert "Not in force" in ada.text("/connections/pump-support")
    assert "connection/pump-support" not in auditor.get("/governance").text, "nobody wrote its entry"
    with read(site.engine) as db:
        assert views.connection(db, site.site, "pump-support").version == 3


def test_a_mistake_keeps_what_was_written_and_writes_nothing(officers, site):  # noqa: F811  the fixtures above
    ada, _, auditor = officers
    answer = ada.post("/connections", **FORM | {"ports": "x", "party": "Kept here"})
    assert answer.status_code == 422
    assert 'value="Kept here"' in answer.text
    assert "ports: numbers from 1" in answer.text
    assert auditor.post("/connections", **FORM).status_code in {403, 404}
    with read(site.engine) as db:
        assert views.connections(db, site.site) == []
    assert ada.get("/connections/none").status_code == 404


BODY = {name: value for name, value in FORM.items() if name not in {"id", "from"}}
BODY |= {"hosts": ["*.support.example.com"], "ports": ["443"], "begins": "2026-07-01", "retention_days": 90}


def test_the_api_writes_reads_and_ends_it(client):  # noqa: F811  the fixtures above
    root = "/api/v1/connections"
    answer = client.put(f"{root}/pump-support", json=BODY, headers=officer())
    assert (answer.status_code, answer.json()["lacks"]) == (200, ["names no agreement"])
    (row,) = client.get(root, headers=officer()).json()["items"]
    assert (row["hosts"], row["retention_days"], row["in_force"]) == (["*.support.example.com"], 90, True)
    assert client.get(f"{root}/pump-support", headers=bearer(Role.AUDITOR)).json()["id"] == "pump-support"
    assert client.post(f"{root}/pump-support/end", headers=bearer(Role.AUDITOR)).status_code in {403, 404}
    assert not client.post(f"{root}/pump-support/end", headers=officer()).json()["in_force"]
    assert client.get(f"{root}/none", headers=officer()).status_code == 404


@pytest.mark.parametrize("wrong", [{"hosts": []}, {"tls_min": ""}, {"begins": "soon"}, {"role": "friend"}])
def test_the_api_says_what_cannot_be_written(client, wrong):  # noqa: F811  the fixtures above
    answer = client.put("/api/v1/connections/pump-support", json=BODY | wrong, headers=officer())
    assert (answer.status_code, answer.json()["code"]) == (400, "input.invalid")
