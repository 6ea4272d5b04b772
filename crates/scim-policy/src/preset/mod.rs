//! Policies to begin with: commented files that a tenant's operator edits.

/// A policy file to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// What `scimd policy init --preset` calls it.
    pub name: &'static str,
    /// Whom it is for.
    pub description: &'static str,
    /// The file.
    pub text: &'static str,
}

/// All there are.
pub const ALL: [Preset; 1] = [Preset {
    name: "workforce",
    description: "the employees of one organisation, each with a personal address at one of its domains",
    text: include_str!("workforce.toml"),
}];

/// The one of this name.
pub fn named(name: &str) -> Option<Preset> {
    ALL.into_iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests;
