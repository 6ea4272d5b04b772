//! Bulk requests: what refers to what, and what fails alone.

use scim_core::schema::{ENTERPRISE_USER, GROUP, Registry, USER};
use scim_service::directory::Idp;
use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_malformed_bulk_operation_fails_alone() {
    let world = World::new(Idp::Generic);
    let user = json!({"method": "POST", "path": "/Users", "bulkId": "u",
                      "data": {"schemas": [USER], "userName": "ada", "displayName": "bulkId:u"}});
    let run = |operations: Value| {
        let body = json!({"schemas": [scim_core::message::BULK_REQUEST], "Operations": operations});
        let answer = world.request("POST", "/Bulk", &body);
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        answer.body["Operations"].as_array().cloned().unwrap_or_default()
    };
    let malformed = [json!({"method": "FOO", "path": "/Users"}), json!({"method": "DELETE"}), json!(7)];
    let mut operations = malformed.to_vec();
    operations.push(user);
    let answers = run(Value::Array(operations));
    let statuses: Vec<&str> = answers.iter().filter_map(|answer| answer["status"].as_str()).collect();
    assert_eq!(statuses, ["400", "400", "400", "201"]);
    let found = world.get("/Users?filter=userName+eq+%22ada%22").body;
    let meta = &found["Resources"][0]["meta"];
    let told = json!({"method": "POST", "bulkId": "u", "status": "201", "location": meta["location"], "version": meta["version"]});
    assert_eq!(answers[3], told);
    assert_eq!(found["Resources"][0]["displayName"], "bulkId:u", "a name is no reference");

    let id = found["Resources"][0]["id"].as_str().unwrap_or_default().to_owned();
    world.group("crew", &[&id]);
    let patch = json!({"schemas": [scim_core::patch::MESSAGE], "Operations": [{"op": "add", "path": "title", "value": "T"}]});
    let answers = run(json!([{"method": "PATCH", "path": format!("/Users/{id}"), "data": patch}]));
    assert_eq!(answers[0]["version"], world.get(&format!("/Users/{id}")).header("etag"));
}

