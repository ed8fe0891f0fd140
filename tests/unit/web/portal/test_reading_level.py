"""The portal's texts are read by everybody: the formulas, the counter under them, and what they say of our texts."""

from pathlib import Path

import pytest
from tests.architecture import tracked

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def reading():
    return tracked.script("reading_level")


def known():
    for line in (HERE / "syllables.tsv").read_text(encoding="utf-8").splitlines():
        language, word, number = line.split("\t")
        yield language, word, int(number)


def test_every_page_and_all_of_them_are_easy_enough_and_nothing_is_jargon(reading, capsys):
    assert reading.main() == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert "en  all" in said
    assert "es  all" in said


def test_syllables_are_those_of_the_words_we_know(reading):
    counters = {"en": reading.syllables_en, "es": reading.syllables_es}
    wrong = [(word, number, counters[language](word)) for language, word, number in known() if counters[language](word) != number]  # fmt: skip
    assert len(list(known())) > 130
    assert wrong == []


def test_the_formulas_give_what_they_give_by_hand(reading):
    found = reading.count("The cat sat on the mat. It was a good cat.", reading.syllables_en)
    assert (found.sentences, found.words, found.syllables) == (2, 11, 11)
    assert reading.grade_en(found) == pytest.approx(0.39 * 5.5 + 11.8 - 15.59)
    huerta, inflesz = reading.ease_es(reading.count("El gato come. La casa es grande.", reading.syllables_es))
    assert huerta == pytest.approx(206.84 - 60 * 11 / 7 - 1.02 * 3.5)
    assert inflesz == pytest.approx(206.835 - 62.3 * 11 / 7 - 3.5)


def test_a_hard_page_is_found_although_all_together_are_easy(reading):
    hard = "Notwithstanding the aforementioned institutional considerations, individuals may subsequently reconsider participation."
    easy = {f"n{i}": "You can see it here. It is yours. Ask us." for i in range(20)}
    table = {"frame": easy, "home": {"one": hard, "two": hard, "three": hard}}
    why = {level.page: level.why for level in reading.levels("en", table)}
    assert why["home"]
    assert not why["all"]
    duro = "No obstante las consideraciones institucionales anteriormente mencionadas, la participación subsiguiente permanecerá condicionada."
    facil = {f"n{i}": "Lo ve en esta hoja. Es suyo. Llame ya." for i in range(30)}
    why = {
        level.page: level.why
        for level in reading.levels("es", {"frame": facil, "home": {"a": duro, "b": duro, "c": duro}})
    }
    assert why["home"]
    assert not why["all"]


@pytest.mark.parametrize(("language", "text"), [("en", "Your PHI"), ("en", "All endpoints"), ("en", "The Subject is here."), ("es", "El destinatario")])  # fmt: skip
def test_a_word_of_ours_is_found_in_a_title_too(reading, language, text):
    found = reading.levels(language, {"frame": {"a": "Ven ya. No va. Es así.", "title": text}})
    assert [level.page for level in found if level.why] == ["frame.title"]


def test_words_that_only_begin_alike_are_none(reading):
    assert reading.jargon("Philip was subjected to an apiary.", reading.JARGON["en"]) == []


def test_a_label_makes_no_page_easier(reading):
    assert reading.count("Sign out", reading.syllables_en) == reading.Count()
