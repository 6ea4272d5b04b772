//! What operators see of a server: its log and its counters.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::faults::lock::{Held, Part};
use crate::faults::on_postgres;
use crate::http::{Answer, Client, Connection};
use crate::messages::user;
use crate::server::{Directory, PATIENCE, Place, Process, Server, alone, base, scimd};

/// What a counter is at.
#[track_caller]
pub(crate) fn counted(answer: &Answer, name: &str) -> u64 {
    let text = answer.text();
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or_else(|| panic!("no {name} in {text}"))
}

/// Waits until a server says that it is ready. Its store has a second to show that it answers, which it may not do in time
/// where the machine does much else.
#[track_caller]
pub(crate) fn until_ready(health: &mut Client) {
    health.get_until("ready", "/readyz", |answer| (answer.status, &*answer.text()) == (200, "ready\n"));
}

/// Anybody who can reach a server can send it requests, and each line of its log is a piece of its disk.
#[test]
fn who_has_no_token_does_not_fill_the_log() {
    let server = Server::start("[metrics]\nlisten = \"127.0.0.1:0\"");
    let mut client = server.tenant("acme", "generic");
    let mut strangers = Client::new(server.process.address, &base("acme"), "scim_abcd2345_x");
    let begun = Instant::now();
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
    // A hundred at once, and ten for each second that it took.
    let most = 110 + 10 * begun.elapsed().as_secs();
    assert!((100..=most).contains(&lines), "{lines} of {most}");
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
    until_ready(&mut health);
    let badge = json!({"id": "urn:example:Badge", "name": "Badge", "attributes": [
        {"name": "number", "uniqueness": "server"},
    ]});
    let directory = Directory::new();
    directory.write("badge.json", &badge.to_string());
    let config = "[[schemas]]\nfile = \"badge.json\"\nextends = \"User\"\n";
    let place = Place::on(directory, server.place.store.clone(), config);
    let other = place.serve();
    health.get_until("that it is not ready", "/readyz", |answer| {
        answer.status == 503 && answer.text().starts_with("not ready: a server with other schemas")
    });
    let refused = client.post("/Users", &user("bob"));
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    let told = refused.text();
    let why = "a server with other schemas, or of another version, has been started";
    assert!(told.contains(why), "{told}");
    let line = server.process.wait_for("its line", |_, err| {
        let failed = |line: &&str| line.contains("\"request failed\"");
        err.lines().find(failed).and_then(|line| serde_json::from_str::<Value>(line).ok())
    });
    let said = line["error"].as_str().expect("a text");
    assert!(said.contains(why) && !said.contains("kind: "), "it is for people to read: {said}");
    let token = server.place.token("acme");
    Client::new(other.address, &base("acme"), &token).post("/Users", &user("bob")).expect(201);
    // The schemas from before.
    drop(other);
    drop(server.place.serve());
    until_ready(&mut health);
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

/// An identity provider that waits less long than the store needs hangs up. Nobody gets an answer, but somebody should know.
#[test]
fn a_client_that_goes_away_is_told_of() {
    let server = Server::start("[metrics]\nlisten = \"127.0.0.1:0\"");
    let mut client = server.tenant("acme", "generic");
    let mut observer = Client::bare(server.process.metrics(), "");
    let mut counted = |name: &str| counted(&observer.get("/metrics"), name);
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
    let mut command = alone(Command::new("sh"));
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
    until_ready(&mut health);
    let (_, log) = server.process.printed();
    assert!(!log.contains("cannot accept") && log.contains("LimitNOFILE"), "{log}");
    drop(silent);
}

/// A server whose log nobody reads but the test. It is killed when dropped.
struct Unread(Child);

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What collects the log may hang, or have a full disk, and then the pipe to it fills up.
#[test]
fn who_does_not_read_the_log_holds_nobody() {
    let place = Place::new("[limits]\nrequests_per_second = 1000000");
    let token = place.tenant("acme", "generic");
    let mut command = scimd();
    command.arg("serve").arg("--config").arg(&place.config).current_dir(place.directory.path());
    let mut server = Unread(command.stderr(Stdio::piped()).spawn().expect("starts"));
    let log = BufReader::new(server.0.stderr.take().expect("a pipe"));
    let mut lines =
        log.lines().map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("JSON"));
    let serving = lines.find(|line| line["message"] == "serving").expect("it serves");
    let address = serving["address"].as_str().and_then(|address| address.parse().ok()).expect("an address");
    let mut client = Client::new(address, &base("acme"), &token);
    // Several times what a pipe holds.
    let mut ask =
        |times: usize| (0..times).for_each(|_| drop(client.get("/ServiceProviderConfig").expect(200)));
    ask(1500);
    let answered = lines.by_ref().filter(|line| line["message"] == "request").take(1500);
    assert_eq!(answered.count(), 1500, "nothing is lost while there is room");
    ask(1500);
    let id = server.0.id().to_string();
    assert!(Command::new("kill").arg(id).status().expect("kill runs").success());
    assert_eq!(server.0.wait().expect("a child").code(), Some(0), "nor does its end wait");
}

