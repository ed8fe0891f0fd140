"""Doctor says in words that what patients say cannot be read, of each part that says so and of each link that stands."""

import json

from oathward.app import create
from oathward.cli.main import run
from oathward.core.process import Status
from oathward.core.reasons import Reason
from oathward.core.settings import load

CODE = Reason.CONSENT_UNREADABLE.code


def test_parts_and_links_that_stand_still_say_why(tmp_path, capsys):
    settings = load(tmp_path / "d")
    create(settings)
    links = {"payer": {"waiting": 3, "trouble": CODE, "since_s": 0.0}, "ehr": {"waiting": 0, "trouble": ""}}
    for role in ("gateway", "courier"):
        status = Status(settings.run_folder_of(role), role)
        status.write("unhealthy", trouble=CODE, links=links if role == "courier" else {})
    run(["doctor", "--data", str(settings.data), "--json"])
    lines = json.loads(capsys.readouterr().out)["lines"]
    said = [one["what"] for one in lines if CODE in one["what"]]
    assert [one.partition(":")[0] for one in said] == [
        "gateway is unhealthy",
        "courier is unhealthy",
        "payer",
    ]
    assert all("what patients say could not be read for a second" in one for one in said)
