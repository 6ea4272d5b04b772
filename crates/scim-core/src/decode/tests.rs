use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::{ENTERPRISE_USER, GROUP, Registry, USER};

const DEVICE: &str = "urn:acme:2.0:Device";
const OWNER: &str = "urn:acme:2.0:Owner";

/// A type whose attributes have every type and characteristic, with an extension that is required.
fn device() -> Arc<ResourceType> {
    let device = json!({"id": DEVICE, "attributes": [
        {"name": "serial", "required": true, "mutability": "immutable"},
        {"name": "pin", "mutability": "writeOnly"},
        {"name": "on", "type": "boolean"},
        {"name": "slots", "type": "integer"},
        {"name": "weight", "type": "decimal"},
        {"name": "built", "type": "dateTime"},
        {"name": "image", "type": "binary"},
        {"name": "home", "type": "reference", "referenceTypes": ["external"]},
        {"name": "colour", "canonicalValues": ["red", "Blau"]},
        {"name": "grade", "canonicalValues": ["A", "b"], "caseExact": true},
        {"name": "tags", "multiValued": true, "canonicalValues": ["new", "old"]},
        {"name": "site", "subAttributes": [
            {"name": "code", "mutability": "immutable"}, {"name": "label"}, {"name": "secret", "mutability": "writeOnly"},
            {"name": "type", "canonicalValues": ["indoor"]}, {"name": "seen", "mutability": "readOnly"}]},
        {"name": "ports", "multiValued": true, "subAttributes": [
            {"name": "value", "required": true}, {"name": "type", "canonicalValues": ["usb"]},
            {"name": "primary", "type": "boolean"}, {"name": "key", "mutability": "writeOnly"}]},
    ]});
    let owner = json!({"id": OWNER, "attributes": [
        {"name": "badge", "required": true, "mutability": "immutable"}, {"name": "desk", "mutability": "immutable"},
        {"name": "age", "type": "integer", "mutability": "readOnly"},
        {"name": "codeword", "mutability": "writeOnly"}]});
    let resource_type = json!({"name": "Device", "endpoint": "/Devices", "schema": DEVICE,
        "schemaExtensions": [{"schema": OWNER, "required": true}]});
    let registry = Registry::builder()
        .and_then(|builder| builder.schema(&device)?.schema(&owner)?.resource_type(&resource_type)?.build())
        .expect("documents");
    Arc::clone(registry.endpoint("Devices").expect("Device"))
}

fn builtin(endpoint: &str) -> Arc<ResourceType> {
    Arc::clone(Registry::builtin().expect("built in").endpoint(endpoint).expect(endpoint))
}

fn merged(mut base: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("an object") };
    base.as_object_mut().expect("an object").extend(members);
    base
}

fn user(members: Value) -> Result<Decoded> {
    resource(
        &merged(json!({"schemas": [USER, ENTERPRISE_USER], "userName": "ada"}), members),
        &builtin("Users"),
    )
}

fn gadget(members: Value) -> Result<Decoded> {
    let base = json!({"schemas": [DEVICE, OWNER], "serial": "1", OWNER: {"badge": "7"}});
    resource(&merged(base, members), &device())
}

fn check(decoded: Result<Decoded>, kind: ErrorKind, expected: &str) {
    let error = decoded.expect_err(expected);
    assert_eq!(error.detail(), expected);
    assert_eq!(error.kind(), kind, "{expected}");
}

