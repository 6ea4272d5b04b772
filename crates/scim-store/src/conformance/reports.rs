//! Reports: stored with a commit, counted when they repeat, settled, read in pages, and never too many.

use bytes::Bytes;

use super::Case;
use super::fixture::Fixture;
use crate::{Changeset, Conflict, Operation, Report, ReportQuery, Reported, Retry};

pub(super) const CASES: &[Case] = &[
    Case::new("reports are kept with their commit", kept),
    Case::new("the same request again is counted", repeated),
    Case::new("a conflict leaves and settles no report", conflict),
    Case::new("what is settled stays settled, without its body, and a repetition is new", settled),
    Case::new("a subject is settled before its own reports are stored", settled_first),
    Case::new("subjects are settled by how they begin", settled_below),
    Case::new("what is to be forgotten goes, settled or not, and has to be there", forgotten),
    Case::new("a retry settles nothing newer, and needs its report unsettled", retried),
    Case::new("a retry that is refused keeps its place", refused_again),
    Case::new("reports come in pages, by subject and by state", paged),
    Case::new("a subject has so many reports", many_of_subject),
    Case::new("a tenant has so many reports, and settled ones go first", many),
    Case::new("a body is kept up to its limit", long_bodies),
];

fn report(subject: &str, digest: u8) -> Report {
    Report {
        subject: subject.to_owned(),
        digest: [digest; 32],
        request: format!("r{digest}"),
        method: "POST".to_owned(),
        path: "/Users".to_owned(),
        body: Bytes::from(format!("{{\"n\":{digest}}}")),
        status: 400,
        findings: Bytes::from_static(b"[{\"code\":\"x\"}]"),
    }
}

fn offer(f: &Fixture, operations: Vec<Operation>, settles: &[&str], reports: Vec<Report>) {
    let settles = settles.iter().map(|&subject| subject.to_owned()).collect();
    f.offer(Changeset { operations, settles, reports, ..Changeset::new(f.now()) }).expect("no conflict");
}

fn say(f: &Fixture, subject: &str, digest: u8) {
    offer(f, Vec::new(), &[], vec![report(subject, digest)]);
}

/// What is stored, as number, subject, digest, count and whether it is settled.
fn shown(reports: &[Reported]) -> Vec<String> {
    let show = |reported: &Reported| {
        let Reported { number, count, settled, report, .. } = reported;
        let state = if *settled { " settled" } else { "" };
        format!("{number} {}{} x{count}{state}", report.subject, report.digest[0])
    };
    reports.iter().map(show).collect()
}

fn kept(f: &Fixture) {
    assert_eq!(f.all_reports(), []);
    offer(f, vec![f.user("a", "a")], &["a"], vec![report("a", 1), report("b", 2)]);
    let (at, first) = (f.now(), f.now());
    let reported =
        |number, report| Reported { number, sequence: 1, at, first, count: 1, settled: false, report };
    assert_eq!(f.all_reports(), [reported(1, report("a", 1)), reported(2, report("b", 2))]);
    let empty = Report { body: Bytes::new(), findings: Bytes::new(), ..report("", 3) };
    offer(f, Vec::new(), &[], vec![empty.clone()]);
    assert_eq!(f.all_reports()[2].report, empty);
    assert_eq!(f.changes().len(), 1);
    assert_eq!(f.other_tenant("umbrella").all_reports(), []);
}

fn repeated(f: &Fixture) {
    say(f, "a", 1);
    let first = f.now();
    say(f, "a", 2);
    say(f, "b", 1);
    f.must(vec![f.user("u", "u")]);
    let again = Report { request: "later".to_owned(), status: 409, ..report("a", 1) };
    offer(f, Vec::new(), &[], vec![again.clone()]);
    let last = f.all_reports().pop().unwrap();
    let expected =
        Reported { number: 4, sequence: 1, at: f.now(), first, count: 2, settled: false, report: again };
    assert_eq!(last, expected);
    assert_eq!(shown(&f.all_reports()), ["2 a2 x1", "3 b1 x1", "4 a1 x2"]);
    offer(f, Vec::new(), &[], vec![report("a", 2), report("c", 9), report("a", 2), report("a", 1)]);
    assert_eq!(shown(&f.all_reports()), ["3 b1 x1", "6 c9 x1", "7 a2 x3", "8 a1 x3"]);
    assert_eq!(f.all_reports()[3].first, first);
}

