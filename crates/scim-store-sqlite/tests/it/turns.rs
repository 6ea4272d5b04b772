//! Tenants take turns with what takes long.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use scim_store::conformance::wait;
use scim_store::{Store, Tenant};
use scim_store_sqlite::{Options, SqliteStore};
use serde_json::json;

use crate::people::{Town, acme};

/// What one tenant asks is not behind all that another has asked before.
#[test]
fn nobody_waits_for_all_of_another() {
    const LOUD: usize = 100;
    let town = Town::new(Options::default());
    let (loud, quiet, other) =
        (acme(), Tenant::new("quiet").expect("a name"), Tenant::new("other").expect("a name"));
    for tenant in [&loud, &quiet, &other] {
        wait(town.store.commit(tenant, town.user("u1"))).expect("created");
    }
    let ((begin, begun), (go_on, may_go_on)) = (channel(), channel::<()>());
    let (begin, may_go_on) = (Mutex::new(Some(begin)), Mutex::new(may_go_on));
    let statements = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&statements);
    let trace = Arc::new(move |sql: &str| {
        let first = sql.contains("r.id > ").then(|| begin.lock().expect("not poisoned").take()).flatten();
        if let Some(begin) = first {
            begin.send(()).expect("awaited");
            let _ = may_go_on.lock().expect("not poisoned").recv();
        }
        seen.lock().expect("not poisoned").push(sql.to_owned());
    });
    let options = Options { walkers: 1, trace: Some(trace), ..Options::default() };
    let store = SqliteStore::open(town.file(), options).expect("opens");
    let query = town.query("User", r#"emails.value co "nobody""#, "");
    let mut context = Context::from_waker(Waker::noop());
    // One of the two threads is not to be had, so that the other does everything, one thing after another.
    let mut kept = store.query(&other, &query);
    assert!(Pin::new(&mut kept).poll(&mut context).is_pending());
    begun.recv().expect("it walks");
    // No statement is run before it was noted.
    let nothing_runs = statements.lock().expect("not poisoned");
    let mut lists: Vec<_> = (0..LOUD).map(|_| store.query(&loud, &query)).collect();
    for list in &mut lists {
        assert!(Pin::new(list).poll(&mut context).is_pending());
    }
    let mut one = store.crowded(&quiet, None, 1);
    assert!(Pin::new(&mut one).poll(&mut context).is_pending());
    drop(nothing_runs);
    wait(one).expect("an answer");
    for list in lists {
        wait(list).expect("a page");
    }
    drop(go_on);
    wait(kept).expect("a page");
    let statements = statements.lock().expect("not poisoned");
    let place = statements.iter().position(|sql| sql.contains("membership")).expect("it was run");
    assert!(place < statements.len() / 20, "statement {place} of {}", statements.len());
}

/// What one tenant writes is not behind all that another wants to write.
#[test]
fn nobody_writes_after_all_of_another() {
    const LOUD: usize = 50;
    let town = Town::new(Options { batch: 1, ..Options::default() });
    let (loud, quiet) = (acme(), Tenant::new("quiet").expect("a name"));
    for tenant in [&loud, &quiet] {
        wait(town.store.commit(tenant, town.user("u"))).expect("created");
    }
    town.statements();
    // No statement is run before it was noted.
    let nothing_runs = town.statements.lock().expect("not poisoned");
    let mut context = Context::from_waker(Waker::noop());
    let mut users: Vec<_> =
        (0..LOUD).map(|n| town.store.commit(&loud, town.user(&format!("u{n}")))).collect();
    for user in &mut users {
        assert!(Pin::new(user).poll(&mut context).is_pending());
    }
    let document = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Everyone"
    });
    let mut group = town.store.commit(&quiet, town.create("Group", "g", &document, &["u"]));
    assert!(Pin::new(&mut group).poll(&mut context).is_pending());
    drop(nothing_runs);
    wait(group).expect("created");
    for user in users {
        wait(user).expect("created");
    }
    let statements: Vec<String> = town.statements();
    let place = statements.iter().position(|sql| sql.contains("INTO edge")).expect("it was run");
    assert!(place < statements.len() / 5, "statement {place} of {}", statements.len());
}

/// A walk that nobody waits for any more ends where it is, and the thread is there for others.
#[test]
fn a_walk_ends_when_nobody_waits_for_it() {
    let town = Town::new(Options::default());
    town.commit(town.user("u1")).expect("created");
    let ((begin, begun), (go_on, may_go_on)) = (channel(), channel::<()>());
    let (begin, may_go_on) = (Mutex::new(begin), Mutex::new(may_go_on));
    let read = Arc::new(AtomicUsize::new(0));
    let reads = Arc::clone(&read);
    let trace = Arc::new(move |sql: &str| {
        if sql.contains("r.id > ") {
            begin.lock().expect("not poisoned").send(()).expect("awaited");
            let _ = may_go_on.lock().expect("not poisoned").recv();
        }
        // What matches is read at the end.
        reads.fetch_add(usize::from(sql.contains("j.value")), Ordering::Relaxed);
    });
    let options = Options { walkers: 1, trace: Some(trace), ..Options::default() };
    let store = SqliteStore::open(town.file(), options).expect("opens");
    let (tenant, query) = (acme(), town.query("User", r#"emails.value co "example""#, ""));
    let mut context = Context::from_waker(Waker::noop());
    let mut left = store.query(&tenant, &query);
    assert!(Pin::new(&mut left).poll(&mut context).is_pending());
    begun.recv().expect("it walks");
    drop(left);
    drop(go_on);
    let found = wait(store.query(&tenant, &query)).expect("a page");
    assert_eq!((found.records.len(), read.load(Ordering::Relaxed)), (1, 1));
}

/// However long one tenant's walks take, another's do not wait for their end.
#[test]
fn no_tenant_has_all_threads() {
    let town = Town::new(Options::default());
    let quiet = Tenant::new("quiet").expect("a name");
    for tenant in [&acme(), &quiet] {
        wait(town.store.commit(tenant, town.user("u1"))).expect("created");
    }
    let ((begin, begun), (go_on, may_go_on)) = (channel(), channel::<()>());
    let (begin, may_go_on) = (Mutex::new(begin), Mutex::new(may_go_on));
    let are_quiet = Arc::new(AtomicBool::new(false));
    let is_quiet = Arc::clone(&are_quiet);
    let trace = Arc::new(move |sql: &str| {
        if sql.contains("r.id > ") && !is_quiet.load(Ordering::Relaxed) {
            begin.lock().expect("not poisoned").send(()).expect("awaited");
            let _ = may_go_on.lock().expect("not poisoned").recv();
        }
    });
    let options = Options { walkers: 1, trace: Some(trace), ..Options::default() };
    let store = SqliteStore::open(town.file(), options).expect("opens");
    let (loud, query) = (acme(), town.query("User", r#"emails.value co "example""#, ""));
    let mut context = Context::from_waker(Waker::noop());
    let mut lists: Vec<_> = (0..3).map(|_| store.query(&loud, &query)).collect();
    for list in &mut lists {
        assert!(Pin::new(list).poll(&mut context).is_pending());
    }
    begun.recv().expect("the first walks");
    are_quiet.store(true, Ordering::Relaxed);
    assert_eq!(wait(store.query(&quiet, &query)).expect("a page").records.len(), 1);
    drop(go_on);
    for list in lists {
        assert_eq!(wait(list).expect("a page").records.len(), 1);
    }
}
