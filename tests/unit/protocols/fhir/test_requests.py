"""Requests: what is asked for, of what, under which conditions; batches and transactions; what is refused and why."""

import orjson
import pytest
from tests.fhir import bundle, changed, entry, observation, patient, raw, urn

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import reader
from oathward.protocols.fhir.check import DefinitionError
from oathward.protocols.fhir.limits import Limits
from oathward.protocols.fhir.message import Request
from oathward.protocols.fhir.reader import decode, request_bytes

UNSUPPORTED, REQUEST, TYPE = Reason.INTERACTION_UNSUPPORTED, Reason.REQUEST_INVALID, Reason.TYPE_UNKNOWN


def refused(data, limits=reader.LIMITS):
    with pytest.raises(DecodeError) as caught:
        decode(data, limits)
    return caught.value.where, caught.value.reason


def headed(head, resource=None):
    return head + orjson.dumps(observation() if resource is None else resource)


def test_a_create_is_read():
    message = decode(raw(observation(), if_none_exist="identifier=urn:oid:1.2.3.4|77312-9"))
    one = message.entries[0]
    assert (message.code, message.trigger, message.bundle) == ("FHIR", "Observation", "")
    assert (one.method, one.type, one.id, one.full_url, one.index) == ("POST", "Observation", "", "", 0)
    assert one.if_none_exist == "identifier=urn:oid:1.2.3.4|77312-9"
    assert one.resource == observation()


def test_an_update_is_read():
    message = decode(raw(patient("7"), "PUT", "Patient/7", if_match='W/"3"'))
    one = message.entries[0]
    assert (one.method, one.type, one.id, one.if_match) == ("PUT", "Patient", "7", 'W/"3"')
    assert message.request == Request("PUT", "Patient/7", (("if-match", 'W/"3"'),))


def test_a_request_is_written_as_it_is_read():
    request = Request("PUT", "Patient/7", (("if-match", 'W/"3"'),))
    assert request_bytes(request, b"{}") == b'PUT Patient/7\nif-match: W/"3"\n\n{}'
    assert request_bytes(Request("POST", ""), b"{}") == b"POST \n\n{}"
    assert decode(raw(patient("7"), "PUT", "Patient/7", if_match='W/"3"')).request == request


@pytest.mark.parametrize(
    "request_",
    [
        Request("PUT", "Patient/7\nif-match: 1"),
        Request("PUT", "Patient/7", (("if-match", "1\n\n{}"),)),
        Request("PUT", "Patient/7", (("if-match", "1\r"),)),
        Request("PUT", "Patient/7", (("x-other", "1"),)),
        Request("PUT", "Patient/ü"),
    ],
)
def test_nothing_in_a_request_can_become_another_line(request_):
    with pytest.raises(DecodeError) as caught:
        request_bytes(request_, b"{}")
    assert caught.value.reason is REQUEST


BAD_HEADS = {
    "no head": (b"", REQUEST),
    "no empty line": (b"POST Observation\n", REQUEST),
    "not plain": ("POST Observation\nif-none-exist: ü\n\n".encode(), REQUEST),
    "unknown condition": (b"POST Observation\nif-modified-since: x\n\n", REQUEST),
    "condition twice": (b"POST Observation\nif-none-exist: a\nif-none-exist: b\n\n", REQUEST),
    "condition without value": (b"POST Observation\nif-none-exist\n\n", REQUEST),
    "if-match of a create": (b'POST Observation\nif-match: W/"1"\n\n', REQUEST),
    "if-none-exist of an update": (b"PUT Observation/1\nif-none-exist: a\n\n", REQUEST),
    "long head": (b"POST Observation\nif-none-exist: " + b"a" * 5_000 + b"\n\n", REQUEST),
    "read": (b"GET Observation/1\n\n", UNSUPPORTED),
    "delete": (b"DELETE Observation/1\n\n", UNSUPPORTED),
    "patch": (b"PATCH Observation/1\n\n", UNSUPPORTED),
    "small letters": (b"post Observation\n\n", UNSUPPORTED),
    "search": (b"POST Observation/_search\n\n", UNSUPPORTED),
    "operation": (b"POST $process-message\n\n", UNSUPPORTED),
    "operation of a type": (b"POST Patient/$match\n\n", UNSUPPORTED),
    "create with an id": (b"POST Observation/1\n\n", UNSUPPORTED),
    "update without id": (b"PUT Observation\n\n", UNSUPPORTED),
    "update of a version": (b"PUT Observation/1/_history/1\n\n", REQUEST),
    "conditional update": (b"PUT Observation?identifier=a\n\n", UNSUPPORTED),
    "update at the base": (b"PUT \n\n", UNSUPPORTED),
    "unknown type": (b"POST Observations\n\n", TYPE),
    "type of R5": (b"POST Transport\n\n", TYPE),
    "collection": (b"POST Bundle\n\n", UNSUPPORTED),
    "parameters": (b"POST Parameters\n\n", UNSUPPORTED),
    "bad id": (b"PUT Observation/a b\n\n", REQUEST),
    "way out": (b"PUT Observation/../1\n\n", REQUEST),
    "condition at the base": (b"POST \nif-none-exist: a\n\n", REQUEST),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_HEADS)