fn conflict(f: &Fixture) {
    f.must(vec![f.user("a", "a")]);
    say(f, "a", 1);
    let before = f.everything();
    let changeset = Changeset {
        operations: vec![f.user("a", "a")],
        settles: vec!["a".to_owned()],
        reports: vec![report("a", 1), report("a", 2)],
        ..Changeset::new(f.now())
    };
    assert_eq!(f.offer(changeset), Err(Conflict::Exists { operation: 0 }));
    assert!(f.everything() == before);
}

fn settled(f: &Fixture) {
    offer(f, Vec::new(), &["a", "nobody"], Vec::new());
    say(f, "a", 1);
    let first = f.all_reports().remove(0);
    say(f, "b", 1);
    say(f, "a", 2);
    offer(f, vec![f.user("u", "u")], &["nobody", "a", "a"], Vec::new());
    assert_eq!(shown(&f.all_reports()), ["1 a1 x1 settled", "2 b1 x1", "3 a2 x1 settled"]);
    let without = Report { body: Bytes::new(), ..first.report.clone() };
    let expected = Reported { settled: true, report: without, ..first };
    assert_eq!(f.all_reports()[0], expected, "all but the body stays");
    say(f, "a", 1);
    assert_eq!(shown(&f.all_reports()), ["1 a1 x1 settled", "2 b1 x1", "3 a2 x1 settled", "4 a1 x1"]);
    say(f, "a", 1);
    offer(f, Vec::new(), &["a", "b"], Vec::new());
    offer(f, Vec::new(), &["a", "b"], Vec::new());
    assert_eq!(
        shown(&f.all_reports()),
        ["1 a1 x1 settled", "2 b1 x1 settled", "3 a2 x1 settled", "5 a1 x2 settled"]
    );
}

fn settled_first(f: &Fixture) {
    say(f, "a", 1);
    offer(f, Vec::new(), &["a"], vec![report("a", 1)]);
    assert_eq!(shown(&f.all_reports()), ["1 a1 x1 settled", "2 a1 x1"]);
    offer(f, Vec::new(), &["a"], vec![report("a", 3)]);
    assert_eq!(shown(&f.all_reports()), ["1 a1 x1 settled", "2 a1 x1 settled", "3 a3 x1"]);
}

fn settled_below(f: &Fixture) {
    for (subject, digest) in [("g/a", 1), ("g/b", 2), ("g/b", 3), ("g", 4), ("h/a", 5), ("G/a", 6), ("g0", 7)]
    {
        say(f, subject, digest);
    }
    say(f, "g/\u{10FFFF}", 8);
    offer(f, Vec::new(), &["g/a"], Vec::new());
    say(f, "g/a", 9);
    let below = vec!["g/".to_owned(), "nobody/".to_owned()];
    let changeset =
        Changeset { settles_below: below, reports: vec![report("g/c", 1)], ..Changeset::new(f.now()) };
    f.offer(changeset).expect("no conflict");
    let open = ReportQuery { after: 0, count: 99, settled: Some(false), subject: None };
    assert_eq!(shown(&f.reports(&open)), ["4 g4 x1", "5 h/a5 x1", "6 G/a6 x1", "7 g07 x1", "10 g/c1 x1"]);
}

