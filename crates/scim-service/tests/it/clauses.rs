//! Clauses of the RFCs that no other test has a story for, each with its section.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use scim_core::message::{BULK_REQUEST, SEARCH_REQUEST};
use scim_core::schema::{ENTERPRISE_USER, GROUP, Registry, USER};
use scim_service::directory::Idp;
use serde_json::{Value, json};

use crate::world::{Answer, World};

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

/// RFC 7644 §3.4.2.4: "A negative value SHALL be interpreted as "0"", "A value less than 1 SHALL be interpreted as 1".
#[test]
fn no_number_is_too_great_or_too_small_for_a_page() {
    let world = World::new(Idp::Generic);
    world.user("ada");
    for (query, shown, start) in [
        ("count=-99999999999999999999", 0, 1),
        ("count=99999999999999999999", 1, 1),
        ("startIndex=-99999999999999999999", 1, 1),
        ("startIndex=99999999999999999999", 0, i64::MAX),
    ] {
        let answer = world.get(&format!("/Users?{query}"));
        assert_eq!(answer.status.as_u16(), 200, "{query}: {}", answer.body);
        let page = [&answer.body["totalResults"], &answer.body["itemsPerPage"], &answer.body["startIndex"]];
        assert_eq!(page, [&json!(1), &json!(shown), &json!(start)], "{query}");
        let (name, number) = query.split_once('=').expect("a pair");
        let body = format!("{{\"schemas\": [\"{SEARCH_REQUEST}\"], \"{name}\": {number}, \"later\": true}}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(world.request("POST", "/Users/.search", &body).body, answer.body, "{query}");
    }
}

/// RFC 7643 §3.1: `meta.location` "MUST be the same as the "Content-Location" HTTP response header". RFC 7644 §3.5.2, §4.
#[test]
fn an_answer_says_where_what_it_shows_is_found() {
    let world = World::new(Idp::Generic);
    let body = json!({"schemas": [USER], "userName": "ada"});
    let created = world.request("POST", "/Users", &body);
    let path = format!("/Users/{}", created.id());
    let tag = created.header("etag").to_owned();
    for answer in [
        created,
        world.get(&path),
        world.get(&format!("{path}?excludedAttributes=name")),
        world.request("PUT", &path, &body),
        world.patch(&path, &json!([{"op": "remove", "path": "title"}])),
        world.get("/ServiceProviderConfig"),
        world.get("/ResourceTypes/User"),
        world.get(&format!("/Schemas/{USER}")),
    ] {
        let location = answer.body["meta"]["location"].as_str().expect("a location");
        assert_eq!([answer.header("location"), answer.header("content-location")], [location; 2]);
    }
    let known = world.with_headers("GET", &path, &Value::Null, &[("if-none-match", &tag)]);
    assert_eq!(known.status.as_u16(), 304);
    assert!(known.header("content-location").ends_with(&path), "as the 200 would");
    assert_eq!(known.header("location"), "");
    let group = format!("/Groups/{}", world.group("crew", &[]));
    let rename = json!([{"op": "replace", "path": "displayName", "value": "band"}]);
    let renamed = world.patch(&group, &rename);
    assert_eq!((renamed.status.as_u16(), renamed.header("location").ends_with(&group)), (204, true));
    // "The server MUST return a 200 OK if the "attributes" parameter is specified in the request."
    assert_eq!(world.patch(&format!("{group}?attributes="), &rename).body["displayName"], "band");
}

/// RFC 7644 §3.8: "The format defaults to "application/scim+json" if no format is specified." The example of RFC 9865 §3
/// has no Content-Type.
#[test]
fn a_body_of_no_type_is_scim() {
    let world = World::new(Idp::Generic);
    let send = |method: &str, path: &str, content_type: Option<&str>| {
        let mut request = Request::builder().method(method).uri(format!("/t/acme/scim/v2{path}"));
        request = request.header("authorization", format!("Bearer {}", world.token()));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let body = json!({"schemas": [SEARCH_REQUEST]}).to_string();
        world.send(request.body(Full::new(Bytes::from(body))).expect("a request"))
    };
    let search = |content_type| send("POST", "/Users/.search", content_type);
    assert_eq!(search(None).status.as_u16(), 200);
    assert_eq!(search(Some("application/scim+json")).status.as_u16(), 200);
    let refused = search(Some("text/plain"));
    let spoken = "application/scim+json, application/json";
    assert_eq!((refused.status.as_u16(), refused.header("accept")), (415, spoken));
    // RFC 5789 §2.2: a 415 to a PATCH "SHOULD include an Accept-Patch response header".
    let refused = send("PATCH", "/Users/1", Some("application/json-patch+json"));
    assert_eq!((refused.status.as_u16(), refused.header("accept-patch")), (415, spoken));
}

/// RFC 7644 §3.13, table 9.
#[test]
fn another_version_is_rejected() {
    let world = World::new(Idp::Generic);
    for version in ["v1", "v3"] {
        let request = Request::builder().uri(format!("/t/acme/scim/{version}/Users"));
        let answer = world.send(request.body(Full::new(Bytes::new())).expect("a request"));
        assert_eq!((answer.status.as_u16(), &answer.body["scimType"]), (400, &json!("invalidVers")));
    }
}

/// RFC 7644 §3.7.3: a `location` "MUST be returned for all operations except for failed POST operations".
#[test]
fn what_failed_in_a_bulk_request_says_where() {
    let world = World::new(Idp::Generic);
    let operations = json!([
        {"method": "PATCH", "path": "/Users/1?attributes=id", "data": {}},
        {"method": "PUT", "path": "/Users/1"},
        {"method": "GET", "path": "/Users/1"},
        {"method": "DELETE", "path": "/Users/1", "more": true},
        {"method": "DELETE", "path": "/Users/bulkId:none"},
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": {}},
    ]);
    let answer =
        world.request("POST", "/Bulk", &json!({"schemas": [BULK_REQUEST], "Operations": operations}));
    let base = "https://scim.example/t/acme/scim/v2";
    let locations: Vec<Value> = answer.body["Operations"]
        .as_array()
        .expect("all of them")
        .iter()
        .map(|operation| operation["location"].clone())
        .collect();
    let one = json!(format!("{base}/Users/1"));
    let none = json!(format!("{base}/Users/bulkId:none"));
    assert_eq!(locations, [one.clone(), one.clone(), one.clone(), one, none, Value::Null]);
}

/// RFC 7643 §7: what is returned on request is "returned in response to any PUT, POST, or PATCH operations if the attribute
/// was specified by the client", and in a query "only if specified in the "attributes" parameter".
#[test]
fn what_is_returned_on_request_is_in_the_answer_to_whoever_wrote_it() {
    const THING: &str = "urn:example:Thing";
    const MORE: &str = "urn:example:More";
    let secret = json!({"name": "onRequest", "returned": "request"});
    let schema = json!({"id": THING, "name": "Thing", "attributes": [
        {"name": "displayName"}, secret,
        {"name": "parts", "type": "complex", "multiValued": true, "subAttributes": [{"name": "value"}, secret]},
    ]});
    let more = json!({"id": MORE, "name": "More", "attributes": [secret]});
    let thing = json!({"name": "Thing", "endpoint": "/Things", "schema": THING,
        "schemaExtensions": [{"schema": MORE, "required": false}]});
    let builder = Registry::builder().expect("built in").schema(&schema).expect("a schema");
    let builder = builder.schema(&more).expect("another").resource_type(&thing).expect("a type");
    let world = World::of(Idp::Generic, builder.build().expect("fits"), |_| ());
    let body = json!({"schemas": [THING, MORE], "displayName": "a", "ONREQUEST": "1",
        "parts": [{"value": "p", "onRequest": "2"}], MORE: {"onRequest": "3"}});
    let shown = |answer: Answer| -> [Value; 3] {
        assert!(answer.status.is_success(), "{}", answer.body);
        let part = answer.body["parts"][0]["onRequest"].clone();
        [answer.body["onRequest"].clone(), part, answer.body[MORE]["onRequest"].clone()]
    };
    let (all, none) = ([json!("1"), json!("2"), json!("3")], [Value::Null, Value::Null, Value::Null]);
    let created = world.request("POST", "/Things", &body);
    let path = format!("/Things/{}", created.id());
    assert_eq!(shown(created), all);
    assert_eq!(shown(world.get(&path)), none);
    assert_eq!(shown(world.request("PUT", &path, &body)), all);
    let excluded = world.request("PUT", &format!("{path}?excludedAttributes=onRequest"), &body);
    assert_eq!(shown(excluded), [Value::Null, json!("2"), json!("3")]);
    assert_eq!(shown(world.request("PUT", &format!("{path}?attributes=displayName"), &body)), none);
    for (operation, expected) in [
        (json!({"op": "replace", "path": "displayName", "value": "b"}), none.clone()),
        (json!({"op": "add", "path": "onRequest", "value": "1"}), [json!("1"), Value::Null, Value::Null]),
        (json!({"op": "add", "value": {"onRequest": "1"}}), [json!("1"), Value::Null, Value::Null]),
        (
            json!({"op": "add", "path": "parts[value eq \"p\"].onRequest", "value": "2"}),
            [Value::Null, json!("2"), Value::Null],
        ),
        (
            json!({"op": "replace", "path": "parts", "value": [{"value": "p", "onRequest": "2"}]}),
            [Value::Null, json!("2"), Value::Null],
        ),
        (
            json!({"op": "add", "path": MORE, "value": {"onRequest": "3"}}),
            [Value::Null, Value::Null, json!("3")],
        ),
        (json!({"op": "replace", "path": "parts", "value": [{"value": "q"}]}), none),
    ] {
        assert_eq!(shown(world.patch(&path, &json!([operation]))), expected, "{operation}");
    }
}

/// RFC 7644 §5: "Before comparing or evaluating the uniqueness of a "userName" […] service providers MUST use the
/// preparation, enforcement, and comparison of internationalized strings (PRECIS)".
#[test]
fn a_user_name_is_one_however_its_letters_are_written() {
    let world = World::new(Idp::Generic);
    let body = |name: &str| json!({"schemas": [USER], "userName": name, "displayName": name});
    for name in ["Jos\u{e9}@x.org", "ada", "ada b"] {
        assert_eq!(world.request("POST", "/Users", &body(name)).body["userName"], name, "kept as sent");
    }
    for name in ["jose\u{301}@x.org", "\u{ff21}\u{ff24}\u{ff21}", "Ada\u{3000}B"] {
        let answer = world.request("POST", "/Users", &body(name));
        assert_eq!((answer.status.as_u16(), &answer.body["scimType"]), (409, &json!("uniqueness")), "{name}");
    }
    assert_eq!(found(&world, "/Users?filter=userName%20eq%20%22jose%CC%81@X.ORG%22"), ["Jos\u{e9}@x.org"]);
    assert_eq!(found(&world, "/Users?filter=displayName%20sw%20%22JOSE%CC%81%22"), ["Jos\u{e9}@x.org"]);
    assert_eq!(world.request("POST", "/Users", &body("jose@x.org")).status.as_u16(), 201, "accents count");
}

/// RFC 7644 §3.5.2.3: with a value path that matches, "all matching record values SHALL be replaced", and with one that
/// does not, "the service provider SHALL indicate failure by returning HTTP status code 400 and a "scimType" error code of
/// "noTarget"". Members are values like any other.
#[test]
fn a_member_is_replaced_by_its_value_path() {
    let world = World::new(Idp::Generic);
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| world.user(name));
    let path = format!("/Groups/{}", world.group("crew", &[&ada, &bob]));
    let members = || -> Vec<String> {
        let list = world.get(&path).body["members"].as_array().cloned().unwrap_or_default();
        list.iter().map(|member| member["display"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let replace = |filter: &str, value: Value| {
        let target = format!("members[{filter}]");
        world.patch(&path, &json!([{"op": "replace", "path": target, "value": value}]))
    };
    let is = |id: &str| format!("value eq \"{id}\"");
    let nobody = replace(&is(&eve), json!({"value": ada}));
    assert_eq!((nobody.status.as_u16(), &nobody.body["scimType"]), (400, &json!("noTarget")));
    assert_eq!(replace(&is(&ada), json!({"value": "ghost"})).body["scimType"], "invalidValue");
    assert_eq!(replace(&is(&ada), json!({"display": "x"})).body["scimType"], "invalidValue");
    assert_eq!(replace(&is(&ada), json!([{"value": eve}])).body["scimType"], "invalidValue");
    assert_eq!(members(), ["ada", "bob"], "nothing so far");
    assert_eq!(replace(&is(&ada), json!({"value": eve, "type": "User", "$ref": 5})).status.as_u16(), 204);
    assert_eq!(members(), ["bob", "eve"]);
    assert_eq!(replace("type eq \"User\"", json!({"value": ada})).status.as_u16(), 204);
    assert_eq!(members(), ["ada"]);
    assert_eq!(replace(&is(&ada), json!({"value": ada})).status.as_u16(), 204);
    assert_eq!(members(), ["ada"]);
}

/// RFC 7644 §3.5.2 names no member of an operation but `op`, `path` and `value`. Clients label theirs besides.
#[test]
fn an_operation_may_have_a_name() {
    let world = World::new(Idp::Generic);
    let (ada, bob) = (world.user("ada"), world.user("bob"));
    let crew = format!("/Groups/{}", world.group("crew", &[&ada]));
    let add = json!([{"name": "addMember", "op": "add", "path": "members", "value": [{"value": bob}]}]);
    assert_eq!(world.patch(&crew, &add).status.as_u16(), 204);
    assert_eq!(world.get(&crew).body["members"].as_array().map(Vec::len), Some(2));
    let narrow = json!([{"op": "remove", "path": "members", "filter": "value eq \"x\""}]);
    assert_eq!(world.patch(&crew, &narrow).body["scimType"], "invalidSyntax");
    assert_eq!(world.get(&crew).body["members"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_slash_may_end_the_path_of_a_collection() {
    let world = World::new(Idp::Generic);
    let ada = world.user("ada");
    assert_eq!(found(&world, "/Users/?filter=userName%20eq%20%22ada%22"), ["ada"]);
    let bob = json!({"schemas": [USER], "userName": "bob"});
    assert_eq!(world.request("POST", "/Users/", &bob).status.as_u16(), 201);
    assert_eq!(world.request("PUT", "/Users/", &bob).status.as_u16(), 405);
    for path in [format!("/Users/{ada}/"), "/Users//".to_owned(), "/Schemas/".to_owned(), "/Bulk/".to_owned()]
    {
        assert_eq!(world.get(&path).status.as_u16(), 404, "{path}");
    }
}

/// RFC 7644 §3.5.2 has the path `members[value eq "…"].displayName` among its examples, and §8.7 of RFC 7643 no such name.
#[test]
fn a_member_may_come_with_its_display_name() {
    let world = World::new(Idp::Generic);
    let (ada, bob) = (world.user("ada"), world.user("bob"));
    let members = json!([{"value": ada, "displayName": "Ada", "$ref": format!("/Users/{ada}")}]);
    let body = json!({"schemas": [GROUP], "displayName": "crew", "members": members});
    let made = world.request("POST", "/Groups", &body);
    assert_eq!(
        (made.status.as_u16(), &made.body["members"][0]["value"]),
        (201, &json!(ada)),
        "{}",
        made.body
    );
    assert!(made.body["members"][0].get("displayName").is_none(), "{}", made.body);
    let path = format!("/Groups/{}", made.id());
    assert_eq!(world.request("PUT", &path, &body).status.as_u16(), 200);
    for (verb, member) in [("add", &bob), ("replace", &ada)] {
        let value = json!([{"DisplayName": 1, "value": member}]);
        let patched = world.patch(&path, &json!([{"op": verb, "path": "members", "value": value}]));
        assert_eq!(patched.status.as_u16(), 204, "{verb}: {}", patched.body);
    }
    let odd = json!([{"op": "add", "path": "members", "value": [{"value": bob, "name": "Bob"}]}]);
    assert_eq!(world.patch(&path, &odd).body["scimType"], "invalidSyntax");
}

/// RFC 7643 §2.4: "Service providers […] SHOULD NOT return the same (type, value) combination more than once per
/// attribute".
#[test]
fn an_element_is_there_once() {
    let world = World::new(Idp::Generic);
    let twice = json!([
        {"type": "work", "value": "a@x.org", "primary": true},
        {"value": "b@x.org"},
        {"value": "a@x.org", "primary": true, "type": "work"},
        {"value": "a@x.org", "type": "work", "display": "A"},
    ]);
    let once = json!([
        {"type": "work", "value": "a@x.org", "primary": true},
        {"value": "b@x.org"},
        {"value": "a@x.org", "type": "work", "display": "A"},
    ]);
    let body = json!({"schemas": [USER], "userName": "ada", "emails": twice});
    let made = world.request("POST", "/Users", &body);
    assert_eq!((made.status.as_u16(), &made.body["emails"]), (201, &once), "{}", made.body);
    let path = format!("/Users/{}", made.id());
    assert_eq!(world.request("PUT", &path, &body).body["emails"], once);
    for verb in ["add", "replace"] {
        let patched = world.patch(&path, &json!([{"op": verb, "path": "emails", "value": twice}]));
        assert_eq!((patched.status.as_u16(), &patched.body["emails"]), (200, &once), "{verb}");
    }
    // Where only the first of several that are primary stays so, it is no other by being there again.
    let world = World::new(Idp::Entra);
    let three = json!([twice[0], twice[2], {"value": "c@x.org", "primary": true}]);
    let body = json!({"schemas": [USER], "userName": "ada", "emails": three});
    let made = world.request("POST", "/Users", &body);
    assert_eq!(made.body["emails"], json!([once[0], {"value": "c@x.org", "primary": false}]));
    let same = json!([{"op": "replace", "path": "emails[value sw \"\"]", "value": {"value": "c@x.org"}}]);
    assert_eq!(world.patch(&path, &same).body["emails"], json!([{"value": "c@x.org"}]));
}
