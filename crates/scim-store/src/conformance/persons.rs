//! Persons: kept with their resource and apart from it, read by identifier and in pages, named after their groups.

use scim_core::person::{Derived, Gender, Person, Pick};
use serde_json::json;

use super::Case;
use super::fixture::{Fixture, adding, named, removing, setting};
use crate::{ChangeKind, Conflict, Guard, PersonPage, PersonQuery, PersonRecord};

pub(super) const CASES: &[Case] = &[
    Case::new("a person is kept with all its fields", fields),
    Case::new("another person is a change, the same is none", replaced),
    Case::new("a person goes with its resource", gone),
    Case::new("a new member changes nothing of a person that is stored", members_alone),
    Case::new("persons come by identifier and in pages", paged),
    Case::new("the user group is the first or the latest group", user_group),
    Case::new("a person can be derived anew without a change of the resource", rederived),
];

fn of(f: &Fixture, ids: &[&str]) -> Vec<PersonRecord> {
    let PersonPage { persons, more } =
        f.persons(&PersonQuery::Of(ids.iter().map(|&id| id.to_owned()).collect()));
    assert!(!more);
    persons
}

fn group_of(f: &Fixture, id: &str) -> Option<String> {
    of(f, &[id]).remove(0).person.user_group
}

fn fields(f: &Fixture) {
    let text = |text: &str| Some(text.to_owned());
    let full = Derived {
        person: Person {
            first_name: text("Ada \"'é日\u{1}\u{1F600}"),
            last_name: text("Lovelace"),
            email: text("ada@example.com"),
            gender: Some(Gender::Female),
            academic_degree: text("Prof. Dr."),
            language: text("en"),
            locale: text("en-GB"),
            user_group: text("Engines"),
            active: true,
            extra: [("cost center".to_owned(), "4711".to_owned()), ("b\"".to_owned(), String::new())].into(),
        },
        pick: None,
    };
    let each = |derived: Derived| {
        let id = format!("u{}", f.changes().len());
        f.must(vec![f.person(&id, derived.clone())]);
        let person = derived.person.clone();
        let (version, modified) = (f.record(&id).unwrap().version, f.now());
        let expected = PersonRecord { id: id.clone(), version, modified, derived, person };
        assert_eq!(of(f, &[&id]), [expected]);
    };
    each(full.clone());
    each(Derived::default());
    for gender in Gender::ALL {
        each(Derived { person: Person { gender: Some(gender), ..Person::default() }, pick: None });
    }
    for pick in Pick::ALL {
        let person = Person { user_group: None, active: false, ..full.person.clone() };
        each(Derived { person, pick: Some(pick) });
    }
    f.must(vec![f.user("plain", "plain")]);
    assert_eq!(of(f, &["plain", "nobody"]), []);
}

fn replaced(f: &Fixture) {
    f.must(vec![f.person("a", named("Ada", None, None))]);
    let step = |person: Option<Derived>, changed: bool| {
        let before = f.changes().len();
        assert_eq!(f.must(vec![f.new_person("a", person.clone())])[0].changed, changed);
        let log = f.changes().split_off(before);
        let log: Vec<_> = log.iter().map(|change| (change.kind, change.person)).collect();
        assert_eq!(log, if changed { vec![(ChangeKind::Modified, true)] } else { vec![] });
        let found = of(f, &["a"]).pop();
        assert_eq!(found.as_ref().map(|found| &found.derived), person.as_ref());
        let record = f.record("a").unwrap();
        assert!(
            found.is_none_or(|found| (found.version, found.modified) == (record.version, record.modified))
        );
    };
    step(Some(named("Ada", None, None)), false);
    step(Some(named("Eve", None, None)), true);
    step(Some(named("Eve", None, Some("Group"))), true);
    step(Some(named("Eve", Some(Pick::First), None)), true);
    step(Some(named("Eve", Some(Pick::Latest), None)), true);
    step(None, true);
    step(None, false);
    step(Some(named("Eve", None, None)), true);
    // Another document, the same person.
    let before = f.changes().len();
    let crate::Operation::Replace { id, resource_type, guard, content, members, kind } =
        f.new_person("a", Some(named("Eve", None, None)))
    else {
        unreachable!("a replacement")
    };
    let document = f.content("User", json!({ "userName": "a", "title": "Countess" }));
    let content = content.map(|content| crate::Content { person: content.person, ..document });
    f.must(vec![crate::Operation::Replace { id, resource_type, guard, content, members, kind }]);
    let change = f.changes().pop().unwrap();
    assert_eq!((f.changes().len(), change.kind, change.person), (before + 1, ChangeKind::Modified, false));
}

