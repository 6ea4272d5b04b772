//! Following persons: who came, changed or left after a place in the change log.
//!
//! An application keeps a [`Mark`], asks for what came after it, takes over the persons as they are now, and keeps the
//! mark that it is given. Each page names a person once, however much happened. Taking a page over again does no harm,
//! and who follows to the end has what [`Store::persons`] has. `examples/follow_persons` in the repository is an application
//! that does.
//!
//! A mark is of one change log. Where the store was set back to an earlier state, or the tenant was deleted, its numbers are
//! given again to other changes. A mark that is handed back as it was given is told from those, and refused: take over
//! everything from [`Mark::default`], and remove whoever is not named. So is a mark of a change that is not kept any more,
//! where the log was [pruned](crate::retention). Who begins after that is told of everybody first, by identifier, and then of
//! what is in the log.
//!
//! Nothing is stored for it. A person changes with its own resource, with its memberships, and with the label of a group,
//! if its user group is one of its groups. All of these are in the log; the members of a group that got another label are
//! looked up, and a page may end among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use scim_core::time::Timestamp;

use crate::{Change, EdgeQuery, PersonPage, PersonQuery, PersonRecord, Side, Store, StoreError, Tenant};

/// How far an application has come. The default is the beginning.
///
/// As text it is a number, an `@` with milliseconds since 1970, and a slash or a plus sign with an identifier, of which only
/// the first is always there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// The last change of which everybody was named.
    pub sequence: u64,
    /// When it was committed. Without it, a change that has the same number by now is taken for it.
    pub at: Option<Timestamp>,
    /// Who was named besides.
    pub within: Option<Within>,
}

/// Where a page ended in the midst of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within {
    /// Of the change after that of the mark, those up to this identifier were named.
    Change(String),
    /// Of everybody, those up to this identifier were named. The log was pruned, and begins with the change of the mark.
    Everybody(String),
}

/// A text that is no [`Mark`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMark;

/// What became of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonChange {
    /// The last change of those looked at that concerned the person. Of who is named because the log was pruned, the first that
    /// is there.
    pub sequence: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// The identifier.
    pub id: String,
    /// The person as it is now, which may be later than the change. `None` for one that left.
    pub person: Option<PersonRecord>,
}

/// A page of what became of persons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonChanges {
    /// Each person once, by the last change that concerned it and then by identifier. Can be empty though more follow.
    pub changes: Vec<PersonChange>,
    /// Where the next page begins.
    pub next: Mark,
    /// Whether more follow.
    pub more: bool,
}

/// Why there is no page.
#[derive(Debug)]
pub enum FollowError {
    /// The change of the mark is not there.
    Anew(Lost),
    /// What kept the store from answering.
    Store(StoreError),
}

/// Why there is nothing to go on after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Nothing has the number yet: it is of another log.
    Missing,
    /// What has the number was made at this moment: it is of another log.
    Other(Timestamp),
    /// The log was pruned since, and begins with what was made at this moment.
    Pruned(Timestamp),
}

impl Lost {
    /// The entry that somebody knows by its number, and by its moment if that is known, from the first entry of the log that has
    /// that number or a higher one.
    ///
    /// # Errors
    /// When that is another entry, or there is none.
    pub fn check<T>(
        (number, at): (u64, Option<Timestamp>),
        first: Option<T>,
        place: impl Fn(&T) -> (u64, Timestamp),
    ) -> Result<T, Self> {
        let Some(first) = first else { return Err(Self::Missing) };
        match place(&first) {
            (found, made) if found != number => Err(Self::Pruned(made)),
            (_, made) if at.is_some_and(|at| at != made) => Err(Self::Other(made)),
            _ => Ok(first),
        }
    }
}

/// Most entries of the log that are looked at for a page. One that changed many members is long.
const ENTRIES: usize = 100;

