#!/usr/bin/env bash
# A throw-away PostgreSQL cluster for tests: its data and its socket are in DIR, nobody else's cluster is touched, and
# what is committed is synced as in service. `start` prints the URL of its superuser, `stop` removes the cluster.
# On Debian and Ubuntu PostgreSQL is installed where it is missing. SCIM_POSTGRES_BIN=DIR takes initdb and the others from
# DIR instead of from the newest version that is installed; everybody has to be able to read it.
# Where there is a directory DIR/log, which may be a disk of its own, `start` puts the cluster's own log there, in small files.
#
# usage: scripts/postgres.sh start DIR
#        scripts/postgres.sh stop DIR
#        scripts/postgres.sh restart DIR        as after a failure of the machine, with what is there
#        scripts/postgres.sh follow DIR OTHER   as start, but a synchronous standby of the cluster in OTHER
#        scripts/postgres.sh promote DIR        makes a standby the primary
#        scripts/postgres.sh lend DIR PID [OTHER]
#                                               as start or follow, and stop by itself once the process PID has ended
set -euo pipefail

fail() {
    echo "postgres: $*" >&2
    exit 1
}

# How many seconds a server may take for what is waited for. Only a broken one needs them, or a very slow machine.
patience=600

# What the environment says of somebody else's database is not for this one.
unset ${!PG@}

usage() {
    echo "usage: scripts/postgres.sh start DIR | stop DIR | restart DIR | follow DIR OTHER | promote DIR | lend DIR PID [OTHER]" >&2
    exit 2
}

# The directory of initdb and pg_ctl: what was asked for, or the newest there is, since Debian keeps them out of PATH.
programs() {
    local found
    if [ -n "${SCIM_POSTGRES_BIN:-}" ]; then
        [ -x "$SCIM_POSTGRES_BIN/initdb" ] || fail "there is no initdb in SCIM_POSTGRES_BIN=$SCIM_POSTGRES_BIN"
        (cd "$SCIM_POSTGRES_BIN" && pwd)
        return
    fi
    found=$(find /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin -maxdepth 1 -name initdb 2>/dev/null |
        sort -V | tail -n 1)
    [ -n "$found" ] || found=$(command -v initdb || true)
    [ -n "$found" ] && dirname "$found"
}

# PostgreSQL refuses to run as root.
as_nobody_special() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    elif command -v runuser >/dev/null; then
        runuser -u "$user" -- "$@"
    else
        su -s /bin/sh "$user" -c '"$0" "$@"' -- "$@"
    fi
}

if [ "${1:-}" = lend ] && { [ "$#" -eq 3 ] || [ "$#" -eq 4 ]; }; then
    if [ "$#" -eq 3 ]; then "$0" start "$2"; else "$0" follow "$2" "$4"; fi
    script=$(cd "$(dirname "$0")" && pwd)/postgres.sh
    # Whatever ends the tests must not end whoever cleans up after them.
    (trap '' HUP INT TERM; while kill -0 "$3" 2>/dev/null; do sleep 1; done; exec "$script" stop "$2") </dev/null >/dev/null 2>&1 &
    exit 0
fi
case ${1:-} in
    follow) [ "$#" -eq 3 ] || usage ;;
    *) [ "$#" -eq 2 ] || usage ;;
esac
mkdir -p "$2"
directory=$(cd "$2" && pwd)
user=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
fi

bin=$(programs) || [ -z "${SCIM_POSTGRES_BIN:-}" ] || exit 1
if [ -z "$bin" ] && [ "$1" = start ]; then
    command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ] ||
        fail "there is no initdb; install PostgreSQL 15 or later (Debian and Ubuntu: sudo apt-get install postgresql)"
    echo "postgres: installing PostgreSQL" >&2
    # No cluster of its own: only the programs are wanted.
    mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql; } >&2 ||
        fail "could not install PostgreSQL"
    bin=$(programs) || fail "PostgreSQL is installed, but there is no initdb"
    id postgres >/dev/null 2>&1 && user=postgres
fi

# A place for a cluster, with a socket and a port of its own.
prepare() {
    [ ! -e "$directory/data" ] || fail "$directory has a cluster already; stop it first, or choose another directory"
    [ "$(id -u)" -ne 0 ] || chown "$user" "$directory"
    cd "$directory"
    # The path of a socket has room for 107 bytes.
    socket=$directory
    [ "${#socket}" -le 80 ] || socket=$(as_nobody_special mktemp -d /tmp/scim-postgres.XXXXXX)
}

