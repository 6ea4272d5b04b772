//! What the SCIM validator of Microsoft Entra checks before an application may enter its gallery.
//!
//! The payloads have the validator's own oddities: booleans as text, a `profileUrl` that is no URL, a manager without an
//! object around it. Lookups travel with `+` for a space, as Entra sends them.

use serde_json::{Value, json};

use crate::http::{Client, encode};
use crate::messages::{ENTERPRISE, GROUP, LIST, USER, id, members, op};
use crate::server::Server;

/// The payload with the validator's default attributes.
fn full_user(name: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE],
        "userName": format!("{name}@contoso.example"),
        "active": true,
        "displayName": format!("display {name}"),
        "title": "engineer",
        "preferredLanguage": "shi-Latn-MA",
        "userType": "EMPLOYEE",
        "nickName": "nick",
        "locale": "et-EE",
        "timezone": "America/Detroit",
        "profileUrl": "GWVSOPCYYHQT",
        "name": {
            "formatted": "Formatted", "familyName": "Family", "givenName": "Given", "middleName": "Middle",
            "honorificPrefix": "Prefix", "honorificSuffix": "Suffix"
        },
        "emails": [{ "type": "work", "value": format!("{name}@work.example"), "primary": true }],
        "addresses": [{
            "type": "work", "primary": true, "formatted": "F", "streetAddress": "36774 Junior Fort", "locality": "L",
            "region": "R", "postalCode": "dq96 3ia", "country": "Estonia"
        }],
        "phoneNumbers": [
            { "type": "work", "value": "56-357-7743", "primary": true },
            { "type": "mobile", "value": "56-357-7743" },
            { "type": "fax", "value": "56-357-7743" }
        ],
        "roles": [{ "primary": "True", "display": "Rd", "value": "Rv", "type": "Rt" }],
        ENTERPRISE: {
            "employeeNumber": "E1", "department": "D1", "costCenter": "C1", "organization": "O1", "division": "V1",
            "manager": { "value": "somebody" }
        }
    })
}

/// The payload made of a discovered schema: lists are known by `primary` only.
fn discovered_user(name: &str) -> Value {
    json!({
        "schemas": [USER],
        "userName": format!("{name}@contoso.example"),
        "externalId": format!("external-{name}"),
        "active": true,
        "displayName": "D",
        "nickName": "N",
        "name": { "givenName": "G", "familyName": "F" },
        "emails": [{ "primary": "true", "value": format!("{name}@work.example") }],
        "phoneNumbers": [{ "primary": "true", "value": "61-392-9473" }],
        "addresses": [{ "primary": "true", "locality": "L", "country": "Estonia" }]
    })
}

fn minimal_user(name: &str) -> Value {
    json!({ "schemas": [USER], "userName": format!("{name}@contoso.example") })
}

fn new_group(name: &str) -> Value {
    json!({ "schemas": [GROUP], "displayName": name, "externalId": format!("external-{name}") })
}

#[track_caller]
fn create(client: &mut Client, path: &str, body: &Value) -> String {
    id(&client.post(path, body).expect(201))
}

/// Sends a PATCH and reads the resource back.
#[track_caller]
fn patch(client: &mut Client, path: &str, operations: Value) -> Value {
    let answer = client.patch(path, operations);
    assert!(matches!(answer.status, 200 | 204), "{}: {}", answer.status, answer.text());
    client.get(path).expect(200)
}

/// What a lookup finds.
#[track_caller]
fn lookup(client: &mut Client, path: &str, filter: &str, more: &str) -> Vec<Value> {
    let filter = encode(filter).replace("%20", "+");
    let list = client.get(&format!("{path}?{more}filter={filter}")).expect(200);
    assert_eq!(list["schemas"], json!([LIST]));
    let found = list["Resources"].as_array().cloned().unwrap_or_default();
    assert_eq!(list["totalResults"], found.len(), "{list}");
    for resource in &found {
        assert!(
            resource["id"].is_string() && resource["schemas"].is_array() && resource["meta"].is_object(),
            "{resource}"
        );
    }
    found
}

