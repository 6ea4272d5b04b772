//! `POST /Users` (RFC 7644 §3.3).

use std::sync::Arc;

use bytes::Bytes;
use scim_core::document::Document;
use scim_core::filter::Filter;
use scim_core::path::AttributePath;
use scim_core::schema::{Membership, ResourceType};
use scim_core::{Error, ErrorKind, Result, decode};
use scim_store::{Applied, Conflict, Content, Hidden, Operation, Query, Record};
use serde_json::Value;

use super::{MemberChange, content};
use crate::context::{Context, store_error};
use crate::quirk::{Quirk, rewrite_resource};
use crate::rules::Remarks;

/// A resource that is decoded and checked, and not yet stored.
pub(crate) struct Planned {
    pub(crate) operation: Operation,
    pub(crate) remarks: Remarks,
    pub(crate) resource: NewResource,
}

/// A resource to create, as it will be shown.
pub(crate) struct NewResource {
    pub(crate) id: String,
    pub(crate) resource_type: Arc<ResourceType>,
    label: String,
    body: Bytes,
}

impl NewResource {
    /// The record that the store has made of it.
    fn into_record(self, applied: Applied) -> Record {
        Record {
            id: self.id,
            resource_type: Arc::clone(self.resource_type.shared_name()),
            version: applied.version,
            created: applied.created,
            modified: applied.modified,
            label: self.label,
            body: self.body,
        }
    }
}

impl Context<'_> {
    /// Creates a resource.
    pub(crate) async fn create(&self, resource_type: &Arc<ResourceType>, body: Value) -> Result<Record> {
        let Planned { operation, remarks, resource } =
            self.plan_create(resource_type, body, self.new_id()).await?;
        let action = format!("POST {}", resource_type.endpoint());
        let committed = self.commit(vec![operation], action, 201, remarks).await?;
        let committed = match committed {
            Ok(committed) => committed,
            Err(error) => return Err(self.commit_error(error, resource_type).await),
        };
        match committed.applied.first() {
            Some(applied) => Ok(resource.into_record(*applied)),
            None => Err(Error::new(ErrorKind::Internal, "the store did not say what it did")),
        }
    }

    /// Decodes a resource to create. The client's own `id` never counts.
    pub(crate) async fn plan_create(
        &self,
        resource_type: &Arc<ResourceType>,
        mut body: Value,
        id: String,
    ) -> Result<Planned> {
        rewrite_resource(&mut body, resource_type, self.quirks);
        MemberChange::prepare_sent(&mut body, resource_type)?;
        let decode::Decoded { mut document, hidden } = decode::resource(&body, resource_type)?;
        let is_account = resource_type.membership() == Some(Membership::Member);
        if is_account && resource_type.attribute("active").is_some() {
            // Only an explicit `true` is active, so what a new account is by default is said.
            document.fill("active", true);
        }
        let members = MemberChange::of_document(&mut document, resource_type)?;
        self.check_group_name(&document, None, resource_type, None).await?;
        let mut content: Content = content(&document, resource_type, self.quirks, self.now);
        let mut members = members.into_delta(self.unknown_members);
        let mut remarks = Remarks::about_new(&document, resource_type);
        self.admit(&document, resource_type, &mut content, &mut remarks).await?;
        self.restrict(&mut members);
        self.remark_members(&id, Some(&content.label), &members, &mut remarks).await?;
        content.hidden = self.hide(hidden.into_iter().map(|(path, value)| (path, Some(value)))).await?;
        let resource = NewResource {
            id: id.clone(),
            resource_type: Arc::clone(resource_type),
            label: content.label.clone(),
            body: content.body.clone(),
        };
        let resource_type = Arc::clone(resource_type.shared_name());
        let operation = Operation::Create { id, resource_type, content, members };
        Ok(Planned { operation, remarks, resource })
    }

    /// Refuses the name of another group where names of groups are unique. The store's claims do as much for groups that
    /// were written under this rule; those from before it have none.
    pub(crate) async fn check_group_name(
        &self,
        document: &Document,
        old: Option<&Document>,
        resource_type: &Arc<ResourceType>,
        own_id: Option<&str>,
    ) -> Result<()> {
        let name_of = |document: &Document| document.as_map().get("displayName").cloned();
        let is_group = resource_type.membership() == Some(Membership::Group);
        let name = name_of(document).filter(|name| old.and_then(name_of).as_ref() != Some(name));
        let (Some(name), true) = (name, is_group && self.quirks.has(Quirk::UniqueGroupNames)) else {
            return Ok(());
        };
        let filter = Some(Filter::parse(&format!("displayName eq {name}"), resource_type)?);
        let query = Query { filter, ..Query::all(Arc::clone(resource_type), 2) };
        let page = self.store.query(self.tenant, &query).await.map_err(store_error)?;
        match page.records.into_iter().find(|record| Some(record.id.as_str()) != own_id) {
            None => Ok(()),
            Some(Record { id: holder, .. }) => {
                let conflict = Conflict::Unique { operation: 0, path: "displayName".into(), holder };
                Err(self.commit_error(conflict.into(), resource_type).await)
            }
        }
    }

    /// What is kept of attributes that are never returned. Passwords become hashes, or nothing.
    pub(crate) async fn hide(
        &self,
        values: impl Iterator<Item = (AttributePath, Option<Value>)>,
    ) -> Result<Vec<Hidden>> {
        let mut hidden = Vec::new();
        for (path, value) in values {
            let name: Arc<str> = path.to_string().into();
            if path.urn().is_some() || path.attribute().name() != "password" {
                hidden.push(Hidden { path: name, value: value.map(|value| value.to_string()) });
                continue;
            }
            let Some(hasher) = &self.settings.passwords else { continue };
            let value = match value {
                Some(Value::String(password)) => Some(hasher.hash(password).await.map_err(store_error)?),
                _ => None,
            };
            hidden.push(Hidden { path: name, value });
        }
        Ok(hidden)
    }
}
