"""A site's list of leaked passwords: what stands on it becomes nobody's, and a list that is none lets nothing pass."""

import dataclasses
import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.vault.keeper.people import HERE, founded
from tests.unit.vault.keeper.test_opening import refused
from tests.unit.vault.keeper.test_passwords import ABOUT, GOOD
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from oathward.core.errors import KeeperError
from oathward.core.reasons import Reason
from oathward.vault.keeper.sign_in import leaked

LEAKED = "purple monkeys eat nine dishwashers"
MOST_USED = FREQUENCY_LISTS["passwords"]


def written(path, passwords, form="{}\n"):
    hashes = sorted(hashlib.sha1(one.encode()).hexdigest().upper() for one in passwords)
    path.write_text("".join(form.format(one) for one in hashes))
    return path


@pytest.mark.parametrize("form", ["{}\n", "{}:12\n", "{}:123456789012\r\n"])
@pytest.mark.parametrize("count", [1, 2, 3, 64, 1_000])
def test_each_of_the_list_is_found_and_nothing_else(tmp_path, form, count):
    file = written(tmp_path / "list", [f"password {n}" for n in range(count)], form)
    assert all(leaked.holds(file, f"password {n}") for n in range(count))
    assert not any(leaked.holds(file, f"passphrase {n}") for n in range(100))


def test_letters_may_be_small_and_the_end_may_be_missing(tmp_path):
    file = written(tmp_path / "list", ["a", "b", "c"])
    file.write_text(file.read_text().lower().strip())
    assert [leaked.holds(file, one) for one in "abcd"] == [True, True, True, False]


@given(st.sets(st.text(max_size=5), min_size=1, max_size=30), st.text(max_size=5))
def test_it_agrees_with_a_set(tmp_path_factory, words, word):
    file = written(tmp_path_factory.mktemp("leaked") / "list", words)
    assert leaked.holds(file, word) == (word in words)


@pytest.fixture
def house(site):
    people = dataclasses.replace(site.people, leaked_file="leaked")
    with founded(dataclasses.replace(site, people=people)) as found:
        found.person("ada")
        yield found


def enrolling(house, password):
    step = house.people.enrol_begin(house.invited("ada"), HERE)
    return house.people.enrol_password(password, step.pending)


def test_what_leaked_becomes_nobodys_password(house):
    written(house.settings.data / "leaked", [LEAKED])
    assert refused(lambda: enrolling(house, LEAKED)) is Reason.PASSWORD_REFUSED
    assert enrolling(house, LEAKED.replace("nine", "ten")).state == "enrol", (
        "the reverse: another one is good"
    )


@pytest.mark.parametrize(
    "content", [None, "", "no list\n", "x" * 4_096, "5BAA61E4C9B93F3F0682250B6CF8331B7EE68\n"]
)
def test_a_list_that_is_none_lets_no_password_pass(house, content):
    if content is not None:
        (house.settings.data / "leaked").write_text(content)
    assert refused(lambda: enrolling(house, LEAKED)) is Reason.SETTINGS_INVALID


def test_without_a_list_it_would_become_somebodys(site):
    """The other way round: it is the list that refuses it, nothing beside it."""
    with founded(site) as house:
        house.person("ada")
        assert enrolling(house, LEAKED).state == "enrol"


# --- those that are used most


@pytest.mark.parametrize("length_min", [8, 10, 15])
def test_the_most_used_of_the_leaked_ones_are_refused_at_any_length(site, length_min):
    """All that are long enough, of 30,000; of the shortest each 20th."""
    settings = dataclasses.replace(
        site, people=dataclasses.replace(site.people, password_length_min=length_min)
    )
    long = [one for one in MOST_USED if len(one) >= length_min]
    assert len(long) >= {8: 11_000, 10: 1_000, 15: 30}[length_min]
    for one in long[:: max(1, len(long) // 500)]:
        with pytest.raises(KeeperError) as caught:
            leaked.check(settings, one)
        assert caught.value.reason is Reason.PASSWORD_REFUSED
        assert one in "password" or one not in str(caught.value)


MADE_OF_THEM = (
    "mailcreated5240!",
    "Trustno1Trustno1",
    "d1sn3y-d1sn3y-d1sn3y",
    "ashley07121993ashley",
    "michaeljordan23!",
    "Qwerty!Qwerty!12",
    "lovelace19121815",
)


@pytest.mark.parametrize("password", MADE_OF_THEM)
def test_what_is_made_of_them_is_refused_too(site, password):
    with pytest.raises(KeeperError) as caught:
        leaked.check(site, password, ABOUT)
    assert caught.value.reason is Reason.PASSWORD_REFUSED


@pytest.mark.parametrize("password", GOOD)
def test_what_nobody_guesses_did_not_leak(site, password):
    leaked.check(site, password, ABOUT)


def test_a_short_password_of_chance_is_good_where_short_ones_may_be():
    assert not leaked.found_early("kq8#vT2m", 8)
    assert leaked.found_early("kq8#vT2m", 15), "the reverse: as for longer ones it would be refused"


def test_a_leaked_one_becomes_nobodys_password_at_enrolling(site, monkeypatch):
    with founded(site) as house:
        house.person("ada")
        assert refused(lambda: enrolling(house, "polniypizdec0211")) is Reason.PASSWORD_REFUSED
        monkeypatch.setattr(leaked, "found_early", lambda *_: False)
        assert enrolling(house, "polniypizdec0211").state == "enrol", "the reverse: nothing else refuses it"


@pytest.mark.parametrize("password", ["4@8({[<369!1|05$7+%2" * 12, "a" * 256, "\x00", "ü" * 256])
def test_reading_one_takes_a_bounded_time(password):
    begun_s = time.process_time()
    leaked.found_early(password, 15)
    assert time.process_time() - begun_s < 5.0
