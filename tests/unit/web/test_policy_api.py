"""Policy by the JSON API: the same two people, the same refusals, by reason code."""

import base64
import hashlib
import time

import pytest
from starlette.testclient import TestClient
from tests.unit.proposing.conftest import START, folder, site  # noqa: F401  fixtures
from tests.unit.proposing.test_proposing import LESS, MORE
from tests.unit.web.conftest import BASE

from oathward.changes.model import FILE_BYTES_MAX
from oathward.web.frame import create

ROOT = "/api/v1/policy"


class Caller:
    """Somebody's program, with their token."""

    def __init__(self, people, id_, **how):
        self.client = TestClient(people.app, base_url=BASE, raise_server_exceptions=False)
        self.headers = {"authorization": f"Bearer p_{people.as_(id_, **how)[0]['session']}"}

    def get(self, path):
        return self.client.get(ROOT + path, headers=self.headers)

    def post(self, path, body=None):
        return self.client.post(ROOT + path, json=body, headers=self.headers)


@pytest.fixture
def people(site):  # noqa: F811  the fixture
    site.app = create(site.opened)
    site.caller = lambda id_, **how: Caller(site, id_, **how)
    return site


def texts(files):
    return {path: content.decode() for path, content in files.items()}


def drafted(people, files=LESS, person="ines"):
    answer = people.caller(person).post("/proposals", {"files": texts(files), "reason": "less"})
    assert answer.status_code == 201, answer.text
    one = answer.json()["proposal"]["id"]
    while (
        people.caller(person).get(f"/proposals/{one}").json()["trying"]
    ):  # longer than the call waits for it
        time.sleep(0.05)
    return one


def test_two_people_by_the_api(people):
    people.agree("MSA-2026-007", "Example Devices Inc.", "vendor-cloud", "HOPERAT")
    ines, paul = people.caller("ines"), people.caller("paul")
    one = drafted(people)
    whole = ines.get(f"/proposals/{one}").json()
    assert [c["words"] for c in whole["changes"]] == [
        "Maker's telemetry service will no longer get alarms (ORU^R40)."
    ]
    assert (whole["stale"], whole["trying"], bool(whole["dry_run"])) == (False, False, True)
    assert ines.post(f"/proposals/{one}/propose").json()["state"] == "proposed"
    assert paul.post(f"/proposals/{one}/approve").json()["approver"] == "paul"
    assert ines.post(f"/proposals/{one}/activate").json()["version"] == 2
    assert ines.get("?files=yes").json()["files"] == texts(LESS)
    assert [row["version"] for row in paul.get("/proposals?state=active").json()["items"]] == [2]
    assert paul.post("/rollback", {"reason": "back"}).json()["version"] == 3


def test_a_check_says_every_mistake_and_changes_nothing(people):
    ines = people.caller("ines")
    wrong = ines.post(
        "/check", {"files": texts(START | {"bundle.toml": b"", "links/ehr.toml": b"id ="})}
    ).json()
    assert {one["where"] for one in wrong["mistakes"]} >= {"links/ehr.toml:1"}
    fine = ines.post("/check", {"files": texts(LESS)}).json()
    assert (fine["mistakes"], [one["direction"] for one in fine["changes"]]) == ([], ["narrow"])
    assert ines.get("/proposals").json() == {"items": [], "next": ""}


