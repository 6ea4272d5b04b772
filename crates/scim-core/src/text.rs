//! Case folding: the one definition of "equal ignoring case" for filters, uniqueness and sorting.
//!
//! It never depends on a locale or on a database collation, so every store gives the same answer. It refuses to
//! normalise anything else: accents, white space and Unicode composition are kept as sent.

use std::borrow::Cow;

/// Folds case so that two strings are equal ignoring case exactly when their folded forms are equal.
///
/// Each character is upper-cased and then lower-cased, which merges the variants that Unicode's full case folding
/// merges (`ß` and `ss`, final and medial sigma, the Kelvin sign and `k`). The Turkish dotless `ı` stays apart from
/// `i`, as it does there. Folding is idempotent.
///
/// What is stored under folded keys depends on this: whoever changes it raises [`FOLDING`].
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            'ı' => folded.push(character),
            // Its lower case is `ß`, whose upper case is two letters; no other character needs a second round.
            'ẞ' => folded.push_str("ss"),
            _ => folded.extend(character.to_uppercase().flat_map(char::to_lowercase)),
        }
    }
    Cow::Owned(folded)
}

/// Counts the definitions of [`fold`] that there have been, for whoever keeps folded texts. The first left a capital `ẞ` at
/// `ß`.
pub const FOLDING: u32 = 2;

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
        assert_ne!(fold("e\u{301}"), fold("é"), "composition is kept as sent");
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
                assert!(is_dotless || once.contains(&other), "U+{:04X}", u32::from(character));
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
        fn giving_up_early_changes_nothing(left in "[ab]{0,9}", right in "[ab]{0,9}", limit in 0usize..4) {
            let whole = distance(&left, &right, 100);
            prop_assert_eq!(distance(&left, &right, limit).min(limit + 1), whole.min(limit + 1));
        }
    }
}
