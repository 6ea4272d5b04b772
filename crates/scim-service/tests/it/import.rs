//! Rows of a file on their way into a tenant without a connection.

use scim_core::person::Gender;
use scim_service::Headers;
use scim_service::directory::Idp;
use serde_json::json;

use crate::world::World;

const POLICY: &str = r#"
[mapping]
undeclared = "accept"
gender = "urn:example:acme:User:gender"
[email]
[domain]
allow = ["example.com"]
[gender]
vocabulary = { w = "female" }
[required]
fields = ["first_name"]
[mapping.fields]
badge = "urn:example:acme:User:badge"
"#;

/// A tenant with rules and without a connection.
fn tenant() -> World {
    let world = World::new(Idp::Generic).disconnected();
    world.govern(POLICY);
    world
}

#[test]
fn a_tenant_with_a_connection_has_one_source() {
    let world = World::new(Idp::Okta);
    let error = world.begin_import(&headers(&["userName"])).expect_err("it is connected");
    let detail = error.detail();
    assert_eq!(error.kind().status(), 403);
    assert!(
        detail.contains("kind okta, which is the only source") && detail.contains("connection remove acme"),
        "{detail}"
    );
}

fn headers(names: &[&str]) -> Headers {
    Headers { names: names.iter().map(|&name| name.to_owned()).collect(), ..Headers::default() }
}

