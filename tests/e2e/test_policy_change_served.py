"""A change of policy at a served site, from the proposal at a command line to the recipient's socket, and one step back.

What each process says or does counts one second after the keeper's signature and no later:

| process | how it is seen |
|---|---|
| gateway | its status; the version in the record of what it decides then; what the recipient is sent |
| courier | its status; when it gives a waiting delivery up that the change forbids |
| app | the API's word of what is in force; a page's data that the bundle's rule about people forbids |
| keeper | the newest version as it tells it; the same rule, asked of it past the app |
"""

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx2
import pytest
from tests import forked
from tests.e2e.sign_in_site import PASSWORD, Founded, Phone, served
from tests.site import bundle, local
from tests.wire import Client, Recipient, oru

from oathward.core.errors import KeeperError
from oathward.core.labels import CLASSES, Role
from oathward.core.reasons import Reason
from oathward.vault.keeper import client
from oathward.vault.keeper.proof import console_proof, pending_proof

pytestmark = pytest.mark.alone

ACTIVE_S = 1.0
PEOPLE = {"adam": Role.ADMINISTRATOR, "paul": Role.PRIVACY_OFFICER, "sara": Role.SECURITY_ANALYST}
REMOVED = "patient.name"
NAME = b"Quixotella"
FORBIDS = b'@id("ours") @why("a trial of this rule") forbid(principal, action == Action::"sessions.see", resource) when { context.roles.contains("administrator") };\n'


def edited(files: dict[str, bytes], classes) -> dict[str, bytes]:
    """The bundle with these classes on its one link."""
    named = json.dumps(sorted(classes)).encode()
    assert b'classes = ["*"]' in files["links/ehr.toml"]
    return files | {"links/ehr.toml": files["links/ehr.toml"].replace(b'["*"]', named, 1)}


