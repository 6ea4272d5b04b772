//! A list of languages in order of preference: the Accept-Language form that RFC 7643 §4.1.1 gives `preferredLanguage`.

use super::error::Reason;
use super::read::{inverted, read};
use super::{LanguageError, LanguageTag, TEXT_LIMIT};

/// How many languages are read; nobody has a use for more, and those after them are dropped.
const COUNT_LIMIT: usize = 32;

/// The reader of `preferredLanguage`.
#[derive(Debug, Clone, Copy)]
pub struct Preferences;

impl Preferences {
    /// The languages that the text prefers, most preferred first (RFC 9110 §12.5.4), each once.
    ///
    /// A range of weight 0 and `*` are no preference. One that is no language is passed over where another is one;
    /// otherwise it is the error. So the list is never empty.
    pub fn parse(text: &str) -> Result<Vec<LanguageTag>, LanguageError> {
        let refuse = |text: &str, reason| LanguageError::new(text.trim(), reason);
        if text.len() > TEXT_LIMIT {
            return Err(refuse(text, Reason::TooLong));
        }
        if let Some(tag) = inverted(text) {
            return Ok(vec![tag]);
        }
        let mut weighted = Vec::new();
        let mut first_refused = None;
        for (range, weight) in ranges(text).take(COUNT_LIMIT) {
            let read = match weight {
                Some(0) => Err(Reason::NoLanguage),
                Some(weight) => read(range).map(|tag| (weight, tag)),
                None => Err(Reason::Weight),
            };
            match read {
                Ok(found) => weighted.push(found),
                Err(reason) => first_refused = first_refused.or(Some((range, reason))),
            }
        }
        weighted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let mut tags = Vec::with_capacity(weighted.len());
        for (_, tag) in weighted {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        match first_refused {
            Some((range, reason)) if tags.is_empty() => Err(refuse(range, reason)),
            None if tags.is_empty() => Err(refuse(text, Reason::Empty)),
            Some(_) | None => Ok(tags),
        }
    }
}

/// The ranges of the list with their weights in thousandths, `None` where a weight is no number. A semicolon without a
/// weight after it separates ranges too, as directories with several values write it.
fn ranges(text: &str) -> impl Iterator<Item = (&str, Option<u16>)> {
    elements(text).flat_map(|element| {
        let mut parts = element.split(';').map(str::trim).filter(|part| !part.is_empty()).peekable();
        std::iter::from_fn(move || {
            let range = parts.next()?;
            let mut weight = Some(1000);
            while let Some((name, value)) = parts.peek().and_then(|part| part.split_once('=')) {
                if name.trim().eq_ignore_ascii_case("q") {
                    weight = thousandths(value.trim());
                }
                parts.next();
            }
            Some((range, weight))
        })
    })
}

/// What commas separate, except those within parentheses.
fn elements(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0usize;
    text.split(move |character| {
        match character {
            '(' | '（' => depth += 1,
            ')' | '）' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
}

/// The weight of RFC 9110 §12.4.2 in thousandths; digits after the third are dropped.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    match whole {
        "" | "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}
