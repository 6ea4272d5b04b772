//! The plans that PostgreSQL makes of our statements: what has an index is found by it, tenant first, and not sorted.

use scim_core::time::Timestamp;
use scim_store::conformance::wait;
use scim_store::retention::Cut;
use scim_store::transfer::Portable;
use scim_store::{Changeset, EdgeQuery, PersonQuery, Position, Report, ReportQuery, Side, Start, Store};

use crate::cluster::{ROLE, patient, run, until};
use crate::people::{Town, acme};

fn town() -> Town {
    let town = Town::new(patient());
    fill(&town);
    town
}

fn fill(town: &Town) {
    for n in 0..100 {
        town.commit(town.user(&format!("u{n:03}"))).expect("created");
    }
    town.commit(town.group("g1", &["u001", "u002"])).expect("created");
    let everybody: Vec<String> = (0..100).map(|n| format!("u{n:03}")).collect();
    let everybody: Vec<&str> = everybody.iter().map(String::as_str).collect();
    for n in 2..10 {
        town.commit(town.group(&format!("g{n}"), &everybody)).expect("created");
    }
}

/// One of whose tables no more is known than that there were one user and one group, before all others came.
fn town_that_was_small() -> Town {
    let town = Town::new(patient());
    for table in [
        "resource", "entry", "claim", "edge", "change", "audit", "person", "hidden", "report", "tenant",
        "total",
    ] {
        town.database.run(&format!("ALTER TABLE scim.{table} SET (autovacuum_enabled = off)"));
    }
    town.commit(town.user("u")).expect("created");
    town.commit(town.group("g", &["u"])).expect("created");
    town.database.run("VACUUM ANALYZE");
    fill(&town);
    town
}

