//! Reading one language: a code with subtags, a POSIX or Java locale, or a name with qualifiers.
//!
//! Whatever follows the language and can have no bearing on a choice of translation is dropped; a script or a region
//! that nobody knows is refused.

use super::error::Reason;
use super::names::{Qualifier, by_code, by_name, name_without_code, qualifier};
use super::{LanguageTag, TEXT_LIMIT};

/// The language, or why there is none.
pub(super) fn read(text: &str) -> Result<LanguageTag, Reason> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Reason::Empty);
    }
    if text.len() > TEXT_LIMIT {
        return Err(Reason::TooLong);
    }
    if matches!(text, "*" | "C" | "POSIX") || text.starts_with("C.") {
        return Err(Reason::NoLanguage);
    }
    if let Some(tag) = by_name(text) {
        return Ok(tag);
    }
    let (locale, modifier) = split_posix(text);
    let (code, rest) = locale.split_once(['-', '_']).unwrap_or((locale, ""));
    if !is_code(code) {
        return named(text).ok_or(Reason::Unknown);
    }
    let Some(tag) = by_code(code) else {
        return Err(match name_without_code(code) {
            Some(name) => Reason::NoShortCode(name),
            None => Reason::Unknown,
        });
    };
    let tag = read_code(tag, rest)?;
    Ok(match modifier.and_then(qualifier) {
        Some(Qualifier::Script(script)) if tag.script.is_none() => {
            LanguageTag::new(tag.language, Some(script), tag.region)
        }
        Some(Qualifier::Script(_) | Qualifier::Region(_)) | None => tag,
    })
}

/// The locale without character set, and the modifier after `@`: `sr_RS.UTF-8@latin`.
fn split_posix(text: &str) -> (&str, Option<&str>) {
    let (locale, modifier) = match text.split_once('@') {
        Some((locale, modifier)) => (locale, Some(modifier)),
        None => (text, None),
    };
    (locale.split_once('.').map_or(locale, |(locale, _)| locale), modifier)
}

/// Two or three letters. Nothing longer is a code of a language, though BCP 47 reserves room for it.
fn is_code(text: &str) -> bool {
    matches!(text.len(), 2 | 3) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The tag with the subtags that follow its language (RFC 5646 §2.1; a `#` before a script is Java's).
pub(super) fn read_code(tag: LanguageTag, subtags: &str) -> Result<LanguageTag, Reason> {
    let (mut script, mut region) = (None, None);
    for subtag in subtags.split(['-', '_']).map(|subtag| subtag.trim_start_matches('#')) {
        match (subtag.len(), qualifier(subtag)) {
            // A pair such as Java's `zh__#Hans`, where the region is left out.
            (0, _) => {}
            // What follows is an extension or for private use.
            (1, _) => break,
            (2..=4, Some(Qualifier::Script(code))) if script.is_none() => script = Some(code),
            (2..=4, Some(Qualifier::Region(code))) if region.is_none() => region = Some(code),
            (2..=4, Some(Qualifier::Script(_) | Qualifier::Region(_))) => return Err(Reason::Malformed),
            // An extended language, such as `zh-cmn`, is encompassed by the language before it.
            (3, None) if by_code(subtag).is_some_and(|extended| extended.language == tag.language) => {}
            (2..=3, None) => return Err(Reason::Region(subtag.to_owned())),
            (4, None) if subtag.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                return Err(Reason::Script(subtag.to_owned()));
            }
            // A variant, such as `valencia` or `1996`.
            (4, None) | (5..=8, _) if subtag.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {}
            _ => return Err(Reason::Malformed),
        }
    }
    Ok(LanguageTag::new(tag.language, script.or(tag.script), region.or(tag.region)))
}

/// The language of a name with qualifiers: `German (Germany)`, `Chinese (Traditional, Taiwan)`, `English - US`. A
/// qualifier that names neither script nor region is dropped, since the language is certain.
fn named(text: &str) -> Option<LanguageTag> {
    let (name, qualifiers) = split_name(text)?;
    let tag = by_name(name).or_else(|| is_code(name).then(|| by_code(name)).flatten())?;
    Some(qualified(tag, qualifiers))
}

/// The language of a list that is no list of languages but a name and its qualifiers: `Chinese, Simplified`.
pub(super) fn inverted(text: &str) -> Option<LanguageTag> {
    let (name, qualifiers) = text.split_once(',')?;
    let tag = by_name(name.trim())?;
    let certain = |part: &str| qualifier(part).is_some() && !(is_code(part) && by_code(part).is_some());
    qualifiers.split(',').map(str::trim).all(certain).then(|| qualified(tag, qualifiers))
}

/// The tag with the first script and the first region among the qualifiers, whether named or in a tag of their own.
fn qualified(tag: LanguageTag, qualifiers: &str) -> LanguageTag {
    let (mut script, mut region) = (None, None);
    for part in qualifiers.split(',').map(str::trim) {
        let (of_script, of_region) = match qualifier(part) {
            // `German (de)` says the same twice; `German (DE)` names the region.
            Some(Qualifier::Region(_)) if part == tag.language => (None, None),
            Some(Qualifier::Script(code)) => (Some(code), None),
            Some(Qualifier::Region(code)) => (None, Some(code)),
            None => {
                let (code, rest) = part.split_once(['-', '_']).unwrap_or((part, ""));
                let other = is_code(code).then(|| by_code(code)).flatten();
                let same = other.filter(|other| other.language == tag.language);
                same.and_then(|other| read_code(other, rest).ok())
                    .map_or((None, None), |tag| (tag.script, tag.region))
            }
        };
        script = script.or(of_script);
        region = region.or(of_region);
    }
    LanguageTag::new(tag.language, script.or(tag.script), region.or(tag.region))
}

/// The name and what qualifies it.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let (name, qualifiers) = text
        .split_once(['(', '（'])
        .map(|(name, rest)| (name, rest.trim_end().trim_end_matches([')', '）'])))
        .or_else(|| text.split_once(" - "))?;
    Some((name.trim(), qualifiers))
}
