//! Following persons through the change log, page by page, up to what the store has.

use std::collections::{BTreeMap, BTreeSet};

use scim_core::person::Pick;
use scim_core::time::Timestamp;
use serde_json::json;

use super::fixture::{Fixture, adding, named, removing, setting};
use super::words::Random;
use super::{Case, wait};
use crate::persons::{FollowError, Lost, Mark, PersonChanges, changes};
use crate::{Guard, PersonRecord, Side};

pub(super) const CASES: &[Case] = &[
    Case::new("persons are followed through their own changes", own_changes),
    Case::new("persons are followed through those of their groups", group_changes),
    Case::new("only those who are named after a group follow it", picks),
    Case::new("a page of changed persons ends anywhere", paged),
    Case::new("a mark of another log is refused", other_logs),
    Case::new("random changes of persons and groups", random),
];

/// What comes after a mark, as sequences and identifiers, those who left with a minus.
fn after(f: &Fixture, mark: &Mark, count: usize) -> (String, Mark, bool) {
    let PersonChanges { changes, next, more } =
        wait(changes(&*f.store, &f.tenant, mark, count)).expect("an answer");
    let show = |change: &crate::persons::PersonChange| {
        let sign = if change.person.is_some() { "" } else { "-" };
        format!("{}{sign}{}", change.sequence, change.id)
    };
    let shown: Vec<String> = changes.iter().map(show).collect();
    (shown.join(" "), next, more)
}

/// What came since the last call.
fn follower(f: &Fixture) -> impl FnMut() -> String {
    let mut mark = Mark::default();
    move || {
        let (shown, next, more) = after(f, &mark, 100);
        assert!(!more);
        let last = f.changes().pop();
        assert_eq!(next.sequence, last.as_ref().map_or(0, |change| change.sequence));
        assert_eq!((next.at, &next.within), (last.map(|change| change.at), &None));
        mark = next;
        shown
    }
}

fn own_changes(f: &Fixture) {
    let mut news = follower(f);
    assert_eq!(news(), "");
    f.must(vec![f.person("b", named("b", None, None)), f.person("a", named("a", None, None))]);
    assert_eq!(news(), "1b 2a");
    f.must(vec![f.user("c", "c")]);
    assert_eq!(news(), "", "nobody is derived from it");
    f.must(vec![f.rederive("c", Guard::Exists, Some(named("c", None, None)))]);
    assert_eq!(news(), "4c");
    f.must(vec![f.new_person("a", Some(named("Ada", None, None)))]);
    f.must(vec![f.new_person("b", Some(named("Bob", None, None)))]);
    f.must(vec![f.new_person("a", Some(named("Eve", None, None)))]);
    assert_eq!(news(), "6b 7a", "each once");
    f.must(vec![f.new_person("a", None), f.delete("User", "b")]);
    assert_eq!(news(), "8-a 9-b");
    f.must(vec![f.person("b", named("b", None, None)), f.delete("User", "b"), f.delete("User", "a")]);
    assert_eq!(news(), "11-b", "of those who came and left, it is said that they are gone");
    let page = wait(changes(&*f.store, &f.tenant, &Mark::default(), 9)).expect("an answer");
    assert_eq!(page.changes[0].person, Some(f.all_persons().remove(0)), "as it is now");
    let last = f.changes().pop().expect("a change");
    let bare = Mark { sequence: last.sequence, ..Mark::default() };
    let whole = Mark { at: Some(last.at), ..bare.clone() };
    assert_eq!(after(f, &bare, 9), (String::new(), whole, false), "a mark of nothing new is whole too");
}

fn group_changes(f: &Fixture) {
    let mut news = follower(f);
    for id in ["a", "b", "c"] {
        f.must(vec![f.person(id, named(id, Some(Pick::Latest), None))]);
    }
    f.must(vec![f.user("x", "x"), f.group("g", &["a", "x"])]);
    assert_eq!(news(), "2b 3c 5a");
    f.must(vec![f.group("h", &["b", "g"])]);
    assert_eq!(news(), "6b");
    f.must(vec![f.link("g", setting(&["c", "x"]))]);
    assert_eq!(news(), "7a 7c");
    f.must(vec![f.replace("Group", "g", json!({ "displayName": "The g", "externalId": "1" }))]);
    assert_eq!(news(), "");
    f.must(vec![f.replace("Group", "g", json!({ "displayName": "New", "externalId": "1" }))]);
    assert_eq!(news(), "9c");
    f.must(vec![f.link("g", adding(&["a"])), f.replace("Group", "g", json!({ "displayName": "Newer" }))]);
    f.must(vec![f.link("g", removing(&["c"]))]);
    assert_eq!(news(), "11a 12c");
    f.must(vec![f.delete("Group", "g")]);
    assert_eq!(news(), "13a");
    f.must(vec![f.delete("User", "b")]);
    assert_eq!(news(), "16-b", "the deletion, and its group");
}