/// Whether everything that was sent can be read back; text that means a boolean comes back as one.
#[track_caller]
fn kept(sent: &Value, got: &Value, at: &str) {
    match (sent, got) {
        (Value::Object(sent), got) => {
            for (key, value) in sent {
                kept(value, &got[key], &format!("{at}.{key}"));
            }
        }
        (Value::Array(sent), Value::Array(got)) => {
            assert!(got.len() >= sent.len(), "{at}: {got:?}");
            if at.ends_with(".schemas") {
                assert!(sent.iter().all(|urn| got.contains(urn)), "{at}: {got:?}");
            } else {
                sent.iter().zip(got).for_each(|(sent, got)| kept(sent, got, at));
            }
        }
        (Value::String(text), got) if text.eq_ignore_ascii_case("true") => assert_eq!(*got, true, "{at}"),
        (sent, got) => assert_eq!(got, sent, "{at}"),
    }
}

/// What a path such as `emails[type eq "work"].value` leads to.
fn value_at<'a>(resource: &'a Value, path: &str) -> &'a Value {
    if let Some(name) = path.strip_prefix(&format!("{ENTERPRISE}:")) {
        return value_at(&resource[ENTERPRISE], name);
    }
    if let Some((attribute, rest)) = path.split_once('[') {
        let (condition, sub) = rest.split_once("].").expect("a sub-attribute");
        let (key, wanted) = condition.split_once(" eq ").expect("a condition");
        let wanted = wanted.trim_matches('"');
        let is = |value: &Value| match value {
            Value::String(text) => text.eq_ignore_ascii_case(wanted),
            other => other.to_string().eq_ignore_ascii_case(wanted),
        };
        let elements = resource[attribute].as_array().map_or(&[][..], Vec::as_slice);
        return elements
            .iter()
            .find(|element| is(&element[key]))
            .map_or(&Value::Null, |element| &element[sub]);
    }
    path.split('.').fold(resource, |value, name| &value[name])
}

/// One value for each attribute that the validator writes one by one.
fn every_path() -> Vec<(String, Value)> {
    let plain = [
        "displayName",
        "title",
        "userType",
        "nickName",
        "locale",
        "preferredLanguage",
        "timezone",
        "profileUrl",
    ];
    let names = ["givenName", "familyName", "formatted", "middleName", "honorificPrefix", "honorificSuffix"];
    let address = ["formatted", "streetAddress", "locality", "region", "postalCode", "country"];
    let enterprise = ["employeeNumber", "department", "costCenter", "organization", "division"];
    let mut paths: Vec<String> = plain.map(str::to_owned).to_vec();
    paths.extend(names.map(|name| format!("name.{name}")));
    paths.extend(address.map(|name| format!("addresses[type eq \"work\"].{name}")));
    paths.extend(["work", "mobile", "fax"].map(|kind| format!("phoneNumbers[type eq \"{kind}\"].value")));
    paths.push("emails[type eq \"work\"].value".to_owned());
    paths.extend(enterprise.map(|name| format!("{ENTERPRISE}:{name}")));
    paths.extend(["display", "value", "type"].map(|name| format!("roles[primary eq \"True\"].{name}")));
    let mut all: Vec<(String, Value)> =
        paths.into_iter().enumerate().map(|(n, path)| (path, format!("new{n}").into())).collect();
    all.push(("active".to_owned(), true.into()));
    all.extend(
        ["emails", "addresses", "phoneNumbers"]
            .map(|list| (format!("{list}[type eq \"work\"].primary"), true.into())),
    );
    all
}

#[test]
fn users_are_created_and_found() {
    let (_server, mut client) = Server::with("entra");
    for (name, payload) in [("full", full_user("full")), ("discovered", discovered_user("discovered"))] {
        create(&mut client, "/Users", &payload);
        let user_name = format!("{name}@contoso.example");
        let filters =
            [user_name.clone(), user_name.to_uppercase()].map(|name| format!("userName eq \"{name}\""));
        for filter in filters {
            let found = lookup(&mut client, "/Users", &filter, "");
            assert_eq!(found.len(), 1, "{filter}");
            kept(&payload, &found[0], "$");
        }
        client.post("/Users", &payload).refused(409, "uniqueness");
    }
    assert_eq!(
        lookup(&mut client, "/Users", "userName eq \"nobody@contoso.example\"", ""),
        Vec::<Value>::new()
    );
}

