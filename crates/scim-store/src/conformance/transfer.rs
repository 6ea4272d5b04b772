//! Moving: what comes out of one store is, in another, what it was, however often the way is interrupted.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use bytes::Bytes;
use scim_core::person::Pick;
use serde_json::json;

use super::fixture::{Fixture, adding, named, removing};
use super::{pruning, wait};
use crate::transfer::{
    Copied, CopyError, Holdings, Link, Lot, Outcome, Portable, Progress, Whole, copy, discard, verify,
};
use crate::{
    AuditEntry, ChangeKind, Changeset, Conflict, Content, Guard, Hidden, MemberDelta, Operation, Report,
    UniqueKey,
};

/// One thing that two stores must do, of which one is copied into the other.
#[derive(Debug, Clone, Copy)]
pub struct TransferCase {
    /// What it is.
    pub name: &'static str,
    check: fn(&Pair),
}

impl TransferCase {
    pub(super) const fn new(name: &'static str, check: fn(&Pair)) -> Self {
        Self { name, check }
    }

    /// Runs it on two empty stores.
    ///
    /// # Panics
    /// When they do something else.
    pub fn run(&self, from: Arc<dyn Portable>, to: Arc<dyn Portable>) {
        let here = Fixture::new(Arc::clone(&from) as _);
        let there = Fixture::new(Arc::clone(&to) as _);
        (self.check)(&Pair { from, to, here, there });
    }
}

/// All cases about moving, and about pruning.
pub fn transfer_cases() -> impl Iterator<Item = TransferCase> {
    CASES.iter().chain(pruning::CASES).copied()
}

const CASES: &[TransferCase] = &[
    TransferCase::new("a copy is what was copied, and goes on as it would have", whole),
    TransferCase::new("a copy that is ended after any lot is gone on with", ended),
    TransferCase::new("what changed between two attempts is copied anew", stale),
    TransferCase::new("a tenant that is written to is not finished", restless),
    TransferCase::new("whatever differs is found", differing),
    TransferCase::new("what is there already is compared and never touched", there_already),
    TransferCase::new("a tenant without anything can be copied", empty),
    TransferCase::new(
        "a tenant that leaves goes in portions, and what was planned for it is refused for ever",
        leaving,
    ),
];

/// Two stores, and the same tenant in both.
pub(super) struct Pair {
    pub(super) from: Arc<dyn Portable>,
    pub(super) to: Arc<dyn Portable>,
    pub(super) here: Fixture,
    pub(super) there: Fixture,
}