BAD = [
    ("one's own", "paul", "/proposals/{paul}/approve", None, 403, "access.own"),
    ("an auditor approves", "audra", "/proposals/{paul}/approve", None, 404, "not-found"),
    ("a clinician looks", "clara", "/proposals/{paul}/approve", None, 404, "not-found"),
    ("an id that is none", "sara", "/proposals/none/approve", None, 404, "not-found"),
    ("what nobody approved", "paul", "/proposals/{paul}/activate", None, 409, "conflict"),
    ("proposed twice", "paul", "/proposals/{paul}/propose", None, 409, "conflict"),
    ("no reason", "paul", "/proposals/{paul}/withdraw", {"reason": ""}, 400, "input.invalid"),
    ("days of no number", "ines", "/proposals/{paul}/try", {"days": "7"}, 400, "input.invalid"),
    ("too many days", "ines", "/proposals/{paul}/try", {"days": 0}, 400, "input.invalid"),
    ("no files", "ines", "/proposals", {"reason": "x"}, 400, "input.invalid"),
    ("files of numbers", "ines", "/proposals", {"files": {"a": 1}, "reason": "x"}, 400, "input.invalid"),
    ("a broken bundle", "ines", "/proposals", {"files": {"bundle.toml": "name ="}, "reason": "x"}, 422, "bundle.invalid"),
    ("a path outside", "ines", "/proposals", {"files": {"../x": ""}, "reason": "x"}, 422, "bundle.invalid"),
    ("an attachment of no base64", "ines", "/proposals/{paul}/attach", {"name": "x", "content": "é"}, 400, "input.invalid"),
    ("an attachment without a name", "ines", "/proposals/{paul}/attach", {"content": "eA=="}, 400, "input.invalid"),
    ("attached to what is proposed", "ines", "/proposals/{paul}/attach", {"name": "x", "content": "eA=="}, 409, "conflict"),
    ("an auditor attaches", "audra", "/proposals/{paul}/attach", {"name": "x", "content": "eA=="}, 404, "not-found"),
    ("attached to nothing", "ines", "/proposals/none/attach", {"name": "x", "content": "eA=="}, 404, "not-found"),
    ("too wide an emergency", "sara", "/emergency", {"files": texts(MORE), "reason": "x"}, 403, "proposal.emergency-too-wide"),
    ("an engineer's emergency", "ines", "/emergency", {"files": texts(LESS), "reason": "x"}, 404, "not-found"),
]  # fmt: skip


@pytest.mark.turns(2, "what")  # every second refusal; the rules are those of the pages
@pytest.mark.parametrize(("what", "person", "path", "body", "status", "code"), BAD, ids=[b[0] for b in BAD])
def test_what_is_refused_and_why(people, what, person, path, body, status, code):
    one = drafted(people, person="paul")
    proposed = people.caller("paul").post(f"/proposals/{one}/propose")
    assert proposed.status_code == 200, proposed.text
    answer = people.caller(person).post(path.format(paul=one), body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert people.active().version == 1


def test_what_is_attached_is_told_with_the_draft(people):
    one, ines = drafted(people), people.caller("ines")
    answer = ines.post(f"/proposals/{one}/attach", {"name": "a letter", "content": "AP8="})
    assert answer.status_code == 201
    (told,) = people.caller("audra").get(f"/proposals/{one}").json()["attachments"]
    assert told.pop("at")
    digest = hashlib.sha256(b"\x00\xff").hexdigest()
    assert told == {"kind": "note", "name": "a letter", "digest": digest, "about": "", "by": "ines"}
    assert answer.json()["attachments"][0]["digest"] == digest


@pytest.mark.parametrize(
    ("name", "size", "code"),
    [("a\nline", 1, "input.invalid"), ("too large", FILE_BYTES_MAX + 1, "message.limit-exceeded")],
)
def test_what_is_not_attached(people, name, size, code):
    one = drafted(people)
    content = base64.b64encode(bytes(size)).decode()
    answer = people.caller("ines").post(f"/proposals/{one}/attach", {"name": name, "content": content})
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert people.caller("ines").get(f"/proposals/{one}").json()["attachments"] == []


def test_a_call_without_a_fresh_proof_asks_for_one(people):
    one = drafted(people)
    people.caller("ines").post(f"/proposals/{one}/propose")
    answer = people.caller("paul", fresh=False).post(f"/proposals/{one}/approve")
    assert (answer.status_code, answer.json()["code"]) == (401, "access.step-up")


def test_a_huge_body_is_refused_before_it_is_read(people):
    answer = people.caller("ines").post("/proposals", {"files": {"a": "x" * 7_000_000}, "reason": "x"})
    assert (answer.status_code, answer.json()["code"]) == (413, "http.body-too-large")
