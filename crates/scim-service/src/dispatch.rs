//! From an endpoint and a method to the operation that they stand for, and from its outcome to the answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use scim_core::message::{BulkRequest, SearchRequest};
use scim_core::project::Projection;
use scim_core::schema::{Membership, ResourceType};
use scim_core::{Error, ErrorKind, Result, json};
use serde_json::Value;

use crate::Service;
use crate::bulk::bulk;
use crate::context::Context;
use crate::cursor::Seal;
use crate::etag::{self, Precondition};
use crate::reply::Reply;
use crate::resource::{Modified, Scope, location, search};
use crate::route::Endpoint;
use crate::{discovery, query};

impl Service {
    /// Carries out a request.
    pub(crate) async fn dispatch(
        &self,
        context: &Context<'_>,
        endpoint: Endpoint,
        parts: &http::request::Parts,
        sent: &Bytes,
    ) -> Result<Reply> {
        if endpoint.is_discovery() {
            discovery::check_query(parts.uri.query())?;
        }
        let query = || query::parse(parts.uri.query());
        match (endpoint, &parts.method) {
            (Endpoint::Me, _) => Err(Error::new(
                ErrorKind::NotImplemented,
                "/Me is not served: a provisioning client acts for an organisation, not for a person",
            )
            .remedy("use /Users")),
            (Endpoint::ServiceProviderConfig, _) => discovery::service_provider_config(context),
            (Endpoint::Schemas, _) => discovery::schemas(context),
            (Endpoint::Schema(urn), _) => discovery::schema(context, &urn),
            (Endpoint::ResourceTypes, _) => discovery::resource_types(context),
            (Endpoint::ResourceType(name), _) => discovery::resource_type(context, &name),
            (Endpoint::Root, _) => self.search(context, &Scope::Root, &query()?).await,
            (Endpoint::RootSearch, _) => {
                let request = SearchRequest::decode(&json::parse(sent)?)?;
                self.search(context, &Scope::Root, &request).await
            }
            (Endpoint::Search(resource_type), _) => {
                let request = SearchRequest::decode(&json::parse(sent)?)?;
                self.search(context, &Scope::Type(resource_type), &request).await
            }
            (Endpoint::Bulk, _) => {
                let request = BulkRequest::decode(&json::parse(sent)?, self.settings.max_operations)?;
                self.rates.charge(context.tenant, request.operations.len());
                bulk(context, request).await
            }
            (Endpoint::Collection(resource_type), &Method::POST) => {
                let query = query()?;
                projection(&query, &resource_type)?;
                let body = json::parse(sent)?;
                let projection = written(&query, &body, &resource_type)?;
                let record = context.create(&resource_type, body).await?;
                context.show_created(&resource_type, &record, &projection).await
            }
            (Endpoint::Collection(resource_type), _) => {
                self.search(context, &Scope::Type(resource_type), &query()?).await
            }
            (Endpoint::Resource(resource_type, id), method) => {
                let query = query()?;
                let projection = projection(&query, &resource_type)?;
                let precondition = Precondition::of(&parts.headers)?;
                match *method {
                    Method::PUT => {
                        let body = json::parse(sent)?;
                        let projection = written(&query, &body, &resource_type)?;
                        let record = context.replace(&resource_type, &id, body, &precondition).await?;
                        context.show_written(StatusCode::OK, &resource_type, &record, &projection).await
                    }
                    Method::PATCH => {
                        let body = json::parse(sent)?;
                        let projection = patched(&query, &body, &resource_type)?;
                        let modified = context.modify(&resource_type, &id, body, &precondition).await?;
                        let selects =
                            crate::query::has_attributes(parts.uri.query()) || !projection.is_default();
                        self.show_modified(context, &resource_type, &id, modified, &projection, selects).await
                    }
                    Method::DELETE => {
                        context.delete(&resource_type, &id, &precondition).await?;
                        Ok(Reply::empty(StatusCode::NO_CONTENT))
                    }
                    _ => context.read(&resource_type, &id, &projection, &parts.headers).await,
                }
            }
        }
    }

    /// RFC 7644 §3.5.2: 200 with the resource, or 204. A group is shown only if the request selects attributes, since
    /// writing out its members could cost far more than changing one.
    async fn show_modified(
        &self,
        context: &Context<'_>,
        resource_type: &Arc<ResourceType>,
        id: &str,
        modified: Modified,
        projection: &Projection,
        selects: bool,
    ) -> Result<Reply> {
        if resource_type.membership() == Some(Membership::Group) && !selects {
            let location = location(context.base, resource_type.endpoint(), id);
            let tag = etag::plain(modified.version());
            return Ok(Reply::empty(StatusCode::NO_CONTENT).etag(&tag).location(&location));
        }
        let record = match modified {
            Modified::Record(record) => record,
            Modified::Version(_) => context.record(resource_type, id).await?,
        };
        context.show_written(StatusCode::OK, resource_type, &record, projection).await
    }

    async fn search(&self, context: &Context<'_>, scope: &Scope, request: &SearchRequest) -> Result<Reply> {
        search(context, self.seal().await?, scope, request).await
    }

    pub(crate) async fn seal(&self) -> Result<&Seal> {
        if let Some(seal) = self.seal.get() {
            return Ok(seal);
        }
        let key = self.directory.secret("cursor").await?;
        Ok(self.seal.get_or_init(|| Seal::new(&key, self.settings.cursor_seconds)))
    }
}

fn projection(query: &SearchRequest, resource_type: &ResourceType) -> Result<Projection> {
    Projection::parse(&texts(&query.attributes), &texts(&query.excluded_attributes), resource_type)
}

/// The projection of the answer to a request that writes the resource that was sent.
fn written(query: &SearchRequest, sent: &Value, resource_type: &ResourceType) -> Result<Projection> {
    let (attributes, excluded) = (texts(&query.attributes), texts(&query.excluded_attributes));
    Projection::parse_for_write(&attributes, &excluded, sent, resource_type)
}

/// The projection of the answer to a PATCH.
fn patched(query: &SearchRequest, sent: &Value, resource_type: &ResourceType) -> Result<Projection> {
    let (attributes, excluded) = (texts(&query.attributes), texts(&query.excluded_attributes));
    Projection::parse_for_patch(&attributes, &excluded, sent, resource_type)
}

fn texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}
