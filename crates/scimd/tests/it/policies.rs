//! A customer's rules from the command line to the person records, while a server runs.

use serde_json::{Value, json};

use crate::http::Client;
use crate::messages::user_with;
use crate::server::{Place, Server};
use crate::transcript::{Request, Response, parse, run};
use crate::transcripts::send;

/// `tests/transcripts/customer/rules.json`: what the identity provider sends, and between that what the operator types.
#[test]
fn a_customer_of_entra_from_rules_to_persons() {
    let case = parse(include_str!("../transcripts/customer/rules.json")).expect("a case");
    let place = Place::new("");
    let server = Server { process: place.serve(), place };
    let token = server.place.tenant("acme", "entra");
    let url = server.url("acme");
    let mut client = Client::bare(server.process.address, &crate::server::base("acme"));
    let outcome = run(&case, &url, &token, "t0", &mut |request| match request.method.as_str() {
        "COMMAND" => Ok(command(&server.place, &request)),
        _ => send(&mut client, request),
    });
    outcome.unwrap_or_else(|reason| panic!("{reason}"));
}

/// Runs the command line of a step, with its body as a file. What it printed is the answer: as it is if that is JSON.
fn command(place: &Place, request: &Request) -> Response {
    let line = request.path.replace("%20", " ");
    let mut arguments: Vec<&str> = line.split(' ').collect();
    if let Some(text) = &request.body {
        place.directory.write("input.toml", text);
        arguments.push("input.toml");
    }
    let ran = place.run(&arguments);
    let is_json = serde_json::from_str::<Value>(&ran.stdout).is_ok();
    let body = match is_json {
        true => ran.stdout,
        false => json!({ "stdout": ran.stdout, "stderr": ran.stderr }).to_string(),
    };
    Response { status: if ran.code == Some(0) { 200 } else { 500 }, headers: Vec::new(), body }
}

#[test]
fn connections_without_groups_and_paused_ones_say_so() {
    let (server, mut client) = Server::with("entra");
    server.place.command(&["connection", "pause", "acme"]);
    client.get_until("paused", "/Users", |answer| answer.status == 403);
    server.place.command(&["connection", "remove", "acme"]);
    server.place.command(&["connection", "create", "acme", "--idp", "entra", "--users-only"]);
    client.get_until("connected again", "/Users", |answer| answer.status != 403);
    // The test of the connection looks at groups, whether they are to be provisioned or not, and fails by a 404.
    let probe = client.get("/Groups?excludedAttributes=members&filter=displayName+eq+%225d1e%22").expect(200);
    assert_eq!((&probe["totalResults"], &probe["Resources"]), (&json!(0), &json!([])), "{probe}");
    let write = client.post("/Groups", &crate::messages::group("Red", &[]));
    for answer in [write, client.get("/Groups/5d1e")] {
        assert_eq!(answer.status, 404);
        assert!(answer.text().contains("users only"), "{}", answer.text());
    }
    let types = client.get("/ResourceTypes").expect(200);
    assert_eq!(types["totalResults"], 1, "{types}");
}

