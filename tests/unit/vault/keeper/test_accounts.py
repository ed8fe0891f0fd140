"""What accounts are without: one that everybody knows, a password that ends by age, a question instead of a factor."""

from functools import partial
from typing import get_args

import pytest
from tests.unit.vault.keeper.people import HERE, PASSWORD, founded
from tests.unit.vault.keeper.test_opening import refused

from oathward.core.labels import Role
from oathward.core.reasons import Reason
from oathward.vault.keeper.sign_in import accounts


@pytest.fixture
def house(site):
    with founded(site) as found:
        found.person("ada", Role.AUDITOR)
        yield found


def test_a_new_site_has_no_account(house):
    assert accounts.everyone(house.keeper.store) == []
    assert house.keeper.store.rows("SELECT * FROM factor") == []
    for login in ("admin", "root", "setup", "oathward", "ada"):
        for password in ("", login, "admin", PASSWORD):
            asked = partial(house.people.sign_in_password, login, password, HERE)
            assert refused(asked) is Reason.SIGN_IN_REFUSED


def test_a_password_does_not_end_by_age(house):
    _, phone = house.enrol("ada")
    house.time.pass_(seconds=20 * 365 * 86_400)
    _, step = house.sign_in("ada", phone)
    assert step.state == "signed-in"


def test_nothing_that_somebody_could_know_of_a_person_is_a_factor(house):
    """No question, no hint, no mail, no message: what counts is on one short list."""
    assert set(get_args(accounts.Kind)) == {"password", "totp", "passkey"}
    columns = {row[1] for row in house.keeper.store.rows("PRAGMA table_info(factor)")}
    assert columns == set(accounts._COLUMNS.split(", "))
