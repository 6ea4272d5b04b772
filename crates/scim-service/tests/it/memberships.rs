//! Memberships, which are kept beside resources and put together with them when they are read.

use scim_core::schema::{GROUP, USER};
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
    for (endpoint, filter, instead) in [
        ("/Groups", "members.display", "; filter by `members.value`"),
        ("/Groups", "members.$ref", "; filter by `members.value`"),
        ("/Users", "groups.display", "; filter by `groups.value`"),
        ("/Users", "groups.type", "; filter by `groups.value`"),
        ("/Groups", "meta.location", "; filter by `id`"),
        ("/Users", "meta.version", ""),
    ] {
        let refused = world.get(&format!("{endpoint}?filter={filter}%20pr"));
        let expected =
            format!("`{filter}` cannot be filtered by; it is put together when a resource is read{instead}");
        assert_eq!(
            (&refused.body["detail"], &refused.body["scimType"]),
            (&json!(expected), &json!("invalidFilter"))
        );
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

/// The same resource, whole, is what every question shows that it answers, and each page by page once.
#[test]
fn every_way_of_reading_shows_the_same() {
    let world = World::new(Idp::Generic);
    let users = ["ada", "bob", "cy"].map(|name| world.user(name));
    let mut paths: Vec<String> = users.iter().map(|id| format!("/Users/{id}")).collect();
    for (name, members) in [("crew", &users[..2]), ("empty", &[]), ("all", &users[1..]), ("one", &users[..1])]
    {
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        paths.push(format!("/Groups/{}", world.group(name, &members)));
    }
    let base = "https://scim.example/t/acme/scim/v2";
    let crew = json!({"value": &paths[3][8..], "$ref": format!("{base}{}", paths[3]), "display": "crew", "type": "direct"});
    let wholes: Vec<Value> = paths.iter().map(|path| world.get(path).body).collect();
    assert_eq!(wholes[0]["groups"][0], crew);
    assert_eq!(wholes[3]["members"].as_array().map(Vec::len), Some(2));
    let only = |whole: &Value, names: &[&str]| {
        let members = whole.as_object().expect("a resource").clone();
        Value::Object(members.into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect())
    };
    let all_but = |whole: &Value, name: &str| {
        let mut whole = whole.clone();
        whole.as_object_mut().expect("a resource").shift_remove(name);
        whole
    };
    for (path, whole) in paths.iter().zip(&wholes) {
        let list = if path.starts_with("/Users") { "groups" } else { "members" };
        let shown = |query: &str| world.get(&format!("{path}?{query}")).body;
        assert_eq!(shown(&format!("attributes={list}")), only(whole, &["schemas", "id", list]), "{path}");
        // The entity tag in `meta` is of what is shown.
        let without = shown(&format!("excludedAttributes={list}"));
        assert_eq!(all_but(&without, "meta"), all_but(&all_but(whole, list), "meta"), "{path}");
        assert_eq!(shown("excludedAttributes=externalId"), *whole, "{path}");
        assert_eq!(shown("excludedAttributes=meta"), all_but(whole, "meta"), "{path}");
    }
    for (scope, from, to) in [("/Users", 0, 3), ("/Groups", 3, 7), ("/", 0, 7)] {
        let expected = &wholes[from..to];
        let check = |pages: Vec<Value>, how: &str| {
            let (total, mut seen) = (to - from, Vec::new());
            for page in pages {
                assert_eq!(page["totalResults"], total, "{scope} {how}: {page}");
                seen.extend(page["Resources"].as_array().cloned().unwrap_or_default());
            }
            seen.sort_by_key(|resource| {
                paths.iter().position(|path| path.ends_with(resource["id"].as_str().unwrap_or("?")))
            });
            assert_eq!(seen, expected, "{scope} {how}");
        };
        for count in 1..=8 {
            for sort in ["", "&sortBy=id", "&sortBy=displayName&sortOrder=descending"] {
                let starts = (1..=to - from).step_by(count);
                let page = |start| {
                    let page = world.get(&format!("{scope}?count={count}&startIndex={start}{sort}")).body;
                    assert_eq!(page["startIndex"], start, "{page}");
                    page
                };
                check(starts.map(page).collect(), &format!("by {count}, from the index{sort}"));
                if scope == "/" && !sort.is_empty() {
                    continue;
                }
                let (mut pages, mut cursor) = (Vec::new(), String::new());
                loop {
                    pages.push(world.get(&format!("{scope}?count={count}&cursor={cursor}{sort}")).body);
                    match pages.last().and_then(|page: &Value| page["nextCursor"].as_str()) {
                        Some(next) if pages.len() < 20 => cursor = next.to_owned(),
                        Some(_) => panic!("{scope} by {count}: no end"),
                        None => break,
                    }
                }
                check(pages, &format!("by {count}, from the cursor{sort}"));
            }
        }
        let counted = world.get(&format!("{scope}?count=0&cursor=")).body;
        assert_eq!((&counted["totalResults"], &counted["nextCursor"]), (&json!(to - from), &Value::Null));
    }
    let nowhere = world.get("/?sortBy=nowhere");
    assert_eq!(nowhere.status.as_u16(), 400, "no type has it: {}", nowhere.body);
}

#[test]
fn members_are_removed_by_whatever_they_are_shown_with() {
    let world = World::new(Idp::Generic);
    let [ada, bob, cy] = ["ada", "bob", "cy"].map(|name| world.user(name));
    let own = format!("value eq \"{ada}\"");
    for (filter, left) in [
        (own.clone(), vec![&bob, &cy]),
        (format!("{own} or value eq \"{bob}\""), vec![&cy]),
        (format!("not ({own})"), vec![&ada]),
        ("display eq \"bob\"".to_owned(), vec![&ada, &cy]),
        ("display sw \"b\" or display eq \"CY\"".to_owned(), vec![&ada]),
        ("type eq \"User\"".to_owned(), vec![]),
        (format!("type eq \"User\" and {own}"), vec![&bob, &cy]),
        (format!("$ref ew \"/Users/{cy}\""), vec![&ada, &bob]),
    ] {
        let path = format!("/Groups/{}", world.group("crew", &[&ada, &bob]));
        // One comes in by the same request.
        let answer = world.patch(
            &path,
            &json!([
                {"op": "add", "path": "members", "value": [{"value": cy}]},
                {"op": "remove", "path": format!("members[{filter}]")},
            ]),
        );
        assert!(answer.status.is_success(), "{filter}: {}", answer.body);
        let members = world.get(&path).body["members"].as_array().cloned().unwrap_or_default();
        let members: Vec<&str> = members.iter().filter_map(|member| member["value"].as_str()).collect();
        assert_eq!(members, left, "{filter}");
    }
}

#[test]
fn a_member_without_a_name_has_no_empty_one_in_filters() {
    let world = World::new(Idp::Generic);
    let ada = world.user("ada");
    let created = world.request("POST", "/Users", &json!({"schemas": [USER], "userName": "nameless"}));
    let nameless = created.id();
    for (filter, left) in [
        ("display eq \"\"", vec![&ada, &nameless]),
        ("display lt \"b\"", vec![&nameless]),
        ("display sw \"\"", vec![&nameless]),
        ("display ne \"ada\"", vec![&ada]),
        ("display eq null", vec![&ada]),
        ("not (display pr)", vec![&ada]),
    ] {
        let path = format!("/Groups/{}", world.group("crew", &[&ada, &nameless]));
        let path_of_members = format!("members[{filter}]");
        let answer = world.patch(&path, &json!([{"op": "remove", "path": path_of_members}]));
        assert!(answer.status.is_success(), "{filter}: {}", answer.body);
        let members = world.get(&path).body["members"].as_array().cloned().unwrap_or_default();
        let members: Vec<&str> = members.iter().filter_map(|member| member["value"].as_str()).collect();
        assert_eq!(members, left, "{filter}");
    }
}