#[test]
fn bulk_resolves_references_in_any_order_and_in_circles() {
    let world = World::new(Idp::Generic);
    let group = |id: &str, name: &str, member: &str| {
        json!({"method": "POST", "path": "/Groups", "bulkId": id,
               "data": {"schemas": [GROUP], "displayName": name, "members": [{"value": format!("bulkId:{member}")}]}})
    };
    let user = json!({"method": "POST", "path": "/Users", "bulkId": "u", "data": {"schemas": [USER], "userName": "ada"}});
    let bulk = |operations: Value, fail: u64| {
        let urn = scim_core::message::BULK_REQUEST;
        let body = json!({"schemas": [urn], "failOnErrors": fail, "Operations": operations});
        let answer = world.request("POST", "/Bulk", &body);
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
        let list = answer.body["Operations"].as_array().cloned().unwrap_or_default();
        list.iter().map(|entry| entry["status"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        bulk(json!([group("g", "crew", "u"), user, group("a", "A", "b"), group("b", "B", "a")]), 1),
        ["201"; 4]
    );
    let found = world.get("/Groups?filter=displayName+eq+%22A%22").body;
    assert_eq!(found["Resources"][0]["members"][0]["display"], "B");
    let failing = json!([user, group("h", "H", "u"), {"method": "DELETE", "path": "/Users/ghost"}]);
    assert_eq!(bulk(failing.clone(), 9), ["409", "400", "404"]);
    assert_eq!(bulk(failing, 1), ["409"]);
}

#[test]
fn what_an_operation_refers_to_comes_in_the_order_of_the_client() {
    let world = World::new(Idp::Generic);
    let user = |id: &str| json!({"method": "POST", "path": "/Users", "bulkId": id, "data": {"schemas": [USER], "userName": "ada"}});
    let members = json!([{"value": "bulkId:second"}, {"value": "bulkId:first"}]);
    let group = json!({"method": "POST", "path": "/Groups", "bulkId": "g",
        "data": {"schemas": [GROUP], "displayName": "crew", "members": members}});
    let operations = [group, user("first"), user("second")];
    let body = json!({"schemas": [scim_core::message::BULK_REQUEST], "Operations": operations});
    let answer = world.request("POST", "/Bulk", &body).body;
    let statuses: Vec<&Value> = (0..3).map(|index| &answer["Operations"][index]["status"]).collect();
    assert_eq!(statuses, ["400", "201", "409"], "{answer}");
}

/// What a client writes elsewhere than where a resource is referred to is its own.
#[test]
fn a_bulk_id_counts_where_a_resource_is_referred_to() {
    let world = World::new(Idp::Generic);
    let ada = world.user("ada");
    let crew = world.group("crew", &[]);
    let enterprise = scim_core::schema::ENTERPRISE_USER;
    let patch = |path: &str, operations: Value| {
        json!({"method": "PATCH", "path": path,
               "data": {"schemas": [scim_core::patch::MESSAGE], "Operations": operations}})
    };
    let post = |name: &str, more: Value| {
        let mut data = json!({"schemas": [USER, enterprise], "userName": name});
        data.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        json!({"method": "POST", "path": "/Users", "bulkId": name, "data": data})
    };
    let bulk = |operations: Value| {
        let body = json!({"schemas": [scim_core::message::BULK_REQUEST], "Operations": operations});
        let answer = world.request("POST", "/Bulk", &body).body;
        let list = answer["Operations"].as_array().cloned().unwrap_or_default();
        let status = |entry: &Value| match entry["status"].as_str() {
            Some("200" | "201") => "done".to_owned(),
            _ => entry["response"]["detail"].as_str().unwrap_or_default().to_owned(),
        };
        list.iter().map(status).collect::<Vec<_>>()
    };
    let user = |name: &str| {
        world.get(&format!("/Users?filter=userName+eq+%22{name}%22")).body["Resources"][0].clone()
    };
    let (person, group) = (format!("/Users/{ada}"), format!("/Groups/{crew}"));
    let text = "bulkId: not one";
    let done = bulk(json!([
        patch(
            &person,
            json!([{"op": "replace", "path": "nickName", "value": text},
                              {"op": "add", "path": "roles", "value": [{"value": text}]},
                              {"op": "replace", "path": "roles[value eq \"bulkId: not one\"].value", "value": text},
                              {"op": "add", "value": {"title": text, "entitlements": [{"value": text}]}}])
        ),
        post("bob", json!({"emails": [{"value": "bulkId:mail@x"}]})),
    ]));
    assert_eq!((done, &user("ada")["nickName"]), (vec!["done".to_owned(); 2], &json!(text)));
    // Where it counts: values, URIs and paths.
    let manager = |manager: Value| json!({enterprise: {"manager": manager}});
    let path = format!("{enterprise}:manager.value");
    let uri = format!("{enterprise}:manager.$ref");
    let done = bulk(json!([
        post("eva", manager(json!({"value": "bulkId:kim", "$ref": "../Users/bulkId:kim"}))),
        post("lea", manager(json!({"value": "bulkId:kim", "$ref": "bulkId:kim"}))),
        post("ian", manager(json!({"$ref": "bulkId:kim", "displayName": "Kim"}))),
        patch(&person, json!([{"op": "add", "path": path, "value": "bulkId:kim"}])),
        patch("/Users/bulkId:eve", json!([{"op": "add", "path": uri, "value": "bulkId:kim"}])),
        patch(
            &group,
            json!([
                {"op": "add", "path": "members", "value": [{"value": "bulkId:kim"}, {"value": "bulkId:eva"}]},
                {"op": "remove", "path": "members[value eq \"bulkId:kim\"]"},
            ])
        ),
        post("eve", json!({})),
        post("kim", json!({})),
    ]));
    assert_eq!(done, ["done"; 8]);
    let kim = user("kim")["id"].clone();
    let kim_id = kim.as_str().expect("an identifier");
    let expected = json!({"value": kim, "$ref": format!("../Users/{kim_id}")});
    assert_eq!(user("eva")[enterprise]["manager"], expected);
    for name in ["lea", "ian", "ada", "eve"] {
        assert_eq!(user(name)[enterprise]["manager"], json!({"value": kim}), "{name}");
    }
    let members = world.get(&group).body["members"].clone();
    assert_eq!((&members[0]["value"], members.as_array().map(Vec::len)), (&user("eva")["id"], Some(1)));
    let done = bulk(json!([
        patch(&group, json!([{"op": "remove", "path": "members[value eq \"bulkId:k\"]"}])),
        patch(&person, json!([{"op": "add", "value": manager(json!({"$ref": "../Users/bulkId:k"}))}])),
    ]));
    assert_eq!(done, ["`bulkId:k` stands for nothing: no POST of this request has it"; 2]);
}

#[test]
fn a_bulk_request_counts_as_its_operations() {
    let world = World::with(Idp::Generic, |settings| settings.requests_per_second = 1);
    let get = || world.get("/Users").status.as_u16();
    assert_eq!(get(), 200);
    let missing = json!({"method": "DELETE", "path": "/Users/nobody"});
    let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    let bulk = json!({"schemas": [schema], "Operations": vec![missing; 20]});
    assert_eq!(world.request("POST", "/Bulk", &bulk).status.as_u16(), 200);
    assert_eq!(get(), 429);
}

#[test]
fn what_refers_to_a_failed_operation_fails_too() {
    let world = World::new(Idp::Generic);
    world.user("ada");
    let enterprise = scim_core::schema::ENTERPRISE_USER;
    let first = json!({"schemas": [USER], "userName": "ada"});
    let second = json!({"schemas": [USER, enterprise], "userName": "bob",
        enterprise: {"manager": {"value": "bulkId:a"}}});
    let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    let bulk = json!({"schemas": [schema], "Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": first},
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": second},
    ]});
    let operations = world.request("POST", "/Bulk", &bulk).body["Operations"].clone();
    assert_eq!((&operations[0]["status"], &operations[1]["status"]), (&json!("409"), &json!("400")));
    assert_eq!(world.persons().len(), 1);
    // In a circle all fail with the first that does.
    let group = |id: &str, name: &str, member: &str| {
        json!({"method": "POST", "path": "/Groups", "bulkId": id,
               "data": {"schemas": [GROUP], "displayName": name, "members": [{"value": format!("bulkId:{member}")}]}})
    };
    let body = json!({"schemas": [schema], "Operations": [group("a", "A", "b"), group("b", "", "c"), group("c", "C", "a")]});
    let operations = world.request("POST", "/Bulk", &body).body["Operations"].clone();
    let details =
        operations.as_array().expect("a list").iter().map(|operation| &operation["response"]["detail"]);
    let failed =
        "`bulkId:b` stands for a resource that could not be created; mend that operation and send both again";
    let blank = "the required attribute `displayName` is missing or empty";
    assert_eq!(details.collect::<Vec<_>>(), [failed, blank, failed], "{operations}");
    assert_eq!(world.get("/Groups").body["totalResults"], 0);
}

