//! What RFC 7644 and RFC 9865 ask of the service, on a strict connection unless a test says otherwise.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use scim_core::ErrorKind;
use scim_core::schema::{GROUP, USER};
use scim_service::Settings;
use scim_service::directory::Idp;
use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_user_lives_from_post_to_delete() {
    let world = World::new(Idp::Generic);
    let body =
        json!({"schemas": [USER], "id": "mine", "userName": "Ada", "password": "s3cret", "title": "T"});
    let created = world.request("POST", "/Users", &body);
    assert_eq!((created.status.as_u16(), created.body["userName"].as_str()), (201, Some("Ada")));
    assert_ne!(created.id(), "mine");
    assert_eq!(created.body.get("password"), None);
    let path = format!("/Users/{}", created.id());
    assert_eq!(created.header("location"), format!("https://scim.example/t/acme/scim/v2{path}"));
    assert_eq!(created.header("etag"), created.body["meta"]["version"].as_str().unwrap_or_default());
    assert_eq!(world.get(&path).body, created.body, "what is read is what was answered");

    let put = world.request("PUT", &path, &json!({"schemas": [USER], "userName": "ada", "active": false}));
    assert_eq!((put.status.as_u16(), put.body.get("title")), (200, None));
    let put = world.request("PUT", &path, &json!({"schemas": [USER], "userName": "ada"}));
    assert_eq!(put.body["active"], json!(false), "nobody is let in again by omission");

    assert_eq!(world.request("DELETE", &path, &Value::Null).status.as_u16(), 204);
    assert_eq!(world.get(&path).status.as_u16(), 404);
    assert_eq!(world.request("DELETE", &path, &Value::Null).status.as_u16(), 404);
}

#[test]
fn a_service_below_a_path_says_so_in_every_location() {
    let world = World::with(Idp::Generic, |settings| *settings = Settings::new("https://app.example/scim/"));
    let id = world.user("ada");
    let path = format!("/Users/{id}");
    let expected = format!("https://app.example/scim/t/acme/scim/v2{path}");
    assert_eq!(world.get(&path).header("location"), expected);
    assert_eq!(world.get(&path).body["meta"]["location"], expected);
    let group = world.group("g", &[&id]);
    assert_eq!(world.get(&format!("/Groups/{group}")).body["members"][0]["$ref"], expected);
}

#[test]
fn what_no_location_can_begin_with_is_no_base_url() {
    let world = World::new(Idp::Generic);
    let refused = |url: &str| {
        let prepared = world.below(url).err().unwrap_or_else(|| panic!("{url} is taken"));
        assert_eq!(prepared.kind(), ErrorKind::InvalidValue);
        prepared.to_string()
    };
    let remedy = "; set it to what clients use, such as `https://scim.example.com`";
    for (url, words) in [
        ("scim.example.com", "does not begin with https:// or http://"),
        ("ftp://scim.example", "does not begin with https:// or http://"),
        ("", "is not a URL"),
        ("https:", "does not begin with https:// or http://"),
        ("https://scim example", "is not a URL"),
        ("https://me@scim.example", "names no host, or more than a host and a port"),
        ("https://scim.example?a", "has a query, a fragment or a slash at its end"),
        ("https://scim.example/a#b", "has a query, a fragment or a slash at its end"),
    ] {
        assert_eq!(refused(url), format!("the base URL `{url}` {words}{remedy}"));
    }
    for url in
        ["http://localhost:8080", "https://scim.example/", "https://scim.example/in/here/", "https://[::1]:1"]
    {
        assert!(world.below(url).is_ok(), "{url}");
    }
    assert!(
        Settings::parse_base_url("https://scim.example/in/").is_err(),
        "what `new` takes off is a slash too many"
    );
}

