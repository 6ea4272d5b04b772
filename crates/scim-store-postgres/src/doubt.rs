//! Transactions whose end is not known, and what tells of it.
//!
//! Where the connection is lost while a commit is on its way, the next transaction asks for the fate of the last one. The
//! first entry that a transaction makes in the audit trail has a token, which no other has: if the entry is there, it
//! was committed. If it is not, it was not. A transaction that had the tenant's lock is over by the time that the next one has
//! it. A guess may still be on its way, and then finds the tenant's fence changed.
//!
//! What makes no entry, which is only the derivation anew of what is stored, is known to be committed as long as the tenant's
//! row is as it has left it. Afterwards only the number of the transaction is left, which a database that fails may give
//! again, to anybody: so only an abort is believed.
//!
//! What is found to be committed may have lost its connection while it waited for a standby. It is not acknowledged before
//! the transaction that found it is committed too, behind it.

use scim_store::transfer::Totals;
use tokio_postgres::Row;

use crate::error::{Failed, Kind};
use crate::guess::{Born, date, renumber};
use crate::pool::Lent;
use crate::rows::{clamp, resource_of};
use crate::session::{column, number, step};
use crate::writer::{Answer, Locked};

/// A transaction whose end is not known.
pub(crate) struct Doubt {
    pub(crate) evidence: Evidence,
    /// What it may have come to.
    pub(crate) answers: Vec<Answer>,
    /// Of which resources it is not known when they were created.
    pub(crate) born: Vec<Born>,
}

/// What tells of its end.
pub(crate) enum Evidence {
    /// An entry of the audit trail.
    Entry(Entry),
    /// Its number, and the state in which it leaves the tenant. It makes no entry.
    State { number: String, mark: String, totals: Totals },
}

/// The first entry of the audit trail that a transaction makes.
pub(crate) struct Entry {
    pub(crate) token: String,
    /// It comes after so many.
    pub(crate) after: u64,
    /// The number of the latest change by then, if nobody else has written.
    pub(crate) sequence: u64,
    /// Whether the transaction may still be on its way when another has the tenant's lock.
    pub(crate) may_come: bool,
}

/// What became of a transaction.
enum Fate {
    /// It was committed, behind so many changes of others.
    Committed { others: u64 },
    /// It was not.
    Over,
    /// It was not yet.
    Open,
}

/// One that was committed. It is in doubt until its answers are taken.
pub(crate) struct Found {
    index: usize,
    others: u64,
    /// When resources were created.
    created: Vec<Row>,
}

impl Found {
    /// Its answers.
    pub(crate) fn answers(self, doubts: &mut Vec<Doubt>) -> Result<Vec<Answer>, Failed> {
        let Self { index, others, created } = self;
        if let Some(Doubt { answers, born, .. }) = doubts.get_mut(index) {
            date(answers.iter_mut().map(|answer| answer.as_mut().ok()), born, created.iter())?;
        }
        let Doubt { mut answers, .. } = doubts.swap_remove(index);
        answers.iter_mut().flatten().for_each(|committed| renumber(committed, others));
        Ok(answers)
    }
}

/// Finds out about transactions whose end is not known, under the lock of a tenant: one that was committed.
/// Those that were not, and cannot be any more, are in doubt no longer.
pub(crate) async fn settle(
    lent: &Lent,
    tenant: &str,
    locked: &Locked,
    doubts: &mut Vec<Doubt>,
) -> Result<Option<Found>, Failed> {
    for index in (0..doubts.len()).rev() {
        let Some(Doubt { evidence, born, .. }) = doubts.get(index) else { continue };
        match fate(lent, tenant, locked, evidence).await? {
            Fate::Committed { others } => {
                let mut created = Vec::new();
                if !born.is_empty() {
                    let ids: Vec<String> = born.iter().map(|born| born.id.clone()).collect();
                    let sql = concat!(
                        "SELECT r.id, r.created FROM unnest($2::text[]) AS j (id)",
                        resource_of!("j.id")
                    );
                    created =
                        lent.run(vec![step!(sql, tenant.to_owned(), ids)]).await?.pop().unwrap_or_default();
                }
                return Ok(Some(Found { index, others, created }));
            }
            Fate::Over => drop(doubts.remove(index)),
            Fate::Open => {}
        }
    }
    Ok(None)
}

/// What became of a transaction.
async fn fate(lent: &Lent, tenant: &str, locked: &Locked, evidence: &Evidence) -> Result<Fate, Failed> {
    match evidence {
        Evidence::Entry(Entry { token, after, sequence, may_come }) => {
            let sql =
                "SELECT sequence FROM audit WHERE tenant = $1 AND number > $2 AND token = $3::text::uuid
                ORDER BY number LIMIT 1";
            let answer = lent.run(vec![step!(sql, tenant.to_owned(), clamp(*after), token.clone())]).await?;
            match answer.first().and_then(|rows| rows.first()) {
                Some(row) => {
                    let others = number(row, 0)?.saturating_sub(*sequence);
                    Ok(Fate::Committed { others })
                }
                None if *may_come => Ok(Fate::Open),
                None => Ok(Fate::Over),
            }
        }
        Evidence::State { mark, totals, .. } if *mark == locked.last && *totals == locked.totals => {
            Ok(Fate::Committed { others: 0 })
        }
        Evidence::State { number, .. } => match ended_with_commit(lent, number).await? {
            Some(false) => Ok(Fate::Over),
            // It may be another's by now.
            Some(true) | None => {
                Err(Failed::new(Kind::Fault, "the database does not know whether it committed"))
            }
        },
    }
}

/// Whether the number of a transaction that is over stands for a commit. It does not where it is in use, or has yet to be
/// given: then it was lost, and given again. Nothing where it is too old to tell.
async fn ended_with_commit(lent: &Lent, number: &str) -> Result<Option<bool>, Failed> {
    let sql = "SELECT CASE WHEN $1::text::xid8 < pg_current_xact_id() THEN pg_xact_status($1::text::xid8) = 'committed'
        ELSE false END";
    let answer = lent.run(vec![step!(sql, number.to_owned())]).await?;
    Ok(answer.first().and_then(|rows| rows.first()).map(|row| column(row, 0)).transpose()?.flatten())
}
