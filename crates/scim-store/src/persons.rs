//! Following persons: who came, changed or left after a place in the change log.
//!
//! An application keeps a [`Mark`], asks for what came after it, takes over the persons as they are now, and keeps the
//! mark that it is given. Each page names a person once, however much happened. Taking a page over again does no harm,
//! and who follows to the end has what [`Store::persons`] has. `examples/follow_persons` in the repository is an application
//! that does.
//!
//! A mark is of one change log. Where the store was set back to an earlier state, or the tenant was deleted, its numbers are
//! given again to other changes. A mark that is handed back as it was given is told from those, and refused: take over
//! everything from [`Mark::default`], and remove whoever is not named.
//!
//! Nothing is stored for it. A person changes with its own resource, with its memberships, and with the label of a group,
//! if its user group is one of its groups. All of these are in the log; the members of a group that got another label are
//! looked up, and a page may end among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use scim_core::time::Timestamp;

use crate::{Change, EdgeQuery, PersonQuery, PersonRecord, Side, Store, StoreError, Tenant};

/// How far an application has come. The default is the beginning.
///
/// As text it is a number, an `@` with milliseconds since 1970, and a slash with an identifier, of which only the first is always
/// there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// The last change of which everybody was named.
    pub sequence: u64,
    /// When it was committed. Without it, a change that has the same number by now is taken for it.
    pub at: Option<Timestamp>,
    /// Of the change after it, those up to this identifier were named.
    pub within: Option<String>,
}

/// A text that is no [`Mark`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMark;

/// What became of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonChange {
    /// The last change of those looked at that concerned the person.
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
    /// The mark is of another log: its change is not there, or another one has its number, which was made at this moment.
    Anew(Option<Timestamp>),
    /// What kept the store from answering.
    Store(StoreError),
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
    let mut more = entries.len() == ENTRIES;
    // Where nothing follows, too, the mark is one that is told from another log's.
    let mut next = Mark { at: made, ..after.clone() };
    let mut concerned: BTreeMap<String, Concern> = BTreeMap::new();
    for entry in entries {
        let room = count.saturating_sub(concerned.len());
        if room == 0 {
            more = true;
            break;
        }
        let (ids, rest) = named(store, tenant, &entry, next.within.as_deref(), room).await?;
        for id in &ids {
            let concern = concerned.entry(id.clone()).or_insert(Concern::of(&entry));
            let itself = concern.itself || (entry.person && *id == entry.id);
            *concern = Concern { itself, ..Concern::of(&entry) };
        }
        if rest {
            next.within = ids.into_iter().next_back();
            more = true;
            break;
        }
        next = Mark { sequence: entry.sequence, at: Some(entry.at), within: None };
    }
    let ids = PersonQuery::Of(concerned.keys().cloned().collect());
    let persons = store.persons(tenant, &ids).await?.persons;
    let mut persons: BTreeMap<String, PersonRecord> =
        persons.into_iter().map(|person| (person.id.clone(), person)).collect();
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
    let made = entries.next().map(|known| known.at);
    match made.is_some_and(|made| after.at.is_none_or(|at| at == made)) {
        true => Ok((made, entries.collect())),
        false => Err(FollowError::Anew(made)),
    }
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
            Some(within) => write!(f, "/{within}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Mark {
    type Err = InvalidMark;

    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        let (text, within) = match text.split_once('/') {
            Some((text, within)) => (text, Some(within.to_owned())),
            None => (text, None),
        };
        let (sequence, at) = match text.split_once('@') {
            Some((sequence, at)) => (sequence, Some(Timestamp(at.parse().map_err(|_| InvalidMark)?))),
            None => (text, None),
        };
        Ok(Self { sequence: sequence.parse().map_err(|_| InvalidMark)?, at, within })
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
            Self::Anew(made) => {
                match made {
                    Some(made) => write!(f, "the change was made at {made}")?,
                    None => f.write_str("the change is not there yet")?,
                }
                f.write_str(
                    ": its number is one of another tenant or of one that was deleted, or the store was set back to a backup",
                )
            }
            Self::Store(error) => error.fmt(f),
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
        let check = |text: &str, expected: Result<(u64, Option<i64>, Option<&str>), InvalidMark>| {
            let mark: Result<Mark, InvalidMark> = text.parse();
            let expected = expected.map(|(sequence, at, within)| Mark {
                sequence,
                at: at.map(Timestamp),
                within: within.map(str::to_owned),
            });
            assert_eq!(mark, expected, "{text}");
            if let Ok(mark) = mark {
                assert_eq!(mark.to_string(), text);
            }
        };
        check("0", Ok((0, None, None)));
        check("17/a/b", Ok((17, None, Some("a/b"))));
        check("17@1700000000000", Ok((17, Some(1_700_000_000_000), None)));
        check("17@-5/a@b", Ok((17, Some(-5), Some("a@b"))));
        check("18446744073709551615/", Ok((u64::MAX, None, Some(""))));
        check("", Err(InvalidMark));
        check("-1", Err(InvalidMark));
        check("17@", Err(InvalidMark));
        check("17@x/a", Err(InvalidMark));
        check("/a", Err(InvalidMark));
        check("18446744073709551616", Err(InvalidMark));
    }
}
