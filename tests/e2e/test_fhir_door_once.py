"""``ifNoneExist`` inside a bundle: judged by what the door answers and by what a recipient has."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.fhir_recipient import FhirRecipient
from tests.fhir_wire import Http, device, observation
from tests.site import Site, bundle

ONE, TWO = "urn:uuid:00000000-0000-4000-8000-000000000001", "urn:uuid:00000000-0000-4000-8000-000000000002"
MRN = "urn:oid:1.2.3.4"


@pytest.fixture(scope="module")
def recipients(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outside")
    made = {id_: FhirRecipient(folder / id_) for id_ in ("care", "late")}
    yield made
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory, recipients):
    site = Site.make(tmp_path_factory.mktemp("once"), fhir="beside_bytes_min = 30000")
    for id_, one in recipients.items():
        one.trusted_by(site.folder)
        trust = site.folder / "recipients"
        for name in ("recipient-ca.pem", "courier.pem", "courier.key"):
            (trust / name).rename(trust / f"{id_}-{name}")
    declare(site, recipients, "care")
    site.add(device("mon-1"), device("mon-2"))
    site.start()
    yield site
    site.stop()


def declare(site, recipients, *ids):
    files = bundle({id_: recipients[id_].address for id_ in ids})
    for id_ in ids:
        declared = recipients[id_].declared(id_)
        for name in (b"recipient-ca.pem", b"courier.pem", b"courier.key"):
            declared = declared.replace(name, id_.encode() + b"-" + name)
        files[f"recipients/{id_}.toml"] = declared
    return site.activate(files)


@pytest.fixture
def client(site):
    with Http(site, "mon-1") as client:
        yield client


def patient(mrn, **more):
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    return {
        "resourceType": "Patient",
        "identifier": [{"type": kind, "system": MRN, "value": mrn}],
        **more,
    }


def named(identifier, **more):
    return observation(identifier=[{"system": "urn:x", "value": identifier}], **more)


def entry(resource, url=None, condition=None):
    asked = {"method": "POST", "url": resource["resourceType"]}
    if condition:
        asked["ifNoneExist"] = f"identifier={condition}"
    return {"resource": resource, "request": asked} | ({"fullUrl": url} if url else {})


def bundled(kind, *entries):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def ward(mrn, family, value):
    """A patient under a condition, and a reading of whoever that is."""
    reading = observation(value=value) | {"subject": {"reference": ONE}}
    return bundled(
        "transaction", entry(patient(mrn, name=[{"family": family}]), ONE, f"{MRN}|{mrn}"), entry(reading)
    )


def said(answer):
    assert answer.status == 200, answer
    return [
        (int(one["response"]["status"][:3]), one["response"].get("location")) for one in answer.json["entry"]
    ]


def delivered(site):
    site.wait(lambda: site.rows("SELECT count(*) FROM outbox") == [(0,)])


def stored(site):
    return site.rows("SELECT count(*) FROM message")[0][0]


def got(recipient, kind, containing=b""):
    """What a recipient was given of a type, in order: place -> resource."""
    return [
        (place, json.loads(body))
        for place, body in recipient.puts
        if place.startswith(f"{kind}/") and containing in body
    ]


def test_a_patient_that_is_there_is_answered_with_its_place_and_sent_to_nobody_again(
    site, client, recipients
):
    (made, place), (read, _) = said(client.post("/fhir", ward("51000001", "First", 61.5)))
    (again, same), (more, other) = said(client.post("/fhir", ward("51000001", "Second", 62.5)))
    assert (made, read, again, more) == (201, 201, 200, 201)
    assert same == place != other
    delivered(site)
    [(name, kept)] = got(recipients["care"], "Patient", b"51000001")
    assert kept["name"] == [{"family": "First"}]
    subjects = {r["subject"]["reference"] for _, r in got(recipients["care"], "Observation", b'"reference"')}
    assert name in subjects
    [second] = [
        r for _, r in got(recipients["care"], "Observation") if float(r["valueQuantity"]["value"]) == 62.5
    ]
    assert second["subject"]["reference"] == name


def test_what_has_no_name_of_its_own_keeps_the_one_it_was_given_first(site, client, recipients):
    """Its id at a recipient is made of the message that brought it; what refers to it later must say that one."""

    def report(number):
        whole = observation(value=70.0 + number) | {"hasMember": [{"reference": TWO}]}
        return bundled("transaction", entry(named("m-1", value=5.25), TWO, "urn:x|m-1"), entry(whole))

    first, second = (said(client.post("/fhir", report(n))) for n in (1, 2))
    assert [status for status, _ in first + second] == [201, 201, 200, 201]
    assert first[0][1] == second[0][1]
    delivered(site)
    [(name, _)] = got(recipients["care"], "Observation", b'"m-1"')
    pointing = got(recipients["care"], "Observation", b"hasMember")
    assert [r["hasMember"] for _, r in pointing] == [[{"reference": name}]] * 2


def test_one_that_a_recipient_never_got_goes_there_under_the_name_it_has(site, client, recipients):
    once = entry(named("late-1", value=5.5), TWO, "urn:x|late-1")
    [(made, place)] = said(client.post("/fhir", bundled("transaction", once)))
    delivered(site)
    label = declare(site, recipients, "care", "late")
    site.wait(lambda: site.status("gateway")["bundle"] == label)
    for value in (80.5, 81.5):
        body = bundled("transaction", once, entry(observation(value=value)))
        assert said(client.post("/fhir", body))[0] == (200, place)
    assert made == 201
    delivered(site)
    assert len(got(recipients["care"], "Observation", b"late-1")) == 1
    [(name, _)] = got(recipients["late"], "Observation", b"late-1")
    assert len(got(recipients["late"], "Observation")) == 3
    assert name not in dict(got(recipients["care"], "Observation")), (
        "a name means nothing to another recipient"
    )


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_senders_that_ask_at_once_create_one(site, recipients, kind):
    """Each on a connection of its own, some so large that the process beside takes them."""

    def ask(number):
        more = observation(value=90.0 + number, note=[{"text": "calm " * (8_000 if number % 4 == 0 else 1)}])
        once = entry(named(f"race-{kind}", value=1.0 + number), None, f"urn:x|race-{kind}")
        with Http(site, "mon-1") as client:
            return said(client.post("/fhir", bundled(kind, once, entry(more))))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert sorted(first for (first, _), _ in answers) == [200] * 7 + [201]
    assert len({place for (_, place), _ in answers}) == 1
    assert [second for _, (second, _) in answers] == [201] * 8
    delivered(site)
    assert len(got(recipients["care"], "Observation", f'"race-{kind}"'.encode())) == 1


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_create_alone_and_an_entry_find_each_other(site, client, kind):
    alone = {"If_None_Exist": f"identifier=urn:x|a-{kind}"}
    first = client.post("/fhir/Observation", named(f"a-{kind}", value=1.0), **alone)
    inside = bundled(kind, entry(named(f"a-{kind}", value=2.0), None, f"urn:x|a-{kind}"))
    assert said(client.post("/fhir", inside)) == [(200, first.headers["location"])]
    other = bundled(kind, entry(named(f"b-{kind}", value=1.0), None, f"urn:x|b-{kind}"))
    [(made, place)] = said(client.post("/fhir", other))
    again = client.post(
        "/fhir/Observation", named(f"b-{kind}", value=2.0), If_None_Exist=f"identifier=urn:x|b-{kind}"
    )
    assert (made, again.status, again.headers["location"]) == (201, 200, place)


def test_the_same_bundle_again_says_the_same_places(client):
    once = entry(named("d-1"), None, "urn:x|d-1")
    first = said(client.post("/fhir", bundled("transaction", once)))
    both = bundled(
        "transaction", once, entry(named("d-2"), None, "urn:x|d-2"), entry(observation(value=11.5))
    )
    second, third = (said(client.post("/fhir", both)) for _ in range(2))
    assert [status for status, _ in second] == [200, 201, 201]
    assert [status for status, _ in third] == [200, 200, 200]
    assert [place for _, place in second] == [place for _, place in third]
    assert second[0][1] == first[0][1]


def test_others_identifiers_are_their_own(site, client):
    body = bundled("transaction", entry(named("o-1"), None, "urn:x|o-1"))
    other = bundled("transaction", entry(named("o-1", mrn="52000002"), None, "urn:x|o-1"))
    with Http(site, "mon-2") as another:
        answers = [
            said(client.post("/fhir", body)),
            said(another.post("/fhir", body)),
            said(client.post("/fhir", other)),
        ]
    assert [status for [(status, _)] in answers] == [201, 201, 201], "another sender's, and another patient's"
    assert len({place for [(_, place)] in answers}) == 3


def test_each_patient_of_a_transaction_has_its_own(client):
    def both(value):
        return bundled(
            "transaction",
            entry(named("p-1", mrn="53000001", value=value), None, "urn:x|p-1"),
            entry(named("p-2", mrn="53000002", value=value), None, "urn:x|p-2"),
        )

    first = said(client.post("/fhir", both(1.0)))
    alone = said(
        client.post("/fhir", bundled("batch", entry(named("p-2", mrn="53000002"), None, "urn:x|p-2")))
    )
    again = said(client.post("/fhir", both(2.0)))
    assert [status for status, _ in first] == [201, 201]
    assert alone == [(200, first[1][1])]
    assert again == [(200, first[0][1]), (200, first[1][1])]


def test_an_identifier_that_one_bundle_asks_for_twice_is_created_once(site, client, recipients):
    twice = bundled(
        "transaction",
        entry(named("t-1", value=1.0), ONE, "urn:x|t-1"),
        entry(named("t-1", value=2.0), TWO, "urn:x|t-1"),
        entry(observation(value=12.5) | {"hasMember": [{"reference": TWO}]}),
    )
    (made, place), (again, same), (more, _) = said(client.post("/fhir", twice))
    assert (made, again, more, same) == (201, 200, 201, place)
    delivered(site)
    [(name, kept)] = got(recipients["care"], "Observation", b'"t-1"')
    assert float(kept["valueQuantity"]["value"]) == 1.0
    assert [r["hasMember"] for _, r in got(recipients["care"], "Observation", b"hasMember")][-1] == [
        {"reference": name}
    ]


def test_several_that_have_the_identifier_refuse_an_entry_or_a_whole_transaction(site, client, recipients):
    for value in (1.0, 2.0):
        assert client.post("/fhir/Observation", named("s-1", value=value)).status == 201
    once = entry(named("s-1", value=3.0), None, "urn:x|s-1")
    fine = entry(observation(value=13.5))
    before = stored(site)
    alone = client.post("/fhir/Observation", named("s-1", value=3.0), If_None_Exist="identifier=urn:x|s-1")
    whole = client.post("/fhir", bundled("transaction", fine, once))
    for answer, where in ((alone, "If-None-Exist"), (whole, "Bundle.entry[1].request.ifNoneExist")):
        assert (answer.status, answer.reason) == (412, "message.condition-several")
        assert answer.json["issue"][0]["expression"] == [where]
    assert stored(site) == before, "nothing of a transaction that is refused"
    answer = client.post("/fhir", bundled("batch", fine, once))
    assert [status for status, _ in said(answer)] == [201, 412]
    outcome = answer.json["entry"][1]["response"]["outcome"]
    assert outcome["issue"][0]["expression"] == ["Bundle.entry[1].request.ifNoneExist"]
    delivered(site)
    assert len(got(recipients["care"], "Observation", b'"s-1"')) == 2


@pytest.mark.parametrize(
    ("number", "condition"),
    list(enumerate(["urn:x|u-1&status=final", "urn:x|u-1,urn:x|u-2", "u-1", "urn:x|"])),
)
def test_a_condition_that_is_not_one_identifier_is_refused_and_not_passed_over(client, number, condition):
    bad, fine = entry(named("u-1"), None, condition), entry(observation(value=140.5 + number))
    answer = client.post("/fhir", bundled("batch", bad, fine))
    assert [status for status, _ in said(answer)] == [412, 201]
    [issue] = answer.json["entry"][0]["response"]["outcome"]["issue"]
    assert issue["expression"] == ["Bundle.entry[0].request.ifNoneExist"]
    whole = client.post("/fhir", bundled("transaction", fine, bad))
    assert (whole.status, whole.reason) == (412, "message.condition-unsupported")
    alone = client.post("/fhir/Observation", named("u-1"), If_None_Exist=f"identifier={condition}")
    assert (alone.status, alone.reason) == (412, "message.condition-unsupported")


def test_a_condition_that_its_resource_does_not_meet_holds_nothing_back(client):
    answers = [
        said(client.post("/fhir", bundled("batch", entry(named(f"n-{n}"), None, "urn:x|always"))))
        for n in range(2)
    ]
    assert [status for [(status, _)] in answers] == [201, 201]
