//! Which words a tenant's people have for their gender, what each stands for, and how many have it.
//!
//! It goes over the Users page by page and keeps the words alone, so that a hundred thousand people cost no more memory than
//! ten. It refuses to guess what a word means.

use std::collections::BTreeMap;

use scim_core::Result;
use scim_core::person::Gender;
use scim_core::text::excerpt;

use crate::Service;

/// A word for a gender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenderWord {
    /// The word in the form in which words are compared: without blanks around it, in lower case. Cut where it is long.
    pub word: String,
    /// What it stands for; `None` if the vocabulary does not have it.
    pub gender: Option<Gender>,
    /// How many people have it, those who left included.
    pub persons: u64,
}

/// What is to be known of a tenant's words for genders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GenderWords {
    /// Where the policy takes the gender from; empty where it takes it from nowhere.
    pub paths: Vec<String>,
    /// Those without a meaning first, then by how many have them.
    pub words: Vec<GenderWord>,
}

impl Service {
    /// The words that a tenant's people have for their gender, and those of its vocabulary that nobody has.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant; otherwise when the store cannot be read.
    pub async fn gender_words(&self, tenant: &str) -> Result<GenderWords> {
        let entry = self.directory().find(tenant).await?;
        let rules = self.rules_of(&entry)?;
        let own = rules.policy.genders().into_iter();
        let mut counted: BTreeMap<String, (Option<Gender>, u64)> =
            own.map(|(word, gender)| (excerpt(word).into_owned(), (Some(gender), 0))).collect();
        self.each_user(&entry, &rules, |_, document| {
            if let Some((word, gender)) = rules.policy.gender_of(document.as_map()) {
                counted.entry(excerpt(&word).into_owned()).or_insert((gender, 0)).1 += 1;
            }
            Ok(())
        })
        .await?;
        let word = |(word, (gender, persons))| GenderWord { word, gender, persons };
        let mut words: Vec<GenderWord> = counted.into_iter().map(word).collect();
        words.sort_by_key(|word| (word.gender.is_some(), std::cmp::Reverse(word.persons)));
        Ok(GenderWords { paths: rules.policy.paths("gender").unwrap_or_default(), words })
    }
}
