//! The service: one HTTP request in, one HTTP response out.
//!
//! The way of a request is the same for all: path → tenant → credential → connection → rate → endpoint → method →
//! media types → body → operation → answer. Nothing of a body is read before the credential is known to be good. The
//! service opens no socket, starts no thread and reads no clock of its own.

use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use scim_core::message::{BulkRequest, SearchRequest};
use scim_core::project::Projection;
use scim_core::schema::{Membership, Registry, ResourceType};
use scim_core::text::excerpt;
use scim_core::time::Timestamp;
use scim_core::{Error, ErrorKind, Result, json};
use scim_store::{Store, Tenant};

use crate::bulk::bulk;
use crate::context::{Context, Course};
use crate::cursor::Seal;
use crate::directory::{Connection, Directory, TenantEntry, TokenEntry};
use crate::environment::Environment;
use crate::etag::Precondition;
use crate::quirk::{Quirk, Quirks};
use crate::rate::Rates;
use crate::reply::{DEFAULT_MEDIA_TYPE, Reply};
use crate::resource::{Modified, Scope, search};
use crate::route::{Endpoint, split_tenant};
use crate::rules::{Origin, Rules, Sent, unfit};
use crate::settings::Settings;
use crate::{discovery, media, query, reindex};

/// The identifier of a request, for the log and the audit. A server puts it into the request's extensions; without
/// it the service makes one.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// What a server may log of a request that was answered. The service puts it into the response's extensions.
#[derive(Debug, Clone, Default)]
pub struct Served {
    /// The tenant, once the credential was accepted.
    pub tenant: Option<String>,
    /// The endpoint without identifiers.
    pub route: &'static str,
}

/// The SCIM protocol over a store.
pub struct Service {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    environment: Arc<dyn Environment>,
    settings: Settings,
    directory: Directory,
    rates: Rates,
    seal: OnceLock<Seal>,
}

impl Service {
    /// A service over `store` that speaks the schemas of `registry`.
    pub fn new(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        environment: Arc<dyn Environment>,
        settings: Settings,
    ) -> Self {
        Self {
            directory: Directory::new(Arc::clone(&store), Arc::clone(&environment)),
            rates: Rates::new(settings.requests_per_second, settings.burst_seconds),
            seal: OnceLock::new(),
            store,
            registry,
            environment,
            settings,
        }
    }

    /// The tenants, connections and credentials. A server calls its `refresh` once a second.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Brings what is stored in line with the registry: where an attribute has become indexed or unique, what is there
    /// already gets its entries. To be called once, before the first request. Where nothing has changed it costs a read
    /// for each resource type.
    ///
    /// # Errors
    /// `Conflict` when two resources have the same value of an attribute that has become unique; otherwise when the
    /// store cannot be read or written.
    pub async fn prepare(&self) -> Result<()> {
        reindex::follow_schemas(&*self.store, &self.registry, &self.directory, &*self.environment).await
    }

