"""A profile in words: every class, action and parameter is told, and what differs between two."""

import pytest

from oathward.core.labels import CLASSES
from oathward.deid import words
from oathward.deid.action import actions
from oathward.deid.profile import builtin_profiles, builtin_texts, parse

PROFILES = builtin_profiles()
BASE = builtin_texts()["safe-harbor"]


def changed(old: str, new: str):
    assert old in BASE
    return parse("safe-harbor", BASE.replace(old, new, 1))


def test_every_action_and_parameter_has_words():
    assert [name for name in actions() if (name, "") not in words.BECOMES] == []
    given = {(name, key) for name, action in actions().items() for key in action.parameters}
    assert given - words.MEANINGS.keys() == set()


def test_an_action_nobody_wrote_words_for_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(words, "BECOMES", {})
    assert "is changed by `year`" in {row.becomes for row in words.said(PROFILES["safe-harbor"])}


@pytest.mark.parametrize("name", PROFILES)
def test_every_class_is_told_once(name: str):
    rows = words.said(PROFILES[name])
    assert {row.cls for row in rows} == CLASSES
    assert len(rows) == len(CLASSES)
    for row in rows:
        assert row.becomes
        action = PROFILES[name].action_of(row.cls)
        if row.cls not in ("structure", "uncatalogued"):
            assert row.action == action
            assert ("is removed" in row.becomes) == (action in ("remove", "listed"))


@pytest.mark.parametrize("name", PROFILES)
def test_the_head_of_a_file_says_what_it_is_for_and_does_not_claim(name: str):
    head = words.about(builtin_texts()[name])
    assert all(head)
    assert builtin_texts()[name].startswith(f"# {head.summary}\n#\n")
    assert not any(word in head.details + head.summary for word in ("Not claimed:", "Source:"))
    assert "#" not in "".join(head)


def test_a_file_without_a_head_says_nothing():
    assert words.about('name = "x"\n') == ("", "", "", "")
    assert words.about("# One line\n# and another.\n# Source: us.\n") == (
        "One line and another.",
        "",
        "",
        "us.",
    )


def test_parameters_are_told_with_their_meaning():
    told = words.settings(PROFILES["research"])
    assert [(one.action, one.name) for one in told] == [
        ("attachment", "below"),
        ("attachment", "recall"),
        ("listed", "above"),
        ("listed", "up_to"),
        ("listed", "values"),
        ("text", "below"),
        ("text", "recall"),
    ]
    assert all(one.meaning and one.values for one in told)
    assert words.settings(PROFILES["treatment"]) == ()


def test_a_profile_and_itself_differ_in_nothing():
    assert words.difference(PROFILES["research"], PROFILES["research"]) == ()


@pytest.mark.parametrize(
    ("old", "new", "cls", "before", "after", "direction"),
    [
        ('"observation.time" = "year"', '"observation.time" = "keep"', "observation.time", "leaves the year", "stays as it is", "more"),
        ('"patient.time" = "year"\n', "", "patient.time", "leaves the year", "is removed", "less"),
        ('"patient.time" = "year"', '"patient.time" = "shift"', "patient.time", "leaves the year", "secret number of days", "other"),
        ("[actions]", '[actions]\n"order" = "pseudonym"', "order", "is removed", "keyed name", "more"),
        ('"device.type" = "keep"', '"device.type" = "mask"', "device.type", "stays as it is", "asterisks", "less"),
        ('up_to = ["89"]', 'up_to = ["99"]', "patient.demographic", "up to 89", "up to 99", "other"),
        ('uncatalogued = "remove"', 'uncatalogued = "hold"', "uncatalogued", "is removed", "holds the message", "other"),
        ('uncatalogued = "remove"', 'uncatalogued = "pass"', "uncatalogued", "is removed", "stays", "more"),
    ],
)  # fmt: skip
def test_what_differs_is_told_of_the_class_it_concerns(
    old: str, new: str, cls: str, before: str, after: str, direction: str
):
    (found,) = words.difference(PROFILES["safe-harbor"], changed(old, new))
    assert found.cls == cls
    assert before in found.before
    assert after in found.after
    assert found.direction == direction


def test_another_list_of_values_is_told_too():
    (found,) = words.difference(PROFILES["safe-harbor"], changed('"M", ', ""))
    assert found.cls == "patient.demographic"
    assert "F, M, O" in found.before
    assert "F, O" in found.after
    assert found.direction == "other"


def test_the_counts_add_up():
    for profile in PROFILES.values():
        numbers = [int(word) for word in words.everything(profile).split() if word.isdecimal()]
        assert numbers[0] == len(CLASSES) == sum(numbers[1:])
