"""Choices: until when one stands as it does."""

from tests.unit.policy import small

from oathward.consent.choices import applied, choices_of, statements_for
from oathward.consent.model import Statement

BUNDLE = small.bundle()
END_US = small.NOW_US + 1_000_000


def research(*statements):
    return next(
        one for one in choices_of(BUNDLE, statements, small.NOW_US) if one.kind == "use" and one.asked
    )


def answered(standing, answer, **more):
    choice = research(*standing)
    return research(*applied(choice, standing, statements_for(choice, answer, source="portal", **more)))


def test_a_yes_that_ends_says_when():
    assert research(Statement(small.consent("g", end_us=END_US), "paper form")).until_us == END_US


def test_a_no_does_not_end_with_the_yes_it_overrules():
    """Who took permission back is not told that this may change on the day on which an old paper would have ended."""
    standing = (Statement(small.consent("g", end_us=END_US), "paper form"),)
    now = answered(standing, "not-allowed")
    assert (now.state, now.until_us) == ("not-allowed", None)


def test_a_yes_without_end_does_not_end_with_an_older_one():
    standing = (Statement(small.consent("g", end_us=END_US), "paper form"),)
    now = answered(standing, "allowed")
    assert (now.state, now.until_us) == ("allowed", None)


def test_a_no_that_ends_says_when_the_yes_below_it_counts_again():
    standing = (
        Statement(small.consent("g"), "paper form"),
        Statement(small.consent("d", permit=False, end_us=END_US), "paper form"),
    )
    now = research(*standing)
    assert (now.state, now.until_us) == ("not-allowed", END_US)


def test_the_first_end_that_changes_something_is_told():
    standing = (
        Statement(small.consent("g", end_us=END_US), "paper form"),
        Statement(small.consent("h", end_us=END_US + 1), "paper form"),
    )
    assert research(*standing).until_us == END_US + 1
