//! The fields of a person that a mapping can fill, and where they come from when a tenant does not say.

use super::Transform;

/// A field that every application has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Field {
    FirstName,
    LastName,
    Email,
    Gender,
    AcademicDegree,
    Language,
    Locale,
    UserGroup,
    Active,
}

/// What stands for memberships where a mapping says from where the user group comes.
pub(crate) const MEMBERSHIPS: &str = "groups";

impl Field {
    /// All there are, in the order of the record.
    pub const ALL: [Self; 9] = [
        Self::FirstName,
        Self::LastName,
        Self::Email,
        Self::Gender,
        Self::AcademicDegree,
        Self::Language,
        Self::Locale,
        Self::UserGroup,
        Self::Active,
    ];

    /// The name in records and in policy files.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Email => "email",
            Self::Gender => "gender",
            Self::AcademicDegree => "academic_degree",
            Self::Language => "language",
            Self::Locale => "locale",
            Self::UserGroup => "user_group",
            Self::Active => "active",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Where it comes from unless the tenant's mapping says otherwise. The default attribute mappings of Entra ID and of
    /// Okta fill these.
    pub fn default_paths(self) -> &'static [&'static str] {
        match self {
            Self::FirstName => &["name.givenName"],
            Self::LastName => &["name.familyName"],
            // `[email] prefer` says.
            Self::Email => &[],
            // No core attribute has it.
            Self::Gender => &[],
            Self::AcademicDegree => &["name.honorificPrefix", "name.honorificSuffix"],
            Self::Language => &["preferredLanguage", "locale"],
            // It is what the language was chosen by.
            Self::Locale => &[],
            Self::UserGroup => &[MEMBERSHIPS],
            Self::Active => &["active"],
        }
    }

    /// What is done to it unless the tenant's mapping says otherwise.
    pub fn default_transforms(self) -> &'static [Transform] {
        match self {
            Self::FirstName
            | Self::LastName
            | Self::Email
            | Self::Gender
            | Self::Language
            | Self::Locale
            | Self::UserGroup
            | Self::Active => &[Transform::Trim],
            Self::AcademicDegree => &[Transform::Trim, Transform::Degree],
        }
    }
}
