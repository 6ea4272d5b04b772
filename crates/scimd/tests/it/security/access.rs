//! Who gets in: rows 1 to 4, 7 and 8.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{NOBODY, still_answers};
use crate::http::{Client, Connection, encode};
use crate::messages::{SEARCH, id, user};
use crate::server::{Server, base};

#[test]
fn row_01_no_route_without_authentication() {
    let server = Server::start("");
    server.tenant("acme", "generic");
    for tenant in ["acme", "umbrella", "system", "_system"] {
        let client = Client::bare(server.process.address, &base(tenant));
        for path in [
            "",
            "/",
            "/.search",
            "/Users",
            "/Users/",
            "/Users/.search",
            "/Groups",
            "/Bulk",
            "/Me",
            "/Schemas",
            "/ResourceTypes",
            "/ResourceTypes/User",
            "/ServiceProviderConfig",
            "/nothing",
            "/Users?filter=(",
            "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User",
            "/Users/1",
            "/Groups/1",
            "/metrics",
            "/healthz",
        ] {
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
                let answer = client.call_once(method, path, &[], None).expect("an answer");
                assert_eq!(answer.status, 401, "{method} {tenant}{path}: {}", answer.text());
                assert!(
                    answer.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")),
                    "{path}"
                );
            }
        }
    }
}

#[test]
fn row_02_no_bypass_by_encoding_a_path() {
    let (server, mut client) = Server::with("generic");
    let ada = id(&client.post("/Users", &user("ada")).expect(201));
    for target in [
        "/t/acme/scim/v2/%55sers",
        "/t/acme/scim/v2%2FUsers",
        "/t/acme/scim/v2//Users",
        "/t/acme/scim/v2/x/../Users",
        "/t/acme/scim/v2/%2e%2e/v2/Users",
        "/t/acme/scim/v2/Users;x",
        "/t/acme/scim/v2/Users/..",
        "/t/acme;/scim/v2/Users",
        "//t/acme/scim/v2/Users",
        "/t//acme/scim/v2/Users",
        "/T/acme/scim/v2/Users",
        "/t/%61cme/scim/v2/Users",
        "/t/acme/scim/v2/users",
        "/t/acme/scim/v2\\Users",
        "/t/acme/../acme/scim/v2/Users",
        &format!("/t/acme/scim/v2/Users/{ada}/"),
        &format!("/t/acme/scim/v2/Users/{ada}%2F"),
        &format!("/t/acme/scim/v2/Users/%2e/{ada}"),
        &format!("/t/acme/scim/v2/Users/{ada};x"),
        &format!("http://{}/t/acme/scim/v2/Users", server.process.address),
        "http://localhost/",
        "*",
        "/",
        "/scim/v2/Users",
    ] {
        let method = if target == "*" { "OPTIONS" } else { "GET" };
        let mut connection = Connection::open(server.process.address).expect("a connection");
        let head = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n\r\n", server.process.address);
        connection.send(head.as_bytes()).expect("sent");
        let answer = connection.receive(method).expect(target);
        assert!(matches!(answer.status, 400 | 401 | 404), "{target}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains(&ada), "{target}");
    }
}

#[test]
fn row_03_no_empty_secret_is_accepted() {
    let server = Server::start("");
    let token = server.place.tenant("acme", "generic");
    let client = Client::bare(server.process.address, &base("acme"));
    let status = |headers: &[(&str, &str)]| {
        client.call_once("GET", "/Users", headers, None).expect("an answer").status
    };
    let bearer = format!("Bearer {token}");
    assert_eq!(status(&[("authorization", &bearer)]), 200);
    assert_eq!(status(&[("authorization", &format!("bearer {token}"))]), 200, "RFC 9110 §11.1: any case");
    let cut = &token[..token.len() - 1];
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Bearer null",
        "Bearer scim_",
        "Bearer scim__",
        "Basic Og==",
        "Basic",
        &token,
        &format!("Bearer {cut}"),
        &format!("Bearer {token}x"),
        &format!("Bearer {token} {token}"),
        &format!("Bearer {}", token.to_uppercase()),
        &format!("Bearer \"{token}\""),
        &format!("Token {token}"),
    ] {
        assert_eq!(status(&[("authorization", value)]), 401, "{value}");
    }
    assert_eq!(status(&[("authorization", &bearer), ("authorization", &bearer)]), 401, "two headers");
    assert_eq!(status(&[("authorization", &bearer), ("authorization", "Bearer ")]), 401, "two headers");
    assert_eq!(status(&[("x-authorization", &bearer)]), 401);
    let path = format!("/Users?access_token={token}");
    assert_eq!(
        client.call_once("GET", &path, &[], None).expect("an answer").status,
        401,
        "a token in the URL"
    );
}

