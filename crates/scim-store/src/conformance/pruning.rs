//! Pruning: what is old goes from the beginning of the logs, nothing else does, and whoever follows is never left in the
//! dark.

use scim_core::person::Pick;
use scim_core::time::Timestamp;
use serde_json::json;

use super::fixture::{Fixture, named};
use super::following::follow_at_random;
use super::transfer::{Pair, TransferCase, entry, fill};
use super::wait;
use crate::persons::{FollowError, Lost, Mark, PersonChanges, Within, changes};
use crate::retention::Cut;
use crate::transfer::{Outcome, Portable, Progress};
use crate::{Audited, Change, Changeset};

pub(super) const CASES: &[TransferCase] = &[
    TransferCase::new(
        "logs are pruned from their beginning, in portions, and never to the last entry",
        portions,
    ),
    TransferCase::new("what is older than a moment is found, and the newest of it stays", moments),
    TransferCase::new("nothing goes that is younger by its own time, whatever a clock said later", clocks),
    TransferCase::new("changes stay as long as the audit entry that they came with", together),
    TransferCase::new("of two who prune at once each knows when all is gone", two),
    TransferCase::new("whoever begins with a pruned log is told of everybody", beginning),
    TransferCase::new("a mark of what is gone is refused, one of what stays is not", marks),
    TransferCase::new("random changes are followed while the log is pruned", random),
    TransferCase::new("a pruned tenant is copied, and one that is pruned meanwhile is copied anew", copied),
];

fn prune(store: &dyn Portable, f: &Fixture, cut: &Cut) -> u64 {
    let mut all = 0;
    loop {
        match wait(store.prune(&f.tenant, cut, 10)).expect("pruned") {
            0 => return all,
            gone => all += gone,
        }
    }
}

/// From the beginning up to these numbers, which stay.
fn until(change: u64, audit: u64) -> Cut {
    Cut { changes: 1..change, audit: 1..audit }
}

fn audit(f: &Fixture) -> Vec<Audited> {
    wait(f.store.audit(&f.tenant, 0, 100_000)).expect("entries")
}

fn portions(pair: &Pair) {
    let Pair { here: f, from, .. } = pair;
    fill(f);
    let stranger = f.other_tenant("stranger");
    fill(&stranger);
    let others = stranger.everything();
    let (all, trail) = (f.changes(), audit(f));
    let before = (wait(from.holdings(&f.tenant)).expect("holdings"), f.all_persons(), f.all_reports());
    assert_eq!(wait(from.prune(&f.tenant, &Cut::default(), 10)).expect("nothing"), 0);
    let portion = || wait(from.prune(&f.tenant, &until(41, 2), 10)).expect("pruned");
    assert_eq!(portion(), 1, "an entry goes before its changes");
    assert!(f.changes() == all && audit(f) == trail[1..]);
    assert_eq!(portion(), 10);
    assert!(f.changes() == all[10..] && audit(f) == trail[1..]);
    assert_eq!(prune(&**from, f, &until(41, 2)), 30);
    assert_eq!(f.changes(), all[40..]);
    let page: Vec<Change> = wait(f.store.changes(&f.tenant, 3, 2)).expect("changes");
    assert_eq!(page, all[40..42], "what is asked for after a number that is gone begins with the first");

    prune(&**from, f, &until(u64::MAX, u64::MAX));
    assert_eq!((f.changes(), audit(f)), (all[all.len() - 1..].to_vec(), trail[trail.len() - 1..].to_vec()));
    assert_eq!(prune(&**from, f, &until(u64::MAX, u64::MAX)), 0);
    let (mut holdings, persons, reports) = before;
    (holdings.rows.changes, holdings.rows.audit) = (1, 1);
    assert_eq!(wait(from.holdings(&f.tenant)).expect("holdings"), holdings);
    assert!(f.all_persons() == persons && f.all_reports() == reports);
    assert!(stranger.everything() == others);
    let written = Changeset {
        epoch: 3,
        operations: vec![f.user("next", "next"), f.delete("User", "grace")],
        audit: entry("x"),
        ..Changeset::new(f.now())
    };
    let last = all.last().expect("a change").sequence;
    assert!(f.offer(written).expect("no conflict").sequence > last, "numbers go on");
    let numbers: Vec<u64> = f.changes().iter().map(|change| change.sequence).collect();
    assert_eq!(numbers, (last..last + numbers.len() as u64).collect::<Vec<_>>());
    let nobody = f.other_tenant("nobody");
    assert_eq!(prune(&**from, &nobody, &until(9, 9)), 0);
}

