//! Poolers between a server and its database: what hands out sessions by transaction is refused at once.

use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use scim_store_postgres::{OpenError, PostgresStore};

use crate::cluster::socket_path;
use crate::cluster::{Database, ROLE, patient};

/// The sessions of the database that nobody has a transaction in, the latest at the end.
type Idle = Arc<Mutex<Vec<UnixStream>>>;

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

/// Passes on what a session says until it is ready. Whether no transaction is open in it then.
fn answer(session: &mut UnixStream, client: &mut TcpStream) -> Result<bool> {
    loop {
        let said = message(session, true)?;
        client.write_all(&said)?;
        if said.first() == Some(&b'Z') {
            return Ok(said.last() == Some(&b'I'));
        }
    }
}

/// One client: a session for each transaction, whichever was given back last.
fn serve(mut client: TcpStream, socket: &str, idle: &Idle) -> Result<()> {
    let beginning = message(&mut client, false)?;
    let mut session = UnixStream::connect(socket)?;
    session.write_all(&beginning)?;
    answer(&mut session, &mut client)?;
    idle.lock().expect("not poisoned").push(session);
    let mut held: Option<UnixStream> = None;
    loop {
        let said = message(&mut client, true)?;
        let mut session =
            held.take().or_else(|| idle.lock().expect("not poisoned").pop()).expect("there are enough");
        session.write_all(&said)?;
        match matches!(said.first(), Some(b'Q' | b'S')) && answer(&mut session, &mut client)? {
            true => idle.lock().expect("not poisoned").push(session),
            false => held = Some(session),
        }
    }
}

#[test]
fn one_that_pools_transactions_is_refused() {
    let database = Database::new();
    let socket = socket_path(&database.text(ROLE));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let idle = Idle::default();
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let (socket, idle) = (socket.clone(), Arc::clone(&idle));
            std::thread::spawn(move || serve(client, &socket, &idle));
        }
    });
    let name = database.text(ROLE);
    let (_, name) = name.rsplit_once('/').expect("a database");
    let address =
        format!("postgres://{ROLE}@127.0.0.1:{port}/{name}?sslmode=disable").parse().expect("an address");
    let refused = PostgresStore::open(&address, patient()).expect_err("pooled");
    assert!(matches!(refused, OpenError::Pooled), "{refused}");
    assert!(refused.to_string().contains("pool_mode = session"), "{refused}");
}
