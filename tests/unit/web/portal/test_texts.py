"""Texts are files: both languages say the same things, and what is shown is written."""

from datetime import UTC, datetime

import pytest

from oathward.core.errors import SettingsError
from oathward.web.portal import texts

EN = '[home]\ntitle = "Hello {name}"\nopen = { one = "{count} request", other = "{count} requests" }\n'
ES = '[home]\ntitle = "Hola {name}"\nopen = { one = "{count} petición", other = "{count} peticiones" }\n'


def read(folder, en=EN, es=ES):
    (folder / "en.toml").write_text(en)
    (folder / "es.toml").write_text(es)
    return texts.load(folder)


def test_both_languages_are_shipped_and_say_the_same_things():
    found = texts.load()
    assert {"en", "es"} <= set(found)
    assert found["en"].sentences.keys() == found["es"].sentences.keys()
    assert len(found["en"].sentences) > 20


def test_a_sentence_has_its_parameters_and_its_form(tmp_path):
    found = read(tmp_path)
    assert found["es"].say("home.title", name="Ana") == "Hola Ana"
    assert [found["en"].say("home.open", count=n) for n in (0, 1, 2)] == [
        "0 requests",
        "1 request",
        "2 requests",
    ]


def test_a_value_with_braces_is_shown_as_it_is(tmp_path):
    assert read(tmp_path)["en"].say("home.title", name="{count}") == "Hello {count}"


@pytest.mark.parametrize("given", [{}, {"name": "a", "more": "b"}, {"count": 1}])
def test_other_parameters_are_an_error(tmp_path, given):
    with pytest.raises(ValueError, match="takes name"):
        read(tmp_path)["en"].say("home.title", **given)


@pytest.mark.parametrize(
    ("es", "why"),
    [
        ('[home]\ntitle = "Hola {name}"\n', "es.toml home.open: is missing"),
        (ES + 'more = "y más"\n', "en.toml home.more: is missing"),
        (ES.replace("{name}", "{nombre}"), "home.title: has not the parameters"),
        (ES.replace("{name}", "amiga"), "home.title: has not the parameters"),
        (ES.replace('{ one = "{count} petición", other = "{count} peticiones" }', '"{count}"'), "home.open: has not"),
        (ES.replace("one =", "few ="), "has the forms"),
        (ES.replace("Hola", "Hola {"), "brace"),
        (ES.replace('"Hola {name}"', "3"), "must be a sentence"),
        (ES.replace('"Hola {name}"', '" "'), "must be a sentence"),
        ('title = "Hola"', "must be a section"),
        ("[home", "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused_and_names_the_place(tmp_path, es, why):
    with pytest.raises(SettingsError) as found:
        read(tmp_path, es=es)
    assert why in f"{found.value.where}: {found.value.why}"


def test_without_english_there_are_no_texts(tmp_path):
    (tmp_path / "es.toml").write_text(ES)
    with pytest.raises(SettingsError):
        texts.load(tmp_path)


def test_what_is_shown_and_not_written_is_an_error(tmp_path):
    found = read(tmp_path)["en"]
    texts.check_named(found, ["home.title", "home.open"])
    with pytest.raises(SettingsError, match=r"home\.gone"):
        texts.check_named(found, ["home.title", "home.gone"])


def test_a_day_is_written_as_people_do():
    found, at = texts.load(), datetime(2026, 3, 9, 7, 5, tzinfo=UTC)
    assert found["en"].day(at) == "March 9, 2026"
    assert found["es"].moment(at) == "9 de marzo de 2026 a las 07:05 UTC"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("es", "es"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("fr, es;q=0.2", "es"),
        ("en;q=0.5, es;q=0.7", "es"),
        ("es;q=0", "en"),
        ("es;q=banana, fr", "en"),
        ("*", "en"),
        (", ".join(["fr"] * 1_000 + ["es"]), "en"),
    ],
)
def test_the_language_a_browser_likes_best(header, code):
    assert texts.accepted(header, ("en", "es")) == code
