//! The SCIM service inside an axum application, beside the application's own routes.
//!
//! usage: `axum_app [ADDRESS [FILE]]`
//!
//! Identity providers push people to `/t/demo/scim/v2`; the application shows them at `/people`, where it
//! reads them from the same store. They are kept in the SQLite file, or in memory if none is named. Not
//! shown, because it is axum's business: TLS, and a limit on how long a request may take.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use scim_core::filter::Filter;
use scim_core::schema::{Registry, USER};
use scim_core::sort::Sort;
use scim_core::time::Timestamp;
use scim_core::view::User;
use scim_service::directory::{Connection, Directory, Idp};
use scim_service::environment::Environment;
use scim_service::{Service, Settings};
use scim_store::{MemoryStore, Query, Store, StoreError, Tenant};
use scim_store_sqlite::{Options, SqliteStore};
use serde::Serialize;
use tokio::net::TcpListener;

/// What the handlers share.
#[derive(Clone)]
struct App {
    scim: Arc<Service>,
    store: Arc<dyn Store>,
    /// The one customer of this application. One with several takes it from whoever is signed in.
    tenant: Tenant,
    /// What `/people` asks of the store.
    everybody: Arc<Query>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let store: Arc<dyn Store> = match arguments.next() {
        Some(file) => Arc::new(SqliteStore::open(file, Options::default())?),
        None => Arc::new(MemoryStore::new()),
    };
    let listener = TcpListener::bind(address).await?;
    // What clients see in every `location`. Behind a proxy it is the proxy's name, with https.
    let base_url = format!("http://{}", listener.local_addr()?);

    let registry = Arc::new(Registry::builtin()?);
    let everybody = Arc::new(everybody(&registry)?);
    let scim = Service::new(Arc::clone(&store), registry, Arc::new(System), Settings::new(base_url.as_str()));
    // What a file holds from a start with other schemas gets its index entries first.
    scim.prepare().await?;
    let tenant = demo(scim.directory()).await?;
    // Only hashes of tokens are kept: what is printed is the only copy. Every start makes another one.
    let token = scim.directory().create_token(&tenant, None, "axum_app").await?.token;

    let scim = Arc::new(scim);
    tokio::spawn(follow(Arc::clone(&scim)));
    tokio::spawn(finish(Arc::clone(&scim)));
    let routes = Router::new()
        .route("/", get(home))
        .route("/people", get(people))
        .route("/t/{*path}", any(provision))
        .with_state(App { scim, store, tenant, everybody });

    println!(
        "curl {base_url}/t/demo/scim/v2/Users -H 'Authorization: Bearer {token}' \
         -H 'Content-Type: application/scim+json' \
         -d '{{\"schemas\":[\"{USER}\"],\"userName\":\"ada@example.com\"}}'"
    );
    println!("curl {base_url}/people");
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, routes).with_graceful_shutdown(stop).await?;
    Ok(())
}

/// The tenant to try things out with, connected to an identity provider that keeps to the RFCs. With a file
/// it is there from the second start on.
async fn demo(directory: &Directory) -> scim_core::Result<Tenant> {
    let known = directory.tenant("demo").await?;
    let tenant = match &known {
        Some(entry) => entry.tenant.clone(),
        None => directory.create_tenant("demo", "axum_app").await?,
    };
    if known.is_none_or(|entry| entry.connection.is_none()) {
        let connection = Connection::new(Idp::Generic);
        directory.create_connection(&tenant, connection, "axum_app").await?;
    }
    Ok(tenant)
}

/// Tells the directory every second what other processes changed in it, so that it may cache what it knows, and shares
/// with them what tenants have spent of their rates. A store that one process has to itself keeps no books of that.
async fn follow(scim: Arc<Service>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        if let Err(error) = scim.directory().refresh().await {
            eprintln!("the directory cannot be followed: {error:?}");
        }
        if let Err(error) = scim.share_rates().await {
            eprintln!("rates cannot be shared: {error:?}");
        }
    }
}

/// Finishes changes of rules that were ended before their time.
async fn finish(scim: Arc<Service>) {
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    loop {
        minutes.tick().await;
        if let Err(error) = scim.finish_rules().await {
            eprintln!("changes of rules cannot be finished: {error:?}");
        }
    }
}

/// Everything below `/t/`: the service finds the tenant in the path, checks the token and answers. Where that is to be below
/// another path, `Router::nest` takes it off before the service sees it, and the base URL ends in it.
async fn provision(State(app): State<App>, request: Request) -> impl IntoResponse {
    app.scim.handle(request).await
}

async fn home() -> &'static str {
    "An application. Its people are at /people.\n"
}

/// A person as this application shows one.
#[derive(Serialize)]
struct Person {
    id: String,
    user_name: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

/// Those who are let in, by user name. Filters and sorts are resolved against the schema once, when the
/// program starts.
fn everybody(registry: &Registry) -> Result<Query, Box<dyn Error>> {
    let user = registry.resource_type("User").ok_or("User is built in")?;
    let filter = Filter::parse("active eq true", user)?;
    let sort = Sort::parse("userName", None, user)?;
    Ok(Query { filter: Some(filter), sort: Some(sort), ..Query::all(Arc::clone(user), 100) })
}

/// The first page of people, read through the store. Where more follow, `page.next` is where the next query
/// starts.
async fn people(State(app): State<App>) -> Result<Json<Vec<Person>>, Failure> {
    let page = app.store.query(&app.tenant, &app.everybody).await?;
    let person = |record: &scim_store::Record| {
        let document = record.document()?;
        let user = User::new(&document);
        Ok(Person {
            id: record.id.clone(),
            user_name: user.user_name().map(str::to_owned),
            name: user.display_name().or(user.name().formatted()).map(str::to_owned),
            email: user.primary_email().map(str::to_owned),
        })
    };
    Ok(Json(page.records.iter().map(person).collect::<Result<_, Failure>>()?))
}

/// What went wrong goes to the log, never to the client.
struct Failure;

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        eprintln!("{error}");
        Self
    }
}

impl From<scim_core::Error> for Failure {
    fn from(error: scim_core::Error) -> Self {
        eprintln!("{error:?}");
        Self
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> axum::response::Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

/// The libraries read no clock and draw no random numbers; here is where both come from.
struct System;

impl Environment for System {
    fn now(&self) -> Timestamp {
        let since = UNIX_EPOCH.elapsed().unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::expect_used, reason = "without randomness no token or identifier may be made")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }

    /// Long work lets other requests have their turn here.
    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::task::yield_now())
    }
}
