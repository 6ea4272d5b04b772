//! The table of degrees, and finding one at the start of a sequence of words.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use scim_core::text::fold;

/// A degree, as the file describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Degree {
    pub(super) canonical: &'static str,
    pub(super) place: Place,
    pub(super) evidence: Evidence,
}

/// On which side of a name it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Before,
    After,
}

/// What shows that it is no part of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    Sure,
    Dot,
    Capital,
    Small,
}

/// A run of anything but white space, dots, hyphens and parentheses, and how it is set off from what is around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    /// Where it starts in the text, with the parenthesis that it opens.
    pub(super) start: usize,
    /// Where what closes it ends: its dot, its parenthesis.
    pub(super) end: usize,
    /// Whether a dot follows.
    pub(super) dotted: bool,
    /// Whether no white space is before it.
    pub(super) glued: bool,
}

impl Word<'_> {
    /// Whether its first letter is a small one.
    pub(super) fn is_small(&self) -> bool {
        self.text.starts_with(char::is_lowercase)
    }
}

/// The words of a text.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut glued = false;
    let mut opened = None;
    let mut rest = text.char_indices().peekable();
    while let Some((start, character)) = rest.next() {
        if is_inner(character) {
            let mut end = start + character.len_utf8();
            while let Some((at, next)) = rest.next_if(|(_, next)| is_inner(*next)) {
                end = at + next.len_utf8();
            }
            words.push(Word {
                text: text.get(start..end).unwrap_or_default(),
                start: opened.take().unwrap_or(start),
                end,
                dotted: false,
                glued,
            });
            glued = true;
        } else if character.is_whitespace() {
            glued = false;
        } else if character == '(' {
            // A parenthesis belongs to the word before it as much as a hyphen does: `(FH)`.
            glued = true;
            opened.get_or_insert(start);
        } else if let Some(word) = words.last_mut()
            && word.end == start
            && matches!(character, '.' | ')')
        {
            word.end = start + character.len_utf8();
            word.dotted |= character == '.';
        }
    }
    words
}

fn is_inner(character: char) -> bool {
    !character.is_whitespace() && !matches!(character, '.' | '-' | '(' | ')')
}

/// The degree that the most words from the first on are, and the words after it. One that must be written small counts
/// only where it is.
pub(super) fn find<'w, 't>(words: &'w [Word<'t>]) -> Option<(Degree, &'w [Word<'t>])> {
    find_where(words, |_, _| true)
}

/// Like [`find`], among the degrees that are accepted with the words they are written in.
pub(super) fn find_where<'w, 't>(
    words: &'w [Word<'t>],
    accepts: impl Fn(Degree, &'w [Word<'t>]) -> bool,
) -> Option<(Degree, &'w [Word<'t>])> {
    let first = words.first()?;
    if !FIRST_WORDS.contains(fold(first.text).as_ref()) {
        return None;
    }
    (1..=words.len().min(MOST_WORDS)).rev().find_map(|count| {
        let (written, rest) = words.split_at_checked(count)?;
        let spelling = written.iter().map(|word| fold(word.text)).collect::<Vec<_>>().join(" ");
        let degrees = DEGREES.get(&spelling)?;
        let fits = |degree: &&Degree| {
            (degree.evidence != Evidence::Small || written.iter().all(Word::is_small))
                && accepts(**degree, written)
        };
        degrees.iter().find(fits).map(|degree| (*degree, rest))
    })
}

/// Most words that a spelling in the file has.
const MOST_WORDS: usize = 5;

/// The words that a spelling in the file starts with: most words start none.
static FIRST_WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| DEGREES.keys().filter_map(|spelling| spelling.split(' ').next()).collect());

/// The degrees by their spellings, as folded words with a space between them.
static DEGREES: LazyLock<HashMap<String, Vec<Degree>>> = LazyLock::new(|| {
    let mut degrees: HashMap<String, Vec<Degree>> = HashMap::new();
    for (spelling, degree) in lines().filter_map(described).flatten() {
        degrees.entry(spelling).or_default().push(degree);
    }
    degrees
});

/// The lines of the file that describe a degree.
pub(super) fn lines() -> impl Iterator<Item = &'static str> {
    include_str!("degrees.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// What a line of the file says: the degree under each of its spellings.
pub(super) fn described(line: &'static str) -> Option<Vec<(String, Degree)>> {
    let (place, rest) = line.split_once(' ')?;
    let (evidence, rest) = rest.split_once(' ')?;
    let (canonical, spellings) = rest.split_once(" = ").unwrap_or((rest, ""));
    let degree = Degree {
        canonical,
        place: match place {
            "before" => Place::Before,
            "after" => Place::After,
            _ => return None,
        },
        evidence: match evidence {
            "sure" => Evidence::Sure,
            "dot" => Evidence::Dot,
            "capital" => Evidence::Capital,
            "small" => Evidence::Small,
            _ => return None,
        },
    };
    let own = words(canonical).iter().map(|word| fold(word.text)).collect::<Vec<_>>().join(" ");
    let others =
        spellings.split(" | ").filter(|spelling| !spelling.is_empty()).map(|other| fold(other).into_owned());
    Some(std::iter::once(own).chain(others).map(|spelling| (spelling, degree)).collect())
}
