//! `PATCH /Users/{id}` (RFC 7644 §3.5.2).
//!
//! Operations on a group's members become a delta of edges. A PATCH that consists of nothing else is written without
//! reading the group, so its cost does not depend on the group's size.

use std::sync::Arc;

use scim_core::document::Document;
use scim_core::filter::Filter;
use scim_core::patch::{Operation as Step, Patch};
use scim_core::path::AttributePath;
use scim_core::schema::{Membership, Registry, ResourceType};
use scim_core::{Error, ErrorKind, Result, decode};
use scim_store::{ChangeKind, CommitError, Conflict, EdgeQuery, Operation, Record, Side};
use serde_json::{Map, Value, json};

use super::members::MemberChange;
use super::replace::change_kind;
use super::work::Work;
use super::{content, render};
use crate::context::{Attempts, Context, store_error};
use crate::etag::Precondition;
use crate::quirk::{rewrite_patch, rewrite_step};
use crate::rules::Remarks;

/// What a PATCH left behind.
pub(crate) enum Modified {
    /// The whole record, which had to be read anyway.
    Record(Record),
    /// The version alone: only members changed.
    Version(u64),
}

impl Modified {
    /// The version afterwards.
    pub(crate) fn version(&self) -> u64 {
        match self {
            Self::Record(record) => record.version,
            Self::Version(version) => *version,
        }
    }
}

