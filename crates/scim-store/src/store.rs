//! The trait that every store implements.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::{
    Audited, Change, Changeset, Committed, Conflict, EdgePage, EdgeQuery, Page, PersonPage, PersonQuery,
    Query, Record, ReportQuery, Reported, Side, Spent, Tenant,
};

/// A future that a store returns.
pub type Pending<'a, T, E = StoreError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// A place where resources are kept.
///
/// Every call concerns one tenant and sees nothing of another. Reads see every commit that was acknowledged before
/// they began. All implementations give the same answers; the conformance suite holds them to it.
///
/// No text that is written holds the character NUL, which not every database can keep: bodies and filters that have it are
/// refused before. An identifier that is asked for may, and leads to nothing.
pub trait Store: Send + Sync + 'static {
    /// The records with these identifiers, in the same order; `None` for one that does not exist. Of any
    /// type.
    fn get<'a>(&'a self, tenant: &'a Tenant, ids: &'a [&'a str]) -> Pending<'a, Vec<Option<Record>>>;

    /// A page of the resources of a type, exactly those that [`scim_core::filter::Filter::matches`] accepts
    /// when it sees [`Record::document`] and the resource's memberships. See [`crate::plan`] and
    /// [`crate::window`].
    fn query<'a>(&'a self, tenant: &'a Tenant, query: &'a Query) -> Pending<'a, Page>;

    /// A page of memberships. The known identifiers may come in any order, repeat, or lead to nothing.
    fn edges<'a>(&'a self, tenant: &'a Tenant, query: &'a EdgeQuery) -> Pending<'a, EdgePage>;

    /// The first `count` members, after this identifier and in order, that are in more than one group of the same
    /// resource type.
    fn crowded<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: Option<&'a str>,
        count: usize,
    ) -> Pending<'a, Vec<String>>;

    /// A page of persons, each with the user group that it has now. See [`crate::persons`] for those that changed.
    fn persons<'a>(&'a self, tenant: &'a Tenant, query: &'a PersonQuery) -> Pending<'a, PersonPage>;

    /// A record and the first of its memberships, which is what an answer about one resource shows. A store that can
    /// read both at once says so by a method of its own; this one reads one after the other.
    fn get_with_edges<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: &'a str,
        side: Side,
        count: usize,
    ) -> Pending<'a, Option<(Record, EdgePage)>> {
        Box::pin(async move {
            let Some(record) = self.get(tenant, &[id]).await?.pop().flatten() else { return Ok(None) };
            let query = EdgeQuery { side, of: vec![id.to_owned()], after: None, count };
            Ok(Some((record, self.edges(tenant, &query).await?)))
        })
    }

    /// A page, and the first `count` memberships of its records together, which is what an answer that lists resources
    /// shows. As with [`Self::get_with_edges`], a store that can read both at once does.
    fn query_with_edges<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a Query,
        side: Side,
        count: usize,
    ) -> Pending<'a, (Page, EdgePage)> {
        Box::pin(async move {
            let page = self.query(tenant, query).await?;
            let edges = match page.records.is_empty() {
                true => EdgePage { edges: Vec::new(), more: false },
                false => self.edges(tenant, &page.memberships(side, count)).await?,
            };
            Ok((page, edges))
        })
    }

    /// Makes a change, durably, whole or not at all. When it returns `Ok`, the change survives a crash.
    /// Changesets of a tenant take effect one after the other, each against what the one before has left; see
    /// [`crate::draft`]. A caller that drops the future does not know the outcome; the change is whole or
    /// absent all the same.
    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError>;

    /// The changes after number `after`, oldest first, at most `count`.
    fn changes<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Change>>;

    /// The audit entries after number `after`, oldest first, at most `count`.
    fn audit<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Audited>>;

    /// The reports that are asked for, as [`Changeset::reports`] left them.
    fn reports<'a>(&'a self, tenant: &'a Tenant, query: &'a ReportQuery) -> Pending<'a, Vec<Reported>>;

    /// Adds to what others owe, each of them named once, in the books of this tenant, and gives how much each owes now, in
    /// the same order: to this process and to all others on the same store. A debt passes with the time. See [`Spent`].
    ///
    /// It need not be durable. A store that one process has to itself, which knows everything already, keeps no books and
    /// gives nothing.
    fn spend<'a>(&'a self, _tenant: &'a Tenant, _spent: &'a [Spent]) -> Pending<'a, Vec<Duration>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// How much of what it lends to those who call is lent, for whoever watches. Nothing where it lends nothing.
    fn load(&self) -> Option<Load> {
        None
    }
}

/// How much of something of which there is so much at most, such as connections, is lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How many there can be.
    pub most: usize,
    /// How many are lent.
    pub lent: usize,
    /// How many callers wait for one.
    pub waiting: usize,
}

/// Why a store could not answer. Its words are for the log, never for a client.
#[derive(Debug)]
pub enum StoreError {
    /// Not now; the same call may succeed later. After a commit, the outcome is unknown.
    Unavailable(Box<dyn StdError + Send + Sync>),
    /// There is no room left.
    Full(Box<dyn StdError + Send + Sync>),
    /// It is broken, and trying again will not help.
    Fault(Box<dyn StdError + Send + Sync>),
}

/// Why a changeset was not committed.
#[derive(Debug)]
pub enum CommitError {
    /// A guard does not hold. Nothing was written.
    Conflict(Conflict),
    /// The store could not do it, or cannot say whether it did.
    Store(StoreError),
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Conflict> for CommitError {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(error) => write!(f, "the store is not available: {error}"),
            Self::Full(error) => write!(f, "the store is full: {error}"),
            Self::Fault(error) => write!(f, "the store failed: {error}"),
        }
    }
}

impl StdError for StoreError {
    /// What is behind the error that it holds, which its own text tells.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Unavailable(error) | Self::Full(error) | Self::Fault(error) => error.source(),
        }
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(conflict) => write!(f, "conflict: {conflict:?}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl StdError for CommitError {}
