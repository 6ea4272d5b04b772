use scim_core::schema::{ENTERPRISE_USER, Registry, USER};
use serde_json::{Value, json};

use super::*;

fn patched(idp: Idp, endpoint: &str, operation: &Value) -> Value {
    let registry = Registry::builtin().expect("built in");
    let resource_type = registry.endpoint(endpoint).expect(endpoint);
    let mut body = json!({ "Operations": [operation] });
    rewrite_patch(&mut body, "own", resource_type, Quirks::of(idp));
    body["Operations"].take()
}

#[test]
fn operations_become_strict() {
    let manager = format!("{ENTERPRISE_USER}:manager");
    let department = format!("{ENTERPRISE_USER}:department");
    for (idp, endpoint, sent, meant) in [
        (
            Idp::Entra,
            "Users",
            json!({"op": "Replace", "path": "active", "value": "False"}),
            json!([{"op": "replace", "path": "active", "value": false}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "replace", "value": {"name.givenName": "A", department.as_str(): "D"}}),
            json!([{"op": "replace", "path": "name.givenName", "value": "A"},
                   {"op": "replace", "path": department, "value": "D"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Add", "path": manager, "value": "m1"}),
            json!([{"op": "add", "path": manager, "value": {"value": "m1"}}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "replace", "path": manager, "value": ""}),
            json!([{"op": "remove", "path": manager}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "R"}),
            json!([{"op": "add", "path": "roles[primary eq true].value", "value": "R"}]),
        ),
        (
            Idp::Entra,
            "Groups",
            json!({"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "a"}, {"value": "b"}]}),
            json!([{"op": "remove", "path": "members[value eq \"a\" or value eq \"b\"]"}]),
        ),
        (
            Idp::Okta,
            "Groups",
            json!({"op": "replace", "value": {"id": "own", "displayName": "N"}}),
            json!([{"op": "replace", "path": "displayName", "value": "N"}]),
        ),
        (
            Idp::Okta,
            "Groups",
            json!({"op": "replace", "value": {"id": "another"}}),
            json!([{"op": "replace", "path": "id", "value": "another"}]),
        ),
    ] {
        assert_eq!(patched(idp, endpoint, &sent), meant, "{sent}");
        assert_eq!(
            patched(Idp::Generic, endpoint, &sent),
            json!([sent]),
            "a strict connection is left alone"
        );
    }
}

#[test]
fn resources_become_strict() {
    let registry = Registry::builtin().expect("built in");
    let user = registry.endpoint("Users").expect("User");
    let sent = json!({
        "schemas": [USER, "urn:unknown"], "userName": "ada", "active": "True", "manager": null,
        "roles": [{"primary": "True", "value": 7, "displayName": "R"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0User": {"manager": "m1"},
    });
    let mut body = sent.clone();
    rewrite_resource(&mut body, user, Quirks::of(Idp::Entra));
    assert_eq!(
        body,
        json!({
            "schemas": [USER, ENTERPRISE_USER], "userName": "ada", "active": true, "manager": null,
            "roles": [{"primary": true, "value": "7", "display": "R"}],
            ENTERPRISE_USER: {"manager": {"value": "m1"}},
        })
    );
    body.clone_from(&sent);
    rewrite_resource(&mut body, user, Quirks::NONE);
    assert_eq!(body, sent);
}

#[test]
fn filters_become_strict() {
    let registry = Registry::builtin().expect("built in");
    let user = registry.endpoint("Users").expect("User");
    for (sent, meant) in [
        ("manager eq \"m1\"", format!("{ENTERPRISE_USER}:manager.value eq \"m1\"")),
        ("roles[primary eq \"True\"]", "roles[primary eq true]".to_owned()),
        (
            "id eq \"a\" and manager eq \"b\"",
            format!("id eq \"a\" and {ENTERPRISE_USER}:manager.value eq \"b\""),
        ),
    ] {
        let filter = parse_filter(sent, user, None, Quirks::of(Idp::Entra)).expect(sent);
        assert_eq!(filter.to_string(), meant);
        assert!(parse_filter(sent, user, None, Quirks::NONE).is_err(), "{sent}");
    }
}

#[test]
fn quirks_have_names_and_belong_to_somebody() {
    for quirk in Quirk::ALL {
        assert_eq!(Quirk::parse(quirk.name()).expect("its own name"), *quirk);
        assert!(!quirk.idps().is_empty() && !quirk.description().is_empty());
        assert!(!quirk.idps().contains(&Idp::Generic), "a strict client gets no quirk");
    }
    let refusal = Quirk::parse("bare-tokn").expect_err("unknown").to_string();
    assert_eq!(refusal, "there is no quirk `bare-tokn`; did you mean `bare-token`?");
}