#[test]
fn row_04_nothing_deep_ends_the_process() {
    let (server, mut client) = Server::with("generic");
    let ada = id(&client.post("/Users", &user("ada")).expect(201));
    let stranger = Client::bare(server.process.address, &base("acme"));
    let search = |filter: String| json!({ "schemas": [SEARCH], "filter": filter }).to_string();
    let patch = |path: String| {
        crate::http::patch_body(json!([{ "op": "replace", "path": path, "value": "x" }])).to_string()
    };
    let deep =
        |open: &str, close: &str| format!("{{\"a\":{}1{}}}", open.repeat(100_000), close.repeat(100_000));
    let parentheses = format!("/Users?filter={}userName%20pr", "(".repeat(3000));
    let dots = format!("/Users?filter=a{}%20pr", ".a".repeat(8000));
    let resource = format!("/Users/{ada}");
    for (method, path, body) in [
        ("GET", parentheses.as_str(), None),
        ("GET", dots.as_str(), None),
        ("POST", "/Users/.search", Some(search("(".repeat(100_000)))),
        ("POST", "/Users/.search", Some(search(format!("{}x", "not (".repeat(10_000))))),
        (
            "POST",
            "/Users/.search",
            Some(search(format!("{}userName pr{}", "(".repeat(100_000), ")".repeat(100_000)))),
        ),
        ("POST", "/Users/.search", Some(search("a[".repeat(50_000)))),
        (
            "POST",
            "/Users/.search",
            Some(search(format!("{}userName pr", "userName pr and ".repeat(100_000)))),
        ),
        ("PATCH", &resource, Some(patch(format!("name{}", ".a".repeat(8000))))),
        ("PATCH", &resource, Some(patch(format!("emails[{}type eq \"work\"]", "(".repeat(10_000))))),
        ("POST", "/Users", Some(deep("[", "]"))),
        ("POST", "/Users", Some(deep("{\"a\":", "}"))),
        ("POST", "/Users", Some("[".repeat(100_000))),
        ("POST", "/Bulk", Some(deep("[", "]"))),
        ("PUT", &resource, Some(deep("{\"a\":", "}"))),
        ("POST", "/Users", Some(format!("{{\"a\": 1{}}}", "0".repeat(100_000)))),
    ] {
        let bytes = body.as_ref().map(String::as_bytes);
        let without = stranger.call_once(method, path, &[], bytes).expect("an answer");
        let what = || format!("{method} {}", path.get(..40).unwrap_or(path));
        assert_eq!(without.status, 401, "{}", what());
        let with = client.call(method, path, &[], bytes).expect("an answer");
        assert_eq!(with.status, 400, "{}: {}", what(), with.text());
        assert!(with.body.len() < 2000, "{}: an answer as long as the question", what());
    }
    client.get(&resource).expect(200);
    still_answers(&server);
}

#[test]
fn row_07_tokens_are_long_random_and_kept_as_hashes() {
    let (server, mut client) = Server::with("generic");
    let tokens: Vec<String> = (0..4).map(|_| server.place.token("acme")).collect();
    client.get("/Users").expect(200);
    let mut secrets = Vec::new();
    for token in &tokens {
        let mut parts = token.splitn(3, '_');
        let (prefix, _, secret) = (parts.next(), parts.next(), parts.next().expect("a secret"));
        assert_eq!(prefix, Some("scim"), "a prefix that scanners for leaked secrets know");
        assert!(secret.len() >= 43, "256 bits do not fit into {} characters", secret.len());
        secrets.push(secret);
    }
    secrets.sort_unstable();
    secrets.dedup();
    assert_eq!(secrets.len(), tokens.len(), "no two are the same");
    for (file, bytes) in server.place.contents() {
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a token", file.display());
        }
    }
}

#[test]
fn row_08_tokens_are_shown_once_rotate_and_are_revoked() {
    let (server, _) = Server::with("generic");
    let (old, new) = (server.place.token("acme"), server.place.token("acme"));
    let listed = server.place.command(&["token", "list", "acme"]);
    let secret = |token: &str| token.splitn(3, '_').nth(2).expect("a secret").to_owned();
    assert!(!listed.contains(&secret(&old)) && !listed.contains(&secret(&new)), "{listed}");
    let (mut with_old, mut with_new) = (server.client("acme", &old), server.client("acme", &new));
    with_old.get("/Users").expect(200);
    with_new.get("/Users").expect(200);
    let other = server.tenant("umbrella", "generic");
    let mut elsewhere = server.client("umbrella", &old);
    elsewhere.get("/Users").refused(401, "");
    drop(other);

    let name = old.split('_').nth(1).expect("an identifier");
    assert!(listed.contains(name), "{listed}");
    server.place.command(&["token", "revoke", name]);
    with_old.get_until("revoked", "/Users", |answer| answer.status == 401);
    with_new.get("/Users").expect(200);
    let nobody: Value = with_old.get(&format!("/Users/{NOBODY}")).expect(401);
    assert_eq!(nobody["status"], "401");
    assert!(encode(&old) == old, "a token needs no escaping");
}

/// Five seconds are promised. A machine that does much else may take some for itself, but not each time.
#[test]
fn row_08_a_revoked_token_is_soon_of_no_use() {
    let (server, _) = Server::with("generic");
    let is_soon_over = |_| {
        let token = server.place.token("acme");
        let mut client = server.client("acme", &token);
        client.get("/Users").expect(200);
        server.place.command(&["token", "revoke", token.split('_').nth(1).expect("an identifier")]);
        let revoked = Instant::now();
        client.get_until("revoked", "/Users", |answer| answer.status == 401);
        revoked.elapsed() < Duration::from_secs(5)
    };
    assert!((0..10).any(is_soon_over), "it is longer in use each time");
}
