"""Declared against observed: zones and conduits, the three lists, external connections, the picture.

Rules:
- What is declared comes from signed documents and the register, what was observed from totals of flows; neither is changed here.
- Three lists: observed and undeclared; declared and never observed; observed with more data, weaker protection or another destination.
- What was not seen is not "never": each list says since when, and how much of it, was looked at.
- Classes of data are counts; nothing here holds a value of a message.

Deliberately absent: tables of its own; anything that stops a flow.

Source: IEC 62443-3-2 (zones and conduits); docs/adr/0052-living-picture.md.
"""
