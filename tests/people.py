"""Staff of a whole site for tests: records, roles and a service, signed by its keeper before it has people of its own."""

from __future__ import annotations

from oathward.core.clock import micros
from oathward.core.db import read, write
from oathward.core.labels import Role
from oathward.people import actions, grants, sheet, sql
from oathward.policy.people import GRANT, SERVICE, Grant, RoleGrant, Service
from oathward.vault.authority import Document
from oathward.vault.keeper.proof import admin_proof

DAY = 86_400_000_000
STAFF = """number,name,mail,units,party,makes
4711,Anna Berg,anna@hospital.example,ICU-3,,
4712,Bert Olsen,bert@hospital.example,ICU-3;Ward 7,,
4713,Vera Vendor,vera@acme.example,,Acme Medical,Acme
4714,Otto Auditor,otto@hospital.example,,,
4715,Lena Left,lena@hospital.example,Ward 7,,
"""
ROLES = {
    "4711": (Role.CLINICIAN,),
    "4712": (Role.ADMINISTRATOR, Role.INTEGRATION_ENGINEER),
    "4713": (Role.VENDOR_USER,),
    "4714": (Role.AUDITOR,),
}
BEHIND = {"proposer": "", "approver": "", "proposal": ""}


def employ(site) -> dict[str, str]:
    """Bring the staff in: number -> id. One has left, and a service with her."""
    with site.admin() as opened:
        name, now = opened.site, micros(opened.clock.now())

        def signed(drafts):
            wanted = [(d.kind, d.id, 0, d.body) for d in drafts]
            return opened.keeper.sign_many(wanted, [admin_proof("setup")])

        def bring(text):
            with read(opened.engine) as db:
                drafts = actions.plan_import(db, name, sheet.parse(text.encode()), now).documents
            documents = signed(drafts)
            with write(opened.engine) as db:
                actions.store(db, name, documents, by="setup", now_us=now)

        bring(STAFF)
        bring("number,state\n4715,left\n")
        with read(opened.engine) as db:
            ids = {row.person.number: row.person.id for row in sql.rows(db, name)}
        given = []
        for number, roles in ROLES.items():
            rows = tuple(
                RoleGrant(role, now, now + n * 20 * DAY if n else None, "works here")
                for n, role in enumerate(roles)
            )
            given.append(Document(name, GRANT, ids[number], 0, Grant(ids[number], rows).body(), b""))
        feed = Service(
            id="hr-feed",
            name="Staff register",
            owner=ids["4715"],
            roles=frozenset({Role.PROVISIONER}),
            jwk="{}",
        )
        service = Document(name, SERVICE, feed.id, 0, feed.body(), b"")
        for drafts in (given, [service]):
            documents = signed(drafts)
            with write(opened.engine) as db:
                grants.store_approved(db, name, documents, **BEHIND, now_us=now)
    return ids
