//! How much work one request may be.
//!
//! Operations of a PATCH go over the resource one after the other, and a value path looks at each element with each of its
//! comparisons, so that a few thousand of either on a resource of a few megabytes would keep a thread busy for minutes. Their
//! number times its size has a limit, which all operations of a Bulk request share, and all attempts of a write that loses
//! races. What a request may go over at all has one too, and on its way it lets others have their turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use scim_core::filter::Filter;
use scim_core::patch::{Operation as Step, Target};
use scim_core::{Error, ErrorKind, Result};
use scim_store::Record;
use serde_json::Value;

use crate::context::Context;

/// Most bytes that the operations of one request may go over beside the first of each PATCH: about a second of work.
const MOST_WORK: usize = 32 * 1024 * 1024;
/// Most bytes that a request may go over in all, the resources that it reads to change them included. A Bulk request has a
/// first operation for each PATCH in it.
const MOST_IN_ALL: usize = 512 * 1024 * 1024;
/// After so many bytes others have their turn.
const TURN: usize = 1024 * 1024;
/// What looking at a member costs.
const BYTES_OF_A_MEMBER: usize = 256;

/// The work of a request so far.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    all: AtomicUsize,
    beside_the_first: AtomicUsize,
}

impl Spent {
    /// So many bytes more. Whether it is time for others to have their turn.
    ///
    /// # Errors
    /// `tooMany` when there is no work left.
    pub(crate) fn over(&self, bytes: usize) -> Result<bool> {
        let before = self.all.fetch_add(bytes, Ordering::Relaxed);
        let after = before.saturating_add(bytes);
        if after > MOST_IN_ALL {
            return Err(Error::new(ErrorKind::TooMany, "the request changes large resources too often")
                .remedy("send its operations in several requests"));
        }
        Ok(before / TURN != after / TURN)
    }
}

/// How much work a PATCH has left, so that many operations on a large resource cannot keep others waiting.
pub(super) struct Work<'a> {
    context: &'a Context<'a>,
    /// The size of the resource as the operations so far have left it, roughly.
    size: usize,
    /// What the first operation costs, which is always allowed.
    free: usize,
}

impl<'a> Work<'a> {
    pub(super) fn beginning_with(current: &Record, context: &'a Context<'a>) -> Self {
        let size = current.body.len();
        Self { context, size, free: size }
    }

    /// One operation more.
    ///
    /// # Errors
    /// `tooMany` when there is no work left.
    pub(super) async fn step(&mut self, step: &Step) -> Result<()> {
        self.size += step.value.as_ref().map_or(0, weight);
        let looks = match &step.target {
            Target::Elements { filter, .. } => filter.comparisons(),
            Target::Attribute(_) | Target::Extension(_) => 1,
        };
        self.spend(self.size.saturating_mul(looks.max(1))).await
    }

    /// A look at so many members.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub(super) async fn members(&mut self, count: usize, filter: &Filter) -> Result<()> {
        self.spend(count.saturating_mul(BYTES_OF_A_MEMBER).saturating_mul(filter.comparisons().max(1))).await
    }

    async fn spend(&mut self, bytes: usize) -> Result<()> {
        let paid = bytes.saturating_sub(self.free);
        self.free = self.free.saturating_sub(bytes);
        let before = self.context.course.spent.beside_the_first.fetch_add(paid, Ordering::Relaxed);
        if before.saturating_add(paid) <= MOST_WORK {
            return self.context.go_over(bytes).await;
        }
        Err(Error::new(ErrorKind::TooMany, "the PATCH has too many operations for so large a resource")
            .remedy("send them in several requests"))
    }
}

/// About how many bytes a value takes as JSON.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(elements) => elements.iter().map(|element| weight(element) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, member)| name.len() + weight(member) + 4).sum::<usize>() + 2
        }
    }
}