    /// Answers a request. Every outcome is an answer, errors included. A body that fails with an [`io::Error`] of kind
    /// `TimedOut` is answered with 408.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let mut served = Served { tenant: None, route: "-" };
        let media_type = media::negotiate(&parts.headers);
        let reply = match self.answer(&parts, body, &media_type, &mut served).await {
            Ok(reply) => reply,
            Err(error) => {
                if matches!(error.kind().status(), 500 | 503 | 507) {
                    tracing::error!(error = ?error, "request failed");
                } else {
                    tracing::debug!(kind = ?error.kind(), "request refused");
                }
                Reply::from(&error)
            }
        };
        let mut response = reply.into_response(media_type.unwrap_or(DEFAULT_MEDIA_TYPE));
        response.extensions_mut().insert(served);
        response
    }

    async fn answer<B>(
        &self,
        parts: &http::request::Parts,
        body: B,
        media_type: &Result<&'static str>,
        served: &mut Served,
    ) -> Result<Reply>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let now = self.environment.now();
        let (name, path) = split_tenant(parts.uri.path()).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "there is nothing here")
                .remedy("a tenant's base URL ends in `/t/{tenant}/scim/v2`")
        })?;
        let (mut entry, token) = self.authenticate(name, &parts.headers).await?;
        served.tenant = Some(name.to_owned());
        let Some(connection) = &entry.connection else {
            return Err(Error::new(
                ErrorKind::Forbidden,
                format!("tenant `{name}` has no connection to an identity provider"),
            )
            .remedy("its operator creates one with `scimd connection create`"));
        };
        if connection.paused {
            let words = format!("the connection of tenant `{name}` is paused");
            let remedy = "its operator resumes it with `scimd connection resume`";
            return Err(Error::new(ErrorKind::Forbidden, words).remedy(remedy));
        }
        if let Err(seconds) = self.rates.take(&entry.tenant, now) {
            let error = Error::new(ErrorKind::TooManyRequests, "too many requests").remedy(format!(
                "wait {seconds} s, then send at most {} a second",
                self.settings.requests_per_second
            ));
            return Ok(Reply::from(&error).retry_after(seconds));
        }
        let rules = self.rules_in_force(&entry)?;
        let registry = &rules.registry;
        let endpoint = Endpoint::of(path, registry).ok_or_else(|| nowhere(path, registry, connection))?;
        served.route = endpoint.name();
        if !endpoint.allows(&parts.method) {
            let error = Error::new(
                ErrorKind::MethodNotAllowed,
                format!("this endpoint does not know {}", excerpt(parts.method.as_str())),
            )
            .remedy(match &endpoint {
                Endpoint::Collection(resource_type)
                    if matches!(parts.method.as_str(), "PUT" | "PATCH" | "DELETE") =>
                {
                    format!("send it to one resource, `{}/{{id}}`", resource_type.endpoint())
                }
                _ => format!("it knows {}", endpoint.methods()),
            });
            return Ok(Reply::from(&error).allow(endpoint.methods()));
        }
        if let Err(error) = media_type {
            return Ok(Reply::from(error));
        }
        let sent = match endpoint.takes_body(&parts.method) {
            true => self.collect(parts, body).await?,
            false => Bytes::new(),
        };
        let request = Incoming { parts, path, sent, token: &token.id, id: self.request_id(parts), now };
        for _ in 1..REPLANS {
            let (reply, is_stale) = self.carry_out(&entry, &request).await;
            // What was done of a Bulk request must not be done again.
            if !is_stale || matches!(endpoint, Endpoint::Bulk) {
                return reply;
            }
            self.directory.refresh().await?;
            entry = self.directory.tenant(name).await?.ok_or_else(unauthenticated)?;
        }
        self.carry_out(&entry, &request).await.0
    }

    /// Carries out a request that was let in, under the rules of the tenant as they are known. Says besides whether they
    /// had been replaced when it came to writing, so that nothing was written.
    async fn carry_out(&self, entry: &TenantEntry, request: &Incoming<'_>) -> (Result<Reply>, bool) {
        let course = Course::default();
        let reply = self.under_rules(entry, request, &course).await;
        (reply, course.stale.into_inner())
    }

    async fn under_rules(
        &self,
        entry: &TenantEntry,
        request: &Incoming<'_>,
        course: &Course,
    ) -> Result<Reply> {
        let rules = self.rules_in_force(entry)?;
        let Incoming { parts, path, sent, token, id, now } = request;
        let endpoint = Endpoint::of(path, &rules.registry)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such endpoint any more"))?;
        let base = self.base_of(&entry.tenant);
        let origin = Origin { method: parts.method.as_str(), path, body: Sent::Bytes(sent) };
        let context = Context {
            now: *now,
            ..self.context(&*self.store, entry, rules, &base, token, id, origin, course)
        };
        self.dispatch(&context, endpoint, parts, sent).await
    }

    /// The rules that a tenant's requests are carried out under.
    fn rules_in_force<'e>(&self, entry: &'e TenantEntry) -> Result<&'e Arc<Rules>> {
        entry.rules.rules(|| Rules::of(entry, &self.registry)).map_err(|problems| unfit(entry, problems))
    }

    /// The context of a write to a tenant's resources.
    #[expect(clippy::too_many_arguments, reason = "all that a context is made of")]
    pub(crate) fn context<'a>(
        &'a self,
        store: &'a dyn Store,
        entry: &'a TenantEntry,
        rules: &'a Rules,
        base: &'a str,
        actor: &'a str,
        request: &'a str,
        origin: Origin<'a>,
        course: &'a Course,
    ) -> Context<'a> {
        Context {
            store,
            registry: &rules.registry,
            rules,
            environment: &*self.environment,
            settings: &self.settings,
            tenant: &entry.tenant,
            quirks: entry.connection.as_ref().map_or(Quirks::NONE, Connection::quirks),
            unknown_members: entry.settings.unknown_members.unwrap_or(self.settings.unknown_members),
            base,
            actor,
            request,
            origin,
            retries: None,
            course,
            now: self.environment.now(),
        }
    }

    /// Where a tenant's resources are, without a slash at the end.
    pub(crate) fn base_of(&self, tenant: &Tenant) -> String {
        format!("{}/t/{tenant}/scim/v2", self.settings.base_url)
    }

    /// Where resources are kept.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn shared_store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The schemas that every tenant speaks.
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(crate) fn environment(&self) -> &dyn Environment {
        &*self.environment
    }

    async fn dispatch(
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
                let request = BulkRequest::decode(&json::parse(sent)?)?;
                self.rates.charge(context.tenant, request.operations.len().min(self.settings.max_operations));
                bulk(context, request).await
            }
            (Endpoint::Collection(resource_type), &Method::POST) => {
                let projection = projection(&query()?, &resource_type)?;
                let body = json::parse(sent)?;
                let record = context.create(&resource_type, body).await?;
                context.show_written(StatusCode::CREATED, &resource_type, &record, &projection).await
            }
            (Endpoint::Collection(resource_type), _) => {
                self.search(context, &Scope::Type(resource_type), &query()?).await
            }
            (Endpoint::Resource(resource_type, id), method) => {
                let projection = projection(&query()?, &resource_type)?;
                let precondition = Precondition::of(&parts.headers)?;
                match *method {
                    Method::PUT => {
                        let body = json::parse(sent)?;
                        let record = context.replace(&resource_type, &id, body, &precondition).await?;
                        context.show_written(StatusCode::OK, &resource_type, &record, &projection).await
                    }
                    Method::PATCH => {
                        let body = json::parse(sent)?;
                        let modified = context.modify(&resource_type, &id, body, &precondition).await?;
                        self.show_modified(context, &resource_type, &id, modified, &projection).await
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
    ) -> Result<Reply> {
        if resource_type.membership() == Some(Membership::Group) && projection.is_default() {
            return Ok(Reply::empty(StatusCode::NO_CONTENT).etag(&format!("W/\"{}\"", modified.version())));
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

    async fn seal(&self) -> Result<&Seal> {
        if let Some(seal) = self.seal.get() {
            return Ok(seal);
        }
        let key = self.directory.secret("cursor").await?;
        Ok(self.seal.get_or_init(|| Seal::new(&key, self.settings.cursor_seconds)))
    }

    /// Finds the tenant and checks the credential. Whatever is wrong, the answer is the same.
    async fn authenticate(
        &self,
        tenant: &str,
        headers: &HeaderMap,
    ) -> Result<(Arc<TenantEntry>, Arc<TokenEntry>)> {
        let credential = Credential::of(headers)?;
        let entry = self.directory.tenant(tenant).await?.ok_or_else(unauthenticated)?;
        let bare_allowed =
            entry.connection.as_ref().is_some_and(|connection| connection.quirks().has(Quirk::BareToken));
        if credential.bare && !bare_allowed {
            return Err(unauthenticated());
        }
        let token =
            self.directory.authenticate(&entry, credential.token).await?.ok_or_else(unauthenticated)?;
        Ok((entry, token))
    }

    /// Reads the body within its limit.
    async fn collect<B>(&self, parts: &http::request::Parts, body: B) -> Result<Bytes>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        media::check_content_type(&parts.headers)?;
        let limit = self.settings.max_body;
        let announced =
            parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let collected = Limited::new(body, limit).collect().await;
        match collected {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large(limit)),
            Err(error) if is_late(&*error) => {
                Err(Error::new(ErrorKind::Timeout, "the body did not arrive in time").caused_by(error))
            }
            Err(error) => {
                Err(Error::new(ErrorKind::BadRequest, "the body did not arrive whole").caused_by(error))
            }
        }
    }

    fn request_id(&self, parts: &http::request::Parts) -> String {
        if let Some(RequestId(id)) = parts.extensions.get::<RequestId>() {
            return id.clone();
        }
        let mut random = [0; 8];
        self.environment.fill(&mut random);
        format!("{:016x}", u64::from_be_bytes(random))
    }
}

/// How often a request is planned anew because the tenant's rules were replaced meanwhile.
const REPLANS: usize = 5;

/// A request that was let in.
struct Incoming<'a> {
    parts: &'a http::request::Parts,
    /// The path below the tenant's base URL.
    path: &'a str,
    /// The body.
    sent: Bytes,
    /// The identifier of the token.
    token: &'a str,
    /// The identifier of the request.
    id: String,
    now: Timestamp,
}