#[test]
fn what_is_in_the_file_is_written_once() {
    let world = tenant();
    let names = ["First Name", "familyname", "E-Mail", "gender", "department", "badge", "active"];
    let mut headers = headers(&names);
    headers.renamed = vec![("e-mail".to_owned(), "email".to_owned())];
    let ada = ["Ada", "Lovelace", "ada@example.com", "W", "Research", "", ""];
    let grace = ["Grace", "Hopper", "grace@example.com", "m", "", "7", "no"];
    let rows = [&ada[..], &grace[..]];
    assert_eq!(world.rehearsed(&headers, &rows), ["created", "created"]);
    assert_eq!(world.persons().len(), 0, "a rehearsal writes nobody");
    assert_eq!(world.imported(&headers, &rows), ["created", "created"]);
    let persons = world.persons();
    let person = |name: &str| {
        &persons.iter().find(|one| one.person.first_name.as_deref() == Some(name)).expect(name).person
    };
    assert_eq!((person("Ada").gender, person("Ada").active), (Some(Gender::Female), true));
    assert_eq!((person("Grace").gender, person("Grace").active), (Some(Gender::Unknown), false));
    assert_eq!(person("Grace").extra["badge"], "7");
    let user = world.stored(&persons[0].id);
    assert_eq!(user["userName"], "ada@example.com", "the address is taken for it");
    assert_eq!(user["emails"], json!([{"type": "work", "value": "ada@example.com"}]));
    assert_eq!(
        user["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        json!({"department": "Research"})
    );

    let before = world.trace();
    assert_eq!(world.imported(&headers, &rows), ["unchanged", "unchanged"]);
    assert_eq!(world.trace(), before, "nothing is written, not even an audit entry");
    assert_eq!(world.said(), [("gender-unmapped".to_owned(), 1)]);

    // What has no column stays, what is empty goes, and who is not in the file is left alone.
    let less = self::headers(&["USERNAME", "title", "department", "active"]);
    assert_eq!(world.imported(&less, &[&["Ada@Example.com", "Countess", "", "FALSE"]]), ["updated"]);
    let user = world.stored(&persons[0].id);
    assert_eq!((&user["title"], &user["active"]), (&json!("Countess"), &json!(false)));
    assert_eq!(user["name"], json!({"givenName": "Ada", "familyName": "Lovelace"}));
    assert!(user["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"].is_null(), "{user}");
    assert_eq!(world.persons().len(), 2);
    // An empty cell lets nobody in again.
    assert_eq!(world.imported(&less, &[&["Ada@Example.com", "Countess", "", ""]]), ["unchanged"]);
}

#[test]
fn rows_know_of_each_other() {
    let world = tenant();
    let headers = headers(&["userName", "first_name", "email", "active"]);
    world.imported(
        &headers,
        &[&["ada", "Ada", "one@example.com", ""], &["bob", "Bob", "two@example.com", ""]],
    );
    let taken = |rows: &[&[&str]]| world.rehearsed(&headers, rows);
    const TAKEN: &str = "email-taken at emails[type eq \"work\"].value: `one@example.com` is the address of the user `ada` \
                         already; give each person their own, or deactivate the other";
    assert_eq!(taken(&[&["cy", "Cy", "ONE@example.com", ""]]), [TAKEN]);
    let moves = [&["ada", "Ada", "three@example.com", ""][..], &["cy", "Cy", "ONE@example.com", ""]];
    assert_eq!(taken(&moves), ["updated", "created"]);
    assert_eq!(taken(&[moves[1], moves[0]]), [TAKEN, "updated"]);
    let left = [&["ada", "Ada", "one@example.com", "false"][..], &["cy", "Cy", "ONE@example.com", ""]];
    assert_eq!(taken(&left), ["updated", "created"]);
    let twice = [&["cy", "Cy", "x@example.com", ""][..], &["dee", "Dee", "X@EXAMPLE.COM", ""]];
    assert!(taken(&twice)[1].starts_with("email-taken"));
    let same = [&["Straße", "Cy", "", ""][..], &["STRASSE", "Cy", "", ""]];
    assert_eq!(
        taken(&same),
        ["created", "the userName `STRASSE` is in line 2 already; leave one of the two rows out"]
    );
    assert_eq!(
        taken(&[&[" ", "Cy", "", ""]]),
        ["the row has no userName; give everybody a userName, or an address, which is taken for it"]
    );
    let wrong = taken(&[&["cy", "Cy", "", "maybe"]]);
    assert_eq!(wrong, ["`maybe` is no truth value; write `true` or `false`"]);
    assert_eq!(world.said(), [], "a dry run leaves nothing");
}

/// Whatever the store is: one of them could not keep it.
#[test]
fn what_no_database_can_hold_is_refused() {
    let world = tenant();
    let headers =
        Headers { ignored: vec!["note".to_owned()], ..headers(&["userName", "first_name", "note"]) };
    const NUL: &str = "the cell holds the character NUL (`\\u0000`); take it out";
    let rows: [&[&str]; 3] = [&["ada", "A\0da", ""], &["b\0b", "Bob", ""], &["cy", "Cy", "\0"]];
    assert_eq!(world.rehearsed(&headers, &rows), [NUL, NUL, "created"]);
    assert_eq!(world.imported(&headers, &rows), [NUL, NUL, "created"]);
}

#[test]
fn columns_are_understood_or_explained() {
    let world = tenant();
    let check = |names: &[&str], expected: &str| {
        let told = world.begin_import(&headers(names)).err().map(|error| error.detail()).unwrap_or_default();
        assert_eq!(told, expected, "{names:?}");
    };
    check(
        &["userName", "givenName", "NAME.FAMILYNAME", "preferredLanguage", "externalId", "displayName"],
        "",
    );
    check(&["userName", "emails[type eq \"home\"].value", "urn:example:acme:User:badge", "manager.value"], {
        "column 4 `manager.value` is no column: `manager` is not an attribute of User; it belongs to an extension: write \
         `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager`"
    });
    check(&["userNam", "first_nme"], {
        "column 1 `userNam` is no attribute of a User; did you mean `userName`?\n\
         column 2 `first_nme` is no attribute of a User; did you mean `first_name`?"
    });
    check(&["userName", ""], "column 2 `` has no name; name an attribute, or leave the column out");
    check(
        &["userName", "password"],
        "column 2 `password` is a secret, which no file should hold; leave the column out",
    );
    check(&["userName", "id"], "column 2 `id` is set by the server; leave the column out");
    check(&["userName", "emails"], {
        "column 2 `emails` is a list; name one element of it: `emails[type eq \"work\"].value`"
    });
    check(
        &["userName", "name"],
        "column 2 `name` is an object; name one of its parts, as in `name.formatted`",
    );
    check(&["userName", "first_name", "name.givenName"], {
        "column 3 `name.givenName` is the same as column 2; leave one of the two out"
    });
    check(&["userName", "user_group"], {
        "column 2 `user_group` comes from memberships, which no file has; name an attribute in `[mapping] user_group`, or leave \
         the column out"
    });
    check(&["userName", "Kostenstelle"], {
        "column 2 `Kostenstelle` is no attribute of a User; say which with `--column 'Kostenstelle=PATH'`, or leave it out \
         with `--ignore 'Kostenstelle'`"
    });
    check(&["title"], "there is no column `userName`, and none of addresses that could be taken for it");
    let ignoring =
        Headers { ignored: vec!["nr.".to_owned(), "x".to_owned()], ..headers(&["Nr.", "userName"]) };
    let told = world.begin_import(&ignoring).expect_err("there is no x").detail();
    assert_eq!(told, "there is no column `x`");
}

#[test]
fn words_for_genders_are_counted() {
    let world = tenant();
    let headers = headers(&["userName", "first_name", "gender"]);
    let rows: Vec<[String; 3]> = (0..1200)
        .map(|n| [format!("u{n}"), "x".to_owned(), ["w", " W ", "frau", "FRAU", "", "x"][n % 6].to_owned()])
        .collect();
    let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    world.imported(&headers, &rows);
    let words = |world: &World| {
        let words = world.genders().words.into_iter();
        words.map(|word| (word.word, word.gender, word.persons)).collect::<Vec<_>>()
    };
    let text = str::to_owned;
    assert_eq!(
        words(&world),
        [(text("frau"), None, 400), (text("x"), None, 200), (text("w"), Some(Gender::Female), 400)]
    );
    world.govern(&POLICY.replace("{ w = ", "{ m = \"male\", Frau = \"female\", w = "));
    assert_eq!(
        words(&world),
        [
            (text("x"), None, 200),
            (text("frau"), Some(Gender::Female), 400),
            (text("w"), Some(Gender::Female), 400),
            (text("m"), Some(Gender::Male), 0),
        ]
    );
    let female = world.persons().iter().filter(|one| one.person.gender == Some(Gender::Female)).count();
    assert!(female > 600, "persons were derived anew: {female} of the first thousand");
}
