"""Promises about passwords: long enough, not what everybody tries, of any characters, hashed with today's figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper.sign_in import passwords
from oathward.vault.keeper.sign_in.passwords import LENGTH_MAX, Hashes, check_new, left_of

ABOUT = ("Ada Lovelace", "ada.lovelace@hospital.example", "E-4711", "st-mary")

GOOD = (
    "purple kettle drifts along",
    "Grünes Fahrrad im Keller",
    "kq8#vT2mWz9!pLx4",
    "四月に白い猫が三匹ベランダで寝ていた",
    "tr0ub4dor&3 zebra crossing",
    "x9" * 3 + "Vb!wq7Lm3",
    "mein Kater heißt Wladimir",
    "🐢🐇🐿️🦔🦇🦉🐌🐞🦋🐝🐜🕷️🦂🐢🐍",
    "z" + "kvbqjxwmzpftrnd" * 8,
)

BAD = (
    "password12345678",
    "Passw0rd!Passw0rd!",
    "P@$$w0rd P@$$w0rd",
    "drowssapdrowssap",
    "qwertyuiopasdfgh",
    "1qaz2wsx3edc4rfv",
    "123456789012345678",
    "987654321098765432",
    "aaaaaaaaaaaaaaaaaaaa",
    "abcabcabcabcabcabcabc",
    "correct horse battery staple",
    "Summer2026!Summer2026!",
    "Welcome to the hospital",
    "letmein letmein letmein",
    "changeme-changeme-1",
    "adalovelace2030!!!",
    "Lovelace-Lovelace-1",
    "ada.lovelace@hospital.example",
    "st-mary st-mary st-mary",
    "               ",
    "---------------",
    "admin admin admin",
    "12 34 56 78 90 12",
    "Oathward2026Oathward",
)


@pytest.mark.parametrize("password", GOOD)
def test_what_nobody_guesses_is_taken(password):
    check_new(password, 15, ABOUT)


@pytest.mark.parametrize("password", BAD)
def test_what_everybody_tries_is_refused(password):
    with pytest.raises(KeeperError) as caught:
        check_new(password, 15, ABOUT)
    assert caught.value.reason is Reason.PASSWORD_REFUSED
    assert password not in str(caught.value)


def test_reverse_names_are_refused_for_being_names():
    """The same password is good for somebody else."""
    check_new("wladimir-wostok-1", 15, ())
    with pytest.raises(KeeperError):
        check_new("wladimir-wostok-1", 15, ("Wladimir Wostok",))


@pytest.mark.parametrize(
    "password", ["kq8#vT2mWz9!pL", "x" * (LENGTH_MAX + 1), "kq8#vT2mWz9!pLx4\n", "kq8#vT2mWz9!\x00pLx4"]
)
def test_too_short_too_long_and_what_cannot_be_typed(password):
    with pytest.raises(KeeperError):
        check_new(password, 15, ())


def test_every_length_up_to_the_longest_is_taken_whole():
    whole = ("kvbqjxwmzpftrnd 7" * 16)[:LENGTH_MAX]
    check_new(whole, 15, ())
    hashes = Hashes(memory_kib=64, passes=1)
    stored = hashes.make(whole)
    assert hashes.verify(whole, stored)
    assert not hashes.verify(whole[:-1], stored), "the last character counts too"


def test_two_ways_to_write_one_letter_are_one_password():
    hashes = Hashes(memory_kib=64, passes=1)
    assert hashes.verify("Gru\u0308n im Keller", hashes.make("Gr\u00fcn im Keller"))


@given(st.text(max_size=LENGTH_MAX))
def test_any_text_is_judged_and_none_breaks(text):
    assert 0 <= left_of(text, ABOUT) <= 4 * max(1, len(text))


def test_who_has_no_account_costs_a_hash_too():
    hashes = Hashes(memory_kib=64, passes=1)
    assert not hashes.verify("a password that nobody has", None), "not even the dummy's own"
    assert not hashes.verify("x", "no hash at all")
    assert hashes.verified == 2


def test_the_words_are_ours_and_small():
    """No list of leaked passwords is shipped; what is refused is made of words anybody would try."""
    assert 100 < len(passwords._WORDS) < 500
