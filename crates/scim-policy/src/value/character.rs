//! Characters that are not what they seem: those that cannot be seen, and those that stand in for a plain letter.
//!
//! It judges single characters and refuses to guess which letter a look-alike of another script was meant to be: a
//! Cyrillic `а` is a letter of its own, and a name that holds one is another name.

use idna::uts46::{AsciiDenyList, Hyphens, Uts46};
use scim_core::text::excerpt;

/// The text as an explanation quotes it: cut where it is long, and with what cannot be seen written out.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in excerpt(text).chars() {
        if is_hidden(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The character with its number, so that one that cannot be seen or told from another can be found.
pub(crate) fn named(character: char) -> String {
    let number = u32::from(character);
    if is_hidden(character) || character == ' ' {
        format!("U+{number:04X}")
    } else if character.is_ascii() {
        format!("`{character}`")
    } else {
        format!("`{character}` (U+{number:04X})")
    }
}

/// Whether nobody can see the character: control characters, white space other than the plain space, marks of
/// direction and joining, and code points without an agreed meaning.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(character,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{E000}'..='\u{F8FF}' | '\u{FDD0}'..='\u{FDEF}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFF}'
            | '\u{E0000}'..='\u{10FFFF}')
        || u32::from(character) & 0xFFFE == 0xFFFE
}

/// Whether the character is written for plain letters, digits or signs, or for nothing at all: the Kelvin sign is a `k`
/// to whoever folds case, a full-width `ａ` an `a`, a soft hyphen nothing (UTS #46, the mapping of single characters).
pub(crate) fn stands_in(character: char) -> bool {
    if character.is_ascii() {
        return false;
    }
    let mut buffer = [0; 4];
    let bytes = character.encode_utf8(&mut buffer).as_bytes();
    let (mapped, outcome) = Uts46::new().to_unicode(bytes, AsciiDenyList::EMPTY, Hyphens::Allow);
    outcome.is_ok() && mapped.is_ascii()
}

/// Without blanks at both ends: spaces, tabs and no-break spaces. Line breaks are not trimmed; where one is, something
/// else is wrong too.
pub(crate) fn trim_blanks(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\u{A0}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_stands_in_for_plain_characters() {
        for character in [
            '\u{212A}', 'ａ', 'ſ', '℀', '。', '．', '\u{AD}', '\u{200B}', 'ﬁ', '𝐚', '²', 'ⓐ', '™', '\u{FEFF}',
        ] {
            assert!(stands_in(character), "{character:?}");
        }
        for character in ['a', 'K', '.', 'ü', 'ß', 'ẞ', 'é', 'а', 'ı', 'İ', '中', '\u{301}', '\u{202E}', 'Å']
        {
            assert!(!stands_in(character), "{character:?}");
        }
    }

    #[test]
    fn quotes_what_cannot_be_seen() {
        for (text, shown) in [
            ("ada lovelace", "ada lovelace"),
            ("a\r\nb", "a\\u{d}\\u{a}b"),
            ("a\u{202E}b\u{200B}c\u{A0}d", "a\\u{202e}b\\u{200b}c\\u{a0}d"),
            ("bücher", "bücher"),
        ] {
            assert_eq!(quoted(text), shown);
        }
        assert!(quoted(&"\u{1}".repeat(10_000)).len() < 1000);
        assert_eq!(named('\u{212A}'), "`\u{212A}` (U+212A)");
        assert_eq!(named('\n'), "U+000A");
        assert_eq!(named(' '), "U+0020");
        assert_eq!(named('_'), "`_`");
    }

    #[test]
    fn trims_blanks_alone() {
        assert_eq!(trim_blanks(" \ta b\u{A0} "), "a b");
        assert_eq!(trim_blanks("a\n"), "a\n");
    }
}
