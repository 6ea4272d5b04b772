//! Poolers between a server and its database: what hands out sessions by transaction is refused at once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use scim_store_postgres::{OpenError, PostgresStore};

use crate::cluster::socket_path;
use crate::cluster::{Database, ROLE, patient};

/// The sessions of the database that nobody has a transaction in, the one that was given back last at the end.
type Idle = Arc<Mutex<VecDeque<Session>>>;

/// A session of the database, with the names of the statements that are prepared in it.
struct Session {
    stream: UnixStream,
    prepared: HashSet<Vec<u8>>,
}

/// Which of the idle sessions is lent.
#[derive(Clone, Copy)]
enum Lent {
    /// As of PgBouncer, if it is not told otherwise.
    Latest,
    /// As of PgBouncer with `server_round_robin`.
    Earliest,
}

/// A message with its first byte, which the first of a client lacks.
fn message(from: &mut impl Read, has_tag: bool) -> Result<Vec<u8>> {
    let mut bytes = vec![0; if has_tag { 5 } else { 4 }];
    from.read_exact(&mut bytes)?;
    let length = bytes.rchunks(4).next().expect("a length");
    let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize - 4;
    let start = bytes.len();
    bytes.resize(start + length, 0);
    from.read_exact(bytes.get_mut(start..).unwrap_or_default())?;
    Ok(bytes)
}

/// The name of the statement that a message prepares, binds or describes.
fn statement(said: &[u8]) -> Option<Vec<u8>> {
    let mut texts = said.get(5..)?.split(|byte| *byte == 0);
    match said.first()? {
        b'P' => texts.next(),
        b'B' => texts.nth(1),
        b'D' => texts.next()?.strip_prefix(b"S"),
        _ => None,
    }
    .map(<[u8]>::to_vec)
}

/// Passes on what a client says, after what it prepared in another session, as PgBouncer does with
/// `max_prepared_statements`.
fn tell(session: &mut Session, said: &[u8], prepared: &mut HashMap<Vec<u8>, Vec<u8>>) -> Result<()> {
    if let Some(name) = statement(said) {
        let is_new = session.prepared.insert(name.clone());
        match prepared.get(&name) {
            _ if said.first() == Some(&b'P') => drop(prepared.insert(name, said.to_vec())),
            Some(earlier) if is_new => {
                session.stream.write_all(earlier)?;
                session.stream.write_all(b"H\0\0\0\x04")?;
                assert_eq!(message(&mut session.stream, true)?, b"1\0\0\0\x04");
            }
            _ => {}
        }
    }
    session.stream.write_all(said)
}

/// Passes on what a session says until it is ready, and has it back first if no transaction is open in it then.
fn answer(mut session: Session, client: &mut TcpStream, idle: &Idle) -> Result<Option<Session>> {
    loop {
        let said = message(&mut session.stream, true)?;
        if said.first() != Some(&b'Z') {
            client.write_all(&said)?;
            continue;
        }
        let held = match said.last() {
            Some(b'I') => {
                idle.lock().expect("not poisoned").push_back(session);
                None
            }
            _ => Some(session),
        };
        client.write_all(&said)?;
        return Ok(held);
    }
}

/// One client: a session for each transaction.
fn serve(mut client: TcpStream, socket: &str, idle: &Idle, lent: Lent) -> Result<()> {
    let beginning = message(&mut client, false)?;
    let mut session = Session { stream: UnixStream::connect(socket)?, prepared: HashSet::new() };
    session.stream.write_all(&beginning)?;
    let (mut held, mut prepared) = (answer(session, &mut client, idle)?, HashMap::new());
    loop {
        let said = message(&mut client, true)?;
        let mut session = held.take().unwrap_or_else(|| {
            let mut idle = idle.lock().expect("not poisoned");
            match lent {
                Lent::Latest => idle.pop_back(),
                Lent::Earliest => idle.pop_front(),
            }
            .expect("one for each client")
        });
        tell(&mut session, &said, &mut prepared)?;
        held = match said.first() {
            Some(b'Q' | b'S') => answer(session, &mut client, idle)?,
            _ => Some(session),
        };
    }
}

/// What a store says to a pooler of transactions.
fn refused(lent: Lent) -> OpenError {
    let database = Database::new();
    let socket = socket_path(&database.text(ROLE));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let idle = Idle::default();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let (socket, idle) = (socket.clone(), Arc::clone(&idle));
            std::thread::spawn(move || serve(client, &socket, &idle, lent));
        }
    });
    let name = database.text(ROLE);
    let (_, name) = name.rsplit_once('/').expect("a database");
    let address =
        format!("postgres://{ROLE}@127.0.0.1:{port}/{name}?sslmode=disable").parse().expect("an address");
    PostgresStore::open(&address, patient()).expect_err("pooled")
}

#[test]
fn one_that_pools_transactions_is_refused() {
    for lent in [Lent::Latest, Lent::Earliest] {
        let refused = refused(lent);
        assert!(matches!(refused, OpenError::Pooled), "{refused}");
        assert!(refused.to_string().contains("pool_mode = session"), "{refused}");
    }
}
