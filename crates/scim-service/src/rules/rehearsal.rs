//! A store on which writes can be rehearsed: it begins with what is there, and nothing that is written to it stays.
//!
//! What a write looks at is copied into a store in memory just before, as other rules make of it, and written there. So
//! whatever holds while a changeset commits holds here: addresses and names are somebody's, and people in one group. What
//! nothing looks at is not copied.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use scim_core::Result;
use scim_core::document::Document;
use scim_store::{
    ChangeKind, Changeset, CommitError, Committed, Conflict, Content, Edge, EdgePage, EdgeQuery, Guard,
    MemberDelta, MemoryStore, Operation, Page, Pending, Query, Record, Side, Store, StoreError, Tenant,
    UniqueKey, pass_on,
};

use super::{EMAIL, Rules, take_claim};
use crate::quirk::Quirks;
use crate::resource::content;

/// How many memberships are read at once.
const PAGE: usize = 1000;

/// A store and what was written over it.
pub(super) struct Rehearsal {
    truth: Arc<dyn Store>,
    copy: MemoryStore,
    copied: Mutex<Copied>,
    /// Who has a unique value, under the rules that are rehearsed.
    holders: HashMap<UniqueKey, String>,
    rules: Arc<Rules>,
    quirks: Quirks,
}

/// What is in the copy already.
#[derive(Default)]
struct Copied {
    /// Resources, and identifiers that lead to nothing.
    ids: HashSet<String>,
    /// Of whom all groups are known.
    members: HashSet<String>,
    /// Of which all members are known.
    groups: HashSet<String>,
}

impl Rehearsal {
    /// Nothing is written yet. `holders` says which User has a unique value under the rules.
    pub(super) fn new(
        truth: Arc<dyn Store>,
        holders: HashMap<UniqueKey, String>,
        rules: Arc<Rules>,
        quirks: Quirks,
    ) -> Self {
        let copied = Mutex::default();
        Self { truth, copy: MemoryStore::new(), copied, holders, rules, quirks }
    }

