//! The person: the application's own record of somebody, made from a User.
//!
//! A SCIM User stays as the identity provider sent it. What the application reads is this: a handful of plain fields,
//! normalised. How a User becomes a person is the business of a tenant's policy; how it is kept is that of a store.
//! This is only the shape on which both agree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The application's record of one User.
///
/// A field without a value is `None`, never an empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// The one e-mail address, with a lower-case domain in ASCII form.
    pub email: Option<String>,
    /// `None` when the User says nothing about it.
    pub gender: Option<Gender>,
    /// Academic degree, such as `Prof. Dr.`
    pub academic_degree: Option<String>,
    /// Language as an ISO 639-1 code, such as `de`.
    pub language: Option<String>,
    /// Language as a BCP 47 tag, such as `de-CH`.
    pub locale: Option<String>,
    /// The one user group.
    pub user_group: Option<String>,
    /// Whether the person may use the application.
    pub active: bool,
    /// The application's own fields, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
}

/// A gender, in the application's vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Gender {
    Male,
    Female,
    Diverse,
    /// A value that the tenant's vocabulary does not have.
    Unknown,
}

impl Gender {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Male, Self::Female, Self::Diverse, Self::Unknown];

    /// The name in records and configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
            Self::Diverse => "diverse",
            Self::Unknown => "unknown",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gender| gender.name() == name)
    }
}

/// Which of several groups is a person's user group, where the user group comes from memberships.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pick {
    /// The group that the person has been in longest.
    First,
    /// The group that the person joined last.
    Latest,
}

impl Pick {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::First, Self::Latest];

    /// The name in records and configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Latest => "latest",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pick| pick.name() == name)
    }
}

/// A person as it is derived from a User alone, to be stored with it.
///
/// Memberships are not in a User. Where the user group comes from them, it is looked up when the person is read, so that
/// renaming a group of a hundred thousand people changes one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Derived {
    /// The fields. `user_group` is `None` where `pick` is given.
    pub person: Person,
    /// Which group becomes the user group when the person is read; `None` if the fields hold it already.
    pub pick: Option<Pick>,
}
