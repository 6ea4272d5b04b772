//! Memberships, which are kept beside resources and put together with them when they are read.

use scim_core::schema::GROUP;
use scim_service::directory::Idp;
use serde_json::{Value, json};

use crate::world::World;

#[test]
fn what_is_sent_beside_who_a_member_is_is_ignored() {
    for idp in Idp::ALL {
        let world = World::new(idp);
        let ada = world.user("ada");
        let path = format!("/Groups/{}", world.group("crew", &[]));
        let user = format!("/Users/{ada}");
        for beside in [
            json!({"$ref": "", "display": "", "type": ""}),
            json!({"$REF": null, "Display": 1, "Type": {"a": []}}),
            json!({"$ref": "", "$REF": "https://elsewhere.example/Users/bob", "type": "Device"}),
        ] {
            let mut member = beside.clone();
            member["value"] = json!(ada);
            let body = json!({"schemas": [GROUP], "displayName": "other", "members": [member]});
            let posted = world.request("POST", "/Groups", &body);
            assert_eq!(posted.status.as_u16(), 201, "{idp} {beside}: {}", posted.body);
            world.request("DELETE", &format!("/Groups/{}", posted.id()), &Value::Null);
            let body = json!({"schemas": [GROUP], "displayName": "crew", "members": [member]});
            let operation =
                |op: &str, members: Value| json!([{"op": op, "path": "members", "value": members}]);
            for (method, sent) in [
                ("PUT", body),
                ("PATCH", operation("replace", json!([member]))),
                ("PATCH", operation("add", json!([member]))),
                ("PATCH", operation("add", member.clone())),
                ("PATCH", json!([{"op": "add", "value": {"members": [member]}}])),
            ] {
                let answer = match method {
                    "PUT" => world.request(method, &path, &sent),
                    _ => world.patch(&path, &sent),
                };
                assert!(answer.status.is_success(), "{idp} {sent}: {}", answer.body);
                let location = format!("https://scim.example/t/acme/scim/v2{user}");
                let expected = json!([{"value": ada, "type": "User", "display": "ada", "$ref": location}]);
                assert_eq!(world.get(&path).body["members"], expected, "{idp} {sent}");
                world.patch(&path, &json!([{"op": "remove", "path": "members"}]));
            }
        }
        let unknown = json!([{"op": "add", "path": "members", "value": [{"value": ada, "displai": "ada"}]}]);
        assert_eq!(world.patch(&path, &unknown).status.as_u16(), 400, "{idp}: an unknown name");
        let photo =
            json!([{"op": "add", "path": "photos", "value": [{"value": "https://x/1"}, {"value": ""}]}]);
        assert_eq!(world.patch(&user, &photo).status.as_u16(), 400, "{idp}: another empty reference");
    }
}

#[test]
fn nothing_is_sorted_by_what_is_put_together() {
    let world = World::new(Idp::Generic);
    let ada = world.user("ada");
    world.group("crew", &[&ada]);
    for (endpoint, list) in [("/Groups", "members"), ("/Users", "groups"), ("/", "members"), ("/", "groups")]
    {
        for sub in ["", ".value", ".type", ".display", ".$ref"] {
            let refused = world.get(&format!("{endpoint}?sortBy={list}{sub}"));
            let name = if sub.is_empty() { ".value" } else { sub };
            let expected =
                format!("`{list}{name}` cannot be sorted by; it is put together when a resource is read");
            assert_eq!(refused.body["detail"], expected, "{endpoint}");
            assert_eq!((refused.status.as_u16(), &refused.body["scimType"]), (400, &json!("invalidValue")));
        }
    }
    for (endpoint, filter) in [
        ("/Groups", format!("members eq \"{ada}\"")),
        ("/Groups", format!("members.value eq \"{ada}\"")),
        ("/Groups", "members.type eq \"User\"".to_owned()),
        ("/Users", "groups.value pr".to_owned()),
    ] {
        let query =
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter});
        let found = world.request("POST", &format!("{endpoint}/.search"), &query);
        assert_eq!(found.body["totalResults"], 1, "{filter}: {}", found.body);
    }
}