/// What PostgreSQL would do for statements, with the settings of our connections, as far as it is not a walk of an index
/// from a known place within the tenant.
fn complaints(town: &Town, statements: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    let is_plain = |sql: &&String| {
        ["SELECT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb)) && sql.contains("$2")
    };
    for sql in statements.iter().filter(is_plain) {
        let places = (1..20).take_while(|place| sql.contains(&format!("${place}"))).count();
        let nulls = vec!["NULL"; places].join(", ");
        let arguments = if places == 0 { String::new() } else { format!("({nulls})") };
        let names_its_tenant = sql.contains("set_config('scim.tenant'");
        let named = if names_its_tenant { "" } else { "SET scim.tenant = 'acme';" };
        let explain = format!(
            "SET search_path = scim; {named} SET plan_cache_mode = force_generic_plan;
             SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
             SET enable_sort = off; SET cpu_index_tuple_cost = 1000; SET jit = off; PREPARE asked AS {sql}; EXPLAIN EXECUTE asked{arguments}"
        );
        let plan = run(&town.database.text(ROLE), &explain);
        // What names the tenant comes before anything that is looked at.
        let is_first = matches!(plan.as_slice(), [join, first, next, ..] if join.starts_with("Nested Loop ")
            && first.trim().starts_with("->  Result ") && !next.contains("Filter"));
        if names_its_tenant && !is_first {
            complaints.push(format!("the tenant comes too late: {sql}\n{}", plan.join("\n")));
        }
        for (number, step) in plan.iter().enumerate() {
            let condition = plan.get(number + 1).map(String::as_str).unwrap_or_default();
            let is_index = step.contains("Index Scan") || step.contains("Index Only Scan");
            let is_of_tenant = condition.contains("tenant = ") || condition.contains("name = ");
            // Only who asks for all persons of a tenant gets all of anything.
            let others =
                condition.replace("current_setting('scim.tenant'::text, true)", "").replace(" AND ", "&");
            let is_narrow =
                others.split('&').any(|part| !part.contains("tenant = ")) || step.contains("person");
            // What an index has in order down to identifiers is sorted as it comes.
            let is_sorted_whole = step.trim().trim_start_matches("->").trim().starts_with("Sort  (")
                && condition.contains(".key");
            // Both indexes of memberships, and both of resources, have the columns of the other.
            let leads = |column: &str| {
                let starts = [format!("({column} = "), format!("({column} >= "), format!("(ROW({column}, ")];
                starts.iter().any(|start| others.contains(start))
            };
            let is_across = |index: &str, leading: &str, next: &str| {
                step.contains(index) && others.contains(&format!("({next} ")) && !leads(leading)
            };
            let is_across = is_across("edge_pkey", "grp", "member")
                || is_across("edge_by_member", "member", "grp")
                || is_across("resource_by_type", "type", "id");
            if step.contains("Seq Scan on")
                || is_across
                || is_sorted_whole
                || (is_index && !(is_of_tenant && is_narrow))
            {
                complaints.push(format!("{}: {}\n{}", step.trim(), sql, plan.join("\n")));
            }
        }
    }
    complaints
}

/// Whatever the planner knows of the tables.
#[test]
fn nothing_is_scanned() {
    for (state, town) in [("a hundred rows", town()), ("one row, once", town_that_was_small())] {
        let mut statements: Vec<(String, Vec<String>)> = Vec::new();
        ask_everything(&town, &mut |what, asked| statements.push((what.to_owned(), asked)));
        let check = |state: &str, knows_more: bool| {
            for (what, asked) in &statements {
                let mut asked = asked.clone();
                asked.retain(|sql| knows_more || !(sql.contains(" report ") || sql.contains(" persons ")));
                assert_eq!(complaints(&town, &asked), [""; 0], "{state}: {what}");
            }
        };
        // Of reports, which have three indexes that begin with the tenant, a tenant has 20,000 at most. The view `persons` is a
        // part of the schema.
        check(state, false);
        town.database.run("ANALYZE");
        check("a hundred rows that are known", true);
        town.database.clear();
        town.database.run("VACUUM ANALYZE");
        check("no rows", false);
    }
}

/// Asks for whatever there is, and shows the statements.
fn ask_everything(town: &Town, show: &mut dyn FnMut(&str, Vec<String>)) {
    let mut check = |what: &str, town: &Town| {
        let statements = town.trips().concat();
        assert!(statements.iter().any(|sql| sql.starts_with("SELECT")), "{what}: nothing was asked");
        show(what, statements);
    };
    town.trips();
    for (kind, filter, sort) in [
        ("User", "", ""),
        ("User", r#"id eq "u001""#, ""),
        ("User", r#"userName eq "U001@example.com""#, ""),
        ("User", r#"userName sw "u00""#, ""),
        ("User", r#"userName gt "u05""#, "userName ascending"),
        ("User", "", "userName descending"),
        ("User", r#"userName gt "u05""#, "userName descending"),
        ("User", r#"emails[type eq "work" and value eq "u001@example.com"]"#, ""),
        ("User", r#"userName eq "a" or externalId eq "x-u002""#, ""),
        ("User", r#"meta.lastModified ge "2020-01-01T00:00:00Z""#, ""),
        ("User", r#"groups.value eq "g1""#, ""),
        ("Group", r#"members.value eq "u001""#, ""),
        ("Group", r#"members[value eq "u001"]"#, "id descending"),
    ] {
        let query = town.query(kind, filter, sort);
        let first = wait(town.store.query(&acme(), &query)).expect("a page");
        let next = Position { key: None, id: "u050".to_owned() };
        let start = Start::After(first.next.unwrap_or(next));
        let further = scim_store::Query { start, ..query.clone() };
        wait(town.store.query(&acme(), &further)).expect("a page");
        let far = scim_store::Query { start: Start::Offset(5000), ..query.clone() };
        wait(town.store.query(&acme(), &far)).expect("a page");
        for side in [Side::Groups, Side::Members] {
            for query in [&query, &further] {
                wait(town.store.query_with_edges(&acme(), query, side, 10)).expect("a page and memberships");
            }
        }
        check(&format!("{filter} {sort}"), town);
    }
    let ids: Vec<String> = (0..100).map(|n| format!("u{n:03}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    wait(town.store.get(&acme(), &all)).expect("records");
    wait(town.store.get_with_edges(&acme(), "u001", Side::Groups, 10)).expect("a record");
    let edges = EdgeQuery { side: Side::Groups, of: ids.clone(), after: None, count: 10 };
    wait(town.store.edges(&acme(), &edges)).expect("edges");
    wait(town.store.crowded(&acme(), None, 10)).expect("members");
    wait(town.store.changes(&acme(), 5, 10)).expect("changes");
    wait(town.store.audit(&acme(), 5, 10)).expect("entries");
    check("plain reads", town);
    wait(town.store.persons(&acme(), &PersonQuery::Of(ids))).expect("persons");
    wait(town.store.persons(&acme(), &PersonQuery::Page { after: None, count: 10 })).expect("persons");
    check("persons", town);
    let join = |add: &str, remove: &str| town.join("g1", &[add], &[remove]);
    let delete = |id: &str| town.delete("User", id);
    let other = town.another();
    for changeset in [town.user("v1"), delete("u004"), join("v1", "u001"), join("u003", "u002"), delete("v1")]
    {
        other.commit(changeset).expect("written");
    }
    let taken_for_granted = |sql: &String| sql.starts_with("SELECT 1 / (count(*)");
    let trips = other.trips.lock().expect("not poisoned").concat();
    assert!(trips.iter().filter(|sql| taken_for_granted(sql)).count() > 1, "something was: {trips:#?}");
    wait(other.store.get(&acme(), &["u006"])).expect("a record");
    check("guesses", &other);
    let report = |subject: &str| Report {
        subject: subject.to_owned(),
        digest: [1; 32],
        request: "r1".to_owned(),
        method: "POST".to_owned(),
        path: "/Users".to_owned(),
        body: bytes::Bytes::new(),
        status: 400,
        findings: bytes::Bytes::new(),
    };
    for n in 0..100 {
        let reports = vec![report(&format!("s{n}"))];
        town.commit(Changeset { reports, ..Changeset::new(Timestamp(0)) }).expect("reported");
    }
    town.trips();
    let saying = Changeset { reports: vec![report("u001")], ..Changeset::new(Timestamp(0)) };
    town.commit(saying.clone()).expect("reported");
    town.commit(Changeset { settles: vec!["u001".to_owned()], ..saying }).expect("reported again");
    check("commits", town);
    for (settled, subject) in
        [(None, None), (Some(true), None), (None, Some("u001")), (Some(false), Some("u001"))]
    {
        let query = ReportQuery { after: 0, count: 10, settled, subject: subject.map(str::to_owned) };
        wait(town.store.reports(&acme(), &query)).expect("reports");
    }
    check("reports", town);
    let cut = Cut { changes: 1..20, audit: 1..20 };
    for gone in [10, 9, 10] {
        assert_eq!(wait(town.store.prune(&acme(), &cut, 10)).expect("pruned"), gone);
    }
    check("pruning", town);
}

/// What comes before a page is walked in an index alone.
#[test]
fn what_is_skipped_is_not_looked_up() {
    let town = town();
    // Whoever looks at the database meanwhile, as autovacuum may, keeps rows from being known as visible to all.
    until("for rows that all see", || {
        town.database.run("VACUUM ANALYZE");
        let sql = "SELECT relname FROM pg_class WHERE relname = 'resource' AND relallvisible < relpages";
        town.database.run(sql).is_empty().then_some(())
    });
    let queries = ["", "userName ascending", "userName descending"]
        .map(|sort| scim_store::Query { start: Start::Offset(5000), ..town.query("User", "", sort) });
    let Town { store, database, .. } = town;
    drop(store);
    let looked_up = || -> u64 {
        // A connection has counted all before it goes.
        let one =
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        database.until_gone(&format!("{one} AND usename = '{ROLE}'"));
        let sql = "SELECT idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'resource'";
        database.run(sql).concat().parse().expect("a number")
    };
    for query in queries {
        let before = looked_up();
        let store = database.open(patient());
        assert!(wait(store.query(&acme(), &query)).expect("a page").records.is_empty());
        drop(store);
        assert_eq!(looked_up() - before, 0, "{:?}", query.sort);
    }
}

/// The rule above finds what it is there for.
#[test]
fn scans_are_seen() {
    let town = town();
    for sql in [
        "SELECT body FROM resource WHERE tenant = $1 AND label = $2",
        "SELECT number FROM report WHERE tenant = $1 AND subject = $2",
        "SELECT j.n FROM unnest($2::text[]) AS j (n) JOIN audit a ON a.tenant = $1 AND a.actor = j.n",
    ] {
        assert!(!complaints(&town, &[sql.to_owned()]).is_empty(), "{sql}");
    }
    let too_late = "SELECT r.id FROM (SELECT set_config('scim.tenant', $1, true) AS name) t, resource r
        WHERE r.tenant = $1 AND r.id = $2 ORDER BY r.id";
    assert!(!complaints(&town, &[too_late.to_owned()]).is_empty(), "{too_late}");
    town.database.run("DROP INDEX scim.edge_by_member; ALTER TABLE scim.edge DROP CONSTRAINT edge_pkey");
    assert_eq!(
        complaints(&town, &["SELECT e.since FROM edge e WHERE e.tenant = $1 AND e.grp = $2".to_owned()])
            .len(),
        1
    );
}