# Starts what is in the place, and says where it is.
launch() {
    as_nobody_special tee -a "$directory/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$socket'
fsync = on
max_connections = 300
shared_buffers = 64MB
CONF
    # The system gives ports up to 32767 to nobody by itself, so that ours is still there after a restart. Where somebody else
    # has it, another will do.
    local is_tried
    for is_tried in $(seq 10); do
        port=$((10000 + (RANDOM * 32768 + RANDOM) % 22768))
        echo "port = $port" | as_nobody_special tee -a "$directory/data/postgresql.conf" >/dev/null
        as_nobody_special "$bin/pg_ctl" --pgdata "$directory/data" --log "$directory/server.log" --wait \
            --timeout "$patience" start >"$directory/initdb.log" 2>&1 && break
        if [ "$is_tried" -eq 10 ] || ! grep -q 'could not bind' "$directory/server.log"; then
            cat "$directory/initdb.log" "$directory/server.log" >&2
            fail "the server did not start"
        fi
        : >"$directory/server.log"
    done
    echo "$socket $port" >"$directory/socket"
    echo "postgres://postgres@${socket//\//%2F}:$port/postgres"
}

case $1 in
    start)
        prepare
        log=()
        if [ -d "$directory/log" ]; then
            [ "$(id -u)" -ne 0 ] || chown "$user" "$directory/log"
            log=(--waldir "$directory/log" --wal-segsize 1)
        fi
        as_nobody_special "$bin/initdb" --pgdata "$directory/data" --username postgres --encoding UTF8 --locale C \
            --auth-local trust --auth-host scram-sha-256 --no-instructions ${log[@]+"${log[@]}"} >"$directory/initdb.log" 2>&1 ||
            { cat "$directory/initdb.log" >&2; fail "initdb failed"; }
        launch
        ;;
    follow)
        read -r primary primary_port <"$3/socket" || fail "there is no cluster in $3"
        prepare
        as_nobody_special "$bin/pg_basebackup" --pgdata "$directory/data" --host "$primary" --port "$primary_port" \
            --username postgres --write-recovery-conf --checkpoint fast >"$directory/initdb.log" 2>&1 ||
            { cat "$directory/initdb.log" >&2; fail "pg_basebackup failed"; }
        launch
        ask() {
            as_nobody_special "$bin/psql" --host "$primary" --port "$primary_port" --username postgres --no-psqlrc --tuples-only \
                --no-align --command "$1"
        }
        ask "ALTER SYSTEM SET synchronous_standby_names = '*'" >/dev/null
        ask "SELECT pg_reload_conf()" >/dev/null
        # A session that asks again would not see what was configured meanwhile.
        until=$((SECONDS + patience))
        while [ "$SECONDS" -lt "$until" ]; do
            [ "$(ask "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")" != 1 ] || exit 0
            sleep 0.1
        done
        cat "$directory/server.log" >&2
        fail "the server does not follow $3"
        ;;
    promote)
        cd "$directory"
        as_nobody_special "$bin/pg_ctl" --pgdata "$directory/data" --wait --timeout "$patience" promote >/dev/null ||
            fail "the server in $directory was not promoted"
        ;;
    restart)
        cd "$directory"
        as_nobody_special "$bin/pg_ctl" --pgdata "$directory/data" --log "$directory/server.log" --mode immediate --wait \
            --timeout "$patience" restart >/dev/null || fail "the server in $directory did not start again"
        ;;
    stop)
        cd /
        if [ -n "$bin" ] && [ -e "$directory/data/postmaster.pid" ]; then
            as_nobody_special "$bin/pg_ctl" --pgdata "$directory/data" --mode immediate --wait \
                --timeout "$patience" stop >/dev/null ||
                fail "the server in $directory did not stop"
        fi
        if [ -e "$directory/socket" ]; then
            read -r socket _ <"$directory/socket"
            case $socket in /tmp/scim-postgres.*) rm -rf "$socket" ;; esac
        fi
        rm -rf "$directory/data" "$directory/initdb.log" "$directory/server.log" "$directory/socket"
        rmdir "$directory" 2>/dev/null || true
        ;;
    *) usage ;;
esac
