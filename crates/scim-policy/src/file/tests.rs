use scim_core::schema::Registry;
use serde_json::json;

use super::*;

/// The example of the documentation, whose extension nobody declares.
const EXAMPLE: &str = r#"
[mapping]                       # person field <- SCIM paths, first that has a value
gender = ["urn:ietf:params:scim:schemas:extension:acme:2.0:User:gender"]
user_group = ["groups"]         # or an attribute path
[email]
prefer = ["work", "primary", "userName"]
[domain]
allow = ["example.com", "bücher.example"]
subdomains = false
[collective]
allow = ["info@example.com"]    # a person after all
deny = ["front-desk"]
[language]
default = "de"
supported = ["de", "en", "fr"]  # left out: all
[group]
on_conflict = "refuse"          # or "latest", "first"
[gender]
vocabulary = { m = "male", w = "female", x = "diverse" }
[required]
fields = ["first_name", "last_name", "email"]
"#;

/// A registry with the schemas that the file accepts undeclared.
fn registry(file: &PolicyFile) -> Registry {
    let builtin = Registry::builtin().expect("built in");
    let mut builder = Registry::builder().expect("built in");
    for schema in file.undeclared(&builtin) {
        let urn = schema["id"].as_str().expect("a URN").to_owned();
        builder = builder.schema(&schema).expect("a schema").extend("User", &urn, false).expect("extends");
    }
    builder.build().expect("whole")
}

fn compile(text: &str) -> Result<Policy, PolicyErrors> {
    let file = PolicyFile::parse(text);
    let registry = registry(&file);
    file.compile(registry.endpoint("Users").expect("built in"))
}

/// What is wrong with a file, each with its line; empty if it is a policy.
fn check(text: &str, expected: &[&str]) {
    let told = compile(text).err().map(|errors| errors.to_string()).unwrap_or_default();
    assert_eq!(told.lines().collect::<Vec<_>>(), expected, "{text}");
}

#[test]
fn the_example_is_a_policy() {
    let remedy = "declare the schema with `scimd schema add TENANT FILE.json`, or set `undeclared = \"accept\"` under \
                  `[mapping]`";
    let explanation = "`urn:ietf:params:scim:schemas:extension:acme:2.0:User:gender` names no schema of User";
    check(EXAMPLE, &[&format!("line 3: {explanation}; {remedy}")]);
    check(&EXAMPLE.replace("[mapping]", "[mapping]\nundeclared = \"accept\"\n"), &[]);
    let urn = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";
    let schema = json!({ "id": urn, "attributes": [{ "name": "gender" }] });
    let builder = Registry::builder().and_then(|registry| registry.schema(&schema)).expect("a schema");
    let registry =
        builder.extend("User", urn, false).and_then(|builder| builder.build()).expect("a registry");
    let file = PolicyFile::parse(EXAMPLE);
    assert!(file.compile(registry.endpoint("Users").expect("built in")).is_ok());
    assert_eq!(file.undeclared(&registry), Vec::<Value>::new());
}

