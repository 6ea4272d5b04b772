//! Any request is answered, whatever the kind of identity provider: nothing panics, no answer is a fault of the server
//! but 501, every refusal is a SCIM error, and every other body is JSON. `fuzz/fuzz_targets/request.rs` holds the same.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use scim_core::message::ERROR;
use scim_core::schema::{ENTERPRISE_USER, GROUP, USER};
use scim_service::directory::Idp;
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// A request to be. `{user}`, `{other}` and `{group}` stand for what is there.
#[derive(Clone)]
struct Sent {
    method: String,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, headers, body } = self;
        write!(f, "{method} {path} {headers:?} {}", String::from_utf8_lossy(body).escape_debug())
    }
}

fn patch(path: &str, operations: Value) -> (&'static str, String, Value) {
    let body = json!({"schemas": [scim_core::patch::MESSAGE], "Operations": operations});
    ("PATCH", path.to_owned(), body)
}

/// What identity providers send.
fn realistic() -> Vec<(&'static str, String, Value)> {
    let at = |method: &'static str, path: &str, body: Value| (method, path.to_owned(), body);
    let message = |name: &str| format!("urn:ietf:params:scim:api:messages:2.0:{name}");
    let email = json!([{"value": "a@x.org", "type": "work", "primary": "True"}]);
    vec![
        at("GET", "/Users?filter=userName+eq+%22ada%22&startIndex=1&count=100", Value::Null),
        at("GET", "/Users?filter=emails%5Btype+eq+%22work%22%5D.value+co+%22x%22&sortBy=emails", Value::Null),
        at("GET", "/Groups?filter=members+eq+%22{user}%22&excludedAttributes=members", Value::Null),
        at("GET", "/?filter=meta.resourceType+eq+%22User%22+or+displayName+pr&cursor=&count=1", Value::Null),
        at("GET", "/Users/{user}?attributes=userName,emails.type,groups,meta.version", Value::Null),
        at("HEAD", "/Groups/{group}", Value::Null),
        at("DELETE", "/Users/{other}", Value::Null),
        at("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", Value::Null),
        at("GET", "/ServiceProviderConfig", Value::Null),
        at("GET", "/ResourceTypes", Value::Null),
        at("GET", "/Me", Value::Null),
        at(
            "POST",
            "/Users",
            json!({"schemas": [USER, ENTERPRISE_USER], "userName": "new", "active": true,
            "emails": email, "password": "s", "meta": {"resourceType": "User"}, "name": {"givenName": "N"},
            ENTERPRISE_USER: {"manager": "m", "employeeNumber": 7, "department": null}}),
        ),
        at(
            "PUT",
            "/Users/{user}",
            json!({"schemas": [USER], "id": "{user}", "userName": "a", "active": "False",
            "roles": [{"value": 1, "displayName": "R"}, {"value": "2"}], "groups": []}),
        ),
        at(
            "POST",
            "/Groups",
            json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": "{user}"}]}),
        ),
        at(
            "PUT",
            "/Groups/{group}",
            json!({"schemas": [GROUP], "displayName": "G",
            "members": [{"value": "{other}", "display": "O"}, {"value": "{group}", "type": "Group"}]}),
        ),
        at(
            "POST",
            "/Users/.search",
            json!({"schemas": [message("SearchRequest")], "filter": "groups.value pr",
            "sortBy": "meta.created", "sortOrder": "descending", "attributes": ["userName"], "count": 2}),
        ),
        at(
            "POST",
            "/Bulk",
            json!({"schemas": [message("BulkRequest")], "failOnErrors": 2, "Operations": [
            {"method": "POST", "path": "/Groups", "bulkId": "a",
             "data": {"schemas": [GROUP], "displayName": "A", "members": [{"value": "bulkId:b"}]}},
            {"method": "POST", "path": "/Groups", "bulkId": "b",
             "data": {"schemas": [GROUP], "displayName": "B", "members": [{"value": "bulkId:a"}]}},
            {"method": "PATCH", "path": "/Users/{user}", "version": "W/\"1\"",
             "data": {"schemas": [scim_core::patch::MESSAGE], "Operations": [{"op": "remove", "path": "title"}]}},
            {"method": "DELETE", "path": "/Groups/bulkId:a"}]}),
        ),
        patch("/Users/{user}", json!([{"op": "Replace", "path": "active", "value": "False"}])),
        patch("/Users/{user}", json!([{"op": "replace", "value": {"id": "{user}", "active": false}}])),
        patch(
            "/Users/{user}",
            json!([
            {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "b@x.org"},
            {"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "R"},
            {"op": "Replace", "path": "/title", "value": ""},
            {"op": "Remove", "path": "phoneNumbers[type eq \"work\" and not (value pr)]"}]),
        ),
        patch(
            "/Users/{user}",
            json!([{"op": "add", "value": {"name.givenName": "A",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0User:department": "D", ENTERPRISE_USER: {}}}]),
        ),
        patch("/Users/{user}", json!([{"op": "Add", "path": "manager", "value": [{"value": "{other}"}]}])),
        patch(
            "/Groups/{group}",
            json!([{"op": "Remove", "path": "members", "value": [{"value": "{user}"}]}]),
        ),
        patch(
            "/Groups/{group}",
            json!([{"op": "replace", "path": "members[value eq \"{user}\"].value", "value": "{other}"}]),
        ),
        patch(
            "/Groups/{group}",
            json!([{"op": "add", "path": "members", "value": [{"value": "{other}"}]},
            {"op": "remove", "path": "members[display sw \"o\" or value eq \"{user}\"]"},
            {"op": "replace", "path": "displayName", "value": "G2"}]),
        ),
    ]
}

/// What takes the place of a part of a body.
fn instead() -> impl Strategy<Value = Value> {
    let words = [
        "",
        "{user}",
        "{group}",
        "bulkId:a",
        "add",
        "Remove",
        "members",
        "emails[",
        "emails[type eq \"a\"]",
        "id",
        "name.givenName",
        "members.value",
        "schemas",
        "password",
        "True",
        "2020-01-01T00:00:00Z",
        USER,
        ENTERPRISE_USER,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        "W/\"1\"",
        "é\u{1F600}\u{7f}",
        "\0",
    ];
    prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        3 => prop::sample::select(vec![json!(null), json!([]), json!({}), json!([[]]), json!([null]), json!({"value": {}}),
            json!([{"value": "{user}"}, {"value": "{user}"}]), json!({"value": null, "primary": true})]),
    ]
}

/// Pointers to all parts of a body, itself first.
fn parts(part: &Value, here: String, found: &mut Vec<String>) {
    found.push(here.clone());
    match part {
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .for_each(|(index, part)| parts(part, format!("{here}/{index}"), found)),
        Value::Object(members) => {
            members.iter().for_each(|(name, part)| parts(part, format!("{here}/{name}"), found))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts `new` in the place of one part, or gives the first member of an object this name.
fn change(body: &mut Value, which: prop::sample::Index, new: Value) {
    let mut found = Vec::new();
    parts(body, String::new(), &mut found);
    let Some(part) = body.pointer_mut(&found[which.index(found.len())]) else { return };
    match (part, new) {
        (Value::Object(members), Value::String(name)) if !members.is_empty() => {
            let first = members.keys().next().cloned().unwrap_or_default();
            let value = members.remove(&first).unwrap_or_default();
            members.insert(name, value);
        }
        (part, new) => *part = new,
    }
}

/// Cuts a piece out of a text, or puts one in.
fn splice(text: &mut Vec<u8>, at: prop::sample::Index, cut: usize, piece: &[u8]) {
    let at = at.index(text.len() + 1);
    let end = (at + cut).min(text.len());
    text.splice(at..end, piece.iter().copied());
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "",
        "&filter=",
        "%22",
        "%00",
        "%2e%2e/",
        "\"",
        "[",
        "]}",
        ",",
        "null",
        "\\u0000",
        "/",
        "?",
        " or ",
        "\u{1F600}",
    ];
    let word = prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec());
    prop_oneof![3 => word, 1 => prop::collection::vec(any::<u8>(), 0..4)]
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let header = prop::sample::select(vec![
        ("if-match", "*"),
        ("if-match", "W/\"1\""),
        ("if-none-match", "\"\", W/\"2\", x"),
        ("accept", "text/html, */*;q=0"),
        ("accept", "application/json"),
        ("content-type", "text/plain"),
        ("content-encoding", "gzip"),
        ("content-length", "99999999999"),
        ("authorization", "Basic x"),
    ]);
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(header, 1..3)]
}

fn methods() -> impl Strategy<Value = String> {
    let known = vec!["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY"];
    prop::sample::select(known).prop_map(str::to_owned)
}

/// A realistic request with some of its parts changed, and then at times a few bytes of it.
fn mutated() -> impl Strategy<Value = Sent> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), instead()), 0..3);
    let cuts = || prop::collection::vec((any::<prop::sample::Index>(), 0usize..4, piece()), 0..2);
    let (paths, bodies) = (prop::option::weighted(0.2, cuts()), prop::option::weighted(0.2, cuts()));
    let method = prop::option::weighted(0.1, methods());
    (prop::sample::select(realistic()), changes, paths, bodies, method, headers()).prop_map(
        |((method, path, mut body), changes, paths, bodies, other, headers)| {
            changes.into_iter().for_each(|(which, new)| change(&mut body, which, new));
            let mut body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            for (at, cut, piece) in bodies.into_iter().flatten() {
                splice(&mut body, at, cut, &piece);
            }
            let mut path = path.into_bytes();
            for (at, cut, piece) in paths.into_iter().flatten() {
                splice(&mut path, at, cut, &piece);
            }
            let path = String::from_utf8_lossy(&path).into_owned();
            Sent { method: other.unwrap_or(method.to_owned()), path, headers, body }
        },
    )
}

