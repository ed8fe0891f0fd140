"""The guard and the card must see the same word in the same disguise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.words import WordHasher, plain, token_of, variants, words_in

KEY = b"k" * 32


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("O'Brien^Mary-Ann", ["brien", "mary", "ann"]),
        ("MÜLLER", ["muller"]),
        ("Mu\u0308ller", ["muller"]),
        ("Łukasz Søren Æsir", ["lukasz", "soren", "aesir"]),
        ("Straße", ["strasse"]),
        ("İzmir", ["izmir"]),
        ("山田^太郎", ["山田", "太郎"]),
        ("Ａｌｉｃｅ", ["alice"]),
        ("Γιώργος", ["γιωργοσ"]),
        ("Ǽsir Ǿrsted", ["aesir", "orsted"]),
        ("Smi\u00adth Jo\u200bhn", ["smith", "john"]),
        ("ab c 12", []),
        ("first_last", ["first", "last"]),
    ],
)
def test_words_of_a_text(text, words):
    assert words_in(text) == words


@given(st.text())
def test_words_do_not_depend_on_case_or_accents(text):
    assert plain(plain(text)) == plain(text)
    assert words_in(plain(text)) == words_in(text)


@given(st.text(alphabet="abcXYZ019 -.()+@"))
def test_a_token_survives_punctuation(text):
    assert token_of(text) == token_of("-".join(text))


def test_words_and_tokens_do_not_collide():
    hasher = WordHasher(KEY)
    assert hasher.word("smith") != hasher.token("smith")
    assert hasher.word("smith") != WordHasher(b"j" * 32).word("smith")


def test_hashes_are_stable_over_the_memo():
    hasher = WordHasher(KEY)
    first = hasher.words("Smith John")
    hasher.forget()
    assert hasher.words("JOHN, smith") == first
    assert all(len(h) == 8 for h in first)


def test_umlauts_have_variants():
    assert {w for v in variants("Müller") for w in words_in(v)} == {"muller", "mueller"}


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="word key"):
        WordHasher(b"short")


def test_every_character_has_one_plain_form():
    broken = [
        c for c in map(chr, range(0x10FFFF)) if not "\ud800" <= c <= "\udfff" and plain(plain(c)) != plain(c)
    ]
    assert broken == []
