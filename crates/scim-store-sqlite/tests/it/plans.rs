//! The plans that SQLite makes of our statements: what has an index is never scanned or sorted.

use bytes::Bytes;
use scim_core::time::Timestamp;
use scim_store::conformance::wait;
use scim_store::{Changeset, EdgeQuery, PersonQuery, Position, Report, ReportQuery, Side, Start, Store};
use scim_store_sqlite::Options;
use serde_json::json;

use crate::people::{Town, acme, stranger};

fn town() -> Town {
    let town = Town::new(Options::default());
    for n in 0..100 {
        town.commit(town.user(&format!("u{n:03}"))).expect("created");
    }
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Everyone"
    });
    town.commit(town.create("Group", "g1", &group, &["u001", "u002"])).expect("created");
    town
}

fn report(subject: &str) -> Report {
    Report {
        subject: subject.to_owned(),
        digest: [1; 32],
        request: "r1".to_owned(),
        method: "POST".to_owned(),
        path: "/Users".to_owned(),
        body: Bytes::new(),
        status: 400,
        findings: Bytes::new(),
    }
}

/// What SQLite says it does for the statements so far, as far as it is not a walk of an index from a key.
fn complaints(town: &Town) -> Vec<String> {
    let connection = stranger(&town.file());
    let mut complaints = Vec::new();
    let statements = town.statements();
    assert!(statements.iter().any(|sql| sql.starts_with("SELECT")), "nothing was asked: {statements:?}");
    for sql in statements.iter().filter(|sql| sql.starts_with("SELECT")) {
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("explains");
        let mut rows = explained.raw_query();
        // The groups of one person, which are few, are sorted where one of them is picked.
        let mut picks: Vec<i64> = Vec::new();
        while let Some(row) = rows.next().expect("a row") {
            let step: String = row.get(3).expect("a text");
            if step.starts_with("CORRELATED SCALAR SUBQUERY") {
                picks.push(row.get(0).expect("a number"));
            }
            let is_pick = picks.contains(&row.get(1).expect("a number"));
            let walks_parameter = step == "SCAN j VIRTUAL TABLE INDEX 1:" || step == "SCAN CONSTANT ROW";
            let sorts = step.contains("TEMP B-TREE FOR ORDER BY") && !is_pick;
            let skips_subject = sql.contains("subject = ") && !step.contains("AND subject=?");
            // Only who asks for all persons of a tenant gets all of anything.
            let walks_tenant = step.contains("(tenant=?)") && !step.starts_with("SEARCH p ");
            if (step.starts_with("SCAN") && !walks_parameter) || sorts || skips_subject || walks_tenant {
                complaints.push(format!("{step}: {sql}"));
            }
        }
    }
    complaints
}

/// A page that begins further on costs what it skips, and not a walk of everything.
#[test]
fn nothing_is_counted_for_a_page_that_has_rows() {
    let town = town();
    for (sort, offset) in [("", 60), ("userName ascending", 60), ("displayName ascending", 60)] {
        let query = scim_store::Query { start: Start::Offset(offset), ..town.query("User", "", sort) };
        town.statements();
        let page = wait(town.store.query(&acme(), &query)).expect("a page");
        assert_eq!((page.records.len(), page.total), (10, Some(100)), "{sort}");
        let counts = |sql: &&String| sql.contains("count(*)");
        assert_eq!(town.statements().iter().find(counts), None, "{sort}");
    }
}

