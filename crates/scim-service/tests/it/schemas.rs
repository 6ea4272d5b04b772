//! Schemas that change while resources are stored.

use scim_core::schema::Registry;
use scim_service::directory::Idp;
use serde_json::{Value, json};

use crate::world::World;

const DEVICE: &str = "urn:example:Device";

/// The built-in schemas and devices, whose `serial` is unique and whose `site` is indexed if asked.
fn registry(unique: bool, indexed: &[&str]) -> Registry {
    let uniqueness = if unique { "server" } else { "none" };
    let schema = json!({"id": DEVICE, "name": "Device", "attributes": [
        {"name": "serial", "uniqueness": uniqueness}, {"name": "site"},
    ]});
    let resource_type =
        json!({"name": "Device", "endpoint": "/Devices", "schema": DEVICE, "indexed": indexed});
    let builder = Registry::builder().expect("built in").schema(&schema).expect("a schema");
    builder.resource_type(&resource_type).expect("a type").build().expect("a registry")
}

fn device(world: &World, serial: &str, site: &str) -> String {
    let answer =
        world.request("POST", "/Devices", &json!({"schemas": [DEVICE], "serial": serial, "site": site}));
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.body);
    answer.id()
}

#[test]
fn what_becomes_indexed_or_unique_is_found_and_kept_unique() {
    let (world, prepared) = World::new(Idp::Generic).restarted(registry(false, &[]));
    prepared.expect("nothing is stored");
    let (first, second) = (device(&world, "X1", "Delft"), device(&world, "X2", "Aachen"));
    let before = world.get(&format!("/Devices/{first}")).body;

    let (world, prepared) = world.restarted(registry(true, &["site"]));
    prepared.expect("all serials differ");
    let found = |query: &str| {
        let body = world.get(&format!("/Devices?{query}")).body;
        let list = body["Resources"].as_array().cloned().unwrap_or_default();
        list.iter().map(|device| device["id"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("filter=site%20eq%20%22DELFT%22"), [first.as_str()]);
    assert_eq!(found("sortBy=site"), [second.as_str(), first.as_str()]);
    assert_eq!(world.get(&format!("/Devices/{first}")).body, before, "its version is the same");
    let taken = world.request("POST", "/Devices", &json!({"schemas": [DEVICE], "serial": "x1"}));
    assert_eq!((taken.status.as_u16(), taken.body["scimType"].clone()), (409, json!("uniqueness")));

    let (_, prepared) = world.restarted(registry(true, &["site"]));
    prepared.expect("nothing has changed");
}

#[test]
fn values_that_are_not_unique_cannot_become_so() {
    let (world, prepared) = World::new(Idp::Generic).restarted(registry(false, &[]));
    prepared.expect("nothing is stored");
    let ids = [device(&world, "X1", "Delft"), device(&world, "x1", "Aachen")];
    let (world, prepared) = world.restarted(registry(true, &[]));
    let detail = prepared.expect_err("the same serial twice").detail();
    assert!(detail.contains("`serial`") && detail.contains("tenant `acme`"), "{detail}");
    assert!(ids.iter().all(|id| detail.contains(id.as_str())), "{detail}");
    let (world, prepared) = world.restarted(registry(false, &[]));
    prepared.expect("the schemas from before");
    let patch = json!([{"op": "replace", "path": "serial", "value": "X2"}]);
    assert_eq!(world.patch(&format!("/Devices/{}", ids[1]), &patch).status.as_u16(), 200);
    let (world, prepared) = world.restarted(registry(true, &[]));
    prepared.expect("mended");
    assert_eq!(world.get("/Devices?filter=serial+eq+%22x2%22").body["totalResults"], json!(1));
    assert_ne!(world.get("/Devices").body["Resources"], Value::Null);
}

#[test]
fn keys_that_were_folded_otherwise_are_folded_anew() {
    let world = World::new(Idp::Generic);
    let user = |name: &str| json!({"schemas": [scim_core::schema::USER], "userName": name});
    let id = world.request("POST", "/Users", &user("STRAẞE")).id();
    world.as_of_first_folding(&id, "straße");
    let found =
        |world: &World| world.get("/Users?filter=userName%20eq%20%22strasse%22").body["totalResults"].clone();
    assert_eq!(found(&world), json!(0), "the key is an old one");
    let (world, prepared) = world.restarted(Registry::builtin().expect("built in"));
    prepared.expect("nothing is twice");
    assert_eq!(found(&world), json!(1));
    assert_eq!(world.request("POST", "/Users", &user("Strasse")).status.as_u16(), 409);
}
