"""What a dry run says when there was nothing to try a policy on."""

from oathward.policy import dry_run_words
from oathward.policy.dry_run_sums import Sums


def test_with_nothing_decided_it_says_that_there_was_nothing_to_try_it_on():
    found = Sums().close(before="", after="", since_us=0, until_us=1, older=0, removed_records=0)
    assert found.decisions == 0
    assert "nothing to try it on" in dry_run_words.summary(found)
    assert dry_run_words.lines(found) == [
        "No decision was recorded in this time: there was nothing to try it on."
    ]
