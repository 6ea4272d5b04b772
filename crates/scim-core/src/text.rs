//! Folding: the one definition of "equal ignoring case" for filters, uniqueness and sorting.
//!
//! It prepares text as RFC 7644 §5 wants it compared: width, case, composition (RFC 7613 §3.2). It never depends on a
//! locale or on a database collation, so every store gives the same answer. It is for comparing alone: what is stored and
//! shown is as it was sent. It refuses to ignore anything else, such as accents and white space.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Folds so that two strings are equal ignoring case exactly when their folded forms are equal.
///
/// Each character is upper-cased and then lower-cased, which merges the variants that Unicode's full case folding
/// merges (`ß` and `ss`, final and medial sigma, the Kelvin sign and `k`). The Turkish dotless `ı` stays apart from
/// `i`, as it does there. Characters of full and half width are those of the usual one, and letters are composed with
/// their marks (`e` and an accent are `é`). Folding is idempotent.
///
/// What is stored under folded keys depends on this: whoever changes it raises [`FOLDING`].
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    // Composed before as well as after: marks that have an upper case of their own would otherwise stay where they are.
    let sent = composed(Cow::Borrowed(text));
    let mut folded = String::with_capacity(sent.len());
    for character in sent.chars().map(of_usual_width) {
        match character {
            'ı' => folded.push(character),
            // Its lower case is `ß`, whose upper case is two letters; no other character needs a second round.
            'ẞ' => folded.push_str("ss"),
            _ => folded.extend(character.to_uppercase().flat_map(char::to_lowercase)),
        }
    }
    composed(Cow::Owned(folded))
}