fn forgotten(f: &Fixture) {
    for (subject, digest) in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5)] {
        say(f, subject, digest);
    }
    offer(f, Vec::new(), &["b"], Vec::new());
    let forget = |what: &[(&str, u64)]| {
        let forgets = what.iter().map(|&(subject, number)| (subject.to_owned(), number)).collect();
        f.offer(Changeset { forgets, ..Changeset::new(f.now()) })
    };
    let before = f.everything();
    for missing in [("a", 9), ("b", 1), ("nobody", 1)] {
        assert_eq!(forget(&[("a", 1), missing]), Err(Conflict::Settled));
        assert!(f.everything() == before, "nothing is forgotten by halves");
    }
    forget(&[("a", 2), ("b", 4)]).expect("there");
    assert_eq!(shown(&f.all_reports()), ["1 a1 x1", "3 a3 x1", "5 c5 x1"]);
    assert_eq!(forget(&[("b", 4)]), Err(Conflict::Settled));
    // What else there is to settle, and what comes with it, is not mistaken for what is gone.
    let forgets = vec![("a".to_owned(), 3)];
    let (settles, reports) = (vec!["a".to_owned()], vec![report("a", 3)]);
    f.offer(Changeset { forgets, settles, reports, ..Changeset::new(f.now()) }).expect("there");
    assert_eq!(shown(&f.all_reports()), ["1 a1 x1 settled", "5 c5 x1", "6 a3 x1"]);
    // And nothing is counted any more that has gone.
    forget(&[("a", 1), ("c", 5), ("a", 6)]).expect("there");
    assert_eq!(f.all_reports(), []);
    say(f, "a", 3);
    assert_eq!(shown(&f.all_reports()), ["7 a3 x1"]);
}

fn retry(f: &Fixture, number: u64, settles: &[&str], reports: Vec<Report>) -> Result<(), Conflict> {
    let all = f.all_reports();
    let found = all.iter().find(|reported| reported.number == number);
    let (subject, sequence) = found.map_or(("a".to_owned(), 0), |r| (r.report.subject.clone(), r.sequence));
    let settles = settles.iter().map(|&subject| subject.to_owned()).collect();
    let retries = Some(Retry { subject, number, sequence });
    let changeset = Changeset { settles, reports, retries, ..Changeset::new(f.now()) };
    f.offer(changeset).map(drop)
}

fn retried(f: &Fixture) {
    for (subject, digest) in [("a", 1), ("b", 2), ("a", 3), ("a", 4)] {
        say(f, subject, digest);
    }
    retry(f, 3, &["a"], vec![report("a", 9)]).expect("it is not settled");
    assert_eq!(
        shown(&f.all_reports()),
        ["1 a1 x1 settled", "2 b2 x1", "3 a3 x1 settled", "4 a4 x1", "5 a9 x1"]
    );
    for number in [1, 3, 17] {
        let before = f.everything();
        assert_eq!(retry(f, number, &["a", "b"], vec![report("a", 7)]), Err(Conflict::Settled), "{number}");
        assert!(f.everything() == before);
    }
}

fn refused_again(f: &Fixture) {
    f.must(vec![f.user("u", "u")]);
    say(f, "a", 1);
    let first = f.now();
    say(f, "a", 2);
    f.must(vec![f.user("v", "v")]);
    retry(f, 1, &[], vec![report("a", 9)]).expect("it is not settled");
    let found = f.all_reports().remove(0);
    let expected = Reported {
        number: 1,
        sequence: 1,
        at: f.now(),
        first,
        count: 1,
        settled: false,
        report: report("a", 9),
    };
    assert_eq!(found, expected);
    retry(f, 1, &[], vec![report("b", 1)]).expect("it is not settled");
    assert_eq!(shown(&f.all_reports()), ["1 b1 x1", "2 a2 x1"]);
    retry(f, 2, &["a", "b"], Vec::new()).expect("it is not settled");
    assert_eq!(shown(&f.all_reports()), ["1 b1 x1 settled", "2 a2 x1 settled"]);
}

fn paged(f: &Fixture) {
    for (subject, digest) in [("a", 1), ("b", 2), ("a", 3), ("ab", 4), ("", 5), ("a", 6)] {
        say(f, subject, digest);
    }
    offer(f, Vec::new(), &["b", ""], Vec::new());
    say(f, "b", 7);
    let check = |after: u64, count: usize, settled: Option<bool>, subject: Option<&str>, expected: &[u64]| {
        let query = ReportQuery { after, count, settled, subject: subject.map(str::to_owned) };
        let numbers: Vec<u64> = f.reports(&query).iter().map(|reported| reported.number).collect();
        assert_eq!(numbers, expected, "{query:?}");
    };
    check(0, 9, None, None, &[1, 2, 3, 4, 5, 6, 7]);
    check(0, 2, None, None, &[1, 2]);
    check(2, 2, None, None, &[3, 4]);
    check(7, 2, None, None, &[]);
    check(u64::MAX, 2, None, None, &[]);
    check(0, 0, None, None, &[]);
    check(0, 9, Some(true), None, &[2, 5]);
    check(2, 9, Some(true), None, &[5]);
    check(0, 3, Some(false), None, &[1, 3, 4]);
    check(4, 9, Some(false), None, &[6, 7]);
    check(0, 9, None, Some("a"), &[1, 3, 6]);
    check(1, 1, None, Some("a"), &[3]);
    check(0, 9, None, Some("b"), &[2, 7]);
    check(0, 9, Some(true), Some("b"), &[2]);
    check(0, 9, Some(false), Some("b"), &[7]);
    check(0, 9, None, Some(""), &[5]);
    check(0, 9, None, Some("nobody"), &[]);
}