/// Whoever restarts what does not answer would do so again and again.
#[test]
fn a_server_that_is_starting_lives_and_is_not_ready() {
    let place = Place::new("[metrics]\nlisten = \"127.0.0.1:0\"");
    place.tenant("acme", "generic");
    drop(place.serve());
    let badge = json!({"id": "urn:example:Badge", "name": "Badge", "attributes": [
        {"name": "number", "uniqueness": "server"},
    ]});
    place.directory.write("badge.json", &badge.to_string());
    let text = std::fs::read_to_string(&place.config).expect("a file");
    let schema = "[[schemas]]\nfile = \"badge.json\"\nextends = \"User\"\n";
    std::fs::write(&place.config, format!("{text}{schema}")).expect("written");
    // It has to write what it has begun to derive.
    let held = Held::by_another(&place, if on_postgres() { Part::Table } else { Part::File });
    let process = place.begin();
    let mut health = Client::bare(process.metrics(), "");
    assert_eq!(health.get("/healthz").text(), "ok\n");
    let answer = health.get("/readyz");
    assert_eq!((answer.status, answer.text().as_str()), (503, "not ready: the server is starting\n"));
    assert_eq!(counted(&health.get("/metrics"), "scimd_requests_in_flight"), 0);
    held.release();
    let process = process.serving();
    let mut client = Client::new(process.address, &base("acme"), &place.token("acme"));
    client.post("/Users", &user("ada")).expect(201);
    until_ready(&mut health);
}

/// Whoever balances the load looks now and then alone.
#[test]
fn a_server_that_drains_serves_on_and_says_that_it_is_not_ready() {
    let server = Server::start("drain_seconds = 3600\n[metrics]\nlisten = \"127.0.0.1:0\"");
    let mut client = server.tenant("acme", "generic");
    let mut health = Client::bare(server.process.metrics(), "");
    until_ready(&mut health);
    server.process.signal("TERM");
    server.process.wait_for("that it drains", |_, err| err.contains("not ready any more").then_some(()));
    let answer = health.get("/readyz");
    assert_eq!((answer.status, answer.text().as_str()), (503, "not ready: the server is ending\n"));
    assert_eq!(health.get("/healthz").status, 200);
    let answer = client.post("/Users", &user("ada"));
    assert_eq!((answer.status, answer.header("connection")), (201, Some("close")));
    server.process.signal("TERM");
    assert_eq!(server.process.ended().0, Some(0));
}

/// Why it does not start is the line that somebody looks for.
#[test]
fn a_server_that_cannot_start_says_so_in_the_log() {
    let place = Place::in_file("");
    place.directory.write("scimd.db", "no database at all, whatever its name may say");
    let ran = place.run(&["serve"]);
    assert_eq!(ran.code, Some(1));
    let lines: Vec<Value> =
        ran.stderr.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let last = lines.last().expect("a line");
    assert_eq!(
        (&last["level"], &last["message"]),
        (&Value::from("ERROR"), &Value::from("ended by a failure"))
    );
    assert!(last["failure"].as_str().is_some_and(|why| why.starts_with("cannot open sqlite:")), "{last}");
}

