//! The store itself: opening, checking, and which reads run together.

use std::sync::Arc;
use std::time::Duration;

use scim_store::{
    Audited, Change, Changeset, CommitError, Committed, EdgePage, EdgeQuery, Load, Page, Pending, PersonPage,
    PersonQuery, Query, Record, ReportQuery, Reported, Side, Spent, Store, StoreError, Tenant,
};
use tokio::runtime::Handle;

use crate::address::Address;
use crate::check;
use crate::error::{Failed, Kind, OpenError};
use crate::memory::Ticket;
use crate::options::Options;
use crate::places::Places;
use crate::pool::{Pool, Snapshot};
use crate::runtime::{Own, is_of_several};
use crate::schema::{self, MIGRATIONS, Migrated, Standing};
use crate::search::{Found, Search};
use crate::writer::Writer;
use crate::{debt, people, reports, rows};

/// A [`Store`] in a PostgreSQL database.
pub struct PostgresStore {
    pool: Arc<Pool>,
    writer: Writer,
    walks: Arc<Places>,
    wait: Duration,
    standing: Standing,
    address: Address,
    runtime: Own,
    /// What drives the connections.
    home: Handle,
}

impl PostgresStore {
    /// Connects to a database whose tables [`migrate`] made. Waits on this thread.
    ///
    /// # Errors
    /// When it cannot be reached, its schema is another, or it would not hold this role to one tenant.
    pub fn open(address: &Address, options: Options) -> Result<Self, OpenError> {
        let runtime = Own::new(options.threads)?;
        let lent = options.runtime.clone().filter(is_of_several);
        let home = lent.unwrap_or(runtime.handle()?.clone());
        let pool = Arc::new(Pool::new(address, options.clone(), home.clone())?);
        let asking = Arc::clone(&pool);
        let standing = runtime.wait(async move {
            let lent = asking.lend(&Tenant::system()).await?;
            let standing = schema::standing(lent.session()?.client()).await?;
            standing.admit()?;
            let other = asking.lend(&Tenant::system()).await?;
            schema::keep_apart(lent.session()?.client(), other.session()?.client()).await?;
            Ok::<_, OpenError>(standing)
        })??;
        let long = (pool.size() * 3 / 4).max(1);
        let Options { queue, batch, patience, wait, .. } = options;
        let writer = Writer::new(Arc::clone(&pool), runtime.handle()?.clone(), queue, batch, patience);
        let walks = Places::new(long, long.saturating_sub(1).max(1), queue);
        Ok(Self { pool, writer, walks, wait, standing, address: address.clone(), runtime, home })
    }

    /// What the database said of itself when it was opened.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Checks what is in the database of these tenants. Reads everything, and waits for it on this thread. A single statement
    /// looks at all rows of a tenant: open the store with time for that in [`Options::statement`].
    ///
    /// # Errors
    /// When it cannot be read at all. What is wrong with it is the answer.
    pub fn check(&self, tenants: &[Tenant]) -> Result<Vec<String>, StoreError> {
        let mut wrong = Vec::new();
        for tenant in tenants {
            let (pool, tenant) = (Arc::clone(&self.pool), tenant.clone());
            let work = async move {
                let snapshot = Snapshot::new(pool.lend(&tenant).await?, tenant);
                check::check(snapshot).await
            };
            wrong.extend(self.runtime.wait(work)??);
        }
        Ok(wrong)
    }

    /// Reads a record of a tenant that is written to, so that the next write need not.
    async fn look(
        &self,
        tenant: &Tenant,
        id: &str,
        ticket: Ticket,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let id: Arc<str> = id.into();
        let look = move |snapshot| {
            let id = Arc::clone(&id);
            async move { rows::sight(snapshot, &id).await }
        };
        let Some(sight) = self.read(tenant, false, look).await? else { return Ok(vec![None]) };
        let record = sight.record.clone();
        self.writer.memories().saw(tenant, ticket, sight);
        Ok(vec![Some(record)])
    }

    /// Searches for as long as this is awaited.
    async fn search(
        &self,
        tenant: &Tenant,
        query: &Query,
        with: Option<(Side, usize)>,
    ) -> Result<Found, StoreError> {
        let asker = Arc::new(());
        let search = Arc::new(Search::new(tenant, query.clone(), with, &asker));
        self.read(tenant, search.may_walk(), move |snapshot| {
            let search = Arc::clone(&search);
            async move { search.run(snapshot).await }
        })
        .await
    }

    pub(crate) fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.pool)
    }

    /// Writes on the threads of the store, apart from its writer. What must not come between that locks the tenant's row.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failed>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.runtime.handle()?.spawn(work).await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(StoreError::Fault("what was to be written was given up".into())),
        }
    }

    /// Reads, once more if a connection turns out to be broken: on the threads of the store what may take long, and the rest
    /// beside the connections. Somebody who does not wait any more leaves it to be finished.
    pub(crate) async fn read<T, F>(
        &self,
        tenant: &Tenant,
        is_long: bool,
        read: impl Fn(Snapshot) -> F + Send + Sync + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failed>> + Send,
    {
        let (pool, walks, wait, tenant) =
            (Arc::clone(&self.pool), Arc::clone(&self.walks), self.wait, tenant.clone());
        let work = async move {
            let _walk = match is_long {
                true => match tokio::time::timeout(wait, walks.take(&tenant)).await {
                    Ok(Some(walk)) => Some(walk),
                    Ok(None) | Err(_) => {
                        return Err(Failed::new(Kind::Busy, "too many queries run already"));
                    }
                },
                false => None,
            };
            match read(Snapshot::new(pool.lend(&tenant).await?, tenant.clone())).await {
                Err(Failed { kind: Kind::Lost | Kind::Again, .. }) => {
                    pool.forget_idle();
                    read(Snapshot::new(pool.lend(&tenant).await?, tenant)).await
                }
                outcome => outcome,
            }
        };
        let runtime = if is_long { self.runtime.handle()? } else { &self.home };
        match runtime.spawn(work).await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(StoreError::Fault("a reader did not answer".into())),
        }
    }
}