impl Pair {
    pub(super) fn copy(&self, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Copied, CopyError> {
        wait(copy(&*self.from, &*self.to, &self.here.tenant, progress))
    }

    /// Copies until `ends` says so, as if the process had been killed there. `None` when it was.
    pub(super) fn copy_until(&self, mut ends: impl FnMut(&Progress) -> bool + Send) -> Option<Copied> {
        let copied = catch_unwind(AssertUnwindSafe(|| {
            self.copy(&mut |progress| {
                if ends(&progress) {
                    resume_unwind(Box::new(()));
                }
            })
        }));
        copied.ok().map(|copied| copied.expect("copied"))
    }

    pub(super) fn holdings(&self) -> (Holdings, Holdings) {
        let of = |store: &Arc<dyn Portable>| wait(store.holdings(&self.here.tenant)).expect("holdings");
        (of(&self.from), of(&self.to))
    }

    fn wholes(&self) -> Vec<Whole> {
        wait(self.from.wholes(&self.here.tenant, "", 10_000)).expect("resources")
    }

    #[track_caller]
    pub(super) fn assert_same(&self) {
        let (here, there) = self.holdings();
        assert_eq!(here, there);
        assert!(self.here.everything() == self.there.everything());
        let all = |store: &Arc<dyn Portable>| {
            let wholes = wait(store.wholes(&self.here.tenant, "", 10_000)).expect("resources");
            let start = (String::new(), String::new());
            (wholes, wait(store.links(&self.here.tenant, &start, 10_000)).expect("memberships"))
        };
        assert!(all(&self.from) == all(&self.to));
    }

    #[track_caller]
    fn assert_unfinished(&self) {
        let (_, there) = self.holdings();
        assert!(there.is_unfinished(), "{there:?}");
    }
}

fn with_secret(operation: Operation, secret: &str) -> Operation {
    match operation {
        Operation::Create { id, resource_type, content, members } => {
            let hidden = vec![Hidden { path: "password".into(), value: Some(secret.to_owned()) }];
            Operation::Create { id, resource_type, content: Content { hidden, ..content }, members }
        }
        other => other,
    }
}

pub(super) fn entry(action: &str) -> Option<AuditEntry> {
    Some(AuditEntry {
        actor: "token:abcd2345".to_owned(),
        request: "r1".to_owned(),
        action: action.to_owned(),
        status: 201,
        detail: String::new(),
    })
}

fn report(subject: &str, digest: u8) -> Report {
    Report {
        subject: subject.to_owned(),
        digest: [digest; 32],
        request: "r2".to_owned(),
        method: "POST".to_owned(),
        path: "/Users".to_owned(),
        body: Bytes::from_static(b"{\"userName\":\"x\"}"),
        status: 400,
        findings: Bytes::from_static(b"[]"),
    }
}

/// Something of everything, and more of it than fits the first page.
pub(super) fn fill(f: &Fixture) {
    let many: Vec<Operation> =
        (0..150).map(|n| f.user(&format!("u{n:03}"), &format!("user{n}@example.com"))).collect();
    f.commit_audited(many, entry("POST /Bulk")).expect("no conflict");
    f.must(vec![
        with_secret(f.user("secretive", "Secretive"), "{\"hash\":\"x\"}"),
        f.person("grace", named("Grace", Some(Pick::First), None)),
        f.person("ada", named("Ada", None, Some("Engines"))),
        f.create(
            "Device",
            "d1",
            json!({ "serial": "S-1", "size": 3, "weight": 1.5, "tags": ["b", "A", "a"] }),
        ),
    ]);
    f.must(vec![f.group("g1", &["grace", "ada", "u001"]), f.group("g2", &["u002"]), f.group("g3", &["g1"])]);
    f.must(vec![f.link("g2", adding(&["grace"])), f.link("g1", removing(&["ada"]))]);
    f.must(vec![f.delete("User", "u002"), f.replace("User", "u003", json!({ "userName": "another" }))]);
    let about = |subjects: &[&str]| subjects.iter().map(|&subject| report(subject, 1)).collect();
    let offer = |settles: &[&str], reports: Vec<Report>| {
        let settles = settles.iter().map(|&subject| subject.to_owned()).collect();
        let changeset =
            Changeset { epoch: 3, settles, reports, audit: entry("POST /Users"), ..Changeset::new(f.now()) };
        f.offer(changeset).expect("no conflict");
    };
    offer(&[], about(&["a", "b", "c"]));
    offer(&["a"], about(&["b", "d"]));
}

/// Commits under the rules that [`fill`] leaves in force.
fn by_the_rules(f: &Fixture, operation: Operation) {
    let operations = vec![operation];
    f.offer(Changeset { epoch: 3, operations, ..Changeset::new(f.now()) }).expect("no conflict");
}

fn whole(pair: &Pair) {
    let Pair { here, there, .. } = pair;
    fill(here);
    let strangers = there.other_tenant("umbrella");
    fill(&strangers);
    let before = strangers.everything();
    let copied = pair.copy(&mut |_| {}).expect("copied");
    let (holdings, _) = pair.holdings();
    assert_eq!(copied, Copied { outcome: Outcome::Copied, rows: holdings.rows });
    let rows = holdings.rows;
    assert_eq!((rows.resources, rows.links, rows.persons, rows.hidden), (156, 4, 2, 1));
    assert_eq!((rows.audit, rows.reports), (3, 4));
    pair.assert_same();
    assert!(strangers.everything() == before);

    let there = &here.twin(Arc::clone(&pair.to) as _);
    let under_old_rules = Changeset::new(here.now());
    let rules = Changeset { epoch: 3, ..under_old_rules.clone() };
    let same = |changeset: &dyn Fn(&Fixture) -> Changeset| {
        let [ours, theirs] = [here, there].map(|f| f.offer(changeset(f)));
        assert_eq!(ours, theirs);
        ours
    };
    let refused = |outcome| matches!(outcome, Err(Conflict::Epoch { current: 3 }));
    assert!(refused(same(&|_| under_old_rules.clone())));
    let name_taken = same(&|f| Changeset { operations: vec![f.user("new", "SECRETIVE")], ..rules.clone() });
    assert!(matches!(name_taken, Err(Conflict::Unique { .. })), "{name_taken:?}");
    let password = |f: &Fixture| with_secret(f.user("secretive", "Secretive"), "{\"hash\":\"x\"}");
    let same_again = same(&|f| match password(f) {
        Operation::Create { id, resource_type, content, members } => {
            let (guard, kind, content) = (Guard::Exists, ChangeKind::Modified, Some(content));
            let operation = Operation::Replace { id, resource_type, guard, content, members, kind };
            Changeset { operations: vec![operation], ..rules.clone() }
        }
        _ => rules.clone(),
    });
    assert!(!same_again.expect("no conflict").applied[0].changed, "the hidden value is another");
    let committed = same(&|f| {
        let link = f.link("g1", adding(&["new", "ada"]));
        let operations = vec![f.user("new", "new"), link, f.delete("Device", "d1"), f.delete("Group", "g2")];
        let (settles, reports) = (vec!["b".to_owned()], vec![report("d", 1), report("c", 2)]);
        Changeset { operations, settles, reports, audit: entry("x"), ..rules.clone() }
    });
    assert!(committed.is_ok(), "{committed:?}");
    let found =
        |f: &Fixture| f.find("User", r#"userName sw "user1" or groups.value eq "g1""#, "userName descending");
    assert_eq!(found(here), found(there));
    pair.assert_same();
}

fn ended(pair: &Pair) {
    fill(&pair.here);
    let mut attempts = 0;
    let is_copying = |progress: &Progress| matches!(progress, Progress::Copying { .. });
    while pair.copy_until(is_copying).is_none() {
        attempts += 1;
        pair.assert_unfinished();
        assert!(attempts < 50, "it does not go on");
    }
    assert!(attempts > 8, "{attempts}");
    pair.assert_same();
    // Once more with an end while it is compared, each time a page later.
    let again = pair.here.other_tenant("again");
    fill(&again);
    let pair = Pair {
        here: again,
        there: pair.there.other_tenant("again"),
        from: Arc::clone(&pair.from),
        to: Arc::clone(&pair.to),
    };
    for page in 1.. {
        let mut seen = 0;
        let copied = pair.copy_until(|progress| {
            seen += u64::from(matches!(progress, Progress::Verifying { .. }));
            assert!(!matches!(progress, Progress::Again { .. }), "{progress:?}");
            seen == page
        });
        if copied.is_some() {
            assert!(page > 5, "{page}");
            break;
        }
        pair.assert_unfinished();
    }
    pair.assert_same();
}

fn stale(pair: &Pair) {
    fill(&pair.here);
    let halfway = |progress: &Progress| matches!(progress, Progress::Copying { done, of } if done * 2 > *of);
    assert_eq!(pair.copy_until(halfway), None);
    by_the_rules(&pair.here, pair.here.replace("User", "u000", json!({ "userName": "somebody" })));
    let mut seen = Vec::new();
    pair.copy(&mut |progress| seen.push(progress)).expect("copied");
    assert_eq!(seen.first(), Some(&Progress::Continuing));
    let again =
        Progress::Again { because: "the two stores do not have the same of the User `u000`".to_owned() };
    assert!(seen.contains(&again), "{seen:?}");
    pair.assert_same();
}

fn restless(pair: &Pair) {
    fill(&pair.here);
    let mut changes = 0;
    let outcome = pair.copy(&mut |progress| {
        if matches!(progress, Progress::Verifying { done, of } if done == of) {
            changes += 1;
            by_the_rules(&pair.here, pair.here.user(&format!("late{changes}"), &format!("late{changes}")));
        }
    });
    assert!(matches!(outcome, Err(CopyError::Changing)), "{outcome:?}");
    assert_eq!(changes, 2);
    pair.assert_unfinished();
    pair.copy(&mut |_| {}).expect("copied");
    pair.assert_same();
}

/// A copy that was tampered with.
fn differing(pair: &Pair) {
    fill(&pair.here);
    let tenant = &pair.here.tenant;
    let check = |alter: &dyn Fn(&mut Lot), expected: &str| {
        let start = (String::new(), String::new());
        let mut lot = Lot {
            wholes: pair.wholes(),
            links: wait(pair.from.links(tenant, &start, 1000)).expect("memberships"),
            changes: pair.here.changes(),
            audit: wait(pair.here.store.audit(tenant, 0, 1000)).expect("audit"),
            reports: pair.here.all_reports(),
            totals: None,
        };
        alter(&mut lot);
        wait(pair.to.adopt(tenant, lot)).expect("adopted");
        let mut because = String::new();
        let ended = pair.copy_until(|progress| {
            if let Progress::Again { because: words } = progress {
                because = words.clone();
            }
            !because.is_empty()
        });
        assert_eq!(ended, None, "nothing was found, and not {expected}");
        assert_eq!(because, format!("the two stores do not have the same of {expected}"));
        wait(discard(&*pair.to, tenant)).expect("discarded");
        assert_eq!(pair.holdings().1, Holdings::default());
    };
    fn of<'a>(lot: &'a mut Lot, id: &str) -> &'a mut Whole {
        lot.wholes.iter_mut().find(|whole| whole.stored.record.id == id).expect("a resource")
    }
    let ada = "the User `ada`";
    check(&|lot| of(lot, "ada").stored.record.version += 1, ada);
    check(&|lot| of(lot, "ada").stored.record.created.0 += 1, ada);
    check(&|lot| of(lot, "ada").stored.record.modified.0 += 1, ada);
    check(&|lot| of(lot, "ada").stored.record.label.push('x'), ada);
    check(&|lot| of(lot, "ada").stored.record.body = Bytes::from_static(b"{}"), ada);
    check(&|lot| drop(of(lot, "ada").stored.index.pop()), ada);
    check(&|lot| of(lot, "ada").stored.unique.clear(), ada);
    check(&|lot| of(lot, "ada").person = None, ada);
    let claim = UniqueKey { path: "userName".into(), value: "more".to_owned() };
    check(&|lot| of(lot, "ada").stored.unique.push(claim.clone()), ada);
    check(&|lot| of(lot, "secretive").hidden.clear(), "the User `secretive`");
    check(&|lot| drop(lot.wholes.remove(0)), ada);
    check(&|lot| lot.links[0].since += 1, "the membership of `grace` in `g1`");
    let link = Link { group: "g1".to_owned(), member: "ada".to_owned(), since: 1 };
    check(&|lot| lot.links.push(link.clone()), "the membership of `ada` in `g1`");
    check(&|lot| lot.changes[0].added.push("x".to_owned()), "the change 1");
    check(&|lot| lot.audit[1].entry.status = 500, "the audit entry 2");
    check(&|lot| lot.reports[0].settled ^= true, "the report 1");
    pair.copy(&mut |_| {}).expect("copied");
    pair.assert_same();
}

