"""Free text: what of it names somebody, and the text without that.

Rules:
- What the structured part of the same message or subject knows is looked for first (``Known``), then what recognisers
  know, one a file in ``recognisers/``, then a model where one was given.
- A finding is a *span*: where, of which element class, how it was found, how sure. No value stands in it.
- Everything is linear in the text; what takes longer than its budget raises, and the text does not pass.

Deliberately absent: I/O, and what may happen to a class: the profile says that.
"""
