//! Taking degrees out of a text that holds other things too, such as `honorificPrefix` or a formatted name.
//!
//! Every word that is taken needs evidence that it is no part of a name. Where there is none, it stays.

use scim_core::text::fold;

use super::table::{Degree, Evidence, Place, Word, find_where, words};
use super::{TEXT_LIMIT, beside};

/// The degrees in their usual spelling, and the text without them.
///
/// Degrees are looked for before a name (after a salutation), after it, and in parts set off by commas:
/// `Herr Dr. med.` gives `Dr. med.` and `Herr`; `Dr. Ada Lovelace, PhD` gives `Dr., PhD` and `Ada Lovelace`. A text
/// without degrees is returned as it is.
pub fn split(text: &str) -> (Option<String>, String) {
    let mut rest = text.to_owned();
    let mut degrees = Vec::new();
    // Again until nothing is found, since what stood between two degrees may have hidden one of them. Each round takes a
    // word at least, from a text whose length is bounded.
    while rest.len() <= TEXT_LIMIT
        && let Some((found, left)) = split_once(&rest)
    {
        degrees.extend(found);
        rest = left;
    }
    ((!degrees.is_empty()).then(|| degrees.join(", ")), rest)
}

/// The degrees that are found in one round and the text without them, if there are any.
fn split_once(text: &str) -> Option<(Vec<String>, String)> {
    let mut degrees: Vec<String> = Vec::new();
    let mut rests: Vec<String> = Vec::new();
    let mut name = Name { words: 0, capitals_only: !text.chars().any(char::is_lowercase), titled: false };
    for part in text.split(',') {
        let taken = take(part, &words(part), name);
        name.titled |= taken.titled;
        name.words += taken.rest.split_whitespace().count();
        degrees.extend(taken.degrees);
        if !taken.rest.is_empty() {
            rests.push(taken.rest);
        }
    }
    let rest = rests.join(", ");
    // `Ada Lovelace (Countess, PhD)`: a pair of parentheses that is around more than degrees stays whole.
    let is_torn = is_paired(text) && !is_paired(&rest);
    (!degrees.is_empty() && !is_torn).then_some((degrees, rest))
}

/// Whether as many parentheses are closed as are opened.
fn is_paired(text: &str) -> bool {
    text.matches('(').count() == text.matches(')').count()
}

/// What is known of the name from the parts before.
#[derive(Clone, Copy)]
struct Name {
    words: usize,
    /// Whether the whole text is written in capitals, so that they prove nothing.
    capitals_only: bool,
    /// Whether a degree that is sure was found already.
    titled: bool,
}

/// What was found in one part.
struct Taken {
    degrees: Vec<String>,
    rest: String,
    titled: bool,
}

