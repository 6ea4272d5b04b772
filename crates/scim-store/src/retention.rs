//! How long a tenant's two logs are kept: what of them is older than a moment ([`Cut`]), which
//! [`Portable::prune`](crate::transfer::Portable::prune) removes.
//!
//! Nothing is pruned by itself, and nothing out of the middle: what is left is the end of a log, without gaps. The newest
//! entry that is older than the moment stays, so that whoever has asked since that moment goes on after an entry that is
//! there. Who has not is told ([`Lost::Pruned`](crate::persons::Lost::Pruned)), and takes over everybody anew.

use std::ops::Range;

use scim_core::time::Timestamp;

use crate::{Store, StoreError, Tenant};

/// What goes of a tenant's logs: from the number of the first entry to before that of the first that stays. The default is
/// nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut {
    /// Of the change log.
    pub changes: Range<u64>,
    /// Of the audit trail.
    pub audit: Range<u64>,
}

impl Cut {
    /// What is older than a moment. Changes that came with an audit entry stay as long as it does. Some dozens of entries are
    /// read, however many there are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn before(store: &dyn Store, tenant: &Tenant, moment: Timestamp) -> Result<Self, StoreError> {
        let mut changes = older(store, tenant, Log::Changes, moment).await?;
        let audit = older(store, tenant, Log::Audit, moment).await?;
        // The first entry that stays is for whoever stopped at it. What came with it may go, and nothing that came later.
        if let Some(first) = store.audit(tenant, audit.end.saturating_sub(1), 1).await?.first() {
            changes.end = changes.end.min(first.sequence.saturating_add(1)).max(changes.start);
        }
        Ok(Self { changes, audit })
    }

    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.audit.is_empty()
    }

    /// How many entries go.
    pub fn entries(&self) -> u64 {
        [&self.changes, &self.audit].map(|range| range.end.saturating_sub(range.start)).iter().sum()
    }
}

/// One of the two logs.
#[derive(Clone, Copy)]
enum Log {
    Changes,
    Audit,
}

/// What of a log is older than a moment, without the newest of it.
async fn older(
    store: &dyn Store,
    tenant: &Tenant,
    log: Log,
    moment: Timestamp,
) -> Result<Range<u64>, StoreError> {
    let is_older = |entry: Option<(u64, Timestamp)>| entry.is_some_and(|(_, at)| at < moment);
    let first = entry(store, tenant, log, 1).await?;
    let start = first.map_or(0, |(number, _)| number);
    if !is_older(first) {
        return Ok(start..start);
    }
    // Numbers have no gaps, so that it is found by halves.
    let (mut low, mut step) = (start, 1u64);
    while is_older(entry(store, tenant, log, low.saturating_add(step)).await?) {
        (low, step) = (low.saturating_add(step), step.saturating_mul(2));
    }
    let mut high = low.saturating_add(step);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match is_older(entry(store, tenant, log, middle).await?) {
            true => low = middle,
            false => high = middle,
        }
    }
    Ok(start..low)
}

/// The entry with a number, or the first after it.
async fn entry(
    store: &dyn Store,
    tenant: &Tenant,
    log: Log,
    number: u64,
) -> Result<Option<(u64, Timestamp)>, StoreError> {
    let after = number.saturating_sub(1);
    Ok(match log {
        Log::Changes => {
            store.changes(tenant, after, 1).await?.first().map(|change| (change.sequence, change.at))
        }
        Log::Audit => store.audit(tenant, after, 1).await?.first().map(|entry| (entry.number, entry.at)),
    })
}
