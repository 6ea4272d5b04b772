//! A customer's rules from the command line to the person records, while a server runs.

use serde_json::{Value, json};

use crate::http::Client;
use crate::messages::{group, id, op, user_with};
use crate::server::Server;

const EXTENSION: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";

const POLICY: &str = r#"
[mapping]
undeclared = "accept"
gender = ["urn:ietf:params:scim:schemas:extension:acme:2.0:User:gender"]
[email]
[domain]
allow = ["example.com", "example.org"]
[collective]
[language]
default = "de"
supported = ["de", "en", "fr"]
[group]
on_conflict = "refuse"
[gender]
vocabulary = {}
[required]
fields = ["first_name", "last_name", "email"]
"#;

fn person(address: &str, given: &str, family: &str, language: &str, gender: &str) -> Value {
    user_with(
        address,
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", EXTENSION],
            "active": true,
            "name": { "givenName": given, "familyName": family },
            "emails": [{ "type": "work", "value": address, "primary": true }],
            "preferredLanguage": language,
            EXTENSION: { "gender": gender },
        }),
    )
}

/// The persons without their identifiers, in the order they came.
fn persons(server: &Server) -> Vec<Value> {
    let printed = server.place.command(&["person", "export", "acme", "--format", "json"]);
    let persons: Value = serde_json::from_str(&printed).expect("JSON");
    let fields = ["first_name", "email", "gender", "language", "locale", "user_group", "active"];
    let row = |person: &Value| fields.iter().map(|&field| person[field].clone()).collect::<Value>();
    persons.as_array().expect("a list").iter().map(row).collect()
}

fn apply(server: &Server, policy: &str) {
    let file = server.place.directory.write("acme.toml", policy);
    server.place.command(&["policy", "apply", "acme", &file.to_string_lossy()]);
}

/// The answer once the server has noticed what a command changed.
fn noticed(client: &mut Client, body: &Value, status: u16) -> Value {
    let answer = client.post("/Users", body);
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.json()
}

#[test]
fn a_customer_of_entra_from_rules_to_persons() {
    let (server, mut client) = Server::with("entra");
    apply(&server, POLICY);
    let refused = noticed(&mut client, &person("frontdesk@example.com", "", "", "de", "w"), 400);
    assert!(
        refused["detail"].as_str().is_some_and(|text| text.starts_with("collective-address")),
        "{refused}"
    );
    let ada =
        id(&client.post("/Users", &person("ada@example.com", "Ada", "Lovelace", "en-GB", "w")).expect(201));
    let grace =
        id(&client.post("/Users", &person("grace@EXAMPLE.org", "Grace", "Hopper", "fr_CA", "W")).expect(201));
    let alan = person("alan@example.net", "Alan", "Turing", "pl", "m");
    client.post("/Users", &alan).refused(400, "invalidValue");

    let red = id(&client.post("/Groups", &group("Red", &[&ada, &grace])).expect(201));
    let blue = id(&client.post("/Groups", &group("Blue", &[])).expect(201));
    let join = json!([op("Add", "members", json!([{ "value": grace }]))]);
    let detail = client.patch(&format!("/Groups/{blue}"), join).refused(400, "invalidValue");
    assert!(detail.contains("Red"), "{detail}");
    assert_eq!(
        persons(&server),
        [
            json!(["Ada", "ada@example.com", "unknown", "en", "en-GB", "Red", "true"]),
            json!(["Grace", "grace@example.org", "unknown", "fr", "fr-CA", "Red", "true"]),
        ]
    );

    // The vocabulary is filled in, a domain is added, and Grace leaves Red.
    let mended = POLICY
        .replace("vocabulary = {}", "vocabulary = { m = \"male\", w = \"female\" }")
        .replace("\"example.org\"", "\"example.org\", \"example.net\"");
    let file = server.place.directory.write("mended.toml", &mended);
    let file = file.to_string_lossy();
    let diff = server.place.command(&["policy", "diff", "acme", &file, "--format", "csv"]);
    assert!(diff.contains("changed,ada@example.com,gender: unknown -> female"), "{diff}");
    assert!(diff.contains("accepted,userName:alan@example.net,POST /Users"), "{diff}");
    server.place.command(&["policy", "apply", "acme", &file]);
    let leave = json!([op("Remove", "members", json!([{ "value": grace }]))]);
    client.patch(&format!("/Groups/{red}"), leave).expect(204);
    let replayed = server.place.command(&["replay", "acme", "--format", "csv"]);
    assert_eq!(replayed.matches(",accepted,").count(), 2, "{replayed}");
    assert_eq!(
        persons(&server),
        [
            json!(["Ada", "ada@example.com", "female", "en", "en-GB", "Red", "true"]),
            json!(["Grace", "grace@example.org", "female", "fr", "fr-CA", "Blue", "true"]),
            json!(["Alan", "alan@example.net", "male", "de", "de", null, "true"]),
        ]
    );
    let findings = server.place.command(&["findings", "list", "acme", "--rule", "collective-address"]);
    assert!(findings.contains("frontdesk@example.com"), "{findings}");
    assert_eq!(server.place.command(&["policy", "show", "acme"]), mended);
}

#[test]
fn connections_without_groups_and_paused_ones_say_so() {
    let (server, mut client) = Server::with("entra");
    server.place.command(&["connection", "pause", "acme"]);
    let paused = |client: &mut Client| client.get("/Users").status == 403;
    let since = std::time::Instant::now();
    while !paused(&mut client) {
        assert!(since.elapsed().as_secs() < 10, "the server does not follow");
    }
    server.place.command(&["connection", "remove", "acme"]);
    server.place.command(&["connection", "create", "acme", "--idp", "entra", "--users-only"]);
    let since = std::time::Instant::now();
    while paused(&mut client) {
        assert!(since.elapsed().as_secs() < 10, "the server does not follow");
    }
    let answer = client.get("/Groups");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("users only"), "{}", answer.text());
    let types = client.get("/ResourceTypes").expect(200);
    assert_eq!(types["totalResults"], 1, "{types}");
}
