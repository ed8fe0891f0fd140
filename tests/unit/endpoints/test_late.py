"""Promises about what is read late: it is of the one that it would have been of in time."""

from tests.unit.endpoints.conftest import DAY, HOUR, MINUTE, RANDOM, RANDOM_2, A, T, says


def test_what_is_read_late_of_an_address_is_whose_it_was_first(inventory):
    inventory.take(says(T, tag="IT-1", mac=A, address="10.0.0.50", source="netbox"))
    inventory.take(says(T + 3 * HOUR, address="10.0.0.50", source="zeek.conn"))
    inventory.take(says(T + MINUTE, address="10.0.0.50", source="zeek.conn"))
    assert [(row.tag, row.first_us) for row in inventory.rows()] == [("IT-1", T + MINUTE)]
    inventory.take(says(T - 2 * DAY, address="10.0.0.50", source="zeek.conn"))
    assert len(inventory.rows()) == 2, "days before it may have been anybody's"


def test_a_random_card_that_says_its_name_late_follows_it(inventory):
    inventory.take(says(T, mac=RANDOM, host="tab-100420"))
    inventory.take(says(T + DAY, mac=RANDOM_2, address="10.0.0.9", source="zeek.conn"))
    assert len(inventory.rows()) == 2
    taken = inventory.take(says(T + DAY + MINUTE, mac=RANDOM_2, address="10.0.0.9", host="tab-100420"))
    assert len(inventory.rows()) == 1
    assert taken.conflicts == ()


def test_a_random_card_that_was_there_with_the_first_does_not_follow_it(inventory):
    inventory.take(says(T, mac=RANDOM, host="tab-100420"), says(T + DAY, mac=RANDOM, host="tab-100420"))
    inventory.take(says(T + HOUR, mac=RANDOM_2, address="10.0.0.9", source="zeek.conn"))
    inventory.take(says(T + 2 * DAY, mac=RANDOM_2, address="10.0.0.9", host="tab-100420"))
    assert len(inventory.rows()) == 2
