//! `GET /Users/{id}` (RFC 7644 §3.4.1), and how every answer shows one resource.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use scim_core::project::Projection;
use scim_core::schema::{Membership, ResourceType};
use scim_core::{ErrorKind, Result};
use scim_store::{Edge, Record};

use super::Answer;
use crate::context::Context;
use crate::etag::{self, Precondition};
use crate::reply::Reply;

impl Context<'_> {
    /// Reads a resource.
    pub(crate) async fn read(
        &self,
        resource_type: &Arc<ResourceType>,
        id: &str,
        projection: &Projection,
        headers: &HeaderMap,
    ) -> Result<Reply> {
        let (record, edges) = match resource_type.membership() {
            Some(Membership::Member) => self.member(resource_type, id).await?,
            Some(Membership::Group) | None => {
                let record = self.record(resource_type, id).await?;
                let edges = self.shown_with(resource_type, &record, projection).await?;
                (record, edges)
            }
        };
        Precondition::if_match(headers)?.check(record.version)?;
        let answer = self.answer(resource_type, &record, &edges);
        if etag::is_known(headers, answer.etag())? {
            // RFC 9110 §15.4.5: what tells caches of the 200, and no more of its headers.
            let known = Reply::empty(StatusCode::NOT_MODIFIED).etag(answer.etag());
            return Ok(known.content_location(answer.location()));
        }
        self.show(StatusCode::OK, &answer, projection)
    }

    /// Answers with a resource that was just created. A member of groups is in none yet, which need not be looked up.
    pub(crate) async fn show_created(
        &self,
        resource_type: &Arc<ResourceType>,
        record: &Record,
        projection: &Projection,
    ) -> Result<Reply> {
        match resource_type.membership() {
            Some(Membership::Member) | None => {
                self.show(StatusCode::CREATED, &self.answer(resource_type, record, &[]), projection)
            }
            Some(Membership::Group) => {
                self.show_written(StatusCode::CREATED, resource_type, record, projection).await
            }
        }
    }

    /// Answers with a resource that was just written. One with more members than an answer holds is shown without
    /// them: it must not look as if the write had failed.
    pub(crate) async fn show_written(
        &self,
        status: StatusCode,
        resource_type: &Arc<ResourceType>,
        record: &Record,
        projection: &Projection,
    ) -> Result<Reply> {
        match self.shown_with(resource_type, record, projection).await {
            Ok(edges) => self.show(status, &self.answer(resource_type, record, &edges), projection),
            Err(error) if error.kind() == ErrorKind::TooMany => {
                let projection = Projection::parse(&[], &["members", "groups"], resource_type)?;
                self.show(status, &self.answer(resource_type, record, &[]), &projection)
            }
            Err(error) => Err(error),
        }
    }

    /// The entity tag that the resource has for whoever reads it now.
    pub(crate) async fn etag(&self, resource_type: &Arc<ResourceType>, record: &Record) -> Result<String> {
        let edges = match resource_type.membership() {
            Some(Membership::Member) => self.memberships(resource_type, vec![record.id.clone()]).await?,
            Some(Membership::Group) | None => Vec::new(),
        };
        Ok(self.answer(resource_type, record, &edges).etag().to_owned())
    }

    /// The resource with what belongs to an answer that shows it.
    pub(crate) fn answer<'a>(
        &'a self,
        resource_type: &'a Arc<ResourceType>,
        record: &'a Record,
        edges: &'a [Edge],
    ) -> Answer<'a> {
        Answer::new(record, resource_type, edges, self.base, self.registry)
    }

    fn show(&self, status: StatusCode, answer: &Answer<'_>, projection: &Projection) -> Result<Reply> {
        let mut body = Vec::new();
        answer.write(projection, &mut body)?;
        Ok(Reply::json(status, body).etag(answer.etag()).shown_at(answer.location()))
    }

    /// The memberships that belong to an answer. A member's groups are part of its entity tag and always needed; a
    /// group's members only if they are shown.
    async fn shown_with(
        &self,
        resource_type: &ResourceType,
        record: &Record,
        projection: &Projection,
    ) -> Result<Vec<Edge>> {
        match resource_type.membership() {
            Some(Membership::Group) if !projection.includes("members") => Ok(Vec::new()),
            Some(_) => self.memberships(resource_type, vec![record.id.clone()]).await,
            None => Ok(Vec::new()),
        }
    }
}
