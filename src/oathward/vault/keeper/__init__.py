"""The process that alone can open: its key store, its operations, its sockets, and the client of others.

``store`` own SQLite file under the site key · ``site_key`` the key file and its rotation · ``keyring``
secrets, signing and exchange keys · ``subjects`` seeds, intake, erasing · ``tombstones`` what was erased,
kept where a restore cannot lose it · ``opening`` who may open what · ``checkpoints`` signs the ledger ·
``operations`` one table a role · ``frames``, ``server``, ``client`` the wire · ``backups`` short-lived copies.
"""