#[test]
fn a_resource_becomes_canonical() {
    let decoded = user(json!({
        "SCHEMAS": null, "ID": "7", "Meta": {"nonsense": [1]}, "groups": "any", "externalid": "X",
        "NAME": {"GivenName": "Ada", "familyName": null, "middlename": ""},
        "displayName": null, "phoneNumbers": [], "ims": [{}, null, {"value": null}], "title": [],
        "emails": [{"VALUE": "a@x", "Type": "private", "primary": true}, {"value": "a@x", "type": "private"}],
        "URN:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:user":
            {"Department": "R&D", "manager": {"VALUE": "1", "$REF": "../Users/1", "displayName": "Bob"}},
    }));
    // `schemas` and `SCHEMAS` in one object.
    check(
        decoded,
        ErrorKind::InvalidSyntax,
        "`SCHEMAS` and `schemas` are the same attribute of User; send it once",
    );

    let body = json!({
        "ID": "7", "Meta": {"nonsense": [1]}, "groups": "any", "externalid": "X",
        "NAME": {"GivenName": "Ada", "familyName": null, "middlename": ""},
        "displayName": null, "phoneNumbers": [], "ims": [{}, null, {"value": null}], "title": [],
        "emails": [{"VALUE": "a@x", "Type": "private", "primary": true}, {"value": "a@x", "type": "private"}],
        "URN:ietf:params:scim:schemas:extension:ENTERPRISE:2.0:user":
            {"Department": "R&D", "manager": {"VALUE": "1", "$REF": "../Users/1", "displayName": "Bob"}},
        "Password": "hunter2",
        "username": "Ada",
        "Schemas": [ENTERPRISE_USER.to_uppercase(), USER.to_lowercase(), USER],
    });
    let Decoded { document, hidden } = resource(&body, &builtin("Users")).expect("a user");
    let expected = json!({
        "schemas": [USER, ENTERPRISE_USER],
        "externalId": "X",
        "name": {"givenName": "Ada", "middleName": ""},
        "emails": [{"value": "a@x", "type": "private", "primary": true}, {"value": "a@x", "type": "private"}],
        ENTERPRISE_USER: {"department": "R&D", "manager": {"value": "1", "$ref": "../Users/1"}},
        "userName": "Ada",
    });
    assert_eq!(String::from_utf8(document.to_json()).expect("UTF-8"), expected.to_string());
    let hidden: Vec<_> = hidden.iter().map(|(path, value)| (path.to_string(), value)).collect();
    assert_eq!(hidden, [("password".to_owned(), &json!("hunter2"))]);
}

#[test]
fn an_extension_without_data_is_not_in_schemas() {
    for data in [json!(null), json!({}), json!({"department": null, "manager": {"displayName": "read-only"}})]
    {
        let decoded = user(json!({ENTERPRISE_USER: data})).expect("a user");
        assert_eq!(Value::from(decoded.document.into_map()), json!({"schemas": [USER], "userName": "ada"}));
    }
}

