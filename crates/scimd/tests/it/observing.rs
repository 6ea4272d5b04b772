//! What operators see of a server: its log and its counters.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::faults::lock::{Held, Part};
use crate::faults::on_postgres;
use crate::http::{Client, Connection};
use crate::messages::user;
use crate::server::{Directory, Place, Process, Server, base};

/// Anybody who can reach a server can send it requests, and each line of its log is a piece of its disk.
#[test]
fn who_has_no_token_does_not_fill_the_log() {
    let server = Server::start("[metrics]\nlisten = \"127.0.0.1:0\"");
    let mut client = server.tenant("acme", "generic");
    let mut strangers = Client::new(server.process.address, &base("acme"), "scim_abcd2345_x");
    for path in ["/Users", "/nowhere"].iter().cycle().take(1000) {
        strangers.get(path).expect(401);
    }
    let mut outside = Client::bare(server.process.address, "/favicon.ico");
    for _ in 0..1000 {
        outside.get("").expect(404);
    }
    client.get("/Users").expect(200);
    let lines = server.process.wait_for("all of them", |_, err| {
        let lines = |of: &str| err.lines().filter(|line| line.contains(of)).count() as u64;
        let told = err.lines().filter(|line| line.contains("so many more requests have no line"));
        let untold: u64 =
            told.filter_map(|line| serde_json::from_str::<Value>(line).ok()?["requests"].as_u64()).sum();
        let lines = lines("\"status\":401") + lines("\"status\":404");
        (lines + untold == 2000 && err.contains("\"status\":200")).then_some(lines)
    });
    assert!((100..1000).contains(&lines), "{lines}");
    let text = Client::bare(server.process.metrics(), "").get("/metrics").text();
    assert!(text.contains("status=\"401\"} 1000\n") && text.contains("status=\"404\"} 1000\n"), "{text}");
    assert_eq!(text.contains("\nscimd_store_connections_max 16\n"), on_postgres(), "{text}");
}

/// Whoever is given the identifier of a request finds how it went, though not what was in it.
#[test]
fn the_line_of_a_request_says_how_it_went() {
    let server = Server::start("");
    let mut client = server.tenant("acme", "generic");
    client.post("/Users", &user("ada@example.com")).expect(201);
    let refused = client.post("/Users", &user("ada@example.com"));
    refused.refused(409, "uniqueness");
    let identifier = refused.header("x-request-id").expect("an identifier");
    let line = server.process.wait_for("the line", |_, err| {
        let of_request = |line: &&str| line.contains(identifier);
        err.lines().find(of_request).and_then(|line| serde_json::from_str::<Value>(line).ok())
    });
    let of = ["tenant", "method", "route", "status", "scim_type"].map(|name| line[name].clone());
    assert_eq!(json!(of), json!(["acme", "POST", "collection", 409, "uniqueness"]));
    let (_, log) = server.process.printed();
    assert!(log.lines().any(|line| line.contains("\"status\":201") && !line.contains("scim_type")), "{log}");
    assert!(!log.contains("ada@"), "{log}");
}

/// Whoever balances has to leave a server out that serves nothing any more.
#[test]
fn a_server_with_other_schemas_than_the_last_one_is_not_ready() {
    let server = Server::start("[metrics]\nlisten = \"127.0.0.1:0\"");
    let mut client = server.tenant("acme", "generic");
    client.post("/Users", &user("ada")).expect(201);
    let mut health = Client::bare(server.process.metrics(), "");
    assert_eq!(health.get("/readyz").status, 200);
    let badge = json!({"id": "urn:example:Badge", "name": "Badge", "attributes": [
        {"name": "number", "uniqueness": "server"},
    ]});
    let directory = Directory::new();
    directory.write("badge.json", &badge.to_string());
    let config = "[[schemas]]\nfile = \"badge.json\"\nextends = \"User\"\n";
    let place = Place::on(directory, server.place.store.clone(), config);
    let other = place.serve();
    let answer = health.get("/readyz");
    assert_eq!(answer.status, 503);
    assert!(answer.text().starts_with("not ready: a server with other schemas"), "{}", answer.text());
    let refused = client.post("/Users", &user("bob"));
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    let told = refused.text();
    assert!(told.contains("a server with other schemas, or of another version, has been started"), "{told}");
    let token = server.place.token("acme");
    Client::new(other.address, &base("acme"), &token).post("/Users", &user("bob")).expect(201);
    // The schemas from before.
    drop(other);
    drop(server.place.serve());
    assert_eq!(health.get("/readyz").status, 200);
    assert_eq!(client.get("/Users").expect(200)["totalResults"], 2);
}

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

/// Nobody should learn of it from an identity provider that stops.
#[test]
fn tokens_that_end_soon_are_told_of() {
    let place = Place::new("[metrics]\nlisten = \"127.0.0.1:0\"");
    place.tenant("acme", "generic");
    let token = |end: &str| {
        let printed = place.command(&["token", "create", "acme", "--expires", end]);
        printed.split('_').nth(1).expect("an identifier").to_owned()
    };
    let (soon, later) = (token("13d"), token("15d"));
    let process = place.serve();
    let line = process.wait_for("which token ends", |_, err| {
        err.lines().find(|line| line.contains("a token ends soon")).map(str::to_owned)
    });
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&line["tenant"], &line["token"]), (&Value::from("acme"), &Value::from(soon.as_str())));
    assert!(line["ends"].as_str().is_some_and(|end| end.ends_with('Z')), "{line}");
    let text = Client::bare(process.metrics(), "").get("/metrics").text();
    assert!(text.contains("\nscimd_tokens_ending 1\n"), "{text}");
    let listed: Vec<Value> =
        serde_json::from_str(&place.command(&["token", "list", "--format", "json"])).expect("a list");
    let state = |id: &str| listed.iter().find(|row| row["id"] == id).expect("a token")["state"].clone();
    assert_eq!((state(&soon), state(&later)), (Value::from("ending"), Value::from("valid")));
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

/// Clients that are silent must not keep anybody from learning that the server lives, nor the store from what it opens.
#[test]
fn connections_leave_descriptors_for_others() {
    let place = Place::new("[metrics]\nlisten = \"127.0.0.1:0\"");
    let token = place.tenant("acme", "generic");
    let mut command = Command::new("sh");
    command.arg("-c").arg("ulimit -n 160 && exec \"$@\"").arg("sh").arg(env!("CARGO_BIN_EXE_scimd"));
    command.arg("serve").arg("--config").arg(&place.config).current_dir(place.directory.path());
    let server = Server { process: Process::start(command), place };
    let mut client = server.client("acme", &token);
    client.post("/Users", &user("first")).expect(201);
    let silent: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(server.process.address).expect("connects")).collect();
    let mut health = Client::bare(server.process.metrics(), "");
    assert_eq!(health.get("/healthz").text(), "ok\n");
    client.post("/Users", &user("second")).expect(201);
    assert_eq!(health.get("/readyz").text(), "ready\n");
    let (_, log) = server.process.printed();
    assert!(!log.contains("cannot accept") && log.contains("LimitNOFILE"), "{log}");
    drop(silent);
}
