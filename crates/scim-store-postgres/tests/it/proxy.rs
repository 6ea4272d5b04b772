//! A way to the database that can fail: a port on the loopback interface, forwarded to the cluster's socket.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use scim_store_postgres::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::cluster::{Cluster, Database, PATIENCE, ROLE, runtime, socket_path, superuser};

/// What a proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It forwards everything.
    Forward,
    /// What the database says goes nowhere.
    Swallow,
    /// What is said to the database is kept, and arrives once it is released, whoever has gone by then.
    Keep,
    /// What the database says is held back until everything is forwarded again, and what is said to it is lost.
    Hold,
    /// Of what the database says the beginning arrives, and then nothing, its end neither.
    Fade,
    /// Connections are cut, and new ones are not made.
    Away,
}

/// A proxy.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    /// What it does, and how often it has cut its connections.
    mode: Arc<watch::Sender<(Mode, u64)>>,
    late: Arc<Late>,
    /// The socket that new connections lead to.
    socket: Arc<Mutex<String>>,
}

/// How many bytes arrive where the rest does not.
const BEGINNING: usize = 32 << 10;

/// What is kept, and comes late.
#[derive(Default)]
struct Late {
    /// What was kept, of one connection, since the proxy was told to do something else.
    kept: watch::Sender<Vec<u8>>,
    is_released: watch::Sender<bool>,
    /// How many connections have come to their end since.
    arrived: watch::Sender<usize>,
}

impl Proxy {
    /// Plain, or with TLS as the protocol of PostgreSQL begins it.
    pub(crate) fn new(tls: Option<TlsAcceptor>) -> Self {
        Self::to(socket_path(superuser()), tls)
    }

    /// A plain one that leads to a cluster of its own.
    pub(crate) fn of(cluster: &Cluster) -> Self {
        Self::to(socket_path(&cluster.superuser), None)
    }

    fn to(socket_path: String, tls: Option<TlsAcceptor>) -> Self {
        let socket = Arc::new(Mutex::new(socket_path));
        let mode = Arc::new(watch::Sender::new((Mode::Forward, 0)));
        let (listener, port) = runtime().block_on(async {
            let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
            let port = listener.local_addr().expect("an address").port();
            (listener, port)
        });
        let late = Arc::new(Late::default());
        let (modes, keeper) = (Arc::clone(&mode), Arc::clone(&late));
        let path = Arc::clone(&socket);
        runtime().spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (mode, tls, late) = (modes.subscribe(), tls.clone(), Arc::clone(&keeper));
                let path = path.lock().expect("not poisoned").clone();
                let (now, made_at) = *mode.borrow();
                if now != Mode::Away {
                    tokio::spawn(async move {
                        match tls {
                            None => forward(socket, &path, mode, made_at, &late).await,
                            Some(acceptor) => encrypted(socket, &acceptor, &path, mode, made_at, &late).await,
                        }
                    });
                }
            }
        });
        Self { port, mode, late, socket }
    }

    /// Leads new connections to where a database is.
    pub(crate) fn lead_to(&self, database: &Database) {
        *self.socket.lock().expect("not poisoned") = socket_path(&database.text(ROLE));
    }

    /// Waits until so many messages of this kind are kept, whole, or a connection was begun meanwhile. Says which kind came
    /// first, which of a connection is none.
    #[track_caller]
    pub(crate) fn until_kept(&self, kind: u8, count: usize) -> Option<u8> {
        let are_there = |kept: &Vec<u8>| {
            let kinds = kinds(kept);
            kinds.first() == Some(&0) || kinds.iter().filter(|one| **one == kind).count() >= count
        };
        come("kept", &self.late.kept, are_there);
        let kept = self.late.kept.borrow();
        kept.first().copied().filter(|first| *first != 0)
    }

    /// Lets what was kept of a connection that was cut arrive, and waits until the database is done with it.
    pub(crate) fn release(&self) {
        self.late.is_released.send_replace(true);
        come("arrived", &self.late.arrived, |count| *count > 0);
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.late.kept.send_modify(Vec::clear);
        self.mode.send_modify(|state| *state = (mode, state.1 + u64::from(mode == Mode::Away)));
    }

    /// Cuts all connections. New ones can be made.
    pub(crate) fn cut(&self) {
        self.set(Mode::Away);
        self.set(Mode::Forward);
    }

    /// The address of a database by this way.
    pub(crate) fn address(&self, database: &Database, host: &str, options: &str) -> Address {
        database.through(host, self.port, options)
    }
}

