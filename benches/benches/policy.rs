//! What judging one ordinary user takes: mapping and every rule. The measure is serde_json, reading the same user.
//!
//! ```sh
//! cargo bench -p scim-bench --bench policy
//! ```
#![expect(clippy::expect_used, reason = "a measurement fails by panicking")]

use scim_bench::{Contest, asked_to_measure};
use scim_core::decode;
use scim_core::schema::{ENTERPRISE_USER, Registry, USER};
use scim_policy::{Policy, PolicyFile, preset};
use serde_json::{Value, json};

fn main() {
    if !asked_to_measure() {
        return;
    }
    let registry = Registry::builtin().expect("built in");
    let users = registry.endpoint("Users").expect("built in");
    let body = json!({
        "schemas": [USER, ENTERPRISE_USER], "userName": "ada@example.com", "externalId": "26118915", "active": true,
        "displayName": "Dr. Ada Lovelace", "title": "Engineer", "preferredLanguage": "de-DE",
        "name": { "givenName": "Ada", "familyName": "Lovelace", "formatted": "Dr. Ada Lovelace", "honorificPrefix": "Dr." },
        "emails": [{ "value": "ada@example.com", "type": "work", "primary": true }],
        "phoneNumbers": [{ "value": "+49 30 555", "type": "work" }],
        (ENTERPRISE_USER): { "department": "Research", "employeeNumber": "4711" },
    });
    let document = decode::resource(&body, users).expect("a user").document;
    let text = body.to_string();
    let workforce = preset::named("workforce").expect("there").text;
    let enforcing = PolicyFile::parse(workforce).compile(users).expect("a policy");
    let elsewhere = workforce.replace("example.com", "example.org");
    let refusing = PolicyFile::parse(&elsewhere).compile(users).expect("a policy");
    let bare = Policy::protocol_only(users);
    assert!(!enforcing.judge(document.as_map()).is_refused());
    Contest::new()
        .with("serde_json, read", || serde_json::from_str::<Value>(&text).expect("JSON"))
        .with("no policy", || bare.judge(document.as_map()))
        .with("the preset", || enforcing.judge(document.as_map()))
        .with("the preset, refused", || refusing.judge(document.as_map()).refusal().expect("refused"))
        .with("the preset, explained", || enforcing.explain(document.as_map()))
        .print("judge a user");
}
