//! What an operator does to the directory. Each change commits together with its audit entry.
//!
//! Several processes may do this at once: nothing is checked first and written later. That a tenant exists, and that
//! something does not exist yet, are guards of the one changeset.

use scim_core::text::nearest;
use scim_core::time::Timestamp;
use scim_core::{Error, ErrorKind, Result};
use scim_store::{
    AuditEntry, ChangeKind, Changeset, CommitError, Conflict, Content, Guard, MemberDelta, Operation, Query,
    Record, Start, Tenant,
};

use serde_json::Value;

use super::entry::Parts;
use super::record::{
    IndexBody, Kind, PolicyBody, SchemasBody, UnfinishedBody, content, corrupt, read, secret_content,
    token_content,
};
use super::token::{Drawn, is_id};
use super::{Connection, Directory, NewToken, TenantEntry, TenantSettings, TokenEntry};
use crate::context::store_error;
use crate::environment::random_id;

/// The records that tell what comes over a tenant's connection.
struct Connected {
    connection: Record,
    policy: Option<Record>,
}

/// How many records are read at once.
const PAGE: usize = 500;
/// How often an identifier that turns out to be taken is drawn again. One in 2⁴⁰ is.
const DRAWS: usize = 8;

impl Directory {
    /// Creates a tenant.
    ///
    /// # Errors
    /// `InvalidValue` when the name is not one, `Conflict` when it is taken.
    pub async fn create_tenant(&self, name: &str, actor: &str) -> Result<Tenant> {
        let tenant =
            Tenant::new(name).map_err(|error| Error::new(ErrorKind::InvalidValue, error.to_string()))?;
        let settings = content(name, &TenantSettings::default().into_body(&tenant))?;
        // Every tenant has this record, so that one that is deleted meanwhile, or was, is noticed.
        let [before] = self.records([&Kind::Policy.id(name)]).await?;
        let epoch = match before.as_ref().map(read::<PolicyBody>).transpose()? {
            Some(PolicyBody { leaving: true, .. }) => return Err(leaving(&tenant)),
            Some(PolicyBody { epoch, .. }) => epoch + 1,
            None => 0,
        };
        let rules = content(name, &PolicyBody::new(None, epoch))?;
        let rules = put(Kind::Policy, name, before.as_ref(), rules);
        let operations = vec![create(Kind::Tenant, name, settings), rules];
        match self.change(operations, actor, format!("create tenant {name}"), 201).await? {
            Ok(_) => Ok(tenant),
            Err(Conflict::Exists { operation: 0 }) => {
                Err(Error::new(ErrorKind::Conflict, format!("tenant `{name}` exists already")))
            }
            Err(_) => Err(changed_meanwhile(&tenant)),
        }
    }

    /// Gives a tenant these settings, all of them. Every server on the store follows within
    /// [`super::TRUST_SECONDS`].
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant.
    pub async fn configure_tenant(
        &self,
        tenant: &Tenant,
        settings: TenantSettings,
        actor: &str,
    ) -> Result<()> {
        let name = tenant.as_str();
        let content = content(name, &settings.into_body(tenant))?;
        let operations = vec![replace(Kind::Tenant, name, Some(content))];
        match self.change(operations, actor, format!("configure tenant {name}"), 200).await? {
            Ok(_) => Ok(()),
            Err(_) => Err(self.no_tenant(name).await),
        }
    }

