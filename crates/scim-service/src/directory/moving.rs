//! What the directory knows of one tenant, taken along into another store.
//!
//! The system tenant is not copied: the other store has one of its own, with tenants of its own. A tenant's records are
//! committed there as an operator's change is, all at once and with an audit entry, so that servers follow. What belongs
//! to the store, as the secret of cursors, stays where it is. The tokens' secrets are nowhere; their hashes move.

use std::collections::BTreeMap;

use bytes::Bytes;
use scim_core::{Error, ErrorKind, Result};
use scim_store::{Conflict, Content, Guard, IndexEntry, Query, Record, Start, Tenant};

use super::administration::{create, delete, guarded, id, put};
use super::deletion::is_known;
use super::record::{Kind, Owner, corrupt, read, token_index};
use super::{Directory, IndexBody};
use crate::context::store_error;

/// How many records are read at once.
const PAGE: usize = 500;

/// The records of one tenant, and of what its resources have index entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belongings {
    tenant: Tenant,
    /// Label and body by kind and name.
    records: BTreeMap<(Kind, String), (String, Bytes)>,
    /// By the name of the resource type.
    indexes: BTreeMap<String, Bytes>,
}

/// What another directory has of a tenant's belongings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Welcome {
    /// Nothing: they can be taken in.
    New,
    /// All of them, the same.
    Known,
}

impl Directory {
    /// What is known of a tenant.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant.
    pub async fn belongings(&self, tenant: &Tenant) -> Result<Belongings> {
        let found = self.found(tenant).await?;
        if !is_known(&found, tenant) {
            return Err(self.no_tenant(tenant.as_str()).await);
        }
        let records = found.into_iter().map(|(key, record)| (key, (record.label, record.body))).collect();
        let indexes = self.indexes().await?.into_iter().map(|(name, record)| (name, record.body)).collect();
        Ok(Belongings { tenant: tenant.clone(), records, indexes })
    }

    /// Whether a tenant of another directory can be taken in here.
    ///
    /// # Errors
    /// `Conflict` when there is another tenant of that name, or other schemas are in force.
    pub async fn welcome(&self, belongings: &Belongings) -> Result<Welcome> {
        let Belongings { tenant, records, indexes } = belongings;
        self.check_indexes(indexes).await?;
        let found = self.found(tenant).await?;
        if !is_known(&found, tenant) {
            self.check_gone(tenant, &found)?;
            return Ok(Welcome::New);
        }
        let here: BTreeMap<_, _> =
            found.into_iter().map(|(key, record)| (key, (record.label, record.body))).collect();
        let mut keys: Vec<_> = records.keys().chain(here.keys()).collect();
        keys.sort_unstable();
        match keys.into_iter().find(|key| records.get(key) != here.get(key)) {
            None => Ok(Welcome::Known),
            Some((kind, name)) => {
                let id = kind.id(name);
                Err(Error::new(
                    ErrorKind::Conflict,
                    format!("there is a tenant `{tenant}` there already, and its record `{id}` is another"),
                )
                .remedy("if it was moved before and is in use there, there is nothing left to do"))
            }
        }
    }

    /// Takes in a tenant of another directory, whose data is here by now. Returns whether it was not there before.
    ///
    /// # Errors
    /// As [`Directory::welcome`], and `Conflict` when a token's identifier is taken.
    pub async fn take_in(&self, belongings: &Belongings, actor: &str) -> Result<bool> {
        if self.welcome(belongings).await? == Welcome::Known {
            return Ok(false);
        }
        let Belongings { tenant, records, indexes } = belongings;
        // Of a tenant of that name that was deleted, whose rules are not counted on.
        let mut before = self.found(tenant).await?;
        let mut operations = Vec::new();
        for (key @ (kind, name), (label, body)) in records {
            let index = if *kind == Kind::Token { vec![token_index(tenant)] } else { Vec::new() };
            let content = moved(label, body, index);
            operations.push(put(*kind, name, before.remove(key).as_ref(), content));
        }
        let rest = before.into_iter();
        operations
            .extend(rest.map(|((kind, name), record)| delete(kind, &name, Guard::Version(record.version))));
        let here = self.indexes().await?;
        for (name, body) in indexes {
            operations.push(match here.get(name) {
                None => create(Kind::Index, name, moved(name, body, Vec::new())),
                Some(record) => guarded(Kind::Index, name, Guard::Version(record.version), None),
            });
        }
        let ids: Vec<String> = operations.iter().map(|operation| id(operation).to_owned()).collect();
        match self.change(operations, actor, format!("take in tenant {tenant}"), 201).await? {
            Ok(_) => Ok(true),
            Err(Conflict::Exists { operation }) => {
                let id = ids.get(operation).map_or("", String::as_str);
                Err(Error::new(ErrorKind::Conflict, format!("there is a record `{id}` there already"))
                    .remedy("if it is a token, revoke one of the two, then try again"))
            }
            Err(_) => Err(Error::new(ErrorKind::Conflict, "the schemas of the store changed just now")
                .remedy("try again")),
        }
    }

    /// The records of a tenant that are here, whether or not there is one.
    pub(super) async fn found(&self, tenant: &Tenant) -> Result<BTreeMap<(Kind, String), Record>> {
        let mut found = BTreeMap::new();
        for kind in Kind::ALL {
            match kind.owner() {
                Owner::Tenant => {
                    let [record] = self.records([&kind.id(tenant.as_str())]).await?;
                    found.extend(record.map(|record| ((kind, tenant.as_str().to_owned()), record)));
                }
                Owner::Field => {
                    let filter = Some(self.types.tokens_of(tenant)?);
                    let query = Query { filter, ..Query::all(self.types.token.clone(), PAGE) };
                    found.extend(
                        self.all(query)
                            .await?
                            .into_iter()
                            .map(|record| ((kind, record.label.clone()), record)),
                    );
                }
                Owner::Store => {}
            }
        }
        Ok(found)
    }

    /// What is known of what is kept beside documents, by resource type.
    async fn indexes(&self) -> Result<BTreeMap<String, Record>> {
        let records = self.all(Query::all(self.types.index.clone(), PAGE)).await?;
        Ok(records.into_iter().map(|record| (record.label.clone(), record)).collect())
    }

    /// Checks that what is kept here is what is kept there, or nothing yet.
    async fn check_indexes(&self, theirs: &BTreeMap<String, Bytes>) -> Result<()> {
        let ours = self.indexes().await?;
        for (name, record) in &ours {
            let ours: IndexBody = read(record)?;
            let theirs = theirs.get(name).map(|body| serde_json::from_slice::<IndexBody>(body)).transpose();
            let theirs = theirs.map_err(|error| corrupt(&record.id).caused_by(error))?;
            if theirs.as_ref() != Some(&ours) {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("the two stores were served with other schemas or by other versions: what is indexed or unique of {name} differs"),
                )
                .remedy("start a server of this version with the same configuration on each of the two once, then try again"));
            }
        }
        Ok(())
    }

    pub(super) async fn all(&self, mut query: Query) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        loop {
            let mut page = self.store.query(&self.system, &query).await.map_err(store_error)?;
            records.append(&mut page.records);
            match page.next {
                Some(position) => query.start = Start::After(position),
                None => return Ok(records),
            }
        }
    }
}

fn moved(label: &str, body: &Bytes, index: Vec<IndexEntry>) -> Content {
    Content {
        label: label.to_owned(),
        body: body.clone(),
        unique: Vec::new(),
        index,
        hidden: Vec::new(),
        person: None,
    }
}