#[test]
fn every_section_is_optional() {
    check("", &[]);
    let sections: Vec<&str> = EXAMPLE.split_inclusive('\n').collect();
    for section in sections.join("").split("\n[").skip(1) {
        let text = format!("[{section}").replace("[mapping]", "[mapping]\nundeclared = \"accept\"");
        check(&text, &[]);
    }
    for section in ["email", "collective", "language", "group", "gender", "degree"] {
        check(&format!("[{section}]"), &[]);
    }
    for (section, rest) in [("domain", "allow = [\"example.com\"]"), ("required", "fields = [\"email\"]")] {
        for mode in ["enforce", "warn", "off"] {
            check(&format!("[{section}]\nmode = \"{mode}\"\n{rest}"), &[]);
        }
        check(&format!("[{section}]\nmode = \"off\""), &[]);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, expected) in [
        ("[emial]", &["line 1: there is no section `[emial]`; did you mean `email`?"][..]),
        ("[email]\nprefers = []", &["line 2: `[email]` has no key `prefers`; did you mean `prefer`?"]),
        (
            "[email]\nmode = \"enforced\"",
            &["line 2: `enforced` is not a value of `mode`; did you mean `enforce`?"],
        ),
        ("[email]\nmode = true", &["line 2: `mode` is `true` or `false`; write a text in double quotes"]),
        (
            "[email]\nprefer = [\"wrok\"]",
            &["line 2: `wrok` is not a value of `prefer`; did you mean `work`?"],
        ),
        ("[email]\nprefer = [\"work\", \"work\"]", &["line 2: `work` is listed twice; leave one out"]),
        ("[email]\nprefer = []", &["line 2: `prefer` is empty; list something, or leave it out"]),
        (
            "\"e\\u001B\" = 3",
            &["line 1: there is no section `[e\\u{1b}]`; there are `mapping`, `email`, `domain`, \
            `collective`, `language`, `group`, `gender`, `degree`, `required`"],
        ),
        ("email = 3", &["line 1: `email` is a number; write a section, `[email]`"]),
        (
            "[domain]",
            &["line 1: `[domain]` lists no domain; list the domains that the tenant administers: \
                        `allow = [\"example.com\"]`"],
        ),
        (
            "[domain]\nallow = []",
            &["line 2: `allow` is empty, so that nobody could be provisioned; list a domain"],
        ),
        (
            "[domain]\nallow = [\n\"example.com\",\n\"co.uk\",\n\"gmail.com\",\n]\nsubdomains = 1",
            &[
                "line 4: `co.uk` is a public suffix: anybody can register a domain below it; list the domain that \
             your organisation registered below it",
                "line 5: `gmail.com` is a free-mail domain: anybody can get an address there; list domains that your \
             organisation administers",
                "line 7: `subdomains` is a number; write `true` or `false`",
            ],
        ),
        (
            "[collective]\nallow = [\"info@example.com\", \"*@example.com\"]\ndeny = [\"a+b\", \"hr\",\n\"INFO@example.com\"]",
            &[
                "line 2: `*@example.com` is a pattern; name each address, or the word that they share",
                "line 3: `a+b` tags are not looked at; leave out `+b`",
                "line 4: `INFO@example.com` is `info@example.com` under `allow` too; leave out one of the two",
            ],
        ),
        (
            "[language]\ndefault = \"germna\"\nsupported = [\"en\", \"en\"]",
            &[
                "line 2: `germna` is no language that is known; did you mean `de`?",
                "line 3: `en` is listed twice; leave one out",
            ],
        ),
        (
            "[language]\ndefault = \"de\"\nsupported = [\"en\"]",
            &[
                "line 2: `default` is `de`, which is not among `supported`; add it there, or choose another default",
            ],
        ),
        (
            "[gender.vocabulary]\nm = \"mle\"\nW = \"female\"\n\" w\" = \"male\"\n\"\" = \"male\"",
            &[
                "line 2: `mle` is not a gender of the application; did you mean `male`?",
                "line 4: ` w` is there twice, in another spelling; leave one out: case does not matter",
                "line 5: `` is no word of a vocabulary; use a word of at most 256 bytes",
            ],
        ),
        (
            "[group]\non_conflict = \"lastest\"",
            &["line 2: `lastest` is not a value of `on_conflict`; did you mean `latest`?"],
        ),
        (
            "[required]",
            &["line 1: `[required]` names no fields; list the fields: `fields = [\"first_name\", \
                          \"last_name\", \"email\"]`"],
        ),
        (
            "[required]\nfields = [\"frist_name\",\n\"user_group\",\n\"active\",\n\"gender\",\n\"badge\"]",
            &[
                "line 2: `frist_name` is not a field of a person; did you mean `first_name`?",
                "line 3: `user_group` comes from memberships, which follow after a person is created; leave it out, \
             or take the user group from an attribute",
                "line 4: `active` has a value always; leave it out",
                "line 5: `gender` comes from nowhere, so that nobody could be provisioned; name an attribute in \
             `[mapping] gender`",
                "line 6: `badge` is not a field of a person; map it under `[mapping.fields]` first",
            ],
        ),
        (
            "[required]\nfields = [\"user_group\", \"badge\"]\n[mapping]\nuser_group = \"title\"\nfields.badge = \"title\"",
            &[],
        ),
        ("a = ", &["line 1: a text is in double quotes"]),
        ("[email]\n[email]", &["line 2: this key, or this section, is there twice"]),
    ] {
        check(text, expected);
    }
}

