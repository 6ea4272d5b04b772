"""Uses scim2-client, a SCIM client library by other people, the way an application would.

usage: client.py BASE_URL TOKEN

The library validates every answer against the schemas that it discovered, so much is checked that is not written here.
Exits with 0 when everything held.
"""

import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import PatchOp, PatchOperation, ResponseParameters, SearchRequest


def need(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")


def main(base, token):
    headers = {"Authorization": f"Bearer {token}"}
    # trust_env=False: a proxy of the machine must not stand between a test and its server.
    with Client(base_url=base, headers=headers, timeout=30, trust_env=False) as http:
        scim = SyncSCIMClient(http)
        scim.discover()
        users(scim)
        groups(scim)
    print("scim2-client is content")


def users(scim):
    User = scim.get_resource_model("User")
    ada = scim.create(User(user_name="ada@example.com", active=True, display_name="Ada"))
    need(ada.id and ada.meta.location.endswith(f"/Users/{ada.id}"), f"a location: {ada.meta}")
    need(ada.meta.resource_type == "User" and ada.meta.version, f"meta: {ada.meta}")
    scim.create(User(user_name="bob@example.com"))

    again = scim.query(User, ada.id)
    need(again == ada, f"what is read is what was created: {again}")
    named = ResponseParameters(attributes=["displayName"])
    need(scim.query(User, ada.id, query_parameters=named).user_name is None, "only what is asked for is returned")

    found = scim.query(User, query_parameters=SearchRequest(filter='userName eq "ADA@example.com"'))
    need(found.total_results == 1 and found.resources[0].id == ada.id, f"a filter: {found}")
    ordered = scim.query(User, query_parameters=SearchRequest(sort_by="userName", sort_order="descending", count=1))
    need((ordered.total_results, ordered.items_per_page) == (2, 1), f"a page: {ordered}")
    need(ordered.resources[0].user_name == "bob@example.com", f"an order: {ordered}")
    searched = scim.search(User, SearchRequest(filter='displayName sw "ad"'))
    need([user.id for user in searched.resources] == [ada.id], f"a search: {searched}")

    ada.nick_name = "Countess"
    ada.display_name = None
    replaced = scim.replace(ada)
    need(replaced.nick_name == "Countess" and replaced.display_name is None, f"a replacement: {replaced}")
    need(replaced.meta.version != again.meta.version, "a change gives a new version")

    operation = PatchOperation[User](op=PatchOperation.Op.replace_, path="active", value=False)
    patched = scim.modify(User, ada.id, PatchOp[User](operations=[operation]))
    need(patched.active is False and patched.nick_name == "Countess", f"a patch: {patched}")

    twice = scim.create(User(user_name="Ada@Example.com"), raise_scim_errors=False)
    need((twice.status, twice.scim_type) == (409, "uniqueness"), f"a name that is taken: {twice}")
    need(scim.delete(User, ada.id) is None, "a deletion")
    gone = scim.query(User, ada.id, raise_scim_errors=False)
    need(gone.status == 404, f"what was deleted is gone: {gone}")


def groups(scim):
    User, Group = scim.get_resource_model("User"), scim.get_resource_model("Group")
    ids = [scim.create(User(user_name=f"member{number}")).id for number in range(3)]
    group = scim.create(Group(display_name="Engineers", members=[Group.Members(value=ids[0])]))
    need([member.value for member in group.members] == ids[:1], f"members: {group}")

    add = PatchOperation[Group](op=PatchOperation.Op.add, path="members", value=[{"value": ids[1]}, {"value": ids[2]}])
    scim.modify(Group, group.id, PatchOp[Group](operations=[add]))
    remove = PatchOperation[Group](op=PatchOperation.Op.remove, path=f'members[value eq "{ids[0]}"]')
    scim.modify(Group, group.id, PatchOp[Group](operations=[remove]))
    group = scim.query(Group, group.id)
    need(sorted(member.value for member in group.members) == sorted(ids[1:]), f"members after a patch: {group}")
    member = scim.query(User, ids[1])
    need([of.value for of in member.groups] == [group.id], f"groups of a user: {member}")

    group.display_name = "Scientists"
    group.members = [Group.Members(value=ids[0])]
    group = scim.replace(group)
    need(group.display_name == "Scientists", f"a replacement: {group}")
    need([member.value for member in group.members] == ids[:1], f"members after a replacement: {group}")
    need(scim.delete(Group, group.id) is None, "a deletion")
    need(not scim.query(User, ids[0]).groups, "nobody is in a group that is gone")


if __name__ == "__main__":
    main(*sys.argv[1:])
