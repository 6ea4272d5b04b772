//! Academic degrees: their usual spelling, and taking them out of a prefix or a name that holds them.
//!
//! Both know only what is in the file of degrees. [`canonical`] leaves a text as it is as soon as one word of it is not
//! there. [`split()`] refuses to take anything that could be part of a name: `Ma`, `Ing` and `Mag` are names, `M.A.` may be
//! initials, and `Dr. Phil` may be followed by `Collins`.

mod split;
mod table;

pub use split::split;
use table::{Word, find, words};

/// Longest text, in bytes, that is looked at; a longer one is no degree and no name.
const TEXT_LIMIT: usize = 250;

/// The degrees in their usual spelling, if the text is nothing but degrees: `prof dr med` becomes `Prof. Dr. med.`. Any
/// other text is returned as it was written, without the white space around it.
pub fn canonical(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.len() > TEXT_LIMIT {
        return text.to_owned();
    }
    let parts: Option<Vec<String>> = text.split(',').map(|part| all_canonical(&words(part))).collect();
    parts.map_or_else(|| text.to_owned(), |parts| parts.join(", "))
}

/// The usual spelling of the words, if they are degrees to the last.
fn all_canonical(words: &[Word<'_>]) -> Option<String> {
    all(words).map(|degrees| beside(&degrees))
}

/// The degrees that the words are, if they are nothing else.
fn all(mut words: &[Word<'_>]) -> Option<Vec<&'static str>> {
    let mut degrees = Vec::new();
    loop {
        let (degree, rest) = find(words)?;
        degrees.push(degree.canonical);
        if rest.is_empty() {
            return Some(degrees);
        }
        words = rest;
    }
}

/// Degrees one after the other, with commas between them where they would be others without: a doctor who is a master of
/// education besides is `Dr., MEd`, since `Dr. MEd` is one of medicine.
fn beside(degrees: &[&'static str]) -> String {
    let spelled = degrees.join(" ");
    match degrees.len() < 2 || all(&words(&spelled)).is_some_and(|again| again == degrees) {
        true => spelled,
        false => degrees.join(", "),
    }
}

#[cfg(test)]
mod tests;