#[test]
fn every_attribute_is_replaced_and_added_by_its_path() {
    let (_server, mut client) = Server::with("entra");
    for (verb, start) in
        [("replace", full_user("a")), ("add", minimal_user("b")), ("Replace", minimal_user("c"))]
    {
        let path = format!("/Users/{}", create(&mut client, "/Users", &start));
        let paths = every_path();
        let operations: Vec<Value> =
            paths.iter().map(|(path, value)| op(verb, path, value.clone())).collect();
        let user = patch(&mut client, &path, operations.into());
        for (path, value) in &paths {
            assert_eq!(value_at(&user, path), value, "{verb} {path}: {user}");
        }
    }
}

#[test]
fn a_discovered_schema_is_patched_with_value_paths_and_dotted_keys() {
    let (_server, mut client) = Server::with("entra");
    let path = format!("/Users/{}", create(&mut client, "/Users", &discovered_user("a")));
    let user = patch(
        &mut client,
        &path,
        json!([
            op("replace", "emails[primary eq true].value", json!("new@work.example")),
            op("replace", "phoneNumbers[primary eq true].value", json!("15-532-3301")),
            op("replace", "addresses[primary eq true].locality", json!("new locality")),
            { "op": "replace", "value": {
                "externalId": "new external", "active": true, "name.givenName": "new given", "name.familyName": "new family",
                "displayName": "new display", "title": "new title", "profileUrl": "not a url"
            } }
        ]),
    );
    for (path, expected) in [
        ("emails[primary eq true].value", "new@work.example"),
        ("phoneNumbers[primary eq true].value", "15-532-3301"),
        ("addresses[primary eq true].locality", "new locality"),
        ("addresses[primary eq true].country", "Estonia"),
        ("externalId", "new external"),
        ("name.givenName", "new given"),
        ("name.familyName", "new family"),
        ("displayName", "new display"),
        ("title", "new title"),
        ("profileUrl", "not a url"),
    ] {
        assert_eq!(*value_at(&user, path), expected, "{path}: {user}");
    }
}

#[test]
fn a_user_is_renamed_disabled_and_deleted() {
    let (_server, mut client) = Server::with("entra");
    let path = format!("/Users/{}", create(&mut client, "/Users", &full_user("a")));
    let user =
        patch(&mut client, &path, json!([{ "op": "replace", "value": { "userName": "b@contoso.example" } }]));
    assert_eq!(user["userName"], "b@contoso.example");
    for (verb, value) in [("replace", json!(false)), ("Replace", json!("False"))] {
        patch(&mut client, &path, json!([op("Replace", "active", json!("True"))]));
        assert_eq!(patch(&mut client, &path, json!([op(verb, "active", value)]))["active"], false);
    }
    let found = lookup(&mut client, "/Users", "userName eq \"b@contoso.example\"", "");
    assert_eq!((found.len(), &found[0]["active"]), (1, &json!(false)));
    assert_eq!(client.delete(&path).status, 204);
    client.get(&path).refused(404, "");
    client.delete(&path).refused(404, "");
    client.delete("/Users/0a6d3c3e-1c0e-4a9c-9d0d-3a8d8a2f7b11").refused(404, "");
}

#[test]
fn a_manager_is_added_replaced_and_removed() {
    let (_server, mut client) = Server::with("entra");
    let boss = create(&mut client, "/Users", &full_user("boss"));
    let path_of_manager = format!("{ENTERPRISE}:manager");
    let mut number = 0;
    for wrap in [|id: &str| json!({ "value": id }), |id: &str| json!(id)] {
        for (verb, before, after) in
            [("add", false, &*boss), ("replace", true, &*boss), ("replace", true, "")]
        {
            number += 1;
            let mut payload = full_user(&format!("user{number}"));
            if !before {
                payload[ENTERPRISE].as_object_mut().expect("an object").remove("manager");
            }
            let path = format!("/Users/{}", create(&mut client, "/Users", &payload));
            let user = patch(&mut client, &path, json!([op(verb, &path_of_manager, wrap(after))]));
            let manager = user[ENTERPRISE]["manager"]["value"].as_str().unwrap_or_default();
            assert_eq!(manager, after, "{verb} {}: {user}", wrap(after));
        }
    }
}

