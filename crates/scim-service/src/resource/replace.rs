//! `PUT /Users/{id}` (RFC 7644 §3.5.1).

use std::sync::Arc;

use scim_core::document::Document;
use scim_core::schema::ResourceType;
use scim_core::{Result, decode};
use scim_store::{
    Applied, ChangeKind, CommitError, Conflict, Content, Guard, MemberDelta, Operation, Record,
};
use serde_json::Value;

use super::{MemberChange, content};
use crate::context::{Attempts, Context};
use crate::etag::Precondition;
use crate::quirk::rewrite_resource;
use crate::rules::Remarks;

impl Context<'_> {
    /// Replaces a resource. What the body leaves out is unassigned, except `active`: only an explicit value changes
    /// that, so that nobody is let in again by omission.
    pub(crate) async fn replace(
        &self,
        resource_type: &Arc<ResourceType>,
        id: &str,
        mut body: Value,
        precondition: &Precondition,
    ) -> Result<Record> {
        rewrite_resource(&mut body, resource_type, self.quirks);
        MemberChange::prepare_sent(&mut body, resource_type)?;
        let decode::Decoded { mut document, hidden } = decode::resource(&body, resource_type)?;
        let members = MemberChange::of_document(&mut document, resource_type)?;
        let members = members.into_delta(self.unknown_members);
        let hidden = self.hide(hidden.into_iter().map(|(path, value)| (path, Some(value)))).await?;
        let mut attempts = Attempts::new();
        loop {
            let current = self.record(resource_type, id).await?;
            precondition.check(current.version)?;
            let old = Document::from_stored(&current.body)?;
            decode::check_immutable(&old, &document, resource_type)?;
            let mut new = document.clone();
            if let Some(active) = old.as_map().get("active") {
                new.fill("active", active.clone());
            }
            self.check_group_name(&new, Some(&old), resource_type, Some(id)).await?;
            let mut content = content(&new, resource_type, self.quirks, self.now);
            content.hidden.clone_from(&hidden);
            let mut remarks = Remarks::about_changed(id, &old, &new, resource_type);
            self.admit(&new, resource_type, &mut content, &mut remarks).await?;
            let kind = change_kind(&old, &new);
            let action = format!("PUT {}/{id}", resource_type.endpoint());
            match self.write(resource_type, &current, content, members.clone(), kind, action, remarks).await?
            {
                Err(CommitError::Conflict(Conflict::Version { .. })) if !precondition.is_conditional() => {
                    attempts.lose()?;
                }
                Err(error) => return Err(self.commit_error(error, resource_type).await),
                Ok(record) => return Ok(record),
            }
        }
    }

    /// Writes new content over a record that was read, if it is still the same.
    ///
    /// # Errors
    /// The refusal by the tenant's rules.
    #[expect(clippy::too_many_arguments, reason = "all that a write is made of, and two callers")]
    pub(crate) async fn write(
        &self,
        resource_type: &Arc<ResourceType>,
        current: &Record,
        content: Content,
        mut members: MemberDelta,
        kind: ChangeKind,
        action: String,
        mut remarks: Remarks,
    ) -> Result<std::result::Result<Record, CommitError>> {
        self.restrict(&mut members);
        self.remark_members(&current.id, Some(&content.label), &members, &mut remarks).await?;
        let label = content.label.clone();
        let body = content.body.clone();
        let operation = Operation::Replace {
            id: current.id.clone(),
            resource_type: Arc::clone(resource_type.shared_name()),
            guard: Guard::Version(current.version),
            content: Some(content),
            members,
            kind,
        };
        let committed = match self.commit(vec![operation], action, 200, remarks).await? {
            Ok(committed) => committed,
            Err(error) => return Ok(Err(error)),
        };
        let unchanged = Applied {
            version: current.version,
            created: current.created,
            modified: current.modified,
            changed: false,
        };
        let applied = committed.applied.first().copied().unwrap_or(unchanged);
        Ok(Ok(Record {
            id: current.id.clone(),
            resource_type: Arc::clone(&current.resource_type),
            version: applied.version,
            created: applied.created,
            modified: applied.modified,
            label,
            body,
        }))
    }
}

/// How the log calls the step from one document to the next. Only an explicit `true` is active.
pub(super) fn change_kind(old: &Document, new: &Document) -> ChangeKind {
    let active = |document: &Document| document.as_map().get("active") == Some(&Value::Bool(true));
    match (active(old), active(new)) {
        (true, false) => ChangeKind::Deactivated,
        (false, true) => ChangeKind::Reactivated,
        (true, true) | (false, false) => ChangeKind::Modified,
    }
}
