"""A finding about a pseudonym, whole: out of a recipient's socket to the patient's number, by two people who signed in at a command
line of a served site; and what the ledger has of it.
"""

import pytest
from tests.care import adt
from tests.e2e.sign_in_site import PASSWORD, served
from tests.e2e.test_mentioned import REGISTRY
from tests.e2e.test_policy_change_served import enrolled
from tests.site import bundle, local
from tests.wire import Client, Recipient, oru

from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.deid.profile import builtin_texts

NUMBERS = ("70010001", "70010002")
PEOPLE = {"adam": Role.ADMINISTRATOR, "paul": Role.PRIVACY_OFFICER, "sara": Role.SECURITY_ANALYST}
SHAPES = (b'profile = "safe-harbor"\nproject = "registry"', b'profile = "shapes"\nproject = "joint"')


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reidentify")
    recipients = {"registry": Recipient(), "joint": Recipient()}

    def before(site):
        files = bundle({name: one.address for name, one in recipients.items()})
        for name in recipients:
            for was, now in REGISTRY:
                files[f"links/{name}.toml"] = files[f"links/{name}.toml"].replace(was, now)
        files["links/joint.toml"] = files["links/joint.toml"].replace(*SHAPES)
        files["projects.toml"] += b'[joint]\nmerges = "together"\n'
        plain = builtin_texts()["safe-harbor"].replace("safe-harbor", "shapes")
        assert '"patient.identifier" = "pseudonym"' in plain
        files["profiles/shapes.toml"] = f'{plain}\n[parameters.pseudonym]\nshape = ["keep"]\n'.encode()
        site.activate(files)
        site.add(local(authoritative_adt=True))

    with served(folder / "site", PEOPLE, before=before) as found:
        found.recipients = recipients
        found.people = {who: enrolled(found, who, folder / who) for who in PEOPLE}
        with Client(found.site.port()) as device:
            for number in NUMBERS:
                assert device.send(adt("A01", said="20260504080000", mrn=number)) == "AA"
                assert device.send(oru(f"M{number}", mrn=number, value=f"{number[-1]}.25")) == "AA"
        yield found
    for one in recipients.values():
        one.close()


def name_at(place, recipient, number):
    """By which name a recipient was told of a patient."""

    def look():
        with recipient.lock:
            return next((one for one in recipient.kept if f"|{number[-1]}.25|".encode() in one), None)

    message = place.site.wait(look)
    return next(line for line in message.split(b"\r") if line.startswith(b"PID|")).split(b"|")[3].decode()


def sign_in(person):
    """At the command line of the site; again, where somebody is."""
    data = ("--data", str(person.place.site.folder))
    if person.token:
        return person.told("sign-in", "--again", "--stdin", *data, typed=f"{person.phone.code()}\n")
    person.token = "signed in"
    typed = f"{PASSWORD}\n{person.phone.code()}\n"
    return person.told("sign-in", "--login", person.login, "--stdin", *data, typed=typed)


def run(person, *words):
    return person.run("reidentify", *words, "--data", str(person.place.site.folder))


@pytest.mark.parametrize("project", ["registry", "joint"])
def test_two_people_find_the_patient_of_a_name_that_left(place, project):
    site, paul, sara = place.site, place.people["paul"], place.people["sara"]
    names = {number: name_at(place, place.recipients[project], number) for number in NUMBERS}
    assert len({*names.values(), *NUMBERS}) == 4
    assert (len(names[NUMBERS[0]]) == 8) is (project == "joint")
    for one in (paul, sara):
        sign_in(one)
    terms = ("--project", project, "--reason", "incidental-finding", "--why", "a nodule, left")
    code, asked, wrong = run(paul, "request", names[NUMBERS[1]], *terms)
    assert (code, asked["state"]) == (0, "waiting"), wrong
    id_ = asked["id"]
    assert Reason.CONFLICT.code in run(paul, "show", id_)[2]
    assert Reason.ACCESS_OWN.code in run(paul, "approve", id_, "--why", "mine")[2]
    assert run(sara, "look", id_)[1]["pseudonym"] == names[NUMBERS[1]]
    assert run(sara, "approve", id_, "--why", "fits the letter")[0] == 0
    code, found, wrong = run(paul, "show", id_)
    assert (code, [one["value"] for one in found["numbers"]]) == (0, [NUMBERS[1]]), wrong
    assert Reason.CONFLICT.code in run(paul, "show", id_)[2]

    told = {
        kind: site.records(f"reidentify.{kind}")[-1]["body"] for kind in ("requested", "approved", "shown")
    }
    assert {one["id"] for one in told.values()} == {id_}
    assert (told["shown"]["person"], told["shown"]["by"], told["shown"]["found"]) == ("paul", "sara", "one")
    opened = site.records("keeper.opened")[-1]["body"]
    assert (opened["basis"], opened["person"], opened["request"]) == ("reidentify", "paul", id_)
    whole = b" ".join(bytes(body) for (body,) in site.rows("SELECT body FROM ledger_record"))
    assert id_.encode() in whole
    assert names[NUMBERS[1]].encode() not in whole
    assert b"nodule" not in whole
    assert site.cli("ledger", "verify")["ok"] is True
