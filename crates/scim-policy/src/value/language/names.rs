//! What languages, scripts and regions are called: ISO's names, and our own files for what else occurs.
//!
//! Looked up by folded text. The tables are built once, from data that is compiled in; it refuses to learn names at run
//! time.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use isolang::Language;
use scim_core::text::{fold, nearest};

use super::LanguageTag;
use super::read::read_code;

/// What may follow a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Qualifier {
    Script(&'static str),
    Region(&'static str),
}

/// The language of a code of two or three letters, or of another code in our file of aliases.
pub(super) fn by_code(code: &str) -> Option<LanguageTag> {
    let code = fold(code);
    if let Some(tag) = ALIASES.get(code.as_ref()) {
        return Some(*tag);
    }
    let language = Language::from_639_1(&code).or_else(|| Language::from_639_3(&code))?;
    language.to_639_1().map(|code| LanguageTag::new(code, None, None))
}

/// The English name of a language that has no ISO 639-1 code.
pub(super) fn name_without_code(code: &str) -> Option<&'static str> {
    Language::from_639_3(&fold(code)).map(|language| language.to_name())
}

/// The language that is called so.
pub(super) fn by_name(name: &str) -> Option<LanguageTag> {
    NAMES.get(fold(name).as_ref()).copied()
}

/// The script or the region that is called so, or has that code.
pub(super) fn qualifier(name: &str) -> Option<Qualifier> {
    QUALIFIERS.get(fold(name).as_ref()).copied()
}

/// The language that was probably meant by a text that names none.
pub(super) fn meant(text: &str) -> Option<LanguageTag> {
    let folded = fold(text);
    let first = folded.split(['-', '_', ' ']).next().unwrap_or_default();
    if let Some((_, language)) = COUNTRIES.iter().find(|(country, _)| *country == first) {
        return by_code(language);
    }
    // Every code of two or three letters is near some other.
    if folded.chars().count() < 4 {
        return None;
    }
    let names = NAMES.keys().map(String::as_str).filter(|name| name.chars().count() > 3);
    nearest(text, names).and_then(by_name)
}

/// Codes of countries that are no codes of languages but get written for the language of the country.
const COUNTRIES: &[(&str, &str)] = &[
    ("at", "de"),
    ("cn", "zh"),
    ("cz", "cs"),
    ("dk", "da"),
    ("eng", "en"),
    ("gb", "en"),
    ("gr", "el"),
    ("jp", "ja"),
    ("mx", "es"),
    ("ua", "uk"),
    ("us", "en"),
];

static ALIASES: LazyLock<HashMap<&'static str, LanguageTag>> = LazyLock::new(|| {
    entries(include_str!("aliases.txt"))
        .filter_map(|line| line.split_once(" = "))
        .filter_map(|(alias, tag)| Some((alias, read_plain(tag)?)))
        .collect()
});

/// All names by which a language is found. Ordered, so that of two that are equally near the same one is suggested.
static NAMES: LazyLock<BTreeMap<String, LanguageTag>> = LazyLock::new(|| {
    let mut names = BTreeMap::new();
    for first in 'a'..='z' {
        for second in 'a'..='z' {
            let code: String = [first, second].into_iter().collect();
            let Some(language) = Language::from_639_1(&code) else { continue };
            let Some(tag) = by_code(&code) else { continue };
            names.insert(fold(language.to_name()).into_owned(), tag);
            for autonym in language.to_autonym().into_iter().flat_map(|autonyms| autonyms.split(", ")) {
                names.entry(fold(autonym).into_owned()).or_insert(tag);
            }
        }
    }
    names.extend(ALIASES.iter().map(|(alias, tag)| (fold(alias).into_owned(), *tag)));
    names
});

static QUALIFIERS: LazyLock<HashMap<String, Qualifier>> = LazyLock::new(|| {
    let scripts = called(include_str!("scripts.txt"), Qualifier::Script);
    let regions = called(include_str!("regions.txt"), Qualifier::Region);
    scripts.chain(regions).collect()
});

/// A tag of aliases.txt, which needs no aliases to be read.
fn read_plain(tag: &str) -> Option<LanguageTag> {
    let (code, rest) = tag.split_once('-').unwrap_or((tag, ""));
    let code = Language::from_639_1(code)?.to_639_1()?;
    read_code(LanguageTag::new(code, None, None), rest).ok()
}

/// Each name and each code of a file of lines such as `DE Germany | Deutschland`, with what it stands for.
fn called<T: Copy>(file: &'static str, kind: fn(&'static str) -> T) -> impl Iterator<Item = (String, T)> {
    entries(file).flat_map(move |line| {
        let (code, names) = line.split_once(' ').unwrap_or((line, ""));
        std::iter::once(code).chain(names.split(" | ")).map(move |name| (fold(name).into_owned(), kind(code)))
    })
}

/// The lines of a data file that are neither empty nor remarks.
pub(super) fn entries(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}
