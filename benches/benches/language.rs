//! What the language's other steps take for one ordinary user: decoding, patching, projecting, and matching a filter.
//! The measure is serde_json, reading or writing the same document.
//!
//! ```sh
//! cargo bench -p scim-bench --bench language
//! ```
#![expect(clippy::expect_used, reason = "a measurement fails by panicking")]

use scim_bench::{Contest, asked_to_measure, people};
use scim_core::document::Document;
use scim_core::filter::Filter;
use scim_core::patch::Patch;
use scim_core::project::Projection;
use scim_core::schema::Registry;
use scim_core::{decode, json};
use serde_json::{Value, json};

fn main() {
    if !asked_to_measure() {
        return;
    }
    let registry = Registry::builtin().expect("built in");
    let user = registry.endpoint("Users").expect("built in");
    let body = people::user(1);
    let text = body.to_string();
    let document = decode::resource(&body, user).expect("a user").document;
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [
            { "op": "replace", "path": "active", "value": false },
            { "op": "replace", "path": "emails[type eq \"work\"].value", "value": "ada@example.com" },
        ],
    });
    let decoded = Patch::decode(&patch, user).expect("a patch");
    let names = ["userName", "emails.value"];
    let some = Projection::parse(&names, &[], user).expect("a projection");
    let filter = Filter::parse("emails[type eq \"work\" and value co \"@example\"]", user).expect("a filter");

    println!("× is the time that serde_json takes to read the user into a tree, or to write it");
    let read = || serde_json::from_str::<Value>(&text).expect("JSON");
    Contest::new()
        .with("serde_json, read", read)
        .with("parse strictly", || json::parse(text.as_bytes()).expect("JSON"))
        .with("decode against the schema", || decode::resource(&body, user).expect("a user"))
        .print("decode");
    Contest::new()
        .with("serde_json, read", read)
        .with("decode the message", || Patch::decode(&patch, user).expect("a patch"))
        .with("apply to a document", || decoded.apply(&document, user).expect("fits"))
        .print("patch, two operations");
    Contest::new()
        .with("serde_json, write", || serde_json::to_vec(document.as_map()).expect("JSON"))
        .with("projection of a request", || Projection::parse(&names, &[], user).expect("a projection"))
        .with("projection that keeps all", || Projection::default_of(user))
        .with("apply, two attributes", || {
            let mut copy = document.as_map().clone();
            some.apply(&mut copy);
            copy
        })
        .print("project");
    Contest::new()
        .with("serde_json, read", read)
        .with("read a stored document", || Document::from_stored(text.as_bytes()).expect("stored"))
        .with("match a value path", || filter.matches(document.as_map()))
        .print("filter");
}
