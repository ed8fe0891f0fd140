"""``oathward access``: what nothing explains is listed and reviewed, never by who opened it."""

import json

from oathward.accesses import actions
from oathward.app import build
from oathward.cli.main import run
from oathward.core.clock import micros
from oathward.core.db import write
from oathward.core.settings import load
from oathward.ledger import Record, append, prepare


def test_an_opening_is_listed_explained_and_reviewed(data, capsys):
    def go(*arguments):
        code = run(["access", *arguments, "--data", str(data), "--json"])
        out, _ = capsys.readouterr()
        return code, json.loads(out) if out.strip() else None

    site = build(load(data), "admin")
    now_us = micros(site.clock.now())

    def take():
        with write(site.engine) as db:
            actions.take_in(db, site.site, site.authority, site.seen, review_us=1, now_us=now_us)

    take()
    with write(site.engine) as db:
        body = {"opened": 1, "person": "clerk", "purpose": "TREAT"}
        append(db, site.site, [prepare(Record("keeper.opened", body, now_us, "s-1"))])
    take()
    site.keeper.close()
    site.engine.dispose()
    code, found = go("list", "--waiting")
    [one] = found["openings"]
    assert (code, one["person"], one["subject"], one["reasons"]) == (0, "clerk", "s-1", [])
    assert go("list", "--who", "nobody")[1]["openings"] == []
    number = str(one["opening"])
    assert go("review", number, "--outcome", "fine", "--why", "x")[0] == 65
    assert go("review", number, "--outcome", "misuse", "--why", "nobody's work")[0] == 0
    assert go("list", "--waiting")[1]["openings"] == []