/// Waits until there is something.
#[track_caller]
fn come<T>(what: &str, there: &watch::Sender<T>, is_enough: impl Fn(&T) -> bool) {
    let mut seen = there.subscribe();
    let come = async { timeout(PATIENCE, seen.wait_for(is_enough)).await.map(drop) };
    assert!(runtime().block_on(come).is_ok(), "waited in vain for something that is {what}");
}

/// The kinds of the messages that are whole. What begins a connection has none, which is 0.
fn kinds(mut messages: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let Some((kind, rest)) = messages.split_first() {
        let length =
            if *kind == 0 { messages } else { rest }.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        let length = length.map_or(usize::MAX, |length| length as usize);
        let Some(next) = messages.get(length.saturating_add(usize::from(*kind != 0))..) else { break };
        kinds.push(*kind);
        messages = next;
    }
    kinds
}

async fn encrypted(
    mut socket: tokio::net::TcpStream,
    acceptor: &TlsAcceptor,
    path: &str,
    mode: watch::Receiver<(Mode, u64)>,
    made_at: u64,
    late: &Late,
) {
    let mut request = [0; 8];
    if socket.read_exact(&mut request).await.is_ok()
        && socket.write_all(b"S").await.is_ok()
        && let Ok(stream) = acceptor.accept(socket).await
    {
        forward(stream, path, mode, made_at, late).await;
    }
}

async fn forward(
    socket: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    path: &str,
    mut mode: watch::Receiver<(Mode, u64)>,
    made_at: u64,
    late: &Late,
) {
    let Ok(database) = UnixStream::connect(path).await else { return };
    let (mut from_client, mut to_client) = tokio::io::split(socket);
    let (mut from_database, mut to_database) = database.into_split();
    let (watched, mut awaited) = (mode.clone(), mode.clone());
    let mut kept = Vec::new();
    let answers = async {
        let mut bytes = vec![0; 64 << 10];
        let mut passed = 0;
        loop {
            let length = from_database.read(&mut bytes).await?;
            let _ = awaited.wait_for(|state| state.0 != Mode::Hold).await;
            let mode = watched.borrow().0;
            passed = if mode == Mode::Fade { passed + length } else { 0 };
            if length == 0 {
                let _ = awaited.wait_for(|state| state.0 != Mode::Fade).await;
                return io::Result::Ok(());
            }
            if mode == Mode::Forward || (mode == Mode::Fade && passed <= BEGINNING) {
                to_client.write_all(bytes.get(..length).unwrap_or_default()).await?;
                to_client.flush().await?;
            }
        }
    };
    let questions = async {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let length = from_client.read(&mut bytes).await?;
            let said = bytes.get(..length).unwrap_or_default();
            if said.is_empty() {
                return io::Result::Ok(());
            }
            let mode = watched.borrow().0;
            if mode == Mode::Keep {
                kept.extend_from_slice(said);
            }
            match mode {
                Mode::Keep | Mode::Hold => late.kept.send_modify(|kept| kept.extend_from_slice(said)),
                Mode::Forward | Mode::Swallow | Mode::Fade | Mode::Away => {
                    to_database.write_all(said).await?
                }
            }
        }
    };
    tokio::select! {
        _ = answers => {}
        _ = questions => {}
        _ = mode.wait_for(|state| state.1 != made_at) => {}
    }
    if kept.is_empty() {
        return;
    }
    drop((from_client, to_client));
    let mut released = late.is_released.subscribe();
    let _ = released.wait_for(|released| *released).await;
    let _ = to_database.write_all(&kept).await;
    let _ = to_database.shutdown().await;
    let _ = tokio::io::copy(&mut from_database, &mut tokio::io::sink()).await;
    late.arrived.send_modify(|count| *count += 1);
}
