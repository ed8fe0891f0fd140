"""Catalogue × profile: the only place where a message becomes one that may leave.

Rules:
- A profile lists what stays, by element class; what it does not list is removed.
- A link's permitted classes are intersected with that; the narrower wins, always.
- Plans are compiled once and hold no secret; seeds come with each message.
- Nothing here does I/O, and nothing here decides who may have what: ``policy`` does.

Dates move on releases and batched links only (``actions/shift``): on a live link the arrival time gives the shift away.
"""
