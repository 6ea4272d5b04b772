//! What a tenant allows: the mapping from a User to a person, rules as data, and findings that explain each refusal.
//!
//! A pure function of a policy and a User. It knows no store, no HTTP, no clock and no identity provider; what a rule
//! needs to know of other people (that an address is taken, that somebody is in a group) is checked where it is written,
//! and only the words for it are here.
//!
//! ```
//! use scim_core::schema::Registry;
//! use scim_policy::PolicyFile;
//!
//! let registry = Registry::builtin()?;
//! let users = registry.endpoint("Users").expect("built in");
//! let file = PolicyFile::parse("[domain]\nallow = [\"example.com\"]");
//! let policy = file.compile(users).map_err(|errors| errors.to_string())?;
//!
//! let user = serde_json::json!({ "userName": "ada@example.org", "name": { "givenName": "Ada" } });
//! let verdict = policy.judge(user.as_object().expect("an object"));
//! assert_eq!(verdict.derived.person.first_name.as_deref(), Some("Ada"));
//! assert_eq!(verdict.findings[0].code, "domain-not-listed");
//! assert!(verdict.is_refused());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_debug_implementations)]

mod draft;
mod explain;
mod file;
mod finding;
mod mapping;
mod policy;
pub mod preset;
pub mod rule;
pub mod value;
mod verdict;

pub use explain::{Explained, Explanation, Step};
pub use file::{PolicyErrors, PolicyFile, Problem};
pub use finding::{Code, Finding, Mode, Severity};
pub use mapping::{Field, Transform};
pub use policy::Policy;
pub use rule::group::{GroupPolicy, OnConflict};
pub use verdict::{Verdict, refusal};
