//! The store itself: opening, checking, and which reads run where.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use scim_store::{
    Audited, Change, Changeset, CommitError, Committed, EdgePage, EdgeQuery, Page, Pending, PersonPage,
    PersonQuery, Query, Record, ReportQuery, Reported, Side, Store, StoreError, Tenant,
};

use crate::checkpoints::Checkpoints;
use crate::database::Database;
use crate::error::OpenError;
use crate::files::Files;
use crate::options::Options;
use crate::readers::{IsAwaited, Readers};
use crate::schema::{MIGRATIONS, migrate};
use crate::search::{FEW, Found, Search};
use crate::writer::Writer;
use crate::{check, people, reports, rows};

/// A [`Store`] in one SQLite file.
pub struct SqliteStore {
    readers: Readers,
    writer: Writer,
    path: PathBuf,
    options: Options,
}

impl SqliteStore {
    /// Opens the file, creates it if there is none, and brings an older one up to date.
    ///
    /// # Errors
    /// When the path names no file, or one that is not ours, or newer, or cannot be opened.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let text = path.to_string_lossy();
        if text.is_empty() || text.starts_with(":memory:") || text.starts_with("file:") {
            return Err(OpenError::NotAFile);
        }
        create_private(path).map_err(|error| OpenError::Refused(error.into()))?;
        let open = |cache| Database::open(path, options.wait, cache, options.trace.clone());
        let mut database = open(options.cache / 4)?;
        migrate(&mut database.connection, MIGRATIONS)?;
        let checkpoints = Checkpoints::instead_of_automatic(&mut database.connection)?;
        database.connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        let several = |count: usize, cache: u32| -> rusqlite::Result<Vec<Database>> {
            let each = usize::try_from(cache).unwrap_or(usize::MAX) / count.max(1);
            (0..count.max(1)).map(|_| open(u32::try_from(each).unwrap_or(cache))).collect()
        };
        let points = several(options.readers, options.cache / 8 * 5)?;
        let walkers = several(options.walkers.max(1).saturating_add(1), options.cache / 8)?;
        let refused = |error: std::io::Error| OpenError::Refused(error.into());
        let files = Arc::new(Files::of(path).map_err(refused)?);
        let Options { queue, batch, wait, .. } = options;
        let readers = Readers::start(points, walkers, &files, queue, wait).map_err(refused)?;
        let writer = Writer::start(database, checkpoints, readers.points(), files, queue, batch.max(1))
            .map_err(refused)?;
        Ok(Self { readers, writer, path: path.to_owned(), options })
    }

    /// Checks the file and what is in it. Reads everything, on this thread.
    ///
    /// # Errors
    /// When the file cannot be read at all. What is wrong with it is the answer.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        check::check(&self.own_connection()?)
    }

    /// Answers a query, with the memberships that are wanted besides.
    async fn search(
        &self,
        tenant: &Tenant,
        query: &Query,
        with: Option<(Side, usize)>,
    ) -> Result<Found, StoreError> {
        let search = Search::new(tenant, query, with);
        if search.may_be_short()
            && let Some(found) = self.readers.point(|database| search.run_if_short(database))?
        {
            return Ok(found);
        }
        let query = query.clone();
        let run = move |database: &Database, tenant: &Tenant, is_awaited: IsAwaited<'_>| {
            Search::new(tenant, &query, with).run(database, is_awaited)
        };
        self.readers.walk(tenant, run).await
    }

    /// A connection of whoever asks, for what is done on its thread, apart from those who serve.
    pub(crate) fn own_connection(&self) -> Result<Database, StoreError> {
        let Options { wait, cache, .. } = self.options;
        Database::open(&self.path, wait, cache / 4, None).map_err(crate::error::store_error)
    }
}

impl Store for SqliteStore {
    fn get<'a>(&'a self, tenant: &'a Tenant, ids: &'a [&'a str]) -> Pending<'a, Vec<Option<Record>>> {
        Box::pin(async move {
            if ids.len() <= FEW {
                return self.readers.point(|database| rows::records(database, tenant, ids));
            }
            let ids: Vec<String> = ids.iter().map(|&id| id.to_owned()).collect();
            self.readers.walk(tenant, move |database, tenant, _| rows::records(database, tenant, &ids)).await
        })
    }

    fn query<'a>(&'a self, tenant: &'a Tenant, query: &'a Query) -> Pending<'a, Page> {
        Box::pin(async move { Ok(self.search(tenant, query, None).await?.0) })
    }

    fn edges<'a>(&'a self, tenant: &'a Tenant, query: &'a EdgeQuery) -> Pending<'a, EdgePage> {
        Box::pin(async move {
            // However many are asked for, most users are in few groups, and that is known after a few steps.
            if query.of.len() <= FEW {
                let count = query.count.min(FEW);
                let page = self.readers.point(|database| rows::edges(database, tenant, query, count))?;
                if !page.more || count == query.count {
                    return Ok(page);
                }
            }
            let query = query.clone();
            self.readers
                .walk(tenant, move |database, tenant, _| rows::edges(database, tenant, &query, query.count))
                .await
        })
    }

    fn crowded<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: Option<&'a str>,
        count: usize,
    ) -> Pending<'a, Vec<String>> {
        let after = after.unwrap_or_default().to_owned();
        Box::pin(
            self.readers
                .walk(tenant, move |database, tenant, _| rows::crowded(database, tenant, &after, count)),
        )
    }

    fn persons<'a>(&'a self, tenant: &'a Tenant, query: &'a PersonQuery) -> Pending<'a, PersonPage> {
        Box::pin(async move {
            if matches!(query, PersonQuery::Of(ids) if ids.len() <= FEW) {
                return self.readers.point(|database| people::page(database, tenant, query));
            }
            let query = query.clone();
            self.readers.walk(tenant, move |database, tenant, _| people::page(database, tenant, &query)).await
        })
    }

    fn get_with_edges<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: &'a str,
        side: Side,
        count: usize,
    ) -> Pending<'a, Option<(Record, EdgePage)>> {
        Box::pin(async move {
            let few = count.min(FEW);
            let found =
                self.readers.point(|database| rows::record_with_edges(database, tenant, id, side, few))?;
            match found {
                Some((record, page)) if page.more && few < count => {
                    let query = EdgeQuery { side, of: vec![id.to_owned()], after: None, count };
                    Ok(Some((record, self.edges(tenant, &query).await?)))
                }
                found => Ok(found),
            }
        })
    }

    fn query_with_edges<'a>(
        &'a self,
        tenant: &'a Tenant,
        query: &'a Query,
        side: Side,
        count: usize,
    ) -> Pending<'a, (Page, EdgePage)> {
        Box::pin(self.search(tenant, query, Some((side, count))))
    }

    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        Box::pin(self.writer.commit(tenant, changeset))
    }

    fn changes<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Change>> {
        Box::pin(
            self.readers
                .walk(tenant, move |database, tenant, _| rows::changes(database, tenant, after, count)),
        )
    }

    fn audit<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Audited>> {
        Box::pin(
            self.readers.walk(tenant, move |database, tenant, _| rows::audit(database, tenant, after, count)),
        )
    }

    fn reports<'a>(&'a self, tenant: &'a Tenant, query: &'a ReportQuery) -> Pending<'a, Vec<Reported>> {
        let query = query.clone();
        Box::pin(
            self.readers.walk(tenant, move |database, tenant, _| reports::page(database, tenant, &query)),
        )
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Creates a file that is not there for its owner alone: it holds personal data. SQLite gives its companions the
/// same permissions.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
