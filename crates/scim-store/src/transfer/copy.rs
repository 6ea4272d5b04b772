//! Copying and comparing, over [`Portable`] alone, a page at a time.

use std::error::Error as StdError;
use std::fmt;

use super::part::Part;
use super::{Holdings, Link, Lot, Portable, Rows, Totals, Whole, discard};
use crate::{Audited, Change, Reported, StoreError, Tenant};

/// What is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// There is an unfinished copy, with which it goes on.
    Continuing,
    /// Something is written.
    Copying {
        /// How many resources, memberships, changes, audit entries and reports are there.
        done: u64,
        /// Of how many.
        of: u64,
    },
    /// Something is compared.
    Verifying {
        /// How many of them were.
        done: u64,
        /// Of how many.
        of: u64,
    },
    /// What was written is discarded, and everything is copied anew.
    Again {
        /// What was wrong with it.
        because: String,
    },
}

/// A tenant that is the same in both stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Whether there was anything to do.
    pub outcome: Outcome,
    /// How much there is of what.
    pub rows: Rows,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was copied, or the rest of it.
    Copied,
    /// It was there.
    Verified,
}

/// Why a tenant was not copied. What it says is for operators.
#[derive(Debug)]
pub enum CopyError {
    /// The store that is copied from cannot be read.
    From(StoreError),
    /// The other store cannot be read or written.
    To(StoreError),
    /// The other store has the tenant, and not as it is here.
    Taken {
        /// What is counted of it here.
        here: Totals,
        /// What is counted of it there.
        there: Totals,
    },
    /// As much was counted of it, but this is not the same.
    Differs {
        /// The first thing that is not.
        what: String,
    },
    /// It is being written to.
    Changing,
}