fn moments(pair: &Pair) {
    let f = &pair.here;
    let at = |moment: Timestamp| wait(Cut::before(&*f.store, &f.tenant, moment)).expect("found");
    assert_eq!(at(Timestamp(i64::MAX)), Cut::default(), "of nothing");
    for n in 0..23 {
        let user = |half: &str| f.user(&format!("u{n}{half}"), &format!("u{n}{half}"));
        f.commit_audited(vec![user("a"), user("b")], entry("POST /Bulk")).expect("no conflict");
    }
    for first in [1, 12] {
        prune(&*pair.from, f, &until(2 * first - 1, first));
        let (changes, trail) = (f.changes(), audit(f));
        for entry in &trail {
            // Of two changes of one moment, too, the later one stays.
            let is_past = |past: &&Audited| past.at < entry.at;
            let stays = trail.iter().rfind(is_past).map_or(first, |stays| stays.number);
            let change = changes.iter().rfind(|past| past.at < entry.at);
            // Of the very first entry of all nothing goes, since it is one that is listed.
            let change = change.filter(|_| stays > 1).map_or(2 * first - 1, |change| change.sequence);
            let expected = Cut { changes: 2 * first - 1..change, audit: first..stays };
            assert_eq!(at(entry.at), expected, "before {}", entry.number);
            assert_eq!(at(Timestamp(entry.at.0 - 1)), expected);
        }
    }
    assert_eq!(at(Timestamp(i64::MAX)), Cut { changes: 23..46, audit: 12..23 });
    assert!(at(Timestamp(i64::MIN)).is_empty());
    assert_eq!(at(Timestamp(i64::MAX)).entries(), 23 + 11);
    assert_eq!(at(Timestamp(i64::MAX)).to_string(), "23 changes and 11 audit entries");
    assert_eq!(until(2, 2).to_string(), "1 change and 1 audit entry");
}

fn clocks(pair: &Pair) {
    let f = &pair.here;
    let write = |days: std::ops::RangeInclusive<i64>| {
        for day in days {
            let written = Changeset {
                operations: vec![f.user(&format!("u{day}"), &format!("u{day}"))],
                audit: entry("POST /Users"),
                ..Changeset::new(Timestamp(0).plus_seconds(86_400 * day))
            };
            wait(f.store.commit(&f.tenant, written)).expect("written");
        }
    };
    write(1001..=1064);
    // A server without a clock of its own, for a while.
    write(1..=10);
    write(1065..=1070);
    let before = |day: i64| {
        let moment = Timestamp(0).plus_seconds(86_400 * day);
        let Cut { changes, audit } = wait(Cut::before(&*f.store, &f.tenant, moment)).expect("found");
        assert_eq!(changes, audit, "{day}");
        audit
    };
    assert_eq!(before(1001), 1..1);
    for day in 1002..=1064 {
        assert_eq!(before(day), 1..(day as u64 - 1001), "{day}");
    }
    assert_eq!(before(1065), 1..74);
    assert_eq!(before(1069), 1..78);
}

