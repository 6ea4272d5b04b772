//! How much work the PATCHes of one request may be.
//!
//! Operations go over the resource one after the other, and a value path looks at each element with each of its
//! comparisons, so that a few thousand of either on a resource of a few megabytes would keep a thread busy for minutes. Their
//! number times its size has a limit, which all operations of a Bulk request share, and all attempts of a write that loses
//! races.

use std::sync::atomic::{AtomicUsize, Ordering};

use scim_core::filter::Filter;
use scim_core::patch::{Operation as Step, Target};
use scim_core::{Error, ErrorKind, Result};
use scim_store::Record;
use serde_json::Value;

/// Most bytes that the operations of one request may go over beside the first of each PATCH: about a second of work.
const MOST_WORK: usize = 32 * 1024 * 1024;
/// What looking at a member costs.
const BYTES_OF_A_MEMBER: usize = 256;

/// The work of a request so far.
#[derive(Debug, Default)]
pub(crate) struct Spent(AtomicUsize);

/// How much work a PATCH has left, so that many operations on a large resource cannot keep others waiting.
pub(super) struct Work<'a> {
    spent: &'a Spent,
    /// The size of the resource as the operations so far have left it, roughly.
    size: usize,
    /// What the first operation costs, which is always allowed.
    free: usize,
}

impl<'a> Work<'a> {
    pub(super) fn beginning_with(current: &Record, spent: &'a Spent) -> Self {
        let size = current.body.len();
        Self { spent, size, free: size }
    }

    /// One operation more.
    ///
    /// # Errors
    /// `tooMany` when there is no work left.
    pub(super) fn step(&mut self, step: &Step) -> Result<()> {
        self.size += step.value.as_ref().map_or(0, weight);
        let looks = match &step.target {
            Target::Elements { filter, .. } => filter.comparisons(),
            Target::Attribute(_) | Target::Extension(_) => 1,
        };
        self.spend(self.size.saturating_mul(looks.max(1)))
    }

    /// A look at so many members.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub(super) fn members(&mut self, count: usize, filter: &Filter) -> Result<()> {
        self.spend(count.saturating_mul(BYTES_OF_A_MEMBER).saturating_mul(filter.comparisons().max(1)))
    }

    fn spend(&mut self, bytes: usize) -> Result<()> {
        let paid = bytes.saturating_sub(self.free);
        self.free = self.free.saturating_sub(bytes);
        let before = self.spent.0.fetch_add(paid, Ordering::Relaxed);
        if before.saturating_add(paid) <= MOST_WORK {
            return Ok(());
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
