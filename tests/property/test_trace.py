"""Whatever was permitted, refused, delivered or set aside: forwards and then backwards comes home, and to nothing else."""

import base64
from hashlib import sha256
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.site import Site, bundle

from oathward import ledger
from oathward.core.db import write
from oathward.core.errors import InputError
from oathward.core.ids import uuid7
from oathward.ledger import Record, prepare
from oathward.tracing.back import back
from oathward.tracing.ids import NAMES_MAX, WORDS_MAX, Asked, ids_in
from oathward.tracing.onward import of_message

T = 1_800_000_000_000_000
LINKS = ("ehr", "gone", "registry")
FATES = {
    "message.delivered": "delivered",
    "message.dead": "set aside",
    "delivery.discarded": "given up",
    "": "",
}
_serial = count()


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    site = Site.make(tmp_path_factory.mktemp("trace") / "s")
    site.activate(bundle({"ehr": "mllp://127.0.0.1:9"}))
    with site.admin() as found:
        yield found


decisions = st.lists(
    st.tuples(
        st.integers(0, 2),  # part: the message, or one of several patients'
        st.sampled_from(LINKS),
        st.sampled_from(("permit", "deny", "held")),
        st.sampled_from(sorted(FATES)),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one[:2],
)


def outgoing_of(part, link):
    return sha256(f"{part}|{link}".encode()).hexdigest()[:20].upper()


def note(opened, message, told):
    """Write what a gateway and a courier would of one message; gives delivery -> what became of it."""
    found, records, fates = {}, [], []
    for number in sorted({one[0] for one in told}):
        part, answers = f"{message}.{number}" if number else message, []
        for _, link, word, fate in (one for one in told if one[0] == number):
            id_ = outgoing_of(part, link)
            answers.append([link, word, id_, {}] if word == "permit" else [link, word, "policy.denies"])
            if word == "permit":
                found[id_] = FATES[fate]
                if fate:
                    fates.append(Record(fate, {"id": id_}, T + 1, f"s-{part}", (link,), part))
        links = tuple(one[0] for one in answers)
        body = {"answers": answers, "bundle": "starter@1", "device": "mon-1", "type": "ORU^R01"}
        records.append(Record("message.accepted", body, T, f"s-{part}", links, part))
    with write(opened.engine) as db:
        ledger.append(db, opened.site, [prepare(one) for one in (*records, *fates)])
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(decisions, min_size=1, max_size=4))
def test_forwards_then_backwards_comes_home(opened, told):
    for one in told:
        message = uuid7(T // 1_000 + next(_serial))
        expected = note(opened, message, one)
        forwards = of_message(opened, message)
        assert {went.outgoing: went.state for went in forwards.went if went.outgoing} == expected
        assert len(forwards.went) == len(one)
        for outgoing in expected:
            for said in (outgoing, f"{outgoing.lower()}-3"):
                home = back(opened, ids_in([said]))
                assert [came.message for came in home.came] == [message]
                assert [went.outgoing for went in home.went] == [outgoing]
                assert home.before == 0
        all_of_it = back(opened, Asked(list(expected)))
        assert {went.outgoing for went in all_of_it.went} == set(expected)


def test_a_look_back_is_bounded_and_says_where_to_go_on(opened):
    message = uuid7(T // 1_000 - 1)
    [outgoing] = note(opened, message, [(0, "ehr", "permit", "")])
    for _ in range(5):
        note(opened, uuid7(T // 1_000 + next(_serial)), [(0, "ehr", "permit", "")])
    near = back(opened, Asked([outgoing]), records_max=3)
    assert (near.came, near.went) == ([], [])
    assert near.before > 0
    there = back(opened, Asked([outgoing]), before=near.before, records_max=3)
    assert [came.message for came in there.came] == [message]


@given(
    text=st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=20)
    | st.from_regex(r"[A-Za-z2-7]{15,17}|[0-9a-fA-F]{19,21}")
)
def test_what_is_no_id_is_refused_without_saying_it(text):
    try:
        asked = ids_in([text])
    except InputError as refused:
        told = str(refused)
    else:
        told = ""
        assert all(len(one) in {16, 20} and one.isalnum() for one in (*asked.outgoing, *asked.names))
    assert text not in told


def test_of_more_ids_than_are_looked_for_at_once_it_says_how_many_were_not(opened):
    outgoing = [f"{n:020X}" for n in range(WORDS_MAX + 2)]
    names = [base64.b32encode(n.to_bytes(10)).decode() for n in range(NAMES_MAX + 3)]
    assert back(opened, Asked(outgoing, names)).not_looked == 5
    assert back(opened, Asked(outgoing[:2] * WORDS_MAX, names[:2])).not_looked == 0