    fn copied(&self) -> MutexGuard<'_, Copied> {
        self.copied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of which this is the first time.
    fn first<'i>(
        &self,
        ids: impl IntoIterator<Item = &'i str>,
        of: impl Fn(&mut Copied) -> &mut HashSet<String>,
    ) -> Vec<&'i str> {
        let mut copied = self.copied();
        ids.into_iter().filter(|id| of(&mut copied).insert((*id).to_owned())).collect()
    }

    /// Copies resources, without their memberships.
    async fn copy(&self, tenant: &Tenant, ids: Vec<&str>) -> Result<(), StoreError> {
        let ids = self.first(ids, |copied| &mut copied.ids);
        if ids.is_empty() {
            return Ok(());
        }
        let records = self.truth.get(tenant, &ids).await?;
        for record in records.into_iter().flatten() {
            let content = self.derive(&record).map_err(|error| StoreError::Fault(Box::new(error)))?;
            let Record { id, resource_type, created, .. } = record;
            let members = MemberDelta::default();
            self.write(tenant, created, Operation::Create { id, resource_type, content, members }).await?;
        }
        Ok(())
    }

    fn derive(&self, record: &Record) -> Result<Content> {
        let Some(resource_type) = self.rules.registry.resource_type(&record.resource_type) else {
            let (label, body) = (record.label.clone(), record.body.clone());
            let (unique, index, hidden) = (Vec::new(), Vec::new(), Vec::new());
            return Ok(Content { label, body, unique, index, hidden, person: None });
        };
        let document = Document::from_stored(&record.body)?;
        let mut content = content(&document, resource_type, self.quirks, record.modified);
        self.rules.derive(&document, resource_type, &mut content);
        // Of several people with one address, the first has it.
        content.unique.retain(|key| *key.path != *EMAIL || self.holders.get(key) == Some(&record.id));
        Ok(content)
    }

    /// Copies all groups of these members.
    async fn copy_groups(&self, tenant: &Tenant, members: Vec<&str>) -> Result<(), StoreError> {
        self.copy(tenant, members.clone()).await?;
        let of = self.first(members, |copied| &mut copied.members);
        for edge in self.memberships(tenant, Side::Groups, of).await? {
            // Of a group that is known, it is known as well whether somebody is in it by now.
            if !self.copied().groups.contains(&edge.id) {
                self.link(tenant, edge.id, edge.of).await?;
            }
        }
        Ok(())
    }

    /// Copies all members of these groups.
    async fn copy_members(&self, tenant: &Tenant, groups: Vec<&str>) -> Result<(), StoreError> {
        self.copy(tenant, groups.clone()).await?;
        let of = self.first(groups, |copied| &mut copied.groups);
        for edge in self.memberships(tenant, Side::Members, of).await? {
            if !self.copied().members.contains(&edge.id) {
                self.link(tenant, edge.of, edge.id).await?;
            }
        }
        Ok(())
    }

    async fn memberships(&self, tenant: &Tenant, side: Side, of: Vec<&str>) -> Result<Vec<Edge>, StoreError> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let of = of.into_iter().map(str::to_owned).collect();
        let mut query = EdgeQuery { side, of, after: None, count: PAGE };
        let mut edges: Vec<Edge> = Vec::new();
        loop {
            let page = self.truth.edges(tenant, &query).await?;
            edges.extend(page.edges);
            match edges.last() {
                Some(last) if page.more => query.after = Some((last.of.clone(), last.id.clone())),
                _ => return Ok(edges),
            }
        }
    }

    async fn link(&self, tenant: &Tenant, group: String, member: String) -> Result<(), StoreError> {
        self.copy(tenant, vec![&group, &member]).await?;
        let Some(record) = self.copy.get(tenant, &[&group]).await?.pop().flatten() else { return Ok(()) };
        let operation = Operation::Replace {
            id: group,
            resource_type: record.resource_type,
            guard: Guard::Exists,
            content: None,
            members: MemberDelta { add: vec![member], ..MemberDelta::default() },
            kind: ChangeKind::MembersChanged,
        };
        self.write(tenant, record.modified, operation).await
    }

    async fn write(
        &self,
        tenant: &Tenant,
        at: scim_core::time::Timestamp,
        mut operation: Operation,
    ) -> Result<(), StoreError> {
        loop {
            let operations = vec![operation.clone()];
            let changeset = Changeset { operations, epoch: self.rules.epoch, ..Changeset::new(at) };
            match self.copy.commit(tenant, changeset).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Store(error)) => return Err(error),
                // Two groups of one name may have been there before the connection wanted it unique. And what is copied is not
                // one state: a name can have gone from somebody who was copied to somebody who is.
                Err(CommitError::Conflict(Conflict::Unique { path, .. }))
                    if take_claim(&mut operation, &path).is_some() => {}
                // Whoever was found to be a member was deleted before they were looked up.
                Err(CommitError::Conflict(Conflict::UnknownMembers { .. })) => return Ok(()),
                Err(error @ CommitError::Conflict(_)) => return Err(StoreError::Fault(Box::new(error))),
            }
        }
    }

    /// Copies everything that an operation looks at.
    async fn prepare(&self, tenant: &Tenant, operation: &Operation) -> Result<(), StoreError> {
        let (id, content, members) = match operation {
            Operation::Create { id, content, members, .. } => (id, Some(content), Some(members)),
            Operation::Replace { id, content, members, .. } => (id, content.as_ref(), Some(members)),
            Operation::Rederive { id, .. } | Operation::Delete { id, .. } => (id, None, None),
        };
        let unique = content.map_or(&[] as &[_], |content| &content.unique);
        let mut ids: Vec<&str> =
            unique.iter().filter_map(|key| self.holders.get(key)).map(String::as_str).collect();
        ids.push(id);
        self.copy(tenant, ids).await?;
        let Some(MemberDelta { clear, add, remove, .. }) = members else { return Ok(()) };
        if *clear {
            self.copy_members(tenant, vec![id]).await?;
        }
        self.copy_groups(tenant, add.iter().chain(remove).map(String::as_str).collect()).await
    }
}

impl Store for Rehearsal {
    pass_on!(self => &*self.truth; crowded, persons, changes, audit, reports);

    fn get<'a>(&'a self, tenant: &'a Tenant, ids: &'a [&'a str]) -> Pending<'a, Vec<Option<Record>>> {
        Box::pin(async move {
            self.copy(tenant, ids.to_vec()).await?;
            self.copy.get(tenant, ids).await
        })
    }

    /// The whole first page. What matched in truth may not match by now, so that as many more are looked at as are copied.
    fn query<'a>(&'a self, tenant: &'a Tenant, query: &'a Query) -> Pending<'a, Page> {
        Box::pin(async move {
            let count = query.count.saturating_add(self.copied().ids.len());
            let page = self.truth.query(tenant, &Query { count, ..query.clone() }).await?;
            self.copy(tenant, page.records.iter().map(|record| record.id.as_str()).collect()).await?;
            self.copy.query(tenant, query).await
        })
    }

    fn edges<'a>(&'a self, tenant: &'a Tenant, query: &'a EdgeQuery) -> Pending<'a, EdgePage> {
        Box::pin(async move {
            let of = query.of.iter().map(String::as_str).collect();
            match query.side {
                Side::Members => self.copy_members(tenant, of).await?,
                Side::Groups => self.copy_groups(tenant, of).await?,
            }
            self.copy.edges(tenant, query).await
        })
    }

    /// What is said of a write is not kept, and so nothing is settled.
    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        Box::pin(async move {
            let Changeset { at, epoch, operations, .. } = changeset;
            for operation in &operations {
                self.prepare(tenant, operation).await?;
            }
            self.copy.commit(tenant, Changeset { epoch, operations, ..Changeset::new(at) }).await
        })
    }
}
