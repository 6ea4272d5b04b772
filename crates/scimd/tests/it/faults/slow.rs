//! Clients that are slow or gone: none of them keeps a descriptor for long, and none keeps others from being served.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use scimd::config::StoreUrl;
use serde_json::json;

use super::{TENANT, millis, seen, sized};
use crate::messages::user_with;
use crate::server::{PATIENCE, Place, Process, Server};

/// How many descriptors a server has open.
fn descriptors(process: &Process) -> usize {
    fs::read_dir(format!("/proc/{}/fd", process.id())).expect("a process").count()
}

/// Waits until a server has let go of what it does not need.
#[track_caller]
fn let_go(process: &Process, baseline: usize) {
    let begun = Instant::now();
    while descriptors(process) > baseline {
        assert!(
            begun.elapsed() < PATIENCE,
            "{} descriptors are still open; {baseline} were before",
            descriptors(process)
        );
        std::thread::yield_now();
    }
}

/// Something that a client sends, and how it goes on.
struct Slow {
    socket: TcpStream,
    /// What it sends, a byte in each round.
    drip: Vec<u8>,
    at: usize,
    /// Whether it reads what it is sent.
    reads: bool,
}

impl Slow {
    fn open(address: SocketAddr, begin: &[u8], drip: &[u8], reads: bool) -> Self {
        let mut socket = TcpStream::connect(address).expect("a connection");
        socket.set_nonblocking(true).expect("a socket");
        let _ = socket.write(begin);
        Self { socket, drip: drip.to_vec(), at: 0, reads }
    }

    /// Goes on. Whether the server has closed the connection.
    fn step(&mut self) -> bool {
        if let Some(byte) = self.drip.get(self.at)
            && self.socket.write(&[*byte]).is_ok()
        {
            self.at += 1;
        }
        if !self.reads {
            // What was sent can be seen without taking it; the end, or a reset, cannot be missed.
            return matches!(self.socket.take_error(), Ok(Some(_)))
                || self.socket.write(b"\r\n").is_err_and(|error| error.kind() != ErrorKind::WouldBlock);
        }
        let mut some = [0; 1024];
        match self.socket.read(&mut some) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn slow_and_vanished_clients_are_let_go() {
    let (count, least) = sized((100, Duration::ZERO), (2000, Duration::from_secs(60)));
    scimd::descriptors::raise_limit();
    let place = Place::new(
        "[limits]\nrequests_per_second = 1000000\nrequest_timeout_seconds = 12\nmax_results = 1000",
    );
    let token = place.tenant(TENANT, "generic");
    let server = Server { process: place.serve(), place };
    let mut client = server.client(TENANT, &token);
    for number in 0..100 {
        let long = user_with(&format!("u{number}"), json!({ "displayName": "x".repeat(10_000) }));
        client.post("/Users", &long).expect(201);
    }
    drop(client);
    let baseline = baseline(&server.process);

    let client = server.client(TENANT, &token);
    let get = client.message("GET", "/Users?count=100", &[], None);
    let body = client.message("POST", "/Users", &[("content-length", "1000")], None);
    let body = String::from_utf8(body).expect("UTF-8").replace("content-length: 0\r\n", "");
    let body = body.replace("content-length: 1000", "content-type: application/json\r\ncontent-length: 1000");
    let open = |kind: usize| match kind % 5 {
        // Silent from the start, as one that vanished.
        0 => Slow::open(server.process.address, b"", b"", true),
        // A head that never ends, a byte at a time.
        1 => Slow::open(
            server.process.address,
            b"GET /t/acme/scim/v2/Users HTTP/1.1\r\nx: ",
            &[b'x'; 4096],
            true,
        ),
        // A body that never ends.
        2 => Slow::open(server.process.address, body.as_bytes(), &[b' '; 900], true),
        // An answer, and then nothing.
        3 => Slow::open(server.process.address, &get, b"", true),
        // Many long answers that are never taken.
        _ => Slow::open(server.process.address, &get.repeat(20), b"", false),
    };
    let mut slow: Vec<Slow> = (0..count).map(open).collect();
    let begun = Instant::now();
    let (mut most, mut closed, mut served) = (0, 0, 0);
    let mut longest = Duration::ZERO;
    let mut probe = server.client(TENANT, &token);
    while !slow.is_empty() {
        assert!(begun.elapsed() < least + PATIENCE, "{} are still connected: {:?}", slow.len(), kinds(&slow));
        let again = begun.elapsed() < least;
        let mut left = Vec::with_capacity(slow.len());
        for (number, mut one) in slow.into_iter().enumerate() {
            if !one.step() {
                left.push(one);
                continue;
            }
            closed += 1;
            if again {
                left.push(open(number));
            }
        }
        slow = left;
        let asked = Instant::now();
        probe.get("/Users?count=1").expect(200);
        longest = longest.max(asked.elapsed());
        served += 1;
        most = most.max(descriptors(&server.process));
    }
    let took = begun.elapsed();
    drop(probe);
    // The pool of a database keeps what was opened meanwhile.
    let kept = match server.place.store {
        StoreUrl::Postgres(_) => scim_store_postgres::Options::default().pool,
        StoreUrl::Sqlite(_) | StoreUrl::Memory => 0,
    };
    let_go(&server.process, baseline + kept);
    seen(
        "slow",
        format_args!(
            "{count} at once, {closed} closed by the server in {:.0} s; {served} requests of others served meanwhile, the \
             slowest in {}; {most} descriptors at most, {baseline} before and after",
            took.as_secs_f64(),
            millis(longest)
        ),
    );
}

/// How many of those that read, and of those that do not, are left.
fn kinds(slow: &[Slow]) -> (usize, usize) {
    let reading = slow.iter().filter(|one| one.reads).count();
    (reading, slow.len() - reading)
}

/// The descriptors of a server with which nobody is connected any more.
fn baseline(process: &Process) -> usize {
    // The connections of those that came before are closed within a moment of their end.
    let begun = Instant::now();
    while connections(process) > 0 {
        assert!(begun.elapsed() < PATIENCE, "somebody is still connected");
        std::thread::yield_now();
    }
    descriptors(process)
}

/// How many connections to the server are established on its side.
pub(super) fn connections(process: &Process) -> usize {
    let table = fs::read_to_string(format!("/proc/{}/net/tcp", process.id())).expect("the table");
    let port = format!(":{:04X}", process.address.port());
    let is_open = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next().is_some_and(|local| local.ends_with(&port));
        // 0A is the listener itself; 06 is what the system still remembers of an end.
        local && !matches!(fields.nth(1), Some("0A" | "06"))
    };
    table.lines().skip(1).filter(is_open).count()
}
