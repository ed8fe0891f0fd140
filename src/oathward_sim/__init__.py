"""A simulated hospital that plays every outsider over real sockets: devices, feeds, recipients, intruders.

Rules:
- Everything that is sent follows from a seed and a start time; nobody in it exists.
- It imports only ``oathward.core`` and ``oathward.protocols`` of ours: it knows the wire, never the inside.
- What was lost, duplicated or leaked is counted from what it sent itself and from what its recipients
  kept (``judge``), never from Oathward's counters.
- It is loaded lazily by the commands that need it; the product runs without it.

Deliberately absent: any code shared with shaping, guarding or sealing; a judge must not share their bugs.
"""