@dataclass
class Person:
    """Somebody who has enrolled: the phone, the session's token for the API, and a folder of the command line's."""

    place: Founded
    login: str
    phone: Phone
    home: Path
    token: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body=None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx2.request(
            method, self.place.base + path, json=body, headers=headers, trust_env=False, timeout=30
        )

    def post(self, path: str, body=None):
        answer = self.call("POST", path, body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def run(self, *words: str, typed: str = "") -> tuple[int, object, str]:
        """Type a command: exit code, what it printed, what it said of errors."""
        done = forked.run([*words, "--json"], typed.encode(), XDG_CONFIG_HOME=str(self.home))
        return done.returncode, json.loads(done.stdout or "null"), done.stderr.decode()

    def told(self, *words: str, typed: str = ""):
        code, said, wrong = self.run(*words, typed=typed)
        assert code == 0, wrong
        return said


@contextmanager
def policy_site(folder: Path):
    """A served site with people, one device, one recipient, and everybody enrolled with a password and a phone."""
    recipient = Recipient()

    def before(site):
        site.activate(edited(bundle({"ehr": recipient.address}), CLASSES))
        site.add(local())

    with served(folder / "site", PEOPLE, before=before) as place:
        people = {who: enrolled(place, who, folder / who) for who in PEOPLE}
        try:
            yield place, people, recipient
        finally:
            recipient.close()


def enrolled(place: Founded, who: str, home: Path) -> Person:
    with client.connect(place.site.settings, "app", become=False) as keeper:
        step = keeper.people.enrol_begin(place.keys[who], "192.0.2.7")
        pending = pending_proof(keeper.people.enrol_password(PASSWORD, step.pending).pending)
        phone = Phone(keeper.people.enrol_totp_begin(pending)[0])
        keeper.people.enrol_totp_finish(phone.code(), "phone", pending)
    return Person(place, f"n-{who}", phone, home)


def by_the_api(person: Person) -> None:
    asked = {"login": person.login, "password": PASSWORD, "code": person.phone.code()}
    person.token = person.post("/api/v1/sign-in", asked)["token"]


def by_the_command_line(person: Person) -> None:
    """Sign in at the server and at the site: a command that changes policy asks the site's own keeper."""
    for where in (("--server", person.place.base), ("--data", str(person.place.site.folder))):
        typed = f"{PASSWORD}\n{person.phone.code()}\n"
        said = person.told("sign-in", "--login", person.login, "--stdin", *where, typed=typed)
        assert said["person"] == "Sara"
    files = (person.home / "oathward").glob("session-*")
    person.token = next(text for file in files if (text := file.read_text().strip()).startswith("p_"))


def sent(place: Founded, value: int) -> None:
    with Client(place.site.port()) as device:
        assert device.send(oru(f"A{value}", name=f"Zebulonova^{NAME.decode()}", value=str(value))) == "AA"


def arrived(place: Founded, recipient: Recipient, value: int) -> bytes:
    """What came out of the recipient's socket of the message with this value."""

    def found():
        with recipient.lock:
            return [one for one in recipient.kept if f"|{value}|".encode() in one]

    return place.site.wait(found)[0]


def seen_one_second_after(place: Founded, adam: Person, active: dict) -> None:
    """Everything is of the version that was just signed, one second after that; ``active``: the API's answer."""
    site, signed_s = place.site, datetime.fromisoformat(active["since"]).timestamp()
    left_s = signed_s + ACTIVE_S - time.time()
    assert 0 < left_s <= ACTIVE_S, "the answer came in time to look"
    time.sleep(left_s)
    said = {role: site.status(role)["bundle"] for role in ("gateway", "courier")}
    listed = adam.call("GET", "/api/v1/people/paul/sessions")
    newest, answered = asked_of_the_keeper(place, adam)
    assert said == {"gateway": active["label"], "courier": active["label"]}
    assert adam.call("GET", "/api/v1/policy").json()["label"] == active["label"]
    assert newest == active["version"]
    forbidden = active["version"] == 2
    assert listed.status_code == (404 if forbidden else 200), "who may not see it is told of none"
    assert answered == (Reason.ACCESS_ROLE.code if forbidden else {"paul"})


def asked_of_the_keeper(place: Founded, adam: Person) -> tuple[int, object]:
    """Its newest version; and whose sessions it lists to an administrator, or why it does not."""
    with client.connect(place.site.settings, "app", become=False) as keeper:
        newest = keeper.newest()["bundle", "active"]
        try:
            found = keeper.people.session_list(console_proof(adam.token.removeprefix("p_")), "paul")
        except KeeperError as error:
            return newest, error.reason.code
    return newest, {one.person_id for one in found}


def test_a_change_by_two_people_is_everywhere_within_a_second_and_so_is_the_step_back(tmp_path):
    with policy_site(tmp_path) as (place, people, recipient):
        adam, paul, sara = people["adam"], people["paul"], people["sara"]
        for one in (adam, paul):
            by_the_api(one)
        by_the_command_line(sara)
        sent(place, 101)
        assert NAME in arrived(place, recipient, 101)
        assert adam.call("GET", "/api/v1/people/paul/sessions").status_code == 200
        assert asked_of_the_keeper(place, adam) == (1, {"paul"})

        # 1 proposed at the command line: in words, and tried on what was decided
        folder = tmp_path / "bundle"
        files = edited(bundle({"ehr": recipient.address}), CLASSES - {REMOVED}) | {
            "people/ours.cedar": FORBIDS
        }
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        data = ("--data", str(place.site.folder))
        told = sara.told("policy", "propose", str(folder), "--why", "no names", *data)
        id_, one = told["proposal"]["id"], f"/api/v1/policy/proposals/{told['proposal']['id']}"
        assert (told["proposal"]["state"], told["proposal"]["proposer"]) == ("proposed", "sara")
        assert [c["words"] for c in told["changes"]] == [
            "ehr will no longer get the patient's names (patient.name).",
            "New policy ours, which forbids something to people: “a trial of this rule”.",
            "ehr asks no longer for the patient's names (patient.name).",
        ]
        whole = paul.call("GET", one).json()
        assert whole["dry_run"] == told["dry_run"] != ""
        assert "  no longer leaves: patient.name (1)" in whole["dry_run_words"]

        # 2 not by herself, at the command line or by the API; then by another person
        code, _, wrong = sara.run("policy", "approve", id_, *data)
        assert code, "she made it herself"
        assert Reason.ACCESS_OWN.code in wrong
        answer = sara.call("POST", f"{one}/approve")
        assert (answer.status_code, answer.json()["code"]) == (403, Reason.ACCESS_OWN.code)
        answer = paul.call("POST", f"{one}/activate")
        assert (answer.status_code, answer.json()["code"]) == (409, Reason.CONFLICT.code), (
            "approved by nobody yet"
        )
        assert paul.post(f"{one}/approve")["approver"] == "paul"

        # 3 signed; what waits for a recipient that is away was permitted before
        recipient.close()
        sent(place, 102)
        active = paul.post(f"{one}/activate")
        assert active["version"] == 2
        seen_one_second_after(place, adam, active)
        signed_us = round(datetime.fromisoformat(active["since"]).timestamp() * 1e6)
        dead = place.site.records("message.dead")
        assert [(r["links"], r["body"]["reason"]) for r in dead] == [(["ehr"], Reason.PERMIT_NARROWED.code)]
        assert dead[0]["at"] - signed_us <= ACTIVE_S * 1e6
        sent(place, 103)
        recipient = Recipient(recipient.port)
        narrow = arrived(place, recipient, 103)
        assert NAME not in narrow
        assert b"12345678" in narrow

        # 4 one step back, by her who did not agree to it; what waits was decided by the narrow one and stays so
        recipient.close()
        sent(place, 104)
        answer = adam.call("POST", "/api/v1/policy/rollback", {"reason": "no"})
        assert (answer.status_code, answer.json()["code"]) == (404, Reason.NOT_FOUND.code)
        back = sara.post("/api/v1/policy/rollback", {"reason": "names are needed"})
        assert (back["version"], back["digest"] != active["digest"]) == (3, True)
        seen_one_second_after(place, adam, back)
        sent(place, 105)
        recipient = Recipient(recipient.port)
        assert NAME in arrived(place, recipient, 105)
        assert NAME not in arrived(place, recipient, 104)
        recipient.close()
        labels = [r["body"]["bundle"] for r in place.site.records("message.accepted")]
        first = active["label"].replace("@2", "@1")
        assert labels == [first, first, active["label"], active["label"], back["label"]]
