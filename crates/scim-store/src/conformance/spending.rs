//! What is spent of a rate, by whoever shares a store. One that a process has to itself keeps no books, and has nothing to
//! get wrong.

use std::time::Duration;

use super::fixture::Fixture;
use super::races::{WRITERS, together};
use super::{Case, wait};
use crate::{Spent, StoreError, Tenant};

pub(super) const CASES: &[Case] = &[
    Case::new("what is spent is owed until its time has passed", owed),
    Case::new("what many spend at once is owed to all of them", many_spend),
];

/// Long enough that a slow machine makes no difference.
const AGE: Duration = Duration::from_secs(100_000);
/// Longer than a case takes.
const MOMENT: Duration = Duration::from_secs(1000);

fn spend(f: &Fixture, books: &Tenant, spent: &[(&str, Duration, Duration)]) -> Option<Vec<Duration>> {
    let spent: Vec<Spent> =
        spent.iter().map(|&(by, amount, within)| Spent { by: by.to_owned(), amount, within }).collect();
    let owed: Result<Vec<Duration>, StoreError> = wait(f.store.spend(books, &spent));
    let owed = owed.expect("the books are kept");
    assert!(owed.is_empty() || owed.len() == spent.len(), "an answer for each");
    (!owed.is_empty()).then_some(owed)
}

/// Whether this is owed, but for what has passed meanwhile.
#[track_caller]
fn assert_owed(owed: Duration, expected: Duration) {
    let least = expected.saturating_sub(MOMENT);
    assert!(least <= owed && owed <= expected, "{owed:?} instead of {expected:?}");
}

fn owed(f: &Fixture) {
    let books = Tenant::system();
    let Some(owed) = spend(f, &books, &[("b", AGE, Duration::ZERO), ("a", 2 * AGE, Duration::ZERO)]) else {
        return;
    };
    assert_owed(owed[0], AGE);
    assert_owed(owed[1], 2 * AGE);
    let told = |amount, within| spend(f, &books, &[("b", amount, within)]).expect("books")[0];
    assert_owed(told(AGE, Duration::ZERO), 2 * AGE);
    assert_owed(told(AGE, AGE), 3 * AGE);
    assert_owed(told(Duration::ZERO, Duration::ZERO), 3 * AGE);
    // Time in which nothing was spent is not saved up, but for that in which this was.
    let of = |name, amount, within| spend(f, &books, &[(name, amount, within)]).expect("books")[0];
    assert_eq!(of("c", AGE, 2 * AGE), Duration::ZERO);
    assert_owed(of("c", AGE, 2 * AGE), Duration::ZERO);
    assert_owed(of("c", AGE, Duration::ZERO), AGE);
    // What is owed passes.
    let mut owes = of("d", Duration::from_millis(50), Duration::ZERO);
    assert!(owes <= Duration::from_millis(50));
    let mut asked = 0;
    while owes > Duration::ZERO {
        owes = of("d", Duration::ZERO, Duration::ZERO);
        asked += 1;
        assert!(asked < 1_000_000, "it never passes");
    }
    // The books of another are others.
    let others = Tenant::new("acme").expect("a name");
    assert_owed(spend(f, &others, &[("a", AGE, Duration::ZERO)]).expect("books")[0], AGE);
}

fn many_spend(f: &Fixture) {
    const EACH: usize = 10;
    let books = Tenant::system();
    if spend(f, &books, &[("a", Duration::ZERO, Duration::ZERO)]).is_none() {
        return;
    }
    together(|n| {
        for _ in 0..EACH {
            let mut all =
                [("a", AGE, Duration::ZERO), ("b", AGE, Duration::ZERO), ("c", AGE, Duration::ZERO)];
            all.rotate_left(n % 3);
            spend(f, &books, &all).expect("books");
        }
    });
    let none = ["a", "b", "c"].map(|name| (name, Duration::ZERO, Duration::ZERO));
    for owed in spend(f, &books, &none).expect("books") {
        assert_owed(owed, AGE * (WRITERS * EACH) as u32);
    }
}
