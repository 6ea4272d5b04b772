//! People from a file, at the command line.

use serde_json::{Value, json};

use crate::server::{Place, Server};

const POLICY: &str =
    "[email]\n[domain]\nallow = [\"example.com\"]\n[required]\nfields = [\"first_name\", \"email\"]\n";

/// A tenant without a connection, and with rules.
fn place() -> Place {
    let place = Place::new("");
    place.command(&["tenant", "create", "acme"]);
    let file = place.directory.write("acme.toml", POLICY);
    place.command(&["policy", "apply", "acme", &file.to_string_lossy()]);
    place
}

/// The persons, each as its address and its first name.
fn persons(place: &Place) -> Vec<String> {
    let printed = place.command(&["person", "list", "acme", "--format", "json"]);
    let persons: Value = serde_json::from_str(&printed).expect("JSON");
    let text = |person: &Value, field: &str| person[field].as_str().unwrap_or("-").to_owned();
    let row = |person: &Value| {
        assert_eq!(
            person["active"], true,
            "it is no text, which programs would take for true whatever it says"
        );
        assert_eq!(person["extra"], json!({}));
        format!("{} {}", text(person, "email"), text(person, "first_name"))
    };
    let mut rows: Vec<String> = persons.as_array().expect("a list").iter().map(row).collect();
    // Rows are written together, so that who has the lower identifier is chance.
    rows.sort();
    rows
}

