//! Which of the languages that an application speaks a person gets: the lookup of RFC 4647 §3.4, made a little kinder.
//!
//! It refuses to take one script for another, since who reads `zh-Hant` may not read `zh-Hans`.

use super::{LanguageTag, usual_script};

/// The most preferred language that is supported: its place among the preferences, and the supported tag to use for it.
///
/// Of several supported tags that fit one preference, the exact one wins, then one of the same region, then one without
/// a region, then one of another region: whoever prefers `pt-PT` would rather read `pt-BR` than the next language. Of
/// equals the first wins.
pub fn choose(preferences: &[LanguageTag], supported: &[LanguageTag]) -> Option<(usize, LanguageTag)> {
    preferences.iter().enumerate().find_map(|(place, wanted)| {
        supported
            .iter()
            .filter_map(|offered| Some((distance(wanted, offered)?, offered)))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, offered)| (place, *offered))
    })
}

/// How far what is offered is from what is wanted; nothing where it is another language.
fn distance(wanted: &LanguageTag, offered: &LanguageTag) -> Option<(u8, u8, u8)> {
    let language = match (wanted.language, offered.language) {
        (wanted, offered) if wanted == offered => 0,
        // Norwegian is Bokmål unless it says otherwise, and encompasses both.
        ("nb", "no") | ("no", "nb") => 1,
        ("nn", "no") => 2,
        _ => return None,
    };
    let region = match (wanted.region, offered.region) {
        (wanted, offered) if wanted == offered => 0,
        (_, None) => 1,
        (_, Some(_)) => 2,
    };
    let script = match (script(wanted), offered.script) {
        (_, None) if offered.region.is_none() => u8::from(wanted.script.is_some()),
        (wanted, _) if wanted == script(offered) => 0,
        _ => return None,
    };
    Some((language, region, script))
}

/// The script that the tag is read in, written or not.
fn script(tag: &LanguageTag) -> Option<&'static str> {
    tag.script.or_else(|| match (tag.language, tag.region) {
        ("zh", Some("TW" | "HK" | "MO")) => Some("Hant"),
        ("zh", _) => Some("Hans"),
        ("sr", Some("ME")) | ("az" | "bs" | "uz" | "ku" | "ha" | "tk", _) => Some("Latn"),
        ("sr" | "mn" | "tg" | "ky", _) => Some("Cyrl"),
        (language, _) => usual_script(language),
    })
}