#[test]
fn names_are_known_and_given_once() {
    let check = |members: Value, expected: &str| check(user(members), ErrorKind::InvalidSyntax, expected);
    check(
        json!({"active": true, "Active": null}),
        "`Active` and `active` are the same attribute of User; send it once",
    );
    check(json!({"ID": 1, "id": 2}), "`ID` and `id` are the same attribute of User; send it once");
    check(
        json!({"emails": [{"value": "a"}, {"Value": "b", "vALUE": "c"}]}),
        "element 2 of `emails`: `Value` and `vALUE` are the same attribute of emails; send it once",
    );
    check(
        json!({ENTERPRISE_USER: {}, "URN:ietf:params:scim:schemas:extension:enterprise:2.0:User": {}}),
        &format!(
            "`{}` and `{ENTERPRISE_USER}` are the same attribute of User; send it once",
            ENTERPRISE_USER.replacen("urn", "URN", 1)
        ),
    );
    check(json!({"usrName": "x"}), "`usrName` is not an attribute of User; did you mean `userName`?");
    check(
        json!({"__proto__": {}}),
        "`__proto__` is not an attribute of User; take it out of the attribute mapping, or map it to one that /Schemas has",
    );
    check(
        json!({"": 1}),
        "`` is not an attribute of User; take it out of the attribute mapping, or map it to one that /Schemas has",
    );
    check(
        json!({"Department": "x"}),
        &format!(
            "`Department` is not an attribute of User; send `department` inside the object `{ENTERPRISE_USER}`"
        ),
    );
    check(
        json!({"name.FamilyName": "x"}),
        "`name.FamilyName` is not an attribute of User; send `familyName` as a member inside `name`",
    );
    check(
        json!({"name": {"givenname": "x", "famlyName": "x"}}),
        "`famlyName` is not a sub-attribute of `name`; did you mean `familyName`?",
    );
    check(
        json!({"emails": [{"address": "x"}]}),
        "element 1 of `emails`: `address` is not a sub-attribute of `emails`; it has `value`, `display`, `type`, `primary`",
    );
    check(
        json!({ENTERPRISE_USER: {"departmnt": 1}}),
        &format!("`departmnt` is not an attribute of `{ENTERPRISE_USER}`; did you mean `department`?"),
    );
    check(
        json!({ENTERPRISE_USER: {"Title": 1}}),
        &format!("`Title` is not an attribute of `{ENTERPRISE_USER}`; send `title` at the top level"),
    );
    check(
        json!({ENTERPRISE_USER: {"schemas": [ENTERPRISE_USER, USER]}}),
        &format!("`schemas` is not an attribute of `{ENTERPRISE_USER}`; send `schemas` at the top level"),
    );
    check(
        json!({"urn:x:y": {}}),
        "no extension `urn:x:y` is registered for User; take it out of the attribute mapping, or have the server's operator add its schema",
    );
    check(
        json!({"urn:ietf:params:scim:schemas:extension:enterprise:2.0User": {}}),
        &format!(
            "no extension `urn:ietf:params:scim:schemas:extension:enterprise:2.0User` is registered for User; did you mean `{ENTERPRISE_USER}`?"
        ),
    );
    check(
        json!({"urn:scim:schemas:extension:enterprise:2.0": {}}),
        &format!(
            "no extension `urn:scim:schemas:extension:enterprise:2.0` is registered for User; that name is older than RFC 7643: send `{ENTERPRISE_USER}`"
        ),
    );
    check(
        json!({USER: {"title": "x"}}),
        &format!(
            "`{USER}` is the core schema, not an extension; send its attributes without the URN, at the top level"
        ),
    );
    let flat = format!("{ENTERPRISE_USER}:Department");
    check(
        json!({&flat: "x"}),
        &format!(
            "`{flat}` is not the name of a member; send `department` inside the object `{ENTERPRISE_USER}`"
        ),
    );
    let flat = format!("{USER}:title");
    check(
        json!({&flat: "x"}),
        &format!("`{flat}` is not the name of a member; send `title` without the URN"),
    );
    let long = user(json!({"é".repeat(1_000_000): 1})).expect_err("unknown").detail();
    assert!(long.len() < 400, "{}", long.len());
}

#[test]
fn bodies_are_objects() {
    let check =
        |body, expected| check(resource(&body, &builtin("Groups")), ErrorKind::InvalidSyntax, expected);
    check(json!([]), "a Group must be an object, not an array");
    check(json!(null), "a Group must be an object, not null");
    check(json!("x"), "a Group must be an object, not a string");
}

