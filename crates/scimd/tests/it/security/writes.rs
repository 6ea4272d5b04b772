//! What may be written, by which door, and by how many at once: rows 15 to 17, 20, 21, 23 to 25.

use std::sync::Barrier;
use std::time::Instant;

use serde_json::{Value, json};

use super::visible;
use crate::http::Client;
use crate::messages::{USER, bulk, group, id, members, op, user, user_with};
use crate::server::{PATIENCE, Server};

#[test]
fn row_15_read_only_attributes_stay() {
    let (_server, mut client) = Server::with("generic");
    let ada = id(&client.post("/Users", &user("ada")).expect(201));
    let path = format!("/Users/{ada}");
    client.post("/Groups", &group("g", &[&ada])).expect(201);
    let before = client.get(&path);
    let urn = format!("{USER}:");
    for (name, value) in [
        ("id", json!("x")),
        ("ID", json!("x")),
        ("meta", json!({ "created": "2020-01-01T00:00:00Z" })),
        ("meta.created", json!("2020-01-01T00:00:00Z")),
        ("META.LastModified", json!("2020-01-01T00:00:00Z")),
        ("meta.version", json!("W/\"1\"")),
        ("groups", json!([{ "value": "x" }])),
        ("Groups", json!([])),
    ] {
        for verb in ["add", "replace", "remove"] {
            for path_in_patch in [name.to_owned(), format!("{urn}{name}")] {
                let mut operation = op(verb, &path_in_patch, value.clone());
                if verb == "remove" {
                    operation.as_object_mut().expect("an object").remove("value");
                }
                let answer = client.patch(&path, json!([operation]));
                assert_eq!(answer.status, 400, "{verb} {path_in_patch}: {}", answer.text());
                answer.refused(400, "mutability");
            }
        }
        if !name.contains('.') {
            client
                .patch(&path, json!([{ "op": "replace", "value": { name: value } }]))
                .refused(400, "mutability");
        }
    }
    assert_eq!(visible(&client.get(&path)), visible(&before), "nothing changed");
    let body =
        user_with("ada", json!({ "id": "x", "groups": [], "meta": { "created": "2020-01-01T00:00:00Z" } }));
    let after = client.put(&path, &body).expect(200);
    let before = before.json();
    assert_eq!((&after["id"], &after["groups"]), (&before["id"], &before["groups"]), "PUT ignores them");
    assert_eq!(after["meta"]["created"], before["meta"]["created"]);
}

#[test]
fn row_16_every_door_gives_the_same_verdict() {
    let (_server, mut client) = Server::with("generic");
    client.post("/Users", &user("taken")).expect(201);
    let path = format!("/Users/{}", id(&client.post("/Users", &user("ada")).expect(201)));
    for (attribute, value, status, scim_type) in [
        ("userName", json!("TAKEN"), 409, "uniqueness"),
        ("userName", json!(""), 400, "invalidValue"),
        ("userName", json!(7), 400, "invalidValue"),
        ("active", json!("yes"), 400, "invalidValue"),
        ("title", json!(["a"]), 400, "invalidValue"),
        ("title", json!({ "a": 1 }), 400, "invalidValue"),
        ("emails", json!("a@example.com"), 400, "invalidValue"),
        ("profileUrl", json!(true), 400, "invalidValue"),
    ] {
        let mut body = user("new");
        body[attribute] = value.clone();
        let mut answers = vec![
            ("POST", verdict(&client.post("/Users", &body).json())),
            ("PUT", verdict(&client.put(&path, &body).json())),
            ("PATCH", verdict(&client.patch(&path, json!([op("replace", attribute, value.clone())])).json())),
            (
                "PATCH",
                verdict(
                    &client.patch(&path, json!([{ "op": "replace", "value": { attribute: value } }])).json(),
                ),
            ),
        ];
        let patch = crate::http::patch_body(json!([op("add", attribute, value.clone())]));
        let operations = json!([
            { "method": "POST", "path": "/Users", "bulkId": "n", "data": body },
            { "method": "PUT", "path": path, "data": body },
            { "method": "PATCH", "path": path, "data": patch }
        ]);
        let answer = client.post("/Bulk", &bulk(operations)).expect(200);
        let results = answer["Operations"].as_array().cloned().unwrap_or_default();
        answers.extend(results.iter().map(|result| ("Bulk", verdict(&result["response"]))));
        assert_eq!(answers.len(), 7, "{answer}");
        for (door, answer) in answers {
            assert_eq!(answer, (status.to_string(), scim_type.to_owned()), "{door}: {attribute} = {value}");
        }
    }
    assert_eq!(client.get(&path).expect(200)["userName"], "ada");
    assert_eq!(client.get("/Users").expect(200)["totalResults"], 2);
}