/// Users of one address who refer to each other in a circle.
fn circle(count: usize) -> Value {
    let one = |at: usize| {
        let manager = json!({"value": format!("bulkId:{}", (at + 1) % count)});
        json!({"method": "POST", "path": "/Users", "bulkId": at.to_string(), "data": {
            "schemas": [USER, ENTERPRISE_USER], "userName": format!("u{at}"), "active": true,
            "emails": [{"value": "ada@example.com", "type": "work"}], ENTERPRISE_USER: {"manager": manager}}})
    };
    let operations: Vec<Value> = (0..count).map(one).collect();
    json!({"schemas": [scim_core::message::BULK_REQUEST], "Operations": operations})
}

#[test]
fn all_but_the_first_of_a_circle_are_told_that_their_address_is_taken() {
    let world = World::new(Idp::Generic);
    world.govern("[email]\nmode = \"warn\"\n");
    let answer = world.request("POST", "/Bulk", &circle(40));
    let operations = answer.body["Operations"].as_array().cloned().unwrap_or_default();
    assert!(operations.iter().all(|operation| operation["status"] == "201"), "{}", answer.body);
    assert_eq!(world.said(), vec![("email-taken".to_owned(), 1); 39]);
}

#[test]
fn a_circle_has_an_end() {
    let world = World::new(Idp::Generic);
    let answer = world.request("POST", "/Bulk", &circle(101));
    let operations = answer.body["Operations"].as_array().cloned().unwrap_or_default();
    assert_eq!(operations.len(), 101);
    for operation in operations {
        let detail = operation["response"]["detail"].as_str().unwrap_or_default().to_owned();
        assert!(operation["status"] == "400" && detail.contains("at most 100"), "{operation}");
    }
    assert_eq!(world.trace().0, 0);
}