    /// All tenants, in the order of their names.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tenants(&self) -> Result<Vec<TenantEntry>> {
        let mut query = Query::all(self.types.tenant.clone(), PAGE);
        let mut entries = Vec::new();
        loop {
            let page = self.store.query(&self.system, &query).await.map_err(store_error)?;
            let connections = self.beside(Kind::Connection, &page.records).await?;
            let policies = self.beside(Kind::Policy, &page.records).await?;
            let schemas = self.beside(Kind::Schemas, &page.records).await?;
            let others = connections.iter().zip(&policies).zip(&schemas);
            for (record, ((connection, policy), schemas)) in page.records.iter().zip(others) {
                let tenant =
                    Tenant::new(&record.label).map_err(|error| corrupt(&record.id).caused_by(error))?;
                let parts = Parts {
                    connection: connection.as_ref(),
                    policy: policy.as_ref(),
                    schemas: schemas.as_ref(),
                };
                entries.push(TenantEntry::read(tenant, record, parts)?);
            }
            match page.next {
                Some(position) => query.start = Start::After(position),
                None => return Ok(entries),
            }
        }
    }

    /// Connects a tenant to its identity provider.
    ///
    /// # Errors
    /// `InvalidValue` when the connection is not sensible, `NotFound` when there is no such tenant, `Conflict` when it
    /// has a connection.
    pub async fn create_connection(
        &self,
        tenant: &Tenant,
        connection: Connection,
        actor: &str,
    ) -> Result<()> {
        connection.check()?;
        let idp = connection.idp;
        let content = content(idp.name(), &connection.into_body(tenant))?;
        let operations = vec![exists(tenant), create(Kind::Connection, tenant.as_str(), content)];
        let action = format!("create {idp} connection of {tenant}");
        match self.change(operations, actor, action, 201).await? {
            Ok(_) => Ok(()),
            Err(Conflict::Exists { .. }) => Err(Error::new(
                ErrorKind::Conflict,
                format!("tenant `{tenant}` has a connection already, and a tenant has one at most"),
            )
            .remedy(format!(
                "create another tenant for another identity provider, or replace this one: `scimd connection replace {tenant}`"
            ))),
            Err(_) => Err(self.no_tenant(tenant.as_str()).await),
        }
    }

    /// Gives a tenant's connection another kind, other quirks and whatever else it has, and refuses nobody meanwhile. One that is
    /// paused stays so. Gives back what it was.
    ///
    /// # Errors
    /// `InvalidValue` when the connection is not sensible, otherwise as [`Directory::pause_connection`].
    pub async fn replace_connection(
        &self,
        tenant: &Tenant,
        connection: Connection,
        actor: &str,
    ) -> Result<Connection> {
        connection.check()?;
        let known = self.connected(tenant).await?;
        let before = Connection::read(&known.connection)?;
        let connection = Connection { paused: before.paused, ..connection };
        let idp = connection.idp;
        let content = content(idp.name(), &connection.into_body(tenant))?;
        let guard = Guard::Version(known.connection.version);
        let replace = guarded(Kind::Connection, tenant.as_str(), guard, Some(content));
        let action = format!("replace by {idp} connection of {tenant}");
        match self.change(vec![exists(tenant), replace], actor, action, 200).await? {
            Ok(_) => Ok(before),
            Err(_) => Err(changed_meanwhile(tenant)),
        }
    }

    /// Refuses the requests of a tenant's connection from now on, or lets them in again. Other servers on the store follow
    /// within [`super::TRUST_SECONDS`]; what they let in before a pause changes nothing any more once this has returned.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant, or it has no connection; `Conflict` when somebody else changed the
    /// connection or the rules meanwhile.
    pub async fn pause_connection(&self, tenant: &Tenant, paused: bool, actor: &str) -> Result<()> {
        let known = self.connected(tenant).await?;
        let connection = Connection { paused, ..Connection::read(&known.connection)? };
        let content = content(connection.idp.name(), &connection.into_body(tenant))?;
        let guard = Guard::Version(known.connection.version);
        let replace = guarded(Kind::Connection, tenant.as_str(), guard, Some(content));
        match paused {
            true => {
                self.shut(tenant, known, replace, actor, format!("pause connection of {tenant}"), 200).await
            }
            false => {
                let action = format!("resume connection of {tenant}");
                let outcome = self.change(vec![exists(tenant), replace], actor, action, 200).await?;
                outcome.map(drop).map_err(|_| changed_meanwhile(tenant))
            }
        }
    }

    /// Removes a tenant's connection. Its users, groups and tokens stay; its requests are refused until it has another, and
    /// what servers let in before changes nothing any more once this has returned.
    ///
    /// # Errors
    /// As [`Directory::pause_connection`].
    pub async fn remove_connection(&self, tenant: &Tenant, actor: &str) -> Result<()> {
        let known = self.connected(tenant).await?;
        let guard = Guard::Version(known.connection.version);
        let delete = delete(Kind::Connection, tenant.as_str(), guard);
        self.shut(tenant, known, delete, actor, format!("remove connection of {tenant}"), 204).await
    }

    /// The records of a tenant that has a connection.
    async fn connected(&self, tenant: &Tenant) -> Result<Connected> {
        let ids = [Kind::Tenant, Kind::Connection, Kind::Policy].map(|kind| kind.id(tenant.as_str()));
        match self.records(ids.each_ref().map(String::as_str)).await? {
            [None, ..] => Err(self.no_tenant(tenant.as_str()).await),
            [Some(_), None, _] => Err(no_connection(tenant)),
            [Some(_), Some(connection), policy] => Ok(Connected { connection, policy }),
        }
    }

    /// Changes a connection so that nothing comes over it any more. The rules stay and get another number, so that the store
    /// itself refuses what was planned before.
    async fn shut(
        &self,
        tenant: &Tenant,
        known: Connected,
        change: Operation,
        actor: &str,
        action: String,
        status: u16,
    ) -> Result<()> {
        let name = tenant.as_str();
        let rules = known.policy.as_ref().map(read::<PolicyBody>).transpose()?;
        let PolicyBody { text, epoch, .. } = rules.unwrap_or(PolicyBody::new(None, 0));
        let epoch = epoch + 1;
        let rules = content(name, &PolicyBody::new(text, epoch))?;
        let operations = vec![exists(tenant), change, put(Kind::Policy, name, known.policy.as_ref(), rules)];
        match self.change(operations, actor, action, status).await? {
            Ok(_) => self.announce(tenant, epoch).await.map(drop),
            Err(_) => Err(changed_meanwhile(tenant)),
        }
    }

    /// Tells the store of a tenant's epoch, so that it takes nothing any more that was planned under an earlier one. Says
    /// whether there is no later one.
    pub(crate) async fn announce(&self, tenant: &Tenant, epoch: u64) -> Result<bool> {
        let announced = Changeset { epoch, ..Changeset::new(self.now()) };
        match self.store.commit(tenant, announced).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict(_)) => Ok(false),
            Err(CommitError::Store(error)) => Err(store_error(error)),
        }
    }

    /// Gives a tenant another policy, or none, and other schemas of its own. What is there must be what `entry` says. Every
    /// server on the store follows within [`super::TRUST_SECONDS`]; see [`scim_store::Changeset::epoch`] for what holds
    /// until then. What is kept of the tenant's resources counts as unfinished from now on. Returns the new epoch.
    ///
    /// # Errors
    /// `Conflict` when somebody else was faster, `NotFound` when there is no such tenant.
    pub(crate) async fn put_rules(
        &self,
        entry: &TenantEntry,
        policy: Option<String>,
        schemas: Vec<Value>,
        actor: &str,
    ) -> Result<u64> {
        let name = entry.tenant.as_str();
        let ids = [Kind::Policy, Kind::Schemas, Kind::Unfinished].map(|kind| kind.id(name));
        let [old_policy, old_schemas, unfinished] = self.records(ids.each_ref().map(String::as_str)).await?;
        let found = old_policy.as_ref().map(read::<PolicyBody>).transpose()?;
        if found.map_or(0, |body| body.epoch) != entry.epoch {
            return Err(faster(name));
        }
        let epoch = entry.epoch + 1;
        let policy = content(name, &PolicyBody::new(policy, epoch))?;
        let schemas = content(name, &SchemasBody { documents: schemas })?;
        let operations = vec![
            exists(&entry.tenant),
            put(Kind::Policy, name, old_policy.as_ref(), policy),
            put(Kind::Schemas, name, old_schemas.as_ref(), schemas),
            put(
                Kind::Unfinished,
                name,
                unfinished.as_ref(),
                content(name, &UnfinishedBody { epoch, tries: 0 })?,
            ),
        ];
        match self.change(operations, actor, format!("change the rules of {name}"), 200).await? {
            Ok(_) => Ok(epoch),
            Err(Conflict::Missing { operation: 0 }) => Err(self.no_tenant(name).await),
            Err(_) => Err(faster(name)),
        }
    }

    /// The tenants whose resources are kept as other rules want them than those that are in force: whoever changed the rules,
    /// or went on with that, before this moment did not come to an end, or has not yet. Nothing changes of a tenant that is
    /// paused.
    pub(crate) async fn unfinished(&self, before: Timestamp) -> Result<Vec<TenantEntry>> {
        let mut entries = Vec::new();
        let records = self.all(Query::all(self.types.unfinished.clone(), PAGE)).await?;
        for record in records.iter().filter(|record| record.modified < before) {
            let entry = self.tenant(&record.label).await?.map(|entry| (*entry).clone());
            let is_paused = |connection: &Connection| connection.paused;
            entries.extend(entry.filter(|entry| !entry.connection.as_ref().is_some_and(is_paused)));
        }
        Ok(entries)
    }

    /// Takes note that what is unfinished of a tenant is gone on with from now on. Says whether nobody does so already who
    /// began since `before`.
    pub(crate) async fn go_on(&self, tenant: &Tenant, before: Timestamp) -> Result<bool> {
        let name = tenant.as_str();
        let [record] = self.records([&Kind::Unfinished.id(name)]).await?;
        let Some(record) = record.filter(|record| record.modified < before) else { return Ok(false) };
        let UnfinishedBody { epoch, tries } = read(&record)?;
        let renewed = content(name, &UnfinishedBody { epoch, tries: tries + 1 })?;
        let renewed = put(Kind::Unfinished, name, Some(&record), renewed);
        Ok(self.change(vec![renewed], "scimd", format!("go on deriving {name}"), 200).await?.is_ok())
    }

    /// Takes note that everything kept of a tenant's resources follows from its rules, unless it has others by now.
    pub(crate) async fn finish(&self, entry: &TenantEntry) -> Result<()> {
        let name = entry.tenant.as_str();
        let [record] = self.records([&Kind::Unfinished.id(name)]).await?;
        let Some(record) = record else { return Ok(()) };
        if read::<UnfinishedBody>(&record)?.epoch <= entry.epoch {
            let delete = delete(Kind::Unfinished, name, Guard::Version(record.version));
            // A conflict says that others finished it, or that there is something else to finish.
            let _ = self.change(vec![delete], "scimd", format!("derive all of {name}"), 204).await?;
        }
        Ok(())
    }

    /// Creates a token. What is returned is the only copy of it.
    ///
    /// # Errors
    /// `InvalidValue` when it would have expired already, or ends later than can be written, `NotFound` when there is no such
    /// tenant.
    pub async fn create_token(
        &self,
        tenant: &Tenant,
        expires: Option<Timestamp>,
        actor: &str,
    ) -> Result<NewToken> {
        if let Some(end) = expires.filter(|end| *end <= self.now()) {
            return Err(Error::new(ErrorKind::InvalidValue, format!("{end} is in the past"))
                .remedy("choose a later end, or none"));
        }
        if expires.is_some_and(|end| end > Timestamp::LAST) {
            let error = Error::new(ErrorKind::InvalidValue, "the token would end after the year 9999");
            return Err(error.remedy("choose an earlier end, or none"));
        }
        for _ in 0..DRAWS {
            let Drawn { id, hash, token } = Drawn::new(&*self.environment);
            let content = token_content(&id, tenant, &hash, expires.map(|end| end.0))?;
            let operations = vec![exists(tenant), create(Kind::Token, &id, content)];
            match self.change(operations, actor, format!("create token {id} of {tenant}"), 201).await? {
                Ok(created) => {
                    let entry = TokenEntry { id, tenant: tenant.clone(), created, expires, hash };
                    return Ok(NewToken { entry, token });
                }
                Err(Conflict::Exists { .. }) => {}
                Err(_) => return Err(self.no_tenant(tenant.as_str()).await),
            }
        }
        Err(Error::new(ErrorKind::Internal, "no free token identifier was drawn")
            .remedy("the source of randomness is not random"))
    }

    /// A tenant's tokens, expired ones included, in the order of their identifiers.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant.
    pub async fn tokens(&self, tenant: &Tenant) -> Result<Vec<TokenEntry>> {
        if self.records([&Kind::Tenant.id(tenant.as_str())]).await? == [None] {
            return Err(self.no_tenant(tenant.as_str()).await);
        }
        let filter = Some(self.types.tokens_of(tenant)?);
        self.found_tokens(Query { filter, ..Query::all(self.types.token.clone(), PAGE) }).await
    }

    /// The tokens of all tenants, expired ones included, in the order of their identifiers.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn all_tokens(&self) -> Result<Vec<TokenEntry>> {
        self.found_tokens(Query::all(self.types.token.clone(), PAGE)).await
    }

    /// The tokens that end within [`TokenEntry::NOTICE_DAYS`], of all tenants; what ends first comes first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ending_tokens(&self) -> Result<Vec<TokenEntry>> {
        let now = self.now();
        let mut tokens = self.all_tokens().await?;
        tokens.retain(|entry| entry.is_ending(now));
        tokens.sort_by_key(|entry| entry.expires);
        Ok(tokens)
    }

    async fn found_tokens(&self, query: Query) -> Result<Vec<TokenEntry>> {
        self.all(query).await?.iter().map(TokenEntry::read).collect()
    }

    /// Revokes a token. Every server on the store refuses it within [`super::TRUST_SECONDS`].
    ///
    /// # Errors
    /// `NotFound` when there is no token with this identifier.
    pub async fn revoke_token(&self, id: &str, actor: &str) -> Result<()> {
        if !is_id(id) {
            let error = Error::new(ErrorKind::InvalidValue, "this is not the identifier of a token");
            return Err(
                error.remedy("it is the 8 characters between the underscores, as in `scim_abcd2345_…`")
            );
        }
        let [record] = self.records([&Kind::Token.id(id)]).await?;
        if let Some(token) = record.as_ref().map(TokenEntry::read).transpose()? {
            let delete = delete(Kind::Token, id, Guard::Exists);
            let action = format!("revoke token {id} of {}", token.tenant);
            if self.change(vec![delete], actor, action, 204).await?.is_ok() {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::NotFound, format!("there is no token `{id}`"))
            .remedy("it may be revoked already; see `scimd token list`"))
    }

    /// Whether the secret was created; `false` when there is one of this name.
    pub(super) async fn create_secret(&self, name: &str, secret: &[u8; 32]) -> Result<bool> {
        let operations = vec![create(Kind::Secret, name, secret_content(name, secret)?)];
        Ok(self.change(operations, "scimd", format!("create secret {name}"), 201).await?.is_ok())
    }

    /// Remembers what is kept of the resources of a type, where what was remembered is still of this version, or nothing.
    /// Says whether it is.
    pub(crate) async fn keep_index(
        &self,
        resource_type: &str,
        before: Option<u64>,
        index: &IndexBody,
    ) -> Result<bool> {
        let content = content(resource_type, index)?;
        let operation = match before {
            None => create(Kind::Index, resource_type, content),
            Some(version) => guarded(Kind::Index, resource_type, Guard::Version(version), Some(content)),
        };
        let action = format!("derive the index of {resource_type}");
        Ok(self.change(vec![operation], "scimd", action, 200).await?.is_ok())
    }

    /// Gives the rules of a tenant another number, so that the store refuses whatever was planned before. Whoever is refused
    /// looks at the directory again.
    ///
    /// # Errors
    /// `Conflict` when its operators change them again and again.
    pub(crate) async fn renumber(&self, tenant: &Tenant) -> Result<()> {
        let name = tenant.as_str();
        for _ in 0..DRAWS {
            let [known, policy] = {
                let ids = [Kind::Tenant, Kind::Policy].map(|kind| kind.id(name));
                self.records(ids.each_ref().map(String::as_str)).await?
            };
            // A tenant that was deleted has got another number.
            if known.is_none() {
                return Ok(());
            }
            let rules =
                policy.as_ref().map(read::<PolicyBody>).transpose()?.unwrap_or(PolicyBody::new(None, 0));
            let epoch = rules.epoch + 1;
            let next =
                put(Kind::Policy, name, policy.as_ref(), content(name, &PolicyBody { epoch, ..rules })?);
            let action = format!("derive {name} anew");
            if self.change(vec![exists(tenant), next], "scimd", action, 200).await?.is_ok() {
                return self.announce(tenant, epoch).await.map(drop);
            }
        }
        Err(changed_meanwhile(tenant))
    }

    /// The records of another kind that belong to these tenants.
    async fn beside(&self, kind: Kind, tenants: &[Record]) -> Result<Vec<Option<Record>>> {
        let ids: Vec<String> = tenants.iter().map(|record| kind.id(&record.label)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        self.store.get(&self.system, &ids).await.map_err(store_error)
    }

    /// Commits a change and says when, or which guard failed.
    pub(super) async fn change(
        &self,
        operations: Vec<Operation>,
        actor: &str,
        action: String,
        status: u16,
    ) -> Result<std::result::Result<Timestamp, Conflict>> {
        self.change_noting(operations, actor, action, status, String::new()).await
    }

    /// As [`Self::change`], with more to say of it in the audit trail.
    pub(super) async fn change_noting(
        &self,
        operations: Vec<Operation>,
        actor: &str,
        action: String,
        status: u16,
        detail: String,
    ) -> Result<std::result::Result<Timestamp, Conflict>> {
        let request = random_id(&*self.environment);
        let audit = AuditEntry { actor: actor.to_owned(), request, action, status, detail };
        let ids: Vec<String> = operations.iter().map(|operation| id(operation).to_owned()).collect();
        let at = self.now();
        let changeset = Changeset { operations, audit: Some(audit), ..Changeset::new(at) };
        let result = self.store.commit(&self.system, changeset).await;
        self.cache.forget(ids.iter().map(String::as_str));
        match result {
            Ok(_) => Ok(Ok(at)),
            Err(CommitError::Conflict(conflict)) => Ok(Err(conflict)),
            Err(CommitError::Store(error)) => Err(store_error(error)),
        }
    }

    /// The complaint about a tenant that does not exist, with the one that may have been meant.
    pub(super) async fn no_tenant(&self, name: &str) -> Error {
        let error = Error::new(ErrorKind::NotFound, format!("there is no tenant `{}`", name.escape_debug()));
        let known = self.tenants().await.unwrap_or_default();
        match nearest(name, known.iter().map(|entry| entry.tenant.as_str())) {
            Some(near) => error.remedy(format!("did you mean `{near}`?")),
            None => error.remedy("see `scimd tenant list`"),
        }
    }
}