/// Copies a tenant, or what is missing of it, and compares everything. It is finished in the other store, and can be
/// served from there, only once both are the same.
///
/// What is left of an earlier attempt is used. Where it turns out not to be what the tenant is now, it is discarded, and
/// everything is copied anew, once.
///
/// # Errors
/// [`CopyError`]. What was copied stays as an unfinished copy, to go on with.
pub async fn copy(
    from: &dyn Portable,
    to: &dyn Portable,
    tenant: &Tenant,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Copied, CopyError> {
    let mut copying = Copying { from, to, tenant, progress, done: 0, of: 0 };
    let there = to.holdings(tenant).await.map_err(CopyError::To)?;
    if !there.totals.is_unused() {
        return copying.verify().await;
    }
    if there.is_unfinished() {
        (copying.progress)(Progress::Continuing);
    }
    match copying.attempt(&there).await {
        Err(error @ (CopyError::Differs { .. } | CopyError::Changing)) => {
            (copying.progress)(Progress::Again { because: error.to_string() });
            discard(to, tenant).await.map_err(CopyError::To)?;
            copying.attempt(&Holdings::default()).await
        }
        outcome => outcome,
    }
}

/// Compares a tenant that is in both stores. Writes nothing.
///
/// # Errors
/// [`CopyError`].
pub async fn verify(
    from: &dyn Portable,
    to: &dyn Portable,
    tenant: &Tenant,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Copied, CopyError> {
    Copying { from, to, tenant, progress, done: 0, of: 0 }.verify().await
}

struct Copying<'a> {
    from: &'a dyn Portable,
    to: &'a dyn Portable,
    tenant: &'a Tenant,
    progress: &'a mut (dyn FnMut(Progress) + Send),
    done: u64,
    of: u64,
}

impl Copying<'_> {
    /// Compares a finished copy.
    async fn verify(&mut self) -> Result<Copied, CopyError> {
        let here = self.here().await?;
        let there = self.to.holdings(self.tenant).await.map_err(CopyError::To)?;
        if here.totals != there.totals {
            return Err(CopyError::Taken { here: here.totals, there: there.totals });
        }
        self.compare(&here).await?;
        Ok(Copied { outcome: Outcome::Verified, rows: here.rows })
    }

    /// Copies what is missing, compares, and finishes.
    async fn attempt(&mut self, there: &Holdings) -> Result<Copied, CopyError> {
        let here = self.here().await?;
        (self.done, self.of) = (there.rows.parts(), here.rows.parts());
        self.copy_part::<Whole>(there).await?;
        self.copy_part::<Link>(there).await?;
        self.copy_part::<Change>(there).await?;
        self.copy_part::<Audited>(there).await?;
        self.copy_part::<Reported>(there).await?;
        self.compare(&here).await?;
        // Of a tenant to which nothing was ever written there is nothing to finish.
        if here.totals != Totals::default() {
            let lot = Lot { totals: Some(here.totals), ..Lot::default() };
            self.to.adopt(self.tenant, lot).await.map_err(CopyError::To)?;
        }
        Ok(Copied { outcome: Outcome::Copied, rows: here.rows })
    }

    async fn copy_part<P: Part>(&mut self, there: &Holdings) -> Result<(), CopyError> {
        let (mut after, mut pace) = (P::last(there), Pace::default());
        loop {
            let parts = P::page(self.from, self.tenant, &after, pace.0).await.map_err(CopyError::From)?;
            let Some(last) = parts.last() else { return Ok(()) };
            after = last.mark();
            let (count, is_last) = (parts.len() as u64, parts.len() < pace.0);
            pace.follow(&parts);
            self.to.adopt(self.tenant, P::lot(parts)).await.map_err(CopyError::To)?;
            self.done += count;
            (self.progress)(Progress::Copying { done: self.done, of: self.of.max(self.done) });
            if is_last {
                return Ok(());
            }
        }
    }

    /// Compares everything. What is here must not have changed since `here` was found.
    async fn compare(&mut self, here: &Holdings) -> Result<(), CopyError> {
        (self.done, self.of) = (0, here.rows.parts());
        self.compare_part::<Whole>().await?;
        self.compare_part::<Link>().await?;
        self.compare_part::<Change>().await?;
        self.compare_part::<Audited>().await?;
        self.compare_part::<Reported>().await?;
        let there = self.to.holdings(self.tenant).await.map_err(CopyError::To)?;
        if let Some((name, ours, theirs)) = here.rows.difference(&there.rows) {
            return Err(CopyError::Differs { what: format!("the number of {name}: {ours} and {theirs}") });
        }
        if self.here().await? != *here {
            return Err(CopyError::Changing);
        }
        Ok(())
    }

    async fn compare_part<P: Part>(&mut self) -> Result<(), CopyError> {
        let (mut after, mut pace) = (P::Mark::default(), Pace::default());
        loop {
            let ours = P::page(self.from, self.tenant, &after, pace.0).await.map_err(CopyError::From)?;
            let theirs = P::page(self.to, self.tenant, &after, pace.0).await.map_err(CopyError::To)?;
            let same = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
            // Where one store has a piece more, that is the one to name.
            let other = ours.get(same).into_iter().chain(theirs.get(same)).min_by_key(|part| part.mark());
            if let Some(part) = other {
                return Err(CopyError::Differs { what: part.name() });
            }
            self.done += ours.len() as u64;
            (self.progress)(Progress::Verifying { done: self.done, of: self.of.max(self.done) });
            match ours.last() {
                Some(last) if ours.len() == pace.0 => after = last.mark(),
                Some(_) | None => return Ok(()),
            }
            pace.follow(&ours);
        }
    }

    async fn here(&self) -> Result<Holdings, CopyError> {
        self.from.holdings(self.tenant).await.map_err(CopyError::From)
    }
}

/// How many pieces are on a page: as many as fit some megabytes, by what those before took.
struct Pace(usize);

/// Most pieces on a page.
const MOST: usize = 1024;
/// Most bytes that a page should take.
const BYTES: usize = 4 << 20;

impl Default for Pace {
    /// Few at first: nothing is known of how large they are.
    fn default() -> Self {
        Self(64)
    }
}

impl Pace {
    fn follow<P: Part>(&mut self, page: &[P]) {
        let bytes: usize = page.iter().map(Part::weight).sum();
        let each = (bytes / page.len().max(1)).max(1);
        self.0 = (BYTES / each).clamp(1, (self.0 * 2).min(MOST));
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(error) => write!(f, "the store to copy from: {error}"),
            Self::To(error) => write!(f, "the store to copy to: {error}"),
            Self::Taken { here, there } => {
                write!(f, "it is there already, but not the same: there {there}; here {here}")
            }
            Self::Differs { what } => write!(f, "the two stores do not have the same of {what}"),
            Self::Changing => f.write_str("it was written to meanwhile"),
        }
    }
}

impl StdError for CopyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::From(error) | Self::To(error) => Some(error),
            Self::Taken { .. } | Self::Differs { .. } | Self::Changing => None,
        }
    }
}
