//! The service: one HTTP request in, one HTTP response out.
//!
//! The way of a request is the same for all: path → tenant → credential → connection → rate → endpoint → method →
//! media types → body → operation → answer. Nothing of a body is read before the credential is known to be good. The
//! service opens no socket, starts no thread and reads no clock of its own.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use scim_core::schema::Registry;
use scim_core::text::excerpt;
use scim_core::time::Timestamp;
use scim_core::{Error, ErrorKind, Result};
use scim_store::{Store, Tenant};

use crate::caller::in_use;
use crate::context::{Context, Course, store_error};
use crate::cursor::Seal;
use crate::directory::{Connection, Directory, TenantEntry};
use crate::environment::{Environment, random_id};
use crate::held::{Held, SMALL, Share};
use crate::quirk::answer_probe;
use crate::rate::{Rate, Rates};
use crate::reindex::{kept, superseded};
use crate::reply::{DEFAULT_MEDIA_TYPE, Reply};
use crate::route::{Endpoint, meant, other_version, split_tenant};
use crate::rules::{Origin, Rules, Sent, unfit};
use crate::settings::Settings;
use crate::strangers::Strangers;
use crate::{body, media};

/// The identifier of a request, for the log and the audit. A server puts it into the request's extensions; without
/// it the service makes one.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// What a server may log of a request that was answered. The service puts it into the response's extensions.
#[derive(Debug, Clone, Default)]
pub struct Served {
    /// The tenant, where there is one and the request carries a credential, whether that was accepted or not.
    pub tenant: Option<String>,
    /// The endpoint without identifiers.
    pub route: &'static str,
    /// Whether the credential was accepted. Anybody can send requests of which it is not, and there may be many.
    pub is_admitted: bool,
    /// The `scimType` of the answer, where it is an error that has one.
    pub scim_type: Option<&'static str>,
}

/// How many of the largest pages the requests of a tenant may hold in memory together: bodies and answers that were not taken.
const PAGES_HELD: usize = 16;
/// How long after its beginning a change of rules is taken for one that nobody finishes, in seconds.
const ABANDONED: i64 = 10 * 60;

/// The SCIM protocol over a store.
pub struct Service {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    environment: Arc<dyn Environment>,
    pub(crate) settings: Settings,
    pub(crate) directory: Directory,
    pub(crate) rates: Rates,
    pub(crate) strangers: Strangers,
    held: Arc<Held>,
    pub(crate) seal: OnceLock<Seal>,
}

impl Service {
    /// A service over `store` that speaks the schemas of `registry`.
    pub fn new(
        store: Arc<dyn Store>,
        registry: Arc<Registry>,
        environment: Arc<dyn Environment>,
        settings: Settings,
    ) -> Self {
        let rate = Rate::new(settings.requests_per_second, settings.burst_seconds);
        Self {
            directory: Directory::new(Arc::clone(&store), Arc::clone(&environment)).keeping(
                registry
                    .resource_types()
                    .iter()
                    .map(|resource_type| (resource_type.name(), kept(resource_type))),
            ),
            rates: Rates::new(rate),
            strangers: Strangers::new(rate),
            held: Held::new(settings.max_page_bytes.saturating_mul(PAGES_HELD)),
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
    /// already gets its entries. What a change of rules has left undone, because it was ended, is done too, unless
    /// the tenant's connection is paused; then [`Service::finish_rules`] does it later. To be called once, before the first
    /// request. Where there is nothing to do it costs a read for each resource type, one for rules, and one for the key of
    /// cursors, so that no read has to write it later, when the store may be full.
    ///
    /// # Errors
    /// `InvalidValue` when no location can begin with the base URL; `Conflict` when two resources have the same value of an
    /// attribute that has become unique; otherwise when the store cannot be read or written.
    pub async fn prepare(&self) -> Result<()> {
        Settings::parse_base_url(&self.settings.base_url)?;
        self.follow_schemas().await?;
        self.follow_rules(Timestamp(i64::MAX)).await?;
        self.seal().await.map(|_| ())
    }

    /// Derives what a change of rules has left undone that was begun ten minutes ago or earlier, and probably ended before its
    /// time. To be called now and then, such as once a minute; where there is nothing to do it costs two small reads. Of several
    /// services on one store, one begins, and where it fails, one tries again in ten minutes. Nothing of a tenant whose connection
    /// is paused is derived until that is resumed.
    ///
    /// # Errors
    /// When the store cannot be read. What a tenant's rules are in the way of is logged.
    pub async fn finish_rules(&self) -> Result<()> {
        if !self.is_current().await? {
            return Ok(());
        }
        self.follow_rules(self.environment.now().plus_seconds(-ABANDONED)).await
    }

    /// Whether what is stored was derived by this service's schemas and version, as far as is known. It is after
    /// [`Service::prepare`], until a service with others is prepared on the same store: from then on this one answers all
    /// requests with 503.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn is_current(&self) -> Result<bool> {
        self.directory.is_current().await
    }

    /// Tells the store what tenants have spent of their rates here, and learns what they have spent with other servers on the
    /// same store. A server calls it once a second; until it does, and where the store cannot be reached, rates are counted
    /// by this service alone.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn share_rates(&self) -> Result<()> {
        let spent = self.rates.untold(self.environment.now());
        if spent.is_empty() {
            return Ok(());
        }
        let owed = self.store.spend(&Tenant::system(), &spent).await.map_err(store_error)?;
        self.rates.learn(&spent, &owed, self.environment.now());
        Ok(())
    }

