//! The change log and the audit trail.

use serde_json::json;

use super::fixture::Fixture;
use super::{Case, wait};
use crate::{AuditEntry, Audited, Change, ChangeKind, Content, Guard, MemberDelta, Operation};

pub(super) const CASES: &[Case] = &[
    Case::new("the log holds every change in order", contents),
    Case::new("the log is read in pages", paged),
    Case::new("a replacement is logged as it is called", kinds),
    Case::new("audit entries are kept with their commit", audit),
    Case::new("a conflict keeps no audit entry, a refusal alone does", refusals),
];

fn entry(action: &str, status: u16, detail: &str) -> AuditEntry {
    AuditEntry {
        actor: "connection:entra".to_owned(),
        request: "r-1".to_owned(),
        action: action.to_owned(),
        status,
        detail: detail.to_owned(),
    }
}

fn contents(f: &Fixture) {
    f.must(vec![f.user("a", "ada"), f.group("g", &["a"])]);
    let first = f.now();
    f.must(vec![f.replace("User", "a", json!({ "userName": "eve" }))]);
    let second = f.now();
    f.must(vec![f.delete("User", "a")]);
    let third = f.now();
    let change =
        |sequence, at, kind, resource_type: &str, id: &str, added: &[&str], removed: &[&str]| Change {
            sequence,
            at,
            kind,
            resource_type: resource_type.into(),
            id: id.to_owned(),
            added: added.iter().map(|&id| id.to_owned()).collect(),
            removed: removed.iter().map(|&id| id.to_owned()).collect(),
            person: false,
            renamed: false,
        };
    let expected = [
        change(1, first, ChangeKind::Created, "User", "a", &[], &[]),
        change(2, first, ChangeKind::Created, "Group", "g", &["a"], &[]),
        change(3, second, ChangeKind::Modified, "User", "a", &[], &[]),
        change(4, third, ChangeKind::Deleted, "User", "a", &[], &[]),
        change(5, third, ChangeKind::MembersChanged, "Group", "g", &[], &["a"]),
    ];
    assert_eq!(f.changes(), expected);
}

fn paged(f: &Fixture) {
    for n in 0..7 {
        f.must(vec![f.user(&format!("u{n}"), &format!("u{n}"))]);
    }
    let page = |after, count| -> Vec<u64> {
        let changes = wait(f.store.changes(&f.tenant, after, count)).unwrap();
        changes.iter().map(|change| change.sequence).collect()
    };
    assert_eq!(page(0, 3), [1, 2, 3]);
    assert_eq!(page(3, 3), [4, 5, 6]);
    assert_eq!(page(6, 3), [7]);
    assert_eq!(page(7, 3), [0; 0]);
    assert_eq!(page(u64::MAX, 3), [0; 0]);
    assert_eq!(page(0, 0), [0; 0]);
}

fn kinds(f: &Fixture) {
    f.must(vec![f.user("a", "a")]);
    for (n, kind) in [ChangeKind::Deactivated, ChangeKind::Reactivated].into_iter().enumerate() {
        let content: Content = f.content("User", json!({ "userName": "a", "active": n == 1 }));
        f.must(vec![Operation::Replace {
            id: "a".to_owned(),
            resource_type: "User".into(),
            guard: Guard::Exists,
            content: Some(content),
            members: MemberDelta::default(),
            kind,
        }]);
        assert_eq!(f.changes().pop().unwrap().kind, kind);
    }
}

fn audit(f: &Fixture) {
    let first = entry("POST /Users", 201, "");
    f.commit_audited(vec![f.user("a", "ada"), f.user("b", "bob")], Some(first.clone())).unwrap();
    let at = f.now();
    f.must(vec![f.user("c", "eve")]);
    let unchanged = entry("PUT /Users/a", 200, "");
    let put = f.replace("User", "a", json!({ "userName": "ada" }));
    assert_eq!(f.commit_audited(vec![put], Some(unchanged.clone())).unwrap().sequence, 3);
    let expected = [
        Audited { number: 1, sequence: 2, at, entry: first },
        Audited { number: 2, sequence: 3, at: f.now(), entry: unchanged },
    ];
    let page = |after, count| wait(f.store.audit(&f.tenant, after, count)).unwrap();
    assert_eq!(page(0, 9), expected);
    assert_eq!(page(0, 1), expected[..1]);
    assert_eq!(page(1, 9), expected[1..]);
    assert_eq!(page(2, 9), []);
    assert_eq!(page(u64::MAX, 9), []);
    assert_eq!(wait(f.store.audit(&f.other_tenant("umbrella").tenant, 0, 9)).unwrap(), []);
}

fn refusals(f: &Fixture) {
    f.must(vec![f.user("a", "ada")]);
    let create = entry("POST /Users", 201, "");
    f.commit_audited(vec![f.user("b", "ada")], Some(create)).expect_err("a conflict");
    let refusal = entry("POST /Users", 409, "`userName` is taken");
    let committed = f.commit_audited(Vec::new(), Some(refusal.clone())).unwrap();
    assert_eq!(committed.sequence, 1);
    let expected = [Audited { number: 1, sequence: 1, at: f.now(), entry: refusal }];
    assert_eq!(wait(f.store.audit(&f.tenant, 0, 9)).unwrap(), expected);
    assert_eq!(f.changes().len(), 1);
}