#[test]
fn schemas_agree_with_the_content() {
    let users = builtin("Users");
    let check = |schemas: Value, expected: &str| {
        let body = json!({"schemas": schemas, "userName": "ada", ENTERPRISE_USER: {"department": "x"}});
        check(resource(&body, &users), ErrorKind::InvalidValue, expected);
    };
    let missing = format!("`schemas` is missing; send `\"schemas\": [\"{USER}\"]`");
    check(json!(null), &missing);
    check(json!([]), &missing);
    check(json!(USER), "`schemas` must be an array of strings, not a string");
    check(json!([USER, 1]), "`schemas` must hold strings, not a number");
    check(json!([ENTERPRISE_USER]), &format!("`schemas` does not name `{USER}`; add it"));
    check(
        json!([GROUP]),
        &format!("`schemas` names `{GROUP}`, which User does not have; see /ResourceTypes for what it has"),
    );
    check(
        json!([USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0User"]),
        &format!(
            "`schemas` names `urn:ietf:params:scim:schemas:extension:enterprise:2.0User`, which User does not have; did you mean `{ENTERPRISE_USER}`?"
        ),
    );
    for (old, new) in [
        ("urn:scim:schemas:core:1.0", USER),
        ("urn:scim:schemas:core:2.0:User", USER),
        ("URN:SCIM:schemas:core:2.0", USER),
        ("urn:scim:schemas:extension:enterprise:1.0", ENTERPRISE_USER),
        ("urn:scim:schemas:extension:enterprise:2.0:User", ENTERPRISE_USER),
    ] {
        let remedy = format!("that name is older than RFC 7643: send `{new}`");
        check(json!([old]), &format!("`schemas` names `{old}`, which User does not have; {remedy}"));
    }
    check(
        json!(["urn:scim:schemas:core:2.0:Group"]),
        "`schemas` names `urn:scim:schemas:core:2.0:Group`, which User does not have; see /ResourceTypes for what it has",
    );
    check(
        json!([USER]),
        &format!("the resource has `{ENTERPRISE_USER}`, but `schemas` does not name it; add it to `schemas`"),
    );
    let body = json!({"userName": "ada"});
    super::tests::check(resource(&body, &users), ErrorKind::InvalidValue, &missing);
}

#[test]
fn what_is_required_is_there() {
    let check = |members, expected: &str| check(gadget(members), ErrorKind::InvalidValue, expected);
    for nothing in [json!(null), json!(""), json!([])] {
        check(json!({"serial": nothing}), "the required attribute `serial` is missing or empty");
        check(
            json!({OWNER: {"badge": nothing, "desk": "3"}}),
            "the required attribute `urn:acme:2.0:Owner:badge` is missing or empty",
        );
    }
    check(
        json!({OWNER: null}),
        "the required attribute `urn:acme:2.0:Owner` is missing or empty; every Device needs this extension: send its attributes inside the object `urn:acme:2.0:Owner`",
    );
    check(
        json!({"ports": [{"value": "1"}, {"type": "usb"}]}),
        "element 2 of `ports`: the required attribute `ports.value` is missing or empty",
    );
    let missing = user(json!({"userName": ""})).expect_err("required");
    assert_eq!(missing.path(), Some("userName"));
}

#[test]
fn values_fit_their_type() {
    for good in [
        json!({"on": false, "slots": -9_223_372_036_854_775_808_i64, "weight": 1, "serial": "x"}),
        json!({"weight": -1.5e-7, "built": "2011-05-13T04:42:34Z"}),
        json!({"image": "TWFu"}),
        json!({"image": "TWE="}),
        json!({"image": "TWE"}),
        json!({"image": "-_+/"}),
        json!({"home": "../a word"}),
        json!({"colour": "RED", "grade": "A", "tags": ["NEW", "new"]}),
        json!({"ports": [{"value": "1", "type": "anything"}]}),
        json!({"ports": [{"value": "1", "primary": true}, {"value": "1", "primary": false}]}),
    ] {
        let document = gadget(good.clone()).expect("fits").document;
        for (name, value) in good.as_object().expect("an object") {
            assert_eq!(document.as_map().get(name), Some(value), "kept as sent");
        }
    }

    let check = |members, expected: &str| check(gadget(members), ErrorKind::InvalidValue, expected);
    check(json!({"serial": 1}), "`serial` must be a string, not a number; put the value in quotes");
    check(json!({"serial": {"a": 1}}), "`serial` must be a string, not an object; send the text itself");
    check(
        json!({"on": "True"}),
        "`on` must be a boolean, not a string; send `true` or `false` without quotes",
    );
    let whole = "send it without quotes, as in `42`";
    let odd = "one with a fraction, an exponent or more than 64 bits";
    check(json!({"slots": 1.0}), &format!("`slots` must be a whole number, not {odd}; {whole}"));
    check(json!({"slots": u64::MAX}), &format!("`slots` must be a whole number, not {odd}; {whole}"));
    check(json!({"slots": "1"}), &format!("`slots` must be a whole number, not a string; {whole}"));
    check(json!({"weight": "1"}), "`weight` must be a number, not a string; send the number without quotes");
    check(
        json!({"built": "2011-05-13"}),
        "the text in `built` is not a dateTime; send one such as `2011-05-13T04:42:34Z`",
    );
    check(
        json!({"built": 1}),
        "`built` must be a dateTime, not a number; send one such as `2011-05-13T04:42:34Z`",
    );
    for bad in ["", "=", "A", "TWE==", "TWFu=", "TW=E", "TW E", "TWFu\n", "TQ===", "é"] {
        check(
            json!({"image": bad}),
            "the text in `image` is not base64; encode it as RFC 4648 §4 says, without line breaks",
        );
    }
    check(
        json!({"home": ""}),
        "the text in `home` is not a reference; send a URI, or leave the attribute out",
    );
    check(json!({"colour": "green"}), "`colour` cannot be `green`; use one of `red`, `Blau`");
    check(json!({"grade": "a"}), "`grade` cannot be `a`; use one of `A`, `b`");
    check(
        json!({"tags": ["new", "x"]}),
        "element 2 of `tags`: `tags` cannot be `x`; use one of `new`, `old`",
    );
    check(json!({"site": {"type": "x"}}), "`site.type` cannot be `x`; use one of `indoor`");
    check(
        json!({"tags": "new"}),
        "`tags` holds a list of values, not a string; put the value in an array, in square brackets",
    );
    check(
        json!({"ports": {"value": "1"}}),
        "`ports` holds a list of values, not an object; put the value in an array, in square brackets",
    );
    check(
        json!({"serial": ["1"]}),
        "the value of `serial` must be a string, not an array; send the value without the inner square brackets",
    );
    check(
        json!({"tags": [["new"]]}),
        "element 1 of `tags`: one element of `tags` must be a string, not an array; send the value without the inner square brackets",
    );
    check(
        json!({"site": "x"}),
        "`site` must be an object, not a string; name the sub-attribute, as in `{\"code\": …}`",
    );
    check(
        json!({"ports": ["1"]}),
        "element 1 of `ports`: `ports` must be an object, not a string; name the sub-attribute, as in `{\"value\": …}`",
    );
    check(
        json!({"ports": [{"value": "1", "primary": true}, {"value": "2", "primary": true}]}),
        "more than one element of `ports` is primary; set `primary` to true in one of them at most",
    );
    check(
        json!({OWNER: ["x"]}),
        "`urn:acme:2.0:Owner` must be an object, not an array; send the extension's attributes inside it",
    );
    check(
        json!({OWNER: {"badge": 7}}),
        "`urn:acme:2.0:Owner:badge` must be a string, not a number; put the value in quotes",
    );
}

#[test]
fn what_nobody_may_read_is_in_no_document() {
    let canary = "c4nary";
    let decoded = gadget(json!({
        "pin": canary, "site": {"secret": canary}, OWNER: {"badge": "7", "codeword": canary},
        "ports": [{"value": "1", "key": canary}, {"value": "2"}, {"value": "3", "key": canary}],
    }))
    .expect("a device");
    let paths: Vec<String> = decoded.hidden.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(paths, ["pin", "site.secret", "ports.key", "ports.key", "urn:acme:2.0:Owner:codeword"]);
    assert!(decoded.hidden.iter().all(|(_, value)| value == canary));
    let written = String::from_utf8(decoded.document.to_json()).expect("UTF-8");
    assert!(!written.contains(canary) && !written.contains("site"), "{written}");

    let mut document = decoded.document;
    document.map_mut().insert("pin".to_owned(), canary.into());
    let error = complete(&mut document, &device()).expect_err("pin is in it");
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn what_nobody_may_read_can_be_required() {
    let safe = json!({"id": "urn:acme:Safe", "attributes": [
        {"name": "label"}, {"name": "code", "required": true, "mutability": "writeOnly"}]});
    let safes = json!({"name": "Safe", "endpoint": "/Safes", "schema": "urn:acme:Safe"});
    let registry = Registry::builder()
        .and_then(|builder| builder.schema(&safe)?.resource_type(&safes)?.build())
        .expect("documents");
    let safes = registry.endpoint("Safes").expect("Safe");
    let body = |code| json!({"schemas": ["urn:acme:Safe"], "code": code});
    check(
        resource(&body(""), safes),
        ErrorKind::InvalidValue,
        "the required attribute `code` is missing or empty",
    );
    let mut document = resource(&body("0000"), safes).expect("a safe").document;
    complete(&mut document, safes).expect("a document cannot show it");
}

#[test]
fn completing_restores_the_canonical_form() {
    let users = builtin("Users");
    let mut document =
        user(json!({"title": "x", ENTERPRISE_USER: {"division": "y"}})).expect("a user").document;
    let map = document.map_mut();
    map.insert("emails".to_owned(), json!([{}, {"value": null}]));
    map.insert("name".to_owned(), json!({"givenName": []}));
    map.insert(ENTERPRISE_USER.to_owned(), json!({"manager": {}}));
    complete(&mut document, &users).expect("complete");
    assert_eq!(
        document.to_json(),
        json!({"schemas": [USER], "userName": "ada", "title": "x"}).to_string().as_bytes()
    );

    document.map_mut().insert(ENTERPRISE_USER.to_owned(), json!({"division": "z"}));
    complete(&mut document, &users).expect("complete");
    assert_eq!(document.as_map().get("schemas"), Some(&json!([USER, ENTERPRISE_USER])));

    document.take("userName");
    let error = complete(&mut document, &users).expect_err("required");
    assert_eq!(error.detail(), "the required attribute `userName` is missing or empty");
}

#[test]
fn immutable_values_stay() {
    let device = device();
    let base = || json!({"site": {"code": "c", "label": "l"}, "ports": [{"value": "1"}], OWNER: {"badge": "7", "desk": "3"}});
    let check = |change: Value, expected: Option<&str>| {
        let old = gadget(base()).expect("a device").document;
        let new = gadget(merged(base(), change)).expect("a device").document;
        let verdict = check_immutable(&old, &new, &device);
        assert_eq!(verdict.as_ref().err().map(Error::detail).as_deref(), expected);
        assert!(verdict.err().is_none_or(|error| error.kind() == ErrorKind::Mutability));
    };
    check(json!({}), None);
    check(json!({"site": {"code": "c", "label": "other"}, "ports": [], "colour": "red"}), None);
    check(
        json!({"serial": "2"}),
        Some("`serial` is immutable and already has a value; send the value that it has"),
    );
    for site in [json!({"code": "d"}), json!({"label": "l"}), json!(null)] {
        check(
            json!({"site": site}),
            Some("`site.code` is immutable and already has a value; send the value that it has"),
        );
    }
    check(
        json!({OWNER: {"badge": "8"}}),
        Some("`urn:acme:2.0:Owner:badge` is immutable and already has a value; send the value that it has"),
    );
    check(
        json!({OWNER: {"badge": "7"}}),
        Some("`urn:acme:2.0:Owner:desk` is immutable and already has a value; send the value that it has"),
    );
    let old = gadget(json!({})).expect("a device").document;
    let new = gadget(base()).expect("a device").document;
    check_immutable(&old, &new, &device).expect("given where there was none");
}

#[test]
fn a_group_keeps_its_members_until_they_are_taken() {
    let members = json!([{"value": "1", "$ref": null, "display": "Ada"}, {"Value": "2", "TYPE": "Device"}]);
    let body = json!({"schemas": [GROUP], "displayName": "G", "members": members});
    let mut document = resource(&body, &builtin("Groups")).expect("a group").document;
    assert_eq!(document.take("members"), Some(json!([{"value": "1"}, {"value": "2", "type": "Device"}])));
    assert_eq!(document.take("members"), None);
}

#[test]
fn single_values_follow_the_same_rules() {
    let users = builtin("Users");
    let emails = users.attribute("emails").expect("emails");
    let kind = emails.sub_attribute("type").expect("type");
    assert_eq!(
        sub_value(emails, kind, &json!("private"), &"emails.type").expect("open"),
        Some(json!("private"))
    );
    assert_eq!(
        element(emails, &json!({"VALUE": "a"}), &"emails").expect("an element"),
        Some(json!({"value": "a"}))
    );
    assert_eq!(element(emails, &json!({}), &"emails").expect("nothing"), None);
    let error = element(emails, &json!([{"value": "a"}]), &"emails").expect_err("one element");
    assert_eq!(error.path(), Some("emails"));
}

/// JSON that is often near to a user.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "schemas",
            "userName",
            "username",
            "emails",
            "value",
            "VALUE",
            "type",
            "primary",
            "name",
            "givenName",
            "active",
            "password",
            "id",
            "meta",
            "groups",
            "x509Certificates",
            "manager",
            "department",
            ENTERPRISE_USER,
            USER,
            "",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![USER, ENTERPRISE_USER, "ada", "", "work"]).prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A user that decodes, with names in random case.
fn any_user() -> impl Strategy<Value = (Value, Value)> {
    let text = || "[a-zA-Z0-9é][a-zA-Z0-9é ]{0,5}";
    let optional = |values: BoxedStrategy<Value>| prop_oneof![Just(Value::Null), values].boxed();
    let texts = move || optional(text().prop_map(Value::from).boxed());
    let emails = prop::collection::vec((texts(), texts()), 0..3).prop_map(|emails| {
        emails.into_iter().map(|(value, kind)| json!({"value": value, "type": kind})).collect::<Value>()
    });
    let user = (text(), texts(), texts(), emails, texts(), any::<bool>(), texts()).prop_map(
        |(user_name, title, given, emails, department, active, password)| {
            json!({"schemas": [USER, ENTERPRISE_USER], "userName": user_name, "title": title, "active": active,
                "name": {"givenName": given}, "emails": emails, "password": password,
                ENTERPRISE_USER: {"department": department}})
        },
    );
    (user, any::<u64>()).prop_map(|(user, seed)| (respelled(&user, seed), user))
}

fn respelled(value: &Value, seed: u64) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (respell(name, seed), respelled(value, seed.rotate_left(7))))
                .collect(),
        ),
        Value::Array(elements) => {
            elements.iter().map(|element| respelled(element, seed.rotate_left(3))).collect()
        }
        other => other.clone(),
    }
}

