//! What operators see of a server: its log and its counters.

use std::time::{Duration, Instant};

use crate::faults::lock::{Held, Part};
use crate::faults::on_postgres;
use crate::http::{Client, Connection};
use crate::messages::user;
use crate::server::{Server, base};

/// A token has ended, and the operator has to know whose.
#[test]
fn a_refused_token_is_logged_with_its_tenant() {
    let server = Server::start("");
    server.tenant("acme", "generic");
    let refused = |tenant: &str| {
        Client::new(server.process.address, &base(tenant), "scim_abcd2345_x").get("/Users").expect(401);
    };
    // A name that nobody has is a stranger's text.
    refused("a-stranger");
    refused("acme");
    let log = server.process.wait_for("both refusals", |_, err| {
        (err.matches("\"status\":401").count() == 2).then(|| err.to_owned())
    });
    let tenants = ["\"\"", "\"acme\""].map(|name| format!("\"tenant\":{name},"));
    let refusals = log.lines().filter(|line| line.contains("\"status\":401"));
    assert!(refusals.zip(&tenants).all(|(line, tenant)| line.contains(tenant)), "{log}");
    assert!(!log.contains("a-stranger"), "{log}");
}

const PATIENCE: Duration = Duration::from_secs(30);

/// An identity provider that waits less long than the store needs hangs up. Nobody gets an answer, but somebody should know.
#[test]
fn a_client_that_goes_away_is_told_of() {
    let server = Server::start("[metrics]\nlisten = \"127.0.0.1:0\"");
    let mut client = server.tenant("acme", "generic");
    let mut observer = Client::bare(server.process.metrics(), "");
    let mut counted = |name: &str| {
        let text = observer.get("/metrics").text();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).expect("a counter")
    };
    client.post("/Users", &user("ada")).expect(201);
    let held = Held::by_another(&server.place, if on_postgres() { Part::Table } else { Part::File });
    let mut connection = Connection::open(server.process.address).expect("connects");
    let body = user("bob").to_string().into_bytes();
    connection.send(&client.message("POST", "/Users", &[], Some(&body))).expect("sends");
    // Only the server knows that it has begun.
    let sent = Instant::now();
    while counted("scimd_requests_in_flight") == 0 {
        assert!(sent.elapsed() < PATIENCE, "it was not taken");
    }
    drop(connection);
    server.process.wait_for("who went away", |_, err| {
        let line = err.lines().find(|line| line.contains("the client went away before it was answered"))?;
        line.contains("\"method\":\"POST\"").then_some(())
    });
    assert_eq!(counted("scimd_requests_abandoned_total"), 1);
    assert_eq!(counted("scimd_requests_in_flight"), 0);
    held.release();
    // What the store has been given is written, whoever listens.
    let released = Instant::now();
    while client.get("/Users").expect(200)["totalResults"] != 2 {
        assert!(released.elapsed() < PATIENCE, "it was not written");
    }
}
