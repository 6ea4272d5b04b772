//! The directory: which tenants exist, what each is connected to, and which tokens it accepts.
//!
//! All of it is records in the reserved system tenant, written through the same [`Store`] as everything else, so that
//! durability, audit and spreading to other servers need no mechanism of their own. Caches hold only what lets somebody
//! in, follow the system tenant's change log, and are not believed for longer than [`TRUST_SECONDS`] without it. The
//! directory never keeps a token, only its hash, and never says why a token is refused.

mod administration;
mod cache;
mod deletion;
mod entry;
mod moving;
mod record;
#[cfg(test)]
mod tests;
mod token;

use std::fmt;
use std::sync::Arc;

use scim_core::Result;
use scim_core::time::Timestamp;
use scim_store::{Record, Store, Tenant};

pub use self::entry::{Connection, Idp, NewToken, TenantEntry, TenantSettings, TokenEntry};
pub use self::moving::{Belongings, Welcome};

pub(crate) use self::administration::faster;
use self::cache::Cache;
use self::entry::Parts;
pub(crate) use self::record::IndexBody;
use self::record::{Kind, Types};
use crate::context::store_error;
use crate::environment::Environment;

/// How long a cached entry is believed after the change log was last read. A revoked token is refused by every server
/// within this time, even by one that cannot reach the store's log any more.
pub const TRUST_SECONDS: i64 = 5;

/// How many changes are read at once.
const PAGE: usize = 1000;

/// The tenants, connections, tokens and secrets of a store.
pub struct Directory {
    store: Arc<dyn Store>,
    environment: Arc<dyn Environment>,
    system: Tenant,
    types: Types,
    cache: Cache,
    /// By the identifier of its record, what a service keeps beside the resources of each type.
    keeps: Vec<(String, IndexBody)>,
}

impl Directory {
    /// The directory of `store`. It caches nothing until [`Directory::refresh`] is called regularly.
    pub fn new(store: Arc<dyn Store>, environment: Arc<dyn Environment>) -> Self {
        let (system, types, cache) = (Tenant::system(), Types::new(), Cache::new());
        Self { store, environment, system, types, cache, keeps: Vec::new() }
    }

