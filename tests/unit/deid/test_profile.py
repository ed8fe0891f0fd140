"""Profiles: what is listed stays, what is wrong is named with file and key."""

import pytest

from oathward.core.errors import PolicyError
from oathward.core.labels import CLASSES
from oathward.deid.profile import builtin_profiles, builtin_texts, load_profiles, parse

GOOD = """
name = "mine"
uncatalogued = "hold"
[actions]
"observation.*" = "keep"
"observation.time" = "year"
"patient.*" = "remove"
"patient.identifier" = "pseudonym"
"patient.demographic" = "listed"
[parameters.listed]
values = ["F"]
"""


def test_a_class_named_in_full_wins_and_the_rest_is_removed():
    profile = parse("mine", GOOD)
    assert profile.action_of("observation.value") == "keep"
    assert profile.action_of("observation.time") == "year"
    assert profile.action_of("patient.name") == "remove"
    assert profile.action_of("patient.identifier") == "pseudonym"
    assert profile.action_of("staff.name") == "remove"
    assert profile.uncatalogued == "hold"
    assert profile.parameters_of("listed") == {"values": ("F",)}
    assert profile.parameters_of("keep") == {}


def test_order_of_lines_does_not_matter():
    lines = [line for line in GOOD.splitlines() if line.startswith('"')]
    turned = GOOD.replace("\n".join(lines), "\n".join(reversed(lines)))
    assert turned != GOOD
    assert parse("mine", turned) == parse("mine", GOOD)


@pytest.mark.parametrize(
    ("change", "where", "why"),
    [
        (("[actions]", "[acts]"), "profiles/mine.toml acts", "did you mean `actions`?"),
        (('"keep"', '"kep"'), 'actions."observation.*" kep', "did you mean `keep`?"),
        (('"patient.*"', '"patiant.name"'), 'actions."patiant.name"', "did you mean `patient.name`?"),
        (('"patient.*"', '"qqqqq"'), 'actions."qqqqq"', "core/labels.py"),
        (("values =", "value ="), "parameters.listed value", "did you mean `values`?"),
        (('["F"]', "[1]"), "parameters.listed.values", "a list of texts"),
        (("parameters.listed", "parameters.list"), "parameters list", "did you mean `listed`?"),
        (("parameters.listed", "parameters.keep"), "parameters.keep values", "known: none"),
        (('"hold"', '"maybe"'), "uncatalogued", "remove, pass, hold"),
        (('"mine"', '"other"'), "name", 'name = "mine"'),
        (('name = "mine"', "name = "), "profiles/mine.toml", "value"),
        (("[actions]", "actions = 1\n[other]"), "other", "unknown"),
    ],
)
def test_mistakes_are_named(change: tuple[str, str], where: str, why: str):
    with pytest.raises(PolicyError) as caught:
        parse("mine", GOOD.replace(*change))
    assert "profiles/mine.toml" in caught.value.where
    assert where in caught.value.where
    assert why.lower() in caught.value.why.lower()


def test_actions_must_be_a_table():
    with pytest.raises(PolicyError, match=r"write a table \[actions\]"):
        parse("mine", 'name = "mine"\nactions = 1')


def test_a_sites_profiles_stand_beside_the_built_in_ones():
    found = load_profiles({"mine": GOOD})
    assert set(found) == {*builtin_profiles(), "mine"}
    with pytest.raises(PolicyError, match="taken"):
        load_profiles({"treatment": GOOD.replace('"mine"', '"treatment"')})


def test_the_built_in_profiles_say_what_they_do_and_where_from():
    assert set(builtin_texts()) == {
        *(
            "treatment",
            "limited-data-set",
            "safe-harbor",
            "device-telemetry",
            "gdpr-pseudonymised",
            "research",
        ),
    }
    for text in builtin_texts().values():
        head = text.split("\n\n")[0]
        assert all(line.startswith("#") for line in head.splitlines())
        assert "# Source: " in head
    assert "164.514(b)(2)" in builtin_texts()["safe-harbor"]
    assert "Art. 4(5)" in builtin_texts()["gdpr-pseudonymised"]
    assert "164.514(e)" in builtin_texts()["limited-data-set"]


def test_treatment_keeps_every_class():
    assert set(dict(builtin_profiles()["treatment"].actions).values()) == {"keep"}
    assert set(dict(builtin_profiles()["treatment"].actions)) == CLASSES


@pytest.mark.parametrize(
    ("action", "lines", "place", "why"),
    [
        ("listed", 'up_to = ["x"]', "listed.up_to", '["89"]'),
        ("listed", 'above = ["90+"]', "listed.above", "needs `up_to`"),
        ("mask", 'last = ["9"]', "mask.last", "0 to 4"),
        ("bands", 'width = ["0"]', "bands.width", "one whole number"),
        ("bands", 'over = ["1", "2"]', "bands.over", "one whole number"),
        ("bands", 'show = ["both"]', "bands.show", '["least"]'),
        ("generalise", 'country = ["XX"]', "generalise.country", "AT, AU"),
        ("pseudonym", 'shape = ["lose"]', "pseudonym.shape", '["keep"]'),
        ("pseudonym", 'check = ["luhn"]', "pseudonym.check", "needs shape"),
        ("pseudonym", 'shape = ["keep"]\ncheck = ["crc"]', "pseudonym.check", "luhn, npi, nhs"),
    ],
)
def test_parameters_that_cannot_be_used_are_named(action: str, lines: str, place: str, why: str):
    text = f'name = "mine"\n[actions]\n"patient.demographic" = "{action}"\n[parameters.{action}]\n{lines}\n'
    with pytest.raises(PolicyError) as caught:
        parse("mine", text)
    assert caught.value.where == f"profiles/mine.toml parameters.{place}"
    assert why in caught.value.why
