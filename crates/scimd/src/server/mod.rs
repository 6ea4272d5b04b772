//! The server: sockets, tasks and the end of both. What is said over the sockets is `scim-service`'s business.

mod body;
mod certificate;
mod connection;
mod endings;
mod exchange;
mod framing;
mod lines;
mod metrics;
mod observed;
mod observer;
mod stream;
pub(crate) mod tls;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use scim_core::schema::Registry;
use scim_service::Service;
use scim_service::directory::Directory;
use scim_service::environment::Environment;
use scim_store::Store;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use self::exchange::{Exchange, RequestIds};
use self::lines::Lines;
use self::observed::Observed;
pub use self::observer::Observer;
use self::tls::Identity;
use crate::Failure;
use crate::config::{Config, Passwords};
use crate::descriptors;
use crate::environment::System;
use crate::password::Argon2id;
use crate::signal::Hangups;

/// How many connections may wait to be accepted, as far as the operating system allows. Where there are more, clients try
/// again after a second, which a burst of them should not have to.
const BACKLOG: u32 = 4096;

/// A server that listens and does not serve yet.
pub struct Server {
    drain: Duration,
    listener: TcpListener,
    address: SocketAddr,
    observer: Observer,
    base_url: String,
    max_connections: usize,
    identity: Option<Arc<Identity>>,
    exchange: Arc<Exchange>,
}

impl Server {
    /// Opens the socket that the configuration names, for the schemas of `registry` over `store`.
    ///
    /// # Errors
    /// When the socket cannot be opened, TLS cannot be set up, or the server would expose what it must not.
    pub async fn bind(
        config: &Config,
        observer: Observer,
        registry: Arc<Registry>,
        store: Arc<dyn Store>,
    ) -> Result<Self, Failure> {
        config.check_exposure()?;
        let identity = config.tls.as_ref().map(Identity::load).transpose()?.map(Arc::new);
        let listener = listen(config.listen, "listen")?;
        let address = listener.local_addr().map_err(|error| Failure::io("cannot listen", &error))?;
        let base_url = config.base_url(address);
        let environment: Arc<dyn Environment> = Arc::new(System);
        let mut settings = config.settings(&base_url);
        if config.passwords == Passwords::Hash {
            let parallel = std::thread::available_parallelism().map_or(1, usize::from);
            settings.passwords = Some(Arc::new(Argon2id::new(Arc::clone(&environment), parallel)));
        }
        let metrics = Arc::clone(observer.metrics());
        let store: Arc<dyn Store> = Arc::new(Observed { store, metrics: Arc::clone(&metrics) });
        let mut origin = [0; 8];
        environment.fill(&mut origin);
        let exchange = Exchange {
            service: Service::new(Arc::clone(&store), registry, environment, settings),
            metrics,
            limit: config.limits.request_timeout,
            ids: RequestIds::starting_at(u64::from_be_bytes(origin)),
            refused: Lines::new(),
            draining: AtomicBool::new(false),
        };
        exchange.service.prepare().await?;
        let others = observer::MAX_CONNECTIONS + store.load().map_or(0, |load| load.most);
        let max_connections =
            descriptors::room(config.limits.max_connections.min(Semaphore::MAX_PERMITS), others);
        exchange.metrics.admits(max_connections);
        exchange.metrics.certified(identity.as_ref().and_then(|identity| identity.until()));
        let exchange = Arc::new(exchange);
        let drain = config.drain;
        observer.serves(Arc::clone(&exchange), store);
        Ok(Self { drain, listener, address, observer, base_url, max_connections, identity, exchange })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients reach it under, without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The tenants, connections and tokens of its store.
    pub fn directory(&self) -> &Directory {
        self.exchange.service.directory()
    }

    /// Serves until `stop` has something, then finishes what was begun, within ten seconds. Where the configuration says so, it
    /// goes on for some time before, or until `stop` has something again. Certificate and key are read again at each of
    /// `hangups`.
    pub async fn run(self, mut stop: impl Stream + Unpin, hangups: Option<Hangups>) {
        // The observer goes when all is done.
        let Self { drain, listener, max_connections, identity, exchange, observer: _observer, .. } = self;
        let mut tasks = Tasks::default();
        tasks.spawn(follow(Arc::clone(&exchange)));
        tasks.spawn(share(Arc::clone(&exchange)));
        tasks.spawn(finish(Arc::clone(&exchange)));
        tasks.spawn(tell(Arc::clone(&exchange)));
        tasks.spawn(endings::watch(Arc::clone(&exchange)));
        if let Some(identity) = &identity {
            tasks.spawn(look_at(Arc::clone(identity)));
        }
        if let Some(hangups) = hangups {
            tasks.spawn(hangups.each(reloading(identity.clone(), Arc::clone(&exchange))));
        }
        let (stopping, stopped) = watch::channel(false);
        let slots = Arc::new(Semaphore::new(max_connections));
        let open = |socket: TcpStream, slot| {
            let served = connection::serve(socket, identity.clone(), Arc::clone(&exchange), stopped.clone());
            tokio::spawn(async move {
                served.await;
                drop(slot);
            });
        };
        {
            let mut accepting = pin!(async {
                while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
                    if let Ok((socket, _)) = accept(&listener).await {
                        open(socket, slot);
                    }
                }
            });
            tokio::select! {
                _ = stop.next() => {}
                () = &mut accepting => {}
            }
            exchange.draining.store(true, Ordering::Relaxed);
            if !drain.is_zero() {
                let seconds = drain.as_secs();
                tracing::info!(seconds, "not ready any more; serving on until others have noticed");
                tokio::select! {
                    () = sleep(drain) => {}
                    _ = stop.next() => {}
                    () = &mut accepting => {}
                }
            }
        }
        // Clients that are connected already, as they see it, are served. The runtime may not have noticed all of them, so
        // the system is asked; what it says is there is taken until there is nothing, and then nobody else can come.
        if let Ok(listener) = listener.into_std() {
            while let Ok(slot) = Arc::clone(&slots).try_acquire_owned()
                && let Ok((socket, _)) = listener.accept()
                && socket.set_nonblocking(true).is_ok()
                && let Ok(socket) = TcpStream::from_std(socket)
            {
                open(socket, slot);
            }
        }
        let _ = stopping.send(true);
        drop(stopped);
        tracing::info!("ending: no new connections; finishing what was begun");
        let farewell = timeout(connection::FAREWELL, stopping.closed()).await;
        exchange.refused.tell();
        match farewell {
            Ok(()) => tracing::info!("ended"),
            Err(_) => tracing::warn!("ended with requests unfinished"),
        }
    }
}

