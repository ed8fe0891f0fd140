"""Numbers for Prometheus: from the processes' status files and the database's own counts.

Rules:
- A label value is a role, a link id, a state or a reason code: words of policy or code, never of a message.
- Reading costs one short transaction; nothing is counted twice in two places.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import Engine

from oathward import ledger
from oathward.core.clock import wall_s
from oathward.core.db import read
from oathward.core.process import statuses
from oathward.core.settings import Settings
from oathward.messages import missing
from oathward.messages import sql as messages


class Collector:
    """A prometheus_client collector over one site."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings, self._engine = settings, engine

    def collect(self) -> Iterator[Metric]:
        """Give every metric once."""
        yield from self._processes()
        with read(self._engine) as db:
            outbox = messages.outbox_counts(db)
            held = messages.held_counts(db)
            lost = missing.counts(db, self._settings.site.name)
            size = ledger.head(db, self._settings.site.name).size
        waiting = GaugeMetricFamily(
            "oathward_outbox_rows", "Deliveries that have not happened", labels=["link", "state"]
        )
        for (link, state), count in outbox.items():
            waiting.add_metric([link, state], count)
        yield waiting
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
        failing = GaugeMetricFamily("oathward_link_failing", "1 while a link cannot deliver", labels=["link"])
        for role, status in statuses(self._settings.run_folder).items():
            up.add_metric([role], float(status.get("state") == "ready"))
            age.add_metric([role], max(0.0, wall_s() - float(status.get("at_s", 0))))
            for family, name in ((restarts, "restarts"), (hangs, "hangs")):
                for of, count in (status.get(name) or {}).items():
                    family.add_metric([of], float(count))
            for event, count in (status.get("counts") or {}).items():
                counts.add_metric([role, event], float(count))
            for link, how in (status.get("links") or {}).items():
                failing.add_metric([link], float(bool(how.get("trouble"))))
        yield restarts
        yield hangs
        yield failing
        yield up
        yield age
        yield counts