fn together(pair: &Pair) {
    let f = &pair.here;
    // A refusal is an entry that came with no change, and a change of rules is one that came with no entry.
    f.commit_audited(vec![f.user("a", "a")], entry("POST /Users")).expect("no conflict");
    f.must(vec![f.user("b", "b"), f.user("c", "c")]);
    let between = f.now();
    f.commit_audited(Vec::new(), entry("POST /Users")).expect("no conflict");
    f.commit_audited(vec![f.user("d", "d")], entry("POST /Users")).expect("no conflict");
    let at = |moment: Timestamp| wait(Cut::before(&*f.store, &f.tenant, moment)).expect("found");
    let past = |moment: Timestamp| Timestamp(moment.0 + 1);
    assert_eq!(at(past(between)), Cut { changes: 1..1, audit: 1..1 }, "the first entry is still listed");
    assert_eq!(at(f.now()), Cut { changes: 1..3, audit: 1..2 });
    assert_eq!(at(past(f.now())), Cut { changes: 1..4, audit: 1..3 });
}

fn two(pair: &Pair) {
    let f = &pair.here;
    for n in 0..60 {
        f.commit_audited(vec![f.user(&format!("u{n}"), &format!("u{n}"))], entry("POST /Users"))
            .expect("written");
    }
    let prune = || {
        let mut all = 0;
        while let gone @ 1.. = wait(pair.from.prune(&f.tenant, &until(60, 60), 1)).expect("pruned") {
            all += gone;
        }
        assert_eq!((f.changes().len(), audit(f).len()), (1, 1), "who is told that all is gone finds it so");
        all
    };
    let other = std::thread::scope(|scope| {
        let other = scope.spawn(prune);
        prune() + other.join().expect("pruned")
    });
    assert_eq!(other, 2 * 59, "nothing is counted twice");
}

/// The next page after a mark, as identifiers with the sequence of each, those who left with a minus.
fn page(f: &Fixture, mark: &Mark, count: usize) -> Result<(String, Mark, bool), Lost> {
    match wait(changes(&*f.store, &f.tenant, mark, count)) {
        Ok(PersonChanges { changes, next, more }) => {
            let show = |change: &crate::persons::PersonChange| {
                let sign = if change.person.is_some() { "" } else { "-" };
                format!("{}{sign}{}", change.sequence, change.id)
            };
            Ok((changes.iter().map(show).collect::<Vec<_>>().join(" "), next, more))
        }
        Err(FollowError::Anew(lost)) => Err(lost),
        Err(FollowError::Store(error)) => panic!("{error}"),
    }
}

/// Five people, of whom one left, and a group of which one got the name.
fn five(f: &Fixture) {
    let person = |id: &str| f.person(id, named(id, Some(Pick::First), None));
    f.must(["a", "b", "c", "d", "e"].map(person).to_vec());
    f.must(vec![f.user("x", "x"), f.group("g", &["b"])]);
    f.must(vec![f.delete("User", "c")]);
    f.must(vec![f.replace("Group", "g", json!({ "displayName": "New" }))]);
}

fn beginning(pair: &Pair) {
    let f = &pair.here;
    five(f);
    prune(&*pair.from, f, &until(8, 1));
    let at = Some(f.changes().first().expect("a change").at);
    let within = |id: &str| Mark { sequence: 8, at, within: Some(Within::Everybody(id.to_owned())) };
    assert_eq!(page(f, &Mark::default(), 2), Ok(("8a 8b".to_owned(), within("b"), true)));
    let after = Mark { sequence: 8, at, within: None };
    // Who comes and goes meanwhile is in the log.
    f.must(vec![f.person("aa", named("aa", None, None)), f.delete("User", "a")]);
    assert_eq!(page(f, &within("b"), 2), Ok(("8d 8e".to_owned(), after.clone(), true)));
    let (shown, last, more) = page(f, &after, 9).expect("a page");
    assert_eq!((shown.as_str(), last.sequence, more), ("9b 10aa 11-a", 11, false));
    assert_eq!(page(f, &last, 9), Ok((String::new(), last, false)));
    // Somebody who is gone was the last that was named.
    assert_eq!(page(f, &within("c"), 9).map(|(shown, ..)| shown), Ok("8d 8e".to_owned()));
    assert_eq!(page(f, &Mark::default(), 9).map(|(shown, ..)| shown), Ok("8aa 8b 8d 8e".to_owned()));

    let empty = pair.here.other_tenant("empty");
    empty.must(vec![empty.user("u", "u"), empty.user("v", "v")]);
    prune(&*pair.from, &empty, &until(2, 1));
    let (shown, next, more) = page(&empty, &Mark::default(), 9).expect("a page");
    assert_eq!((shown.as_str(), next.within.clone(), more), ("", None, true));
    assert_eq!(page(&empty, &next, 9), Ok((String::new(), next, false)));
}

