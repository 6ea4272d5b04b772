//! The plain writes: adding a member to groups of several sizes, creating users.

use std::sync::atomic::{AtomicUsize, Ordering};

use scim_bench::people;
use scim_bench::world::Failure;

use super::{Bench, Take};
use crate::client::Call;
use crate::drive::Session;
use crate::field::{Field, Group, RESERVE};

/// How many connections change one group.
pub(crate) const PATCHERS: usize = 16;

pub(super) fn run_groups(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let field = bench.field;
    match &field.groups {
        Ok(groups) => {
            for group in groups {
                let name = format!("PATCH add member, group of {}", group.size);
                let take = Take { connections: PATCHERS, ..bench.closed(&name) };
                bench.measure(take, add_members(field, group))?;
            }
        }
        Err(why) => bench.refuse("PATCH add member", why)?,
    }
    Ok(())
}

/// Adds a member, which counts, and takes it away again.
pub(crate) fn add_members<'a>(
    field: &'a Field,
    group: &'a Group,
) -> impl AsyncFn(usize, &mut Session<'_>) + Sync + 'a {
    async move |connection, session| {
        let spare = field.users.iter().rev().take(RESERVE).skip(connection).step_by(PATCHERS);
        let path = format!("/Groups/{}", group.id);
        for member in spare.cycle() {
            if !session.goes_on() {
                return;
            }
            session.send("add", &Call::patch(&path, &people::add_member(member))).await;
            session.aside(&Call::patch(&path, &people::remove_member(member))).await;
        }
    }
}

pub(super) fn run_posts(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let field = bench.field;
    for writers in [1, 16, 64] {
        let name = format!("POST /Users, {writers} writers");
        let take = Take { connections: writers, ..bench.closed(&name) };
        bench.measure(take, post(field))?;
    }
    Ok(())
}

/// Creates people that nobody knows yet.
pub(crate) fn post(field: &Field) -> impl AsyncFn(usize, &mut Session<'_>) + Sync + '_ {
    async move |_, session| {
        while session.goes_on() {
            let body = people::user(field.strangers(1));
            let answer = session.send("create", &Call::post("/Users", &body)).await;
            if field.keeps() {
                field.keep("/Users", &answer);
            }
        }
    }
}

/// Numbers that are given out once each.
pub(super) struct Numbers(AtomicUsize);

impl Numbers {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// The next one below `bound`.
    pub(super) fn below(&self, bound: usize) -> Option<usize> {
        Some(self.0.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < bound)
    }
}
