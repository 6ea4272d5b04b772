"""An application's own table of people, kept up to date by the command `scimd person changes`. It needs Python alone.

usage: follow.py DATABASE TENANT [OPTION...]

DATABASE is an SQLite file, which stands for the application's database. Options are for `scimd`: `--store` or `--config`.
What came since the last run is taken over; then the program ends, to be started again.

The mark of how far it came is kept with the people, in one transaction. So whenever the program ends, table and mark
belong together, and what is taken over twice ends the same.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile

SCIMD = os.environ.get("SCIMD", "scimd")
# The exit code that says: what the mark belongs to is not there any more.
ANEW = 3
FIELDS = ("first_name", "last_name", "email", "language", "user_group", "active")
TABLES = """
CREATE TABLE IF NOT EXISTS person (
    tenant TEXT, id TEXT, first_name TEXT, last_name TEXT, email TEXT, language TEXT, user_group TEXT, active INTEGER,
    PRIMARY KEY (tenant, id)
);
CREATE TABLE IF NOT EXISTS mark (tenant TEXT PRIMARY KEY, sequence INTEGER, at TEXT);
"""


def changes(tenant, mark, options):
    """What came after a mark, or everything, the next mark, and whether this one could be gone on from."""
    command = [SCIMD, "person", "changes", tenant, "--format", "json", *options]
    if mark:
        sequence, at = mark
        command += ["--after", str(sequence), "--at", at]
    with tempfile.NamedTemporaryFile() as file:
        try:
            ran = subprocess.run([*command, "--mark", file.name], stdout=subprocess.PIPE)
        except FileNotFoundError:
            sys.exit(f"there is no program {SCIMD}; say by the variable SCIMD where it is")
        if mark and ran.returncode == ANEW:
            lines, next, _ = changes(tenant, None, options)
            return lines, next, False
        # With any other failure nothing is taken over. The next run asks for the same.
        ran.check_returncode()
        next = json.load(file)
    return json.loads(ran.stdout), (next["after"], next["at"]), True


def take_over(database, tenant, options):
    mark = database.execute("SELECT sequence, at FROM mark WHERE tenant = ?", [tenant]).fetchone()
    lines, next, goes_on = changes(tenant, mark, options)
    gone = {line["id"] for line in lines if line["deleted"]}
    if not goes_on:
        # The list is everybody there is.
        known = database.execute("SELECT id FROM person WHERE tenant = ?", [tenant])
        gone |= {id for (id,) in known} - {line["id"] for line in lines}
    with database:
        for id in gone:
            # An application that has more of somebody, such as results, may rather keep the row and say that it has ended.
            database.execute("DELETE FROM person WHERE tenant = ? AND id = ?", [tenant, id])
        for line in lines:
            if not line["deleted"]:
                row = [tenant, line["id"], *(line[field] for field in FIELDS)]
                database.execute("INSERT OR REPLACE INTO person VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        database.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", [tenant, *next])


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: follow.py DATABASE TENANT [OPTION...]")
    path, tenant, *options = sys.argv[1:]
    database = sqlite3.connect(path)
    database.executescript(TABLES)
    take_over(database, tenant, options)


if __name__ == "__main__":
    main()