/// Tasks that end with the server.
#[derive(Default)]
struct Tasks(Vec<AbortHandle>);

impl Tasks {
    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task).abort_handle());
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

fn listen(address: SocketAddr, key: &str) -> Result<TcpListener, Failure> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|error: io::Error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("; something else listens there, so choose another port for `{key}`")
            }
            io::ErrorKind::PermissionDenied => {
                "; ports below 1024 need the capability CAP_NET_BIND_SERVICE".to_owned()
            }
            _ => String::new(),
        };
        Failure::Run(format!("cannot listen on {address}: {error}{remedy}"))
    })
}

/// Accepts a connection. After an error that will not pass at once, such as no free descriptors, it waits a little.
async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let result = listener.accept().await;
    if let Err(error) = &result
        && !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
    {
        tracing::warn!(%error, "cannot accept a connection");
        sleep(Duration::from_millis(100)).await;
    }
    result
}

/// Follows what other processes change in the directory.
async fn follow(exchange: Arc<Exchange>) {
    again_and_again(1, "follow the directory", || exchange.service.directory().refresh()).await;
}

/// Shares rates with other processes on the same store.
async fn share(exchange: Arc<Exchange>) {
    again_and_again(1, "share rates with other servers", || exchange.service.share_rates()).await;
}

/// Finishes what commands began and did not end.
async fn finish(exchange: Arc<Exchange>) {
    again_and_again(60, "finish changes of rules", || exchange.service.finish_rules()).await;
}

/// Tells of those who get no line in the log.
async fn tell(exchange: Arc<Exchange>) {
    loop {
        sleep(Duration::from_secs(1)).await;
        exchange.refused.tell();
    }
}

/// Does something with so many seconds between, and says when it begins to fail and when it does not any more.
async fn again_and_again<F>(seconds: u64, what: &str, work: impl Fn() -> F)
where
    F: Future<Output = scim_core::Result<()>>,
{
    let mut failing = false;
    loop {
        let result = work().await;
        match &result {
            Err(error) if !failing => {
                tracing::error!(error = format!("{error:#}"), "cannot {what}; tries again every {seconds} s")
            }
            Ok(()) if failing => tracing::info!("can {what} again"),
            _ => {}
        }
        failing = result.is_err();
        sleep(Duration::from_secs(seconds)).await;
    }
}

/// Looks once a day how long the certificate holds.
async fn look_at(identity: Arc<Identity>) {
    identity.warn();
    loop {
        identity.tell();
        sleep(Duration::from_secs(24 * 60 * 60)).await;
    }
}

fn reloading(identity: Option<Arc<Identity>>, exchange: Arc<Exchange>) -> impl Fn() {
    move || match &identity {
        None => {
            tracing::info!("there is nothing to read again: the configuration is read at the start alone");
        }
        Some(identity) => {
            match identity.reload() {
                Ok(()) => {
                    tracing::info!("certificate and key were read again");
                    identity.warn();
                }
                Err(failure) => tracing::error!(%failure, "the certificate in force stays"),
            }
            exchange.metrics.certified(identity.until());
            identity.tell();
        }
    }
}
