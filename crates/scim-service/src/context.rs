//! The context of one authenticated request, and the one way from it to the store.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use scim_core::document::Document;
use scim_core::path::AttributePath;
use scim_core::schema::{Membership, Registry, ResourceType};
use scim_core::text::excerpt;
use scim_core::time::Timestamp;
use scim_core::{Error, ErrorKind, Result};
use scim_store::{
    CommitError, Conflict, Edge, EdgeQuery, Record, Retry, Side, Store, StoreError, Tenant, UnknownMembers,
};
use serde_json::Value;

use crate::environment::Environment;
use crate::quirk::Quirks;
use crate::resource::Spent;
use crate::rules::{Origin, Rules};
use crate::settings::Settings;

/// Everything that an operation may know of its request.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) registry: &'a Registry,
    /// What the tenant speaks and what it is held to.
    pub(crate) rules: &'a Rules,
    pub(crate) environment: &'a dyn Environment,
    pub(crate) settings: &'a Settings,
    pub(crate) tenant: &'a Tenant,
    pub(crate) quirks: Quirks,
    /// What becomes of members that do not exist.
    pub(crate) unknown_members: UnknownMembers,
    /// The tenant's base URL, without a trailing slash.
    pub(crate) base: &'a str,
    /// The credential.
    pub(crate) actor: &'a str,
    /// The request's identifier.
    pub(crate) request: &'a str,
    /// The request that is carried out, or the one inside it.
    pub(crate) origin: Origin<'a>,
    /// The report whose request is carried out again.
    pub(crate) retries: Option<&'a Retry>,
    pub(crate) course: &'a Course,
    pub(crate) now: Timestamp,
}

/// What has become of a request so far.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Set when other rules came into force before the request was carried out.
    pub(crate) stale: AtomicBool,
    pub(crate) spent: Spent,
}

/// How often a write that lost a race is planned again before the client is asked to come back.
const ATTEMPTS: usize = 200;

impl Context<'_> {
    /// A new identifier: a UUID of version 7, so that identifiers sort by creation.
    pub(crate) fn new_id(&self) -> String {
        let mut random = [0; 10];
        self.environment.fill(&mut random);
        let millis = u64::try_from(self.now.0).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
    }

    /// The record of this type and identifier.
    ///
    /// # Errors
    /// `NotFound` in the same words for every identifier, and those of [`Self::go_over`].
    pub(crate) async fn record(&self, resource_type: &ResourceType, id: &str) -> Result<Record> {
        let mut records = self.store.get(self.tenant, &[id]).await.map_err(store_error)?;
        match records.pop().flatten() {
            Some(record) if *record.resource_type == *resource_type.name() => {
                self.go_over(record.body.len()).await?;
                Ok(record)
            }
            _ => Err(not_found(resource_type)),
        }
    }

    /// Goes over so many bytes of resources, and lets others have their turn now and then.
    ///
    /// # Errors
    /// `tooMany` when the request has gone over too many.
    pub(crate) async fn go_over(&self, bytes: usize) -> Result<()> {
        if self.course.spent.over(bytes)? {
            self.environment.pause().await;
        }
        Ok(())
    }

    /// The record of this type and identifier, and the groups that it is in.
    ///
    /// # Errors
    /// `NotFound` as [`Self::record`], and `tooMany` when there are more groups than one answer may hold.
    pub(crate) async fn member(&self, resource_type: &ResourceType, id: &str) -> Result<(Record, Vec<Edge>)> {
        let count = self.settings.max_members;
        let found = self.store.get_with_edges(self.tenant, id, Side::Groups, count).await;
        match found.map_err(store_error)? {
            Some((record, page)) if *record.resource_type == *resource_type.name() => match page.more {
                false => Ok((record, page.edges)),
                true => Ok((record, self.memberships(resource_type, vec![id.to_owned()]).await?)),
            },
            _ => Err(not_found(resource_type)),
        }
    }

    /// The memberships to show with these resources: a group's members or a member's groups.
    ///
    /// # Errors
    /// `tooMany` when there are more than one answer may hold.
    pub(crate) async fn memberships(
        &self,
        resource_type: &ResourceType,
        ids: Vec<String>,
    ) -> Result<Vec<Edge>> {
        let side = match resource_type.membership() {
            Some(Membership::Group) => Side::Members,
            Some(Membership::Member) => Side::Groups,
            None => return Ok(Vec::new()),
        };
        let mut query =
            EdgeQuery { side, of: ids, after: None, count: self.settings.max_members.saturating_add(1) };
        let mut edges: Vec<Edge> = Vec::new();
        loop {
            let page = self.store.edges(self.tenant, &query).await.map_err(store_error)?;
            edges.extend(page.edges);
            if edges.len() > self.settings.max_members {
                return Err(Error::new(ErrorKind::TooMany, "the answer would hold too many members")
                    .remedy("ask for fewer groups, or add `excludedAttributes=members`"));
            }
            match edges.last() {
                Some(last) if page.more => query.after = Some((last.of.clone(), last.id.clone())),
                _ => return Ok(edges),
            }
        }
    }
}

/// Counts the attempts of a write that loses races.
pub(crate) struct Attempts(usize);