    /// The directory of a service that keeps this beside the resources of each type.
    pub(crate) fn keeping<'a>(self, keeps: impl IntoIterator<Item = (&'a str, IndexBody)>) -> Self {
        let keeps = keeps.into_iter().map(|(name, index)| (Kind::Index.id(name), index)).collect();
        Self { keeps, ..self }
    }

    /// The tenant of this name, with its connection.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tenant(&self, name: &str) -> Result<Option<Arc<TenantEntry>>> {
        Ok(self.look_up(name).await?.map(|(entry, _)| entry))
    }

    /// The tenant of this name, and whether it had to be read.
    async fn look_up(&self, name: &str) -> Result<Option<(Arc<TenantEntry>, bool)>> {
        let now = self.environment.now();
        if let Some(entry) = self.cache.tenant(name, now) {
            return Ok(Some((entry, false)));
        }
        let Ok(tenant) = Tenant::new(name) else { return Ok(None) };
        let moment = self.cache.moment();
        let kinds = [Kind::Tenant, Kind::Connection, Kind::Policy, Kind::Schemas];
        let ids = kinds.map(|kind| kind.id(name));
        // Whoever derives anew says so before the rules get another number, so that nobody sees only the number.
        let ids: Vec<&str> =
            ids.iter().chain(self.keeps.iter().map(|(id, _)| id)).map(String::as_str).collect();
        let mut records = self.store.get(&self.system, &ids).await.map_err(store_error)?.into_iter();
        let [record, connection, policy, schemas] = std::array::from_fn(|_| records.next().flatten());
        let Some(record) = record else { return Ok(None) };
        let parts =
            Parts { connection: connection.as_ref(), policy: policy.as_ref(), schemas: schemas.as_ref() };
        let is_current = self.is_kept(records)?;
        let entry = Arc::new(TenantEntry { is_current, ..TenantEntry::read(tenant, &record, parts)? });
        // What is refused today is looked up anew each time, so that an operator need not wait for it to work.
        if entry.is_current && entry.connection.is_some() {
            self.cache.keep_tenant(Arc::clone(&entry), moment);
        }
        Ok(Some((entry, true)))
    }

    /// The tenant of this name, for whoever means one that there is.
    ///
    /// # Errors
    /// `NotFound` when there is none, with the one that may have been meant; otherwise when the store cannot be read.
    pub async fn find(&self, name: &str) -> Result<Arc<TenantEntry>> {
        match self.tenant(name).await? {
            Some(entry) => Ok(entry),
            None => Err(self.no_tenant(name).await),
        }
    }

    /// Whether there is a tenant of this name. The store is asked in either case, unless nobody can have the name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn is_there(&self, name: &str) -> Result<bool> {
        Ok(Tenant::new(name).is_ok()
            && self.records([&Kind::Tenant.id(name)]).await?.iter().any(Option::is_some))
    }

    /// A tenant as it is in the store now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn latest(&self, tenant: &Tenant) -> Result<Option<TenantEntry>> {
        self.refresh().await?;
        Ok(self.tenant(tenant.as_str()).await?.map(|entry| (*entry).clone()))
    }

    /// The entry of `token`, if it is a token of the tenant of this name that is valid now. Whatever is wrong with it, the
    /// answer is `None`. Nothing is looked up by the name, so that the time it takes does not tell which tenants there are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn authenticate(&self, tenant: &str, token: &str) -> Result<Option<Arc<TokenEntry>>> {
        let now = self.environment.now();
        let Some(presented) = token::Presented::parse(token) else { return Ok(None) };
        let entry = match self.cache.token(presented.id, now) {
            Some(entry) => entry,
            None => match self.read_token(presented.id).await? {
                Some(entry) => entry,
                None => return Ok(None),
            },
        };
        let valid = presented.matches(&entry) && entry.tenant.as_str() == tenant && !entry.is_expired(now);
        Ok(valid.then_some(entry))
    }

    /// The tenant of this name and the entry of `token`, if that is valid for it now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn admit(
        &self,
        name: &str,
        token: &str,
    ) -> Result<Option<(Arc<TenantEntry>, Arc<TokenEntry>)>> {
        let moment = self.cache.moment();
        let Some(mut known) = self.authenticate(name, token).await? else { return Ok(None) };
        let Some((entry, is_read)) = self.look_up(name).await? else { return Ok(None) };
        // The token may have been of another tenant, that had the name before.
        if is_read || self.cache.has_come_since(name, moment) {
            match self.authenticate(name, token).await? {
                Some(entry) => known = entry,
                None => return Ok(None),
            }
        }
        Ok(Some((entry, known)))
    }

    /// Follows the system tenant's change log and drops what changed from the caches. To be called every second.
    ///
    /// # Errors
    /// When the store cannot be read. The caches stay as they are, and are soon not believed any more.
    pub async fn refresh(&self) -> Result<()> {
        let began = self.environment.now();
        let Some(mut after) = self.cache.position() else {
            let latest = self.latest_change().await?;
            self.cache.begin(latest, began);
            return Ok(());
        };
        loop {
            let changes = self.store.changes(&self.system, after, PAGE).await.map_err(store_error)?;
            let last = changes.len() < PAGE;
            after = changes.last().map_or(after, |change| change.sequence);
            self.cache.forget(changes.iter().map(|change| change.id.as_str()));
            if last {
                self.cache.advance(after, began);
                return Ok(());
            }
        }
    }

    /// The secret of this name, which all servers on the store share. It is made when it is first asked for.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn secret(&self, name: &str) -> Result<[u8; 32]> {
        let id = Kind::Secret.id(name);
        if let [Some(record)] = self.records([&id]).await? {
            return record::read_secret(&record);
        }
        let mut secret = [0; 32];
        self.environment.fill(&mut secret);
        if self.create_secret(name, &secret).await? {
            return Ok(secret);
        }
        let [record] = self.records([&id]).await?;
        record.as_ref().map_or_else(|| Err(record::corrupt(&id)), record::read_secret)
    }

    /// What is kept of the resources of a type, as far as is known, and the version of what says so.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn index(&self, resource_type: &str) -> Result<Option<(IndexBody, u64)>> {
        let [record] = self.records([&Kind::Index.id(resource_type)]).await?;
        record.map(|record| Ok((record::read(&record)?, record.version))).transpose()
    }

    /// Whether what is stored was derived as the service wants it, as far as is known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn is_current(&self) -> Result<bool> {
        let ids: Vec<&str> = self.keeps.iter().map(|(id, _)| id.as_str()).collect();
        let records = self.store.get(&self.system, &ids).await.map_err(store_error)?;
        self.is_kept(records)
    }

    /// Whether these records of what is kept say what the service wants.
    fn is_kept(&self, records: impl IntoIterator<Item = Option<Record>>) -> Result<bool> {
        for (record, (_, wanted)) in records.into_iter().zip(&self.keeps) {
            if let Some(record) = record
                && record::read::<IndexBody>(&record)? != *wanted
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn read_token(&self, id: &str) -> Result<Option<Arc<TokenEntry>>> {
        let moment = self.cache.moment();
        let [record] = self.records([&Kind::Token.id(id)]).await?;
        let Some(record) = record else { return Ok(None) };
        let entry = Arc::new(TokenEntry::read(&record)?);
        self.cache.keep_token(Arc::clone(&entry), moment);
        Ok(Some(entry))
    }

    async fn records<const N: usize>(&self, ids: [&str; N]) -> Result<[Option<Record>; N]> {
        let mut records = self.store.get(&self.system, &ids).await.map_err(store_error)?.into_iter();
        Ok(std::array::from_fn(|_| records.next().flatten()))
    }

    /// The number of the latest change. The log has no gaps, so that a few probes find its end however long it is.
    async fn latest_change(&self) -> Result<u64> {
        let (mut low, mut high) = (0, 1024);
        while self.has_change_after(high).await? {
            (low, high) = (high, high.saturating_mul(4));
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.has_change_after(middle).await? { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }

    async fn has_change_after(&self, sequence: u64) -> Result<bool> {
        let changes = self.store.changes(&self.system, sequence, 1).await.map_err(store_error)?;
        Ok(!changes.is_empty())
    }

    fn now(&self) -> Timestamp {
        self.environment.now()
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").finish_non_exhaustive()
    }
}