/// Makes the tables of a store, or brings older ones up to date, as the role that owns them or is to own them. Another
/// role, which servers connect as, is allowed to use them. Waits on this thread.
///
/// # Errors
/// When the database cannot be reached, refuses, or has a later schema.
pub fn migrate(address: &Address, options: Options, role: Option<&str>) -> Result<Migrated, OpenError> {
    let runtime = Own::new(1)?;
    let pool = Arc::new(Pool::new(address, options, runtime.handle()?.clone())?);
    let role = role.map(str::to_owned);
    runtime.wait(async move {
        let mut client = pool.connect_plainly().await?;
        schema::migrate(&mut client, MIGRATIONS, role.as_deref()).await
    })?
}

/// Asks a database for its standing, whatever its schema. Waits on this thread.
///
/// # Errors
/// When it cannot be reached.
pub fn standing(address: &Address, options: Options) -> Result<Standing, OpenError> {
    let runtime = Own::new(1)?;
    let pool = Arc::new(Pool::new(address, options, runtime.handle()?.clone())?);
    runtime.wait(async move { schema::standing(&pool.connect_plainly().await?).await })?
}

impl Store for PostgresStore {
    fn get<'a>(&'a self, tenant: &'a Tenant, ids: &'a [&'a str]) -> Pending<'a, Vec<Option<Record>>> {
        if let [id] = ids
            && let Some(ticket) = self.writer.memories().ticket(tenant)
        {
            return Box::pin(self.look(tenant, id, ticket));
        }
        let ids: Arc<[String]> = ids.iter().map(|&id| id.to_owned()).collect();
        Box::pin(self.read(tenant, false, move |snapshot| {
            let ids = Arc::clone(&ids);
            async move { rows::records(snapshot, &ids).await }
        }))
    }

    fn query<'a>(&'a self, tenant: &'a Tenant, query: &'a Query) -> Pending<'a, Page> {
        Box::pin(async move { Ok(self.search(tenant, query, None).await?.0) })
    }

    fn query_with_edges<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a Query,
        side: Side,
        count: usize,
    ) -> Pending<'a, (Page, EdgePage)> {
        Box::pin(async move {
            let (page, edges) = self.search(tenant, query, Some((side, count))).await?;
            let edges = match edges {
                Some(edges) => edges,
                None => self.edges(tenant, &page.memberships(side, count)).await?,
            };
            Ok((page, edges))
        })
    }

    fn edges<'a>(&'a self, tenant: &'a Tenant, query: &'a EdgeQuery) -> Pending<'a, EdgePage> {
        let query = Arc::new(query.clone());
        Box::pin(self.read(tenant, false, move |snapshot| {
            let query = Arc::clone(&query);
            async move { rows::edges(snapshot, &query).await }
        }))
    }

    fn crowded<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: Option<&'a str>,
        count: usize,
    ) -> Pending<'a, Vec<String>> {
        let after: Arc<str> = after.unwrap_or_default().into();
        Box::pin(self.read(tenant, true, move |snapshot| {
            let after = Arc::clone(&after);
            async move { rows::crowded(snapshot, &after, count).await }
        }))
    }

    fn persons<'a>(&'a self, tenant: &'a Tenant, query: &'a PersonQuery) -> Pending<'a, PersonPage> {
        let query = Arc::new(query.clone());
        Box::pin(self.read(tenant, false, move |snapshot| {
            let query = Arc::clone(&query);
            async move { people::page(snapshot, &query).await }
        }))
    }

    fn get_with_edges<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: &'a str,
        side: Side,
        count: usize,
    ) -> Pending<'a, Option<(Record, EdgePage)>> {
        let id: Arc<str> = id.into();
        Box::pin(self.read(tenant, false, move |snapshot| {
            let id = Arc::clone(&id);
            async move { rows::record_with_edges(snapshot, &id, side, count).await }
        }))
    }

    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        Box::pin(self.writer.commit(tenant, changeset))
    }

    fn changes<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Change>> {
        Box::pin(self.read(tenant, false, move |snapshot| rows::changes(snapshot, after, count)))
    }

    fn audit<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Audited>> {
        Box::pin(self.read(tenant, false, move |snapshot| rows::audit(snapshot, after, count)))
    }

    fn reports<'a>(&'a self, tenant: &'a Tenant, query: &'a ReportQuery) -> Pending<'a, Vec<Reported>> {
        let query = Arc::new(query.clone());
        Box::pin(self.read(tenant, false, move |snapshot| {
            let query = Arc::clone(&query);
            async move { reports::page(snapshot, &query).await }
        }))
    }

    fn load(&self) -> Option<Load> {
        Some(self.pool.load())
    }

    fn spend<'a>(&'a self, tenant: &'a Tenant, spent: &'a [Spent]) -> Pending<'a, Vec<Duration>> {
        Box::pin(async move {
            let owed = self.write(debt::spend(self.pool(), tenant.clone(), spent.to_vec())).await?;
            Ok(spent.iter().map(|spent| owed.get(&spent.by).copied().unwrap_or_default()).collect())
        })
    }
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("address", &self.address).finish_non_exhaustive()
    }
}