fn there_already(pair: &Pair) {
    let Pair { here, there, from, to } = pair;
    fill(here);
    pair.copy(&mut |_| {}).expect("copied");
    let before = there.everything();
    let lots =
        [Lot::default(), Lot { links: vec![], totals: Some(pair.holdings().0.totals), ..Lot::default() }];
    for lot in lots {
        wait(to.adopt(&here.tenant, lot)).expect_err("it is in use");
    }
    wait(discard(&**to, &here.tenant)).expect_err("it is in use");
    assert_eq!(pair.copy(&mut |_| {}).expect("the same").outcome, Outcome::Verified);
    assert!(there.everything() == before);

    let rename = |f: &Fixture, name: &str| {
        by_the_rules(f, f.replace("User", "u004", json!({ "userName": name })));
    };
    rename(there, "one");
    let before = there.everything();
    let refused = pair.copy(&mut |_| {}).expect_err("another");
    assert!(matches!(refused, CopyError::Taken { .. }), "{refused}");
    rename(here, "two");
    for refused in [pair.copy(&mut |_| {}), wait(verify(&**from, &**to, &here.tenant, &mut |_| {}))] {
        assert_eq!(
            refused.expect_err("another").to_string(),
            "the two stores do not have the same of the User `u004`"
        );
    }
    assert!(there.everything() == before);
}

