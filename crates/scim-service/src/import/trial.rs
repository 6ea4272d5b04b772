//! A store on which rows are tried out one after the other: it reads what is there, writes nothing, and holds each row to
//! the unique values of all the others, as the real one would.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use scim_core::filter::Filter;
use scim_core::schema::ResourceType;
use scim_core::{Error, ErrorKind, Result};
use scim_policy::Finding;
use scim_policy::value::email::EmailAddress;
use scim_store::{
    Applied, Changeset, CommitError, Committed, Conflict, Operation, Pending, PersonPage, PersonQuery, Query,
    Report, Store, StoreError, Tenant, UniqueKey, pass_on,
};
use serde_json::Value;

use crate::context::store_error;
use crate::rules::EMAIL;

/// Most refusals of one import that are kept. All of them are told.
const MOST_KEPT: usize = 1000;
/// How many persons are read at once.
const PAGE: usize = 1000;

/// The store behind, and what the rows so far would have changed of it.
pub(super) struct Trial {
    store: Arc<dyn Store>,
    /// That of Users.
    resource_type: Arc<ResourceType>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who has which address. Nothing until the first row.
    addresses: Option<HashMap<String, String>>,
    /// Who would have which other unique value.
    others: HashMap<(Arc<str>, String), String>,
    /// The addresses that each has had, so that they can be given up.
    held: HashMap<String, String>,
    /// Who was in a row already. What the store has of them is out of date.
    rewritten: HashSet<String>,
    said: Vec<Finding>,
    record: bool,
    kept: usize,
}

impl Trial {
    pub(super) fn new(store: Arc<dyn Store>, resource_type: Arc<ResourceType>) -> Self {
        Self { store, resource_type, state: Mutex::default() }
    }

    /// Makes ready for a row.
    pub(super) async fn begin(&self, tenant: &Tenant, record: bool) -> Result<()> {
        if self.with(|state| {
            state.record = record;
            state.said.clear();
            state.addresses.is_some()
        }) {
            return Ok(());
        }
        let (mut addresses, mut held) = (HashMap::new(), HashMap::new());
        let mut after: Option<String> = None;
        loop {
            let query = PersonQuery::Page { after, count: PAGE };
            let PersonPage { persons, more } =
                self.store.persons(tenant, &query).await.map_err(store_error)?;
            after = persons.last().map(|record| record.id.clone());
            for record in persons {
                let email = record.person.email.filter(|_| record.person.active);
                let Some(Ok(address)) = email.as_deref().map(EmailAddress::parse) else { continue };
                let key = address.key();
                if !addresses.contains_key(&key) {
                    addresses.insert(key.clone(), record.id.clone());
                    held.insert(record.id, key);
                }
            }
            if !more {
                break;
            }
        }
        self.with(|state| {
            state.addresses = Some(addresses);
            state.held = held;
        });
        Ok(())
    }

    /// What was said of the row.
    pub(super) fn said(&self) -> Vec<Finding> {
        self.with(|state| std::mem::take(&mut state.said))
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn hear(&self, reports: &[Report]) {
        let findings = reports.iter().filter_map(|report| serde_json::from_slice(&report.findings).ok());
        let said: Vec<Finding> = findings.flat_map(|findings: Vec<Finding>| findings).collect();
        self.with(|state| state.said = said);
    }

    async fn try_out(
        &self,
        tenant: &Tenant,
        changeset: Changeset,
    ) -> std::result::Result<Committed, CommitError> {
        self.hear(&changeset.reports);
        let at = changeset.at;
        let keeps = changeset.operations.is_empty()
            && self.with(|state| {
                state.kept += 1;
                state.record && state.kept <= MOST_KEPT
            });
        if keeps {
            return self.store.commit(tenant, changeset).await;
        }
        let mut applied = Vec::with_capacity(changeset.operations.len());
        for (position, operation) in changeset.operations.iter().enumerate() {
            let (id, unique) = match operation {
                Operation::Create { id, content, .. } => (id, &content.unique),
                Operation::Replace { id, content: Some(content), .. } => (id, &content.unique),
                Operation::Replace { content: None, .. }
                | Operation::Rederive { .. }
                | Operation::Delete { .. } => return Err(fault("an import writes whole Users only").into()),
            };
            self.claim(tenant, position, id, unique).await?;
            applied.push(Applied { version: 0, created: at, modified: at, changed: true });
        }
        Ok(Committed { sequence: 0, applied })
    }

    /// Gives somebody these unique values in place of those from before, unless somebody else has one of them.
    async fn claim(
        &self,
        tenant: &Tenant,
        operation: usize,
        id: &str,
        unique: &[UniqueKey],
    ) -> std::result::Result<(), CommitError> {
        let taken = |path: &Arc<str>, holder: String| {
            CommitError::Conflict(Conflict::Unique { operation, path: Arc::clone(path), holder })
        };
        // Whoever is created has no namesake, and whoever is changed was found by the name.
        let others = || unique.iter().filter(|key| ![EMAIL, "userName"].contains(&&*key.path));
        for key in others() {
            let here = (Arc::clone(&key.path), key.value.clone());
            let holder = match self.with(|state| state.others.get(&here).cloned()) {
                Some(holder) => Some(holder),
                None => {
                    let holder = self.holder(tenant, key).await?;
                    holder.filter(|holder| self.with(|state| !state.rewritten.contains(holder)))
                }
            };
            if let Some(holder) = holder.filter(|holder| holder != id) {
                return Err(taken(&key.path, holder));
            }
        }
        let email = unique.iter().find(|key| *key.path == *EMAIL);
        self.with(|state| {
            let addresses = state.addresses.get_or_insert_default();
            if let Some(key) = email
                && let Some(holder) = addresses.get(&key.value).filter(|holder| *holder != id)
            {
                return Err(taken(&key.path, holder.clone()));
            }
            if let Some(before) = state.held.remove(id) {
                addresses.remove(&before);
            }
            if let Some(key) = email {
                addresses.insert(key.value.clone(), id.to_owned());
                state.held.insert(id.to_owned(), key.value.clone());
            }
            state.rewritten.insert(id.to_owned());
            for key in others() {
                state.others.insert((Arc::clone(&key.path), key.value.clone()), id.to_owned());
            }
            Ok(())
        })
    }

    /// Who has a unique value in the store.
    async fn holder(
        &self,
        tenant: &Tenant,
        key: &UniqueKey,
    ) -> std::result::Result<Option<String>, StoreError> {
        let literal = Value::from(key.value.as_str());
        let Ok(filter) = Filter::parse(&format!("{} eq {literal}", key.path), &self.resource_type) else {
            return Ok(None);
        };
        let query = Query { filter: Some(filter), ..Query::all(Arc::clone(&self.resource_type), 1) };
        let page = self.store.query(tenant, &query).await?;
        Ok(page.records.into_iter().next().map(|record| record.id))
    }
}

fn fault(words: &'static str) -> StoreError {
    StoreError::Fault(Error::new(ErrorKind::Internal, words).into())
}

impl Store for Trial {
    pass_on!(self => &*self.store; get, query, edges, crowded, persons, changes, audit, reports);

    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        Box::pin(self.try_out(tenant, changeset))
    }
}
