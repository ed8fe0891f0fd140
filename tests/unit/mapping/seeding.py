"""Conversations written as the network's own code writes them."""

from oathward.core.db import write
from oathward.network import actions, sql
from oathward.network.model import ConversationKey

SUMS = (3, 3, 0, 100, 50, 4, 4)


def seed(engine, site, rows, at_us):
    """Write conversations: (client, client's zone, server, server's zone, port, service, TLS, {class: elements})."""
    for client, client_zone, server, server_zone, port, service, tls, classes in rows:
        key = ConversationKey("main", client, "", server, "", "tcp", port, service, tls)
        id_ = actions.conversation_id(key)
        with write(engine) as db:
            sql.add(
                db,
                sql.flow_conversation,
                [(site, id_, *key, client_zone, server_zone, at_us - 1_000, at_us, *SUMS)],
            )
            sql.add(db, sql.clear_class, [(site, id_, cls, at_us, at_us, n) for cls, n in classes.items()])
