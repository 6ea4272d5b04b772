use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use super::*;
use crate::ErrorKind;
use crate::decode;
use crate::schema::{ENTERPRISE_USER, GROUP, Registry, ResourceType, USER};

fn registry() -> Registry {
    let builder = Registry::builder().expect("built in");
    let device = json!({"id": "urn:x:Device", "attributes": [
        {"name": "serial", "mutability": "immutable"},
        {"name": "tags", "multiValued": true},
        {"name": "limit", "type": "integer"},
        {"name": "owner", "required": true},
        {"name": "origin", "subAttributes": [
            {"name": "country", "mutability": "immutable"}, {"name": "city"},
            {"name": "marks", "multiValued": true}, {"name": "stamp", "mutability": "readOnly"}]},
        {"name": "ports", "multiValued": true, "subAttributes": [
            {"name": "number", "type": "integer", "required": true}, {"name": "label"},
            {"name": "kind", "mutability": "immutable"}, {"name": "state", "mutability": "readOnly"},
            {"name": "primary", "type": "boolean"}]},
        {"name": "seals", "multiValued": true, "mutability": "immutable"},
        {"name": "keys", "multiValued": true, "subAttributes": [
            {"name": "name"}, {"name": "secret", "mutability": "writeOnly"}]},
        {"name": "vault", "subAttributes": [
            {"name": "hint"}, {"name": "code", "mutability": "writeOnly"}]},
        {"name": "lease", "subAttributes": [{"name": "term", "required": true}]},
        {"name": "system", "mutability": "readOnly", "subAttributes": [{"name": "name"}]},
        {"name": "pin", "mutability": "writeOnly", "required": true}]});
    let more = json!({"id": "urn:x:More", "attributes": [
        {"name": "once", "mutability": "immutable"}, {"name": "often"}, {"name": "must", "required": true},
        {"name": "token", "mutability": "writeOnly"}]});
    let firm = json!({"id": "urn:x:Firm", "attributes": [{"name": "name"}]});
    builder
        .schema(&device)
        .and_then(|builder| builder.schema(&more))
        .and_then(|builder| builder.schema(&firm))
        .and_then(|builder| {
            builder.resource_type(&json!({"name": "Device", "endpoint": "/Devices", "schema": "urn:x:Device",
                "schemaExtensions": [{"schema": "urn:x:More"}, {"schema": "urn:x:Firm", "required": true}]}))
        })
        .and_then(|builder| builder.build())
        .expect("a registry")
}

pub(super) fn resource_type(name: &str) -> Arc<ResourceType> {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(registry);
    Arc::clone(REGISTRY.resource_type(name).expect(name))
}

/// A document of `name` with these members besides `schemas` and what is required.
pub(super) fn document(name: &str, members: &Value) -> Document {
    let body = match name {
        "User" => json!({"schemas": [USER, ENTERPRISE_USER], "userName": "ada"}),
        "Group" => json!({"schemas": [GROUP], "displayName": "Crew"}),
        _ => json!({"schemas": ["urn:x:Device", "urn:x:More", "urn:x:Firm"], "owner": "o", "pin": "1",
            "urn:x:Firm": {"name": "f"}}),
    };
    let mut body = body.as_object().expect("an object").clone();
    body.extend(members.as_object().expect("an object").clone());
    decode::resource(&body.into(), &resource_type(name)).expect("a resource").document
}

pub(super) fn message(operations: &Value) -> Value {
    json!({"schemas": [MESSAGE], "Operations": operations})
}

pub(super) fn patched(name: &str, document: &Document, operations: &Value) -> crate::Result<Patched> {
    let resource_type = resource_type(name);
    Patch::decode(&message(operations), &resource_type)?.apply(document, &resource_type)
}

/// What the operations make of a document of `name` that has `before`, without `schemas` and what is required.
#[track_caller]
fn check(name: &str, before: Value, operations: Value, expected: Value) {
    let before = document(name, &before);
    let Patched { document: after, .. } = patched(name, &before, &operations).expect("applied");
    let mut shown = after.as_map().clone();
    shown.retain(|key, value| {
        key != "schemas"
            && !matches!((key.as_str(), value.as_str()), ("userName", Some("ada")) | ("owner", Some("o")))
    });
    shown.retain(|key, _| key != "urn:x:Firm" && !(name == "Group" && key == "displayName"));
    assert_eq!(Value::Object(shown), expected);
    let again = decode::resource(&after.as_map().clone().into(), &resource_type(name));
    if name != "Device" {
        assert_eq!(again.expect("valid").document.to_json(), after.to_json());
    }
}

