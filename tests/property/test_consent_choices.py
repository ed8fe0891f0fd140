"""Choices against statements and against decisions: they say the same, forth and back, and no denial is lost."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st
from tests.property import test_policy_codes as codes
from tests.property.test_policy_decide import BUNDLE, TIMES, fresh, links
from tests.unit.policy import small

from oathward.consent.choices import applied, choices_of, consequence, reach, statements_for
from oathward.consent.model import Statement
from oathward.core.labels import CLASSES
from oathward.core.reasons import Reason
from oathward.policy.bundle import Bundle
from oathward.policy.decide import decide
from oathward.policy.model import TRANSPORT_CLASSES, Deny, Link, Permit

CONTENT = CLASSES - TRANSPORT_CLASSES - {"uncatalogued"}
ANSWERS = ["allowed", "not-allowed"]


@dataclass(frozen=True)
class Declared:
    """Links of a bundle: what is drawn; the bundle itself would make a failure's report too long."""

    links: tuple[Link, ...]

    @property
    def bundle(self) -> Bundle:
        return replace(fresh(), links={one.id: one for one in self.links})


@st.composite
def bundles(draw: st.DrawFn) -> Declared:
    """The small bundle with other links: bases, objections and classes drawn anew, labels aside."""
    drawn = [draw(links()) for _ in range(draw(st.integers(1, 4)))]
    return Declared(tuple(replace(one, id=f"l{n}", sensitivity_denied={}) for n, one in enumerate(drawn)))


@st.composite
def said(draw: st.DrawFn) -> tuple[Statement, ...]:
    return tuple(Statement(fact, "paper form") for fact in draw(codes.rich()))


@st.composite
def cases(draw: st.DrawFn):
    """A bundle, what stands (some of it said as choices), one choice and an answer to it."""
    declared, standing, now = draw(bundles()), draw(said()), draw(st.sampled_from(TIMES))
    bundle = declared.bundle
    free = [one for one in choices_of(bundle, standing, now) if one.kind != "law"]
    for n, one in enumerate(free):
        if draw(st.booleans()):
            new = statements_for(one, draw(st.sampled_from(ANSWERS)), source="portal", id_=f"p{n}")
            standing = applied(one, standing, new)
    return declared, standing, now, draw(st.integers(0, 99)), draw(st.sampled_from(ANSWERS))


@given(cases())
def test_an_answer_is_read_back_unless_somebody_else_said_no(case):
    declared, standing, now, which, answer = case
    bundle = declared.bundle
    free = [one for one in choices_of(bundle, standing, now) if one.kind != "law"]
    if not free:
        return
    choice = free[which % len(free)]
    after = applied(choice, standing, statements_for(choice, answer, source="portal", id_="new"))
    again = next(one for one in choices_of(bundle, after, now) if one.id == choice.id)
    if answer == "not-allowed":
        assert again.state == "not-allowed" or not choice.classes
    else:
        assert again.state == "allowed" or again.elsewhere
    twice = applied(again, after, statements_for(again, answer, source="portal", id_="new"))
    assert sorted(map(repr, twice)) == sorted(map(repr, after)), "saying it again changes nothing"


@given(cases())
def test_no_denial_of_anything_else_is_lost(case):
    declared, standing, now, which, answer = case
    bundle = declared.bundle
    free = [one for one in choices_of(bundle, standing, now) if one.kind != "law"]
    if not free:
        return
    choice = free[which % len(free)]
    after = applied(choice, standing, statements_for(choice, answer, source="staff", id_="new"))
    assert [one for one in standing if choice.mark not in one.origins] == [
        one for one in after if choice.mark not in one.origins
    ]


@given(cases())
def test_two_choices_never_fight(case):
    declared, standing, now, which, answer = case
    bundle = declared.bundle
    before = choices_of(bundle, standing, now)
    free = [one for one in before if one.kind != "law"]
    if not free:
        return
    choice = free[which % len(free)]
    after = applied(choice, standing, statements_for(choice, answer, source="portal", id_="new"))
    others = [one for one in choices_of(bundle, after, now) if one.id != choice.id]
    assert others == [one for one in before if one.id != choice.id]
    told = consequence(bundle, choice, standing, _new(choice, answer), now)
    assert {one.link for one in told.changes} <= set(choice.links)


def _new(choice, answer):
    return statements_for(choice, answer, source="portal", id_="new")


@given(bundles(), said(), st.sampled_from(TIMES), st.integers(0, 3), codes.all_facts())
def test_what_reaches_a_link_is_what_decisions_let_pass(declared, standing, now, which, facts):
    """``surely`` passes whatever a message bears; what no message may pass is not in ``perhaps``."""
    bundle = declared.bundle
    drawn = bundle.links[sorted(bundle.links)[which % len(bundle.links)]]
    link = replace(drawn, valid_from_us=None, valid_until_us=None)
    bundle = replace(bundle, links={**bundle.links, link.id: link}, cuts={link.id: OpenCut()})
    consents = tuple(one.fact for one in standing)
    facts = replace(
        facts,
        consents=consents,
        codes_present=codes.codes_met(consents, frozenset(codes.CODES)),
        clock_sure=True,
    )
    answer = decide(bundle, link, facts, now)
    reached = reach(bundle, standing, now)[link.id]
    if isinstance(answer, Permit):
        assert answer.classes & CONTENT <= reached.perhaps
        assert reached.surely <= answer.classes
        whole = answer.withheld or answer.only is not None
        assert not (whole and reached.surely >= link.classes & CONTENT and reached.surely)
    elif isinstance(answer, Deny) and answer.reasons[0] in {Reason.NO_CONSENT, Reason.CONSENT_DENIES}:
        assert not reached.surely


class OpenCut:
    """Conditions that let everything pass: what is compared is consents alone."""

    by_device = False
    reads = ()

    def ask(self, _device, _context):
        from oathward.policy.cedar import Verdict

        return Verdict(allowed=True, policies=("open",), notify=(), errors=())


@given(bundles(), said(), st.sampled_from(TIMES))
def test_every_link_is_told_once_and_law_leaves_no_choice(declared, standing, now):
    bundle = declared.bundle
    told = choices_of(bundle, standing, now)
    assert sorted(one for choice in told for one in choice.links) == sorted(bundle.links)
    for choice in told:
        overruled = {bundle.links[one].objection == "overruled" for one in choice.links}
        assert overruled == {choice.kind == "law"}
        if choice.kind == "law" and not choice.asked:
            assert choice.state == "allowed"


def test_reverse_a_yes_that_dropped_other_denials_would_be_caught():
    """What the second property guards: a yes that took a paper's denial away would let classes pass."""
    denial = Statement(small.consent("d", permit=False), "paper form")
    grant = Statement(small.consent("g"), "paper form")
    choice = next(
        one for one in choices_of(BUNDLE, (grant, denial), small.NOW_US) if one.kind == "use" and one.asked
    )
    yes = statements_for(choice, "allowed", source="portal")
    kept = applied(choice, (grant, denial), yes)
    assert next(o for o in choices_of(BUNDLE, kept, small.NOW_US) if o.id == choice.id).state == "not-allowed"
    dropped = (grant, *yes)
    assert next(o for o in choices_of(BUNDLE, dropped, small.NOW_US) if o.id == choice.id).state == "allowed"
