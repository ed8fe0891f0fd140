"""A type is guessed from what a device shows, with reasons; what shows nothing known gets no answer."""

from hypothesis import given
from hypothesis import strategies as st

from oathward.discovery.model import Fact, Mark, MarkKind
from oathward.endpoints import inferring
from oathward.endpoints.inferring import Example, Service, best_guess, infer, learn, tokens_of

COMMON = {"asks dns", "asks dhcp"}


def examples():
    for maker in range(4):
        for n in range(3):
            own = {f"card 00:1b:c{maker}", f"domain maker{maker}.example", f"asks tcp {7_000 + n}"}
            yield Example(
                "infusion-pump", frozenset(COMMON | own | {"asks hl7", "options 1,3,6"}), f"p{maker}"
            )
            own = {f"card 00:50:c{maker}", f"domain eye{maker}.example", f"asks tcp {8_000 + n}"}
            yield Example("camera", frozenset(COMMON | own | {"serves rtsp", "options 1,3,28"}), f"c{maker}")


LEARNED = learn(list(examples()))


def test_a_device_like_the_examples_gets_their_type_and_the_reasons():
    shown = frozenset(COMMON | {"asks hl7", "card 00:1b:c1", "domain maker1.example", "options 1,3,6"})
    guess = infer(LEARNED, shown)
    assert guess is not None
    assert guess.type == "infusion-pump"
    assert "asks hl7" in guess.reasons
    assert not set(guess.reasons) & COMMON


def test_what_shows_nothing_that_tells_types_apart_gets_no_answer():
    assert infer(LEARNED, frozenset(COMMON)) is None
    assert infer(LEARNED, frozenset({"asks sip", "card 00:11:22", "domain other.example", *COMMON})) is None
    assert best_guess(LEARNED, frozenset({"asks sip"})) is None
    assert infer(LEARNED, frozenset()) is None


def test_without_the_least_confidence_anything_would_be_answered(monkeypatch):
    monkeypatch.setattr(inferring, "CONFIDENCE_MIN", 0.0)
    assert infer(LEARNED, frozenset(COMMON)) is not None


def test_more_that_is_known_never_makes_a_guess_less_sure():
    little = best_guess(LEARNED, frozenset({"serves rtsp", "domain new.example", "card 00:aa:bb"}))
    more = best_guess(LEARNED, frozenset({"serves rtsp", "domain eye1.example", "card 00:50:c1"}))
    assert little is not None
    assert more is not None
    assert little.confidence < more.confidence


def test_one_type_alone_and_no_examples_answer_nothing_surely():
    alone = learn([Example("camera", frozenset({"serves rtsp"}), "a")])
    assert infer(alone, frozenset({"serves rtsp"})) is None
    assert infer(learn([]), frozenset({"serves rtsp"})) is None


def test_tokens_say_no_number_of_one_device():
    marks = [Mark(MarkKind.MAC, "00:1b:c5:12:34:56"), Mark(MarkKind.MAC, "da:a1:19:00:00:01"), Mark(MarkKind.HOST, "Pump-4711-a9f3")]  # fmt: skip
    facts = [Fact("dhcp-options", "1,3,6", 0.8), Fact("dhcp-vendor-class", "udhcp 1.22.1", 0.8), Fact("location", "ICU", 1.0)]  # fmt: skip
    services = [Service(True, "tcp", 443, "tls", "a.b.cloud.example"), Service(True, "udp", 51_234), Service(False, "tcp", 80, "http", "10.0.0.1")]  # fmt: skip
    found = tokens_of(marks, facts, services)
    assert found == {
        "card 00:1b:c5", "host pump-#-#", "options 1,3,6", "vendor-class udhcp #.#.#", "asks tls", "asks tcp 443",
        "domain cloud.example", "serves http", "serves tcp 80",
    }  # fmt: skip
    assert not any("4711" in token or "51234" in token or "ICU" in token for token in found)


@given(st.frozensets(st.text(max_size=20), max_size=400))
def test_any_tokens_are_survived(tokens):
    guess = best_guess(LEARNED, tokens)
    assert guess is None or 0 <= guess.confidence <= 1


@given(st.lists(st.builds(Service, st.booleans(), st.text(max_size=5), st.integers(), st.text(max_size=5), st.text(max_size=30)), max_size=300))  # fmt: skip
def test_tokens_are_bounded(services):
    assert len(tokens_of((), (), services)) <= inferring.TOKENS_MAX
