//! `scimd tenant delete`: a customer who has gone leaves nothing behind, whatever ends the command, and nobody else notices.

use std::time::Instant;

use scimd::config::StoreUrl;
use serde_json::{Value, json};

use crate::http::Client;
use crate::ledger::{Ledger, faults};
use crate::messages::{id, user};
use crate::moving::{CONFIG, copy, fill, killed_at};
use crate::server::{PATIENCE, Place, Server, scimd};

/// Whether a request is answered as for a tenant that never was.
#[track_caller]
fn wait_until_unknown(client: &mut Client) {
    client.get_until("deleted", "/Users", |answer| answer.status == 401);
}

pub(crate) fn check_whole(place: &Place) {
    let faults = match &place.store {
        StoreUrl::Sqlite(file) => faults(file),
        _ => place.faults(),
    };
    assert_eq!(faults, [""; 0]);
}

#[test]
fn a_tenant_goes_with_everything_though_the_command_is_killed() {
    let server = Server::start(CONFIG);
    let place = &server.place;
    let mut neighbour = server.tenant("umbrella", "generic");
    let theirs = id(&neighbour.post("/Users", &user("ada@example.com")).expect(201));
    let store = |place: &Place| place.store.to_string();
    let refused = |arguments: &[&str], code: i32, words: &str| {
        let ran = place.run(arguments);
        assert!(ran.code == Some(code) && ran.stderr.contains(words), "{words}: {ran:?}");
    };
    let begun = Instant::now();
    let (mut client, token, kept) = loop {
        let mut client = server.tenant("acme", "entra");
        let token = place.token("acme");
        fill(&server, &mut client, 1500);
        let kept = Place::in_file(CONFIG);
        assert_eq!(copy(&store(place), &store(&kept), &["--tenant", "acme"]).code, Some(0));

        refused(&["tenant", "delete", "acme", "--yes"], 1, "the connection of tenant `acme` is in use");
        refused(&["tenant", "delete", "acne", "--yes"], 1, "did you mean `acme`?");
        place.command(&["connection", "pause", "acme"]);
        let asked = "tenant acme has 1504 resources, 1502 persons and 3 memberships";
        refused(&["tenant", "delete", "acme"], 2, asked);
        assert!(place.command(&["tenant", "list"]).contains("acme"), "nothing was changed");

        let mut command = scimd();
        command.args(["tenant", "delete", "acme", "--yes", "--config"]).arg(&place.config);
        // Whoever is to end it does not always come in time. Then there is nothing left, and everything is made anew.
        if killed_at(command, "removed", 10) {
            break (client, token, kept);
        }
        assert!(begun.elapsed() < PATIENCE, "it is never killed in time");
    };
    let (here, there) = (store(place), store(&kept));
    wait_until_unknown(&mut client);
    let never = server.client("never", &token).get("/Users");
    let gone = client.get("/Users");
    assert_eq!((gone.status, gone.text()), (never.status, never.text()));
    refused(&["tenant", "create", "acme"], 1, "tenant `acme` is being deleted");
    refused(&["token", "create", "acme"], 1, "there is no tenant `acme`");
    refused(&["store", "discard", "acme"], 1, "nothing was removed");
    let ran = copy(&there, &here, &["--tenant", "acme"]);
    assert!(ran.stderr.contains("tenant `acme` is being deleted"), "{ran:?}");

    let ran = place.run(&["tenant", "delete", "acme"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("was begun and not finished"), "{ran:?}");
    refused(&["tenant", "delete", "acme", "--yes"], 1, "there is no tenant `acme`");
    check_whole(place);
    neighbour.get(&format!("/Users/{theirs}")).expect(200);
    let trail = place.command(&["audit", "administration", "acme", "--format", "json"]);
    let trail: Vec<Value> = serde_json::from_str(&trail).expect("a list");
    let said = trail.iter().find(|row| row["action"] == "delete tenant acme").expect("an entry");
    assert_eq!(said["actor"], "cli:tenant delete");
    assert_eq!(said["detail"], "1504 resources, 1502 persons and 3 memberships");

    // Another customer of that name.
    let other = place.tenant("acme", "generic");
    let mut other = server.client("acme", &other);
    assert_eq!(server.client("acme", &token).get("/Users").status, 401, "a token of the old one");
    assert_eq!(other.get("/Users").expect(200)["totalResults"], 0);
    let created = other.post("/Users", &user("ada@example.com"));
    assert!(created.header("etag").is_some_and(|etag| etag == "W/\"1\""), "{created:?}");
    for list in [&["policy", "show", "acme"] as &[&str], &["findings", "list", "acme", "--format", "csv"]] {
        assert!(place.command(list).lines().count() <= 1, "{list:?}");
    }
    assert_eq!(place.command(&["schema", "list", "acme", "--format", "json"]).trim(), "[]");
    assert_eq!(Ledger::open(&place.store).audit("acme").len(), 1);

    // And the old one, from where it was kept.
    place.command(&["connection", "remove", "acme"]);
    place.command(&["tenant", "delete", "acme", "--yes"]);
    let ran = copy(&store(&kept), &store(place), &["--tenant", "acme"]);
    assert!(ran.stdout.contains("acme,copied and verified"), "{ran:?}");
    let mut back = server.client("acme", &token);
    assert_eq!(back.get("/Users?count=1").expect(200)["totalResults"], 1502);
    back.post("/Users", &user("new@example.com")).expect(201);
    check_whole(place);
}

/// The server has not heard of it yet: what it lets in until then must not be the next one's.
#[test]
fn a_request_that_is_under_way_leaves_nothing_to_the_next_of_that_name() {
    let server = Server::start(CONFIG);
    let mut client = server.tenant("acme", "generic");
    let writer = std::thread::spawn(move || {
        for number in 0.. {
            match client.post("/Users", &user(&format!("u{number}"))).status {
                201 | 403 | 404 | 503 => {}
                status => return status,
            }
        }
        0
    });
    let place = &server.place;
    place.command(&["connection", "remove", "acme"]);
    place.command(&["tenant", "delete", "acme", "--yes"]);
    let token = place.tenant("acme", "generic");
    assert_eq!(writer.join().expect("a writer"), 401);
    let mut next = server.client("acme", &token);
    assert_eq!(next.get("/Users").expect(200)["totalResults"], 0);
    next.post("/Users", &user("ada")).expect(201);
    check_whole(place);
}

/// Every row of the database, and every byte of the file once its unused parts are given back.
#[test]
fn nothing_of_a_deleted_tenant_is_left_in_the_store() {
    let server = Server::start("passwords = \"hash\"");
    let mut client = server.tenant("acme", "generic");
    for number in 0..50 {
        let mut person = user(&format!("canary{number}@example.com"));
        person["displayName"] = json!("Canary Canaria");
        person["password"] = json!("Canary!");
        client.post("/Users", &person).expect(201);
    }
    let Server { process, place } = server;
    place.command(&["connection", "pause", "acme"]);
    process.kill();
    let holds = |place: &Place| {
        let contents = place.contents();
        let is_in = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase().contains("canar");
        contents.iter().any(|(_, bytes)| is_in(bytes))
    };
    assert!(holds(&place));
    place.command(&["tenant", "delete", "acme", "--yes"]);
    if let StoreUrl::Sqlite(file) = &place.store {
        let file = rusqlite::Connection::open(file).expect("a file");
        file.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").expect("runs");
    }
    assert!(!holds(&place));
}
