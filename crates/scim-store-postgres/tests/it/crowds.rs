//! Servers that write to one tenant at the same time, and lose their connections: whatever order they come to, all that they
//! were told is what would have come of one write after the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::mpsc::{Sender, channel};

use scim_core::time::Timestamp;
use scim_store::conformance::wait;
use scim_store::transfer::Portable;
use scim_store::{Changeset, CommitError, Committed, MemoryStore, Operation, Store};
use scim_store_postgres::PostgresStore;

use crate::cluster::{ROLE, patient};
use crate::mill::{GROUPS, Mill, USERS, everything};
use crate::people::{Town, a_tenant, acme};

const SERVERS: usize = 3;
/// How many write by way of each.
const WRITERS: usize = 4;
/// How many changesets each of them sends.
const EACH: i64 = 60;

/// A changeset, and what whoever sent it was told.
type Told = (Changeset, Result<Committed, CommitError>);

#[test]
fn servers_that_write_at_once_come_to_what_one_would() {
    is_in_order(1, None);
}

#[test]
fn servers_that_write_at_once_and_are_cut_off_come_to_what_one_would() {
    is_in_order(2, Some(12));
}

/// Whether what servers write at once could have been written in order. After each so many changesets, connections are cut.
fn is_in_order(seed: u64, cut_after: Option<usize>) {
    let town = Town::new(patient());
    let servers = [(); SERVERS].map(|()| town.database.open(patient()));
    let mut told: Vec<Told> = Vec::new();
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for n in 0..SERVERS * WRITERS {
            let mill = Mill::new(&town, seed * 100 + n as u64, n as i64 * EACH);
            let (servers, sender) = (&servers, sender.clone());
            scope.spawn(move || write(servers, n % SERVERS, mill, &sender));
        }
        drop(sender);
        for one in receiver {
            told.push(one);
            if cut_after.is_some_and(|count| told.len().is_multiple_of(count)) {
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()";
                town.database.run(&format!("{sql} AND usename = '{ROLE}' ORDER BY random() LIMIT 3"));
            }
        }
    });
    let town = Town { store: town.database.open(patient()), ..town };
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
    let model = MemoryStore::new();
    for (changeset, outcome) in in_order(&town, &told) {
        let expected = wait(model.commit(a_tenant(), changeset.clone()));
        let mut expected = expected.unwrap_or_else(|error| unreachable!("{error}: {changeset:#?}"));
        for (applied, found) in
            expected.applied.iter_mut().zip(outcome.iter().flat_map(|found| &found.applied))
        {
            // A group that was gone by the time that the answer was found.
            if cut_after.is_some() && found.created == Timestamp(0) {
                applied.created = found.created;
            }
        }
        if let Ok(committed) = outcome {
            assert_eq!(*committed, expected, "{changeset:#?}");
        }
    }
    let (stored, expected) = (everything(&town.store, &town), everything(&model, &town));
    assert!(stored == expected, "{stored:#?} {expected:#?}");
    check_rows(&town);
}

/// Sends changesets to a server, about few resources, of which some are read before, mostly by way of the same.
fn write(servers: &[PostgresStore], own: usize, mut mill: Mill<'_>, told: &Sender<Told>) {
    let reader = |n: usize| servers.get(n).expect("a server");
    for _ in 0..EACH {
        mill.users = (0..3).map(|_| mill.random.pick(USERS.first_chunk::<6>().expect("users"))).collect();
        mill.groups = (0..2).map(|_| mill.random.pick(GROUPS.first_chunk::<3>().expect("groups"))).collect();
        for id in [mill.users.as_slice(), &mill.groups].concat() {
            if mill.random.one_in(3) {
                let by = if mill.random.one_in(4) { mill.random.below(servers.len()) } else { own };
                if let Ok(read) = wait(reader(by).get(&acme(), &[id])) {
                    mill.see(id, read.iter().flatten().next());
                }
            }
        }
        let mut changeset = mill.changeset();
        // Of what is not in the log nobody could tell afterwards when it was.
        let is_logged = |operation: &Operation| !matches!(operation, Operation::Rederive { .. });
        let is_about_reports = !changeset.settles.is_empty() || !changeset.reports.is_empty();
        if is_about_reports || !changeset.operations.iter().all(is_logged) {
            changeset.audit.get_or_insert_with(|| mill.entry());
        }
        let outcome = wait(reader(own).commit(a_tenant(), changeset.clone()));
        told.send((changeset, outcome)).expect("somebody listens");
    }
}

/// The changesets that were committed, in their order: each of them once, those of which that was told, some of which
/// nothing is known, and nothing else.
fn in_order<'a>(town: &Town, told: &'a [Told]) -> impl Iterator<Item = &'a Told> + use<'a> {
    let mut last: HashMap<Timestamp, u64> = HashMap::new();
    for change in wait(town.store.changes(&acme(), 0, 100_000)).expect("changes") {
        last.insert(change.at, change.sequence);
    }
    let mut entries: HashMap<Timestamp, (u64, u64)> = HashMap::new();
    for audited in wait(town.store.audit(&acme(), 0, 100_000)).expect("entries") {
        let before = entries.insert(audited.at, (audited.sequence, audited.number));
        assert_eq!(before, None, "it was committed twice: {audited:?}");
    }
    let mut order: BTreeMap<(u64, u64), &Told> = BTreeMap::new();
    let mut committed = BTreeSet::new();
    for one @ (changeset, outcome) in told {
        let (sequence, entry) = (last.get(&changeset.at), entries.get(&changeset.at));
        match outcome {
            Ok(_) => assert_eq!(entry.is_some(), changeset.audit.is_some(), "it was lost: {changeset:#?}"),
            Err(CommitError::Conflict(conflict)) => {
                assert_eq!((sequence, entry), (None, None), "{conflict:?}, and it is there: {changeset:#?}");
            }
            Err(CommitError::Store(_)) => {}
        }
        // Without an entry it comes before what has one and changes nothing.
        if let Some(place) = entry.copied().or(sequence.map(|sequence| (*sequence, 0))) {
            assert!(order.insert(place, one).is_none(), "it has the place of another: {changeset:#?}");
            committed.insert(changeset.at);
        }
    }
    assert!(last.keys().chain(entries.keys()).all(|at| committed.contains(at)), "nobody has sent it");
    assert!(order.len() > told.len() / 5, "{} of {}", order.len(), told.len());
    order.into_values()
}

/// Whether the rows of index entries and unique values are those that the resources are said to have.
fn check_rows(town: &Town) {
    let (mut entries, mut claims) = (Vec::new(), Vec::new());
    for whole in wait(town.store.wholes(&acme(), "", 1000)).expect("all of it") {
        let (record, of) = (&whole.stored.record, &whole.stored.record.resource_type);
        for entry in &whole.stored.index {
            let key: String = entry.key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            entries.push(format!("{of}|{}|{key}|{}|{}", entry.path, record.id, entry.leading));
        }
        let values = whole.stored.unique.iter();
        claims.extend(values.map(|unique| format!("{of}|{}|{}|{}", unique.path, unique.value, record.id)));
    }
    let sorted = |mut rows: Vec<String>| {
        rows.sort_unstable();
        rows
    };
    let sql = "SELECT concat_ws('|', type, path, encode(key, 'hex'), id, leads::text) FROM scim.entry";
    assert_eq!(sorted(town.database.run(sql)), sorted(entries));
    let sql = "SELECT concat_ws('|', type, path, value, id) FROM scim.claim";
    assert_eq!(sorted(town.database.run(sql)), sorted(claims));
}
