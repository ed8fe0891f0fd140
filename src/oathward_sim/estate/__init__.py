"""A made-up estate of up to a hundred thousand devices at several sites, as their sensors and lists would tell of it, with the truth beside it.

Rules:
- One seed, one estate. Makers, models, people and numbers are invented; addresses outside are those kept for documentation (RFC 5737, RFC 3849).
- Hour by hour and site by site: no more than an hour of one site is in memory, beside a row for each device.
- What sensors write is in the folders of the sites; what was so, in ``truth/``, by which a reader of the rest is judged and which it never reads.
- Every site has the same address plan, 10.0.0.0 on: an address says nothing without its site.
- Some of what is written is wrong, as it is in life: each such statement is a row of ``truth/lies.csv``.

Deliberately absent: sockets (the rest of ``oathward_sim`` has those), packets of flows (``heads`` writes the few that name a device).
"""
