"""Whether a port takes connections: one is opened and closed, and nothing is sent over it."""

from __future__ import annotations

from oathward.discovery.probing.probe import Probe

PROBE = Probe(words="whether the port is open; sends nothing", port=0, order=0)
