use scim_core::schema::{ENTERPRISE_USER, Registry, USER};
use serde_json::{Value, json};

use super::*;

fn patched(idp: Idp, endpoint: &str, operation: &Value) -> Value {
    let registry = Registry::builtin().expect("built in");
    let resource_type = registry.endpoint(endpoint).expect(endpoint);
    let mut body = json!({ "Operations": [operation] });
    rewrite_patch(&mut body, "own", resource_type, Quirks::of(idp)).expect("understood");
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
            json!({"op": "Remove", "path": "manager[value eq \"m1\"]"}),
            json!([{"op": "remove", "path": manager}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Remove", "path": "name[value eq \"m1\"]"}),
            json!([{"op": "remove", "path": "name[value eq \"m1\"]"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Remove", "path": "manager[displayName eq \"m1\"]"}),
            json!([{"op": "remove", "path": "manager[displayName eq \"m1\"]"}]),
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
            Idp::Entra,
            "Groups",
            json!({"Op": "Remove", "Path": "members", "Value": [{"Value": "a"}]}),
            json!([{"op": "remove", "path": "members[value eq \"a\"]"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Remove", "path": "addresses", "value": [{"type": "work", "country": "NL", "locality": null}]}),
            json!([{"op": "remove", "path": "addresses[(type eq \"work\" and country eq \"NL\")]"}]),
        ),
        (Idp::Entra, "Groups", json!({"op": "Add", "path": "members", "value": ""}), json!([])),
        (Idp::Entra, "Users", json!({"op": "Add", "path": "name", "value": ""}), json!([])),
        (
            Idp::Okta,
            "Users",
            json!({"op": "replace", "value": {"title": "T", "name.givenName": "A"}}),
            json!([{"op": "replace", "path": "title", "value": "T"},
                   {"op": "replace", "value": {"name.givenName": "A"}}]),
        ),
        (
            Idp::Okta,
            "Users",
            json!({"op": "replace", "value": {ENTERPRISE_USER: {"department": 7}, "active": "false"}}),
            json!([{"op": "replace", "path": department, "value": "7"},
                   {"op": "replace", "path": "active", "value": false}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Replace", "path": "name", "value": {"givenName": "", "familyName": "F"}}),
            json!([{"op": "replace", "path": "name", "value": {"givenName": null, "familyName": "F"}}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "replace", "path": ENTERPRISE_USER, "value": "foo"}),
            json!([{"op": "replace", "path": ENTERPRISE_USER, "value": "foo"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "replace", "path": ENTERPRISE_USER, "value": [{"department": "D"}]}),
            json!([{"op": "replace", "path": department, "value": "D"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "remove", "path": "emails[value eq \"a%2Bb@x\"]"}),
            json!([{"op": "remove", "path": "emails[value eq \"a%2Bb@x\"]"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Replace", "path": "/emails%5Btype%20eq%20%22work%22%5D.value", "value": "a"}),
            json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Replace", "path": "emails[type eq \"work\"].value", "value": null}),
            json!([{"op": "remove", "path": "emails[type eq \"work\"].value"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Replace", "path": "emails[type eq \"work\"]", "value": "a@x"}),
            json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a@x"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Add", "path": "manager", "value": [{"$ref": "http://x/1", "value": "1"}]}),
            json!([{"op": "add", "path": manager, "value": {"$ref": "http://x/1", "value": "1"}}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Add", "path": "roles[primary eq \"True\"].displayName", "value": "R"}),
            json!([{"op": "add", "path": "roles[primary eq true].display", "value": "R"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0User:department", "value": "D"}),
            json!([{"op": "add", "path": department, "value": "D"}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Replace", "path": "phoneNumbers[type eq \"work\"].primary", "value": "1-648"}),
            json!([]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Replace", "path": "phoneNumbers[type eq \"work\"].primary", "value": "True"}),
            json!([{"op": "replace", "path": "phoneNumbers[type eq \"work\"].primary", "value": true}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Replace", "path": "emails[type eq \"work\"]", "value": {"value": "a@x", "primary": "True"}}),
            json!([{"op": "replace", "path": "emails[type eq \"work\"]", "value": {"value": "a@x", "primary": true}}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Replace", "path": manager, "value": {"value": "", "$ref": null}}),
            json!([{"op": "remove", "path": manager}]),
        ),
        (
            Idp::Entra,
            "Users",
            json!({"op": "Set", "path": "title", "value": "T"}),
            json!([{"op": "Set", "path": "title", "value": "T"}]),
        ),
        (
            Idp::Okta,
            "Groups",
            json!({"op": null, "value": {"displayName": "N"}}),
            json!([{"op": "replace", "path": "displayName", "value": "N"}]),
        ),
        (
            Idp::Okta,
            "Groups",
            json!({"op": "replace", "value": {"id": "own", "meta": {"resourceType": "Group"}, "displayName": "N"}}),
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
fn what_cannot_be_found_is_not_removed_silently() {
    let registry = Registry::builtin().expect("built in");
    for (endpoint, path, value) in [
        ("Groups", "members", json!([{"value": "a"}, {"$ref": "https://x/Users/1"}])),
        ("Groups", "members", json!([{"display": "x"}])),
        ("Groups", "members", json!([{"value": null}])),
        ("Groups", "members", json!([{"value": {"a": 1}}])),
        ("Users", "emails", json!([{"type": "work"}])),
        ("Users", "addresses", json!([{}])),
        ("Groups", "members", json!("")),
    ] {
        let resource_type = registry.endpoint(endpoint).expect(endpoint);
        let title = json!({"op": "Replace", "value": {"externalId": "x", "displayName": "y"}});
        let mut body = json!({"Operations": [title, {"op": "Remove", "path": path, "value": value}]});
        let error =
            rewrite_patch(&mut body, "own", resource_type, Quirks::of(Idp::Entra)).expect_err("refused");
        assert!(error.detail().starts_with("operation 2: element "), "{value}: {error}");
    }
    let group = registry.endpoint("Groups").expect("Group");
    let mut body =
        json!({"Operations": [{"op": "replace", "value": {"displayName": "a", "DisplayName": "b"}}]});
    let error = rewrite_patch(&mut body, "own", group, Quirks::of(Idp::Entra)).expect_err("refused");
    assert_eq!(
        error.detail(),
        "operation 1: `DisplayName` is there twice, in different spelling; send it once"
    );
}

#[test]
fn a_remove_that_is_refused_is_about_what_was_sent() {
    let registry = Registry::builtin().expect("built in");
    let user = registry.endpoint("Users").expect("User");
    let quirks = Quirks::NONE.with(Quirk::RemoveByValue);
    for value in [json!([{"type": "work", "value": 5_551_234}]), json!([5_551_234])] {
        let mut body = json!({"Operations": [{"op": "remove", "path": "phoneNumbers", "value": value}]});
        let error = rewrite_patch(&mut body, "own", user, quirks).expect_err("a number is no text");
        assert_eq!(
            error.detail(),
            "operation 1: element 1 of what to remove from `phoneNumbers`: `phoneNumbers.value` must be a string, \
             not a number; put the value in quotes"
        );
    }
}

#[test]
fn operations_keep_the_number_that_the_client_gave_them() {
    let registry = Registry::builtin().expect("built in");
    let user = registry.endpoint("Users").expect("User");
    let mut body = json!({"Operations": [
        {"op": "replace", "value": {"displayName": "D", "name.givenName": "G", "title": "T"}},
        {"op": "Replace", "path": "active", "value": "maybe"},
    ]});
    let origins = rewrite_patch(&mut body, "own", user, Quirks::of(Idp::Entra)).expect("understood");
    assert_eq!(origins, Some(vec![0, 0, 0, 1]));
}

#[test]
fn urns_of_drafts_are_known() {
    let registry = Registry::builtin().expect("built in");
    let user = registry.endpoint("Users").expect("User");
    let (core, enterprise) =
        ("urn:scim:schemas:core:2.0:User", "urn:scim:schemas:extension:enterprise:2.0:User");
    let mut body = json!({"schemas": [core, enterprise], "userName": "ada", enterprise: {"division": "V"}});
    let quirks = Quirks::NONE.with(Quirk::MisspeltUrns);
    rewrite_resource(&mut body, user, quirks);
    let right =
        json!({"schemas": [USER, ENTERPRISE_USER], "userName": "ada", ENTERPRISE_USER: {"division": "V"}});
    assert_eq!(body, right);
}

#[test]
fn resources_become_strict() {
    let registry = Registry::builtin().expect("built in");
    let user = registry.endpoint("Users").expect("User");
    let sent = json!({
        "userName": "ada", "schemas": [USER, "urn:unknown"], "active": "True", "manager": null, "division": "V",
        "roles": [{"primary": "True", "value": 7, "displayName": "R"},
            {"value": "8", "display": "D", "displayName": "R", "Primary": "true"}], "emails": [{"primary": "1-648", "value": "a"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0User": {"manager": "m1"},
    });
    let mut body = sent.clone();
    rewrite_resource(&mut body, user, Quirks::of(Idp::Entra));
    assert_eq!(
        body,
        json!({
            "schemas": [USER, ENTERPRISE_USER], "userName": "ada", "active": true,
            "roles": [{"primary": true, "value": "7", "display": "R"},
                {"value": "8", "display": "D", "displayName": "R", "Primary": false}], "emails": [{"value": "a"}],
            ENTERPRISE_USER: {"manager": {"value": "m1"}, "division": "V"},
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
        ("manager pr", format!("{ENTERPRISE_USER}:manager pr")),
        ("roles[primary eq \"True\"]", "roles[primary eq true]".to_owned()),
        ("externalId eq 4711", "externalId eq \"4711\"".to_owned()),
        (
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq \"m1\"",
            format!("{ENTERPRISE_USER}:manager.value eq \"m1\""),
        ),
        (
            "id eq \"a\" and manager eq \"b\"",
            format!("id eq \"a\" and {ENTERPRISE_USER}:manager.value eq \"b\""),
        ),
    ] {
        let filter = parse_filter(sent, user, false, Quirks::of(Idp::Entra)).expect(sent);
        assert_eq!(filter.to_string(), meant);
        assert!(parse_filter(sent, user, false, Quirks::NONE).is_err(), "{sent}");
    }
}

#[test]
fn text_gets_its_quotes() {
    let registry = Registry::builtin().expect("built in");
    let user = registry.endpoint("Users").expect("User");
    let quirks = Quirks::NONE.with(Quirk::UnquotedText);
    for (sent, meant) in [
        ("userName Eq ada@example.com", "userName eq \"ada@example.com\""),
        ("userName eq 007", "userName eq \"007\""),
        ("displayName eq  Ada Lovelace (1) [x] \\ ", "displayName eq \"Ada Lovelace (1) [x] \\\\\""),
        ("emails[type eq work]", "emails[type eq \"work\"]"),
        ("active eq true", "active eq true"),
        ("userName eq \"true\" and title pr", "userName eq \"true\" and title pr"),
    ] {
        assert_eq!(parse_filter(sent, user, false, quirks).expect(sent).to_string(), meant);
    }
    let path = rewrite_path("emails[type eq work].value", user, quirks);
    assert_eq!(path.as_deref(), Some("emails[type eq \"work\"].value"));
    for refused in [
        "title eq a and userName eq b",
        "title eq a or(title eq b)",
        "title eq a)OR(title eq b",
        "title eq a\tand\tuserName eq b",
        "title eq \"a",
        "not (title eq a)",
        "title eq",
        "active eq yes",
    ] {
        let with = parse_filter(refused, user, false, quirks).expect_err(refused).detail();
        let without = parse_filter(refused, user, false, Quirks::NONE).expect_err(refused).detail();
        assert!(with == without || refused == "active eq yes", "{with}");
    }
}

#[test]
fn quirks_have_names() {
    for quirk in Quirk::ALL {
        assert_eq!(Quirk::parse(quirk.name()).expect("its own name"), *quirk);
        assert!(!quirk.description().is_empty());
        assert!(!quirk.idps().contains(&Idp::Generic), "a strict client gets no quirk");
    }
    let refusal = Quirk::parse("bare-tokn").expect_err("unknown").to_string();
    assert_eq!(refusal, "there is no quirk `bare-tokn`; did you mean `bare-token`?");
}
