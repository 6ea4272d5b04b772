//! One tenant and another, one identifier and another: rows 9 to 13.

use serde_json::{Value, json};

use super::{NOBODY, visible};
use crate::http::Client;
use crate::messages::{ENTERPRISE, bulk, group, id, members, op, user, user_with};
use crate::server::Server;

fn two_tenants() -> (Server, Client, Client) {
    let server = Server::start("");
    let (ours, theirs) = (server.tenant("acme", "generic"), server.tenant("umbrella", "generic"));
    (server, ours, theirs)
}

#[test]
fn row_09_another_tenants_id_is_nobodys_id() {
    let (_server, mut ours, mut theirs) = two_tenants();
    let foreign_user = id(&theirs.post("/Users", &user("ada")).expect(201));
    let foreign_group = id(&theirs.post("/Groups", &group("g", &[&foreign_user])).expect(201));
    let before =
        [theirs.get(&format!("/Users/{foreign_user}")), theirs.get(&format!("/Groups/{foreign_group}"))];
    for (endpoint, foreign) in [("/Users", &foreign_user), ("/Groups", &foreign_group)] {
        let body = if endpoint == "/Users" { user("eve") } else { group("eve", &[]) };
        let patch = crate::http::patch_body(json!([op("replace", "externalId", json!("eve"))]));
        for (method, body) in [("GET", None), ("PUT", Some(&body)), ("PATCH", Some(&patch)), ("DELETE", None)]
        {
            let mut answers =
                [foreign, NOBODY].map(|id| ours.with(method, &format!("{endpoint}/{id}"), &[], body));
            answers.iter().for_each(|answer| drop(answer.refused(404, "")));
            let dates = |(name, _): &(String, String)| name != "date" && name != "x-request-id";
            answers.iter_mut().for_each(|answer| answer.headers.retain(dates));
            assert_eq!(visible(&answers[0]), visible(&answers[1]), "{method} {endpoint}");
            assert_eq!(answers[0].headers, answers[1].headers, "{method} {endpoint}");
        }
        let in_bulk = [foreign, NOBODY].map(|id| {
            let path = format!("{endpoint}/{id}");
            let operations = json!([
                { "method": "PATCH", "path": path, "data": patch }, { "method": "PUT", "path": path, "data": body },
                { "method": "DELETE", "path": path }
            ]);
            let answer = ours.post("/Bulk", &bulk(operations));
            answer.expect(200);
            answer.text().replace(id, "ID")
        });
        assert_eq!(in_bulk[0], in_bulk[1]);
        assert!(in_bulk[0].contains("404"), "{}", in_bulk[0]);
        for filter in [
            format!("id eq \"{foreign}\""),
            format!("members.value eq \"{foreign_user}\""),
            "id pr".to_owned(),
        ] {
            let filter = crate::http::encode(&filter);
            let answer = ours.get(&format!("/Groups?filter={filter}"));
            assert!(answer.status == 400 || answer.json()["totalResults"] == 0, "{}", answer.text());
        }
    }
    let after =
        [theirs.get(&format!("/Users/{foreign_user}")), theirs.get(&format!("/Groups/{foreign_group}"))];
    assert_eq!(before.map(|answer| visible(&answer)), after.map(|answer| visible(&answer)));
}