#[track_caller]
pub(super) fn user(before: Value, operations: Value, expected: Value) {
    check("User", before, operations, expected);
}

#[track_caller]
pub(super) fn device(before: Value, operations: Value, expected: Value) {
    check("Device", before, operations, expected);
}

/// What refuses the operations on a document of `name` that has `before`.
#[track_caller]
pub(super) fn refuse(name: &str, before: Value, operations: Value, kind: ErrorKind, expected: &str) {
    let before = document(name, &before);
    let error = patched(name, &before, &operations).expect_err(expected);
    assert_eq!((error.kind(), error.detail().as_str()), (kind, expected));
}

pub(super) fn op(verb: &str, path: &str, value: Value) -> Value {
    json!([{"op": verb, "path": path, "value": value}])
}

pub(super) fn remove(path: &str) -> Value {
    json!([{"op": "remove", "path": path}])
}

#[test]
fn the_examples_of_rfc_7644() {
    let (babs, james) = (
        json!({"display": "Babs Jensen", "$ref": "https://example.com/v2/Users/2819c223...413861904646",
            "value": "2819c223-7f76-453a-919d-413861904646"}),
        json!({"display": "James Smith", "$ref": "https://example.com/v2/Users/08e1d05d...473d93df9210",
            "value": "08e1d05d...473d93df9210"}),
    );
    // `display` is read-only here, and left out.
    let stored = |member: &Value| json!({"$ref": member["$ref"], "value": member["value"]});
    let (stored_babs, stored_james) = (stored(&babs), stored(&james));
    let group =
        |before: Value, operations: Value, expected: Value| check("Group", before, operations, expected);
    // §3.5.2.1
    let one = json!({"members": [stored_babs]});
    group(json!({}), op("add", "members", json!([babs])), one.clone());
    group(one.clone(), op("add", "members", json!([babs])), one.clone());
    user(
        json!({"nickName": "Bob", "emails": [{"value": "a@b.c"}]}),
        json!([{"op": "add", "value": {"emails": [{"value": "babs@jensen.org", "type": "home"}], "nickname": "Babs"}}]),
        json!({"nickName": "Babs", "emails": [{"value": "a@b.c"}, {"value": "babs@jensen.org", "type": "home"}]}),
    );
    // §3.5.2.2
    let select = r#"members[value eq "2819c223-7f76-453a-919d-413861904646"]"#;
    group(one.clone(), remove(select), json!({}));
    group(json!({"members": [stored_james]}), remove(select), json!({"members": [stored_james]}));
    group(one.clone(), remove("members"), json!({}));
    user(
        json!({"emails": [{"value": "a@example.com", "type": "work"}, {"value": "b@other.org", "type": "work"}]}),
        remove(r#"emails[type eq "work" and value ew "example.com"]"#),
        json!({"emails": [{"value": "b@other.org", "type": "work"}]}),
    );
    group(
        one.clone(),
        json!([{"op": "remove", "path": r#"members[value eq"2819c223-7f76-453a-919d-413861904646"]"#},
            {"op": "add", "path": "members", "value": [james]}]),
        json!({"members": [stored_james]}),
    );
    group(
        one.clone(),
        json!([{"op": "remove", "path": "members"}, {"op": "add", "path": "members", "value": [babs, james]}]),
        json!({"members": [stored_babs, stored_james]}),
    );
    // §3.5.2.3
    group(one, op("replace", "members", json!([james])), json!({"members": [stored_james]}));
    let address = json!({"type": "work", "streetAddress": "911 Universal City Plaza", "locality": "Hollywood",
        "region": "CA", "postalCode": "91608", "country": "US",
        "formatted": "911 Universal City Plaza\nHollywood, CA 91608 US", "primary": true});
    let before = json!({"addresses": [{"type": "work", "locality": "Delft"},
        {"type": "home", "streetAddress": "1 Street", "primary": true}]});
    user(
        before.clone(),
        op("replace", r#"addresses[type eq "work"]"#, address.clone()),
        json!({"addresses": [address, {"type": "home", "streetAddress": "1 Street", "primary": false}]}),
    );
    user(
        before,
        op("replace", r#"addresses[type eq "work"].streetAddress"#, json!("1010 Broadway Ave")),
        json!({"addresses": [{"type": "work", "locality": "Delft", "streetAddress": "1010 Broadway Ave"},
            {"type": "home", "streetAddress": "1 Street", "primary": true}]}),
    );
    let emails = json!([{"value": "bjensen@example.com", "type": "work", "primary": true},
        {"value": "babs@jensen.org", "type": "home"}]);
    user(
        json!({"title": "Dr", "emails": [{"value": "a@b.c", "primary": true}]}),
        json!([{"op": "replace", "value": {"emails": emails, "nickname": "Babs"}}]),
        json!({"title": "Dr", "emails": emails, "nickName": "Babs"}),
    );
}

#[test]
fn single_values() {
    let title = json!({"title": "Dr"});
    for verb in ["add", "replace"] {
        user(title.clone(), op(verb, "title", json!("Ms")), json!({"title": "Ms"}));
        user(json!({}), op(verb, "TITLE", json!("Dr")), title.clone());
        user(title.clone(), op(verb, "title", Value::Null), json!({}));
        user(title.clone(), op(verb, "title", json!([])), json!({}));
        user(title.clone(), op(verb, &format!("{USER}:title"), json!("Ms")), json!({"title": "Ms"}));
        user(json!({"active": true}), op(verb, "active", json!(false)), json!({"active": false}));
    }
    user(title.clone(), remove("title"), json!({}));
    user(title.clone(), remove("nickName"), title.clone());
    user(title, json!([{"op": "remove", "path": "title", "value": null}]), json!({}));
    user(
        json!({}),
        json!([{"OP": "add", "Path": "title", "VALUE": "Ms"}, {"op": "add", "path": null, "value": {"locale": "de"}}]),
        json!({"title": "Ms", "locale": "de"}),
    );
}

#[test]
fn complex_values_keep_what_is_not_named() {
    let name = json!({"name": {"givenName": "Ada", "familyName": "King"}});
    for verb in ["add", "replace"] {
        user(
            name.clone(),
            op(verb, "name", json!({"FAMILYNAME": "Byron", "middleName": null})),
            json!({"name": {"givenName": "Ada", "familyName": "Byron"}}),
        );
        user(name.clone(), op(verb, "name", json!({})), name.clone());
        user(name.clone(), op(verb, "name", json!({"givenName": null, "familyName": null})), json!({}));
        user(name.clone(), op(verb, "name", Value::Null), json!({}));
        user(
            name.clone(),
            op(verb, "name.givenName", json!("Eve")),
            json!({"name": {"givenName": "Eve", "familyName": "King"}}),
        );
        user(json!({}), op(verb, "name.givenName", json!("Eve")), json!({"name": {"givenName": "Eve"}}));
        user(
            name.clone(),
            json!([{"op": verb, "value": {"name": {"givenName": "Eve"}}}]),
            json!({"name": {"givenName": "Eve", "familyName": "King"}}),
        );
    }
    user(name.clone(), remove("name.givenName"), json!({"name": {"familyName": "King"}}));
    user(name.clone(), remove("name"), json!({}));
    user(
        name,
        json!([{"op": "remove", "path": "name.givenName"}, {"op": "remove", "path": "name.familyName"}]),
        json!({}),
    );
    let origin = |marks: Value| json!({"origin": {"city": "Delft", "marks": marks}});
    for (verb, path, value, expected) in [
        ("add", "origin", json!({"marks": ["b", "c"]}), json!(["a", "b", "c"])),
        ("replace", "origin", json!({"marks": ["b", "c"]}), json!(["b", "c"])),
        ("add", "origin.marks", json!("c"), json!(["a", "b", "c"])),
        ("add", "origin.marks", json!([]), json!(["a", "b"])),
        ("replace", "origin.marks", json!(["c"]), json!(["c"])),
    ] {
        device(origin(json!(["a", "b"])), op(verb, path, value), origin(expected));
    }
    let sent = json!({"city": "Ely", "stamp": "left out"});
    device(json!({}), op("add", "origin", sent), json!({"origin": {"city": "Ely"}}));
}

#[test]
fn lists() {
    let tags = |tags: Value| json!({"tags": tags});
    for (verb, value, expected) in [
        ("add", json!(["b", "c", "c"]), json!(["a", "b", "c"])),
        ("add", json!("c"), json!(["a", "b", "c"])),
        ("add", json!("a"), json!(["a", "b"])),
        ("add", json!([]), json!(["a", "b"])),
        ("add", Value::Null, json!(["a", "b"])),
        ("replace", json!(["c"]), json!(["c"])),
    ] {
        device(tags(json!(["a", "b"])), op(verb, "tags", value), tags(expected));
    }
    device(tags(json!(["a"])), op("replace", "tags", json!([])), json!({}));
    device(tags(json!(["a"])), op("replace", "tags", Value::Null), json!({}));
    device(json!({}), op("replace", "tags", json!(["a"])), tags(json!(["a"])));
    device(tags(json!(["a", "b"])), remove(r#"tags[value eq "a"]"#), tags(json!(["b"])));
    device(tags(json!(["a", "b"])), remove(r#"tags[value pr]"#), json!({}));
    device(
        tags(json!(["a", "b"])),
        op("replace", r#"tags[value eq "a"]"#, json!("c")),
        tags(json!(["c", "b"])),
    );
    let emails = json!({"emails": [{"value": "a", "type": "work"}]});
    user(json!({}), op("add", "emails", json!({"type": "work", "value": "a"})), emails.clone());
    user(emails.clone(), op("add", "emails", json!([{"TYPE": "work", "value": "a"}, null, {}])), emails);
}

#[test]
fn selected_elements() {
    let emails = |emails: Value| json!({"emails": emails});
    let before =
        || emails(json!([{"value": "a", "type": "work"}, {"value": "b", "type": "home"}, {"value": "c"}]));
    let work = r#"emails[type eq "WORK"]"#;
    for (operations, expected) in [
        (op("add", work, json!({"display": "A"})), json!({"value": "a", "type": "work", "display": "A"})),
        (op("add", work, json!({"type": null})), json!({"value": "a"})),
        (op("replace", work, json!({"value": "x"})), json!({"value": "x"})),
        (op("replace", &format!("{work}.value"), json!("x")), json!({"value": "x", "type": "work"})),
        (
            op("add", &format!("{work}.display"), json!("A")),
            json!({"value": "a", "type": "work", "display": "A"}),
        ),
        (op("replace", &format!("{work}.type"), Value::Null), json!({"value": "a"})),
        (remove(&format!("{work}.value")), json!({"type": "work"})),
        (remove(&format!("{work}.display")), json!({"value": "a", "type": "work"})),
    ] {
        user(before(), operations, emails(json!([expected, {"value": "b", "type": "home"}, {"value": "c"}])));
    }
    let rest = || emails(json!([{"value": "b", "type": "home"}, {"value": "c"}]));
    user(before(), remove(work), rest());
    user(before(), op("replace", work, Value::Null), rest());
    user(before(), op("replace", work, json!({})), rest());
    user(rest(), remove(work), rest());
    user(rest(), remove(&format!("{work}.value")), rest());
    user(before(), remove("emails.type"), emails(json!([{"value": "a"}, {"value": "b"}, {"value": "c"}])));
    user(before(), remove("emails.value"), emails(json!([{"type": "work"}, {"type": "home"}])));
    user(json!({}), remove("emails.value"), json!({}));
    user(
        before(),
        op("replace", "emails.type", json!("other")),
        emails(json!([{"value": "a", "type": "other"}, {"value": "b", "type": "other"},
            {"value": "c", "type": "other"}])),
    );
    user(
        before(),
        op("replace", r#"emails[type eq "work" or value eq "c"].display"#, json!("D")),
        emails(json!([{"value": "a", "type": "work", "display": "D"}, {"value": "b", "type": "home"},
            {"value": "c", "display": "D"}])),
    );
    // The next operation sees what the one before left.
    user(
        before(),
        json!([{"op": "replace", "path": format!("{work}.type"), "value": "home"},
            {"op": "remove", "path": "emails[type eq \"home\"]"}]),
        emails(json!([{"value": "c"}])),
    );
}

#[test]
fn one_primary_at_most() {
    let emails = |emails: Value| json!({"emails": emails});
    let before =
        || emails(json!([{"value": "a", "primary": true}, {"value": "b", "primary": false}, {"value": "c"}]));
    let primary_b =
        || emails(json!([{"value": "a", "primary": false}, {"value": "b", "primary": true}, {"value": "c"}]));
    user(before(), op("replace", r#"emails[value eq "b"].primary"#, json!(true)), primary_b());
    user(before(), op("add", r#"emails[value eq "b"]"#, json!({"primary": true})), primary_b());
    user(
        before(),
        op("replace", r#"emails[value eq "b"]"#, json!({"value": "b", "primary": true})),
        primary_b(),
    );
    user(before(), op("replace", r#"emails[value eq "a"].primary"#, json!(true)), before());
    user(before(), op("replace", "emails.display", json!("D")), {
        let mut after = before();
        for email in after["emails"].as_array_mut().expect("a list") {
            email["display"] = json!("D");
        }
        after
    });
    for value in [json!({"value": "d", "primary": true}), json!([{"value": "d", "primary": true}])] {
        let mut after = before();
        after["emails"][0]["primary"] = json!(false);
        after["emails"].as_array_mut().expect("a list").push(json!({"value": "d", "primary": true}));
        user(before(), op("add", "emails", value), after);
    }
    user(before(), op("add", "emails", json!({"value": "a", "primary": true})), before());
    // An element that is there but for `primary` is there.
    user(before(), op("add", "emails", json!([{"value": "b"}, {"value": "c"}])), before());
    user(before(), op("add", "emails", json!({"value": "b", "primary": true})), primary_b());
    let mut primary_c = primary_b();
    primary_c["emails"][1]["primary"] = json!(false);
    primary_c["emails"][2]["primary"] = json!(true);
    let turns: Vec<Value> = ["b", "a", "b", "c", "a", "c"]
        .map(|value| json!({"op": "add", "path": "emails", "value": [{"value": value, "primary": true}]}))
        .into();
    user(before(), turns.into(), primary_c);
    user(
        before(),
        json!([{"op": "replace", "path": r#"emails[value eq "a"].primary"#, "value": false},
            {"op": "replace", "path": r#"emails[value eq "b"].primary"#, "value": true}]),
        primary_b(),
    );
    let both = json!([{"value": "x", "primary": true}, {"value": "y", "primary": true}]);
    for (operations, expected) in [
        (
            op("add", "emails", both.clone()),
            "operation 1: more than one element of `emails` is primary; set `primary` to true in one of them at most",
        ),
        (
            op("replace", "emails", both),
            "operation 1: more than one element of `emails` is primary; set `primary` to true in one of them at most",
        ),
        (
            op("replace", "emails.primary", json!(true)),
            "operation 1: `emails.primary` makes more than one element primary; select one of them",
        ),
        (
            op("add", r#"emails[value ne "b"]"#, json!({"primary": true})),
            "operation 1: `emails[value ne \"b\"]` makes more than one element primary; select one of them",
        ),
    ] {
        refuse("User", before(), operations, ErrorKind::InvalidValue, expected);
    }
}

#[test]
fn extensions() {
    let extension = |data: Value| json!({ENTERPRISE_USER: data});
    let before = || extension(json!({"department": "Yard", "manager": {"value": "1"}}));
    let department = format!("{ENTERPRISE_USER}:department");
    for verb in ["add", "replace"] {
        user(json!({}), op(verb, &department, json!("Yard")), extension(json!({"department": "Yard"})));
        user(json!({}), op(verb, &department, Value::Null), json!({}));
        user(
            before(),
            op(verb, &format!("{ENTERPRISE_USER}:manager.value"), json!("2")),
            extension(json!({"department": "Yard", "manager": {"value": "2"}})),
        );
        user(
            before(),
            op(verb, &format!("{ENTERPRISE_USER}:manager.$ref"), json!("../Users/1")),
            extension(json!({"department": "Yard", "manager": {"value": "1", "$ref": "../Users/1"}})),
        );
        let expected =
            || extension(json!({"department": "Dock", "manager": {"value": "1"}, "division": "North"}));
        let data = json!({
            "schemas": [ENTERPRISE_USER], "department": "Dock", "DIVISION": "North", "costCenter": null,
        });
        user(before(), op(verb, ENTERPRISE_USER, data.clone()), expected());
        user(before(), json!([{"op": verb, "value": {ENTERPRISE_USER.to_uppercase(): data}}]), expected());
    }
    user(before(), remove(ENTERPRISE_USER), json!({}));
    user(before(), op("replace", ENTERPRISE_USER, Value::Null), json!({}));
    user(before(), op("add", ENTERPRISE_USER, Value::Null), before());
    user(json!({}), remove(ENTERPRISE_USER), json!({}));
    user(before(), remove(&department), extension(json!({"manager": {"value": "1"}})));
    user(extension(json!({"department": "Yard"})), remove(&department), json!({}));
}

#[test]
fn schemas_follow_the_content() {
    let schemas = |before: &Value, operations: &Value| {
        let after = patched("User", &document("User", before), operations).expect("applied").document;
        after.as_map().iter().next().map(|(name, value)| (name.clone(), value.clone()))
    };
    let expected = |urns: Value| Some(("schemas".to_owned(), urns));
    let path = format!("{ENTERPRISE_USER}:employeeNumber");
    assert_eq!(schemas(&json!({}), &op("add", &path, json!("7"))), expected(json!([USER, ENTERPRISE_USER])));
    assert_eq!(
        schemas(&json!({ENTERPRISE_USER: {"employeeNumber": "7"}}), &remove(&path)),
        expected(json!([USER]))
    );
    let sent = json!([{"op": "replace", "value": {"schemas": [USER.to_lowercase(), ENTERPRISE_USER], "title": "Dr"}}]);
    assert_eq!(schemas(&json!({}), &sent), expected(json!([USER])));
    // §3.5.2: "If one of the PATCH operations modifies the "schemas" attribute", before it writes to an extension.
    let sent = json!([
        {"op": "add", "path": "schemas", "value": [ENTERPRISE_USER]},
        {"op": "add", "path": path, "value": "7"},
        {"op": "replace", "path": format!("{USER}:SCHEMAS"), "value": [USER, ENTERPRISE_USER]},
    ]);
    assert_eq!(schemas(&json!({}), &sent), expected(json!([USER, ENTERPRISE_USER])));
    assert_eq!(schemas(&json!({}), &op("add", "schemas", json!([ENTERPRISE_USER]))), expected(json!([USER])));
}

#[test]
fn hidden_values_stay_out_of_the_document() {
    fn check(name: &str, before: Value, operations: Value, expected: &[(&str, Value)]) {
        let Patched { document, hidden } =
            patched(name, &document(name, &before), &operations).expect("applied");
        let shown: Vec<(String, Value)> =
            hidden.into_iter().map(|(path, value)| (path.to_string(), value.unwrap_or_default())).collect();
        let expected: Vec<(String, Value)> =
            expected.iter().map(|(path, value)| ((*path).to_owned(), value.clone())).collect();
        assert_eq!(shown, expected);
        let text = String::from_utf8(document.to_json()).expect("text");
        assert!(!text.contains("s3cret"), "{text}");
    }
    let s = || json!("s3cret");
    check("User", json!({}), op("add", "password", s()), &[("password", s())]);
    check(
        "User",
        json!({}),
        json!([{"op": "replace", "value": {"PassWord": "s3cret"}}]),
        &[("password", s())],
    );
    check("User", json!({}), op("replace", "password", Value::Null), &[("password", Value::Null)]);
    check("User", json!({}), remove("password"), &[("password", Value::Null)]);
    check("Device", json!({}), op("replace", "pin", s()), &[("pin", s())]);
    check("Device", json!({}), op("add", "vault.code", s()), &[("vault.code", s())]);
    check(
        "Device",
        json!({}),
        op("add", "vault", json!({"hint": "h", "code": "s3cret"})),
        &[("vault.code", s())],
    );
    check("Device", json!({}), op("add", "vault", json!({"Code": null})), &[("vault.code", Value::Null)]);
    check("Device", json!({}), op("replace", "vault", Value::Null), &[("vault.code", Value::Null)]);
    check("Device", json!({}), remove("vault"), &[("vault.code", Value::Null)]);
    check("Device", json!({}), op("add", "keys", json!([{"secret": "s3cret"}])), &[("keys.secret", s())]);
    check(
        "Device",
        json!({"keys": [{"name": "a"}]}),
        op("replace", r#"keys[name eq "a"].secret"#, s()),
        &[("keys.secret", s())],
    );
    check(
        "Device",
        json!({"keys": [{"name": "a"}]}),
        op("replace", "keys", json!([{"name": "a", "secret": "s3cret"}])),
        &[("keys.secret", Value::Null), ("keys.secret", s())],
    );
    check("Device", json!({}), op("add", "urn:x:More:token", s()), &[("urn:x:More:token", s())]);
    check(
        "Device",
        json!({"urn:x:More": {"must": "m"}}),
        remove("urn:x:More"),
        &[("urn:x:More:token", Value::Null)],
    );
    for operations in [remove("pin"), op("replace", "pin", Value::Null)] {
        let expected = "operation 1: `pin` is required and cannot be removed; replace its value instead";
        refuse("Device", json!({}), operations, ErrorKind::Mutability, expected);
    }
}

#[test]
fn an_operation_without_a_path_becomes_one_for_each_attribute() {
    let user = resource_type("User");
    let body = message(&json!([{"op": "remove", "path": "title"},
        {"op": "add", "value": {"active": true, ENTERPRISE_USER: {"division": "x", "department": "y"}, "emails": []}}]));
    let shown: Vec<String> = Patch::decode(&body, &user)
        .expect("a patch")
        .operations
        .iter()
        .map(|Operation { index, verb, target, .. }| format!("{index} {} {target}", verb.name()))
        .collect();
    let expected = ["0 remove title", "1 add active"].map(str::to_owned).into_iter();
    let inside = ["division", "department"].map(|name| format!("1 add {ENTERPRISE_USER}:{name}"));
    let expected: Vec<String> = expected.chain(inside).chain(["1 add emails".to_owned()]).collect();
    assert_eq!(shown, expected);
}

#[test]
fn steps_can_be_applied_one_by_one() {
    let user = resource_type("User");
    let mut document = document("User", &json!({"emails": [{"value": "a", "type": "work"}]}));
    let body = message(&json!([
        {"op": "replace", "path": r#"emails[type eq "work"].value"#, "value": "b"},
        {"op": "replace", "path": r#"emails[type eq "home"].value"#, "value": "b"}]));
    let patch = Patch::decode(&body, &user).expect("a patch");
    let [work, home] = patch.operations.as_slice() else { panic!("two") };
    assert!(!work.selects_nothing(&document));
    assert!(home.selects_nothing(&document));
    assert_eq!(work.apply(&mut document, &user).expect("applied"), []);
    let before = document.clone();
    assert_eq!(home.apply(&mut document, &user).expect_err("no target").kind(), ErrorKind::NoTarget);
    assert_eq!(document, before);
    let Target::Attribute(path) =
        &Patch::decode(&message(&remove("name")), &user).expect("a patch").operations[0].target
    else {
        panic!("an attribute")
    };
    assert_eq!(path.to_string(), "name");
    // A caller may also build what decoding refuses: brackets after an attribute with one value.
    document.map_mut().insert("name".to_owned(), json!({"givenName": "Ada"}));
    let target =
        Target::Elements { path: path.clone(), filter: Filter::Not(Box::new(Filter::Never)), sub: None };
    let write = Operation { index: 0, verb: Verb::Add, target, value: Some(json!({"familyName": "King"})) };
    write.apply(&mut document, &user).expect("applied");
    assert_eq!(document.as_map()["name"], json!({"givenName": "Ada", "familyName": "King"}));
    let before = document.clone();
    // A caller may build an operation on a whole extension.
    let Target::Extension(schema) = Patch::decode(&message(&remove(ENTERPRISE_USER)), &user)
        .expect("a patch")
        .operations
        .remove(0)
        .target
    else {
        panic!("an extension")
    };
    let write = Operation {
        index: 6,
        verb: Verb::Add,
        target: Target::Extension(schema),
        value: Some(json!({"division": "x", "department": 1})),
    };
    let error = write.apply(&mut document, &user).expect_err("a number");
    assert!(error.detail().starts_with("operation 7: "), "{error}");
    assert_eq!(document, before);
    let write = Operation { value: Some(json!({"division": "x"})), ..write };
    write.apply(&mut document, &user).expect("applied");
    assert_eq!(document.as_map()[ENTERPRISE_USER], json!({"division": "x"}));
    let path = format!("{ENTERPRISE_USER}:division");
    let last = Patch::decode(&message(&remove(&path)), &user).expect("a patch").operations.remove(0);
    last.apply(&mut document, &user).expect("applied");
    assert!(!document.as_map().contains_key(ENTERPRISE_USER));
}

#[test]
fn many_elements_are_added_in_time() {
    let list =
        |from: usize| (from..from + 20_000).map(|n| json!({"value": n.to_string()})).collect::<Value>();
    let before = document("User", &json!({"emails": list(0)}));
    let after = patched("User", &before, &op("add", "emails", list(10_000))).expect("applied").document;
    assert_eq!(after.as_map()["emails"].as_array().map(Vec::len), Some(30_000));
}
