//! Resources: one file for each operation on them, and what the operations share.

mod content;
mod create;
mod delete;
mod list;
mod members;
mod modify;
mod read;
mod render;
mod replace;
mod work;

pub(crate) use content::content;
pub(crate) use create::{NewResource, Planned};
pub(crate) use list::{Scope, search};
pub(crate) use members::MemberChange;
pub(crate) use modify::Modified;
pub(crate) use render::{Answer, location};
pub(crate) use work::Spent;