/// Takes degrees from the start and from the end of a part, or the whole part where it holds nothing else.
fn take(part: &str, words: &[Word<'_>], name: Name) -> Taken {
    let greeted = words.iter().take_while(|word| name.words == 0 && is_salutation(word)).count();
    let (greeting, after_greeting) = words.split_at_checked(greeted).unwrap_or((&[], words));
    if let Some((degrees, titled)) = whole(after_greeting, name) {
        let rest = greeting.last().and_then(|last| part.get(..last.end)).unwrap_or_default();
        return Taken { degrees: vec![degrees], rest: spaced(rest), titled };
    }
    let (leading, named) = run(after_greeting, |degree, written, next| {
        degree.place == Place::Before && is_evident(degree, written, next)
    });
    // One word at least is the name.
    let trailing = (1..named.len()).find_map(|start| {
        let tail = named.get(start..)?;
        let (degrees, left) = run(tail, |degree, written, next| {
            degree.place == Place::After && is_evident(degree, written, next)
        });
        left.is_empty().then_some((degrees, tail.first()?.start))
    });
    let start = after_greeting.first().map_or(part.len(), |word| word.start);
    let from = if leading.is_empty() { start } else { named.first().map_or(part.len(), |word| word.start) };
    let until = trailing.as_ref().map_or(part.len(), |(_, start)| *start);
    let titled = !leading.is_empty() || trailing.is_some();
    let kept = [part.get(..start), part.get(from..until)].map(Option::unwrap_or_default).concat();
    let degrees = [leading, trailing.map(|(degrees, _)| degrees).unwrap_or_default()];
    let degrees = degrees.into_iter().filter(|run| !run.is_empty()).map(|run| beside(&run)).collect();
    Taken { degrees, rest: spaced(&kept), titled }
}

/// The degrees that the words are, if they are nothing else, and whether one of them is sure. Here capitals that may be
/// initials count too, if two words of a name came before, or a degree.
fn whole(words: &[Word<'_>], name: Name) -> Option<(String, bool)> {
    let titled = run(words, is_evident).0.len();
    let named = name.words >= 2 && !name.capitals_only;
    let (degrees, left) = run(words, |degree, written, next| {
        is_evident(degree, written, next)
            || degree.evidence == Evidence::Capital
                && match written {
                    [one] => (named || name.titled) && is_as_in_table(degree, one),
                    // Single letters with dots are initials, unless whoever has them has a degree besides.
                    _ => name.titled && written.iter().all(|word| word.dotted),
                }
    });
    (left.is_empty() && !degrees.is_empty()).then(|| (beside(&degrees), titled > 0))
}

/// The degrees that are accepted at the start of the words, and the words after them.
fn run<'w, 't>(
    mut words: &'w [Word<'t>],
    accepts: impl Fn(Degree, &'w [Word<'t>], Option<&'w Word<'t>>) -> bool,
) -> (Vec<&'static str>, &'w [Word<'t>]) {
    let mut degrees = Vec::new();
    while let Some((degree, rest)) =
        find_where(words, |degree, written| accepts(degree, written, words.get(written.len())))
    {
        degrees.push(degree.canonical);
        words = rest;
    }
    (degrees, words)
}

/// Whether the way it is written shows that it is no part of a name.
fn is_evident(degree: Degree, written: &[Word<'_>], next: Option<&Word<'_>>) -> bool {
    let (Some(first), Some(last)) = (written.first(), written.last()) else { return false };
    let followed = written.iter().skip(1).all(|word| belongs(degree, word));
    followed
        && match degree.evidence {
            Evidence::Sure | Evidence::Small => true,
            Evidence::Dot => {
                last.dotted
                    || first.is_small() && next.is_some_and(|next| next.text.starts_with(char::is_uppercase))
            }
            Evidence::Capital => {
                // `PD Dr.`: another degree follows. Nothing else shows it where a name may be.
                degree.place == Place::Before
                    && is_as_in_table(degree, first)
                    && next.is_some_and(|next| ["Dr", "Prof"].contains(&next.text) && next.dotted)
            }
        }
}

/// Whether a word after the first of a degree belongs to it: `Phil` in `Dr. Phil Collins` does not, nor `H.C.` in
/// `Dr. H.C. Andersen`.
fn belongs(degree: Degree, word: &Word<'_>) -> bool {
    if word.is_small() || ["Dr", "Prof"].contains(&word.text) {
        return true;
    }
    let initial = degree.place == Place::Before && word.text.chars().nth(1).is_none();
    (word.dotted || word.glued) && !initial
}

/// Whether the word is written exactly as in the table, capitals and all.
fn is_as_in_table(degree: Degree, word: &Word<'_>) -> bool {
    word.text == degree.canonical.trim_end_matches('.')
}

/// Words that address somebody and stand before a degree.
fn is_salutation(word: &Word<'_>) -> bool {
    const SALUTATIONS: &[&str] = &[
        "dame", "dhr", "fr", "frau", "heer", "herr", "herrn", "hr", "lady", "lord", "madame", "messrs",
        "mevr", "mevrouw", "miss", "mme", "monsieur", "mr", "mrs", "ms", "mx", "pan", "pani", "paní", "sig",
        "signor", "signora", "sir", "sr", "sra", "señor", "señora",
    ];
    SALUTATIONS.contains(&fold(word.text).as_ref())
}

/// The text with one space between words and none around them.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
