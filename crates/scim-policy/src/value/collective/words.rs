//! The lists: which words stand for roles, teams and mailboxes, and how they are found.
//!
//! The lists are data (`words.txt`, `beside.txt`, `user_types.txt`), compiled in, read once, and looked up by hash. A word
//! is found under every spelling that it has without accents. It refuses to guess: a word is listed, or unknown.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::spelling;

/// A word of the lists.
#[derive(Debug, PartialEq, Eq)]
pub struct Word {
    /// As its language spells it; the words of a phrase are joined by hyphens.
    pub text: &'static str,
    /// ISO 639-1 codes with commas between them, or `mul`.
    pub languages: &'static str,
    /// How much it says.
    pub class: Class,
    /// What it is about.
    pub category: Category,
}

/// How much a word says of the address that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Collective wherever it stands.
    Sure,
    /// Collective unless something unknown stands before it.
    Role,
    /// Collective only where nothing unknown stands beside it.
    Alone,
    /// Says nothing.
    Beside,
}

impl Class {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "sure" => Some(Self::Sure),
            "role" => Some(Self::Role),
            "alone" => Some(Self::Alone),
            "beside" => Some(Self::Beside),
            _ => None,
        }
    }
}

/// Names each category as the lists do, and says what it is about as an explanation does.
macro_rules! categories {
    ($($category:ident $name:literal $meaning:literal)*) => {
        /// What a word is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the meanings say it")]
        pub enum Category { $($category),* }

        impl Category {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$category),*];

            /// The name in the lists.
            pub fn name(self) -> &'static str {
                match self { $(Self::$category => $name),* }
            }

            /// What an address with such a word is for, to follow "stands for".
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$category => $meaning),* }
            }
        }
    };
}

categories! {
    Automatic "automatic" "messages that are sent or read by machines"
    Community "community" "a club, a church or an association"
    Contact "contact" "general enquiries"
    Education "education" "a school, a university or a library"
    Events "events" "events and courses"
    Everyone "everyone" "everybody of a kind"
    Facility "facility" "rooms, buildings and vehicles"
    Finance "finance" "accounting and payments"
    Health "health" "health care"
    Hospitality "hospitality" "a restaurant, a shop or another place open to guests"
    Legal "legal" "legal matters and data protection"
    List "list" "a mailing list"
    Logistics "logistics" "stock and transport"
    Mailbox "mailbox" "a shared mailbox or account"
    Management "management" "the management"
    Marketing "marketing" "marketing and communication"
    News "news" "newsletters and announcements"
    Office "office" "an office"
    Orders "orders" "orders and bookings"
    People "people" "human resources"
    Place "place" "a place"
    Press "press" "press and publications"
    Production "production" "production, quality and research"
    Public "public" "an authority or a municipality"
    Purchasing "purchasing" "purchasing"
    Qualifier "qualifier" "nothing of itself"
    Reception "reception" "a reception"
    Sales "sales" "sales"
    Support "support" "help for customers and users"
    Team "team" "a group of people"
    Technical "technical" "the operation of computers and networks"
}

/// The most words that a phrase of the lists has.
pub(super) const LONGEST_PHRASE: usize = 4;

/// What is listed under a key.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry {
    /// The word that is spelt like this.
    pub(super) word: Option<&'static Word>,
    /// Whether a phrase begins with this word.
    pub(super) begins_phrase: bool,
}

/// What is listed under a folded word, or under the folded words of a phrase with spaces between them.
pub(super) fn entry(key: &str) -> Entry {
    static INDEX: OnceLock<HashMap<Box<str>, Entry>> = OnceLock::new();
    INDEX.get_or_init(index).get(key).copied().unwrap_or_default()
}

/// The kind of account that a condensed `userType` names.
pub(super) fn user_type(condensed: &str) -> Option<&'static Word> {
    static TYPES: OnceLock<Vec<Word>> = OnceLock::new();
    let types = TYPES.get_or_init(|| parsed(USER_TYPES).collect());
    types.iter().find(|word| word.text == condensed)
}

/// The words that convict.
pub(super) const WORDS: &str = include_str!("words.txt");
/// Those that say nothing.
pub(super) const BESIDE: &str = include_str!("beside.txt");
/// Values of `userType`.
pub(super) const USER_TYPES: &str = include_str!("user_types.txt");

fn words() -> &'static [Word] {
    static ALL: OnceLock<Vec<Word>> = OnceLock::new();
    // Where two words are spelt alike without accents, the first is found: one that convicts before one that doesn't.
    ALL.get_or_init(|| parsed(WORDS).chain(parsed(BESIDE)).collect())
}

fn index() -> HashMap<Box<str>, Entry> {
    let mut index: HashMap<Box<str>, Entry> = HashMap::with_capacity(2 * words().len());
    for word in words() {
        for spelling in [spelling::folded(word.text), spelling::plain(word.text)] {
            let phrase = spelling.replace('-', " ");
            if let Some((first, _)) = phrase.split_once(' ') {
                index.entry(first.into()).or_default().begins_phrase = true;
                index.entry(phrase.replace(' ', "").into()).or_default().word.get_or_insert(word);
            }
            index.entry(phrase.into()).or_default().word.get_or_insert(word);
        }
    }
    index
}

fn parsed(list: &'static str) -> impl Iterator<Item = Word> {
    // A test holds every line to the form, so that none is passed over here.
    list.lines().filter_map(parse)
}

/// One line of a list; `None` for comments, empty lines, and whatever is not in the form.
pub(super) fn parse(line: &'static str) -> Option<Word> {
    let mut fields = line.split(' ').filter(|_| !line.starts_with('#'));
    let (text, languages) = (fields.next()?, fields.next()?);
    let class = Class::from_name(fields.next()?)?;
    let name = fields.next()?;
    let category = *Category::ALL.iter().find(|category| category.name() == name)?;
    fields.next().is_none().then_some(Word { text, languages, class, category })
}
