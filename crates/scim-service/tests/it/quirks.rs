//! What Entra ID and Okta may write differently, and `docs/quirks.md`, which is written from the quirks themselves.

use std::fmt::Write;
use std::path::Path;

use scim_service::directory::{Connection, Idp};
use scim_service::quirk::Quirk;
use serde_json::{Value, json};

use crate::world::World;

const HEAD: &str = "\
# Quirks

What identity providers send although the RFCs would let a server refuse it. Each quirk is rewritten into what it means
before the request is decoded; past that, everything is strict. A kind of identity provider brings its quirks along;
`scimd connection create … --quirk NAME` adds single ones, for clients that deviate in one known way
([who needs which](operating.md#a-customer-with-another-identity-provider)). A `generic` connection has none. What a
connection without quirks accepts means the same with them, except for `empty-clears` and `unique-group-names`.

This file is written from `crates/scim-service/src/quirk/mod.rs` by
`UPDATE_DOCS=1 cargo test -p scim-service quirks`.

";

fn document() -> String {
    let mut text = format!("{HEAD}| quirk | entra | okta | what is understood |\n|---|---|---|---|\n");
    for quirk in Quirk::ALL {
        let mark = |idp| if quirk.idps().contains(&idp) { "yes" } else { "" };
        let words = quirk.description().split_whitespace().collect::<Vec<_>>().join(" ");
        let (entra, okta) = (mark(Idp::Entra), mark(Idp::Okta));
        let words = words.replace('|', "\\|");
        writeln!(text, "| `{}` | {entra} | {okta} | {words} |", quirk.name()).expect("memory");
    }
    text
}

#[test]
fn quirks_are_documented() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/quirks.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, document()).expect("written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == document(), "run `UPDATE_DOCS=1 cargo test -p scim-service quirks`");
}

/// The resource after one operation, or why there is none.
fn after(world: &World, path: &str, operation: &Value) -> Result<Value, String> {
    let answer = world.patch(path, &json!([operation]));
    match answer.status.as_u16() {
        200 | 204 => Ok(world.get(path).body),
        400 => Err(answer.body["detail"].as_str().unwrap_or_default().to_owned()),
        other => panic!("{operation}: {other} {}", answer.body),
    }
}

#[test]
fn what_add_accepts_remove_removes() {
    for (idps, list, sent) in [
        ([Idp::Entra, Idp::Okta], "phoneNumbers", json!({"type": "work", "value": 5_551_234})),
        ([Idp::Entra, Idp::Okta], "addresses", json!({"type": "work", "primary": "True"})),
        ([Idp::Entra, Idp::Okta], "addresses", json!({"Type": "work", "PostalCode": 2611})),
        ([Idp::Entra, Idp::Okta], "x509Certificates", json!({"value": 1234, "primary": "false"})),
        ([Idp::Entra, Idp::Entra], "roles", json!(4711)),
        ([Idp::Entra, Idp::Entra], "roles", json!({"value": "R", "displayName": "r", "primary": "1-648"})),
    ] {
        for idp in idps {
            let world = World::new(idp);
            let path = format!("/Users/{}", world.user("ada"));
            let stays = match list {
                "addresses" => json!({"type": "other", "country": "NL"}),
                _ => json!({"type": "other", "value": "AAAA"}),
            };
            let with = |op: &str, value: Value| json!({"op": op, "path": list, "value": value});
            after(&world, &path, &with("add", json!([stays, sent]))).expect("added");
            let left = after(&world, &path, &with("remove", json!([sent]))).expect("removed");
            assert_eq!(left[list], json!([stays]), "{idp} {sent}");
        }
    }
}

#[test]
fn a_remove_that_lists_what_is_not_understood_takes_nothing_away() {
    let address = json!({"type": "work", "locality": "Delft"});
    for idp in [Idp::Entra, Idp::Okta] {
        let world = World::new(idp);
        let path = format!("/Users/{}", world.user("ada"));
        after(&world, &path, &json!({"op": "add", "path": "addresses", "value": [address]})).expect("added");
        for (list, sent, expected) in [
            (
                "addresses",
                json!({"type": "work", "town": "Delft"}),
                "`town` is not a sub-attribute of `addresses`; it has `formatted`, `streetAddress`, `locality`, \
                 `region`, `postalCode`, `country`, `type`, `primary`",
            ),
            (
                "addresses",
                json!({"type": "work", "localty": "Delft"}),
                "`localty` is not a sub-attribute of `addresses`; did you mean `locality`?",
            ),
            (
                "addresses",
                json!({"type": "work", "locality": {"value": "Delft"}}),
                "`addresses.locality` must be a string, not an object; send the text itself",
            ),
            (
                "addresses",
                json!({"type": "work", "Type": "home"}),
                "`Type` and `type` are the same attribute of addresses; send it once",
            ),
            (
                "addresses",
                json!("work"),
                "`addresses` must be an object, not a string; name the sub-attribute, as in `{\"formatted\": …}`",
            ),
            (
                "emails",
                json!({"value": {"value": "a@x"}}),
                "`emails.value` must be a string, not an object; send the text itself",
            ),
        ] {
            let remove = json!({"op": "remove", "path": list, "value": [sent]});
            let refused = after(&world, &path, &remove).expect_err("refused");
            let place = format!("operation 1: element 1 of what to remove from `{list}`");
            assert_eq!(refused, format!("{place}: {expected}"), "{idp} {sent}");
            assert_eq!(world.get(&path).body["addresses"], json!([address]), "{idp} {sent}");
        }
        let groups = json!({"op": "remove", "path": "groups", "value": [{"value": "g"}]});
        let refused = after(&world, &path, &groups).expect_err("refused");
        assert_eq!(refused, "operation 1: `groups` is read-only; leave it out: only the server sets it");
    }
}

#[test]
fn what_is_sent_beside_a_value_to_remove_is_ignored() {
    for idp in [Idp::Entra, Idp::Okta] {
        let world = World::new(idp);
        let ada = world.user("ada");
        for beside in [
            json!({"$ref": null}),
            json!({"$ref": "", "display": 1, "type": ""}),
            json!({"display": "ada", "active": "True", "userName": "ada"}),
        ] {
            let path = format!("/Groups/{}", world.group("crew", &[&ada]));
            let mut member = beside.clone();
            member["value"] = json!(ada);
            let remove = json!({"op": "remove", "path": "members", "value": [member]});
            let left = after(&world, &path, &remove).expect("removed");
            assert_eq!(left["members"], json!([]), "{idp} {beside}");
            world.request("DELETE", &path, &Value::Null);
        }
    }
}

#[test]
fn an_element_that_is_made_has_each_attribute_once_whatever_its_case() {
    let world = World::new(Idp::Entra);
    let path = format!("/Users/{}", world.user("ada"));
    let add = |value: Value| json!({"op": "Add", "path": "emails[type eq \"work\"]", "value": value});
    let twice = after(&world, &path, &add(json!({"Type": "work", "type": "work", "value": "a@b.c"})));
    assert!(twice.expect_err("the client says it twice").contains("are the same attribute"));
    for _ in ["made", "found"] {
        let sent = add(json!({"Type": "work", "Value": "a@b.c"}));
        let user = after(&world, &path, &sent).expect("understood");
        assert_eq!(user["emails"], json!([{"type": "work", "value": "a@b.c"}]));
    }
}

#[test]
fn an_element_goes_with_the_last_that_is_told_of_it() {
    let world = World::new(Idp::Entra);
    let path = format!("/Users/{}", world.user("ada"));
    let addresses = json!([{"type": "work", "locality": "Delft", "country": "NL"}]);
    after(&world, &path, &json!({"op": "Add", "path": "addresses", "value": addresses})).expect("added");
    for (gone, left) in
        [("country", json!([{"type": "work", "locality": "Delft"}])), ("locality", Value::Null)]
    {
        let remove = json!({"op": "Remove", "path": format!("addresses[type eq \"work\"].{gone}")});
        assert_eq!(after(&world, &path, &remove).expect("removed")["addresses"], left, "{gone}");
    }
}

#[test]
fn a_path_that_only_a_quirk_understands_is_not_decoded() {
    let world = World::new(Idp::Entra);
    let path = format!("/Users/{}", world.user("ada"));
    let roles = json!([{"value": "R%2FD", "primary": true}, {"value": "R/D"}]);
    after(&world, &path, &json!({"op": "Add", "path": "roles", "value": roles})).expect("added");
    for (sub, name) in [("display", "x"), ("displayName", "y")] {
        let target = format!("roles[primary eq \"True\" and value eq \"R%2FD\"].{sub}");
        let user = after(&world, &path, &json!({"op": "Add", "path": target, "value": name})).expect("found");
        let expected = json!([{"value": "R%2FD", "primary": true, "display": name}, {"value": "R/D"}]);
        assert_eq!(user["roles"], expected, "{sub}");
    }
    let encoded = "/roles%5Bprimary%20eq%20%22True%22%5D.displayName";
    let user = after(&world, &path, &json!({"op": "Add", "path": encoded, "value": "z"})).expect("found");
    assert_eq!(user["roles"][0]["display"], "z");
}

#[test]
fn long_values_are_removed_as_well_as_short_ones() {
    let world = World::new(Idp::Entra);
    let path = format!("/Users/{}", world.user("ada"));
    let certificate = |first: &str| json!({"value": format!("{first}{}", "AAAA".repeat(1000))});
    let certificates: Vec<Value> = ('A'..='T').map(|first| certificate(&format!("{first}AAA"))).collect();
    let with = |op: &str, value: &[Value]| json!({"op": op, "path": "x509Certificates", "value": value});
    after(&world, &path, &with("add", &certificates)).expect("added");
    let left = after(&world, &path, &with("remove", &certificates[1..])).expect("removed");
    assert_eq!(left["x509Certificates"], json!(certificates[..1]));
}

/// RFC 7643 §2.4: an element that does not say so is not primary.
#[test]
fn what_does_not_say_that_it_is_primary_is_not() {
    let world = World::new(Idp::Entra);
    let path = format!("/Users/{}", world.user("ada"));
    let write = |target: &str, value: &str| {
        let operation = json!({"op": "Add", "path": target, "value": value});
        after(&world, &path, &operation).expect("understood")["roles"].clone()
    };
    let made = write("roles[primary eq \"False\"].value", "r1");
    assert_eq!(made, json!([{"primary": false, "value": "r1"}]));
    let remove = json!({"op": "Remove", "path": "roles[value eq \"r1\"].primary"});
    after(&world, &path, &remove).expect("removed");
    let shown = write("roles[primary eq \"False\"].display", "d");
    assert_eq!(shown, json!([{"value": "r1", "display": "d"}]));
    let strict = World::new(Idp::Generic);
    let path = format!("/Users/{}", strict.user("ada"));
    let roles = json!({"op": "add", "path": "roles", "value": [{"value": "r1"}]});
    after(&strict, &path, &roles).expect("added");
    let operation = json!({"op": "add", "path": "roles[primary eq false].display", "value": "d"});
    assert_eq!(after(&strict, &path, &operation).expect("so for everybody")["roles"], shown);
}

#[test]
fn a_single_value_can_be_removed_as_from_a_list() {
    let enterprise = scim_core::schema::ENTERPRISE_USER;
    let old = json!({"op": "Remove", "path": "manager[value eq \"m1\"]"});
    let new = json!({"op": "Add", "path": "manager", "value": "m2"});
    let leaves = json!({"op": "Replace", "path": "active", "value": "False"});
    let left = |operations: Value| {
        let world = World::new(Idp::Entra);
        let path = format!("/Users/{}", world.user("ada"));
        after(&world, &path, &json!({"op": "Add", "path": "manager", "value": "m1"})).expect("added");
        let answer = world.patch(&path, &operations);
        assert!(answer.status.is_success(), "{operations}: {}", answer.body);
        let user = world.get(&path).body;
        (user[enterprise]["manager"]["value"].clone(), user["active"].clone())
    };
    assert_eq!(left(json!([old, leaves])), (Value::Null, json!(false)));
    assert_eq!(left(json!([old, new])).0, "m2");
    assert_eq!(left(json!([new, old])).0, "m2");

    for idp in [Idp::Okta, Idp::Generic] {
        let world = World::new(idp);
        let path = format!("/Users/{}", world.user("ada"));
        let strict = json!({"op": "remove", "path": format!("{enterprise}:manager[value eq \"m1\"]")});
        assert!(after(&world, &path, &strict).is_err(), "{idp}");
    }
}

#[test]
fn a_look_up_without_quotes_finds_whom_it_means() {
    let world = World::new(Idp::Generic);
    let path = format!("/Users/{}", world.user("ada@example.com"));
    let looked_up = "/Users?filter=userName%20Eq%20ada@example.com&startIndex=1&count=1";
    let refusal = world.get(looked_up);
    assert_eq!((refusal.status.as_u16(), &refusal.body["scimType"]), (400, &json!("invalidFilter")));

    let quirks = vec![Quirk::UnquotedText.name().to_owned()];
    let world = world.connected(Connection { quirks, ..Connection::new(Idp::Generic) });
    assert_eq!(world.get(looked_up).body["totalResults"], 1);
    let operation = |op: &str, path: &str, value| json!({"op": op, "path": path, "value": value});
    let email = json!([{"type": "work", "value": "a@example.com"}]);
    after(&world, &path, &operation("add", "emails", email)).expect("added");
    let shown =
        after(&world, &path, &operation("replace", "emails[type eq work].value", json!("b@example.com")));
    assert_eq!(shown.expect("replaced")["emails"][0]["value"], "b@example.com");
    let two = "/Users?filter=userName%20eq%20ada@example.com%20and%20active%20eq%20true";
    assert_eq!(world.get(two).status.as_u16(), 400);
}

#[test]
fn an_attribute_that_is_beside_its_extension_and_inside_is_refused() {
    let world = World::new(Idp::Entra);
    let enterprise = scim_core::schema::ENTERPRISE_USER;
    for (name, beside, inside, expected) in [
        ("a", json!("a"), json!({"department": "b"}), 400),
        ("b", json!("a"), json!({"Department": "b"}), 400),
        ("c", json!("a"), json!({"department": "a"}), 201),
        ("d", json!(null), json!({"department": "a"}), 201),
        ("e", json!("a"), json!({"division": "d"}), 201),
    ] {
        let body = json!({"schemas": [scim_core::schema::USER, enterprise], "userName": name,
            "department": beside, enterprise: inside});
        let answer = world.request("POST", "/Users", &body);
        assert_eq!(answer.status.as_u16(), expected, "{name}: {}", answer.body);
        match expected {
            400 => assert!(answer.body["detail"].as_str().is_some_and(|text| text.contains("`department`"))),
            _ => assert_eq!(answer.body[enterprise]["department"], "a", "{name}"),
        }
    }
}

#[test]
fn schemas_say_that_names_of_groups_are_unique_where_they_are() {
    for (idp, expected) in [(Idp::Entra, "server"), (Idp::Generic, "none")] {
        let world = World::new(idp);
        let uniqueness = |schema: &Value| {
            let attributes = schema["attributes"].as_array().cloned().unwrap_or_default();
            let name = attributes.into_iter().find(|attribute| attribute["name"] == "displayName");
            name.map(|name| name["uniqueness"].clone()).unwrap_or_default()
        };
        let group = scim_core::schema::GROUP;
        assert_eq!(uniqueness(&world.get(&format!("/Schemas/{group}")).body), expected);
        let all = world.get("/Schemas").body["Resources"].as_array().cloned().unwrap_or_default();
        assert_eq!(uniqueness(all.iter().find(|schema| schema["id"] == group).expect("listed")), expected);
        let user = all.iter().find(|schema| schema["id"] == scim_core::schema::USER).expect("listed");
        assert_eq!(uniqueness(user), "none");
    }
}
