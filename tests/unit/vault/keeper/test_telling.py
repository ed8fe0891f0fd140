"""Promises of telling patients: everybody who may see it hears that there is news, nobody else does, and no letter says of what."""

from tests.unit.vault.keeper.test_portal import code_of, enrol, house, invite, letters, subject_of

from oathward.core.errors import KeeperError
from oathward.core.phi import Phi
from oathward.core.reasons import Reason
from oathward.vault.keeper.client.portal import holder_proof
from oathward.vault.keeper.portal import letters as queue
from oathward.vault.keeper.portal import seats
from oathward.vault.keeper.portal.telling import tell

HOME = "203.0.113.9"
__all__ = ["house"]
DAY_S = 86_400


def notices(house):
    found = letters(house, "notice")
    for one in found:
        house.app.portal.letter_settle(one.id, sent=True)
    return [one.address.reveal() for one in found]


def proxy(house, address):
    """Let somebody act for the patient, and enrol; gives their proof."""
    access = invite(house, address=address, basis="wish", scope=("see",))
    (letter,) = letters(house, "invitation")
    house.app.portal.letter_settle(letter.id, sent=True)
    entry = house.portal.enrol_begin(letter.values.reveal()["key"], HOME)
    return access, holder_proof(house.portal.sign_in_code(entry.pending, code_of(house), HOME).secret)


def test_patient_and_proxy_hear_of_it_and_the_letter_says_nothing(house):
    enrol(house)
    proxy(house, "son@example.org")
    assert tell(house.keeper, house.subject, "glass", every=True) == 2
    found = letters(house, "notice")
    assert sorted(one.address.reveal() for one in found) == ["Rosa.Lind@example.org", "son@example.org"]
    assert {tuple(one.values.reveal().items()) for one in found} == {(("about", "glass"),)}


def test_access_that_is_given_to_somebody_else_is_told(house):
    enrol(house)
    invite(house, address="son@example.org", basis="wish", scope=("see",))
    assert notices(house) == ["Rosa.Lind@example.org"]
    enrol(house, subject=subject_of(house), address="known@example.org")
    house.keeper.store.rows("DELETE FROM letter_told")
    invite(house, address="known@example.org", basis="wish", scope=("see",))
    assert sorted(notices(house)) == ["Rosa.Lind@example.org", "known@example.org"]


def test_nobody_hears_of_another_patient(house):
    enrol(house)
    assert tell(house.keeper, subject_of(house), "glass", every=True) == 0
    assert notices(house) == []


def test_whoever_has_not_enrolled_has_ended_or_hidden_it_hears_nothing(house):
    invite(house)
    assert tell(house.keeper, house.subject, "x") == 0
    letters(house, "invitation")
    access, _ = proxy(house, "son@example.org")
    house.app.portal.end(access, "staff", house.staff)
    assert tell(house.keeper, house.subject, "x") == 0


def test_a_record_hidden_from_ones_own_phone_sends_no_letters_to_it(house):
    proof = enrol(house)
    (seat,) = house.portal.who(proof).seats
    house.portal.access_hide(seat.access, proof)
    assert tell(house.keeper, house.subject, "glass", every=True) == 0


def test_one_unread_letter_a_day_and_another_once_it_was_read(house):
    enrol(house)
    assert tell(house.keeper, house.subject, "choice") == 1
    assert tell(house.keeper, house.subject, "choice") == 0
    assert tell(house.keeper, house.subject, "another") == 1
    assert len(notices(house)) == 2
    house.keeper.store.rows("UPDATE letter_told SET at_us = at_us - 1")
    entry = house.portal.sign_in_begin(Phi("rosa.lind@example.org"), HOME)
    house.portal.sign_in_code(entry.pending, code_of(house), HOME)
    assert tell(house.keeper, house.subject, "choice") == 1


def test_a_day_later_there_is_another_letter(house):
    enrol(house)
    assert tell(house.keeper, house.subject, "choice") == 1
    house.keeper.store.rows("UPDATE letter_told SET at_us = at_us - ?", DAY_S * 1_000_000 + 1)
    house.keeper.store.rows("UPDATE holder SET used_us = 1")
    assert tell(house.keeper, house.subject, "choice") == 1


def test_each_broken_glass_is_told_and_the_holder_who_did_it_is_not(house):
    proof = enrol(house)
    assert [tell(house.keeper, house.subject, "glass", every=True) for _ in range(3)] == [1, 1, 1]
    assert tell(house.keeper, house.subject, "choice", but=house.portal.who(proof).holder) == 0


def test_what_goes_on_never_waits_for_letters(house, monkeypatch):
    enrol(house)
    monkeypatch.setattr(queue, "WAITING_MAX", 0)
    assert tell(house.keeper, house.subject, "glass", every=True) == 0


def test_an_access_that_does_not_verify_keeps_nobody_else_from_being_told(house, monkeypatch):
    enrol(house)
    proxy(house, "son@example.org")
    good = seats.read

    def broken(keeper, row):
        access = good(keeper, row)
        if access.own:
            raise KeeperError("x", reason=Reason.SIGNATURE_INVALID)
        return access

    monkeypatch.setattr(seats, "read", broken)
    assert tell(house.keeper, house.subject, "glass", every=True) == 1
    assert notices(house) == ["son@example.org"]


def test_the_confirmed_family_is_told_and_a_merge_that_waits_is_not_crossed(house, monkeypatch):
    enrol(house)
    other = subject_of(house)

    class Register:
        def __init__(self, *together):
            self.together = frozenset(together)

        def confirmed(self, _site, subject):
            return self.together | {subject}

    monkeypatch.setattr(house.keeper, "register", Register())
    assert tell(house.keeper, other, "glass", every=True) == 0
    monkeypatch.setattr(house.keeper, "register", Register(house.subject))
    assert tell(house.keeper, other, "glass", every=True) == 1


def test_what_is_kept_of_letters_goes_with_the_holder(house):
    enrol(house)
    tell(house.keeper, house.subject, "choice")
    (row,) = house.keeper.store.rows("SELECT COUNT(*) FROM letter_told")
    assert row == (1,)
    given = house.app.portal.given(house.subject, house.staff)
    house.app.portal.end(given[0].access, "death", house.staff)
    (row,) = house.keeper.store.rows("SELECT COUNT(*) FROM letter_told")
    assert row == (0,)