#[test]
fn paths_are_resolved_with_their_line() {
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for (line, expected) in [
        ("first_name = \"name.givenName\"", ""),
        ("first_name = [\"NAME.GIVENNAME\", \"displayName\"]", ""),
        ("email = \"emails[type eq \\\"home\\\" and primary eq true]\"", ""),
        ("email = \"emails\"", ""),
        ("user_group = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department'", ""),
        ("user_group = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value'", ""),
        ("last_name = { from = \"displayName\", transform = [\"trim\", \"without-degree\"] }", ""),
        ("fields.phone = 'phoneNumbers[type eq \"work\"].value'", ""),
        (
            "first_name = \"name.givenNam\"",
            "`givenNam` is not a sub-attribute of `name`; did you mean `name.givenName`?",
        ),
        (
            "first_name = \"dispalyName\"",
            "`dispalyName` is not an attribute of User; did you mean `displayName`?",
        ),
        (
            "first_name = \"name\"",
            "`name` is an object, not a value; name one of its parts, as in `name.formatted`",
        ),
        (
            "email = 'emails[typ eq \"work\"].value'",
            "`typ` is not a sub-attribute of `emails`; did you mean `type`?",
        ),
        ("email = 'emails[type eq \"work\"'", "at character 22: expected `]`, found the end"),
        ("first_name = \"\"", "the path is empty; leave it out, or name an attribute such as `displayName`"),
        ("first_name = \"password\"", "`password` is never kept; name another attribute"),
        (
            "first_name = \"meta.created\"",
            "`meta.created` is set by the server, not by the identity provider; name an \
                                           attribute that the identity provider sends",
        ),
        (
            "first_name = \"groups\"",
            "`groups` is not sent with a User: memberships are kept with the groups; write \
                                     `user_group = [\"groups\"]`, which is the one field that can come from them",
        ),
        (
            "user_group = [\"groups\", \"title\"]",
            "memberships and attributes cannot be mixed; name `groups` alone, or leave it out",
        ),
        (
            "user_group = { from = \"groups\", transform = [] }",
            "the name of a group is not transformed; leave `transform` out",
        ),
        (
            "title = \"title\"",
            "`title` is not a field of a person; put the application's own fields under `[mapping.fields]`",
        ),
        ("frist_name = \"title\"", "`frist_name` is not a field of a person; did you mean `first_name`?"),
        (
            "fields.Title = \"title\"",
            "`Title` cannot be the name of a field; use `a` to `z`, digits and `_`, a letter first, 63 at most",
        ),
        (
            "fields.email = \"title\"",
            "`email` is a field that every person has; put it under `[mapping]`, or choose another name",
        ),
        ("first_name = { transform = [] }", "`first_name` has no `from`; name the path that it comes from"),
        (
            "first_name = { from = \"title\", transfrom = [] }",
            "`[first_name]` has no key `transfrom`; did you mean `transform`?",
        ),
        (
            "first_name = { from = \"title\", transform = [\"uper\"] }",
            "there is no transformation `uper`; did you mean `upper`?",
        ),
        ("first_name = 3", "`first_name` is a number; write a list of texts, such as `[\"…\", \"…\"]`"),
        ("undeclared = \"accpet\"", "`accpet` is not a value of `undeclared`; did you mean `accept`?"),
    ] {
        let expected = match expected {
            "" => vec![],
            words => vec![format!("line 2: {words}")],
        };
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(&format!("[mapping]\n{line}"), &expected);
    }
    check(
        &format!("[mapping]\nuser_group = '{enterprise}:departmnt'"),
        &[&format!(
            "line 2: `departmnt` is not an attribute of `{enterprise}`; did you mean `{enterprise}:department`?"
        )],
    );
    check(
        "[mapping]\nemail = \"userName\"\n[email]\nprefer = [\"work\"]",
        &["line 4: `[mapping] email` says already which address is taken; leave one of the two out"],
    );
}