#[test]
fn names_are_unique_whatever_their_case() {
    let world = World::new(Idp::Generic);
    let id = world.user("ada@example.com");
    let again = world.request("POST", "/Users", &json!({"schemas": [USER], "userName": "ADA@example.com"}));
    assert_eq!(again.status.as_u16(), 409);
    assert_eq!(again.body["scimType"], "uniqueness");
    let detail = again.body["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(&id) && detail.contains("userName"), "{detail}");
}

#[test]
fn groups_and_their_members_stay_right() {
    let world = World::new(Idp::Generic);
    let (ada, bob) = (world.user("ada"), world.user("bob"));
    let group = world.group("crew", &[&ada]);
    let path = format!("/Groups/{group}");
    let members = || {
        let body = world.get(&path).body;
        let list = body["members"].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|member| member["display"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(members(), ["ada"]);
    let add = json!([{"op": "add", "path": "members", "value": [{"value": bob}]}]);
    let before = world.get(&path).header("etag").to_owned();
    let added = world.patch(&path, &add);
    assert_eq!(added.status.as_u16(), 204);
    assert_ne!(added.header("etag"), before);
    assert_eq!(world.patch(&path, &add).header("etag"), added.header("etag"), "nothing changed");
    assert_eq!(members(), ["ada", "bob"]);
    assert_eq!(world.get(&format!("/Users/{bob}")).body["groups"][0]["value"], json!(group));

    let ghost = world.patch(&path, &json!([{"op": "add", "path": "members", "value": [{"value": "ghost"}]}]));
    assert_eq!(ghost.status.as_u16(), 400);
    assert!(ghost.body["detail"].as_str().unwrap_or_default().contains("`ghost`"));

    world.patch(&path, &json!([{"op": "remove", "path": format!("members[value eq \"{ada}\"]")}]));
    assert_eq!(members(), ["bob"]);
    world.request("DELETE", &format!("/Users/{bob}"), &Value::Null);
    assert_eq!(members(), Vec::<String>::new());
    assert_eq!(world.get(&path).body["members"], json!([]));
}

#[test]
fn a_stale_change_is_refused() {
    let world = World::new(Idp::Generic);
    let path = format!("/Users/{}", world.user("ada"));
    let tag = world.get(&path).header("etag").to_owned();
    let body = json!({"schemas": [USER], "userName": "ada", "title": "T"});
    assert_eq!(
        world.with_headers("GET", &path, &Value::Null, &[("if-none-match", &tag)]).status.as_u16(),
        304
    );
    assert_eq!(world.with_headers("PUT", &path, &body, &[("if-match", &tag)]).status.as_u16(), 200);
    assert_eq!(world.with_headers("PUT", &path, &body, &[("if-match", &tag)]).status.as_u16(), 412);
    assert_eq!(world.with_headers("DELETE", &path, &Value::Null, &[("if-match", &tag)]).status.as_u16(), 412);
    assert_eq!(
        world.with_headers("GET", &path, &Value::Null, &[("if-none-match", &tag)]).status.as_u16(),
        200
    );
    let tag = world.get(&path).header("etag").to_owned();
    world.group("crew", &[path.trim_start_matches("/Users/")]);
    let again = world.with_headers("GET", &path, &Value::Null, &[("if-none-match", &tag)]);
    assert_eq!(again.status.as_u16(), 200, "the groups are part of the answer");
}

#[test]
fn only_an_explicit_true_is_active() {
    let world = World::new(Idp::Generic);
    let path = format!("/Users/{}", world.user("ada"));
    let active = || world.get(&path).body["active"].clone();
    assert_eq!(active(), json!(true), "a new account is, and says so");
    let put = |more: Value| {
        let mut body = json!({"schemas": [USER], "userName": "ada"});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        assert_eq!(world.request("PUT", &path, &body).status.as_u16(), 200);
        active()
    };
    assert_eq!(put(json!({})), json!(true));
    assert_eq!(put(json!({"active": false})), json!(false));
    assert_eq!(put(json!({})), json!(false), "nobody is let in by omission");
    assert_eq!(world.patch(&path, &json!([{"op": "remove", "path": "active"}])).status.as_u16(), 200);
    assert_eq!(active(), Value::Null);
    assert_eq!(put(json!({})), Value::Null);
    assert_eq!(put(json!({"active": true})), json!(true));
}

#[test]
fn a_member_is_shown_by_the_name_of_the_person() {
    let world = World::new(Idp::Generic);
    let user = |more: Value| {
        let mut body = json!({"schemas": [USER], "userName": format!("u{more}")});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let answer = world.request("POST", "/Users", &body);
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.body);
        answer.id()
    };
    for (attributes, expected) in [
        (json!({"displayName": "Ada", "name": {"formatted": "Ada L."}}), json!("Ada")),
        (json!({"name": {"formatted": "Ada L."}}), json!("Ada L.")),
        (json!({}), Value::Null),
    ] {
        let group = world.group("g", &[&user(attributes)]);
        assert_eq!(world.get(&format!("/Groups/{group}")).body["members"][0]["display"], expected);
    }
}

#[test]
fn preconditions_hold_for_reads_and_writes() {
    let world = World::new(Idp::Generic);
    let path = format!("/Users/{}", world.user("ada"));
    let tag = world.get(&path).header("etag").to_owned();
    let status = |method: &str, header: (&str, &str)| {
        let body = match method {
            "PUT" => json!({"schemas": [USER], "userName": "ada"}),
            "PATCH" => {
                json!({"schemas": [scim_core::patch::MESSAGE], "Operations": [{"op": "remove", "path": "title"}]})
            }
            _ => Value::Null,
        };
        world.with_headers(method, &path, &body, &[header]).status.as_u16()
    };
    for method in ["PUT", "PATCH", "DELETE"] {
        assert_eq!(status(method, ("if-none-match", "*")), 412, "{method}");
        assert_eq!(status(method, ("if-none-match", &tag)), 412, "{method}");
        assert_eq!(status(method, ("if-match", "W/\"999\"")), 412, "{method}");
    }
    assert_eq!(status("GET", ("if-match", "\"bad\"")), 412);
    assert_eq!(status("GET", ("if-match", &tag)), 200);
    assert_eq!(status("GET", ("if-none-match", &tag)), 304);
    assert_eq!(status("PATCH", ("if-none-match", "W/\"999\"")), 200);
    assert_eq!(status("DELETE", ("if-match", "*")), 204);
}

#[test]
fn a_member_must_say_who_it_is() {
    for idp in Idp::ALL {
        let world = World::new(idp);
        let ada = world.user("ada");
        let path = format!("/Groups/{}", world.group("crew", &[&ada]));
        let null = json!([{"value": null}]);
        for nobody in [json!([{"display": "x"}]), json!([{}]), null, json!([{"value": ""}]), json!([null])] {
            let body = json!({"schemas": [GROUP], "displayName": "crew", "members": nobody});
            let patch = json!([{"op": "replace", "path": "members", "value": nobody}]);
            let without_path = json!([{"op": "replace", "value": {"members": nobody}}]);
            let answers = [
                world.request("PUT", &path, &body),
                world.request("POST", "/Groups", &body),
                world.patch(&path, &patch),
                world.patch(&path, &without_path),
            ];
            for answer in answers {
                let found = (answer.status.as_u16(), answer.body["scimType"].clone());
                assert_eq!(found, (400, json!("invalidValue")), "{idp} {nobody}: {}", answer.body);
            }
            let members = world.get(&path).body["members"].as_array().map(Vec::len);
            assert_eq!(members, Some(1), "{idp} {nobody}");
        }
    }
}

#[test]
fn what_entra_clears_is_gone_and_what_it_does_not_name_stays() {
    let world = World::new(Idp::Entra);
    let path = format!("/Users/{}", world.user("ada"));
    let work = json!({"type": "work", "value": "a@x", "primary": true});
    let step = |op: &str, path_in: &str, value: Value| {
        let answer = world.patch(&path, &json!([{"op": op, "path": path_in, "value": value}]));
        assert_eq!(answer.status.as_u16(), 200, "{op} {path_in}: {}", answer.body);
        answer.body
    };
    step("Add", "emails", json!([work]));
    assert_eq!(
        step("Replace", "emails[type eq \"work\"].value", json!(""))["emails"],
        Value::Null,
        "no husk"
    );
    assert_eq!(step("Add", "emails", json!([work]))["emails"], json!([work]));
    assert_eq!(
        step("Add", "emails", json!(""))["emails"],
        json!([work]),
        "adding nothing takes nothing away"
    );
    assert_eq!(
        step("Replace", "phoneNumbers[type eq \"fax\"].value", Value::Null)["phoneNumbers"],
        Value::Null
    );
    let named = step("Replace", "name", json!({"givenName": "Ada", "familyName": "L"}));
    assert_eq!(named["name"], json!({"givenName": "Ada", "familyName": "L"}));
    let renamed = step("Replace", "name", json!({"givenName": ""}));
    assert_eq!(renamed["name"], json!({"familyName": "L"}));
    let refused = world
        .patch(&path, &json!([{"op": "replace", "path": scim_core::schema::ENTERPRISE_USER, "value": "x"}]));
    assert_eq!(refused.status.as_u16(), 400);
    let sample = json!({"schemas": [USER], "userName": "sample", "addresses": null, "department": null, "manager": null});
    assert_eq!(world.request("POST", "/Users", &sample).status.as_u16(), 201);
}

#[test]
fn groups_from_before_a_rule_are_seen_by_it() {
    let world = World::new(Idp::Entra);
    let crew = world.group("Crew", &[]);
    let body = |name: &str| json!({"schemas": [GROUP], "displayName": name});
    assert_eq!(world.request("POST", "/Groups", &body("CREW")).status.as_u16(), 409);
    let path = format!("/Groups/{crew}");
    let same = json!([{"op": "Replace", "path": "displayName", "value": "Crew"}]);
    assert_eq!(world.patch(&path, &same).status.as_u16(), 204, "its own name");
    let mine = json!([{"op": "Replace", "path": "displayName", "value": "crew"}]);
    assert_eq!(world.patch(&path, &mine).status.as_u16(), 204, "its own name in another case");
    let generic = World::new(Idp::Generic);
    generic.group("Crew", &[]);
    generic.group("Crew", &[]);
    let entra = generic.reconnected(Idp::Entra);
    let refused = entra.request("POST", "/Groups", &body("CREW"));
    assert_eq!((refused.status.as_u16(), refused.body["scimType"].clone()), (409, json!("uniqueness")));
    let other = format!("/Groups/{}", entra.group("Other", &[]));
    let renamed = json!([{"op": "Replace", "path": "displayName", "value": "CREW"}]);
    assert_eq!(entra.patch(&other, &renamed).status.as_u16(), 409);
    assert_eq!(entra.request("PUT", &other, &body("CREW")).status.as_u16(), 409);
}

#[test]
fn the_work_of_a_patch_and_the_size_of_a_resource_are_bounded() {
    let world = World::with(Idp::Generic, |settings| settings.max_body = 2_000_000);
    let emails: Vec<Value> =
        (0..20_000).map(|n| json!({"value": format!("u{n}@x"), "type": format!("t{n}")})).collect();
    let body = json!({"schemas": [USER], "userName": "big", "emails": emails});
    let created = world.request("POST", "/Users", &body);
    assert_eq!(created.status.as_u16(), 201);
    let path = format!("/Users/{}", created.id());
    let steps = |count: usize| -> Value {
        let step =
            |n| json!({"op": "add", "path": format!("emails[value eq \"u{n}@x\"].display"), "value": "d"});
        (0..count).map(step).collect()
    };
    assert_eq!(world.patch(&path, &steps(3)).status.as_u16(), 200);
    let refused = world.patch(&path, &steps(200));
    assert_eq!((refused.status.as_u16(), refused.body["scimType"].clone()), (400, json!("tooMany")));
    let title = json!([{"op": "add", "path": "title", "value": "x".repeat(1_500_000)}]);
    assert_eq!(
        world.patch(&path, &title).status.as_u16(),
        413,
        "it cannot grow beyond what a request may hold"
    );
}

#[test]
fn discovery_ignores_what_it_does_not_know_and_refuses_filters() {
    let world = World::new(Idp::Generic);
    for path in ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/ResourceTypes/User"] {
        assert_eq!(world.get(&format!("{path}?count=x&count=1&sortBy=y")).status.as_u16(), 200, "{path}");
        assert_eq!(world.get(&format!("{path}?filter=name+pr")).status.as_u16(), 403, "{path}");
    }
    for query in ["cursor&count=abc", "cursor=&count=1.5"] {
        let refused = world.get(&format!("/Users?{query}"));
        assert_eq!((refused.status.as_u16(), refused.body["scimType"].clone()), (400, json!("invalidCount")));
    }
}

#[test]
fn lists_are_filtered_sorted_and_paged() {
    let world = World::new(Idp::Generic);
    for name in ["Dora", "ada", "Cy", "bob"] {
        world.user(name);
    }
    let names = |query: &str| {
        let answer = world.get(&format!("/Users?{query}"));
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        let list = answer.body["Resources"].as_array().cloned().unwrap_or_default();
        list.iter().map(|user| user["userName"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("sortBy=userName"), ["ada", "bob", "Cy", "Dora"]);
    assert_eq!(names("sortBy=userName&sortOrder=descending&count=2&startIndex=2"), ["Cy", "bob"]);
    assert_eq!(names("filter=userName+sw+%22D%22"), ["Dora"]);
    assert_eq!(names("filter=userName%20eq%20%22nobody%22"), Vec::<String>::new());
    assert_eq!(names("count=0"), Vec::<String>::new());
    let of = |count: usize| {
        let filter: Vec<String> = (0..count).map(|n| format!("userName eq \"u{n}\"")).collect();
        let search = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
        let body = json!({"schemas": [search], "filter": filter.join(" or ")});
        world.request("POST", "/Users/.search", &body)
    };
    assert_eq!(of(500).status.as_u16(), 200);
    let long = of(501);
    assert_eq!((long.status.as_u16(), long.body["scimType"].as_str()), (400, Some("invalidFilter")));
    assert_eq!(
        long.body["detail"],
        "the filter makes 501 comparisons, and 500 are the most; ask in several requests"
    );
    let none = world.get("/Users?filter=usrName+pr");
    assert_eq!((none.status.as_u16(), none.body["scimType"].as_str()), (400, Some("invalidFilter")));

    let (mut cursor, mut walked) = (String::new(), Vec::new());
    loop {
        let page = world.get(&format!("/Users?sortBy=userName&count=3&cursor={cursor}")).body;
        assert_eq!(page["totalResults"], json!(4));
        let list = page["Resources"].as_array().cloned().unwrap_or_default();
        walked.extend(list.iter().map(|user| user["userName"].as_str().unwrap_or_default().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
        let other = world.get(&format!("/Users?count=3&cursor={cursor}"));
        assert_eq!(other.body["scimType"], "invalidCursor", "it belongs to another query");
        let other = world.get(&format!("/Users?sortBy=userName&count=2&cursor={cursor}"));
        assert_eq!(other.body["scimType"], "invalidCount");
    }
    assert_eq!(walked, ["ada", "bob", "Cy", "Dora"]);
    let all = world.get("/?filter=meta.resourceType+eq+%22User%22").body;
    assert_eq!(all["totalResults"], json!(4));
}

#[test]
fn a_sorted_query_over_all_types_is_paged_by_index() {
    let world = World::new(Idp::Generic);
    let ada = world.user("ada");
    world.user("cy");
    world.group("bob", &[&ada]);
    world.request("POST", "/Users", &json!({"schemas": [USER], "userName": "nameless"}));
    let search = |more: Value| {
        let mut body = json!({"schemas": [scim_core::message::SEARCH_REQUEST], "sortBy": "displayName"});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        world.request("POST", "/.search", &body).body
    };
    let names = |more: Value| {
        let list = search(more)["Resources"].as_array().cloned().unwrap_or_default();
        list.iter().map(|found| found["displayName"].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({})), ["ada", "bob", "cy", "-"]);
    assert_eq!(names(json!({"sortOrder": "descending"})), ["-", "cy", "bob", "ada"]);
    assert_eq!(names(json!({"startIndex": 2, "count": 2})), ["bob", "cy"]);
    let refused = search(json!({"cursor": "", "count": 2}));
    assert_eq!(
        (&refused["status"], &refused["detail"]),
        (
            &json!("400"),
            &json!(
                "a query over all types is not sorted when it is paged by `cursor`; page by `startIndex`, query one \
                 type, or leave out `sortBy`"
            )
        )
    );
    assert!(search(json!({"cursor": "", "count": 2, "sortBy": null}))["nextCursor"].is_string());
}

/// A look-up that finds nobody is followed by a creation.
#[test]
fn a_query_that_cannot_be_decoded_is_refused() {
    let world = World::new(Idp::Generic);
    for value in ["userName+eq+%22M%FCller%22", "userName+eq+%22%zz%22", "userName+eq+%22100%"] {
        let refused = world.get(&format!("/Users?filter={value}"));
        assert_eq!(refused.status.as_u16(), 400, "{value}");
        assert!(refused.body["detail"].as_str().is_some_and(|text| text.starts_with("`filter` ")), "{value}");
    }
    assert_eq!(world.get("/Users?filter=userName+eq+%22M%C3%BCller%22&other=%FC").status.as_u16(), 200);
}

#[test]
fn answers_hold_what_was_asked_for() {
    let world = World::new(Idp::Generic);
    let path = format!("/Users/{}", world.user("ada"));
    let keys = |query: &str| {
        let body = world.get(&format!("{path}?{query}")).body;
        let mut keys: Vec<String> =
            body.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys("attributes=userName"), ["id", "schemas", "userName"]);
    assert_eq!(keys("excludedAttributes=userName,id"), ["active", "displayName", "id", "meta", "schemas"]);
}

#[test]
fn endpoints_say_what_they_know() {
    let world = World::with(Idp::Generic, |settings| settings.max_body = 2000);
    let check = |method: &str, path: &str, status: u16| {
        let answer = world.request(method, path, &Value::Null);
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.body);
        answer
    };
    check("GET", "/Nothing", 404);
    check("GET", "/%55sers", 404);
    check("POST", "/Me", 501);
    check("GET", "/Schemas?filter=name+pr", 403);
    check("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", 200);
    check("GET", "/ResourceTypes/User", 200);
    assert_eq!(check("DELETE", "/Users", 405).header("allow"), "GET, HEAD, POST");
    assert_eq!(check("GET", "/ServiceProviderConfig", 200).body["bulk"]["maxPayloadSize"], json!(2000));
    let large = json!({"schemas": [USER], "userName": "a".repeat(3000)});
    assert_eq!(world.request("POST", "/Users", &large).status.as_u16(), 413);
    let text = [("content-type", "text/plain")];
    let request =
        Request::post("/t/acme/scim/v2/Users").header("authorization", format!("Bearer {}", world.token()));
    let request = request.header(text[0].0, text[0].1).body(Full::new(Bytes::from("{}"))).expect("a request");
    assert_eq!(world.send(request).status.as_u16(), 415);
    let html = world.with_headers("GET", "/Users", &Value::Null, &[("accept", "text/html")]);
    assert_eq!(html.status.as_u16(), 406);
}

/// What a member is called is shown with the group and is no change of it.
#[test]
fn a_group_is_not_known_any_more_once_a_member_is_called_otherwise() {
    let world = World::new(Idp::Generic);
    let ada = world.user("ada");
    let path = format!("/Groups/{}", world.group("crew", &[&ada]));
    let narrow = format!("{path}?excludedAttributes=members");
    let tag = |path: &str| world.get(path).header("etag").to_owned();
    let status = |method: &str, path: &str, header: (&str, &str)| {
        let rename = json!({"schemas": [scim_core::patch::MESSAGE],
            "Operations": [{"op": "replace", "path": "displayName", "value": "crew"}]});
        let body = if method == "GET" { Value::Null } else { rename };
        world.with_headers(method, path, &body, &[header]).status.as_u16()
    };
    let (before, without) = (tag(&path), tag(&narrow));
    assert_eq!(status("GET", &path, ("if-none-match", &before)), 304);
    let listed = world.get("/Groups").body["Resources"][0]["meta"]["version"].clone();
    assert_eq!(listed, before.as_str());
    world.patch(&format!("/Users/{ada}"), &json!([{"op": "replace", "path": "displayName", "value": "Ada"}]));
    assert_eq!(status("GET", &path, ("if-none-match", &before)), 200);
    assert_eq!(status("GET", &narrow, ("if-none-match", &without)), 304);
    for tag in [&before, &without] {
        assert_eq!(status("PATCH", &path, ("if-match", tag)), 204);
    }
}

#[test]
fn entra_and_okta_are_understood() {
    let entra = World::new(Idp::Entra);
    let id = entra.user("sam");
    let path = format!("/Users/{id}");
    let answer = entra.patch(
        &path,
        &json!([
            {"op": "Replace", "path": "active", "value": "False"},
            {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Delft"},
            {"op": "Add", "path": "addresses[type eq \"work\"].country", "value": "Netherlands"},
            {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "sam@x"},
        ]),
    );
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    assert_eq!(answer.body["active"], json!(false));
    assert_eq!(
        answer.body["addresses"],
        json!([{"type": "work", "locality": "Delft", "country": "Netherlands"}])
    );
    assert_eq!(answer.body["emails"], json!([{"type": "work", "value": "sam@x"}]));

    let okta = World::new(Idp::Okta);
    let group = okta.group("was", &[&okta.user("kim")]);
    let path = format!("/Groups/{group}");
    let renamed = okta.patch(&path, &json!([{"op": "replace", "value": {"id": group, "displayName": "is"}}]));
    assert_eq!(renamed.status.as_u16(), 204, "{}", renamed.body);
    let body = okta.get(&path).body;
    assert_eq!(
        (body["displayName"].as_str(), body["members"].as_array().map(Vec::len)),
        (Some("is"), Some(1))
    );
}

#[test]
fn the_work_of_a_patch_is_bounded_whatever_makes_it_long() {
    let world = World::new(Idp::Generic);
    let body = json!({"schemas": [USER], "userName": "ada", "displayName": "x".repeat(2_000_000), "roles": [{"value": "r"}]});
    let path = format!("/Users/{}", world.request("POST", "/Users", &body).id());
    let wide = vec!["value eq \"x\""; 4_000].join(" or ");
    let operation = |filter: &str| json!({"op": "remove", "path": format!("roles[{filter}]")});
    let too_many = |answer: &Value, what: &str| {
        assert_eq!((&answer["status"], &answer["scimType"]), (&json!("400"), &json!("tooMany")), "{what}");
    };
    assert_eq!(world.patch(&path, &json!([operation("value eq \"x\"")])).status.as_u16(), 200);
    too_many(&world.patch(&path, &json!([operation(&wide)])).body, "comparisons");
    let many = vec![json!({"op": "replace", "path": "title", "value": "x"}); 40];
    too_many(&world.patch(&path, &Value::from(many.clone())).body, "operations");
    // So with the members of a group, and all operations of a Bulk request share what one has.
    let ids: Vec<String> = (0..40).map(|n| world.user(&format!("u{n}"))).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let group = format!("/Groups/{}", world.group("G", &ids));
    let wide = vec!["display pr"; 4_000].join(" and ");
    let member = json!({"op": "remove", "path": format!("members[{wide}]")});
    too_many(&world.patch(&group, &json!([member])).body, "members");
    let message = json!({"schemas": [scim_core::patch::MESSAGE], "Operations": &many[..10]});
    let bulk: Vec<Value> = vec![json!({"method": "PATCH", "path": path, "data": message}); 3];
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": bulk});
    let operations = world.request("POST", "/Bulk", &bulk).body["Operations"].clone();
    let statuses: Vec<&Value> = (0..3).map(|at| &operations[at]["status"]).collect();
    assert_eq!(statuses, ["200", "400", "400"]);
}

/// The first operation of a PATCH is always allowed, and a Bulk request has one of them for each PATCH in it.
#[test]
fn many_changes_of_a_large_resource_let_others_have_their_turn_and_end() {
    let world = World::new(Idp::Generic);
    let body = json!({"schemas": [USER], "userName": "ada", "displayName": "x".repeat(4_000_000)});
    let path = format!("/Users/{}", world.request("POST", "/Users", &body).id());
    let nothing = json!({"op": "remove", "path": "title"});
    let patch = json!({"schemas": [scim_core::patch::MESSAGE], "Operations": [nothing]});
    for operation in [
        json!({"method": "PATCH", "path": path, "data": patch}),
        json!({"method": "PUT", "path": path, "data": {"schemas": [USER], "userName": "ada"}, "version": "W/\"0\""}),
    ] {
        let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": vec![&operation; 150]});
        let before = world.pauses();
        let answer = world.request("POST", "/Bulk", &bulk).body;
        let operations = answer["Operations"].as_array().expect("a list");
        let is_done = |done: &&Value| done["response"]["scimType"].as_str() != Some("tooMany");
        let done = operations.iter().filter(is_done).count();
        assert!((50..=140).contains(&done), "{done} of {operation}");
        assert!(
            world.pauses() - before >= done,
            "{} turns in {done} of {operation}",
            world.pauses() - before
        );
    }
    let small = world.user("bob");
    let before = world.pauses();
    assert_eq!(
        world
            .patch(&format!("/Users/{small}"), &json!([{"op": "add", "path": "title", "value": "x"}]))
            .status
            .as_u16(),
        200
    );
    assert_eq!(world.pauses(), before, "nobody waits for this");
}

#[test]
fn a_token_that_is_revoked_while_the_body_arrives_does_not_write() {
    let world = World::new(Idp::Generic);
    let body = json!({"schemas": [USER], "userName": "ada"});
    assert_eq!(world.revoked_meanwhile("POST", "/Users", &body).as_u16(), 401);
    assert!(world.persons().is_empty());
}

#[test]
fn schemas_follow_what_a_patch_leaves() {
    let world = World::new(Idp::Generic);
    let enterprise = scim_core::schema::ENTERPRISE_USER;
    let body =
        json!({"schemas": [USER, enterprise], "userName": "ada", enterprise: {"department": "Engines"}});
    let path = format!("/Users/{}", world.request("POST", "/Users", &body).id());
    let department = format!("{enterprise}:department");
    world.patch(&path, &json!([{"op": "remove", "path": department}]));
    assert_eq!(world.get(&path).body["schemas"], json!([USER]));
    world.patch(&path, &json!([{"op": "add", "path": department, "value": "Looms"}]));
    assert_eq!(world.get(&path).body["schemas"], json!([USER, enterprise]));
}

/// A write that was made is never answered as if it had failed.
#[test]
fn a_group_with_more_members_than_an_answer_holds_is_written_and_shown_without_them() {
    let world = World::with(Idp::Generic, |settings| settings.max_members = 2);
    let users: Vec<String> = ["a", "b", "c"].map(|name| world.user(name)).into();
    let members: Vec<Value> = users.iter().map(|id| json!({"value": id})).collect();
    let body = json!({"schemas": [scim_core::schema::GROUP], "displayName": "many", "members": members});
    let made = world.request("POST", "/Groups", &body);
    assert_eq!(made.status.as_u16(), 201, "{}", made.body);
    assert!(made.body.get("members").is_none() && made.body["displayName"] == "many", "{}", made.body);
    let path = format!("/Groups/{}", made.id());
    assert_eq!(world.request("PUT", &path, &body).status.as_u16(), 200);
    let rename = json!([{"op": "replace", "path": "displayName", "value": "more"}]);
    assert_eq!(world.patch(&format!("{path}?attributes=members"), &rename).status.as_u16(), 200);
    let read = world.get(&path);
    assert_eq!((read.status.as_u16(), read.body["scimType"].as_str()), (400, Some("tooMany")));
    assert_eq!(world.get(&format!("{path}?excludedAttributes=members")).body["displayName"], "more");
}

#[test]
fn a_misspelt_endpoint_is_told_the_right_one() {
    let world = World::new(Idp::Generic);
    for (path, remedy) in [
        ("/users", "did you mean `/Users`? case matters"),
        ("/User/2819c223", "did you mean `/Users`? case matters"),
        ("/Gruops?count=1", "did you mean `/Groups`? case matters"),
        ("/ServiceProviderConfigs", "did you mean `/ServiceProviderConfig`? case matters"),
        ("/Users//", "`/Users` is one, but not with what follows it here"),
        ("/Users/2819c223/manager", "`/Users` is one, but not with what follows it here"),
        ("/Bulk/1", "`/Bulk` is one, but not with what follows it here"),
        ("/Employees", "`/ResourceTypes` lists them"),
        ("//Users", "the tenant URL must end in `/scim/v2`, without a slash"),
    ] {
        let refused = world.get(path);
        let expected = format!("there is no such endpoint; {remedy}");
        assert_eq!(
            (refused.status.as_u16(), refused.body["detail"].as_str()),
            (404, Some(&*expected)),
            "{path}"
        );
    }
}
