//! What PATCH refuses, and in which words.

use serde_json::{Value, json};

use super::tests::*;
use super::*;
use crate::ErrorKind;
use crate::schema::{ENTERPRISE_USER, USER};

#[test]
fn what_is_read_only_required_or_immutable_stays() {
    let before = || {
        json!({"serial": "1", "origin": {"country": "NL", "city": "Delft"}, "seals": ["a"], "lease": {"term": "1"},
            "ports": [{"number": 1, "kind": "k"}, {"number": 2}], "urn:x:More": {"once": "1", "must": "m"}})
    };
    let read_only = |path: &str| format!("`{path}` is read-only; leave it out: only the server sets it");
    let required =
        |path: &str| format!("`{path}` is required and cannot be removed; replace its value instead");
    let immutable = |path: &str| {
        format!("`{path}` is immutable and already has a value; leave it out, or send the value that it has")
    };
    for (operations, expected) in [
        (op("replace", "id", json!("1")), read_only("id")),
        (remove("META"), read_only("meta")),
        (op("add", "meta.location", json!("x")), read_only("meta.location")),
        (op("add", "urn:X:device:Id", json!("1")), read_only("id")),
        (json!([{"op": "add", "value": {"ID": "1"}}]), read_only("id")),
        (remove("schemas"), read_only("schemas")),
        (op("add", "origin.stamp", json!("x")), read_only("origin.stamp")),
        (op("add", "system.name", json!("x")), read_only("system.name")),
        (op("add", "ports[number eq 1].state", json!("x")), read_only("ports.state")),
        (remove("owner"), required("owner")),
        (remove("lease.term"), required("lease.term")),
        (op("replace", "owner", Value::Null), required("owner")),
        (json!([{"op": "replace", "value": {"owner": null}}]), required("owner")),
        (remove("ports[number eq 2].number"), required("ports.number")),
        (remove("ports.number"), required("ports.number")),
        (op("add", "ports[number eq 2]", json!({"number": null})), required("ports.number")),
        (remove("urn:x:More:must"), required("urn:x:More:must")),
        (
            remove("urn:x:Firm"),
            "the extension `urn:x:Firm` is required and cannot be removed; replace its attributes instead"
                .to_owned(),
        ),
        (op("replace", "serial", json!("2")), immutable("serial")),
        (remove("serial"), immutable("serial")),
        (op("add", "origin.country", json!("BE")), immutable("origin.country")),
        (op("add", "origin", json!({"country": "BE"})), immutable("origin.country")),
        (op("add", "origin", json!({"country": null})), immutable("origin.country")),
        (remove("origin"), immutable("origin.country")),
        (remove("origin.country"), immutable("origin.country")),
        (op("add", "seals", json!(["b"])), immutable("seals")),
        (remove(r#"seals[value eq "a"]"#), immutable("seals")),
        (op("replace", "ports[number eq 1].kind", json!("l")), immutable("ports.kind")),
        (op("add", "ports[number eq 1]", json!({"kind": "l"})), immutable("ports.kind")),
        (remove("urn:x:More:once"), immutable("urn:x:More:once")),
        (remove("urn:x:More"), immutable("urn:x:More:once")),
    ] {
        refuse("Device", before(), operations, ErrorKind::Mutability, &format!("operation 1: {expected}"));
    }
    for path in ["groups", "GROUPS.value", r#"groups[value eq "1"]"#, r#"groups[value eq "1"].display"#] {
        let refusal = patched("User", &document("User", &json!({})), &remove(path)).expect_err(path);
        assert_eq!(refusal.kind(), ErrorKind::Mutability, "{path}");
    }
    let operations = op("replace", &format!("{ENTERPRISE_USER}:manager.displayName"), json!("x"));
    let path = read_only(&format!("{ENTERPRISE_USER}:manager.displayName"));
    refuse("User", json!({}), operations, ErrorKind::Mutability, &format!("operation 1: {path}"));
    // The same value again, or a first one, is no change of what is immutable. Elements come and go.
    for operations in [
        op("replace", "serial", json!("1")),
        op("add", "seals", json!(["a"])),
        op("add", "origin", json!({"country": "NL"})),
        op("add", "ports[number eq 1].kind", json!("k")),
    ] {
        device(before(), operations, before());
    }
    device(json!({}), op("replace", "serial", json!("1")), json!({"serial": "1"}));
    device(json!({}), remove("serial"), json!({}));
    let ports = |ports: Value| json!({"ports": ports});
    let one = || ports(json!([{"number": 1, "kind": "k"}]));
    device(one(), op("replace", "ports[number eq 1]", json!({"number": 2, "kind": "l"})), {
        ports(json!([{"number": 2, "kind": "l"}]))
    });
    device(one(), remove("ports[number eq 1]"), json!({}));
}

#[test]
fn refusals() {
    use ErrorKind::{InvalidFilter, InvalidPath, InvalidSyntax, InvalidValue, NoTarget};
    let before = || json!({"emails": [{"value": "a", "type": "work"}]});
    for (operations, kind, expected) in [
        (json!([1]), InvalidSyntax, "the operation must be an object, not a number"),
        (
            json!([{"op": "Replace", "path": "title", "value": ""}]),
            InvalidSyntax,
            "`Replace` is not an operation; write `replace` in lower case",
        ),
        (json!([{"op": "replaec"}]), InvalidSyntax, "`replaec` is not an operation; did you mean `replace`?"),
        (
            json!([{"op": "move"}]),
            InvalidSyntax,
            "`move` is not an operation; send `add`, `replace` or `remove`",
        ),
        (json!([{"path": "title"}]), InvalidSyntax, "`op` is missing; send `add`, `replace` or `remove`"),
        (json!([{"op": 1}]), InvalidSyntax, "`op` must be a string, not a number"),
        (json!([{"op": "add", "path": 1}]), InvalidSyntax, "`path` must be a string, not a number"),
        (
            json!([{"op": "add", "pth": "title", "value": 1}]),
            InvalidSyntax,
            "`pth` is not a member of the operation; did you mean `path`?",
        ),
        (
            json!([{"op": "add", "from": "title", "value": 1}]),
            InvalidSyntax,
            "`from` is not a member of the operation; it has `op`, `path`, `value`",
        ),
        (
            json!([{"name": "clear", "op": "remove", "path": "emails", "filter": "type eq \"work\""}]),
            InvalidSyntax,
            "`filter` is not a member of the operation; it has `op`, `path`, `value`",
        ),
        (
            json!([{"op": "add", "Op": "remove"}]),
            InvalidSyntax,
            "`Op` and `op` are the same attribute of the operation; send it once",
        ),
        (
            json!([{"op": "add", "path": "title"}]),
            InvalidValue,
            "`add` needs a value; add `\"value\"`, or use `remove` to take a value away",
        ),
        (
            json!([{"op": "remove"}]),
            NoTarget,
            "`remove` needs a path; add `\"path\"` with the attribute to remove",
        ),
        (
            op("remove", "emails", json!([{"value": "a"}])),
            InvalidValue,
            "`remove` takes no value; select the values in the path: `emails[value eq \"…\"]`",
        ),
        (
            op("remove", "name.givenName", json!("Ada")),
            InvalidValue,
            "`remove` takes no value; leave `value` out to remove `name.givenName`",
        ),
        (
            op("remove", r#"emails[type eq "work"]"#, json!([])),
            InvalidValue,
            "`remove` takes no value; leave `value` out to remove `emails[type eq \"work\"]`",
        ),
        (
            json!([{"op": "replace", "value": "x"}]),
            InvalidValue,
            "without a path, `value` must be an object, not a string; add `\"path\"`, or send an object of attributes",
        ),
        (
            json!([{"op": "replace", "value": {"titel": "x"}}]),
            InvalidSyntax,
            "`titel` is not an attribute of User; did you mean `title`?",
        ),
        (
            json!([{"op": "replace", "value": {"active": true, "Active": false}}]),
            InvalidSyntax,
            "`Active` and `active` are the same attribute of User; send it once",
        ),
        (
            json!([{"op": "replace", "value": {"name.givenName": "x"}}]),
            InvalidSyntax,
            "`name.givenName` is not an attribute of User; send `givenName` as a member inside `name`",
        ),
        (
            json!([{"op": "add", "value": {"schemas": ["urn:x:Device"]}}]),
            InvalidValue,
            "`schemas` must be an array of schemas of User; leave it out: the server computes it",
        ),
        (
            op("replace", "schemas", json!(["urn:x:Device"])),
            InvalidValue,
            "`schemas` must be an array of schemas of User; leave it out: the server computes it",
        ),
        (
            op("add", ENTERPRISE_USER, json!("x")),
            InvalidValue,
            "`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User` must be an object, not a string; \
             send the extension's attributes inside it",
        ),
        (
            op("add", ENTERPRISE_USER, json!({"title": "x"})),
            InvalidSyntax,
            "`title` is not an attribute of `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`; \
             send `title` at the top level",
        ),
        (
            op("add", "displayNam", json!("x")),
            InvalidPath,
            "`displayNam` is not an attribute of User; did you mean `displayName`?",
        ),
        (
            op("add", r#"name[givenName eq "x"]"#, json!({})),
            InvalidPath,
            "`name` has one value only; use `name` without brackets",
        ),
        (
            op("replace", r#"emails[type eq "home"].value"#, json!("x")),
            NoTarget,
            "`emails[type eq \"home\"].value` selects nothing in the resource; `add` an element to `emails`",
        ),
        (
            op("add", r#"emails[type eq "home"]"#, json!({"value": "x"})),
            NoTarget,
            "`emails[type eq \"home\"]` selects nothing in the resource; `add` an element to `emails`",
        ),
        (
            op("add", "phoneNumbers.type", json!("work")),
            NoTarget,
            "`phoneNumbers.type` selects nothing in the resource; `add` an element to `phoneNumbers`",
        ),
        (
            op("replace", "active", json!("True")),
            InvalidValue,
            "`active` must be a boolean, not a string; send `true` or `false` without quotes",
        ),
        (
            op("replace", "emails", json!({"value": "x"})),
            InvalidValue,
            "`emails` holds a list of values, not an object; put the value in an array, in square brackets",
        ),
        (
            op("replace", "name", json!({"given": "x"})),
            InvalidSyntax,
            "`given` is not a sub-attribute of `name`; it has `formatted`, `familyName`, `givenName`, `middleName`, \
             `honorificPrefix`, `honorificSuffix`",
        ),
        (
            op("replace", r#"emails[type eq "work"]"#, json!([{"value": "x"}])),
            InvalidValue,
            "one element of `emails` must be an object, not an array; send the value without the inner square brackets",
        ),
        (
            op("add", "/name/givenName", json!("A")),
            InvalidPath,
            "`/name/givenName` is not an attribute of User; did you mean `name.givenName`?",
        ),
        (
            op("add", "urn:example:acme:User:badge", json!("A")),
            InvalidPath,
            "`urn:example:acme:User:badge` names no schema of User; its schemas are \
             `urn:ietf:params:scim:schemas:core:2.0:User`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`; \
             take it out of the attribute mapping, or have the server's operator add its schema",
        ),
        (
            op("add", "emails[type eq 1]", json!({})),
            InvalidFilter,
            "`type` has type string and cannot be compared with `1`; give text in double quotes",
        ),
    ] {
        refuse("User", before(), operations, kind, &format!("operation 1: {expected}"));
    }
    refuse(
        "User",
        before(),
        json!([{"op": "add", "path": "title", "value": "x"}, {"op": "add", "path": "title", "value": 1}]),
        InvalidValue,
        "operation 2: `title` must be a string, not a number; put the value in quotes",
    );
    refuse(
        "User",
        before(),
        op("replace", "userName", json!("")),
        InvalidValue,
        "operation 1: `userName` is required and cannot be empty; send its value",
    );
}

#[test]
fn messages_that_are_none() {
    let remedy = format!("send `\"schemas\": [\"{MESSAGE}\"]`");
    let operations = json!([{"op": "remove", "path": "title"}]);
    for (body, expected) in [
        (json!([]), "the PATCH message must be an object, not an array".to_owned()),
        (json!({"Operations": operations}), format!("`schemas` is missing; {remedy}")),
        (
            json!({"schemas": [USER], "Operations": operations}),
            format!("`schemas` does not name the PATCH message; {remedy}"),
        ),
        (
            json!({"schemas": MESSAGE, "Operations": operations}),
            format!("`schemas` does not name the PATCH message; {remedy}"),
        ),
        (json!({"schemas": [MESSAGE]}), "`Operations` is missing; send an array of operations".to_owned()),
        (
            json!({"schemas": [MESSAGE], "Operations": []}),
            "`Operations` is empty; send at least one operation".to_owned(),
        ),
        (
            json!({"schemas": [MESSAGE], "Operations": {}}),
            "`Operations` must be an array, not an object".to_owned(),
        ),
        (
            json!({"schemas": [MESSAGE], "Operation": operations}),
            "`Operation` is not a member of the PATCH message; did you mean `Operations`?".to_owned(),
        ),
        (
            json!({"schemas": [MESSAGE], "operations": operations, "Operations": operations}),
            "`operations` and `Operations` are the same attribute of the PATCH message; send it once"
                .to_owned(),
        ),
    ] {
        let error = Patch::decode(&body, &resource_type("User")).expect_err(&expected);
        assert_eq!((error.kind(), error.detail()), (ErrorKind::InvalidSyntax, expected));
    }
    let body = json!({"SCHEMAS": [MESSAGE.to_uppercase()], "operations": operations});
    assert_eq!(Patch::decode(&body, &resource_type("User")).expect("a patch").operations.len(), 1);
}
