//! A way to the database that can fail: a port on the loopback interface, forwarded to the cluster's socket.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use scim_store_postgres::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::cluster::{Database, ROLE, runtime, superuser};

/// What a proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It forwards everything.
    Forward,
    /// What the database says goes nowhere.
    Swallow,
    /// Connections are cut, and new ones are not made.
    Away,
}

/// A proxy.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// What it does, and how often it has cut its connections.
    mode: Arc<watch::Sender<(Mode, u64)>>,
}

impl Proxy {
    /// Plain, or with TLS as the protocol of PostgreSQL begins it.
    pub(crate) fn new(tls: Option<TlsAcceptor>) -> Self {
        let mode = Arc::new(watch::Sender::new((Mode::Forward, 0)));
        let (listener, port) = runtime().block_on(async {
            let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
            let port = listener.local_addr().expect("an address").port();
            (listener, port)
        });
        let modes = Arc::clone(&mode);
        runtime().spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (mode, tls) = (modes.subscribe(), tls.clone());
                if mode.borrow().0 != Mode::Away {
                    tokio::spawn(async move {
                        match tls {
                            None => forward(socket, mode).await,
                            Some(acceptor) => encrypted(socket, &acceptor, mode).await,
                        }
                    });
                }
            }
        });
        Self { port, mode }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_modify(|state| *state = (mode, state.1 + u64::from(mode == Mode::Away)));
    }

    /// Cuts all connections. New ones can be made.
    pub(crate) fn cut(&self) {
        self.set(Mode::Away);
        self.set(Mode::Forward);
    }

    /// The address of a database by this way.
    pub(crate) fn address(&self, database: &Database, host: &str, options: &str) -> Address {
        let name = database.text(ROLE);
        let (_, name) = name.rsplit_once('/').expect("a database");
        format!("postgres://{ROLE}@{host}:{}/{name}?{options}", self.port).parse().expect("an address")
    }
}

async fn encrypted(
    mut socket: tokio::net::TcpStream,
    acceptor: &TlsAcceptor,
    mode: watch::Receiver<(Mode, u64)>,
) {
    let mut request = [0; 8];
    if socket.read_exact(&mut request).await.is_ok()
        && socket.write_all(b"S").await.is_ok()
        && let Ok(stream) = acceptor.accept(socket).await
    {
        forward(stream, mode).await;
    }
}

async fn forward(
    socket: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    mut mode: watch::Receiver<(Mode, u64)>,
) {
    let Ok(database) = UnixStream::connect(socket_path()).await else { return };
    let (mut from_client, mut to_client) = tokio::io::split(socket);
    let (mut from_database, mut to_database) = database.into_split();
    let watched = mode.clone();
    let made_at = mode.borrow().1;
    let answers = async {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let length = from_database.read(&mut bytes).await?;
            if length == 0 {
                return io::Result::Ok(());
            }
            if watched.borrow().0 == Mode::Forward {
                to_client.write_all(bytes.get(..length).unwrap_or_default()).await?;
                to_client.flush().await?;
            }
        }
    };
    let questions = tokio::io::copy(&mut from_client, &mut to_database);
    tokio::select! {
        _ = answers => {}
        _ = questions => {}
        _ = mode.wait_for(|state| state.1 != made_at) => {}
    }
}

/// The socket of the cluster.
fn socket_path() -> String {
    let place = superuser().rsplit_once('@').expect("a host").1;
    let (directory, rest) = place.split_once(':').expect("a port");
    let port = rest.split_once('/').expect("a database").0;
    format!("{}/.s.PGSQL.{port}", directory.replace("%2F", "/"))
}