fn verdict(error: &Value) -> (String, String) {
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    (text("status"), text("scimType"))
}

#[test]
fn row_17_no_tricks_with_keys() {
    let (_server, mut client) = Server::with("generic");
    let path = format!("/Users/{}", id(&client.post("/Users", &user("ada")).expect(201)));
    let before = client.get(&path);
    for members in [
        r#""__proto__": {"active": false}"#,
        r#""constructor": {"prototype": {"active": false}}"#,
        r#""active": true, "active": false"#,
        r#""active": true, "Active": false"#,
        r#""name": {"givenName": "a", "givenName": "b"}"#,
        r#""name": {"givenName": "a", "GivenName": "b"}"#,
        r#""title": "a", "urn:ietf:params:scim:schemas:core:2.0:User:title": "b""#,
        r#""": 1"#,
        r#""a\u0000b": 1"#,
        r#""title": "a\u0000b""#,
        r#""title": "\ud800""#,
    ] {
        for method in ["POST", "PUT"] {
            let target = if method == "POST" { "/Users" } else { &path };
            let body = format!(r#"{{"schemas": ["{USER}"], "userName": "eve", {members}}}"#);
            let answer = client.call(method, target, &[], Some(body.as_bytes())).expect("an answer");
            assert_eq!(answer.status, 400, "{method} {members}: {}", answer.text());
        }
        let body = crate::http::patch_body(json!([{ "op": "replace", "value": "MARK" }])).to_string();
        let body = body.replace("\"MARK\"", &format!("{{{members}}}"));
        let answer = client.call("PATCH", &path, &[], Some(body.as_bytes())).expect("an answer");
        assert_eq!(answer.status, 400, "PATCH {members}: {}", answer.text());
    }
    for body in [
        "",
        "null",
        "[]",
        "1",
        "\"x\"",
        "{",
        "{}x",
        "{\"schemas\": []}",
        "\u{feff}{}",
        "{'a': 1}",
        "{\"a\": NaN}",
        "{\"a\": 01}",
        "{\"a\": 1,}",
        "\u{0}",
    ] {
        let answer = client.call("POST", "/Users", &[], Some(body.as_bytes())).expect("an answer");
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
    let answer = client.call("POST", "/Users", &[], Some(b"{\"userName\": \"\xff\"}")).expect("an answer");
    assert_eq!(answer.status, 400, "not UTF-8");
    assert_eq!(visible(&client.get(&path)), visible(&before));
}

#[test]
fn row_20_a_leaver_is_out_whatever_way_it_is_said() {
    let server = Server::start("");
    for idp in ["entra", "okta", "generic"] {
        let mut client = server.tenant(idp, idp);
        let mut ways = vec![
            ("PATCH", op("replace", "active", json!(false))),
            ("PATCH", op("add", "active", json!(false))),
            ("PATCH", json!({ "op": "replace", "value": { "active": false } })),
            ("PUT", json!(false)),
        ];
        if idp != "generic" {
            ways.push(("PATCH", op("Replace", "active", json!("False"))));
            ways.push(("PATCH", json!({ "op": "Replace", "value": { "active": "false" } })));
        }
        for (number, (method, what)) in ways.into_iter().enumerate() {
            let name = format!("leaver{number}");
            let path = format!(
                "/Users/{}",
                id(&client.post("/Users", &user_with(&name, json!({ "active": true }))).expect(201))
            );
            let say = |client: &mut Client| match method {
                "PUT" => client.put(&path, &user_with(&name, json!({ "active": false }))).expect(200),
                _ => client.patch(&path, json!([what])).expect(200),
            };
            assert_eq!(say(&mut client)["active"], false, "{idp} {method} {what}");
            assert_eq!(client.get(&path).expect(200)["active"], false, "{idp} {method} {what}");
            let version = client.get(&path).expect(200)["meta"]["version"].clone();
            say(&mut client);
            let filter = format!("/Users?filter=userName%20eq%20%22{name}%22%20and%20active%20eq%20false");
            assert_eq!(client.get(&filter).expect(200)["totalResults"], 1, "{idp} {method} {what}");
            assert_eq!(
                client.get(&path).expect(200)["meta"]["version"],
                version,
                "the second time changes nothing"
            );
        }
    }
}

#[test]
fn row_21_nobody_rises_by_accident() {
    let (_server, mut client) = Server::with("generic");
    let body = user_with("ada", json!({ "active": true, "externalId": "e1" }));
    let ada = id(&client.post("/Users", &body).expect(201));
    let group_path = format!("/Groups/{}", id(&client.post("/Groups", &group("g", &[&ada])).expect(201)));
    let path = format!("/Users/{ada}");

    client.patch(&path, json!([op("replace", "active", json!(false))])).expect(200);
    assert_eq!(client.put(&path, &user("ada")).expect(200)["active"], false, "PUT without active");
    client.patch(&path, json!([{ "op": "remove", "path": "active" }])).expect(200);
    assert_eq!(client.get(&path).expect(200)["active"], Value::Null, "remove active");
    assert_eq!(client.get("/Users?filter=active%20eq%20true").expect(200)["totalResults"], 0);
    assert_eq!(client.put(&path, &user("ada")).expect(200)["active"], Value::Null, "PUT without active");
    assert_eq!(client.put(&path, &body).expect(200)["active"], true, "only when it is said");

    assert_eq!(client.delete(&path).status, 204);
    let again = client.post("/Users", &body).expect(201);
    assert_ne!(id(&again), ada, "a new person");
    assert_eq!(again["groups"].as_array().map_or(0, Vec::len), 0, "without the groups of the old one");
    assert_eq!(members(&client.get(&group_path).expect(200)), Vec::<String>::new());
    client.get(&path).refused(404, "");
}

#[test]
fn row_23_one_of_many_creates_the_user() {
    let (_server, client) = Server::with("generic");
    let statuses = at_once(50, &client, |client, number| {
        let upper =
            |(at, c): (usize, char)| if number >> (at % 6) & 1 == 1 { c.to_ascii_uppercase() } else { c };
        let name: String = "racer@example.com".chars().enumerate().map(upper).collect();
        client.post("/Users", &user(&name)).status
    });
    assert_eq!(count(&statuses, 201), 1, "{statuses:?}");
    assert_eq!(count(&statuses, 409), 49, "{statuses:?}");
}

#[test]
fn row_24_no_member_is_lost() {
    let (_server, mut client) = Server::with("generic");
    let ids: Vec<String> =
        (0..60).map(|n| id(&client.post("/Users", &user(&format!("u{n}"))).expect(201))).collect();
    let leaving: Vec<&str> = ids[..20].iter().map(String::as_str).collect();
    let path = format!("/Groups/{}", id(&client.post("/Groups", &group("g", &leaving)).expect(201)));
    let statuses = at_once(60, &client, |client, number| {
        let member = &ids[number];
        let operation = match number {
            0..20 => json!({ "op": "remove", "path": format!("members[value eq \"{member}\"]") }),
            _ => op("add", "members", json!([{ "value": member }])),
        };
        client.patch(&path, json!([operation])).status
    });
    assert_eq!(count(&statuses, 204), 60, "{statuses:?}");
    let mut expected = ids[20..].to_vec();
    expected.sort();
    assert_eq!(members(&client.get(&path).expect(200)), expected);
}

#[test]
fn row_25_a_patch_is_whole_and_a_version_is_won_once() {
    let (_server, mut client) = Server::with("generic");
    let path = format!(
        "/Users/{}",
        id(&client.post("/Users", &user_with("ada", json!({ "title": "t" }))).expect(201))
    );
    let before = client.get(&path);
    let operations = json!([
        op("replace", "title", json!("other")),
        op("add", "nickName", json!("other")),
        op("replace", "emails[type eq \"nothing\"].value", json!("x")),
    ]);
    client.patch(&path, operations).refused(400, "noTarget");
    let after = client.get(&path);
    assert_eq!(visible(&after), visible(&before));
    assert_eq!(after.header("etag"), before.header("etag"));

    let tag = before.header("etag").expect("an entity tag").to_owned();
    let statuses = at_once(50, &client, |client, number| {
        let body = crate::http::patch_body(json!([op("replace", "title", json!(format!("t{number}")))]));
        client.with("PATCH", &path, &[("if-match", &tag)], Some(&body)).status
    });
    assert_eq!(count(&statuses, 200), 1, "{statuses:?}");
    assert_eq!(count(&statuses, 412), 49, "{statuses:?}");
}

/// Lets this many clients do something at the same moment, each on a connection that is open already. Whoever is told to come
/// again does so: on a slow machine there are more of them than a store has time for.
fn at_once(clients: usize, client: &Client, act: impl Fn(&mut Client, usize) -> u16 + Sync) -> Vec<u16> {
    let barrier = Barrier::new(clients);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|number| {
                let (mut client, barrier, act) = (client.clone(), &barrier, &act);
                scope.spawn(move || {
                    client.get("/ServiceProviderConfig").expect(200);
                    barrier.wait();
                    let begun = Instant::now();
                    loop {
                        match act(&mut client, number) {
                            503 if begun.elapsed() < PATIENCE => {}
                            status => return status,
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a client")).collect()
    })
}

fn count(statuses: &[u16], wanted: u16) -> usize {
    statuses.iter().filter(|status| **status == wanted).count()
}
