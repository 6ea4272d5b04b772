//! How much work one PATCH may be.
//!
//! Its operations go over the resource one after the other, so that a few thousand of them on a resource of a few megabytes
//! would keep a thread busy for minutes. Their number times its size has a limit.

use scim_core::patch::Operation as Step;
use scim_core::{Error, ErrorKind, Result};
use scim_store::Record;
use serde_json::Value;

/// Most bytes that the operations of one PATCH may go over, one after the other, since each goes over the whole resource:
/// about a second of work.
const MOST_WORK: usize = 32 * 1024 * 1024;
/// What looking at a member costs.
const BYTES_OF_A_MEMBER: usize = 256;

/// How much work a PATCH has left, so that many operations on a large resource cannot keep others waiting.
pub(super) struct Work {
    /// The size of the resource as the operations so far have left it, roughly.
    size: usize,
    left: usize,
}

impl Work {
    /// The first operation is always allowed.
    pub(super) fn beginning_with(current: &Record) -> Self {
        let size = current.body.len();
        Self { size, left: MOST_WORK + size }
    }

    /// One operation more.
    ///
    /// # Errors
    /// `tooMany` when there is no work left.
    pub(super) fn step(&mut self, step: &Step) -> Result<()> {
        self.size += step.value.as_ref().map_or(0, weight);
        self.spend(self.size)
    }

    /// A look at so many members.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub(super) fn members(&mut self, count: usize) -> Result<()> {
        self.spend(count.saturating_mul(BYTES_OF_A_MEMBER))
    }

    fn spend(&mut self, bytes: usize) -> Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            Error::new(ErrorKind::TooMany, "the PATCH has too many operations for so large a resource")
                .remedy("send them in several requests")
        })?;
        Ok(())
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
