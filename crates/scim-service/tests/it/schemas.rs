//! Schemas that change while resources are stored.

use scim_core::schema::Registry;
use scim_service::directory::Idp;
use scim_service::{Headers, NewRules};
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

const OTHERS: &str = "a server with other schemas, or of another version, has been started on this store";

#[test]
fn whoever_has_other_schemas_than_what_is_stored_serves_nothing() {
    let (old, prepared) = World::new(Idp::Generic).restarted(registry(false, &[]));
    prepared.expect("nothing is stored");
    device(&old, "X1", "Delft");
    // What it remembers of tenant and tokens is believed for some seconds.
    old.follow();
    assert_eq!(old.get("/Devices").status.as_u16(), 200);
    let new = old.beside(registry(true, &["site"]));
    assert!(!new.is_current(), "it is not prepared");
    new.prepare().expect("all serials differ");
    let second = json!({"schemas": [DEVICE], "serial": "x1"});
    let refused = old.request("POST", "/Devices", &second);
    assert_eq!(refused.status.as_u16(), 503, "{}", refused.body);
    assert!(
        refused.body["detail"].as_str().is_some_and(|detail| detail.starts_with(OTHERS)),
        "{}",
        refused.body
    );
    assert!(refused.head.headers.contains_key("retry-after"));
    assert_eq!(old.get("/Devices?filter=site+eq+%22delft%22").status.as_u16(), 503);
    assert!(!old.is_current());
    assert_eq!(new.request("POST", "/Devices", &second).status.as_u16(), 409);
    assert_eq!(new.get("/Devices?filter=site+eq+%22delft%22").body["totalResults"], json!(1));

    // With the schemas from before, those that have them go on.
    new.follow();
    let (again, prepared) = old.beside(registry(false, &[])).restarted(registry(false, &[]));
    prepared.expect("nothing is unique");
    device(&again, "x1", "Aachen");
    old.follow();
    assert_eq!(old.get("/Devices").body["totalResults"], json!(2));
    assert_eq!(new.request("POST", "/Devices", &second).status.as_u16(), 503);
}

#[test]
fn schemas_that_differ_in_nothing_that_is_kept_are_spoken_side_by_side() {
    let (one, prepared) = World::new(Idp::Generic).restarted(registry(false, &[]));
    prepared.expect("nothing is stored");
    one.follow();
    let builder = registry(false, &[]).to_builder();
    let schema = json!({"id": BADGE, "name": "Badge", "attributes": [{"name": "floor"}]});
    let builder = builder.schema(&schema).expect("a schema").extend("User", BADGE, false).expect("of users");
    let other = one.beside(builder.build().expect("a registry"));
    other.prepare().expect("nothing is to be derived");
    device(&one, "X1", "Delft");
    device(&other, "X2", "Delft");
    one.follow();
    assert_eq!(one.get("/Devices").body["totalResults"], json!(2));
}

#[test]
fn what_cannot_become_unique_keeps_nobody_else_from_serving() {
    let (world, prepared) = World::new(Idp::Generic).restarted(registry(false, &["site"]));
    prepared.expect("nothing is stored");
    let ids = [device(&world, "X1", "Delft"), device(&world, "x1", "Aachen")];
    world.follow();
    let recorded = world.directory_audit();
    let other = world.beside(registry(true, &[]));
    let detail = other.prepare().expect_err("the same serial twice").detail();
    assert!(ids.iter().all(|id| detail.contains(id.as_str())), "{detail}");
    assert_eq!(world.directory_audit(), recorded, "nothing was begun");
    assert_eq!(world.get("/Devices?filter=site+eq+%22delft%22").body["totalResults"], json!(1));
    device(&world, "X2", "Gouda");
}

