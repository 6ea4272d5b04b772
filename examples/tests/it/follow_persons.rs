//! People are pushed to one process; another follows them into a table of its own.

use std::fs;
use std::process::{Command, Output};

use scim_core::time::Timestamp;
use scim_store::persons::Mark;
use serde_json::Value;

use crate::axum_app::{App, user};

fn follow(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_follow_persons")).args(arguments).output().expect("runs")
}

#[test]
fn a_table_follows_and_goes_on_where_it_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_str().expect("text").to_owned();
    let (store, table) = (path("people.db"), path("table.json"));
    let missing = follow(&[&store, "demo", &table]);
    assert!(
        !missing.status.success() && String::from_utf8_lossy(&missing.stderr).contains(&store),
        "{missing:?}"
    );

    let app = App::start(&[&store]);
    let followed = || {
        let output = follow(&[&store, "demo", &table]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let id = |user: &Value| user["id"].as_str().expect("an identifier").to_owned();
    let (ada, bob, eve) = (
        id(&app.create(&user("ada", true))),
        id(&app.create(&user("bob", true))),
        id(&app.create(&user("eve", false))),
    );
    assert_eq!(followed(), format!("joined {ada} ada@example.com\njoined {bob} bob@example.com\n"));
    assert_eq!(followed(), "");
    let kept = fs::read(&table).expect("a table");

    let patch = |id: &str, operation: &str| {
        let body = format!(
            r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{operation}]}}"#
        );
        let (status, body) = app.send("PATCH", &format!("/t/demo/scim/v2/Users/{id}"), &body);
        assert_eq!(status, 200, "{body}");
    };
    patch(&ada, r#"{"op":"replace","path":"name.familyName","value":"Lovelace"}"#);
    patch(&bob, r#"{"op":"replace","path":"active","value":false}"#);
    assert_eq!(app.send("DELETE", &format!("/t/demo/scim/v2/Users/{eve}"), "").0, 204);
    let expected = format!("changed {ada} ada@example.com\nleft {bob} bob@example.com\n");
    assert_eq!(followed(), expected);
    let ended = fs::read(&table).expect("a table");
    let read = |table: &[u8]| serde_json::from_slice::<Value>(table).expect("JSON");
    let mark = |table: &[u8]| {
        let mark = read(table)["mark"].as_str().and_then(|mark| mark.parse::<Mark>().ok());
        mark.expect("a mark").sequence
    };
    assert_eq!(mark(&ended), mark(&kept) + 3, "each run goes on where the one before ended");
    let people = &read(&ended)["people"];
    assert_eq!(people[&ada]["last_name"], "Lovelace");
    assert_eq!(people[&bob]["active"], false);
    assert_eq!(people.get(&eve), None);

    // As if it had ended before it kept what it took over.
    fs::write(&table, kept).expect("written");
    assert_eq!(followed(), expected);
    assert_eq!(fs::read(&table).expect("a table"), ended);

    // As if the store had been set back: the number is another change's, and somebody has never been there.
    let mut table_of_before = read(&ended);
    let other = Mark {
        at: Some(Timestamp(1)),
        ..table_of_before["mark"].as_str().expect("a text").parse().expect("a mark")
    };
    table_of_before["mark"] = Value::from(other.to_string());
    table_of_before["people"]["nobody"] = table_of_before["people"][&ada].clone();
    fs::write(&table, table_of_before.to_string()).expect("written");
    assert_eq!(followed(), "left nobody ada@example.com\n");
    assert_eq!(read(&fs::read(&table).expect("a table")), read(&ended));
}
