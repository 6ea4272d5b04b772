//! What is left behind: rows 18, 19, 31 and 32.

use std::io::Write;

use scim_store::ChangeKind;
use serde_json::{Value, json};

use super::NOBODY;
use crate::http::{Client, Connection, encode};
use crate::ledger::Ledger;
use crate::messages::{SEARCH, bulk, group, id, op, user, user_with};
use crate::server::{Server, base};

#[test]
fn row_18_a_password_is_nowhere() {
    for keep in ["discard", "hash"] {
        let server = Server::start(&format!("passwords = \"{keep}\"\n[log]\nlevel = \"trace\""));
        let mut client = server.tenant("acme", "generic");
        let canary = |number: usize| format!("CanaryPassword{number}!");
        let with_password =
            |name: &str, number: usize| user_with(name, json!({ "password": canary(number) }));
        let mut answers = vec![client.post("/Users", &with_password("ada", 1))];
        let path = format!("/Users/{}", id(&answers[0].expect(201)));
        answers.push(client.put(&path, &with_password("ada", 2)));
        answers.push(client.patch(&path, json!([op("replace", "password", json!(canary(3)))])));
        answers.push(client.patch(&path, json!([{ "op": "add", "value": { "password": canary(4) } }])));
        let operations =
            json!([{ "method": "POST", "path": "/Users", "bulkId": "b", "data": with_password("bob", 5) }]);
        answers.push(client.post("/Bulk", &bulk(operations)));
        assert!(answers.iter().all(|answer| answer.status < 300), "{answers:?}");
        answers.push(client.post("/Users", &with_password("ADA", 6)));
        answers.push(client.post("/Users", &user_with("eve", json!({ "password": ["CanaryPassword7!"] }))));
        answers.push(client.patch(&path, json!([op("replace", "password.x", json!(canary(8)))])));
        for query in
            ["", "?attributes=password", "?attributes=password,userName", "?excludedAttributes=userName"]
        {
            answers.push(client.get(&format!("/Users{query}")));
            answers.push(client.get(&format!("{path}{query}")));
        }
        let search = json!({ "schemas": [SEARCH], "attributes": ["password"] });
        answers.push(client.post("/Users/.search", &search));
        for answer in &answers {
            assert!(!answer.text().contains("CanaryPassword"), "{}", answer.text());
            let hidden = answer.status >= 400 || !answer.text().contains("password");
            assert!(hidden, "not even that there is one: {}", answer.text());
        }
        let (out, err) = server.process.printed();
        assert!(!out.contains("CanaryPassword") && !err.contains("CanaryPassword"), "{err}");
        for (file, bytes) in server.place.contents() {
            let found = bytes.windows(14).any(|window| window == b"CanaryPassword");
            assert!(!found, "{} holds a password", file.display());
            let hashes = bytes.windows(10).any(|window| window == b"$argon2id$");
            assert!(!hashes || keep == "hash", "{} holds a hash of a discarded password", file.display());
        }
        let found = |bytes: &[u8]| bytes.windows(10).any(|window| window == b"$argon2id$");
        let hashed = server.place.contents().iter().any(|(_, bytes)| found(bytes));
        assert_eq!(hashed, keep == "hash");
    }
}

#[test]
fn row_19_hidden_attributes_answer_no_questions() {
    let server = Server::start("passwords = \"hash\"");
    let mut client = server.tenant("acme", "generic");
    client.post("/Users", &user_with("ada", json!({ "password": "secret" }))).expect(201);
    for filter in [
        "password pr",
        "password eq \"secret\"",
        "PassWord sw \"s\"",
        "not (password pr)",
        "userName pr or password pr",
        "urn:ietf:params:scim:schemas:core:2.0:User:password pr",
        "password ne \"x\"",
    ] {
        let answer = client.get(&format!("/Users?filter={}", encode(filter)));
        assert!(answer.status == 400, "{filter}: {} {}", answer.status, answer.text());
        let search = json!({ "schemas": [SEARCH], "filter": filter });
        assert_eq!(client.post("/Users/.search", &search).status, 400, "{filter}");
    }
    for sort in ["password", "PASSWORD", "urn:ietf:params:scim:schemas:core:2.0:User:password"] {
        assert_eq!(client.get(&format!("/Users?sortBy={sort}")).status, 400, "{sort}");
    }
}