#[test]
fn queries_on_indexed_attributes_never_scan() {
    let town = town();
    let check = |kind: &str, filter: &str, sort: &str| {
        let query = town.query(kind, filter, sort);
        town.statements();
        let first = wait(town.store.query(&acme(), &query)).expect("a page");
        let next = Position { key: None, id: "u050".to_owned() };
        let start = Start::After(first.next.unwrap_or(next));
        for side in [Side::Groups, Side::Members] {
            wait(town.store.query_with_edges(&acme(), &query, side, 10)).expect("a page with memberships");
        }
        wait(town.store.query(&acme(), &scim_store::Query { start, ..query })).expect("a page");
        assert_eq!(complaints(&town), [""; 0], "{filter} {sort}");
    };
    check("User", "", "");
    check("User", r#"id eq "u001""#, "");
    check("User", r#"userName eq "U001@example.com""#, "");
    check("User", r#"userName sw "u00""#, "");
    check("User", r#"userName gt "u05""#, "userName ascending");
    check("User", r#"userName pr"#, "userName descending");
    check("User", "", "userName ascending");
    check("User", "", "userName descending");
    check("User", r#"externalId eq "x-u001""#, "");
    check("User", r#"emails.value eq "u001@example.com""#, "");
    check("User", r#"emails[type eq "work" and value eq "u001@example.com"]"#, "");
    check("User", r#"userName eq "a" or externalId eq "x-u002""#, "");
    check("User", r#"meta.lastModified ge "2020-01-01T00:00:00Z""#, "");
    check("User", r#"groups.value eq "g1""#, "");
    check("Group", r#"displayName eq "everyone""#, "displayName ascending");
    check("Group", r#"members.value eq "u001""#, "");
    check("Group", r#"members[value eq "u001"]"#, "id descending");
}

#[test]
fn plain_reads_never_scan() {
    let town = town();
    town.statements();
    let ids: Vec<String> = (0..100).map(|n| format!("u{n:03}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(wait(town.store.get(&acme(), &all)).expect("records").iter().flatten().count(), 100);
    wait(town.store.get(&acme(), &["u001"])).expect("a record");
    for (side, of) in [(Side::Members, "g1"), (Side::Groups, "u001")] {
        let after = Some((of.to_owned(), "a".to_owned()));
        let query = EdgeQuery { side, of: vec![of.to_owned()], after, count: 10 };
        assert_eq!(
            wait(town.store.edges(&acme(), &query)).expect("edges").edges.is_empty(),
            side == Side::Groups && "g1" < "a"
        );
        let (_, page) =
            wait(town.store.get_with_edges(&acme(), of, side, 10)).expect("reads").expect("a record");
        assert_eq!(page.edges.len(), if side == Side::Members { 2 } else { 1 });
    }
    wait(town.store.changes(&acme(), 5, 10)).expect("changes");
    wait(town.store.audit(&acme(), 5, 10)).expect("entries");
    assert_eq!(complaints(&town), [""; 0]);
}

#[test]
fn persons_and_reports_never_scan() {
    let town = town();
    let saying = Changeset { reports: vec![report("u001")], ..Changeset::new(Timestamp(0)) };
    town.commit(saying.clone()).expect("reported");
    town.statements();
    town.commit(Changeset { settles: vec!["u001".to_owned()], ..saying }).expect("reported again");
    let ids: Vec<String> = (0..100).map(|n| format!("u{n:03}")).collect();
    let page = |after: Option<&str>| PersonQuery::Page { after: after.map(str::to_owned), count: 10 };
    for query in
        [PersonQuery::Of(ids), PersonQuery::Of(vec!["u001".to_owned()]), page(None), page(Some("u050"))]
    {
        wait(town.store.persons(&acme(), &query)).expect("persons");
    }
    for after in [None, Some("u001")] {
        wait(town.store.crowded(&acme(), after, 10)).expect("members");
    }
    for (settled, subject) in
        [(None, None), (Some(true), None), (None, Some("u001")), (Some(false), Some("u001"))]
    {
        let subject = subject.map(str::to_owned);
        let query = ReportQuery { after: 0, count: 10, settled, subject };
        assert_eq!(
            wait(town.store.reports(&acme(), &query)).expect("reports").len(),
            1 + usize::from(settled.is_none())
        );
    }
    // As an application asks.
    for sql in [
        "SELECT * FROM persons WHERE tenant = 'acme'",
        "SELECT * FROM persons WHERE tenant = 'acme' AND id = 'u001'",
        "SELECT * FROM persons WHERE tenant = 'acme' ORDER BY id",
        "SELECT id, user_group FROM persons WHERE tenant = 'acme' AND email = 'ada@example.com'",
    ] {
        town.statements.lock().expect("not poisoned").push(sql.to_owned());
    }
    assert_eq!(complaints(&town), [""; 0]);
}

/// Almost every write settles what was said of its subject before, and there is rarely anything.
#[test]
fn who_has_no_open_reports_is_not_asked_for_any() {
    let town = town();
    let settling = |id: &str| Changeset { settles: vec![id.to_owned()], ..town.user(id) };
    let asks = |changeset: Changeset| {
        town.statements();
        town.commit(changeset).expect("committed");
        let asked = town.statements();
        assert!(asked.iter().any(|sql| sql.starts_with("UPDATE tenant")), "{asked:?}");
        asked
            .iter()
            .any(|sql| sql.starts_with("SELECT") && (sql.contains("report ") || sql.contains("person ")))
    };
    assert!(!asks(settling("u500")), "there is none");
    let saying = Changeset { reports: vec![report("u001")], ..Changeset::new(Timestamp(0)) };
    assert!(!asks(saying), "it is the first");
    assert!(asks(settling("u501")), "there may be one about it");
    assert!(
        asks(settling("u001x")) && asks(Changeset { settles: vec!["u001".to_owned()], ..town.user("u502") })
    );
    assert!(!asks(settling("u503")), "all are settled");
}

/// The number of statements of a page does not grow with the page.
#[test]
fn statements_do_not_grow_with_the_page() {
    let town = town();
    for (filter, sort) in
        [("", ""), ("active eq true", "userName ascending"), (r#"title pr or active pr"#, "")]
    {
        let count = |count: usize| {
            let query = scim_store::Query { count, ..town.query("User", filter, sort) };
            wait(town.store.query(&acme(), &query)).expect("warm");
            town.statements();
            wait(town.store.query(&acme(), &query)).expect("a page");
            // Each connection looks a name up once.
            let is_lookup = |sql: &String| sql.contains("FROM name") || sql.contains("FROM tenant");
            town.statements().iter().filter(|sql| !is_lookup(sql)).count()
        };
        assert_eq!(count(2), count(90), "{filter}");
    }
}

/// The rule above finds what it is there for.
#[test]
fn scans_are_seen() {
    let town = town();
    town.statements();
    for sql in [
        "SELECT body FROM resource WHERE label = ?1",
        "SELECT id FROM entry ORDER BY key",
        "SELECT * FROM persons WHERE tenant = 'acme' ORDER BY email",
        "SELECT * FROM report WHERE settled = ?1",
        "SELECT member FROM edge WHERE grp = ?1 ORDER BY since",
        "SELECT body FROM report WHERE tenant = ?1 AND subject = ?2 ORDER BY number",
    ] {
        town.statements.lock().expect("not poisoned").push(sql.to_owned());
        assert!(!complaints(&town).is_empty(), "{sql}");
    }
}