/// The complaint of whoever changes rules that are others by now.
pub(crate) fn faster(tenant: &str) -> Error {
    let words = format!("somebody else changed the rules of tenant `{tenant}` just now");
    Error::new(ErrorKind::Conflict, words).remedy("look at them, then try again")
}

/// The complaint about a name that is not free yet.
pub(super) fn leaving(tenant: &Tenant) -> Error {
    Error::new(ErrorKind::Conflict, format!("tenant `{tenant}` is being deleted, and not all of it is gone"))
        .remedy(format!("go on with `scimd tenant delete {tenant}`"))
}

pub(super) fn changed_meanwhile(tenant: &Tenant) -> Error {
    let words = format!("somebody else changed the connection or the rules of tenant `{tenant}` just now");
    Error::new(ErrorKind::Conflict, words).remedy("look at them, then try again")
}

fn no_connection(tenant: &Tenant) -> Error {
    Error::new(ErrorKind::NotFound, format!("tenant `{tenant}` has no connection"))
        .remedy(format!("create one with `scimd connection create {tenant}`"))
}

pub(super) fn create(kind: Kind, name: &str, content: Content) -> Operation {
    Operation::Create {
        id: kind.id(name),
        resource_type: kind.name().into(),
        content,
        members: MemberDelta::default(),
    }
}