/// Whenever it comes: somebody is there twice, and those with the schemas from before go on; or is refused.
#[test]
fn what_comes_while_others_are_shut_out_is_kept_or_refused() {
    let (mut kept, mut refused) = (0, 0);
    for looks in 0.. {
        let (old, prepared) = World::new(Idp::Generic).restarted(registry(false, &[]));
        prepared.expect("nothing is stored");
        device(&old, "X1", "Delft");
        // It believes what it has read of tenant and token.
        old.follow();
        old.get("/Devices");
        let new = old.beside(registry(true, &["site"]));
        let second = json!({"schemas": [DEVICE], "serial": "x1", "site": "Aachen"});
        old.interrupt_anyhow(looks, "POST", "/Devices", &second);
        let prepared = new.prepare();
        if !old.is_interrupted() {
            break;
        }
        let count = if let Err(error) = prepared {
            kept += 1;
            assert!(
                error.detail().contains("the schemas want `serial` of Device unique"),
                "{}",
                error.detail()
            );
            old.remember_otherwise("Device", |index| assert_eq!(index["unique"], json!([]), "as before"));
            let (again, prepared) = old.beside(registry(false, &[])).restarted(registry(false, &[]));
            prepared.expect("the schemas from before");
            assert_eq!(again.get("/Devices?filter=serial+eq+%22x1%22").body["totalResults"], json!(2));
            2
        } else {
            refused += 1;
            assert_eq!(new.get("/Devices?filter=site+eq+%22delft%22").body["totalResults"], json!(1));
            1
        };
        let lasting = if count == 2 { &old } else { &new };
        lasting.follow();
        assert_eq!(lasting.get("/Devices").body["totalResults"], json!(count), "after {looks} looks");
    }
    assert!(kept > 1 && refused > 1, "{kept} and {refused}");
}

#[test]
fn rules_that_change_while_all_is_derived_are_in_its_way_nowhere() {
    for looks in 0.. {
        let (old, prepared) = World::new(Idp::Generic).restarted(registry(false, &[]));
        prepared.expect("nothing is stored");
        device(&old, "X1", "Delft");
        let new = old.beside(registry(true, &["site"]));
        old.interrupt_by_pausing(looks);
        new.prepare().expect("only one");
        if !old.is_interrupted() {
            assert!(looks > 3, "{looks}");
            break;
        }
        assert!(new.is_current());
        assert_eq!(new.get("/Devices?filter=site+eq+%22delft%22").body["totalResults"], json!(1));
    }
}

#[test]
fn what_was_begun_is_derived_by_whoever_comes_next() {
    let (world, prepared) = World::new(Idp::Generic).restarted(registry(false, &[]));
    prepared.expect("nothing is stored");
    let (other, prepared) = world.beside(registry(false, &[])).restarted(registry(true, &[]));
    prepared.expect("nothing is there");
    device(&other, "X1", "Delft");
    // Ended when nothing was derived yet.
    other.remember_otherwise("Device", |index| index["entries"] = json!(["(begun)"]));
    assert_eq!(other.get("/Devices").status.as_u16(), 503);
    let (other, prepared) = other.restarted(registry(true, &[]));
    prepared.expect("all serials differ");
    assert_eq!(other.get("/Devices").body["totalResults"], json!(1));
}