fn marks(pair: &Pair) {
    let f = &pair.here;
    five(f);
    let all = f.changes();
    let mark = |sequence: u64| {
        let at = all.iter().find(|change| change.sequence == sequence).map(|change| change.at);
        Mark { sequence, at, within: None }
    };
    let whole = page(f, &mark(4), 99);
    prune(&*pair.from, f, &until(4, 1));
    assert_eq!(page(f, &mark(4), 99), whole);
    assert_eq!(page(f, &mark(9), 99), Ok((String::new(), mark(9), false)));
    let first = Lost::Pruned(all[3].at);
    assert_eq!(page(f, &mark(3), 99), Err(first));
    assert_eq!(page(f, &Mark { at: None, ..mark(1) }, 99), Err(first));
    let named = |within: Within, mark: Mark| page(f, &Mark { within: Some(within), ..mark }, 99);
    let change = |id: &str| Within::Change(id.to_owned());
    let everybody = |id: &str| Within::Everybody(id.to_owned());
    assert_eq!(named(change("a"), Mark::default()), Err(first), "in the midst of the first change");
    assert_eq!(named(everybody("a"), mark(2)), Err(first), "pruned again");
    assert_eq!(named(everybody("a"), Mark::default()), Err(first), "no mark that was ever given");
    let other = Mark { at: all[8].at.plus_seconds(1).into(), ..mark(4) };
    assert_eq!(page(f, &other, 99), Err(Lost::Other(all[3].at)));
    assert_eq!(page(f, &Mark { at: None, ..mark(77) }, 99), Err(Lost::Missing));
}

fn random(pair: &Pair) {
    let (mut pruned, from) = (0, &pair.from);
    follow_at_random(&pair.here, &mut |f, random| {
        if random.one_in(12) {
            let last = f.changes().last().map_or(0, |change| change.sequence);
            let keep = random.below(20) as u64;
            pruned += prune(&**from, f, &until(last.saturating_sub(keep), 1));
        }
    });
    assert!(pruned > 100, "{pruned}");
}

fn copied(pair: &Pair) {
    fill(&pair.here);
    prune(&*pair.from, &pair.here, &until(20, 2));
    let halfway =
        |progress: &Progress| matches!(progress, Progress::Copying { done, of } if done * 8 > *of * 7);
    assert_eq!(pair.copy_until(halfway), None);
    let (_, there) = pair.holdings();
    assert!(there.rows.changes > 0, "changes are there: {there:?}");
    prune(&*pair.from, &pair.here, &until(30, 3));
    let mut seen = Vec::new();
    pair.copy(&mut |progress| seen.push(progress)).expect("copied");
    assert!(seen.iter().any(|progress| matches!(progress, Progress::Again { .. })), "{seen:?}");
    pair.assert_same();
    assert_eq!(pair.copy(&mut |_| {}).expect("the same").outcome, Outcome::Verified);
    prune(&*pair.from, &pair.here, &until(31, 3));
    assert_eq!(
        pair.copy(&mut |_| {}).expect_err("another").to_string(),
        "the two stores do not have the same of the change 30"
    );
}