/// What stands in the Authorization header.
struct Credential<'a> {
    token: &'a str,
    /// Whether it stands there without a scheme.
    bare: bool,
}

impl<'a> Credential<'a> {
    fn of(headers: &'a HeaderMap) -> Result<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().and_then(|value| value.to_str().ok()).ok_or_else(unauthenticated)?;
        if values.next().is_some() {
            return Err(unauthenticated());
        }
        let (token, bare) = match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                (token.trim_matches(' '), false)
            }
            Some(_) => return Err(unauthenticated()),
            None => (value, true),
        };
        if token.is_empty() { Err(unauthenticated()) } else { Ok(Self { token, bare }) }
    }
}

/// The complaint about a path that leads nowhere. Most are typing errors in the tenant URL.
fn nowhere(path: &str, registry: &Registry, connection: &Connection) -> Error {
    if !connection.groups && path.starts_with("/Groups") {
        let words = "groups are not provisioned over this connection, which is for users only";
        return Error::new(ErrorKind::NotFound, words).remedy(
            "switch the provisioning of groups off in the identity provider; with a licence for it, the operator here \
             removes the connection and creates it anew without `--users-only`",
        );
    }
    let error = Error::new(ErrorKind::NotFound, "there is no such endpoint");
    if path.starts_with("//") {
        return error.remedy("the tenant URL must end in `/scim/v2`, without a slash");
    }
    let plain = path.trim_end_matches('/');
    let known = |resource_type: &Arc<ResourceType>| plain.eq_ignore_ascii_case(resource_type.endpoint());
    match registry.resource_types().iter().find(|resource_type| known(resource_type)) {
        Some(resource_type) => {
            let endpoint = resource_type.endpoint();
            error.remedy(format!("did you mean `{endpoint}`? case matters, and no slash follows"))
        }
        None => error.remedy("`/ResourceTypes` lists them"),
    }
}

fn unauthenticated() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the request carries no token that is valid for this tenant")
        .remedy("send `Authorization: Bearer TOKEN` with a token of this tenant that has neither expired nor been revoked")
}

/// Whether the server stopped waiting for a body: it says so by an I/O error of that kind.
fn is_late(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

fn too_large(limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the body is larger than {limit} bytes"))
        .remedy("send less at once")
}

fn projection(query: &SearchRequest, resource_type: &ResourceType) -> Result<Projection> {
    let attributes: Vec<&str> = query.attributes.iter().map(String::as_str).collect();
    let excluded: Vec<&str> = query.excluded_attributes.iter().map(String::as_str).collect();
    Projection::parse(&attributes, &excluded, resource_type)
}