#[test]
fn an_extension_is_declared_once() {
    let place = Place::new("");
    place.tenant("acme", "entra");
    let extension = json!({"id": "urn:example:2.0:User", "name": "Ours", "attributes": [{"name": "badge"}]});
    place.directory.write("ours.json", &extension.to_string());
    assert_eq!(place.run(&["schema", "add", "acme", "ours.json"]).code, Some(0));
    let again = place.run(&["schema", "add", "acme", "ours.json"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(
        again.stderr.contains("tenant `acme` has an extension `urn:example:2.0:User` already"),
        "{again:?}"
    );
    // What is declared can be compared with what should be.
    let listed: Value = place.command(&["schema", "list", "acme", "--format", "json"]).parse().expect("JSON");
    assert_eq!(listed, json!([{ "id": "urn:example:2.0:User", "name": "Ours", "document": extension }]));
    place.directory.write("ours.json", "{}");
    let wrong = place.run(&["schema", "add", "acme", "ours.json"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("ours.json: not a schema document"), "{wrong:?}");
}

/// Every section is optional, and a file that was cut off would turn all rules off.
#[test]
fn a_policy_without_any_section_is_refused() {
    let place = Place::new("");
    place.tenant("acme", "entra");
    for text in ["", "\n  # all that is left\n", "\u{feff}# all that is left\n"] {
        place.directory.write("acme.toml", text);
        for command in ["apply", "diff"] {
            let ran = place.run(&["policy", command, "acme", "acme.toml"]);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(
                ran.stderr.contains("acme.toml has no section, which would turn every rule off"),
                "{ran:?}"
            );
        }
    }
}

/// Somebody who asks to be forgotten may be named by what was refused of them, of others, and long ago.
#[test]
fn what_names_somebody_is_erased() {
    let (server, mut client) = Server::with("generic");
    let place = &server.place;
    let policy = place
        .directory
        .write("acme.toml", "[email]\nmode = \"enforce\"\n[domain]\nallow = [\"example.com\"]\n");
    place.command(&["policy", "apply", "acme", &policy.to_string_lossy()]);
    let with =
        |name: &str, email: &str| user_with(name, json!({"emails": [{"value": email, "type": "work"}]}));
    client.post("/Users", &with("eve", "eve@example.net")).refused(400, "invalidValue");
    client.post("/Users", &with("eve", "eve.e@example.com")).expect(201);
    client.post("/Users", &with("bob", "eve.e@example.com")).refused(400, "invalidValue");
    client.post("/Users", &with("mallory", "mallory@example.net")).refused(400, "invalidValue");
    let numbers = |more: &[&str]| {
        let arguments = [&["findings", "list", "acme", "--all", "--format", "json"], more].concat();
        let listed: Vec<Value> = serde_json::from_str(&place.command(&arguments)).expect("a list");
        listed.iter().map(|row| (row["number"].clone(), row["settled"] == true)).collect::<Vec<_>>()
    };
    let of_eve = [(1, true), (2, false)].map(|(number, settled)| (Value::from(number), settled));
    assert_eq!(numbers(&["--person", "Eve"]), of_eve, "what was said of others names her too");
    let ran = place.run(&["findings", "erase", "acme", "1", "2"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr, "erased finding 1: POST /Users\nerased finding 2: POST /Users\n");
    assert_eq!(numbers(&[]), [(Value::from(3), false)]);
    let trail = place.command(&["audit", "list", "acme", "--limit", "1", "--format", "json"]);
    let trail: Vec<Value> = serde_json::from_str(&trail).expect("a list");
    assert_eq!(
        (&trail[0]["actor"], &trail[0]["action"]),
        (&json!("cli:findings erase"), &json!("erase finding 2 of POST /Users"))
    );
    let again = place.run(&["findings", "erase", "acme", "2"]);
    assert!(again.code == Some(1) && again.stderr.contains("no finding with the number 2"), "{again:?}");
    assert_eq!(
        place.run(&["findings", "erase", "acme"]).code,
        Some(2),
        "nothing is erased by leaving it out"
    );
}

#[test]
fn what_will_never_be_sent_again_is_dismissed() {
    let (server, mut client) = Server::with("generic");
    let place = &server.place;
    let policy = place.directory.write("acme.toml", "[domain]\nallow = [\"example.com\"]\n");
    place.command(&["policy", "apply", "acme", &policy.to_string_lossy()]);
    let eve = user_with("eve@example.net", json!({}));
    client.post("/Users", &eve).refused(400, "invalidValue");
    client.post("/Users", &user_with("mallory@example.net", json!({}))).refused(400, "invalidValue");
    let listed = |more: &[&str]| -> Vec<Value> {
        let arguments = [&["findings", "list", "acme", "--format", "json"], more].concat();
        serde_json::from_str(&place.command(&arguments)).expect("a list")
    };
    let numbers = |more: &[&str]| listed(more).iter().map(|row| row["number"].clone()).collect::<Vec<_>>();
    assert_eq!(numbers(&[]), [1, 2].map(Value::from));
    place.command(&["findings", "dismiss", "acme", "1"]);
    assert_eq!(numbers(&[]), [2].map(Value::from));
    let all = listed(&["--all"]);
    assert_eq!((all.len(), &all[0]["settled"]), (2, &json!(true)));
    let trail = place.command(&["audit", "list", "acme", "--limit", "2", "--format", "json"]);
    let trail: Vec<Value> = serde_json::from_str(&trail).expect("a list");
    assert_eq!(trail[1]["actor"], "cli:findings dismiss");
    assert_eq!(trail[1]["action"], "dismiss finding 1 of POST /Users");
    for (numbers, words) in
        [(["1"], "no open finding with the number 1"), (["9"], "see `scimd findings list acme`")]
    {
        let ran = place.run(&[&["findings", "dismiss", "acme"], &numbers[..]].concat());
        assert!(ran.code == Some(1) && ran.stderr.contains(words), "{ran:?}");
    }
    assert_eq!(
        place.run(&["findings", "dismiss", "acme"]).code,
        Some(2),
        "nothing is dismissed by leaving it out"
    );

    // It is not carried out again, and is news if it comes again.
    let lenient =
        place.directory.write("lenient.toml", "[domain]\nallow = [\"example.com\", \"example.net\"]\n");
    place.command(&["policy", "apply", "acme", &lenient.to_string_lossy()]);
    let replayed = place.command(&["replay", "acme", "--format", "csv"]);
    assert!(replayed.contains("mallory") && !replayed.contains("eve"), "{replayed}");
    assert!(replayed.ends_with(",accepted,,2\r\n"), "it is named as in the list of findings: {replayed}");
    place.command(&["policy", "apply", "acme", &policy.to_string_lossy(), "--anyway"]);
    client.post("/Users", &eve).refused(400, "invalidValue");
    assert_eq!(numbers(&[]), [3].map(Value::from));
}

#[test]
fn an_extension_is_changed_and_removed_where_nothing_is_lost() {
    const URN: &str = "urn:example:Site";
    let (server, mut client) = Server::with("generic");
    let place = &server.place;
    let schema = |attributes: Value| {
        let schema = json!({ "id": URN, "name": "Site", "attributes": attributes });
        place.directory.write("site.json", &schema.to_string()).to_string_lossy().into_owned()
    };
    place.command(&["schema", "add", "acme", &schema(json!([{ "name": "site" }, { "name": "floor" }]))]);
    let user = |name: &str, site: Value| {
        user_with(name, json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", URN], URN: site }))
    };
    let ada = client.post("/Users", &user("ada", json!({ "site": "Ulm" }))).expect(201);
    let refused = |arguments: &[&str], words: &str| {
        let ran = place.run(arguments);
        assert!(ran.code == Some(1) && ran.stderr.contains(words), "{words}: {ran:?}");
    };
    let same = schema(json!([{ "name": "site" }]));
    refused(&["schema", "replace", "acme", &same], "the connection of tenant `acme` is in use");
    place.command(&["connection", "pause", "acme"]);
    let replace = |attributes: Value, words: &str| {
        refused(&["schema", "replace", "acme", &schema(attributes)], words);
    };
    replace(
        json!([{ "name": "floor" }]),
        "1 Users have values of `urn:example:Site` that would not stay what they are",
    );
    replace(json!([{ "name": "site", "type": "integer" }]), "the first `");
    replace(json!([{ "name": "site" }, { "name": "room", "required": true }]), "`urn:example:Site:room`");
    replace(json!([{ "name": "site", "uniqueness": "server" }]), "`site` cannot become unique");
    replace(json!([{ "name": "site" }, { "name": "pin", "returned": "never" }]), "never returned");
    refused(&["schema", "remove", "acme", URN], "neither found nor removed");
    refused(&["schema", "remove", "acme", "urn:example:Cite"], "has no extension `urn:example:Cite`");

    // What nobody has goes, and what is new comes.
    let other = schema(json!([{ "name": "site", "caseExact": true }, { "name": "desk", "type": "integer" }]));
    place.command(&["schema", "replace", "acme", &other]);
    place.command(&["connection", "resume", "acme"]);
    let path = format!("/Users/{}", ada["id"].as_str().expect("an identifier"));
    client.get_until("replaced", &format!("/Schemas/{URN}"), |answer| answer.text().contains("desk"));
    assert_eq!(client.get(&path).expect(200), ada, "nothing of it has changed");
    client.post("/Users", &user("bob", json!({ "desk": 7 }))).expect(201);
    let found = |client: &mut Client, site: &str| {
        client.get(&format!("/Users?filter={URN}:site%20eq%20%22{site}%22")).expect(200)["totalResults"]
            .clone()
    };
    assert_eq!((found(&mut client, "Ulm"), found(&mut client, "ulm")), (json!(1), json!(0)));

    let all = client.get("/Users").expect(200);
    for resource in all["Resources"].as_array().expect("a list") {
        let path = format!("/Users/{}", resource["id"].as_str().expect("an identifier"));
        let name = resource["userName"].as_str().expect("a text");
        client.put(&path, &user_with(name, json!({}))).expect(200);
    }
    place.command(&["connection", "pause", "acme"]);
    place.command(&["schema", "remove", "acme", URN]);
    assert_eq!(place.command(&["schema", "list", "acme", "--format", "json"]).trim(), "[]");
    let trail = place.command(&["audit", "administration", "acme", "--format", "csv"]);
    assert!(trail.contains("cli:schema remove"), "{trail}");
}