#[test]
fn row_31_logs_hold_no_secrets_and_cannot_be_forged() {
    let server = Server::start("[log]\nlevel = \"trace\"");
    let token = server.place.tenant("acme", "generic");
    let secret = token.splitn(3, '_').nth(2).expect("a secret").to_owned();
    let mut client = server.client("acme", &token);
    client.headers.push(("user-agent".to_owned(), "CanaryAgent\u{9}x".to_owned()));
    client.post("/Users", &user_with("CanaryName", json!({ "displayName": "CanaryDisplay" }))).expect(201);
    client.get("/Users?filter=userName%20eq%20%22CanaryFilter%22&x=CanaryQuery%0d%0aINJECTED").expect(200);
    client.get("/Users?filter=CanaryBroken%20(").refused(400, "invalidFilter");
    client.get("/Users/CanaryId%0d%0aINJECTED%1b[31m").refused(404, "");
    client.get("/CanaryPath%0d%0aINJECTED%1b[31m").refused(404, "");
    let again = json!({ "method": "POST", "path": "/Users", "bulkId": "b", "data": user("CanaryName") });
    let unknown = json!({ "method": "PATCH", "path": "/Users/CanaryId", "data": { "CanaryMember": 1 } });
    client.post("/Bulk", &bulk(json!([again, unknown]))).expect(200);
    let mut stranger = Client::new(server.process.address, &base("acme"), "scim_canary22_CanaryToken");
    stranger.get("/Users").refused(401, "");
    let mut nobody = Client::new(server.process.address, &base("canarytenant"), &token);
    nobody.get("/Users").refused(401, "");
    for odd in [
        b"\x1b[31mINJECTED / HTTP/1.1\r\n\r\n".as_slice(),
        b"GET / HTTP/1.1\r\nx: CanaryHeader\x1b[31m\r\n\r\n",
    ] {
        let mut connection = Connection::open(server.process.address).expect("a connection");
        connection.send(odd).expect("sent");
        let _ = connection.rest();
    }
    let mut last = Connection::open(server.process.address).expect("a connection");
    last.send(b"MARK / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("sent");
    last.rest().expect("an answer");

    let Server { process, place } = server;
    process.signal("TERM");
    let (code, out, err) = process.ended();
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out, "", "logs go to standard error");
    for canary in ["Canary", &secret, "INJECTED", "\u{1b}"] {
        let line = err.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary:?} is in the log");
    }
    for line in err.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event["message"].is_string(), "{line}");
    }
    assert!(err.lines().any(|line| line.contains("\"status\":401")), "refusals are logged all the same");
    drop(place);
}

#[test]
fn row_32_every_change_is_audited_once() {
    let (server, mut client) = Server::with("generic");
    let ada = id(&client.post("/Users", &user("ada")).expect(201));
    let path = format!("/Users/{ada}");
    let group_path = format!("/Groups/{}", id(&client.post("/Groups", &group("g", &[])).expect(201)));
    client.put(&path, &user_with("ada", json!({ "active": true }))).expect(200);
    client.patch(&path, json!([op("replace", "active", json!(false))])).expect(200);
    assert_eq!(
        client.patch(&group_path, json!([op("add", "members", json!([{ "value": ada }]))])).status,
        204
    );
    let operations = json!([
        { "method": "POST", "path": "/Users", "bulkId": "b", "data": user("bob") },
        { "method": "POST", "path": "/Users", "bulkId": "c", "data": user("ada") },
        { "method": "DELETE", "path": group_path },
    ]);
    client.post("/Bulk", &bulk(operations)).expect(200);
    // None of these changes anything.
    client.post("/Users", &user("ADA")).refused(409, "uniqueness");
    client.patch(&path, json!([op("replace", "id", json!("x"))])).refused(400, "mutability");
    client.delete(&format!("/Users/{NOBODY}")).refused(404, "");
    client.get("/Users").expect(200);
    assert_eq!(client.delete(&path).status, 204);

    let ledger = Ledger::open(&server.place.store);
    let entries = ledger.audit("acme");
    let seen: Vec<String> =
        entries.iter().map(|entry| format!("{} {}", entry.entry.status, entry.entry.action)).collect();
    let done = entries.iter().filter(|entry| entry.entry.status < 300).count();
    assert_eq!(done, 8, "{seen:#?}");
    for (entry, next) in entries.iter().zip(entries.iter().skip(1)) {
        assert_eq!(entry.number + 1, next.number);
        assert!(entry.at <= next.at);
    }
    assert!(
        entries.iter().all(|entry| !entry.entry.actor.is_empty() && !entry.entry.request.is_empty()),
        "{entries:?}"
    );

    let kinds: Vec<ChangeKind> = ledger.changes("acme").iter().map(|change| change.kind).collect();
    let deactivations = kinds.iter().filter(|kind| **kind == ChangeKind::Deactivated).count();
    assert_eq!(deactivations, 1, "{kinds:?}");
    let _ = writeln!(std::io::stdout(), "{seen:#?}");
}
