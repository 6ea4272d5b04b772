//! Connections that are opened and not used: they cost little, and end by themselves.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Instant;

use super::slow::connections;
use super::{TENANT, millis, seen, sized};
use crate::server::{PATIENCE, Place, Server};

#[test]
fn idle_connections_cost_little() {
    let count = sized(1000, 10_000);
    scimd::descriptors::raise_limit();
    let place =
        Place::new(&format!("[limits]\nrequests_per_second = 1000000\nmax_connections = {}", count + 100));
    let token = place.tenant(TENANT, "generic");
    let server = Server { process: place.serve(), place };
    let mut client = server.client(TENANT, &token);
    client.get("/Users").expect(200);
    let before = server.process.memory();
    let begun = Instant::now();
    let idle: Vec<TcpStream> =
        (0..count).map(|_| TcpStream::connect(server.process.address).expect("a connection")).collect();
    // One that is accepted after them says that they were.
    let mut last = server.client(TENANT, &token);
    last.get("/Users").expect(200);
    let open = connections(&server.process);
    let after = server.process.memory();
    let took = begun.elapsed();
    drop((client, last));
    for mut socket in idle {
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        match socket.read_to_end(&mut Vec::new()) {
            Ok(0) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            other => panic!("an idle connection was not closed: {other:?}"),
        }
    }
    seen(
        "idle",
        format_args!(
            "{open} of {count} connections open after {}; resident {} MiB, {} MiB before; all closed by the server",
            millis(took),
            after >> 20,
            before >> 20
        ),
    );
}