fn gone(f: &Fixture) {
    f.must(vec![f.person("a", named("Ada", None, None)), f.person("b", named("Bob", None, None))]);
    f.must(vec![f.delete("User", "a")]);
    assert_eq!(f.changes().pop().map(|change| change.person), Some(true));
    assert_eq!(of(f, &["a"]), []);
    f.must(vec![f.user("a", "a")]);
    assert_eq!(of(f, &["a"]), [], "it does not come back with the identifier");
    f.must(vec![f.delete("User", "a"), f.person("a", named("Eve", None, None))]);
    assert_eq!(of(f, &["a"])[0].person.first_name.as_deref(), Some("Eve"));
    f.must(vec![f.delete("User", "a"), f.user("a", "a")]);
    assert_eq!(of(f, &["a"]), []);
    f.must(vec![f.person("c", named("Cid", None, None)), f.delete("User", "c")]);
    assert_eq!(f.all_persons().iter().map(|person| person.id.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(f.other_tenant("umbrella").all_persons(), []);
}

fn members_alone(f: &Fixture) {
    f.must(vec![f.person("a", named("Ada", Some(Pick::First), None)), f.group("g", &[])]);
    f.must(vec![f.link("g", adding(&["a"]))]);
    let change = f.changes().pop().unwrap();
    assert_eq!((change.person, change.renamed), (false, false));
    let person = of(f, &["a"]).remove(0);
    assert_eq!((person.version, person.derived), (1, named("Ada", Some(Pick::First), None)));
}

fn paged(f: &Fixture) {
    for id in ["d", "b", "e", "a"] {
        f.must(vec![f.person(id, named(id, None, None))]);
    }
    f.must(vec![f.user("c", "c")]);
    let page = |after: Option<&str>, count| {
        let after = after.map(str::to_owned);
        let PersonPage { persons, more } = f.persons(&PersonQuery::Page { after, count });
        (persons.into_iter().map(|person| person.id).collect::<String>(), more)
    };
    let answer = |ids: &str, more| (ids.to_owned(), more);
    assert_eq!(page(None, 9), answer("abde", false));
    assert_eq!(page(None, 4), answer("abde", false));
    assert_eq!(page(None, 3), answer("abd", true));
    assert_eq!(page(Some("b"), 1), answer("d", true));
    assert_eq!(page(Some("c"), 2), answer("de", false));
    assert_eq!(page(Some("e"), 2), answer("", false));
    assert_eq!(page(None, 0), answer("", true));
    let ids = |ids: &[&str]| of(f, ids).into_iter().map(|person| person.id).collect::<String>();
    assert_eq!(ids(&["e", "x", "a", "c", "e", ""]), "ae");
    assert_eq!(ids(&[]), "");
    let many: Vec<String> = (0..100).map(|n| format!("m{n:02}")).collect();
    f.must(many.iter().map(|id| f.person(id, named(id, None, None))).collect());
    assert_eq!(f.persons(&PersonQuery::Of(many.clone())).persons.len(), 100);
    assert_eq!(f.persons(&PersonQuery::Page { after: Some("m".to_owned()), count: 99 }).persons.len(), 99);
}

fn user_group(f: &Fixture) {
    let person = |id: &str, pick| f.person(id, named(id, pick, None));
    f.must(vec![person("f", Some(Pick::First)), person("l", Some(Pick::Latest))]);
    f.must(vec![f.person("n", named("n", None, Some("Fixed")))]);
    f.must(vec![f.group("g", &[]), f.group("h", &[]), f.group("i", &[])]);
    let check = |first: Option<&str>, latest: Option<&str>| {
        let groups = ["f", "l", "n"].map(|id| group_of(f, id));
        assert_eq!(groups, [first, latest, Some("Fixed")].map(|text| text.map(str::to_owned)));
    };
    check(None, None);
    let all = &["f", "l", "n"];
    f.must(vec![f.link("h", adding(all))]);
    check(Some("The h"), Some("The h"));
    f.must(vec![f.link("g", adding(all)), f.link("i", adding(all))]);
    check(Some("The h"), Some("The i"));
    f.must(vec![f.link("g", setting(all))]);
    check(Some("The h"), Some("The i"));
    f.must(vec![f.link("h", removing(all)), f.link("h", adding(all))]);
    check(Some("The g"), Some("The h"));
    f.must(vec![f.replace("Group", "g", json!({ "displayName": "Golf" }))]);
    check(Some("Golf"), Some("The h"));
    assert!(f.changes().pop().unwrap().renamed);
    f.must(vec![f.replace("Group", "g", json!({ "displayName": "" }))]);
    check(None, Some("The h"));
    f.must(vec![f.replace("Group", "g", json!({ "displayName": "", "externalId": "g" }))]);
    assert!(!f.changes().pop().unwrap().renamed);
    f.must(vec![f.delete("Group", "g")]);
    check(Some("The i"), Some("The h"));
    f.must(vec![f.delete("Group", "h"), f.delete("Group", "i")]);
    check(None, None);
}

fn rederived(f: &Fixture) {
    f.must(vec![f.person("a", named("Ada", None, None)), f.user("b", "b")]);
    let (a, b) = (f.record("a"), f.record("b"));
    let step = |id: &str, person: Option<Derived>, changed: bool| {
        let before = f.changes().len();
        let (version, modified) = f.record(id).map(|record| (record.version, record.modified)).unwrap();
        let applied = f.must(vec![f.rederive(id, Guard::Version(version), person.clone())])[0];
        assert_eq!((applied.version, applied.modified, applied.changed), (version, modified, changed));
        assert_eq!(of(f, &[id]).pop().map(|found| found.derived), person);
        let log = f.changes().split_off(before);
        let log: Vec<_> = log.iter().map(|c| (c.kind, c.id.as_str(), c.person, c.sequence)).collect();
        let sequence = before as u64 + 1;
        assert_eq!(log, if changed { vec![(ChangeKind::PersonChanged, id, true, sequence)] } else { vec![] });
    };
    step("a", Some(named("Ada", None, None)), false);
    step("a", Some(named("Eve", None, None)), true);
    step("a", None, true);
    step("b", None, false);
    step("b", Some(named("Bob", Some(Pick::First), None)), true);
    assert_eq!((f.record("a"), f.record("b")), (a, b));
    // The version is that of the resource, and a change still gets the next number.
    let stale = Guard::Version(f.changes().len() as u64);
    assert_eq!(
        f.commit(vec![f.rederive("a", stale, None)]),
        Err(Conflict::Version { operation: 0, current: 1 })
    );
    let applied = f.must(vec![f.new_person("a", Some(named("Ada", None, None)))]);
    assert_eq!(applied[0].version, 6);
    assert_eq!(f.find("User", "userName eq \"a\"", ""), ["a"]);
    // Created, derived and named by one changeset.
    f.must(vec![
        f.person("c", named("c", None, None)),
        f.rederive("c", Guard::Exists, Some(named("Cid", Some(Pick::First), None))),
        f.group("g", &["c"]),
    ]);
    assert_eq!(group_of(f, "c").as_deref(), Some("The g"));
    assert_eq!(f.record("c").unwrap().version, 7);
}
