"""What is only to be created is never written over what the recipient has: entries are left out where something stands."""

import asyncio
import json

import pytest

from oathward.core.reasons import Reason
from oathward.courier.fhir import FhirWire
from oathward.courier.model import Delivered, Failed
from oathward.courier.places import KNOWN_MAX, Places, places_of, target_of, without

from .far_end import FarEnd, answer, responses
from .test_fhir_wire import LIMITS, deliver, item

PATIENT, DEVICE = "Patient/pbcd", "Device/dbcd"


def entry(place, number="1.50", *, create=True):
    type_, id_ = place.split("/")
    condition = ',"ifNoneMatch":"*"' if create else ""
    return (
        f'{{"resource":{{"resourceType":"{type_}","id":"{id_}","x":{number}}},'
        f'"request":{{"method":"PUT","url":"{place}"{condition}}}}}'
    )


def transaction(*entries):
    return f'{{"resourceType":"Bundle","type":"transaction","entry":[{",".join(entries)}]}}'.encode()


def result(n, *create, update=True):
    own = [entry(f"Observation/o-{n}", create=False)] if update else []
    return item(n, body=transaction(*map(entry, create), *own))


def run(script, items, *, places=None, creates=True, **how):
    async def go():
        async with FarEnd(*script) as far:
            wire = FhirWire(
                f"https://127.0.0.1:{far.port}/fhir", LIMITS, context=None, places=places, creates=creates
            )
            results, _ = await deliver(wire, items, **how)
            return results, far

    return asyncio.run(go())


def sent(far):
    """Requests: lines of reads, and the places that each transaction wrote."""
    found = []
    for line, body in far.requests:
        method, target, _ = line.split()
        if method == "GET":
            found.append(target.removeprefix("/fhir/"))
        else:
            found.append([one["request"]["url"] for one in json.loads(body)["entry"]])
    return found


OK_1, OK_2 = [answer(200, responses("200"))], [answer(200, responses("201", "200"))]


def test_what_is_there_is_left_as_it_is_and_asked_for_once():
    results, far = run([[answer(200)], OK_1, OK_1], [result(0, PATIENT), result(1, PATIENT)])
    assert sent(far) == [f"{PATIENT}?_elements=id", ["Observation/o-0"], ["Observation/o-1"]]
    assert {type(one) for one in results.values()} == {Delivered}


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_created_as_plain_r4_and_not_again(status):
    _, far = run([[answer(status)], OK_2, OK_1], [result(0, PATIENT), result(1, PATIENT)])
    assert sent(far) == [f"{PATIENT}?_elements=id", [PATIENT, "Observation/o-0"], ["Observation/o-1"]]
    assert b"ifNoneMatch" not in b"".join(body for _, body in far.requests)
    assert b'"x":1.50' in far.requests[1][1], "numbers stay as they are written"


def test_a_link_that_writes_everything_asks_for_nothing():
    _, far = run([OK_2], [result(0, PATIENT)], creates=False)
    assert sent(far) == [[PATIENT, "Observation/o-0"]]
    assert b"ifNoneMatch" not in far.requests[0][1]


def test_what_was_written_by_another_message_is_known_to_be_there():
    rich = item(0, body=transaction(entry(PATIENT, create=False)))
    _, far = run([OK_1, OK_1], [rich, result(1, PATIENT)])
    assert sent(far) == [[PATIENT], ["Observation/o-1"]]


def test_what_was_deleted_there_since_is_asked_for_again():
    places = Places()
    places.remember((PATIENT,))
    refused = [answer(400)]
    results, far = run([refused, [answer(404)], OK_2], [result(0, PATIENT)], places=places)
    assert sent(far) == [["Observation/o-0"], f"{PATIENT}?_elements=id", [PATIENT, "Observation/o-0"]]
    assert isinstance(results["ID0"], Delivered)


def test_a_message_of_which_all_is_there_is_delivered_by_the_read():
    results, far = run([[answer(200)], [answer(200)]], [result(0, PATIENT, DEVICE, update=False)])
    assert sent(far) == [f"{PATIENT}?_elements=id", f"{DEVICE}?_elements=id"]
    assert results["ID0"].answer == "200"
    assert len(results["ID0"].receipt) == 64


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, Reason.RECIPIENT_REFUSED), (405, Reason.RECIPIENT_REFUSED), (301, Reason.RECIPIENT_REFUSED)],
)
def test_a_recipient_that_cannot_be_asked_refuses_and_nothing_is_written_blindly(status, reason):
    results, far = run([[answer(status)]], [result(0, PATIENT)])
    assert sent(far) == [f"{PATIENT}?_elements=id"]
    assert (results["ID0"].reason, results["ID0"].final) == (reason, True)


