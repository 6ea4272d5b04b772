//! How long a tenant's two logs are kept: what of them is older than a moment ([`Cut`]), which
//! [`Portable::prune`](crate::transfer::Portable::prune) removes.
//!
//! Nothing is pruned by itself, and nothing out of the middle: what is left is the end of a log, without gaps. The newest
//! entry that is older than the moment stays, so that whoever has asked since that moment goes on after an entry that is
//! there. Who has not is told ([`Lost::Pruned`](crate::persons::Lost::Pruned)), and takes over everybody anew.

use std::fmt;
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
    /// What is older than a moment, and came before anything that is not. Changes that came with an audit entry stay as long as
    /// it does. What goes is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn before(store: &dyn Store, tenant: &Tenant, moment: Timestamp) -> Result<Self, StoreError> {
        let mut changes = older(store, tenant, Log::Changes, moment).await?;
        let audit = older(store, tenant, Log::Audit, moment).await?;
        // The first entry of a trail that was pruned is for whoever stopped at it. What came with it may go, and nothing that
        // came later. The very first entry of all is one as any other.
        if let Some(first) = store.audit(tenant, audit.end.saturating_sub(1), 1).await?.first() {
            let stays = if first.number > 1 { first.sequence.saturating_add(1) } else { 0 };
            changes.end = changes.end.min(stays).max(changes.start);
        }
        Ok(Self { changes, audit })
    }

    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.audit.is_empty()
    }

    /// How many entries go.
    pub fn entries(&self) -> u64 {
        count(&self.changes) + count(&self.audit)
    }
}

/// How many entries go of either log, for an operator.
impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (changes, entries) = (count(&self.changes), count(&self.audit));
        write!(f, "{changes} change{}", if changes == 1 { "" } else { "s" })?;
        write!(f, " and {entries} audit entr{}", if entries == 1 { "y" } else { "ies" })
    }
}

fn count(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

/// One of the two logs.
#[derive(Clone, Copy)]
enum Log {
    Changes,
    Audit,
}

/// How many entries are read at once. One that changed many members is long.
const PAGE: usize = 100;

/// What of a log is older than a moment, without the newest of it. It ends before the first entry that is not: where a clock
/// was wrong for a while, later ones may look older than they are.
async fn older(
    store: &dyn Store,
    tenant: &Tenant,
    log: Log,
    moment: Timestamp,
) -> Result<Range<u64>, StoreError> {
    let (mut first, mut last) = (None, 0);
    loop {
        let entries = entries(store, tenant, log, last).await?;
        if entries.is_empty() {
            return Ok(first.unwrap_or(last)..last);
        }
        for (number, at) in entries {
            let first = *first.get_or_insert(number);
            if at >= moment {
                return Ok(first..last.max(first));
            }
            last = number;
        }
    }
}

/// The next entries after a number, each with its moment.
async fn entries(
    store: &dyn Store,
    tenant: &Tenant,
    log: Log,
    after: u64,
) -> Result<Vec<(u64, Timestamp)>, StoreError> {
    Ok(match log {
        Log::Changes => {
            let changes = store.changes(tenant, after, PAGE).await?;
            changes.into_iter().map(|change| (change.sequence, change.at)).collect()
        }
        Log::Audit => {
            let trail = store.audit(tenant, after, PAGE).await?;
            trail.into_iter().map(|entry| (entry.number, entry.at)).collect()
        }
    })
}