/// What never becomes a request has neither a line nor a count of its own otherwise.
#[test]
fn connections_that_never_ask_are_counted() {
    let server = Server::start("[metrics]\nlisten = \"127.0.0.1:0\"");
    let mut observer = Client::bare(server.process.metrics(), "");
    let said = |bytes: &[u8]| {
        let mut connection = Connection::open(server.process.address).expect("connects");
        connection.send(bytes).expect("sends");
        let answer = connection.receive("GET").expect("an answer");
        connection.rest().expect("closed");
        answer.status
    };
    let counted = |reason: &str| {
        let name = format!("scimd_connections_refused_total{{reason=\"{reason}\"}}");
        counted(&observer.get("/metrics"), &name)
    };
    assert_eq!(said(b"\x16\x03\x01\x02\x00\x01\r\n\r\n"), 400);
    let twice = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab";
    assert_eq!(said(twice.as_bytes()), 400);
    assert_eq!(
        said(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(70_000)).as_bytes()),
        431
    );
    // Somebody who looks whether the port is open.
    drop(Connection::open(server.process.address).expect("connects"));
    let lines = server.process.wait_for("why they ended", |_, err| {
        let lines = err.lines().filter(|line| line.contains("a connection was ended"));
        let lines: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        (lines.len() == 3).then_some(lines)
    });
    // Each is told of when it has ended, so that the next may be told of first.
    let mut reasons: Vec<&str> = lines.iter().filter_map(|line| line["reason"].as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["malformed", "malformed", "too_large"]);
    assert_eq!(["malformed", "too_large", "tls", "unread"].map(counted), [2, 1, 0, 0]);
}

/// An alert about a metric that is not there never comes.
#[test]
fn the_documentation_names_the_metrics_that_there_are() {
    let server = Server::start("[metrics]\nlisten = \"127.0.0.1:0\"");
    let text = Client::bare(server.process.metrics(), "").get("/metrics").text();
    let there = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let mut there: BTreeSet<&str> = there.collect();
    // Of a server with TLS, and of one with PostgreSQL.
    there.insert("scimd_certificate_end_timestamp_seconds");
    for name in ["in_use", "max", "waited_for"].map(|name| format!("scimd_store_connections_{name}")) {
        there.insert(name.leak());
    }
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operating.md");
    let docs = std::fs::read_to_string(docs).expect("the documentation");
    let names = regex_lite::Regex::new("\\b(?:scimd|process)_[a-z_]+[a-z]").expect("an expression");
    let named: BTreeSet<&str> = names.find_iter(&docs).map(|name| name.as_str()).collect();
    assert_eq!(named, there);
}

/// A customer's provisioning can break down without any error of the server.
#[test]
fn what_the_rules_refuse_is_counted() {
    let server = Server::start("[metrics]\nlisten = \"127.0.0.1:0\"");
    let mut client = server.tenant("acme", "generic");
    let policy = server.place.directory.write("policy.toml", "[domain]\nallow = [\"example.com\"]\n");
    server.place.command(&["policy", "apply", "acme", policy.to_str().expect("UTF-8")]);
    let mut observer = Client::bare(server.process.metrics(), "");
    let name = "scimd_refused_by_rules_total{rule=\"domain-not-listed\"}";
    let told = Instant::now();
    while client.post("/Users", &user("ada@example.net")).status == 201 {
        assert!(told.elapsed() < PATIENCE, "the policy is not in force");
    }
    let before = counted(&observer.get("/metrics"), name);
    assert!(before > 0);
    let create = json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": user("bob@example.net")});
    let schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"];
    client.post("/Bulk", &json!({"schemas": schemas, "Operations": [create]})).expect(200);
    assert_eq!(counted(&observer.get("/metrics"), name), before + 1);
}
