//! Memberships, which are kept beside resources and put together with them when they are read.

use scim_service::directory::Idp;
use serde_json::json;

use crate::world::World;

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
