"""Numbers for Prometheus: from the processes' status files and the database's own counts.

Rules:
- A label value is a role, a link id, a state or a reason code: words of policy or code, never of a message.
- Reading costs one short transaction and one question to the keeper; nothing is counted twice in two places.

| what | metrics |
|---|---|
| doors | ``oathward_events`` of the gateway (accepted, held, refused …), ``oathward_door_open`` by door |
| parts | ready, age of the last word, restarts, hangs |
| backlog | rows and oldest row by link, missing deliveries, quarantine by reason |
| disk, keys, ledger | free bytes; keys on their way in and refused; records and how many are under a checkpoint |
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from oathward import ledger
from oathward.core.clock import wall_s
from oathward.core.db import read
from oathward.core.errors import OathwardError
from oathward.core.process import statuses
from oathward.ledger import checkpoint
from oathward.messages import missing, views
from oathward.messages import sql as messages
from oathward.vault.opened import Opened


class Collector:
    """A prometheus_client collector over one site."""

    def __init__(self, site: Opened) -> None:
        self._site = site
        self._settings, self._engine = site.settings, site.engine

    def collect(self) -> Iterator[Metric]:
        """Give every metric once."""
        yield from self._processes()
        yield from self._disk_and_keys()
        with read(self._engine) as db:
            outbox = views.waiting(db)
            held = messages.held_counts(db)
            lost = missing.counts(db, self._settings.site.name)
            size = ledger.head(db, self._settings.site.name).size
            signed = checkpoint.latest(db, self._settings.site.name)
        waiting = GaugeMetricFamily(
            "oathward_outbox_rows", "Deliveries that have not happened", labels=["link", "state"]
        )
        oldest = GaugeMetricFamily(
            "oathward_outbox_oldest_seconds",
            "How long the oldest of them waits, less what may not be sent any more",
            labels=["link"],
        )
        for one in outbox:
            oldest.add_metric([one.link], max(0.0, wall_s() - one.oldest_us / 1e6) if one.oldest_us else 0.0)
            for state, count in one.states.items():
                waiting.add_metric([one.link, state], count)
        yield waiting
        yield oldest
        nowhere = GaugeMetricFamily(
            "oathward_deliveries_missing", "Permitted, not delivered, not in the outbox", labels=["link"]
        )
        for link, count in lost.items():
            nowhere.add_metric([link], count)
        yield nowhere
        quarantine = GaugeMetricFamily("oathward_quarantine_messages", "Messages held now", labels=["reason"])
        for reason, count in held.items():
            quarantine.add_metric([reason], count)
        yield quarantine
        yield GaugeMetricFamily("oathward_ledger_records", "Records in the ledger", value=size)
        yield GaugeMetricFamily(
            "oathward_ledger_signed_records",
            "Records under the newest signed checkpoint",
            value=signed.size if signed else 0,
        )

    def _disk_and_keys(self) -> Iterator[Metric]:
        free = shutil.disk_usage(self._settings.data).free
        yield GaugeMetricFamily("oathward_disk_free_bytes", "Free on the data folder's disk", value=free)
        answers = GaugeMetricFamily("oathward_keeper_answers", "1 while the keeper answers the app")
        keys = GaugeMetricFamily("oathward_keys", "Keys of the keeper, by what they are", labels=["kind"])
        try:
            state = self._site.keeper.state()
        except OathwardError:
            answers.add_metric([], 0.0)
        else:
            answers.add_metric([], 1.0)
            for kind in ("subjects", "data_keys", "tombstones", "intake_waiting", "intake_refused"):
                keys.add_metric([kind], float(state[kind]))
        yield answers
        yield keys

    def _processes(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "oathward_process_ready", "1 when the process says it is ready", labels=["role"]
        )
        age = GaugeMetricFamily(
            "oathward_process_status_age_seconds", "Age of its last word", labels=["role"]
        )
        counts = CounterMetricFamily(
            "oathward_events", "What the processes counted since their start", labels=["role", "event"]
        )
        restarts = CounterMetricFamily(
            "oathward_process_restarts",
            "Starts after an end that nobody asked for",
            labels=["role"],
        )
        hangs = CounterMetricFamily(
            "oathward_process_hangs", "Ends because a part stood still", labels=["role"]
        )
        doors = GaugeMetricFamily(
            "oathward_door_open", "1 for each port that is open", labels=["role", "door"]
        )
        failing = GaugeMetricFamily("oathward_link_failing", "1 while a link cannot deliver", labels=["link"])
        for role, status in statuses(self._settings.run_folder).items():
            up.add_metric([role], float(status.get("state") == "ready"))
            age.add_metric([role], max(0.0, wall_s() - float(status.get("at_s", 0))))
            for family, name in ((restarts, "restarts"), (hangs, "hangs")):
                for of, count in (status.get(name) or {}).items():
                    family.add_metric([of], float(count))
            for event, count in (status.get("counts") or {}).items():
                counts.add_metric([role, event], float(count))
            for door in status.get("ports") or {}:
                doors.add_metric([role, door], 1.0)
            for link, how in (status.get("links") or {}).items():
                failing.add_metric([link], float(bool(how.get("trouble"))))
        yield restarts
        yield hangs
        yield failing
        yield doors
        yield up
        yield age
        yield counts