fn respell(name: &str, seed: u64) -> String {
    let flip = |(index, c): (usize, char)| {
        if seed >> (index % 64) & 1 == 1 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
    };
    name.chars().enumerate().map(flip).collect()
}

proptest! {
    #[test]
    fn any_json_gets_an_answer(body in any_json()) {
        for resource_type in [builtin("Users"), device()] {
            if let Ok(Decoded { document, .. }) = resource(&body, &resource_type) {
                let again = resource(&Value::Object(document.as_map().clone()), &resource_type).expect("canonical");
                prop_assert_eq!(again.document.to_json(), document.to_json());
            }
        }
    }

    #[test]
    fn decoding_twice_changes_nothing_and_spelling_does_not_matter((respelled, user) in any_user()) {
        let users = builtin("Users");
        let Decoded { document, hidden } = resource(&user, &users).expect("a user");
        prop_assert!(!document.as_map().contains_key("password"));
        prop_assert_eq!(hidden.is_empty(), user.get("password") == Some(&Value::Null));
        let same = resource(&respelled, &users).expect("the same user");
        prop_assert_eq!(same.document.to_json(), document.to_json());
        let again = resource(&Value::Object(document.as_map().clone()), &users).expect("its own output");
        prop_assert_eq!(again.document.to_json(), document.to_json());
        let stored = Document::from_stored(&document.to_json()).expect("stored");
        prop_assert_eq!(stored, document);
    }
}