#[test]
fn groups_are_created_and_found() {
    let (_server, mut client) = Server::with("entra");
    let payload = new_group("Engineers");
    let created = client.post("/Groups", &payload).expect(201);
    kept(&payload, &created, "$");
    let path = format!("/Groups/{}", id(&created));
    let member = create(&mut client, "/Users", &full_user("a"));
    patch(&mut client, &path, json!([op("add", "members", json!([{ "value": member }]))]));
    assert!(client.get(&format!("{path}?excludedAttributes=members")).expect(200).get("members").is_none());
    for filter in [
        "displayName eq \"Engineers\"",
        "displayName eq \"engineers\"",
        "externalId eq \"external-Engineers\"",
    ] {
        let found = lookup(&mut client, "/Groups", filter, "excludedAttributes=members&");
        assert_eq!(found.len(), 1, "{filter}");
        assert!(found[0].get("members").is_none());
        kept(&payload, &found[0], "$");
        assert_eq!(members(&lookup(&mut client, "/Groups", filter, "")[0]), [member.as_str()]);
    }
    assert_eq!(lookup(&mut client, "/Groups", "displayName eq \"Nobodies\"", ""), Vec::<Value>::new());
    client.post("/Groups", &payload).refused(409, "uniqueness");
}

#[test]
fn a_group_is_changed_and_deleted() {
    let (_server, mut client) = Server::with("entra");
    let path = format!("/Groups/{}", create(&mut client, "/Groups", &new_group("Engineers")));
    let ids: Vec<String> = ["a", "b"].map(|name| create(&mut client, "/Users", &full_user(name))).into();
    let group = patch(&mut client, &path, json!([{ "op": "replace", "value": { "externalId": "other" } }]));
    assert_eq!(group["externalId"], "other");
    let group =
        patch(&mut client, &path, json!([{ "op": "replace", "value": { "displayName": "Scientists" } }]));
    assert_eq!(group["displayName"], "Scientists");
    let both = json!([{ "value": ids[0] }, { "value": ids[1] }]);
    assert_eq!(members(&patch(&mut client, &path, json!([op("replace", "members", both)]))), ids);
    let first = format!("members[value eq \"{}\"]", ids[0]);
    let group = patch(&mut client, &path, json!([{ "op": "remove", "path": first }]));
    assert_eq!(members(&group), ids[1..]);
    let add_and_remove =
        json!([op("add", "members", json!([{ "value": ids[0] }])), { "op": "remove", "path": first }]);
    assert_eq!(members(&patch(&mut client, &path, add_and_remove)), ids[1..]);
    assert_eq!(client.delete(&path).status, 204);
    client.get(&path).refused(404, "");
    client.delete(&path).refused(404, "");
}

#[test]
fn one_patch_does_several_things() {
    let (_server, mut client) = Server::with("entra");
    let path = format!("/Users/{}", create(&mut client, "/Users", &discovered_user("a")));
    let user = patch(
        &mut client,
        &path,
        json!([
            { "op": "remove", "path": "nickName" },
            { "op": "add", "value": { "externalId": "x1" } },
            { "op": "replace", "value": { "displayName": "d1" } }
        ]),
    );
    assert_eq!(
        (&user["nickName"], &user["externalId"], &user["displayName"]),
        (&Value::Null, &json!("x1"), &json!("d1"))
    );
    let user = patch(
        &mut client,
        &path,
        json!([
            { "op": "remove", "path": "externalId" },
            { "op": "add", "value": { "externalId": "x2" } },
            { "op": "replace", "value": { "externalId": "x3" } }
        ]),
    );
    assert_eq!(user["externalId"], "x3");
}