def test_bad_requests_are_refused_with_their_reason(name):
    head, reason = BAD_HEADS[name]
    assert refused(headed(head))[1] is reason


def test_address_and_body_agree():
    assert refused(raw(patient(), target="Observation")) == ("Observation.resourceType", REQUEST)
    assert refused(raw(patient("7"), "PUT", "Patient/8")) == ("Patient.id", REQUEST)
    assert refused(raw(changed(patient(), id=None), "PUT", "Patient/8")) == ("Patient.id", REQUEST)
    assert refused(raw(observation(), target="")) == ("request", REQUEST)


def test_a_mistake_of_definition_names_every_element():
    with pytest.raises(DefinitionError) as caught:
        decode(raw(observation(status="x", code=None)))
    assert [issue.where for issue in caught.value.issues] == ["Observation.status", "Observation.code"]
    assert caught.value.reason is Reason.CODE_NOT_ALLOWED


# --- bundles


def test_a_transaction_is_read():
    message = decode(
        raw(
            bundle(
                entry(patient("p"), "PUT", full_url="https://hub.example/fhir/Patient/p"),
                entry(observation(), full_url=urn(1), ifNoneExist="identifier=urn:oid:1.2.3.4|77312-9"),
            )
        )
    )
    assert (message.trigger, message.bundle, len(message.entries)) == ("Bundle", "transaction", 2)
    first, second = message.entries
    assert (first.type, first.id, first.if_match, first.index) == ("Patient", "p", "", 0)
    assert (second.full_url, second.if_none_exist, second.index) == (
        urn(1),
        "identifier=urn:oid:1.2.3.4|77312-9",
        1,
    )


def entry_of(**changes):
    return bundle(changed(entry(observation()), **changes))