fn garbage() -> impl Strategy<Value = Sent> {
    let path =
        "/(Users|Groups|Bulk|Schemas|\\.search|[a-zA-Z%.;/]{0,6})(/[a-z0-9%.{}]{0,8})?(\\?[ -~]{0,40})?";
    (methods(), path, headers(), prop::collection::vec(any::<u8>(), 0..40))
        .prop_map(|(method, path, headers, body)| Sent { method, path, headers, body })
}

/// Nobody else in the world has the name.
fn name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("n{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn check(sent: &Sent, answer: &Answer) {
    let (status, body) = (answer.status.as_u16(), &answer.body);
    assert!(status < 500 || status == 501, "{sent:?}: {status} {body}");
    if matches!(status, 204 | 304) {
        return assert!(body.is_null(), "{sent:?}: {status} {body}");
    }
    assert!(answer.header("content-type").ends_with("json"), "{sent:?}: {status} {body}");
    if status >= 400 {
        return is_error(body, &status.to_string());
    }
    assert!(body["schemas"].is_array(), "{sent:?}: {status} {body}");
    for operation in body["Operations"].as_array().into_iter().flatten() {
        let status = operation["status"].as_str().unwrap_or_default();
        assert!(status < "500" || status == "501", "{sent:?}: {body}");
        if let Some(error) = operation.get("response") {
            is_error(error, status);
        }
    }
}

