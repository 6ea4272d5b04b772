//! `scimd audit prune`: what is older than it has to be kept goes from both logs, and whoever follows loses nobody.

use std::time::Duration;

use scim_core::person::{Derived, Person};
use scim_core::schema::{Registry, ResourceType};
use scim_core::time::Timestamp;
use scim_store::conformance::{content, wait};
use scim_store::retention::Cut;
use scim_store::{AuditEntry, ChangeKind, Changeset, Content, Guard, MemberDelta, Operation, Tenant};
use serde_json::{Value, json};

use crate::audit::{column, listed};
use crate::deletion::check_whole;
use crate::following::Application;
use crate::messages::{id, op, user};
use crate::server::{Place, Server};

/// A day in 2020.
fn day(number: i64) -> Timestamp {
    Timestamp(1_577_836_800_000).plus_seconds(86_400 * number)
}

/// Lets these days pass for the tenant `acme`: on each of the first six somebody comes, and on the seventh the first of them
/// leaves.
fn pass(place: &Place, days: impl Iterator<Item = i64>) {
    let registry = Registry::builtin().expect("built in");
    let users = registry.resource_type("User").expect("built in");
    for number in days {
        let (id, resource_type) = (format!("old{number}"), users.name().into());
        let operation = match number {
            7 => Operation::Delete { id: "old1".to_owned(), resource_type, guard: Guard::Exists },
            _ => Operation::Create {
                content: old(users, number),
                id,
                resource_type,
                members: MemberDelta::default(),
            },
        };
        write(place, number, operation, Some(entry(number)));
    }
}

/// Whoever came on a day.
fn old(users: &ResourceType, number: i64) -> Content {
    let document = json!({ "userName": format!("old{number}"), "active": true });
    let first_name = Some(format!("Old {number}"));
    let person = Person { first_name, active: true, ..Person::default() };
    Content {
        person: Some(Derived { person, pick: None }),
        ..content(users, document.as_object().expect("an object"))
    }
}

fn entry(number: i64) -> AuditEntry {
    AuditEntry {
        actor: "abcd2345".to_owned(),
        request: format!("day{number}"),
        action: "whatever it was".to_owned(),
        status: 200,
        detail: String::new(),
    }
}

fn write(place: &Place, number: i64, operation: Operation, audit: Option<AuditEntry>) {
    let store = scimd::store::open(&place.store).expect("the store opens");
    let changeset = Changeset { operations: vec![operation], audit, ..Changeset::new(day(number)) };
    wait(store.commit(&Tenant::new("acme").expect("a name"), changeset)).expect("written");
}

#[test]
fn logs_are_kept_as_long_as_they_have_to_be() {
    let (server, mut client) = Server::with("generic");
    let place = &server.place;
    let [late, prompt] = ["late", "prompt"].map(|name| Application::new(place, name));
    pass(place, 1..=3);
    assert_eq!((late.run().len(), prompt.run().len()), (3, 3));
    pass(place, 4..=7);
    assert_eq!(prompt.run().len(), 5);
    let ada = id(&client.post("/Users", &user("ada")).expect(201));
    client.patch(&format!("/Users/{ada}"), json!([op("replace", "active", json!(false))])).expect(200);

    let prune = |more: &[&str]| place.run(&[&["audit", "prune", "acme", "--older-than"], more].concat());
    let numbers =
        |more: &[&str]| column(&listed(place, &[&["audit", "list", "acme"], more].concat()), "number");
    for (time, words) in [("12h", "keep a day at least"), ("soon", "use a time such as `400d`")] {
        let refused = prune(&[time]);
        assert!(refused.code == Some(2) && refused.stderr.contains(words), "{refused:?}");
    }
    let asked = prune(&["365d", "--dry-run"]);
    assert!(asked.code == Some(0) && asked.stderr.contains("6 changes and 6 audit entries"), "{asked:?}");
    assert!(asked.stderr.contains("nothing was removed"), "{asked:?}");
    assert_eq!(numbers(&["--after", "0"]).len(), 9);
    let pruned = prune(&["365d"]);
    assert!(pruned.code == Some(0) && pruned.stderr.contains("6 changes and 6 audit entries"), "{pruned:?}");
    let again = prune(&["365d"]);
    assert!(again.code == Some(0) && again.stderr.contains("nothing was removed"), "{again:?}");
    check_whole(place);

    // What happened on the last of the old days is not shown either: it is the place of whoever stopped there.
    for more in [&["--after", "0"] as &[&str], &[], &["--after", "7", "--at", "2020-01-08T00:00:00Z"]] {
        assert_eq!(numbers(more), [8, 9].map(Value::from), "{more:?}");
    }
    assert_eq!(numbers(&["--limit", "1"]), [Value::from(9)]);
    assert_eq!(numbers(&["--resource", "old1"]), [] as [Value; 0]);
    assert_eq!(numbers(&["--resource", &ada]), [8, 9].map(Value::from));
    let marked = place.directory.path().join("mark");
    let marked = marked.to_str().expect("UTF-8");
    place.command(&["audit", "list", "acme", "--after", "0", "--resource", "nobody", "--mark", marked]);
    assert!(std::fs::read_to_string(marked).expect("a mark").contains("\"after\":9"));
    for [what, after] in [["audit list", "6"], ["person changes", "6"]] {
        let mut arguments: Vec<&str> = what.split(' ').collect();
        arguments.extend(["acme", "--after", after]);
        let refused = place.run(&arguments);
        assert_eq!(refused.code, Some(3), "{what}: {refused:?}");
        let words =
            "is not kept any more: the log was pruned since, and begins with what was made at 2020-01-08";
        assert!(refused.stderr.contains(words), "{what}: {refused:?}");
    }
    let trail = listed(place, &["audit", "administration", "acme", "--limit", "1"]);
    assert_eq!(
        (&trail[0]["actor"], &trail[0]["action"]),
        (&json!("cli:audit prune"), &json!("prune the logs of acme"))
    );

    // One asked last when somebody was there who has left since, and is not told of it; the other knows.
    assert_eq!((late.run().len(), prompt.run().len()), (6, 6));
    let new = Application::new(place, "new");
    assert_eq!(new.run().len(), 6);
    let changes = listed(place, &["person", "changes", "acme"]);
    let old = [2, 3, 4, 5, 6].map(|number| (json!(7), json!(format!("old{number}"))));
    let expected = old.into_iter().chain([(json!(9), json!(ada))]);
    assert_eq!(
        column(&changes, "sequence").into_iter().zip(column(&changes, "id")).collect::<Vec<_>>(),
        expected.collect::<Vec<_>>()
    );
    client.delete("/Users/old2").expect(204);
    assert_eq!([late.run(), prompt.run(), new.run()].map(|people| people.len()), [5, 5, 5]);
}

