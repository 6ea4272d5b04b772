//! Clauses of the RFCs that no other test has a story for, each with its section.

use scim_core::schema::{ENTERPRISE_USER, USER};
use scim_service::directory::Idp;
use serde_json::json;

use crate::world::World;

fn found(world: &World, path: &str) -> Vec<String> {
    let answer = world.get(path);
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.body);
    let resources = answer.body["Resources"].as_array().cloned().unwrap_or_default();
    resources.iter().map(|resource| resource["displayName"].as_str().unwrap_or_default().to_owned()).collect()
}

/// RFC 7644 §3.4.2.1: "For filtered attributes that are not part of a particular resource type, the service provider
/// SHALL treat the attribute as if there is no attribute value."
#[test]
fn a_query_over_all_types_takes_what_a_type_lacks_for_no_value() {
    let world = World::new(Idp::Generic);
    let (ada, _) = (world.user("ada"), world.user("bob"));
    world.group("crew", &[&ada]);
    for (filter, expected) in [
        ("nothing pr", &[][..]),
        ("nothing eq \"x\"", &[]),
        ("not (nothing pr) and userName pr", &["ada", "bob"]),
        ("userName ne \"ada\"", &["bob", "crew"]),
        ("userName eq null", &["crew"]),
        ("not (userName pr)", &["crew"]),
    ] {
        let answer = found(&world, &format!("/?filter={}", filter.replace(' ', "%20").replace('"', "%22")));
        assert_eq!(answer, expected, "{filter}");
    }
    assert_eq!(world.get("/Users?filter=nothing%20pr").body["scimType"], "invalidFilter");
}

/// RFC 7643 §2.4: "If not specified, the value of "primary" SHALL be assumed to be "false"."
#[test]
fn what_is_not_said_to_be_primary_is_found_as_such() {
    let world = World::new(Idp::Generic);
    for (name, emails) in [
        ("none", json!([])),
        ("silent", json!([{"value": "a@x.org"}])),
        ("false", json!([{"value": "a@x.org", "primary": false}])),
        ("true", json!([{"value": "a@x.org", "primary": true}])),
        ("both", json!([{"value": "a@x.org", "primary": true}, {"value": "b@x.org"}])),
    ] {
        let body = json!({"schemas": [USER], "userName": name, "displayName": name, "emails": emails});
        assert_eq!(world.request("POST", "/Users", &body).status.as_u16(), 201);
    }
    for (filter, expected) in [
        ("emails[primary%20eq%20false]", &["silent", "false", "both"][..]),
        ("emails.primary%20eq%20false", &["silent", "false", "both"]),
        ("emails[primary%20eq%20false%20and%20value%20eq%20%22a@x.org%22]", &["silent", "false"]),
        ("emails[primary%20ne%20false]", &["true", "both"]),
        ("emails.primary%20eq%20true", &["true", "both"]),
    ] {
        assert_eq!(found(&world, &format!("/Users?filter={filter}")), expected, "{filter}");
    }
}

/// RFC 7644 table 9: `invalidFilter` is for a "PATCH (Path Filter - Section 3.5.2)" too. §3.5.2: clients may "modify the
/// "schemas" attribute" before they write to an extension.
#[test]
fn a_patch_is_refused_and_understood_in_the_words_of_the_rfc() {
    let world = World::new(Idp::Generic);
    let path = format!("/Users/{}", world.user("ada"));
    for (target, expected) in [
        ("emails[type like \"work\"]", "invalidFilter"),
        ("emails[kind eq \"work\"]", "invalidFilter"),
        ("emails[primary gt true]", "invalidFilter"),
        ("emails[type eq \"work\"", "invalidPath"),
        ("mails[type eq \"work\"]", "invalidPath"),
        ("emails[type eq \"work\"].valeu", "invalidPath"),
        ("emails[type eq \"work\"]", "noTarget"),
    ] {
        let refused =
            world.patch(&path, &json!([{"op": "replace", "path": target, "value": {"value": "x"}}]));
        assert_eq!((refused.status.as_u16(), &refused.body["scimType"]), (400, &json!(expected)), "{target}");
    }
    let answer = world.patch(
        &path,
        &json!([
            {"op": "add", "path": "schemas", "value": [ENTERPRISE_USER]},
            {"op": "add", "path": format!("{ENTERPRISE_USER}:department"), "value": "Dock"},
        ]),
    );
    assert_eq!((answer.status.as_u16(), &answer.body["schemas"]), (200, &json!([USER, ENTERPRISE_USER])));
    let again = world.patch(&path, &json!([{"op": "add", "path": "schemas", "value": [ENTERPRISE_USER]}]));
    assert_eq!(again.header("etag"), answer.header("etag"), "nothing is left to do");
    let unknown = world.patch(&path, &json!([{"op": "add", "path": "schemas", "value": ["urn:x:None"]}]));
    assert_eq!(unknown.body["scimType"], "invalidValue");
    assert_eq!(world.get(&path).body[ENTERPRISE_USER], json!({"department": "Dock"}));
}