fn is_error(body: &Value, status: &str) {
    assert_eq!(body["schemas"], json!([ERROR]), "{body}");
    assert_eq!(body["status"], status, "{body}");
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
}

#[test]
fn any_request_is_answered() {
    let worlds = [Idp::Entra, Idp::Okta, Idp::Generic].map(World::new);
    let conversation = prop::collection::vec(prop_oneof![5 => mutated(), 1 => garbage()], 1..4);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(150));
    let outcome = runner.run(&conversation, |conversation| {
        for world in &worlds {
            let (user, other) = (world.user(&name()), world.user(&name()));
            let group = world.group(&name(), &[&user]);
            let spelt_out = |text: &str| {
                text.replace("{user}", &user).replace("{other}", &other).replace("{group}", &group)
            };
            for sent in &conversation {
                let body = match std::str::from_utf8(&sent.body) {
                    Ok(text) => Bytes::from(spelt_out(text)),
                    Err(_) => Bytes::from(sent.body.clone()),
                };
                let mut request = Request::builder()
                    .method(&*sent.method)
                    .uri(format!("/t/acme/scim/v2{}", spelt_out(&sent.path)));
                for (name, value) in &sent.headers {
                    request = request.header(*name, *value);
                }
                let Ok(mut request) = request.body(Full::new(body)) else { continue };
                let good = format!("Bearer {}", world.token());
                for (name, value) in [("authorization", &*good), ("content-type", "application/scim+json")] {
                    request.headers_mut().entry(name).or_insert(value.parse().expect("a header"));
                }
                check(sent, &world.send(request));
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