    /// Answers a request. Every outcome is an answer, errors included. A body that fails with an [`std::io::Error`] of kind
    /// `TimedOut` is answered with 408.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let mut served = Served { route: "-", ..Served::default() };
        let media_type = media::negotiate(&parts.headers);
        let outcome = self.answer(&parts, body, &media_type, &mut served).await;
        let reply = match outcome.and_then(|reply| self.held(reply, &served)) {
            Ok(reply) => reply,
            Err(error) => {
                let request = parts.extensions.get::<RequestId>().map(|RequestId(id)| id.as_str());
                if matches!(error.kind().status(), 500 | 503 | 507) {
                    tracing::error!(
                        request,
                        tenant = served.tenant,
                        error = format!("{error:#}"),
                        "request failed"
                    );
                } else {
                    tracing::debug!(request, kind = ?error.kind(), "request refused");
                }
                served.scim_type = error.kind().scim_type();
                let reply = Reply::from(&error);
                match error.kind() {
                    ErrorKind::UnsupportedMediaType => reply.spoken(&parts.method, media::SPOKEN),
                    _ => reply,
                }
            }
        };
        let mut response = reply.into_response(media_type.unwrap_or(DEFAULT_MEDIA_TYPE));
        response.extensions_mut().insert(served);
        response
    }

    /// The answer, if its tenant has room for it among those that were not taken yet.
    fn held(&self, reply: Reply, served: &Served) -> Result<Reply> {
        let of = served.tenant.as_deref().filter(|_| reply.body.len() > SMALL);
        match of.and_then(|name| Tenant::new(name).ok()) {
            Some(tenant) => Ok(Reply { body: self.held.keep(&tenant, reply.body)?, ..reply }),
            None => Ok(reply),
        }
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
        let (name, path) = split_tenant(parts.uri.path()).ok_or_else(|| no_base_url(parts.uri.path()))?;
        let (mut entry, mut token) = match self.authenticate(name, &parts.headers, served).await {
            Ok(admitted) => admitted,
            Err(error) => return self.stranger(name, &parts.headers, error, served).await,
        };
        served.is_admitted = true;
        let connection = in_use(&entry)?;
        if let Err(seconds) = self.rates.take(&entry.tenant, self.environment.now()) {
            return Ok(self.too_many("too many requests", seconds));
        }
        if let Some(reply) = answer_probe(&parts.method, path, connection) {
            served.route = "collection";
            return Ok(reply);
        }
        let mut endpoint = self.endpoint(&entry, path)?;
        served.route = endpoint.name();
        if !endpoint.allows(&parts.method) {
            return Ok(not_allowed(&endpoint, &parts.method));
        }
        if let Err(error) = media_type {
            return Ok(Reply::from(error));
        }
        let mut share = self.held.share(&entry.tenant);
        let sent = match endpoint.takes_body(&parts.method) {
            true => {
                let sent = body::collect(parts, body, self.settings.max_body, &mut share).await?;
                // A body can take its time, and the credential may have been revoked meanwhile.
                (entry, token) = self.authenticate(name, &parts.headers, served).await?;
                endpoint = self.endpoint(&entry, path)?;
                sent
            }
            false => Bytes::new(),
        };
        let request =
            Incoming { parts, path, sent, token: &token.id, id: self.request_id(parts), now, _share: share };
        let is_bulk = matches!(endpoint, Endpoint::Bulk);
        for _ in 1..REPLANS {
            let (reply, is_stale) = self.carry_out(&entry, endpoint, &request).await;
            // What was done of a Bulk request must not be done again.
            if !is_stale || is_bulk {
                return reply;
            }
            self.directory.refresh().await?;
            // Another tenant may have got the name, which the credential is not for.
            (entry, _) = self.authenticate(name, &parts.headers, served).await?;
            endpoint = self.endpoint(&entry, path)?;
        }
        self.carry_out(&entry, endpoint, &request).await.0
    }

    /// What a request is for, as the tenant's connection and rules are now.
    fn endpoint(&self, entry: &TenantEntry, path: &str) -> Result<Endpoint> {
        let (connection, registry) = (in_use(entry)?, &self.rules_in_force(entry)?.registry);
        Endpoint::of(path, registry).ok_or_else(|| nowhere(path, registry, connection))
    }

    /// Carries out a request that was let in, under the rules of the tenant as they are known. Says besides whether they
    /// had been replaced when it came to writing, so that nothing was written.
    async fn carry_out(
        &self,
        entry: &TenantEntry,
        endpoint: Endpoint,
        request: &Incoming<'_>,
    ) -> (Result<Reply>, bool) {
        let course = Course::default();
        let reply = self.under_rules(entry, endpoint, request, &course).await;
        (reply, course.stale.into_inner())
    }

    async fn under_rules(
        &self,
        entry: &TenantEntry,
        endpoint: Endpoint,
        request: &Incoming<'_>,
        course: &Course,
    ) -> Result<Reply> {
        let rules = self.rules_in_force(entry)?;
        let Incoming { parts, path, sent, token, id, now, .. } = request;
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
        if !entry.is_current {
            return Err(superseded());
        }
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
            quirks: entry.quirks(),
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
        [self.settings.base_url.as_str(), "/t/", tenant.as_str(), "/scim/v2"].concat()
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

    fn request_id(&self, parts: &http::request::Parts) -> String {
        match parts.extensions.get::<RequestId>() {
            Some(RequestId(id)) => id.clone(),
            None => random_id(&*self.environment),
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("settings", &self.settings).finish_non_exhaustive()
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
    /// What the body holds.
    _share: Share,
}

/// The complaint about a path below no tenant's base URL.
fn no_base_url(path: &str) -> Error {
    // RFC 7644 §3.13: "perform the operation using the desired version or reject the request".
    let error = match other_version(path) {
        Some(version) => {
            let words = format!("version `{}` of SCIM is not spoken here", excerpt(version));
            Error::new(ErrorKind::InvalidVersion, words)
        }
        None => Error::new(ErrorKind::NotFound, "there is nothing here"),
    };
    error.remedy("a tenant's base URL ends in `/t/{tenant}/scim/v2`")
}

/// The answer to a method that an endpoint does not know.
fn not_allowed(endpoint: &Endpoint, method: &Method) -> Reply {
    let methods = endpoint.methods().iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let words = format!("this endpoint does not know {}", excerpt(method.as_str()));
    let error = Error::new(ErrorKind::MethodNotAllowed, words).remedy(match endpoint {
        Endpoint::Collection(resource_type)
            if matches!(*method, Method::PUT | Method::PATCH | Method::DELETE) =>
        {
            format!("send it to one resource, `{}/{{id}}`", resource_type.endpoint())
        }
        _ => format!("it knows {methods}"),
    });
    Reply::from(&error).allow(&methods)
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
    match meant(path, registry) {
        Some(endpoint) if path.strip_prefix(&endpoint).is_some_and(|rest| rest.starts_with('/')) => {
            error.remedy(format!("`{endpoint}` is one, but not with what follows it here"))
        }
        Some(endpoint) => error.remedy(format!("did you mean `{endpoint}`? case matters")),
        None => error.remedy("`/ResourceTypes` lists them"),
    }
}
