//! Quirks: what identity providers send that the RFCs would let a server refuse, rewritten into what they mean.
//!
//! A request is rewritten here, before it is decoded, and nowhere else; past this module everything is strict. What is no
//! matter of rewriting is asked for where it matters: a token without a scheme by whoever reads the header, names of groups
//! that are unique by whoever writes or describes groups. Each quirk has a name, is active by the tenant's kind of identity
//! provider or by the operator's wish, and shows the payload that it exists for. Except for `empty-clears` and
//! `unique-group-names`, no quirk changes what a request means that is accepted without it.

mod filters;
mod operations;
mod probes;
mod schemas;
mod shape;
mod steps;
#[cfg(test)]
mod tests;

pub(crate) use filters::{parse_filter, rewrite_path};
pub(crate) use operations::rewrite_patch;
pub(crate) use probes::answer_probe;
pub(crate) use schemas::rewrite_resource;
pub(crate) use steps::rewrite_step;

use scim_core::text::nearest;
use scim_core::{Error, ErrorKind, Result};

use crate::directory::Idp;

macro_rules! quirks {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal for [$($idp:ident),*];)+) => {
        /// A deviation from the RFCs that is understood where it is active.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u32)]
        #[non_exhaustive]
        pub enum Quirk {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Quirk {
            /// All quirks.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that operators use.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What it is, with the payload that needs it.
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc, "\n"),+).trim_ascii()),+ }
            }

            /// The kinds of identity provider that it is active for.
            pub fn idps(self) -> &'static [Idp] {
                match self { $(Self::$variant => &[$(Idp::$idp),*]),+ }
            }
        }
    };
}

quirks! {
    /// The token stands alone in the header: `Authorization: scim_…`, where `Bearer` is missing.
    BareToken = "bare-token" for [Okta];
    /// Operation names in any case: `{"op": "Replace", …}`.
    OperationCase = "operation-case" for [Entra, Okta];
    /// An operation without `op` is a `replace`.
    MissingOperation = "missing-operation" for [Okta];
    /// Booleans as text, in values and in filters: `"active": "False"`, `roles[primary eq "True"]`.
    StringBooleans = "string-booleans" for [Entra, Okta];
    /// Numbers and booleans where text belongs, and numbers as text: `"employeeNumber": 4711`.
    LooseScalars = "loose-scalars" for [Entra, Okta];
    /// A bare value for a complex attribute: `"manager": "26118915"` is `"manager": {"value": "26118915"}`.
    BareValues = "bare-values" for [Entra];
    /// A list of one around a single value, and a single value where a list belongs: `"manager": [{"value": …}]`,
    /// `"emails": {"value": …}`. A `remove` that looks for a single value as in a list, whichever it is: `"path":
    /// "manager[value eq \"26118915\"]"`.
    WrappedValues = "wrapped-values" for [Entra];
    /// `displayName` inside an element that has `display` instead: `"roles": [{"value": …, "displayName": …}]`.
    DisplayNameAlias = "display-name-alias" for [Entra];
    /// More than one `"primary": true`: the first one counts.
    ManyPrimaries = "many-primaries" for [Entra];
    /// A `primary` that is neither true nor false is left out: `"phoneNumbers": [{"primary": "1-648-555", …}]`, as a
    /// validator that fills in the schema sends it.
    NonsensePrimary = "nonsense-primary" for [Entra];
    /// URNs in `schemas` that are not known here, and extensions in the body that `schemas` does not list.
    UndeclaredSchemas = "undeclared-schemas" for [Entra, Okta];
    /// Misspelt and outdated URNs: `urn:…:enterprise:2.0User`, `urn:scim:schemas:core:2.0`.
    MisspeltUrns = "misspelt-urns" for [Entra];
    /// Empty text in a PATCH unassigns the attribute: `{"op": "Replace", "path": "title", "value": ""}`. An element that
    /// is left with nothing but `type` and `primary` goes.
    EmptyClears = "empty-clears" for [Entra];
    /// Paths as keys of a value without path: `{"op": "replace", "value": {"name.givenName": "Ada"}}`.
    DottedKeys = "dotted-keys" for [Entra];
    /// A `remove` that lists what goes, read as `add` reads it: `{"op": "Remove", "path": "members", "value": [{"value":
    /// "26118915"}]}`.
    RemoveByValue = "remove-by-value" for [Entra, Okta];
    /// The resource's own `id`, or a `meta`, in a value without path: `{"op": "replace", "value": {"id": …, "displayName":
    /// …}}`.
    EchoedId = "echoed-id" for [Entra, Okta];
    /// Paths that are percent-encoded or begin with a slash: `"path": "/title"`.
    EncodedPaths = "encoded-paths" for [Entra];
    /// Writing to a value path that matches nothing makes the element: `{"op": "Replace", "path":
    /// "emails[type eq \"work\"].value", "value": …}` on a user without a work address.
    UpsertingValuePaths = "upserting-value-paths" for [Entra];
    /// Extension attributes without their URN, in filters, paths and bodies, and complex attributes without `.value` in
    /// filters: `manager eq "26118915"`, `"department": null` beside `userName`.
    UnqualifiedNames = "unqualified-names" for [Entra];
    /// Text without quotes in a filter of one comparison: `userName Eq ada@example.com`, `emails[type eq work]`.
    UnquotedText = "unquoted-text" for [];
    /// Two groups cannot have the same `displayName`, since groups are matched by it.
    UniqueGroupNames = "unique-group-names" for [Entra];
    /// Looking for groups over a connection for users only, as the test of the connection does: an empty list, where a 404
    /// would fail the test.
    ProbedGroups = "probed-groups" for [Entra];
}

impl Quirk {
    /// The quirk of this name.
    ///
    /// # Errors
    /// `invalidValue`, with the nearest name.
    pub fn parse(name: &str) -> Result<Self> {
        if let Some(quirk) = Self::ALL.iter().find(|quirk| quirk.name() == name) {
            return Ok(*quirk);
        }
        let error =
            Error::new(ErrorKind::InvalidValue, format!("there is no quirk `{}`", name.escape_debug()));
        let names: Vec<&str> = Self::ALL.iter().map(|quirk| quirk.name()).collect();
        Err(match nearest(name, names.iter().copied()) {
            Some(near) => error.remedy(format!("did you mean `{near}`?")),
            None => error.remedy(format!("there are {}", names.join(", "))),
        })
    }
}

/// A set of quirks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quirks(u32);

impl Quirks {
    /// No quirks: what `generic` clients get.
    pub const NONE: Self = Self(0);

    /// The quirks of a kind of identity provider.
    pub fn of(idp: Idp) -> Self {
        Quirk::ALL
            .iter()
            .filter(|quirk| quirk.idps().contains(&idp))
            .fold(Self::NONE, |set, quirk| set.with(*quirk))
    }

    /// The set with one more.
    #[must_use]
    pub fn with(self, quirk: Quirk) -> Self {
        Self(self.0 | 1 << quirk as u32)
    }

    /// Whether a quirk is in the set.
    pub fn has(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u32) != 0
    }
}
