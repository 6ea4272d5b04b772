//! Spellings: one form for everything that is compared here.
//!
//! Case is folded, accents and apostrophes are dropped, and the letters that German and the Scandinavian languages write
//! with two where the keyboard lacks them become those two: `Büro` is `buero`. Lists are looked up under both spellings,
//! names compared in a form in which both are the same. It refuses to transliterate other scripts.

use scim_core::text;

/// The local part without its `+tag`, which neither convicts nor acquits.
pub(super) fn untagged(local: &str) -> &str {
    local.split_once('+').map_or(local, |(base, _)| base)
}

/// The form in which texts are compared: `Büro Köln` is `buero koeln`.
pub(super) fn folded(text: &str) -> String {
    spelt(text, Umlaut::Two)
}

/// The other way to write it without umlauts, where there is one: `buro koln`.
pub(super) fn plain(text: &str) -> String {
    spelt(text, Umlaut::One)
}

/// Letters and digits alone: `Shared Mailbox` is `sharedmailbox`.
pub(super) fn condensed(text: &str) -> String {
    let mut condensed = folded(text);
    condensed.retain(char::is_alphanumeric);
    condensed
}

/// Names as they are compared: `mueller` and `muller` are the same.
pub(super) fn skeleton(folded: &str) -> String {
    let mut skeleton = String::with_capacity(folded.len());
    let mut before = None;
    for letter in folded.chars() {
        let pair = matches!((before, letter), (Some('a'), 'a' | 'e') | (Some('o' | 'u'), 'e'));
        before = if pair { None } else { Some(letter) };
        if !pair {
            skeleton.push(letter);
        }
    }
    skeleton
}

/// How many letters an umlaut becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Umlaut {
    One,
    Two,
}

fn spelt(text: &str, umlaut: Umlaut) -> String {
    let folded = text::fold(text);
    if folded.is_ascii() && !folded.contains('\'') {
        return folded.into_owned();
    }
    let mut spelt = String::with_capacity(folded.len() + 4);
    for letter in folded.chars() {
        match (letter, umlaut) {
            ('ä' | 'æ', Umlaut::Two) => spelt.push_str("ae"),
            ('ö' | 'ø', Umlaut::Two) => spelt.push_str("oe"),
            ('ü', Umlaut::Two) => spelt.push_str("ue"),
            ('å', Umlaut::Two) => spelt.push_str("aa"),
            ('æ', Umlaut::One) => spelt.push_str("ae"),
            ('œ', _) => spelt.push_str("oe"),
            ('ß', _) => spelt.push_str("ss"),
            ('þ', _) => spelt.push_str("th"),
            // Apostrophes and combining marks.
            ('\'' | '’' | '‘' | 'ʼ' | '`' | '´' | '\u{300}'..='\u{36f}', _) => {}
            (letter, _) => spelt.push(bare(letter)),
        }
    }
    spelt
}

/// The letter without its accent.
fn bare(letter: char) -> char {
    match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' | 'ǎ' | 'ạ' | 'ả' | 'ấ' | 'ầ' => {
            'a'
        }
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => 'c',
        'ď' | 'đ' | 'ð' => 'd',
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ẽ' | 'ế' | 'ề' | 'ệ' => 'e',
        'ĝ' | 'ğ' | 'ġ' | 'ģ' | 'ǧ' => 'g',
        'ĥ' | 'ħ' => 'h',
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'ǐ' | 'ị' => 'i',
        'ĵ' => 'j',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ǒ' | 'ọ' | 'ố' | 'ộ' | 'ơ' => {
            'o'
        }
        'ŕ' | 'ŗ' | 'ř' => 'r',
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ŧ' | 'ț' => 't',
        'ù' | 'ú' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ǔ' | 'ụ' | 'ư' => 'u',
        'ŵ' => 'w',
        'ý' | 'ŷ' | 'ÿ' | 'ỳ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' | 'ϊ' | 'ΐ' => 'ι',
        'ό' => 'ο',
        'ύ' | 'ϋ' | 'ΰ' => 'υ',
        'ώ' => 'ω',
        other => other,
    }
}