/// What is listed is listed with what it did, and who has seen a trail that has nothing more is told what went since.
#[test]
fn what_is_listed_is_whole() {
    let place = Place::in_file("");
    place.command(&["tenant", "create", "acme"]);
    pass(&place, 1..=1);
    let registry = Registry::builtin().expect("built in");
    let users = registry.resource_type("User").expect("built in");
    // What has no entry of its own comes after it, as when rules change.
    let again = Operation::Replace {
        id: "old1".to_owned(),
        resource_type: users.name().into(),
        guard: Guard::Exists,
        content: Some(old(users, 2)),
        members: MemberDelta::default(),
        kind: ChangeKind::Modified,
    };
    write(&place, 2, again, None);
    let prune = || place.run(&["audit", "prune", "acme", "--older-than", "365d"]);
    let resources = || column(&listed(&place, &["audit", "list", "acme", "--after", "0"]), "resource");
    assert_eq!(resources(), [json!(["old1"])]);
    let pruned = prune();
    assert!(pruned.code == Some(0) && pruned.stderr.contains("nothing was removed"), "{pruned:?}");
    assert_eq!(resources(), [json!(["old1"])]);

    pass(&place, 3..=4);
    assert_eq!(prune().code, Some(0));
    let marked = place.directory.path().join("mark");
    let marked = marked.to_str().expect("UTF-8");
    for more in [&[] as &[&str], &["--after", "0"]] {
        let arguments = [&["audit", "list", "acme", "--mark", marked], more].concat();
        assert_eq!(listed(&place, &arguments), [] as [Value; 0], "{more:?}");
        let mark: Value = serde_json::from_slice(&std::fs::read(marked).expect("a mark")).expect("JSON");
        assert_eq!(mark, json!({ "after": 3, "at": "2020-01-05T00:00:00.000Z" }), "{more:?}");
    }
    check_whole(&place);
}

/// Whoever lists, and goes on after nothing, is not told to begin anew because of what is pruned between two pages.
#[test]
fn a_list_ends_well_whatever_is_pruned_meanwhile() {
    let place = Place::in_file("");
    place.command(&["tenant", "create", "acme"]);
    let registry = Registry::builtin().expect("built in");
    let users = registry.resource_type("User").expect("built in");
    let store = scimd::store::portable(&place.store, Duration::from_secs(60)).expect("the store opens");
    let tenant = Tenant::new("acme").expect("a name");
    let create = |number| Operation::Create {
        id: format!("old{number}"),
        resource_type: users.name().into(),
        content: old(users, number),
        members: MemberDelta::default(),
    };
    let commit = |changeset| wait(store.commit(&tenant, changeset)).expect("written");
    commit(Changeset { operations: (0..2500).map(create).collect(), ..Changeset::new(day(1)) });
    for number in 0..1300 {
        commit(Changeset { audit: Some(entry(number)), ..Changeset::new(day(1)) });
    }
    let list = |cut: Cut, arguments: &[&str]| {
        wait(store.prune(&tenant, &cut, 1)).expect("pruned");
        std::thread::scope(|scope| {
            scope.spawn(|| while wait(store.prune(&tenant, &cut, 10)).expect("pruned") > 0 {});
            listed(&place, arguments)
        })
    };
    let trail = Cut { changes: 0..0, audit: 1..1300 };
    let found = list(trail, &["audit", "list", "acme", "--resource", "nobody"]);
    assert_eq!(found, [] as [Value; 0]);
    let changes = list(Cut { changes: 1..2500, audit: 0..0 }, &["person", "changes", "acme"]);
    assert_eq!(changes.len(), 2500);
}
