//! Values of persons: what is an e-mail address, a domain, a language, a degree, and how each is normalised.
//!
//! Pure functions without settings of a tenant's; the rules in this crate decide what to do about what they find.

pub(crate) mod character;
pub mod collective;
pub mod degree;
pub mod domain;
pub mod email;
pub mod language;
