"""The staff console: pages made on the server, for people who are signed in, on this machine's own address.

| file | what |
|---|---|
| ``server`` | listens, in a thread of the ``app`` process |
| ``frame`` | address -> page: who asks, is it really them, what do they get |
| ``security`` | headers of every answer, whose host, whose form |
| ``page`` | what a page is; ``pages/`` holds them, one a file with one constant ``PAGE`` |
| ``view`` | one request as a page sees it |
| ``render``, ``words`` | templates, and how times, numbers and reasons are said |
| ``standing`` | is anything wrong: asked by Home and Health |

Rules:
- A page shows metadata: ids, codes, counts, times. No value of a message reaches this process.
- Every page works without script; filters live in the address; a number is a link to its rows.
- What changes something is a form of a person's session, recorded under that person's name. What needs a key is
  asked of the keeper with that session's secret (docs/adr/0017-console.md).

Deliberately absent: SQL (contexts' ``views``), rules (``policy``), keys, inline script or style, addresses outside.
"""