impl Context<'_> {
    /// Applies a PATCH, whole or not at all.
    pub(crate) async fn modify(
        &self,
        resource_type: &Arc<ResourceType>,
        id: &str,
        mut body: Value,
        precondition: &Precondition,
    ) -> Result<Modified> {
        let patch = self.decode_patch(resource_type, id, &mut body)?;
        let mut attempts = Attempts::new();
        loop {
            let outcome = match self.members_only(&patch, resource_type, precondition)? {
                Some(change) => self.modify_members(resource_type, id, change, precondition).await?,
                None => self.modify_document(resource_type, id, &patch, precondition).await?,
            };
            match outcome {
                Err(CommitError::Conflict(Conflict::Version { .. })) if !precondition.is_conditional() => {
                    attempts.lose()?;
                }
                Err(error) => return Err(self.commit_error(error, resource_type).await),
                Ok(modified) => return Ok(modified),
            }
        }
    }

    /// Whether a PATCH asks for nothing but to make somebody a member, or to end that.
    pub(crate) fn is_about_member(
        &self,
        resource_type: &ResourceType,
        group: &str,
        mut body: Value,
        member: &str,
    ) -> Result<bool> {
        let patch = self.decode_patch(resource_type, group, &mut body)?;
        let change = self.members_only(&patch, resource_type, &Precondition::NONE)?;
        Ok(change.is_some_and(|change| change.is_about(member)))
    }

    /// Reads a PATCH as the connection writes them.
    fn decode_patch(&self, resource_type: &ResourceType, id: &str, body: &mut Value) -> Result<Patch> {
        let nothing_before = is_empty(body);
        let origins = rewrite_patch(body, id, resource_type, self.quirks)?;
        let mut patch = match origins {
            // Quirks have shown that the request asks for nothing.
            Some(_) if is_empty(body) && !nothing_before => Patch { operations: Vec::new() },
            Some(origins) => Patch::decode_numbered(body, resource_type, |position| {
                origins.get(position).copied().unwrap_or(position)
            })?,
            None => Patch::decode(body, resource_type)?,
        };
        MemberChange::prepare_patch(&mut patch, resource_type);
        Ok(patch)
    }

    /// The change to the members, if that is all that the patch asks for and it can be known without reading.
    fn members_only(
        &self,
        patch: &Patch,
        resource_type: &ResourceType,
        precondition: &Precondition,
    ) -> Result<Option<MemberChange>> {
        if patch.operations.is_empty() || precondition.guard().is_none() {
            return Ok(None);
        }
        let mut change = MemberChange::default();
        for step in &patch.operations {
            if !MemberChange::concerns(step, resource_type)
                || change.apply(step).map_err(in_step(step))?.is_some()
            {
                return Ok(None);
            }
        }
        Ok(Some(change))
    }

    async fn modify_members(
        &self,
        resource_type: &Arc<ResourceType>,
        id: &str,
        change: MemberChange,
        precondition: &Precondition,
    ) -> Result<std::result::Result<Modified, CommitError>> {
        let mut members = change.into_delta(self.unknown_members);
        let mut remarks = self.remarks_on(id, &members);
        self.restrict(&mut members);
        self.remark_members(id, None, &members, &mut remarks).await?;
        let operation = Operation::Replace {
            id: id.to_owned(),
            resource_type: Arc::clone(resource_type.shared_name()),
            guard: precondition.guard().unwrap_or(scim_store::Guard::Exists),
            content: None,
            members,
            kind: ChangeKind::MembersChanged,
        };
        let action = format!("PATCH {}/{id}", resource_type.endpoint());
        let committed = self.commit(vec![operation], action, 204, remarks).await?;
        Ok(committed.map(|committed| {
            Modified::Version(committed.applied.first().map_or(0, |applied| applied.version))
        }))
    }

    /// Reads, applies step by step, writes if the record is still the same.
    async fn modify_document(
        &self,
        resource_type: &Arc<ResourceType>,
        id: &str,
        patch: &Patch,
        precondition: &Precondition,
    ) -> Result<std::result::Result<Modified, CommitError>> {
        let current = self.record(resource_type, id).await?;
        precondition.check(current.version)?;
        let old = Document::from_stored(&current.body)?;
        let mut new = old.clone();
        let mut members = MemberChange::default();
        let mut hidden: Vec<(AttributePath, Option<Value>)> = Vec::new();
        let mut work = Work::beginning_with(&current, self);
        for step in &patch.operations {
            if MemberChange::concerns(step, resource_type) {
                if let Some(filter) = members.apply(step).map_err(in_step(step))? {
                    let matching = self.matching_members(&current.id, filter, &members, &mut work).await?;
                    members.finish(step, matching).map_err(in_step(step))?;
                }
            } else {
                work.step(step).await?;
                let step = rewrite_step(step.clone(), &new, self.quirks);
                hidden.extend(step.apply(&mut new, resource_type)?);
            }
        }
        decode::complete(&mut new, resource_type)?;
        let hidden = self.hide(hidden.into_iter()).await?;
        let members = members.into_delta(self.unknown_members);
        if new == old && members.is_empty() && hidden.is_empty() {
            if resource_type.membership() == Some(Membership::Member) {
                self.settle_unchanged(&current.id).await?;
            }
            return Ok(Ok(Modified::Record(current)));
        }
        self.check_group_name(&new, Some(&old), resource_type, Some(&current.id)).await?;
        let mut content = content(&new, resource_type, self.quirks, self.now);
        let most = self.settings.max_body;
        if content.body.len() > most.max(current.body.len()) {
            let explanation = format!("the resource would be larger than {most} bytes");
            return Err(Error::new(ErrorKind::TooLarge, explanation).remedy("take something away first"));
        }
        content.hidden = hidden;
        let mut remarks = match resource_type.membership() {
            Some(Membership::Group) => self.remarks_on(&current.id, &members),
            Some(Membership::Member) | None => Remarks::about_changed(&current.id, &old, &new, resource_type),
        };
        self.admit(&new, resource_type, &mut content, &mut remarks).await?;
        let kind = change_kind(&old, &new);
        let action = format!("PATCH {}/{id}", resource_type.endpoint());
        let written = self.write(resource_type, &current, content, members, kind, action, remarks).await?;
        Ok(written.map(Modified::Record))
    }

    /// The members that match a filter which only the members themselves can answer, as the change so far has them.
    async fn matching_members(
        &self,
        group: &str,
        filter: &Filter,
        change: &MemberChange,
        work: &mut Work<'_>,
    ) -> Result<Vec<String>> {
        let mut query =
            EdgeQuery { side: Side::Members, of: vec![group.to_owned()], after: None, count: 10_000 };
        let mut matching = Vec::new();
        loop {
            let page = self.store.edges(self.tenant, &query).await.map_err(store_error)?;
            work.members(page.edges.len(), filter).await?;
            for edge in &page.edges {
                if !change.drops(&edge.id) && filter.matches(&element(self.registry, self.base, edge)) {
                    matching.push(edge.id.clone());
                }
            }
            match page.edges.last() {
                Some(last) if page.more => query.after = Some((last.of.clone(), last.id.clone())),
                _ => break,
            }
        }
        let added = change.added();
        work.members(added.len(), filter).await?;
        let records = self.store.get(self.tenant, &added).await.map_err(store_error)?;
        for record in records.into_iter().flatten() {
            let edge = scim_store::Edge {
                of: group.to_owned(),
                id: record.id,
                resource_type: record.resource_type,
                label: record.label,
                since: 0,
            };
            if filter.matches(&element(self.registry, self.base, &edge)) {
                matching.push(edge.id);
            }
        }
        Ok(matching)
    }
}

/// A member as filters see it.
fn element(registry: &Registry, base: &str, edge: &scim_store::Edge) -> Map<String, Value> {
    let element = json!({
        "value": edge.id,
        "type": &*edge.resource_type,
        // As answers show it: a member without a name has none, rather than an empty one.
        "display": (!edge.label.is_empty()).then_some(&edge.label),
        "$ref": render::member_location(registry, base, edge),
    });
    match element {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn in_step(step: &Step) -> impl Fn(Error) -> Error {
    let number = step.index + 1;
    move |error| error.context(format_args!("operation {number}"))
}

fn is_empty(body: &Value) -> bool {
    let operations = body.as_object().and_then(|message| {
        message
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("Operations"))
            .map(|(_, operations)| operations)
    });
    operations.and_then(Value::as_array).is_some_and(Vec::is_empty)
}