BAD_BUNDLES = {
    "searchset": (changed(bundle(entry(observation())), type="searchset"), "Bundle.type", UNSUPPORTED),
    "history": (changed(bundle(entry(observation())), type="history"), "Bundle.type", UNSUPPORTED),
    "document": (changed(bundle(entry(observation())), type="document"), "Bundle.type", UNSUPPORTED),
    "collection": (changed(bundle(entry(observation())), type="collection"), "Bundle.type", UNSUPPORTED),
    "answer": (changed(bundle(entry(observation())), type="batch-response"), "Bundle.type", UNSUPPORTED),
    "no such type": (changed(bundle(entry(observation())), type="x"), "Bundle.type", Reason.CODE_NOT_ALLOWED),
    "bdl-1": (changed(bundle(entry(observation())), total=1), "Bundle.total", Reason.RULE_BROKEN),
    "bdl-2": (entry_of(search={"mode": "match"}), "Bundle.entry[0].search", Reason.RULE_BROKEN),
    "bdl-3": (entry_of(request=None), "Bundle.entry[0].request", Reason.RULE_BROKEN),
    "bdl-4": (entry_of(response={"status": "200"}), "Bundle.entry[0].response", Reason.RULE_BROKEN),
    "bdl-7": (
        bundle(entry(observation(), full_url=urn(1)), entry(patient(), full_url=urn(1))),
        "Bundle.entry[1]", Reason.RULE_BROKEN),
    "bdl-8": (entry_of(fullUrl="https://a.example/Observation/1/_history/1"), "Bundle.entry[0].fullUrl", Reason.RULE_BROKEN),
    "no entry": (changed(bundle(), entry=None), "Bundle.entry", Reason.ELEMENT_MISSING),
    "empty": (bundle(), "Bundle.entry", Reason.ELEMENT_MISSING),
    "entry that is no array": (changed(bundle(), entry={"a": 1}), "Bundle.entry", Reason.ELEMENT_MISSING),
    "entry that is no object": (changed(bundle(), entry=["a"]), "Bundle.entry[0]", Reason.ELEMENT_TYPE),
    "element of an entry": (entry_of(more=1), "Bundle.entry[0].children()[2]", Reason.ELEMENT_UNKNOWN),
    "no resource": (entry_of(resource=None), "Bundle.entry[0].resource", Reason.ELEMENT_MISSING),
    "bad resource": (
        bundle(entry(patient()), entry(observation(status="x"))),
        "Bundle.entry[1].resource.status", Reason.CODE_NOT_ALLOWED),
    "read": (entry_of(request={"method": "GET", "url": "Patient/1"}), "Bundle.entry[0].request", UNSUPPORTED),
    "delete": (entry_of(request={"method": "DELETE", "url": "Patient/1"}), "Bundle.entry[0].request", UNSUPPORTED),
    "patch": (entry_of(request={"method": "PATCH", "url": "Patient/1"}), "Bundle.entry[0].request", UNSUPPORTED),
    "no method": (entry_of(request={"url": "Patient"}), "Bundle.entry[0].request.method", Reason.ELEMENT_MISSING),
    "no address": (entry_of(request={"method": "POST"}), "Bundle.entry[0].request.url", Reason.ELEMENT_MISSING),
    "bundle in a bundle": (
        bundle({"resource": bundle(entry(observation())), "request": {"method": "POST", "url": "Bundle"}}),
        "Bundle.entry[0].request", UNSUPPORTED),
    "address of the base": (
        bundle({"resource": observation(), "request": {"method": "POST", "url": "/Observation"}}),
        "Bundle.entry[0].request", UNSUPPORTED),
    "type of another": (
        entry_of(request={"method": "POST", "url": "Patient"}),
        "Bundle.entry[0].resource.resourceType", REQUEST),
    "id of another": (
        bundle(entry(patient("7"), "PUT", "Patient/8")), "Bundle.entry[0].resource.id", REQUEST),
    "unknown type": (entry_of(request={"method": "POST", "url": "Foo"}), "Bundle.entry[0].request", TYPE),
    "if-match of a create": (bundle(entry(observation(), ifMatch='W/"1"')), "Bundle.entry[0].request", REQUEST),
    "a version that nobody compares": (
        bundle(entry(patient(), "PUT", ifMatch='W/"1"')), "Bundle.entry[0].request.ifMatch",
        Reason.CONDITION_UNSUPPORTED),
    "if-none-exist of an update": (
        bundle(entry(patient(), "PUT", ifNoneExist="a=b")), "Bundle.entry[0].request", REQUEST),
    "if-none-match": (bundle(entry(observation(), ifNoneMatch='W/"1"')), "Bundle.entry[0].request", REQUEST),
    "relative fullUrl": (entry_of(fullUrl="Observation/1"), "Bundle.entry[0].fullUrl", Reason.VALUE_INVALID),
    "fullUrl of another id": (
        bundle(entry(patient("7"), "PUT", full_url="https://a.example/Patient/8")),
        "Bundle.entry[0].fullUrl", REQUEST),
    "one resource twice": (
        bundle(entry(patient("7"), "PUT"), entry(patient("7"), "PUT")), "Bundle.entry[1]", Reason.RULE_BROKEN),
    "reference to a wrong type inside": (
        bundle(entry(observation(subject={"reference": urn(1)})), entry(observation(), full_url=urn(1))),
        "Bundle.entry[0].resource.subject.reference", Reason.TARGET_NOT_ALLOWED),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_BUNDLES)
@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_bad_bundles_are_refused_at_their_place(name, kind):
    resource, where, reason = BAD_BUNDLES[name]
    if name == "one resource twice" and kind == "batch":
        return  # entries of a batch are independent: two versions of one resource
    resource = changed(resource, type=kind) if resource["type"] == "transaction" else resource
    assert refused(raw(resource)) == (where, reason)


def test_a_batch_may_update_one_resource_twice():
    assert (
        len(decode(raw(bundle(entry(patient("7"), "PUT"), entry(patient("7"), "PUT"), kind="batch"))).entries)
        == 2
    )


def test_entries_are_bounded():
    data = raw(bundle(*(entry(observation()) for _ in range(5))))
    assert refused(data, Limits(entries_max=4)) == ("Bundle.entry", Reason.LIMIT_EXCEEDED)
    assert decode(data, Limits(entries_max=5))


# --- each guard is what refuses


def test_without_the_look_across_entries_they_may_contradict(monkeypatch):
    resource, *_ = BAD_BUNDLES["bdl-7"]
    monkeypatch.setattr(reader, "_across", lambda *_: None)
    assert decode(raw(resource))


def test_without_the_comparison_address_and_body_may_differ(monkeypatch):
    monkeypatch.setattr(reader, "_agree", lambda *_: None)
    assert decode(raw(patient("7"), "PUT", "Patient/8"))
