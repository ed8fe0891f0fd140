"""The data path: sockets in, one function per message, groups made durable.

``path.py`` reads top to bottom as the journey in ARCHITECTURE; ``gate.py`` holds what it needs; ``commit.py`` makes
groups durable; ``listeners/`` frame and answer; ``guard`` looks once more at what leaves.
"""
