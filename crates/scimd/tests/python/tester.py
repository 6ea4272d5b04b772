"""Runs scim2-tester, the conformance tester of the scim2 project, against a server.

usage: tester.py BASE_URL TOKEN

Prints every check that is not a plain success. Exits with 0 only when no check failed and resources were really created.
"""

import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server


def main(base, token):
    headers = {"Authorization": f"Bearer {token}"}
    # trust_env=False: a proxy of the machine must not stand between a test and its server.
    with Client(base_url=base, headers=headers, timeout=30, trust_env=False) as http:
        results = check_server(SyncSCIMClient(http))
    failing = {Status.ERROR, Status.CRITICAL}
    for result in results:
        if result.status in failing or result.status is Status.DEVIATION:
            where = f" [{result.resource_type}]" if result.resource_type else ""
            print(f"{result.status.name} {result.title}{where}: {(result.reason or '').strip()}")
    failed = sum(result.status in failing for result in results)
    skipped = sum(result.status is Status.SKIPPED for result in results)
    created = sum(result.title == "object_creation" and result.status not in failing for result in results)
    print(f"{len(results) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    if not created:
        print("no resource was created, so most checks did not run")
    return 1 if failed or not created else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
