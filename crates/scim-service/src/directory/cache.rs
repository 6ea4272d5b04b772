//! What a server remembers of the directory between two looks at the change log.
//!
//! Only what exists is remembered, so that made-up names and tokens cannot fill the memory. A reader notes the
//! generation before it reads the store, and what it read is kept only if nothing was dropped since: an entry that
//! changed between the read and the keeping is never remembered in its old form.

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
    generation: u64,
    tenants: HashMap<String, Arc<TenantEntry>>,
    tokens: HashMap<String, Arc<TokenEntry>>,
}

impl Inner {
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
        inner.tenants.get(name).filter(|_| inner.is_fresh(now)).cloned()
    }

    /// The token with this identifier, if it is known for sure.
    pub(super) fn token(&self, id: &str, now: Timestamp) -> Option<Arc<TokenEntry>> {
        let inner = self.read();
        inner.tokens.get(id).filter(|_| inner.is_fresh(now)).cloned()
    }

    /// To be noted before the store is read.
    pub(super) fn generation(&self) -> u64 {
        self.read().generation
    }

    /// Remembers what was read since `generation` was noted.
    pub(super) fn keep_tenant(&self, entry: Arc<TenantEntry>, generation: u64) {
        let mut inner = self.write();
        if inner.generation == generation && inner.followed.is_some() {
            bound(&mut inner.tenants);
            inner.tenants.insert(entry.tenant.as_str().to_owned(), entry);
        }
    }

    /// Remembers what was read since `generation` was noted.
    pub(super) fn keep_token(&self, entry: Arc<TokenEntry>, generation: u64) {
        let mut inner = self.write();
        if inner.generation == generation && inner.followed.is_some() {
            bound(&mut inner.tokens);
            inner.tokens.insert(entry.id.clone(), entry);
        }
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
