//! What is never returned: it is kept beside the resource whichever way it comes, and of a password the hash alone.

use std::sync::Arc;

use scim_core::schema::{Registry, USER};
use scim_service::PasswordHasher;
use scim_service::directory::Idp;
use scim_store::{Pending, StoreError};
use serde_json::{Value, json};

use crate::world::World;

/// Stands for a hash that one can read.
struct Backwards;

impl PasswordHasher for Backwards {
    fn hash(&self, password: String) -> Pending<'_, String, StoreError> {
        Box::pin(std::future::ready(Ok(password.chars().rev().collect())))
    }
}

const BADGE: &str = "urn:example:Badge";

/// Users have a number besides, which is a secret of theirs, and a card with one.
fn registry() -> Registry {
    let never = |name: &str| json!({"name": name, "returned": "never", "mutability": "writeOnly"});
    let card =
        json!({"name": "card", "type": "complex", "subAttributes": [never("code"), {"name": "colour"}]});
    let schema = json!({"id": BADGE, "name": "Badge", "attributes": [never("pin"), card]});
    let builder = Registry::builder().expect("built in").schema(&schema).expect("a schema");
    builder.extend("User", BADGE, false).expect("an extension").build().expect("a registry")
}

#[test]
fn what_is_never_returned_is_kept_whichever_way_it_comes() {
    let user = |more: Value| {
        let mut body = json!({"schemas": [USER, BADGE], "userName": "ada"});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        body
    };
    let patch = |operation: Value| json!({"schemas": [scim_core::patch::MESSAGE], "Operations": [operation]});
    let (pin, code) = (format!("{BADGE}:pin"), format!("{BADGE}:card.code"));
    let (card, colour) = (format!("{BADGE}:card"), format!("{BADGE}:card.colour"));
    let op = |op: &str, path: &str, value: &str| patch(json!({"op": op, "path": path, "value": value}));
    let remove = |path: &str| patch(json!({"op": "remove", "path": path}));
    let at_once = json!({"password": "four", BADGE: {"pin": "4", "card": {"code": "c", "colour": "red"}}});
    // What is sent, and the secrets afterwards: the password's hash, the number and the code.
    let steps = [
        ("PUT", user(json!({"title": "T"})), [Some("eno"), Some("1"), None]),
        (
            "PUT",
            user(json!({"password": "two", BADGE: {"pin": "2", "card": {"code": "b"}}})),
            [Some("owt"), Some("2"), Some("b")],
        ),
        ("PATCH", op("replace", "password", "three"), [Some("eerht"), Some("2"), Some("b")]),
        ("PATCH", op("add", &pin, "3"), [Some("eerht"), Some("3"), Some("b")]),
        ("PATCH", patch(json!({"op": "add", "value": at_once})), [Some("ruof"), Some("4"), Some("c")]),
        ("PATCH", op("replace", &code, "d"), [Some("ruof"), Some("4"), Some("d")]),
        ("PATCH", op("replace", &colour, "blue"), [Some("ruof"), Some("4"), Some("d")]),
        (
            "PATCH",
            patch(json!({"op": "add", "path": card, "value": {"code": "e"}})),
            [Some("ruof"), Some("4"), Some("e")],
        ),
        ("PATCH", remove("password"), [None, Some("4"), Some("e")]),
        ("PATCH", remove(&pin), [None, None, Some("e")]),
        ("PATCH", remove(&code), [None, None, None]),
    ];
    for (hashes, in_bulk) in [(true, false), (true, true), (false, false)] {
        let adjust = |settings: &mut scim_service::Settings| {
            settings.passwords = hashes.then(|| Arc::new(Backwards) as Arc<dyn PasswordHasher>);
        };
        let world = World::of(Idp::Generic, registry(), adjust);
        let send = |method: &str, path: &str, data: &Value| {
            let answer = if in_bulk {
                let operation = json!({"method": method, "path": path, "bulkId": "b", "data": data});
                let body = json!({"schemas": [scim_core::message::BULK_REQUEST], "Operations": [operation]});
                world.request("POST", "/Bulk", &body)
            } else {
                world.request(method, path, data)
            };
            assert!(answer.status.is_success(), "{method} {data}: {}", answer.body);
            let said = answer.body.to_string();
            assert!(
                !["password", "\"pin\"", "\"code\""].iter().any(|name| said.contains(name)),
                "{method} {data}: {said}"
            );
        };
        send("POST", "/Users", &user(json!({"password": "one", BADGE: {"pin": "1"}})));
        let id = world.get("/Users").body["Resources"][0]["id"].as_str().expect("created").to_owned();
        let check = |what: &Value, secrets: [Option<&str>; 3]| {
            for (path, value) in ["password", &pin, &code].into_iter().zip(secrets) {
                let kept = match path {
                    "password" => value.filter(|_| hashes).map(str::to_owned),
                    _ => value.map(|value| format!("\"{value}\"")),
                };
                assert!(world.keeps(&id, path, kept.as_deref()), "{what}: `{path}` is not {kept:?}");
            }
            let stored = world.stored(&id).to_string();
            assert!(
                !["password", "\"pin\"", "\"code\""].iter().any(|name| stored.contains(name)),
                "{what}: {stored}"
            );
        };
        check(&json!("created"), [Some("eno"), Some("1"), None]);
        for (method, data, after) in &steps {
            send(method, &format!("/Users/{id}"), data);
            check(data, *after);
        }
        assert_eq!(world.get(&format!("/Users/{id}")).body[BADGE]["card"], json!({"colour": "blue"}));
        for path in ["password", &pin, &code] {
            for query in [
                format!("filter={path}%20pr"),
                format!("filter={path}%20eq%20%22x%22"),
                format!("sortBy={path}"),
            ] {
                assert_eq!(world.get(&format!("/Users?{query}")).status.as_u16(), 400, "{query}");
            }
        }
    }
}

/// Only what was refused is ever carried out again.
#[test]
fn nothing_is_kept_of_a_request_that_was_accepted() {
    let world = World::new(Idp::Generic);
    world.govern("[domain]\nmode = \"warn\"\nallow = [\"example.com\"]\n");
    let user = |title: &str| json!({"schemas": [USER], "userName": "ada@example.net", "title": title});
    let id = world.request("POST", "/Users", &user("Countess")).id();
    assert_eq!((world.said().len(), &*world.reports()), (1, ""), "POST");
    assert_eq!(world.request("PUT", &format!("/Users/{id}"), &user("Analyst")).status.as_u16(), 200);
    assert_eq!((world.said().len(), &*world.reports()), (1, ""), "PUT");
    world.govern("[domain]\nallow = [\"example.com\"]\n");
    assert_eq!(world.request("PUT", &format!("/Users/{id}"), &user("Poet")).status.as_u16(), 400);
    assert!(world.reports().contains("Poet"), "{}", world.reports());
}