/// Unicode's normalisation form C.
fn composed(text: Cow<'_, str>) -> Cow<'_, str> {
    match is_nfc(&text) {
        true => text,
        false => Cow::Owned(text.nfc().collect()),
    }
}

/// The character that one of full or half width is a variant of (RFC 7613 §3.2.1: its decomposition mapping).
fn of_usual_width(character: char) -> char {
    const KATAKANA: &str = "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u{3099}\u{309A}";
    let code = u32::from(character);
    let moved = |first: u32, to: u32| char::from_u32(code - first + to).unwrap_or(character);
    match code {
        ..0x3000 | 0x3001..0xFF01 => character,
        0x3000 => ' ',
        0xFF01..=0xFF5E => moved(0xFF01, 0x21),
        0xFF5F..=0xFF60 => moved(0xFF5F, 0x2985),
        0xFF61..=0xFF9F => KATAKANA.chars().nth((code - 0xFF61) as usize).unwrap_or(character),
        0xFFA0 => '\u{3164}',
        0xFFA1..=0xFFBE => moved(0xFFA1, 0x3131),
        0xFFC2..=0xFFC7 => moved(0xFFC2, 0x314F),
        0xFFCA..=0xFFCF => moved(0xFFCA, 0x3155),
        0xFFD2..=0xFFD7 => moved(0xFFD2, 0x315B),
        0xFFDA..=0xFFDC => moved(0xFFDA, 0x3161),
        0xFFE0..=0xFFE6 => "¢£¬¯¦¥₩".chars().nth((code - 0xFFE0) as usize).unwrap_or(character),
        0xFFE8..=0xFFEE => "│←↑→↓■○".chars().nth((code - 0xFFE8) as usize).unwrap_or(character),
        _ => character,
    }
}

/// Counts the definitions of [`fold`] that there have been, for whoever keeps folded texts. The first left a capital `ẞ` at
/// `ß`, the second knew nothing of width and composition.
pub const FOLDING: u32 = 3;

/// The candidate nearest to `wanted`, if one is near enough to be what was meant.
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(wanted);
    let limit = (wanted.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&wanted, &fold(candidate), limit), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edit distance with transpositions counted as one, or more than `limit` as soon as that is certain.
fn distance(left: &str, right: &str, limit: usize) -> usize {
    let right: Vec<char> = right.chars().collect();
    if right.len().abs_diff(left.chars().count()) > limit || right.len() > 128 {
        return limit + 1;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (row, from) in left.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&last, column) + usize::from(from != *to))
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            let crossed = column.checked_sub(1).and_then(|index| right.get(index));
            if previous == Some(*to) && crossed == Some(&from) && from != *to {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        // No later row can have less than this one's least.
        if current.iter().all(|distance| *distance > limit) {
            return limit + 1;
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(from);
    }
    last.last().copied().unwrap_or(0)
}

/// The text as an error quotes it: cut where it is long, since it comes from outside.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(EXCERPT_LIMIT) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// Longest text, in characters, that an error quotes whole.
const EXCERPT_LIMIT: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn folds_like_unicode() {
        for (left, right) in [
            ("ADA@EXAMPLE.COM", "ada@example.com"),
            ("Straße", "STRASSE"),
            ("STRAẞE", "strasse"),
            ("ΌΔΟΣ", "όδος"),
            ("\u{212A}im", "kim"),
            ("ÉCOLE", "école"),
        ] {
            assert_eq!(fold(left), fold(right), "{left} {right}");
        }
        assert_ne!(fold("ılgın"), fold("ilgin"));
        assert_ne!(fold("Zoé"), fold("Zoe"), "accents count");
        assert_ne!(fold("a b"), fold("a\u{A0}b"), "and so does white space, but for its width");
    }

    /// RFC 7644 §5: names are compared after PRECIS preparation.
    #[test]
    fn composition_and_width_do_not_count() {
        for (left, right) in [
            ("Zoe\u{301}", "ZOÉ"),
            ("\u{212B}ngstro\u{308}m", "ångström"),
            ("ＡＤＡ＠ｘ．ｏｒｇ", "ada@x.org"),
            ("ada\u{3000}b", "ada b"),
            ("ｶﾞｷﾞ", "ガギ"),
            ("ﾡￂￊￜ￦￭", "ㄱㅏㅕㅣ₩■"),
            ("\u{1100}\u{1161}", "가"),
            ("α\u{345}\u{301}", "ά\u{345}"),
            ("\u{10D5}", "\u{1C95}"),
        ] {
            assert_eq!(fold(left), fold(right), "{left} {right}");
        }
        assert!(matches!(fold("zoé"), Cow::Owned(same) if same == "zoé"));
    }

    #[test]
    fn finds_what_was_meant() {
        let names = ["userName", "displayName", "emails", "eq"];
        assert_eq!(nearest("usernmae", names), Some("userName"));
        assert_eq!(nearest("DISPLAYNAM", names), Some("displayName"));
        assert_eq!(nearest("eqq", names), Some("eq"));
        assert_eq!(nearest("telephone", names), None);
    }

    #[test]
    fn folding_every_character_twice_changes_nothing() {
        for character in (0..=0x10_FFFF).filter_map(char::from_u32) {
            let once = fold(character.encode_utf8(&mut [0; 4])).into_owned();
            assert_eq!(fold(&once), once, "U+{:04X}", u32::from(character));
            for variant in character.to_uppercase().chain(character.to_lowercase()) {
                let is_dotless = character == 'ı' || variant == 'ı';
                let other = fold(variant.encode_utf8(&mut [0; 4])).into_owned();
                // Letters that have no upper case in one piece are composed again.
                let within = once.nfd().collect::<String>().contains(&other.nfd().collect::<String>());
                assert!(is_dotless || within, "U+{:04X}", u32::from(character));
            }
        }
    }

    proptest! {
        #[test]
        fn folding_is_idempotent(text in any::<String>()) {
            let once = fold(&text).into_owned();
            prop_assert_eq!(fold(&once).into_owned(), once);
        }

        #[test]
        fn equivalent_texts_fold_to_the_same(text in "[a-cA-CéÉßſıİΣάΆͅ\u{301}\u{308}\u{345}\u{3b1}\u{399}\u{1fb3}가\u{1100}\u{1161}ｶﾞＡÅÅ]{0,6}") {
            let once = fold(&text).into_owned();
            prop_assert_eq!(fold(&once).into_owned(), once.clone());
            prop_assert_eq!(fold(&text.nfd().collect::<String>()).into_owned(), once.clone());
            prop_assert_eq!(fold(&text.nfc().collect::<String>()).into_owned(), once);
        }

        #[test]
        fn giving_up_early_changes_nothing(left in "[ab]{0,9}", right in "[ab]{0,9}", limit in 0usize..4) {
            let whole = distance(&left, &right, 100);
            prop_assert_eq!(distance(&left, &right, limit).min(limit + 1), whole.min(limit + 1));
        }
    }
}