fn empty(pair: &Pair) {
    for _ in 0..2 {
        let copied = pair.copy(&mut |_| {}).expect("copied");
        assert_eq!(copied.rows, Holdings::default().rows);
    }
    let members = MemberDelta::default();
    pair.there.must(vec![pair.there.group_with("g", members)]);
    assert!(matches!(pair.copy(&mut |_| {}), Err(CopyError::Taken { .. })));
}

/// Of the two stores only one counts here; the other has what comes back.
fn leaving(pair: &Pair) {
    let Pair { here, from, .. } = pair;
    fill(here);
    let tenant = &here.tenant;
    let stranger = here.other_tenant("stranger");
    fill(&stranger);
    let others = stranger.everything();
    pair.copy(&mut |_| {}).expect("copied");
    let announce = |epoch| {
        let changeset = Changeset { epoch, ..Changeset::new(here.now()) };
        wait(here.store.commit(tenant, changeset)).expect("announced");
    };
    announce(7);
    for other in [None, Some(0), Some(6), Some(8)] {
        wait(from.discard(tenant, other, 10)).expect_err("it is in use");
    }
    let before = wait(from.holdings(tenant)).expect("holdings");
    let (mut portions, mut gone) = (0, 0);
    loop {
        let removed = wait(from.discard(tenant, Some(7), 10)).expect("removed");
        // Rows of eleven kinds are the most that a store has.
        assert!(removed <= 11 * 10, "{removed} at once");
        if removed == 0 {
            break;
        }
        (portions, gone) = (portions + 1, gone + removed);
        assert!(!wait(from.holdings(tenant)).expect("holdings").is_unfinished(), "no copy was ever begun");
    }
    assert!(portions > 3 && gone >= before.rows.parts(), "{portions} portions, {gone} rows");
    let left = wait(from.holdings(tenant)).expect("holdings");
    assert_eq!(left, Holdings { totals: before.totals.emptied(), ..Holdings::default() });
    assert_eq!(left.totals.counts.epoch, 7);
    assert_eq!(wait(from.discard(tenant, Some(7), 10)).expect("nothing"), 0);
    assert!(stranger.everything() == others);

    // Whoever was let in before is late, however late it is; the next one of that name begins from nothing.
    let late =
        Changeset { epoch: 6, operations: vec![here.user("late", "late")], ..Changeset::new(here.now()) };
    let refused = wait(here.store.commit(tenant, late)).expect_err("the tenant is gone");
    assert!(matches!(refused, crate::CommitError::Conflict(Conflict::Epoch { current: 7 })), "{refused}");
    let next =
        Changeset { epoch: 8, operations: vec![here.user("next", "next")], ..Changeset::new(here.now()) };
    assert_eq!(wait(here.store.commit(tenant, next)).expect("created").sequence, 1);
    wait(from.discard(tenant, Some(7), 10)).expect_err("another tenant has the name");
    while wait(from.discard(tenant, Some(8), 10)).expect("removed") > 0 {}

    // It comes back as a copy.
    wait(copy(&*pair.to, &**from, tenant, &mut |_| {})).expect("copied");
    pair.assert_same();
}