pub(super) fn delete(kind: Kind, name: &str, guard: Guard) -> Operation {
    Operation::Delete { id: kind.id(name), resource_type: kind.name().into(), guard }
}

/// Fails when there is no such record.
fn replace(kind: Kind, name: &str, content: Option<Content>) -> Operation {
    guarded(kind, name, Guard::Exists, content)
}

/// Creates the record, or replaces it if it is still the same.
pub(super) fn put(kind: Kind, name: &str, old: Option<&Record>, content: Content) -> Operation {
    match old {
        None => create(kind, name, content),
        Some(record) => guarded(kind, name, Guard::Version(record.version), Some(content)),
    }
}

/// Replaces the record, or does nothing to it, if what must hold of it holds.
pub(super) fn guarded(kind: Kind, name: &str, guard: Guard, content: Option<Content>) -> Operation {
    Operation::Replace {
        id: kind.id(name),
        resource_type: kind.name().into(),
        guard,
        content,
        members: MemberDelta::default(),
        kind: ChangeKind::Modified,
    }
}

/// Changes nothing, and fails when there is no such tenant.
fn exists(tenant: &Tenant) -> Operation {
    replace(Kind::Tenant, tenant.as_str(), None)
}

/// The record that an operation is about.
pub(super) fn id(operation: &Operation) -> &str {
    match operation {
        Operation::Create { id, .. }
        | Operation::Replace { id, .. }
        | Operation::Rederive { id, .. }
        | Operation::Delete { id, .. } => id,
    }
}
