//! A service over a store, with one tenant or several, and requests to it without a socket.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use scim_core::schema::Registry;
use scim_service::directory::{Connection, Idp};
use scim_service::{Service, Settings};
use scim_store::Store;
use scim_store_sqlite::{Options, SqliteStore};
use scimd::environment::System;
use serde_json::Value;

use crate::people;

/// What went wrong.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The one tenant's name.
pub const TENANT: &str = "acme";

/// How many users are created at the same time when a world is filled.
const AT_ONCE: usize = 1024;

/// A service, and one tenant of it.
pub struct World {
    service: Arc<Service>,
    tenant: String,
    token: String,
}

impl World {
    /// A new store in `file`, and a tenant in it. At most `batch` writes share a transaction.
    ///
    /// # Errors
    /// When the store cannot be made.
    pub async fn create(file: &Path, batch: usize) -> Result<Self, Failure> {
        let options = Options { batch, queue: 2 * AT_ONCE, cache: 16 * 1024, ..Options::default() };
        Self::over(Arc::new(SqliteStore::open(file, options)?), Idp::Generic).await
    }

    /// A tenant in a new store, connected to an identity provider of this kind.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn over(store: Arc<dyn Store>, idp: Idp) -> Result<Self, Failure> {
        let registry = Arc::new(Registry::builtin()?);
        let settings = Settings {
            requests_per_second: u32::MAX,
            max_body: 1 << 30,
            ..Settings::new("http://localhost")
        };
        let service = Service::new(store, registry, Arc::new(System), settings);
        Self::tenant(Arc::new(service), TENANT, idp).await
    }

    /// Another tenant of the same service.
    ///
    /// # Errors
    /// When it is there already, or the store cannot be written.
    pub async fn neighbour(&self, name: &str) -> Result<Self, Failure> {
        Self::tenant(Arc::clone(&self.service), name, Idp::Generic).await
    }

    async fn tenant(service: Arc<Service>, name: &str, idp: Idp) -> Result<Self, Failure> {
        service.prepare().await?;
        let directory = service.directory();
        let tenant = directory.create_tenant(name, "bench").await?;
        directory.create_connection(&tenant, Connection::new(idp), "bench").await?;
        let token = directory.create_token(&tenant, None, "bench").await?.token;
        // From here on, tenants and tokens are cached.
        directory.refresh().await?;
        Ok(Self { service, tenant: name.to_owned(), token })
    }

    /// The tenant's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Reads what changed in the directory, which a server does once a second.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn refresh(&self) -> Result<(), Failure> {
        Ok(self.service.directory().refresh().await?)
    }

    /// Sends a request to a path below the tenant's base URL.
    ///
    /// # Errors
    /// When it cannot be a request at all.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/t/{}/scim/v2{path}", self.tenant))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/scim+json")
            .body(Full::new(body.into()))?;
        let response = self.service.handle(request).await;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// Sends a request that creates something, and gives its identifier.
    ///
    /// # Errors
    /// When nothing was created.
    pub async fn post(&self, path: &str, body: &Value) -> Result<String, Failure> {
        let (status, body) = self.send("POST", path, body.to_string()).await?;
        let refused = || format!("POST {path}: {status}: {}", String::from_utf8_lossy(&body));
        if status != StatusCode::CREATED {
            return Err(refused().into());
        }
        let resource: Value = serde_json::from_slice(&body)?;
        resource.get("id").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| refused().into())
    }

    /// Creates people `0..count` and gives their identifiers. Calls `created` after each.
    ///
    /// # Errors
    /// When one of them was not created.
    pub async fn fill(&self, count: usize, mut created: impl FnMut()) -> Result<Vec<String>, Failure> {
        let mut ids = Vec::with_capacity(count);
        let mut pending = stream::iter(0..count)
            .map(async |number| {
                if number % AT_ONCE == 0 {
                    self.refresh().await?;
                }
                self.post("/Users", &people::user(number)).await
            })
            .buffered(AT_ONCE);
        while let Some(id) = pending.try_next().await? {
            ids.push(id);
            created();
        }
        Ok(ids)
    }
}
