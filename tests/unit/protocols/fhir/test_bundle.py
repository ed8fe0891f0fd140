"""A batch is cut into what can be stood for by itself; what is whole stays as it came."""

import orjson
import pytest
from tests.fhir import bundle, changed, entry, identifier, observation, patient, raw

from oathward.core.errors import DecodeError
from oathward.core.reasons import Reason
from oathward.protocols.fhir import bundle as cutter
from oathward.protocols.fhir.bundle import pieces
from oathward.protocols.fhir.limits import Limits
from oathward.protocols.fhir.persons import mixed, persons
from oathward.protocols.fhir.reader import decode


def of(patient_id, **changes):
    return entry(observation(subject={"reference": f"Patient/{patient_id}"}, **changes))


def told(found):
    return [(piece.indices, piece.error.reason.code if piece.error else "") for piece in found]


def test_a_resource_and_a_transaction_are_one_piece():
    for resource, count in ((observation(), 1), (bundle(of(1), of(2), of(3)), 3)):
        data = raw(resource)
        (piece,) = pieces(data)
        assert piece.raw is data
        assert (piece.indices, piece.error) == (tuple(range(count)), None)
        assert piece.message.raw is data


def test_a_batch_about_one_patient_is_one_piece():
    data = raw(bundle(*(of(1) for _ in range(100)), kind="batch"))
    (piece,) = pieces(data)
    assert piece.raw is data
    assert piece.indices == tuple(range(100))
    assert len(piece.message.entries) == 100


def test_a_batch_is_cut_by_patient_in_its_order():
    whole = bundle(of(1), of(2), of(1), entry({"resourceType": "Organization", "name": "a"}), kind="batch")
    found = pieces(raw(whole))
    assert told(found) == [((0, 2), ""), ((1,), ""), ((3,), "")]
    assert [len(persons(piece.message)) for piece in found] == [1, 1, 0]


def test_bad_entries_are_pieces_of_their_own_and_the_rest_goes_on():
    whole = bundle(
        of(1),
        of(1, status="x"),
        {"request": {"method": "DELETE", "url": "Observation/1"}},
        of(1),
        {"request": {"method": "GET", "url": "Patient?name=a"}},
        entry(patient("7"), "PUT", "Patient/8"),
        kind="batch",
    )
    found = pieces(raw(whole))
    assert told(found) == [
        ((0, 3), ""),
        ((1,), "message.code-not-allowed"),
        ((2,), "fhir.interaction-unsupported"),
        ((4,), "fhir.interaction-unsupported"),
        ((5,), "message.request-invalid"),
    ]
    assert found[1].error.where == "Bundle.entry[1].resource.status"
    assert [piece.message is None for piece in found] == [False, True, True, True, True]


def test_a_resource_about_two_patients_is_a_piece_of_its_own():
    whole = bundle(of(1), of(1, performer=[{"reference": "Patient/2"}]), of(1), of(2), kind="batch")
    found = pieces(raw(whole))
    assert told(found) == [((0, 2), ""), ((1,), ""), ((3,), "")]
    assert [mixed(piece.message) for piece in found] == [(), (0,), ()]


def test_a_piece_says_of_itself_what_it_says_when_it_is_read():
    whole = bundle(of(1), of(2), of(1, status="x"), of(2), kind="batch")
    for piece in pieces(raw(whole)):
        if piece.error is not None:
            with pytest.raises(DecodeError) as caught:
                decode(piece.raw)
            assert caught.value.reason is piece.error.reason
            continue
        again = decode(piece.raw)
        assert again.entries == piece.message.entries
        assert again.body == piece.message.body
        assert persons(again) == persons(piece.message)


def test_numbers_keep_their_digits_when_a_batch_is_cut():
    text = orjson.dumps(bundle(of(1), of(2), kind="batch")).replace(b"120.5", b"120.500")
    found = pieces(b"POST \n\n" + text)
    assert [piece.raw.count(b'"value":120.500,') for piece in found] == [1, 1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"POST \n\n{", Reason.JSON_INVALID),
        (b"POST \n\n", Reason.MESSAGE_EMPTY),
        (raw(bundle(kind="batch")), Reason.ELEMENT_MISSING),
        (raw(bundle(of(1), of(1, status="x"))), Reason.CODE_NOT_ALLOWED),
        (raw(observation(status="x")), Reason.CODE_NOT_ALLOWED),
        (raw(changed(bundle(of(1)), type="searchset")), Reason.INTERACTION_UNSUPPORTED),
        (b"GET /\n\n", Reason.INTERACTION_UNSUPPORTED),
        (b"", Reason.REQUEST_INVALID),
    ],
)
def test_what_is_wrong_as_a_whole_is_one_piece(data, reason):
    (piece,) = pieces(data)
    assert piece.raw == data
    assert piece.error.reason is reason
    assert piece.message is None


def test_every_entry_bad():
    found = pieces(raw(bundle(of(1, status="x"), of(2, status="y"), kind="batch")))
    assert [piece.indices for piece in found] == [(0,), (1,)]


def test_what_pieces_hold_together_is_bounded():
    organization = {"resourceType": "Organization", "id": "o", "name": "a" * 10_000}
    entries = [of(n, performer=[{"reference": "Organization/o"}]) for n in range(20)]
    data = raw(bundle(entry(organization, "PUT"), *entries, kind="batch"))
    assert len(pieces(data)) == 20
    (piece,) = pieces(data, Limits(repeated_bytes_max=100_000))
    assert piece.error.reason is Reason.LIMIT_EXCEEDED


def test_patients_by_identifier_are_told_apart():
    first, second = (entry(observation(subject={"identifier": identifier(value)})) for value in "AB")
    assert [p.indices for p in pieces(raw(bundle(first, second, first, kind="batch")))] == [(0, 2), (1,)]


def test_without_the_cut_by_patient_all_would_be_one(monkeypatch):
    data = raw(bundle(of(1), of(2), kind="batch"))
    monkeypatch.setattr(cutter, "parts", lambda message, _: [tuple(range(len(message.entries)))])
    assert len(pieces(data)) == 1
