//! What a tenant allows: the mapping from a User to a person, rules as data, and findings that explain each refusal.
//!
//! A pure function of a policy and a User. It knows no store, no HTTP, no clock and no identity provider; what a rule
//! needs to know of other people (that an address is taken, that somebody is in a group) is checked where it is written,
//! and only the words for it are here.

mod finding;
pub mod value;

pub use finding::{Finding, Mode, Severity};
