"""Sources read, resolved and stored, in groups: who was seen becomes endpoints, who spoke with whom becomes flows and totals.

| step | where |
|---|---|
| found, told by how it begins, gone on behind what was read before | ``discovery.reading``, ``network.actions`` |
| read, in a process that can do nothing else | ``discovery.apart`` |
| statements, and own addresses of flows, become endpoints | ``endpoints`` |
| flows become a segment; their totals, with the endpoints that the addresses were in that hour, are added | ``network`` |

Rules:
- A group is stored with how far its source was read, in one transaction: the same source again adds nothing, wherever it lies and whatever it is
  called; after a crash it goes on behind the last group.
- What nobody knows, what is empty and what cannot be read is told by name; nothing is passed over in silence.
- A source that was read is a record: counts and digests.

Deliberately absent: what was declared (``mapping``), asking anything on the network.
"""