#[test]
fn what_a_newer_version_has_folded_is_left_alone() {
    let (world, prepared) = World::new(Idp::Generic).restarted(Registry::builtin().expect("built in"));
    prepared.expect("nothing is stored");
    world.remember_otherwise("Group", |index| index["folding"] = json!(1_000));
    let recorded = world.directory_audit();
    assert_eq!(world.get("/Users").status.as_u16(), 503);
    let detail = world.prepare().expect_err("another version").detail();
    assert!(detail.starts_with("what is stored was derived by a newer version"), "{detail}");
    assert_eq!(world.directory_audit(), recorded);
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

const BADGE: &str = "urn:example:Badge";
const STAFF: &str = "urn:example:Staff";

/// A schema with one unique attribute.
fn unique(urn: &str, attribute: &str) -> Value {
    json!({"id": urn, "name": urn, "attributes": [{"name": attribute, "uniqueness": "server"}]})
}

/// The built-in schemas, and the staff number of a User.
fn with_staff() -> Registry {
    let builder = Registry::builder().expect("built in").schema(&unique(STAFF, "number")).expect("a schema");
    builder.extend("User", STAFF, false).expect("of users").build().expect("a registry")
}

/// The rules of a tenant whose Users have badges.
fn with_badges() -> NewRules {
    NewRules { schemas: Some(vec![unique(BADGE, "badge")]), ..NewRules::default() }
}

fn badged(name: &str, badge: &str) -> Value {
    json!({"schemas": [scim_core::schema::USER, BADGE], "userName": name, BADGE: {"badge": badge}})
}

fn found_by_badge(world: &World, badge: &str) -> Value {
    world.get(&format!("/Users?filter={BADGE}:badge%20eq%20%22{badge}%22")).body["totalResults"].clone()
}

#[test]
fn what_is_unique_in_one_tenant_stays_so_under_other_schemas_of_the_server() {
    let world = World::new(Idp::Generic);
    world.try_change(&with_badges()).expect("nobody is there");
    let created =
        |world: &World, name: &str| world.request("POST", "/Users", &badged(name, "7")).status.as_u16();
    assert_eq!((created(&world, "ada"), created(&world, "bob")), (201, 409));
    let (world, prepared) = world.restarted(with_staff());
    prepared.expect("no number is there twice");
    assert_eq!((found_by_badge(&world, "7"), created(&world, "cyd")), (json!(1), 409));
}

#[test]
fn whoever_has_other_schemas_than_the_servers_writes_nothing() {
    let (world, prepared) = World::new(Idp::Generic).restarted(with_staff());
    prepared.expect("nobody is there");
    let numbered = |name: &str| json!({"schemas": [scim_core::schema::USER, STAFF], "userName": name, STAFF: {"number": "42"}});
    assert_eq!(world.request("POST", "/Users", &numbered("ada")).status.as_u16(), 201);

    let command = world.beside(Registry::builtin().expect("built in"));
    let headers = Headers { names: vec!["userName".to_owned()], ..Headers::default() };
    for refused in [
        command.try_change(&NewRules::default()).map(drop),
        command.try_replay().map(drop),
        command.begin_import(&headers).map(drop),
    ] {
        let error = refused.expect_err("it has other schemas");
        assert!(
            error.detail().contains("other schemas of User") && error.detail().contains("--config"),
            "{error}"
        );
    }
    assert_eq!(world.request("POST", "/Users", &numbered("bob")).status.as_u16(), 409);
    world.beside(with_staff()).try_change(&NewRules::default()).expect("it has the same");
    assert_eq!(world.request("POST", "/Users", &numbered("bob")).status.as_u16(), 409);
}

#[test]
fn what_a_change_of_rules_left_undone_is_done_when_a_server_starts() {
    let world = World::new(Idp::Generic);
    let schema = json!({"id": BADGE, "name": "Badge", "attributes": [{"name": "badge"}]});
    let lax = NewRules { schemas: Some(vec![schema]), ..NewRules::default() };
    world.try_change(&lax).expect("nobody is there");
    let ids = ["ada", "bob"].map(|name| world.request("POST", "/Users", &badged(name, "7")).id());
    let error = world.try_change(&with_badges()).expect_err("a badge is there twice");
    assert!(
        error.detail().contains("are in force") && error.detail().contains(&ids[1]),
        "{}",
        error.detail()
    );

    let (world, prepared) = world.restarted(Registry::builtin().expect("built in"));
    prepared.expect("a server starts whatever the state of one tenant");
    let patch = json!([{"op": "replace", "path": format!("{BADGE}:badge"), "value": "8"}]);
    assert_eq!(world.patch(&format!("/Users/{}", ids[1]), &patch).status.as_u16(), 200);
    assert_eq!(world.request("POST", "/Users", &badged("cyd", "7")).status.as_u16(), 201, "not derived yet");
    let cyd = world.get("/Users?filter=userName%20eq%20%22cyd%22").body["Resources"][0]["id"].clone();
    world.request("DELETE", &format!("/Users/{}", cyd.as_str().expect("an id")), &Value::Null);

    let (world, prepared) = world.restarted(Registry::builtin().expect("built in"));
    prepared.expect("nothing is twice");
    assert_eq!(world.request("POST", "/Users", &badged("dot", "7")).status.as_u16(), 409);
    let audited = world.directory_audit();
    let (world, prepared) = world.restarted(Registry::builtin().expect("built in"));
    prepared.expect("nothing is left");
    assert_eq!(world.directory_audit(), audited, "once is enough");
}

#[test]
fn names_that_a_kind_of_connection_wants_unique_keep_no_server_from_starting() {
    let world = World::new(Idp::Generic);
    let ids = [world.group("Staff", &[]), world.group("Staff", &[])];
    let world = world.reconnected(Idp::Entra);
    world.change("[email]\n");
    assert_eq!(
        world
            .request(
                "POST",
                "/Groups",
                &json!({"schemas": [scim_core::schema::GROUP], "displayName": "staff"})
            )
            .status
            .as_u16(),
        409
    );
    assert!(ids.iter().all(|id| world.get(&format!("/Groups/{id}")).status.as_u16() == 200));
}