impl Attempts {
    pub(crate) fn new() -> Self {
        Self(ATTEMPTS)
    }

    /// One attempt less.
    ///
    /// # Errors
    /// `Unavailable` when none is left. Nothing was changed.
    pub(crate) fn lose(&mut self) -> Result<()> {
        self.0 = self.0.saturating_sub(1);
        if self.0 > 0 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "others are changing the resource all the time; nothing was changed",
        )
        .remedy("try again"))
    }
}

/// The refusal of an identifier that leads to nothing, in the same words whatever the reason.
fn not_found(resource_type: &ResourceType) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no {} with this id", resource_type.name()))
        .remedy("it may have been deleted; look it up again")
}

/// What a failing store means for the client.
pub(crate) fn store_error(error: StoreError) -> Error {
    let (kind, words) = match &error {
        StoreError::Unavailable(_) => (ErrorKind::Unavailable, "the store is not available"),
        StoreError::Full(_) => {
            (ErrorKind::InsufficientStorage, "the store has no room left; nothing was changed")
        }
        StoreError::Fault(_) => (ErrorKind::Internal, "the store failed"),
    };
    let failure = Error::new(kind, words).caused_by(error);
    match kind {
        ErrorKind::Unavailable => failure.remedy("try again; the outcome of a write is not known"),
        _ => failure,
    }
}

impl Context<'_> {
    /// As [`commit_error`]. Where a value is somebody's already, it and its holder are named, as far as they can be read.
    pub(crate) async fn commit_error(&self, error: CommitError, resource_type: &Arc<ResourceType>) -> Error {
        if let CommitError::Conflict(Conflict::Unique { path, holder, .. }) = &error
            && let Ok(records) = self.store.get(self.tenant, &[holder]).await
            && let Some(record) = records.into_iter().flatten().next()
            && let Ok(document) = Document::from_stored(&record.body)
            && let Ok(attribute) = AttributePath::parse(path, resource_type)
            && let Some(value) = attribute.values(document.as_map()).find_map(Value::as_str)
        {
            let name = resource_type.name();
            let state = match document.as_map().get("active") {
                Some(Value::Bool(false)) => ", which is not active",
                _ => "",
            };
            let words =
                format!("the `{path}` `{}` is taken by the {name} with id `{holder}`{state}", excerpt(value));
            return Error::new(ErrorKind::Uniqueness, words)
                .at(path)
                .remedy(format!("update that {name}, delete it, or choose another `{path}`"));
        }
        commit_error(error, resource_type)
    }
}

/// What a failing commit means for the client. `resource_type` is that of the operation at fault.
pub(crate) fn commit_error(error: CommitError, resource_type: &Arc<ResourceType>) -> Error {
    let conflict = match error {
        CommitError::Store(error) => return store_error(error),
        CommitError::Conflict(conflict) => conflict,
    };
    match conflict {
        Conflict::Missing { .. } => not_found(resource_type),
        Conflict::Exists { .. } => {
            Error::new(ErrorKind::Conflict, "the id that was chosen is taken").remedy("try again")
        }
        Conflict::Version { current, .. } => crate::etag::failed(current),
        Conflict::Unique { path, holder, .. } => Error::new(
            ErrorKind::Uniqueness,
            format!("this `{path}` is taken by the {} with id `{holder}`", resource_type.name()),
        )
        .at(&path)
        .remedy(format!("update that {}, delete it, or choose another `{path}`", resource_type.name())),
        Conflict::UnknownMembers { ids, total, .. } => {
            let names: Vec<String> = ids.iter().map(|id| format!("`{}`", excerpt(id))).collect();
            let more = match total.saturating_sub(names.len()) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let count =
                if total == 1 { "a member that does".to_owned() } else { format!("{total} members that do") };
            let remedy = "provision them first, or take them out of the group";
            Error::new(
                ErrorKind::InvalidValue,
                format!("`members` has {count} not exist here ({remedy}): {}{more}", names.join(", ")),
            )
            .at("members")
        }
        Conflict::NestedGroup { member, .. } => Error::new(
            ErrorKind::InvalidValue,
            format!(
                "`members` has the group `{}`, and groups cannot be members of groups here",
                excerpt(&member)
            ),
        )
        .at("members")
        .remedy("assign the people themselves"),
        Conflict::Membership { member, group, .. } => Error::new(
            ErrorKind::InvalidValue,
            format!(
                "`members` has `{}`, who is in the group `{}` already, and can be in one only",
                excerpt(&member),
                excerpt(&group)
            ),
        )
        .at("members")
        .remedy("take the person out of one of the two groups"),
        Conflict::Epoch { .. } => outdated(),
        Conflict::Settled => overtaken(),
    }
}

/// The complaint about a write that was planned under rules that are no longer in force.
pub(crate) fn outdated() -> Error {
    let words = "the rules of this tenant have just been replaced; nothing was changed";
    Error::new(ErrorKind::Unavailable, words).remedy("try again")
}

/// The complaint about carrying out again what something newer has overtaken.
pub(crate) fn overtaken() -> Error {
    let words = "what was accepted since has overtaken the request; nothing was changed";
    Error::new(ErrorKind::Conflict, words).remedy("let the identity provider send it again")
}