#[test]
fn row_10_foreign_members_are_refused_and_managers_not_resolved() {
    let (_server, mut ours, mut theirs) = two_tenants();
    let foreign = id(&theirs.post("/Users", &user_with("ada", json!({ "displayName": "Ada" }))).expect(201));
    let own = id(&ours.post("/Users", &user("bob")).expect(201));
    let path = format!("/Groups/{}", id(&ours.post("/Groups", &group("g", &[&own])).expect(201)));
    let before = ours.get(&path);
    let naming = json!([{ "value": own }, { "value": foreign }]);
    let detail = ours.post("/Groups", &group("h", &[&own, &foreign])).refused(400, "invalidValue");
    assert!(detail.contains(&foreign) && !detail.contains(&own), "{detail}");
    ours.put(&path, &group("g", &[&foreign])).refused(400, "invalidValue");
    ours.patch(&path, json!([op("add", "members", json!([{ "value": foreign }]))]))
        .refused(400, "invalidValue");
    ours.patch(&path, json!([op("replace", "members", naming)])).refused(400, "invalidValue");
    ours.patch(&path, json!([{ "op": "add", "value": { "members": [{ "value": foreign }] } }]))
        .refused(400, "invalidValue");
    let answer = ours.post(
        "/Bulk",
        &bulk(json!([{ "method": "POST", "path": "/Groups", "bulkId": "g",
        "data": group("h", &[&foreign]) }])),
    );
    assert_eq!(answer.expect(200)["Operations"][0]["status"], "400");
    assert_eq!(visible(&ours.get(&path)), visible(&before));

    let managed = user_with("eve", json!({ ENTERPRISE: { "manager": { "value": foreign } } }));
    let managed = with_schema(managed);
    let manager = &ours.post("/Users", &managed).expect(201)[ENTERPRISE]["manager"];
    assert_eq!(manager["value"], foreign, "kept as it was sent");
    assert_eq!(manager["displayName"], Value::Null, "and not looked up at somebody else's");
}

fn with_schema(mut user: Value) -> Value {
    user["schemas"].as_array_mut().expect("a list").push(ENTERPRISE.into());
    user
}

#[test]
fn row_11_user_names_are_unique_within_a_tenant_only() {
    let (_server, mut ours, mut theirs) = two_tenants();
    let path = format!("/Users/{}", id(&theirs.post("/Users", &user("ada@example.com")).expect(201)));
    let before = theirs.get(&path);
    ours.post("/Users", &user("ada@example.com")).expect(201);
    ours.post("/Users", &user("ADA@example.com")).refused(409, "uniqueness");
    assert_eq!(visible(&theirs.get(&path)), visible(&before));
    assert_eq!(theirs.get("/Users").expect(200)["totalResults"], 1);
}

#[test]
fn row_12_an_external_id_is_never_an_id() {
    let (_server, mut client) = Server::with("generic");
    let ada = id(&client.post("/Users", &user("ada")).expect(201));
    for (number, external) in ["1", ada.as_str(), "../Users", "*"].into_iter().enumerate() {
        let body = user_with(&format!("user{number}"), json!({ "externalId": external }));
        let created = client.post("/Users", &body).expect(201);
        assert_ne!(id(&created), external);
        assert_eq!(created["externalId"], external);
        let found = client.get(&format!("/Users/{}", crate::http::encode(external)));
        assert!(found.status == 404 || found.json()["userName"] == "ada", "{external}: {}", found.text());
    }
    assert_eq!(client.get(&format!("/Users/{ada}")).expect(200)["userName"], "ada");
    client.put(&format!("/Users/{ada}"), &user("ada")).expect(200);
    assert_eq!(client.get("/Users").expect(200)["totalResults"], 5);
}

#[test]
fn row_13_an_id_in_the_body_never_counts() {
    let (_server, mut client) = Server::with("generic");
    let [ada, bob] = ["ada", "bob"].map(|name| id(&client.post("/Users", &user(name)).expect(201)));
    let before = client.get(&format!("/Users/{bob}"));
    let body = user_with(
        "eve",
        json!({ "id": bob, "meta": { "location": format!("/Users/{bob}"), "resourceType": "User" } }),
    );
    let replaced = client.put(&format!("/Users/{ada}"), &body).expect(200);
    assert_eq!((id(&replaced), &replaced["userName"]), (ada.clone(), &json!("eve")));
    let created = client.post("/Users", &user_with("mallory", json!({ "id": bob }))).expect(201);
    assert_ne!(id(&created), bob);
    assert_eq!(visible(&client.get(&format!("/Users/{bob}"))), visible(&before));
    let with_members = client.post("/Groups", &group("g", &[&bob])).expect(201);
    assert_eq!(members(&with_members), [bob.as_str()]);
}
