"""The emergency copy as it is used: read with the main system down, its readings taken in afterwards, compared with what is there.

Nothing in ``reading``, ``log`` and ``pages`` asks a database, a keeper or a network.
"""
