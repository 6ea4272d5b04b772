//! `scimd audit`: who did what, as a person reads it.

use serde_json::{Value, json};

use crate::messages::{bulk, group, id, op, user, user_with};
use crate::server::{Place, Server};

/// What a command lists.
#[track_caller]
pub(crate) fn listed(place: &Place, arguments: &[&str]) -> Vec<Value> {
    let printed = place.command(&[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&printed).expect("a list")
}

/// One cell of each row.
pub(crate) fn column(rows: &[Value], name: &str) -> Vec<Value> {
    rows.iter().map(|row| row[name].clone()).collect()
}

#[test]
fn a_trail_says_who_did_what_to_whom_and_by_which_request() {
    let server = Server::start("");
    let place = &server.place;
    let token = place.tenant("acme", "generic");
    let mut client = server.client("acme", &token);
    let policy = place.directory.write("acme.toml", "[domain]\nallow = [\"example.com\"]\n");
    place.command(&["policy", "apply", "acme", &policy.to_string_lossy()]);
    let ada = id(&client.post("/Users", &user_with("ada@example.com", json!({}))).expect(201));
    let admins = id(&client.post("/Groups", &group("Admins", &[])).expect(201));
    let join = json!([op("add", "members", json!([{ "value": ada }]))]);
    let joined = client.patch(&format!("/Groups/{admins}"), join);
    client.post("/Users", &user_with("eve@example.net", json!({}))).refused(400, "invalidValue");
    client.delete(&format!("/Users/{ada}")).expect(204);

    let rows = listed(place, &["audit", "list", "acme"]);
    assert_eq!(column(&rows, "number"), [1, 2, 3, 4, 5].map(Value::from));
    let actions = ["POST /Users", "POST /Groups", &format!("PATCH /Groups/{admins}"), "POST /Users"];
    assert_eq!(column(&rows, "action")[..4], actions.map(Value::from));
    assert_eq!(column(&rows, "status"), [201, 201, 204, 400, 204].map(Value::from));
    let of_token = token.split('_').nth(1).expect("an identifier");
    assert!(column(&rows, "actor").iter().all(|actor| actor == of_token), "{rows:?}");
    assert_eq!(rows[2]["request"], joined.header("x-request-id").expect("an identifier"));
    assert_eq!((&rows[2]["change"], &rows[2]["name"]), (&json!(["membersChanged"]), &json!(["Admins"])));
    assert_eq!(rows[2]["members"], json!([format!("added {ada}")]), "whoever is deleted has no name");
    assert_eq!((&rows[3]["reason"], &rows[3]["change"]), (&json!("domain-not-listed"), &json!([])));
    assert_eq!(rows[4]["change"], json!(["deleted", "membersChanged"]));
    assert_eq!(rows[4]["resource"], json!([ada, admins]));

    // Of whoever was created, too, although nobody knew the identifier when it was asked for.
    let of_ada = listed(place, &["audit", "list", "acme", "--resource", &ada]);
    assert_eq!(column(&of_ada, "number"), [1, 3, 5].map(Value::from));
    let numbers =
        |more: &[&str]| column(&listed(place, &[&["audit", "list", "acme"], more].concat()), "number");
    assert_eq!(numbers(&["--limit", "2"]), [4, 5].map(Value::from), "the latest");
    assert_eq!(numbers(&["--after", "0", "--limit", "2"]), [1, 2].map(Value::from));
    assert_eq!(numbers(&["--after", "3"]), [4, 5].map(Value::from));
    assert_eq!(numbers(&["--after", "5"]), [] as [Value; 0]);
    assert_eq!(numbers(&["--resource", &ada, "--limit", "1"]), [Value::from(5)]);
    let by_request = ["--request", joined.header("x-request-id").expect("an identifier")];
    assert_eq!(numbers(&by_request), [Value::from(3)]);
    assert_eq!(numbers(&["--request", "0"]), [] as [Value; 0]);
    let at = rows[2]["at"].as_str().expect("a moment");
    assert_eq!(numbers(&["--after", "3", "--at", at]), [4, 5].map(Value::from));
    let ran = place.run(&["audit", "list", "acme", "--after", "6"]);
    assert!(ran.code == Some(3) && ran.stderr.contains("audit entry 6 is not there yet"), "{ran:?}");
    let ran = place.run(&["audit", "list", "acme", "--after", "3", "--at", "2026-01-01T00:00:00Z"]);
    assert!(ran.code == Some(3) && ran.stderr.contains(&format!("entry 3 was made at {at}")), "{ran:?}");
    let shown = place.command(&["audit", "list", "acme"]);
    assert!(shown.starts_with("NUMBER  AT "), "{shown}");
    assert!(shown.contains("  (none); Admins  "), "the names of those who went keep their places: {shown}");
}

#[test]
fn administration_has_a_trail_too() {
    let place = Place::new("");
    place.tenant("acme", "generic");
    let token = place.tenant("umbrella", "okta");
    let token = token.split('_').nth(1).expect("an identifier");
    place.command(&["connection", "pause", "umbrella"]);
    place.command(&["token", "revoke", token]);
    let rows = listed(&place, &["audit", "administration", "umbrella"]);
    let expected = [
        ("cli:tenant create", "create tenant umbrella".to_owned()),
        ("cli:connection create", "create okta connection of umbrella".to_owned()),
        ("cli:token create", format!("create token {token} of umbrella")),
        ("cli:connection pause", "pause connection of umbrella".to_owned()),
        ("cli:token revoke", format!("revoke token {token} of umbrella")),
    ];
    assert_eq!(column(&rows, "actor"), expected.clone().map(|(actor, _)| Value::from(actor)));
    assert_eq!(column(&rows, "action"), expected.map(|(_, action)| Value::from(action)));
    let all = listed(&place, &["audit", "administration", "--after", "0"]);
    assert_eq!(all.len(), 8);
    assert_eq!(listed(&place, &["audit", "administration", "acme", "--limit", "1"])[0], all[2]);
    let ran = place.run(&["audit", "administration", "A!"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("is not a tenant name"), "{ran:?}");
}

/// More than are read at once, so that pages, and what was changed by the last before one, fit together.
#[test]
fn a_long_trail_is_put_together_over_pages() {
    let (server, mut client) = Server::with("generic");
    let place = &server.place;
    let mut ids: Vec<String> = Vec::new();
    for first in [0, 550] {
        let create = |number: usize| {
            let name = format!("u{number}");
            json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": user(&name) })
        };
        let operations: Vec<Value> = (first..first + 550).map(create).collect();
        let answer = client.post("/Bulk", &bulk(Value::Array(operations))).expect(200);
        let locations = answer["Operations"].as_array().expect("a list").iter().map(|one| &one["location"]);
        ids.extend(locations.map(|location| {
            let (_, id) = location.as_str().and_then(|text| text.rsplit_once('/')).expect("a location");
            id.to_owned()
        }));
    }
    for more in [&["--after", "0"] as &[&str], &["--limit", "1100"]] {
        let rows = listed(place, &[&["audit", "list", "acme"], more].concat());
        let changed: Vec<Value> = ids.iter().map(|id| json!([id])).collect();
        assert!(column(&rows, "resource") == changed, "{more:?}");
    }
    let first = listed(place, &["audit", "list", "acme", "--resource", &ids[3]]);
    assert_eq!(column(&first, "number"), [4]);
}