/// What became of persons after a mark: at most `count` of them, and at least one is looked at.
///
/// # Errors
/// [`FollowError`].
pub async fn changes(
    store: &dyn Store,
    tenant: &Tenant,
    after: &Mark,
    count: usize,
) -> Result<PersonChanges, FollowError> {
    let count = count.max(1);
    let (made, entries) = entries(store, tenant, after).await?;
    // Where nothing follows, too, the mark is one that is told from another log's.
    let mut next = Mark { at: made, ..after.clone() };
    if let (Some(Within::Everybody(last)), Some(at)) = (&after.within, made) {
        return everybody(store, tenant, (after.sequence, at), Some(last), count).await;
    }
    // Of a log that was pruned, whoever begins is told of everybody, and who was in the midst of what is gone begins anew.
    if after.sequence == 0
        && let Some(first) = entries.first().filter(|first| first.sequence > 1)
    {
        return match after.within {
            None => everybody(store, tenant, (first.sequence, first.at), None, count).await,
            Some(_) => Err(FollowError::Anew(Lost::Pruned(first.at))),
        };
    }
    let mut more = entries.len() == ENTRIES;
    let mut concerned: BTreeMap<String, Concern> = BTreeMap::new();
    for entry in entries {
        let room = count.saturating_sub(concerned.len());
        if room == 0 {
            more = true;
            break;
        }
        let named_until = match &next.within {
            Some(Within::Change(id)) => Some(id.as_str()),
            Some(Within::Everybody(_)) | None => None,
        };
        let (ids, rest) = named(store, tenant, &entry, named_until, room).await?;
        for id in &ids {
            let concern = concerned.entry(id.clone()).or_insert(Concern::of(&entry));
            let itself = concern.itself || (entry.person && *id == entry.id);
            *concern = Concern { itself, ..Concern::of(&entry) };
        }
        if rest {
            next.within = ids.into_iter().next_back().map(Within::Change);
            more = true;
            break;
        }
        next = Mark { sequence: entry.sequence, at: Some(entry.at), within: None };
    }
    let mut persons: BTreeMap<String, PersonRecord> = BTreeMap::new();
    // Most who ask are told of nobody.
    if !concerned.is_empty() {
        let ids = PersonQuery::Of(concerned.keys().cloned().collect());
        let found = store.persons(tenant, &ids).await?.persons;
        persons.extend(found.into_iter().map(|person| (person.id.clone(), person)));
    }
    let changes = concerned.into_iter().filter_map(|(id, concern)| {
        let person = persons.remove(&id);
        // A membership concerns those only who are named after a group.
        let follows_groups = person.as_ref().is_some_and(|person| person.derived.pick.is_some());
        let Concern { sequence, at, itself } = concern;
        (itself || follows_groups).then_some(PersonChange { sequence, at, id, person })
    });
    let mut changes: Vec<PersonChange> = changes.collect();
    changes.sort_by(|a, b| (a.sequence, &a.id).cmp(&(b.sequence, &b.id)));
    Ok(PersonChanges { changes, next, more })
}

/// When the change of the mark was made, and the next entries of the log, if the mark is of it.
async fn entries(
    store: &dyn Store,
    tenant: &Tenant,
    after: &Mark,
) -> Result<(Option<Timestamp>, Vec<Change>), FollowError> {
    let Some(before) = after.sequence.checked_sub(1) else {
        return Ok((None, store.changes(tenant, 0, ENTRIES).await?));
    };
    let mut entries = store.changes(tenant, before, ENTRIES + 1).await?.into_iter();
    match Lost::check((after.sequence, after.at), entries.next(), |change| (change.sequence, change.at)) {
        Ok(known) => Ok((Some(known.at), entries.collect())),
        Err(lost) => Err(FollowError::Anew(lost)),
    }
}

/// Everybody, a page at a time, before what came after the first change that is there. Who comes, changes or goes meanwhile is
/// in the log after it.
async fn everybody(
    store: &dyn Store,
    tenant: &Tenant,
    (sequence, at): (u64, Timestamp),
    after: Option<&str>,
    count: usize,
) -> Result<PersonChanges, FollowError> {
    let query = PersonQuery::Page { after: after.map(str::to_owned), count };
    let PersonPage { persons, more } = store.persons(tenant, &query).await?;
    let last = persons.last().filter(|_| more).map(|person| Within::Everybody(person.id.clone()));
    let named =
        |person: PersonRecord| PersonChange { sequence, at, id: person.id.clone(), person: Some(person) };
    let changes = persons.into_iter().map(named).collect();
    Ok(PersonChanges { changes, next: Mark { sequence, at: Some(at), within: last }, more: true })
}

/// How a resource is concerned by entries of the log.
#[derive(Clone, Copy)]
struct Concern {
    sequence: u64,
    at: Timestamp,
    /// Whether the person itself came, changed or went.
    itself: bool,
}

impl Concern {
    fn of(entry: &Change) -> Self {
        Self { sequence: entry.sequence, at: entry.at, itself: false }
    }
}

