r"""HL7 version 2: ``reader`` (bytes to Message) on ``view``, ``batch``, ``escapes`` and ``charset``; ``mllp``, ``ack``.

Rules:
- A message is its bytes and where its segments start; fields are split when asked for.
- ``render(decode(x)) == x`` for every ``x`` that decodes.
- Separators are those of MSH-1 and MSH-2; nothing assumes ``|^~\&``.
- A value written into a field goes through ``escapes.escape_bytes``: no value can make a field or a segment.

Source: HL7 v2.3 to v2.8.2, chapter 2 (control); MLLP releases 1 and 2.
"""