#[test]
fn a_write_that_was_made_is_answered_so_whatever_its_tag() {
    let world = World::with(Idp::Generic, |settings| settings.max_members = 1);
    let id = world.user("ada");
    for name in ["red", "blue"] {
        world.group(name, &[&id]);
    }
    let data = json!({"schemas": [USER], "userName": "ada", "title": "Countess"});
    let put = json!({"method": "PUT", "path": format!("/Users/{id}"), "data": data});
    let change = json!([{"op": "add", "path": "nickName", "value": "Ada"}]);
    let patch = json!({"method": "PATCH", "path": format!("/Users/{id}"),
                       "data": {"schemas": [scim_core::patch::MESSAGE], "Operations": change}});
    let body = json!({"schemas": [scim_core::message::BULK_REQUEST], "Operations": [put, patch]});
    let answer = world.request("POST", "/Bulk", &body).body;
    for done in answer["Operations"].as_array().expect("a list") {
        assert_eq!((&done["status"], &done["version"]), (&json!("200"), &Value::Null), "{answer}");
    }
    let stored = world.stored(&id);
    assert_eq!((&stored["title"], &stored["nickName"]), (&json!("Countess"), &json!("Ada")));
}

/// A type of one's own says by its schema what refers to resources.
#[test]
fn a_bulk_id_counts_where_a_schema_of_the_operators_says_so() {
    const DEVICE: &str = "urn:example:Device";
    let value = |more: Value| {
        let mut subs = vec![json!({"name": "value"})];
        subs.extend(more.as_array().cloned().unwrap_or_default());
        subs
    };
    let uri = json!([{"name": "$ref", "type": "reference", "referenceTypes": ["User"]}]);
    let schema = json!({"id": DEVICE, "name": "Device", "attributes": [
        {"name": "owner", "type": "complex", "subAttributes": value(uri)},
        {"name": "users", "type": "complex", "multiValued": true, "subAttributes": value(json!([
            {"name": "type"}, {"name": "$ref", "type": "reference", "referenceTypes": ["User"]}]))},
        {"name": "code", "type": "complex", "subAttributes": value(json!([]))},
        {"name": "home", "type": "reference", "referenceTypes": ["User"]},
        {"name": "site", "type": "reference", "referenceTypes": ["external"]},
    ]});
    let device = json!({"name": "Device", "endpoint": "/Devices", "schema": DEVICE});
    let builder = Registry::builder().expect("built in").schema(&schema).expect("a schema");
    let registry = builder.resource_type(&device).expect("a type").build().expect("a registry");
    let (world, prepared) = World::new(Idp::Generic).restarted(registry);
    prepared.expect("nothing is stored");
    let data = json!({"schemas": [DEVICE], "owner": {"value": "bulkId:ada"},
                      "users": [{"type": "first", "value": "nobody"}], "code": {"value": "bulkId:ada"},
                      "home": "../Users/bulkId:ada", "site": "https://example.com/bulkId:ada"});
    let body = json!({"schemas": [scim_core::message::BULK_REQUEST], "Operations": [
        {"method": "POST", "path": "/Devices", "bulkId": "device", "data": data},
        {"method": "POST", "path": "/Users", "bulkId": "ada", "data": {"schemas": [USER], "userName": "ada"}},
        {"method": "PATCH", "path": "/Devices/bulkId:device", "data": {"schemas": [scim_core::patch::MESSAGE],
            "Operations": [{"op": "replace", "path": "users[type eq \"first\"].value", "value": "bulkId:ada"}]}},
    ]});
    let answer = world.request("POST", "/Bulk", &body).body;
    assert_eq!(answer["Operations"][0]["status"], "201", "{answer}");
    let ada = world.get("/Users").body["Resources"][0]["id"].as_str().expect("an identifier").to_owned();
    let device = world.get("/Devices").body["Resources"][0].clone();
    assert_eq!((&device["owner"]["value"], &device["code"]["value"]), (&json!(ada), &json!("bulkId:ada")));
    assert_eq!(device["users"], json!([{"type": "first", "value": ada}]));
    assert_eq!(device["home"], format!("../Users/{ada}"));
    assert_eq!(device["site"], "https://example.com/bulkId:ada");
}