#[test]
fn accepts_undeclared_extensions_as_texts() {
    let text = r#"
[mapping]
undeclared = "accept"
gender = "urn:example:acme:User:gender"
first_name = ["urn:EXAMPLE:acme:user:nick", "name.givenName"]
[mapping.fields]
cost_center = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter"
badge = "urn:example:badge:number"
"#;
    let file = PolicyFile::parse(text);
    let schemas = file.undeclared(&Registry::builtin().expect("built in"));
    let names: Vec<(&str, Vec<&str>)> = schemas
        .iter()
        .map(|schema| {
            let attributes = schema["attributes"].as_array().expect("a list");
            (
                schema["id"].as_str().expect("a URN"),
                attributes.iter().map(|a| a["name"].as_str().expect("a name")).collect(),
            )
        })
        .collect();
    assert_eq!(
        names,
        [("urn:example:acme:User", vec!["gender", "nick"]), ("urn:example:badge", vec!["number"]),]
    );
    assert!(compile(text).is_ok());
    // What is no single attribute cannot be accepted.
    check(
        "[mapping]\nundeclared = \"accept\"\ngender = \"urn:example:acme:User:a.b\"",
        &[
            "line 3: `urn:example:acme:User:a.b` names no schema of User; declare the schema with `scimd schema add \
         TENANT FILE.json`",
        ],
    );
}

#[test]
fn a_known_urn_that_is_misspelt_is_no_new_one() {
    let known = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let wrong = known.replace("enterprise", "entreprise");
    check(
        &format!("[mapping]\nundeclared = \"accept\"\nuser_group = \"{wrong}:department\""),
        &[&format!(
            "line 3: `{wrong}:department` names no schema of User; did you mean `{known}`? otherwise declare the \
             schema with `scimd schema add TENANT FILE.json`"
        )],
    );
}

#[test]
fn what_cannot_be_read_and_paths_are_told_together() {
    check(
        "[mapping]\nfirst_name = \"name.givenNam\"\n[email]\nmode = \"enforced\"\n[required]\nfields = [\"nick\"]",
        &[
            "line 2: `givenNam` is not a sub-attribute of `name`; did you mean `name.givenName`?",
            "line 4: `enforced` is not a value of `mode`; did you mean `enforce`?",
        ],
    );
    // Whether undeclared extensions are to be accepted is not known here.
    check(
        "[mapping]\nundeclared = \"accpet\"\ngender = \"urn:example:acme:User:gender\"",
        &["line 2: `accpet` is not a value of `undeclared`; did you mean `accept`?"],
    );
}

#[test]
fn places_are_counted_in_characters() {
    let errors = compile("[domain]\r\nallow = [\"bücher.example\", \"com\"]").expect_err("a public suffix");
    let [problem] = errors.problems() else { panic!("{errors}") };
    assert_eq!((problem.line, problem.column), (2, 28));
    assert!(errors.to_string().starts_with("line 2: `com` "), "{errors}");
    let in_file = errors.in_file("acme.toml");
    assert!(in_file.starts_with("acme.toml:2:28: `com` "), "{in_file}");
}

#[test]
fn a_hostile_file_is_a_problem() {
    let long = "#".repeat(MOST_BYTES + 1);
    check(&long, &["line 1: a policy of more than 1048576 bytes; shorten it"]);
    for text in
        ["[".repeat(100_000), format!("a = {}", "[".repeat(100_000)), "a.".repeat(100_000), "\u{0}".into()]
    {
        assert!(compile(&text).is_err());
    }
    let many = "[mapping]\n".to_owned() + &(0..1000).map(|n| format!("f{n} = 1\n")).collect::<String>();
    assert_eq!(compile(&many).expect_err("no fields").problems().len(), 50);
}
