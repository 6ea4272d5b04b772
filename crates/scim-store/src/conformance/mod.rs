//! What every [`Store`] must do, as cases that any implementation can be run against.
//!
//! Each case gets an empty store from the caller and panics where the store breaks the contract. [`run`] runs them all
//! and names those that failed. The suite drives futures by itself and names no runtime; a store that needs one enters
//! it on its own threads.
//!
//! ```
//! use std::sync::Arc;
//! scim_store::conformance::run(|| Arc::new(scim_store::MemoryStore::new()));
//! ```
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a suite fails by panicking"
)]

mod fixture;
mod following;
mod log;
mod members;
mod persons;
mod pruning;
mod queries;
mod races;
mod random;
mod reports;
mod spending;
mod transfer;
pub mod words;
mod writes;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use self::fixture::Fixture;
pub use self::fixture::{DEVICE, content, registry};
pub use self::transfer::{TransferCase, transfer_cases};
use crate::Store;

/// One thing that a store must do.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What it is.
    pub name: &'static str,
    check: fn(&Fixture),
}

impl Case {
    const fn new(name: &'static str, check: fn(&Fixture)) -> Self {
        Self { name, check }
    }

    /// Runs it on an empty store.
    ///
    /// # Panics
    /// When the store does something else.
    pub fn run(&self, store: Arc<dyn Store>) {
        (self.check)(&Fixture::new(store));
    }
}

/// All cases.
pub fn cases() -> impl Iterator<Item = Case> {
    let all = [
        writes::CASES,
        members::CASES,
        persons::CASES,
        following::CASES,
        log::CASES,
        reports::CASES,
        queries::CASES,
        races::CASES,
        random::CASES,
        spending::CASES,
    ];
    all.into_iter().flatten().copied()
}

/// Runs all cases, each on a store that `empty_store` makes.
///
/// # Panics
/// When a case failed, naming all that did.
pub fn run(empty_store: impl Fn() -> Arc<dyn Store>) {
    let failed: Vec<&str> = cases()
        .filter(|case| catch_unwind(AssertUnwindSafe(|| case.run(empty_store()))).is_err())
        .map(|case| case.name)
        .collect();
    assert!(failed.is_empty(), "the store fails in {} cases: {failed:#?}", failed.len());
}

/// Drives a future on this thread until it is ready.
pub fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