#[test]
fn a_file_is_imported_whole_or_not_at_all() {
    let place = place();
    let file = "\u{feff}Vorname;Nachname;E-Mail\r\nZoë;\"von\r\nX\";zoe@example.com\r\nBob;;bob@example.org\r\n;;\r\n;Y;ZOE@example.com\r\n";
    place.directory.write("staff.csv", file);
    let import = |more: &[&str]| {
        let columns = ["--column", "Vorname=first_name", "--column", "nachname=familyName"];
        let email = ["--column", "E-Mail=email"];
        place.run(&[&["person", "import", "acme", "staff.csv"][..], &columns, &email, more].concat())
    };
    let ran = import(&["--format", "json", "--dry-run"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let said: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let row = |row: &Value| json!([row["line"], row["severity"], row["code"], row["who"]]);
    assert_eq!(
        said.as_array().expect("a list").iter().map(row).collect::<Vec<_>>(),
        [
            json!([4, "error", "domain-not-listed", "bob@example.org"]),
            json!([6, "error", "uniqueness", "ZOE@example.com"]),
        ]
    );
    assert!(
        ran.stderr.contains("2 of 3 rows of staff.csv are refused; nothing was written"),
        "{}",
        ran.stderr
    );
    let findings = || place.command(&["findings", "list", "acme", "--format", "csv"]).lines().count() - 1;
    assert_eq!((persons(&place).len(), findings()), (0, 0), "a dry run leaves nothing");
    assert_eq!(import(&[]).code, Some(1));
    assert_eq!((persons(&place).len(), findings()), (0, 1), "a refusal by the rules is kept");

    let mended = file.replace("example.org", "example.com").replace(";;\r\n;Y;ZOE@example.com\r\n", "");
    place.directory.write("staff.csv", &mended);
    let ran = import(&["--dry-run"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("2 created, 0 updated, 0 unchanged; nothing was written"), "{}", ran.stderr);
    assert!(import(&[]).stderr.contains("2 created, 0 updated, 0 unchanged"));
    assert_eq!(persons(&place), ["bob@example.com Bob", "zoe@example.com Zoë"]);
    assert!(import(&[]).stderr.contains("0 created, 0 updated, 2 unchanged"));
}

#[test]
fn an_export_can_be_imported_again() {
    let place = place();
    let rows = "userName,first_name,email,title\n=cmd|1,'=Ada,ada@example.com,+1\n";
    place.directory.write("staff.csv", rows);
    place.command(&["person", "import", "acme", "staff.csv"]);
    let exported = place.command(&["person", "export", "acme", "--format", "csv"]);
    assert!(exported.contains(",'=Ada,,ada@example.com,"), "{exported}");
    place.directory.write("again.csv", &exported);
    let ignored = ["id", "user_group", "extra", "gender"].map(|name| ["--ignore", name]).concat();
    let user_name = "userName,first_name,email\n=cmd|1,'=Ada,ada@example.com\n";
    place.directory.write("same.csv", user_name);
    let ran = place.run(&["person", "import", "acme", "same.csv"]);
    assert!(ran.stderr.contains("0 created, 0 updated, 1 unchanged"), "{}", ran.stderr);
    // The userName is not in an export; the address would be another, and nobody may have it twice.
    let ran = place.run(&[&["person", "import", "acme", "again.csv"][..], &ignored].concat());
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("email-taken"), "{}", ran.stdout);
}

#[test]
fn what_cannot_be_imported_says_why() {
    let place = place();
    let check = |name: &str, bytes: &str, code: i32, expected: &str| {
        place.directory.write(name, bytes);
        let ran = place.run(&["person", "import", "acme", name]);
        assert_eq!((ran.code, ran.stderr.contains(expected)), (Some(code), true), "{name}: {}", ran.stderr);
    };
    check("a.xlsx", "PK\u{3}\u{4}", 2, "choose File, Save As, and the type CSV UTF-8");
    check("a.csv", "PK\u{3}\u{4}", 2, "is a workbook");
    check(
        "b.csv",
        "usrName,email\n",
        2,
        "b.csv: column 1 `usrName` is no attribute of a User; did you mean `userName`?",
    );
    check("c.csv", "", 2, "its first line names the columns");
    let ran = place.run(&["person", "import", "acme", "missing.csv"]);
    assert_eq!((ran.code, ran.stderr.contains("cannot read missing.csv")), (Some(2), true), "{}", ran.stderr);
}

#[test]
fn a_tenant_with_a_connection_has_one_source() {
    let (server, _) = Server::with("okta");
    server.place.directory.write("staff.csv", "userName\nada\n");
    let ran = server.place.run(&["person", "import", "acme", "staff.csv", "--dry-run"]);
    assert_eq!(ran.code, Some(1));
    for words in ["identity provider of kind okta, which is the only source", "scimd connection remove acme"]
    {
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
}

/// Where an identity provider has taken over since, nobody comes out of a file that was refused before.
#[test]
fn a_row_that_was_refused_is_not_carried_out_later() {
    let place = place();
    place.directory.write("staff.csv", "email,first_name,title\nbob@example.org,Bob,Brewer\n");
    assert_eq!(place.run(&["person", "import", "acme", "staff.csv"]).code, Some(1));
    let lenient = place.directory.write("lenient.toml", &POLICY.replace("example.com", "example.org"));
    let lenient = lenient.to_string_lossy();
    let compared = place.run(&["policy", "diff", "acme", &lenient]);
    assert!(compared.stderr.contains("0 would be accepted and 0 not"), "{compared:?}");
    place.command(&["policy", "apply", "acme", &lenient]);
    place.command(&["connection", "create", "acme", "--idp", "entra"]);
    let replayed: Value =
        serde_json::from_str(&place.command(&["replay", "acme", "--format", "json"])).expect("JSON");
    let why = replayed[0]["why"].as_str().unwrap_or_default();
    assert!(why.contains("a row of a file"), "{replayed}");
    assert_eq!(persons(&place), [""; 0]);
}

/// Whoever asks what is held about them is shown all of it, without a token, and without a connection.
#[test]
fn everything_that_is_stored_of_somebody_is_shown() {
    let place = place();
    place.directory.write("staff.csv", "email,first_name,title\nada@example.com,Ada,Countess\n");
    place.command(&["person", "import", "acme", "staff.csv"]);
    let listed = place.command(&["person", "list", "acme", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let id = listed[0]["id"].as_str().expect("an identifier");
    let shown = place.command(&["person", "show", "acme", id, "--user", "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let of = |name: &str| {
        let rows = shown.as_array().expect("a list");
        rows.iter().find(|row| row["attribute"] == name).map(|row| row["value"].clone()).unwrap_or_default()
    };
    assert_eq!((of("title"), of("id"), of("groups")), (json!("Countess"), json!(id), json!([])), "{shown}");
    assert_eq!(of("emails"), json!([{"type": "work", "value": "ada@example.com"}]));
    let nobody = place.run(&["person", "show", "acme", "nobody", "--user"]);
    assert!(nobody.code == Some(1) && nobody.stderr.contains("no person with the id `nobody`"), "{nobody:?}");
}
