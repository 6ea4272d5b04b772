//! What a server remembers of the directory between two looks at the change log.
//!
//! Only what exists is remembered, so that made-up names and tokens cannot fill the memory. A reader notes the
//! moment before it reads the store, and what it read is kept only if nothing was dropped since: an entry that
//! changed between the read and the keeping is never remembered in its old form. What is remembered of a tenant is never
//! newer than what is remembered of its tokens: a name may have gone to another tenant, which the old one's do not open.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use scim_core::time::Timestamp;

use super::record::Kind;
use super::{TRUST_SECONDS, TenantEntry, TokenEntry};

/// Most entries of either kind. Past it, all are forgotten and the ones in use come back.
const LIMIT: usize = 100_000;

/// The caches of a directory.
pub(super) struct Cache(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    /// The last change that was followed, and when the look at the log began that found it.
    followed: Option<(u64, Timestamp)>,
    /// How often something was dropped.
    generation: u64,
    /// How many tenants have been kept.
    arrivals: u64,
    /// Each with its number among the arrivals.
    tenants: HashMap<String, (Arc<TenantEntry>, u64)>,
    tokens: HashMap<String, Arc<TokenEntry>>,
}

/// A point in the life of a cache.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    generation: u64,
    arrivals: u64,
}

impl Inner {
    fn has_come_since(&self, name: &str, moment: Moment) -> bool {
        self.tenants.get(name).is_some_and(|(_, arrival)| *arrival > moment.arrivals)
    }

    /// Whether entries can be believed. A clock that jumped, in either direction, makes the log be read first.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.followed.is_some_and(|(_, at)| now.0.abs_diff(at.0) <= TRUST_SECONDS.unsigned_abs() * 1000)
    }
}

impl Cache {
    pub(super) fn new() -> Self {
        Self(RwLock::default())
    }

    /// The tenant of this name, if it is known for sure.
    pub(super) fn tenant(&self, name: &str, now: Timestamp) -> Option<Arc<TenantEntry>> {
        let inner = self.read();
        inner.tenants.get(name).filter(|_| inner.is_fresh(now)).map(|(entry, _)| Arc::clone(entry))
    }

    /// The token with this identifier, if it is known for sure.
    pub(super) fn token(&self, id: &str, now: Timestamp) -> Option<Arc<TokenEntry>> {
        let inner = self.read();
        inner.tokens.get(id).filter(|_| inner.is_fresh(now)).cloned()
    }

    /// To be noted before the store is read.
    pub(super) fn moment(&self) -> Moment {
        let inner = self.read();
        Moment { generation: inner.generation, arrivals: inner.arrivals }
    }

    /// Remembers what was read since `moment` was noted, and of the tenant's tokens nothing that was read before.
    pub(super) fn keep_tenant(&self, entry: Arc<TenantEntry>, moment: Moment) {
        let mut inner = self.write();
        if inner.generation == moment.generation && inner.followed.is_some() {
            bound(&mut inner.tenants);
            inner.arrivals += 1;
            let arrival = inner.arrivals;
            inner.tokens.retain(|_, token| token.tenant != entry.tenant);
            inner.tenants.insert(entry.tenant.as_str().to_owned(), (entry, arrival));
        }
    }

    /// Remembers what was read since `moment` was noted, unless its tenant has been since.
    pub(super) fn keep_token(&self, entry: Arc<TokenEntry>, moment: Moment) {
        let mut inner = self.write();
        let is_old = inner.has_come_since(entry.tenant.as_str(), moment);
        if inner.generation == moment.generation && !is_old && inner.followed.is_some() {
            bound(&mut inner.tokens);
            inner.tokens.insert(entry.id.clone(), entry);
        }
    }

    /// Whether what is remembered of a tenant may be newer than what was found at that moment.
    pub(super) fn has_come_since(&self, name: &str, moment: Moment) -> bool {
        self.read().has_come_since(name, moment)
    }

    /// Forgets everything that hangs on these records.
    pub(super) fn forget<'a>(&self, ids: impl Iterator<Item = &'a str>) {
        let mut ids = ids.peekable();
        if ids.peek().is_none() {
            return;
        }
        let mut inner = self.write();
        inner.generation += 1;
        for id in ids {
            match Kind::of(id) {
                Some((Kind::Tenant | Kind::Connection | Kind::Policy | Kind::Schemas, name)) => {
                    drop(inner.tenants.remove(name))
                }
                Some((Kind::Token, name)) => drop(inner.tokens.remove(name)),
                // Which schemas are in force is remembered with each tenant.
                Some((Kind::Index, _)) => inner.tenants.clear(),
                Some((Kind::Secret | Kind::Unfinished, _)) | None => {}
            }
        }
    }

    /// The last change that was followed, if the log is being followed at all.
    pub(super) fn position(&self) -> Option<u64> {
        self.read().followed.map(|(sequence, _)| sequence)
    }

    /// Begins to follow the log after `sequence`. Nothing that was read before is remembered.
    pub(super) fn begin(&self, sequence: u64, at: Timestamp) {
        let mut inner = self.write();
        inner.generation += 1;
        inner.followed = Some((sequence, at));
    }

    /// Everything up to `sequence` has been forgotten, by a look at the log that began `at`.
    pub(super) fn advance(&self, sequence: u64, at: Timestamp) {
        let mut inner = self.write();
        let known = inner.followed.map_or(0, |(known, _)| known);
        inner.followed = Some((sequence.max(known), at));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        let inner = self.read();
        (inner.tenants.len(), inner.tokens.len())
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bound<T>(entries: &mut HashMap<String, T>) {
    if entries.len() >= LIMIT {
        entries.clear();
    }
}