/// Those after an identifier whom an entry may concern, at most `room`, and whether there are more.
async fn named(
    store: &dyn Store,
    tenant: &Tenant,
    entry: &Change,
    after: Option<&str>,
    room: usize,
) -> Result<(BTreeSet<String>, bool), StoreError> {
    let itself = entry.person.then_some(&entry.id);
    let listed = itself.into_iter().chain(&entry.added).chain(&entry.removed);
    let is_left = |id: &&String| after.is_none_or(|after| id.as_str() > after);
    let mut ids: BTreeSet<String> = listed.filter(is_left).cloned().collect();
    let mut more = false;
    if entry.renamed {
        let query = EdgeQuery {
            side: Side::Members,
            of: vec![entry.id.clone()],
            after: after.map(|after| (entry.id.clone(), after.to_owned())),
            count: room,
        };
        let page = store.edges(tenant, &query).await?;
        ids.extend(page.edges.into_iter().map(|edge| edge.id));
        more = page.more;
    }
    let rest = ids.iter().nth(room).cloned().map(|first| ids.split_off(&first));
    Ok((ids, more || rest.is_some()))
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.sequence)?;
        if let Some(Timestamp(at)) = self.at {
            write!(f, "@{at}")?;
        }
        match &self.within {
            Some(Within::Change(id)) => write!(f, "/{id}"),
            Some(Within::Everybody(id)) => write!(f, "+{id}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Mark {
    type Err = InvalidMark;

    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        let (text, within) = match text.find(['/', '+']).map(|place| text.split_at(place)) {
            Some((text, within)) => (text, Within::parse(within)),
            None => (text, None),
        };
        let (sequence, at) = match text.split_once('@') {
            Some((sequence, at)) => (sequence, Some(Timestamp(at.parse().map_err(|_| InvalidMark)?))),
            None => (text, None),
        };
        Ok(Self { sequence: sequence.parse().map_err(|_| InvalidMark)?, at, within })
    }
}

impl Within {
    /// Reads the identifier with the sign before it.
    fn parse(text: &str) -> Option<Self> {
        let id = |id: &str| id.to_owned();
        text.strip_prefix('/')
            .map(id)
            .map(Self::Change)
            .or(text.strip_prefix('+').map(id).map(Self::Everybody))
    }
}

impl fmt::Display for InvalidMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a place in the changes of persons is written as `0` or as an earlier answer gave it")
    }
}

impl std::error::Error for InvalidMark {}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anew(lost) => write!(f, "the change {lost}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

/// What became of the entry, to follow on what it is called.
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const OTHER: &str = "the number is one of another tenant or of one that was deleted, or the store was set back to a backup";
        match self {
            Self::Missing => write!(f, "is not there yet: {OTHER}"),
            Self::Other(made) => write!(f, "was made at {made}: {OTHER}"),
            Self::Pruned(first) => {
                write!(
                    f,
                    "is not kept any more: the log was pruned since, and begins with what was made at {first}"
                )
            }
        }
    }
}

impl std::error::Error for FollowError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Anew(_) => None,
            Self::Store(error) => Some(error),
        }
    }
}

impl From<StoreError> for FollowError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_are_written() {
        let check = |text: &str, expected: Result<(u64, Option<i64>, Option<Within>), InvalidMark>| {
            let mark: Result<Mark, InvalidMark> = text.parse();
            let expected =
                expected.map(|(sequence, at, within)| Mark { sequence, at: at.map(Timestamp), within });
            assert_eq!(mark, expected, "{text}");
            if let Ok(mark) = mark {
                assert_eq!(mark.to_string(), text);
            }
        };
        let change = |id: &str| Some(Within::Change(id.to_owned()));
        let everybody = |id: &str| Some(Within::Everybody(id.to_owned()));
        check("0", Ok((0, None, None)));
        check("17/a/b+c", Ok((17, None, change("a/b+c"))));
        check("17@-5+a+b/@c", Ok((17, Some(-5), everybody("a+b/@c"))));
        check("17@1700000000000", Ok((17, Some(1_700_000_000_000), None)));
        check("17@-5/a@b", Ok((17, Some(-5), change("a@b"))));
        check("18446744073709551615/", Ok((u64::MAX, None, change(""))));
        check("", Err(InvalidMark));
        check("-1", Err(InvalidMark));
        check("17@", Err(InvalidMark));
        check("17@x/a", Err(InvalidMark));
        check("/a", Err(InvalidMark));
        check("18446744073709551616", Err(InvalidMark));
    }
}