@pytest.mark.parametrize("status", [202, 204, 206, 503, 401, 500])
def test_an_answer_that_does_not_say_is_asked_for_again(status):
    results, far = run([[answer(status)], [answer(404)], OK_2], [result(0, PATIENT)])
    assert sent(far) == [f"{PATIENT}?_elements=id"] * 2 + [[PATIENT, "Observation/o-0"]]
    assert isinstance(results["ID0"], Delivered)


def test_while_one_asks_and_creates_no_other_writes_at_the_same_place():
    async def go():
        slow = [0.1, answer(404)]
        async with FarEnd(slow, OK_2, OK_1) as far:
            places = Places()
            first, second = (
                FhirWire(f"https://127.0.0.1:{far.port}/fhir", LIMITS, context=None, places=places)
                for _ in range(2)
            )
            rich = item(1, body=transaction(entry(PATIENT, create=False)))
            await asyncio.gather(deliver(first, [result(0, PATIENT)]), later(deliver(second, [rich])))
            return far

    async def later(what):
        await asyncio.sleep(0.03)
        return await what

    far = asyncio.run(go())
    assert sent(far) == [f"{PATIENT}?_elements=id", [PATIENT, "Observation/o-0"], [PATIENT]]


def test_other_places_do_not_wait():
    async def go():
        places, order = Places(), []

        async def one(name, place, pause_s):
            async with places.held((place, "")):
                await asyncio.sleep(pause_s)
                order.append(name)

        await asyncio.gather(one("slow", PATIENT, 0.05), one("same", PATIENT, 0), one("other", DEVICE, 0))
        return order

    assert asyncio.run(go()) == ["other", "slow", "same"]


@pytest.mark.parametrize(
    "url", ["Patient/../x", "Patient", "Patient?identifier=1", "../Patient/1", "Patient/a b", 7]
)
def test_a_place_in_no_form_of_one_is_never_asked_for(url):
    body = transaction(entry(PATIENT).replace(json.dumps(PATIENT), json.dumps(url)))
    assert json.dumps(url).encode() in body
    assert target_of(body) is None
    results, far = run([], [item(0, body=body)])
    assert far.requests == []
    assert results["ID0"] == Failed(Reason.DELIVERY_FORM, refused=True, final=True)


def test_a_condition_of_another_kind_is_left_to_the_recipient():
    body = transaction(entry(PATIENT).replace('"*"', '"W/1"'), entry("Observation/o", create=False))
    target = target_of(body)
    assert target.creates == ()
    assert target.places == (PATIENT, "Observation/o")


def test_nothing_but_entries_that_are_taken_goes():
    body = transaction(
        entry(PATIENT), entry(DEVICE, "123456789012345678901234567890.10"), entry("Observation/o")
    )
    left = json.loads(without(body, target_of(body), {PATIENT}), parse_float=str)
    assert [one["request"] for one in left["entry"]] == [
        {"method": "PUT", "url": DEVICE},
        {"method": "PUT", "url": "Observation/o"},
    ]
    assert left["entry"][0]["resource"]["x"] == "123456789012345678901234567890.10"


def test_what_is_remembered_is_bounded_and_shared_by_all_links_to_one_base():
    places = places_of("https://h/fhir")
    assert places_of("https://h/fhir") is places
    assert places_of("https://h/other") is not places
    places.remember([f"Patient/p{n}" for n in range(KNOWN_MAX + 1)])
    assert not places.known("Patient/p0")
    assert places.known("Patient/p1")


def test_reverse_without_a_look_the_sparse_one_is_written(monkeypatch):
    monkeypatch.setattr("oathward.courier.fhir._THERE", frozenset())
    monkeypatch.setattr("oathward.courier.fhir._NOT_THERE", frozenset({200}))
    _, far = run([[answer(200)], OK_2], [result(0, PATIENT)])
    assert sent(far)[-1] == [PATIENT, "Observation/o-0"]