fn many_of_subject(f: &Fixture) {
    let most = Report::MOST_OF_SUBJECT as u8;
    for digest in 0..most {
        say(f, "a", digest);
    }
    say(f, "b", 0);
    assert_eq!(f.all_reports().len(), Report::MOST_OF_SUBJECT + 1);
    say(f, "a", 200);
    say(f, "a", 1);
    let kept = f.all_reports();
    assert_eq!(kept.len(), Report::MOST_OF_SUBJECT + 1);
    assert_eq!(shown(&kept)[0], "3 a2 x1");
    assert_eq!(
        shown(&kept[kept.len() - 2..]),
        [format!("{} a200 x1", most + 2), format!("{} a1 x2", most + 3)]
    );
    offer(f, Vec::new(), &["a"], (201..=205).map(|digest| report("a", digest)).collect());
    let of_a = f.all_reports().into_iter().filter(|reported| reported.report.subject == "a");
    assert_eq!(of_a.filter(|reported| reported.settled).count(), Report::MOST_OF_SUBJECT - 5);
    // Of those that go some are settled and some are not, and what comes then is settled all the same.
    for digest in 0..2 * most {
        offer(f, Vec::new(), &["c"], vec![report("c", digest)]);
    }
    offer(f, Vec::new(), &["a", "b", "c"], Vec::new());
    assert_eq!(f.all_reports().iter().find(|reported| !reported.settled), None);
}

fn many(f: &Fixture) {
    let (step, mut number) = (2_000, 0);
    let mut fill = |count: u64| {
        let reports = (number..number + count).map(|n| report(&format!("s{n}"), 0)).collect();
        number += count;
        offer(f, Vec::new(), &[], reports);
    };
    for _ in 0..Report::MOST / step {
        fill(step);
    }
    let state = |settled: Option<bool>| {
        let query = ReportQuery { after: 0, count: usize::MAX, settled, subject: None };
        let numbers: Vec<u64> = f.reports(&query).iter().map(|reported| reported.number).collect();
        (numbers.first().copied(), numbers.len() as u64)
    };
    assert_eq!(state(None), (Some(1), Report::MOST));
    offer(f, Vec::new(), &["s5", "s7", "s8"], Vec::new());
    fill(2);
    assert_eq!((state(Some(true)), state(Some(false))), ((Some(9), 1), (Some(1), Report::MOST - 1)));
    fill(2);
    assert_eq!((state(Some(true)), state(None)), ((None, 0), (Some(2), Report::MOST)));
    // One that is replaced makes its own room, and what is settled just now goes before what is older.
    offer(f, Vec::new(), &["s3"], vec![report("s1", 0), report("new", 0)]);
    assert_eq!((state(Some(true)), state(Some(false))), ((None, 0), (Some(3), Report::MOST)));
    fill(2);
    assert_eq!(state(None), (Some(7), Report::MOST));
    offer(f, Vec::new(), &[], vec![report("s6", 0), report("newer", 0)]);
    assert_eq!(state(None), (Some(11), Report::MOST));
}

fn long_bodies(f: &Fixture) {
    for (digest, length, kept) in [(1, Report::MOST_BODY, true), (2, Report::MOST_BODY + 1, false)] {
        let body = Bytes::from(vec![b'1'; length]);
        offer(f, Vec::new(), &[], vec![Report { body: body.clone(), ..report("a", digest) }]);
        let found = f.all_reports().pop().unwrap();
        assert_eq!(found.report.body, if kept { body } else { Bytes::new() });
        assert_eq!(found.report.findings, report("a", 1).findings);
    }
}
