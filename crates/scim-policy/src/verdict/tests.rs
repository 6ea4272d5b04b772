use proptest::prelude::*;

use super::*;
use crate::finding::{Code, Mode};

fn finding(severity: Severity, path: &str, value: &str, explanation: &str, remedy: &str) -> Finding {
    Finding {
        code: Code::DomainNotListed.name().to_owned(),
        severity,
        path: path.to_owned(),
        value: value.to_owned(),
        explanation: explanation.to_owned(),
        remedy: remedy.to_owned(),
    }
}

#[test]
fn only_errors_refuse() {
    let found = |severity| finding(severity, "userName", "x", "`x` is odd", "send another");
    assert!(refusal(&[found(Severity::Note), found(Severity::Warning)]).is_none());
    let error = refusal(&[found(Severity::Warning), found(Severity::Error)]).expect("an error");
    assert_eq!((error.kind(), error.path()), (ErrorKind::InvalidValue, Some("userName")));
    assert_eq!(error.detail(), "domain-not-listed at userName: `x` is odd; send another");
    assert!(Code::ALL.iter().all(|code| code.severity(Mode::Off).is_none()));
}

#[test]
fn all_errors_are_told_as_far_as_there_is_room() {
    let one = finding(Severity::Error, "userName", "x", "`x` is odd", "send another");
    let two = refusal(&[one.clone(), one.clone()]).expect("an error").detail();
    assert_eq!(two, format!("{one} | {one}"));
    let detail = refusal(&vec![one.clone(); 100]).expect("an error").detail();
    assert!(detail.chars().count() <= DETAIL_LIMIT, "{}", detail.len());
    let told = detail.matches("domain-not-listed").count();
    assert!(told > 20 && detail.ends_with(&format!(" | and {} more", 100 - told)), "{detail}");
}

proptest! {
    #[test]
    fn the_essence_comes_first(path in ".{1,90}", value in "[a-z@.é]{1,120}", rest in ".{0,200}", remedy in ".{1,80}") {
        let shown: String = value.chars().take(20).collect();
        let error = finding(Severity::Error, &path, &value, &format!("`{value}` {rest}"), &remedy);
        let detail = refusal(&[error.clone(), error]).expect("an error").detail();
        let seen: String = detail.chars().take(ESSENCE_LIMIT).collect();
        let end: String = path.chars().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect();
        for part in ["domain-not-listed", &shown, &end, &remedy] {
            prop_assert!(seen.contains(part), "{} in {}", part, seen);
        }
    }
}