fn picks(f: &Fixture) {
    let mut news = follower(f);
    f.must(vec![f.person("a", named("a", None, Some("Fixed"))), f.group("g", &["a"])]);
    assert_eq!(news(), "2a");
    f.must(vec![f.replace("Group", "g", json!({ "displayName": "New" }))]);
    assert_eq!(news(), "");
    f.must(vec![f.rederive("a", Guard::Exists, Some(named("a", Some(Pick::First), None)))]);
    assert_eq!(news(), "4a");
    f.must(vec![f.replace("Group", "g", json!({ "displayName": "Newer" }))]);
    assert_eq!(news(), "5a");
}

fn paged(f: &Fixture) {
    let ids: Vec<String> = (0..7).map(|n| format!("u{n}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    f.must(ids.iter().map(|id| f.person(id, named(id, Some(Pick::First), None))).collect());
    f.must(vec![f.group("g", &all)]);
    f.must(vec![f.replace("Group", "g", json!({ "displayName": "New" }))]);
    f.must(vec![f.link("g", setting(&all[..1]))]);
    let pages = |from: u64, count: usize| {
        let mut mark = Mark { sequence: from, ..Mark::default() };
        let mut pages = Vec::new();
        loop {
            let (shown, next, more) = after(f, &mark, count);
            assert_ne!(mark, next, "there is a way on");
            mark = next.to_string().parse().expect("as it was written");
            pages.push(format!("{shown} |{}", Mark { at: None, ..mark.clone() }));
            if !more {
                return pages;
            }
        }
    };
    assert_eq!(
        pages(7, 3),
        [
            "8u0 8u1 8u2 |7/u2",
            "8u3 8u4 8u5 |7/u5",
            "8u6 9u0 10u1 |9/u1",
            "10u2 10u3 10u4 |9/u4",
            "10u5 10u6 |10",
        ]
    );
    assert_eq!(pages(8, 100), ["9u0 10u1 10u2 10u3 10u4 10u5 10u6 |10"]);
    assert_eq!(pages(0, 2)[0], "1u0 2u1 |2");
    assert_eq!(pages(9, 0).len(), 6);
    f.must((0..150).map(|n| f.user(&format!("x{n}"), &format!("x{n}"))).collect());
    let long = pages(10, 100);
    assert_eq!(long, [" |110", " |160"], "a page of nobody, since there is much to look at");
}

fn other_logs(f: &Fixture) {
    f.must(vec![f.person("a", named("a", None, None)), f.person("b", named("b", None, None))]);
    let at = f.changes().first().map(|change| change.at);
    let asked = |sequence: u64, at: Option<Timestamp>| {
        let mark = Mark { sequence, at, within: None };
        match wait(changes(&*f.store, &f.tenant, &mark, 9)) {
            Ok(page) => Ok(page.changes.len()),
            Err(FollowError::Anew(lost)) => Err(lost),
            Err(FollowError::Store(error)) => panic!("{error}"),
        }
    };
    assert_eq!(asked(1, at), Ok(1));
    assert_eq!(asked(1, None), Ok(1), "the number alone");
    assert_eq!(asked(1, at.map(|at| at.plus_seconds(1))), Err(Lost::Other(at.expect("a change"))));
    assert_eq!(asked(2, None), Ok(0));
    assert_eq!(asked(3, at), Err(Lost::Missing), "not there yet");
    assert_eq!(asked(u64::MAX, None), Err(Lost::Missing));
}

/// The members of each group by the order in which they came, which is all that a naive model needs to know.
type Model = BTreeMap<String, Vec<(usize, String)>>;

fn random(f: &Fixture) {
    follow_at_random(f, &mut |_, _| {});
}

/// Follows random changes, before each of which something else may happen. Who is told that there is nothing to go on after
/// begins anew.
pub(super) fn follow_at_random(f: &Fixture, meanwhile: &mut dyn FnMut(&Fixture, &mut Random)) {
    for seed in 1..=4_u64 {
        let f = &f.other_tenant(&format!("f{seed}"));
        let random = &mut Random::new(0x00C0_FFEE ^ (seed << 32));
        let ids: Vec<String> = (0..12).map(|n| format!("u{n:02}")).collect();
        let groups: Vec<String> = (0..5).map(|n| format!("g{n}")).collect();
        let mut model = Model::new();
        let mut follower = Follower::default();
        for moment in 0..160 {
            meanwhile(f, random);
            step(f, random, moment, &ids, &groups, &mut model);
            for person in f.all_persons() {
                assert_eq!(person.person.user_group, expected(f, &model, &person), "seed {seed}: {person:?}");
            }
            if random.one_in(4) {
                follower.ask(f, random.below(5));
            }
        }
        while follower.ask(f, 3) {}
        // Versions of a resource whose person stayed the same are no news.
        let plain =
            |person: &PersonRecord| (person.id.clone(), person.derived.clone(), person.person.clone());
        let known: Vec<_> = follower.known.values().map(plain).collect();
        let stored: Vec<_> = f.all_persons().iter().map(plain).collect();
        assert!(!stored.is_empty());
        assert_eq!(known, stored, "seed {seed}");
    }
}

/// An application that follows.
#[derive(Default)]
struct Follower {
    known: BTreeMap<String, PersonRecord>,
    mark: Mark,
    /// Who was known when it began anew, and was not named since.
    unseen: BTreeSet<String>,
}

impl Follower {
    /// Takes over a page. Whether more follow.
    fn ask(&mut self, f: &Fixture, count: usize) -> bool {
        let page = match wait(changes(&*f.store, &f.tenant, &self.mark, count)) {
            Ok(page) => page,
            Err(FollowError::Anew(_)) => {
                self.mark = Mark::default();
                self.unseen = self.known.keys().cloned().collect();
                return true;
            }
            Err(FollowError::Store(error)) => panic!("{error}"),
        };
        for change in page.changes {
            self.unseen.remove(&change.id);
            match change.person {
                Some(person) => drop(self.known.insert(change.id, person)),
                None => drop(self.known.remove(&change.id)),
            }
        }
        if !page.more {
            for id in std::mem::take(&mut self.unseen) {
                self.known.remove(&id);
            }
        }
        // As an application keeps it.
        self.mark = page.next.to_string().parse().expect("as it was written");
        page.more
    }
}

/// The user group of a person by the model.
fn expected(f: &Fixture, model: &Model, person: &PersonRecord) -> Option<String> {
    let in_groups = model.iter().flat_map(|(group, members)| {
        members.iter().filter(|(_, member)| *member == person.id).map(move |(moment, _)| (*moment, group))
    });
    let group = match person.derived.pick {
        None => return person.derived.person.user_group.clone(),
        Some(Pick::First) => in_groups.min(),
        Some(Pick::Latest) => in_groups.max(),
    };
    group.map(|(_, group)| f.record(group).expect("it exists").label).filter(|label| !label.is_empty())
}

/// Something happens.
fn step(
    f: &Fixture,
    random: &mut Random,
    moment: usize,
    ids: &[String],
    groups: &[String],
    model: &mut Model,
) {
    let id = &ids[random.below(ids.len())];
    let group = &groups[random.below(groups.len())];
    let person = (!random.one_in(5)).then(|| {
        let pick = [None, Some(Pick::First), Some(Pick::Latest)][random.below(3)];
        let fixed = (pick.is_none() && random.one_in(2)).then_some("Fixed");
        named(random.pick(&["Ada", "Bob"]), pick, fixed)
    });
    let exists = f.record(id).is_some();
    match random.below(8) {
        0 | 1 if !exists => match person {
            Some(person) => drop(f.must(vec![f.person(id, person)])),
            None => drop(f.must(vec![f.user(id, id)])),
        },
        0 => drop(f.must(vec![f.rederive(id, Guard::Exists, person)])),
        1 => drop(f.must(vec![f.new_person(id, person)])),
        2 if exists && random.one_in(2) => {
            f.must(vec![f.delete("User", id)]);
            model.values_mut().for_each(|members| members.retain(|(_, member)| member != id));
        }
        _ if !model.contains_key(group) => {
            let members = if exists { vec![id.as_str()] } else { Vec::new() };
            f.must(vec![f.group(group, &members)]);
            let members = members.iter().map(|id| (moment, (*id).to_owned())).collect();
            model.insert(group.clone(), members);
        }
        3 if random.one_in(2) => {
            f.must(vec![f.delete("Group", group)]);
            model.remove(group);
        }
        4 => {
            let name = random.pick(&["", "One", "Two", "Three"]);
            f.must(vec![f.replace("Group", group, json!({ "displayName": name }))]);
        }
        5 => {
            f.must(vec![f.link(group, removing(&[id]))]);
            model.entry(group.clone()).or_default().retain(|(_, member)| member != id);
        }
        _ if exists => {
            let members = model.entry(group.clone()).or_default();
            let clear = random.one_in(4);
            f.must(vec![f.link(group, if clear { setting(&[id]) } else { adding(&[id]) })]);
            members.retain(|(_, member)| !clear || member == id);
            if !members.iter().any(|(_, member)| member == id) {
                members.push((moment, id.clone()));
            }
        }
        _ => {}
    }
    assert_eq!(
        f.linked(Side::Members, group).len(),
        model.get(group).map_or(0, Vec::len),
        "the model is right about {group}"
    );
}
