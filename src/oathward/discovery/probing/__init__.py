"""One probe of one device, on a person's order: what is asked (``kinds``, one a file), in a process of its own (``worker``), over one connection (``connecting``).

Nothing here decides whether a device may be asked; ``observing.probing`` does, and it alone calls this.
"""
