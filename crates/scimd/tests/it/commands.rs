//! What operators do: the quick start, the commands that they script, health, and the end of the process.

use std::collections::BTreeSet;
use std::time::Instant;

use scim_core::schema::USER;
use serde_json::{Value, json};

use crate::http::Client;
use crate::messages::{group, id, members, user, user_with};
use crate::server::{Directory, PATIENCE, Place, Process, Server, base, run_in, scimd};

fn quickstart(directory: &Directory, more: &[&str]) -> Process {
    let mut command = scimd();
    command.args(["quickstart", "--listen", "127.0.0.1:0"]).args(more).current_dir(directory.path());
    Process::start(command)
}

/// What a server says when it is ready, as far as the end of the command that provisions a first user.
fn welcome_of(process: &Process) -> String {
    process.wait_for("a whole command", |out, _| {
        let begun = out.find("curl ")?;
        let end = out[begun..].find("}'\n")?;
        Some(out[..begun + end + 2].to_owned())
    })
}

/// The value behind a label in what `quickstart` prints.
#[track_caller]
fn labelled(printed: &str, label: &str) -> String {
    let value = printed.lines().find_map(|line| line.trim().strip_prefix(label));
    value.unwrap_or_else(|| panic!("no `{label}` in {printed}")).trim().to_owned()
}

#[test]
fn quickstart_leads_to_a_first_user_and_keeps_data_and_token() {
    let directory = Directory::new();
    let first = quickstart(&directory, &[]);
    let welcome = welcome_of(&first);
    let token = labelled(&welcome, "Secret Token");
    assert_eq!(token, labelled(&welcome, "API Token"));
    let url = format!("http://{}{}", first.address, base("demo"));
    assert_eq!(labelled(&welcome, "Tenant URL"), url);
    assert_eq!(labelled(&welcome, "SCIM connector base URL"), url);
    assert!(welcome.contains("tenant demo (entra)"), "{welcome}");

    // The command that is printed, as it is printed.
    let start = welcome.find("curl ").expect("a command");
    let command = &welcome[start..];
    let mut shell = std::process::Command::new("sh");
    // A proxy of the machine must not stand between a test and its server.
    let ran =
        shell.args(["-c", command]).env("no_proxy", "*").env("NO_PROXY", "*").output().expect("sh runs");
    let created: Value = match ran.status.code() {
        // Not every machine has curl; its last argument is the body.
        Some(127) => {
            let body =
                command.rsplit_once("-d '").and_then(|(_, body)| body.strip_suffix('\'')).expect("a body");
            let body = serde_json::from_str(body).expect("JSON");
            Client::new(first.address, &base("demo"), &token).post("/Users", &body).expect(201)
        }
        _ => serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}")),
    };
    assert_eq!(created["userName"], "ada@example.com", "{created}");

    first.signal("TERM");
    let (code, _, err) = first.ended();
    assert_eq!(code, Some(0), "{err}");
    let data = directory.path().join("scimd-data");
    let kept = std::fs::read_to_string(data.join("token")).expect("the token is kept");
    assert_eq!(kept.trim(), token);
    for (name, mode) in [("", 0o700), ("token", 0o600), ("scimd.db", 0o600)] {
        let metadata = std::fs::metadata(data.join(name)).expect("it is there");
        let found = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        assert_eq!(found, mode, "{name}: nobody else may read it");
    }

    let second = quickstart(&directory, &[]);
    let welcome = welcome_of(&second);
    assert_eq!(labelled(&welcome, "Secret Token"), token);
    let mut client = Client::new(second.address, &base("demo"), &token);
    assert_eq!(client.get("/Users").expect(200)["totalResults"], 1);
    drop(second);

    let ran = run_in(directory.path(), &["quickstart", "--idp", "okta", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("connected to entra already"), "{}", ran.stderr);
}

#[test]
fn commands_work_while_a_server_runs_on_the_store() {
    let server = Server::start("");
    let place = &server.place;
    let stranger = Client::new(server.process.address, &base("acme"), "scim_aaaaaaaa_secret");
    assert_eq!(stranger.clone().get("/Users").status, 401, "no such tenant, and nothing that says so");
    place.command(&["tenant", "create", "acme"]);
    let token = place.token("acme");
    let mut client = server.client("acme", &token);
    let detail = client.get("/Users").refused(403, "");
    assert!(detail.contains("connection create"), "{detail}");
    place.command(&["connection", "create", "acme", "--idp", "generic"]);
    client.get("/Users").expect(200);

    let other = place.token("acme");
    let listed: Value =
        serde_json::from_str(&place.command(&["token", "list", "acme", "--format", "json"])).expect("JSON");
    let ids: BTreeSet<&str> =
        listed.as_array().expect("a list").iter().filter_map(|row| row["id"].as_str()).collect();
    let of = |token: &str| token.split('_').nth(1).expect("an identifier").to_owned();
    assert_eq!(ids, BTreeSet::from([of(&token).as_str(), of(&other).as_str()]));
    assert!(!listed.to_string().contains(token.splitn(3, '_').nth(2).expect("a secret")), "never the secret");

    client.get("/Users").expect(200);
    place.command(&["token", "revoke", &of(&token)]);
    client.get_until("revoked", "/Users", |answer| answer.status == 401);
    server.client("acme", &other).get("/Users").expect(200);

    let expired = place.command(&["token", "create", "acme", "--expires", "1s"]);
    let mut brief = server.client("acme", expired.trim());
    brief.get_until("it expires", "/Users", |answer| answer.status == 401);
    let tenants = place.command(&["tenant", "list", "--format", "csv"]);
    assert!(tenants.lines().any(|line| line.starts_with("acme,generic,")), "{tenants}");
}

#[test]
fn one_tenant_may_ignore_members_that_do_not_exist() {
    let server = Server::start("");
    let (mut ours, mut theirs) = (server.tenant("acme", "entra"), server.tenant("umbrella", "entra"));
    server.place.command(&["tenant", "set", "acme", "--unknown-members", "ignore"]);
    let ghost = "01890a5d-ac96-774b-bcce-b302099a8057";
    let ada = id(&ours.post("/Users", &user("ada")).expect(201));
    let set = Instant::now();
    let created = loop {
        let answer = ours.post("/Groups", &group("crew", &[&ada, ghost]));
        if answer.status == 201 {
            break answer.json();
        }
        assert!(set.elapsed() < PATIENCE, "the server did not follow: {}", answer.text());
    };
    assert_eq!(members(&created), [ada.as_str()]);
    let detail = theirs.post("/Groups", &group("crew", &[ghost])).refused(400, "invalidValue");
    assert!(detail.contains(ghost), "{detail}");
    let ran = server.place.run(&["tenant", "set", "nobody", "--unknown-members", "ignore"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no tenant `nobody`"), "{}", ran.stderr);
}

#[test]
fn findings_are_found_by_what_people_are_called() {
    let server = Server::start("");
    let mut client = server.tenant("acme", "entra");
    let rules = server
        .place
        .directory
        .write("rules.toml", "[group]\n[language]\n[domain]\nallow = [\"example.com\"]\n");
    let rules = rules.to_str().expect("UTF-8");
    server.place.command(&["policy", "apply", "acme", rules]);
    let ada = json!({"schemas": [USER], "userName": "ada", "displayName": "Ada Lovelace",
        "emails": [{"type": "work", "value": "ada@example.com"}]});
    let ada = id(&client.post("/Users", &ada).expect(201));
    client.post("/Groups", &group("Red", &[&ada])).expect(201);
    let blue = id(&client.post("/Groups", &group("Blue", &[])).expect(201));
    let cy = id(&client.post("/Users", &user("cy")).expect(201));
    client.post("/Groups", &group("Green", &[&cy])).expect(201);
    let add = json!([{"op": "add", "path": "members", "value": [{"value": ada}, {"value": cy}]}]);
    client.patch(&format!("/Groups/{blue}"), add).expect(400);
    client.post("/Users", &json!({"schemas": [USER], "userName": "bob@example.org"})).expect(400);
    let found = |person: &str| {
        let list = ["findings", "list", "acme", "--format", "json", "--person", person];
        let rows: Value = serde_json::from_str(&server.place.command(&list)).expect("JSON");
        let rows = rows.as_array().expect("a list").iter();
        rows.map(|row| format!("{} {}", row["code"].as_str().unwrap(), row["name"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    for person in ["ADA", "ada@example.com", ada.as_str()] {
        assert_eq!(found(person), ["group-second ada"], "{person}");
    }
    assert_eq!(found("cy"), ["group-second cy"], "whoever is refused besides");
    assert_eq!(found("bob@example.org"), ["domain-not-listed bob@example.org"]);
    assert!(found(&blue).is_empty(), "it is about a member");
    // What was said of creating somebody is kept by the name.
    let dee = json!({"schemas": [USER], "userName": "dee@example.com", "preferredLanguage": "Klingon"});
    let dee = id(&client.post("/Users", &dee).expect(201));
    assert_eq!(found(&dee), ["language-unreadable dee@example.com"]);
    // A membership that is let through is its member's, with whichever other group.
    let warning = server.place.directory.write("warning.toml", "[group]\nmode = \"warn\"\n");
    server.place.command(&["policy", "apply", "acme", warning.to_str().expect("UTF-8")]);
    let eve = id(&client.post("/Users", &user("eve")).expect(201));
    for name in ["One", "Two", "Three"] {
        client.post("/Groups", &group(name, &[&eve])).expect(201);
    }
    let list = server.place.command(&["findings", "list", "acme", "--format", "json", "--person", &eve]);
    let rows: Vec<Value> = serde_json::from_str(&list).expect("JSON");
    let of_eve = |row: &&Value| row["who"].as_str().is_some_and(|who| who.ends_with(&format!("/{eve}")));
    assert_eq!((rows.len(), rows.iter().filter(of_eve).count()), (3, 3), "{list}");
    let ran = server.place.run(&["findings", "list", "acme", "--rule", "domain-not-list"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean `domain-not-listed`?"), "{}", ran.stderr);
    let again = run_in(server.place.directory.path(), &["policy", "init", "acme", "--output", rules]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("edit it, or name another file with --output"), "{}", again.stderr);
}

/// Whoever is asked why somebody is who they are has no token to read the User with.
#[test]
fn somebody_who_is_stored_is_explained() {
    let server = Server::start("");
    let mut client = server.tenant("acme", "entra");
    let ada = json!({"schemas": [USER], "userName": "ada@example.com", "preferredLanguage": "Klingon"});
    let ada = id(&client.post("/Users", &ada).expect(201));
    let red = id(&client.post("/Groups", &group("Red", &[&ada])).expect(201));
    let rules = server.place.directory.write("rules.toml", "[group]\n[language]\ndefault = \"de\"\n");
    server.place.command(&["policy", "apply", "acme", rules.to_str().expect("UTF-8")]);
    let ran = server.place.run(&["explain", "acme", "--user", &ada, "--format", "json"]);
    let fields: Vec<Value> = serde_json::from_str(&ran.stdout).expect("JSON");
    let of = |name: &str| {
        let field = fields.iter().find(|field| field["field"] == name).expect("a field");
        ["value", "from", "sent"].map(|key| field[key].clone())
    };
    assert_eq!(of("language"), [json!("de"), json!("preferredLanguage"), json!("Klingon")]);
    assert_eq!(of("user_group"), [json!("Red"), json!("groups"), Value::Null]);
    assert!(ran.stderr.contains("warning: language-unreadable at preferredLanguage"), "{}", ran.stderr);
    // What is said has the names of other lists, and whoever looks for a field does not meet it.
    let said: Vec<&Value> = fields.iter().filter(|row| !row["code"].is_null()).collect();
    let [said] = said[..] else { panic!("{said:?}") };
    assert_eq!((&said["field"], &said["from"], &said["steps"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!((&said["severity"], &said["code"]), (&json!("warning"), &json!("language-unreadable")));
    assert_eq!((&said["path"], &said["value"]), (&json!("preferredLanguage"), &json!("Klingon")));
    assert!(["explanation", "remedy"].iter().all(|name| said[name].is_string()), "{said}");
    let shown = server.place.command(&["explain", "acme", "--user", &ada]);
    assert!(shown.starts_with("FIELD ") && !shown.contains("CODE") && !shown.contains("language-unreadable"));
    let whom = server.place.run(&["explain", "acme"]);
    assert!(whom.code == Some(2) && whom.stderr.contains("<FILE|--user <ID>>"), "{}", whom.stderr);
    for other in [red.as_str(), "nobody"] {
        let ran = server.place.run(&["explain", "acme", "--user", other]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("has no User with the id `{other}`")), "{}", ran.stderr);
    }
    assert_eq!(server.place.run(&["explain", "acme"]).code, Some(2));
}

/// A script reads one of them with what it has for another.
#[test]
fn what_rules_say_is_the_same_in_every_list() {
    let place = Place::new("");
    place.command(&["tenant", "create", "acme"]);
    place.directory.write("rules.toml", "[required]\nfields = [\"last_name\"]\n");
    place.command(&["policy", "apply", "acme", "rules.toml"]);
    place.directory.write("people.csv", "userName,first_name\nada@example.com,Ada\n");
    place.directory.write(
        "user.json",
        &user_with("ada@example.com", json!({ "name": { "givenName": "Ada" } })).to_string(),
    );
    let lists = [
        &["person", "import", "acme", "people.csv"] as &[&str],
        &["findings", "list", "acme"],
        &["explain", "acme", "user.json"],
    ];
    let told = lists.map(|list| {
        let ran = place.run(&[list, &["--format", "json"]].concat());
        let rows: Vec<Value> = serde_json::from_str(&ran.stdout).expect("a list");
        let row = rows.into_iter().find(|row| row["code"] == "required-missing").expect("a finding");
        ["severity", "path", "value", "explanation", "remedy"].map(|name| row[name].clone())
    });
    place.command(&["policy", "remove", "acme"]);
    place.command(&["person", "import", "acme", "people.csv"]);
    let diff = place.command(&["policy", "diff", "acme", "rules.toml", "--format", "json"]);
    let diff: Value = diff.parse().expect("JSON");
    let persons: Value =
        place.command(&["person", "list", "acme", "--format", "json"]).parse().expect("JSON");
    assert_eq!((&diff[0]["outcome"], &diff[0]["id"]), (&json!("refused"), &persons[0]["id"]));
    let of_diff = &diff[0]["findings"][0];
    let names = ["severity", "path", "value", "explanation", "remedy"];
    assert_eq!(
        (&of_diff["code"], names.map(|name| of_diff[name].clone())),
        (&json!("required-missing"), told[0].clone())
    );
    assert_eq!(told[0][2], Value::Null, "{told:?}");
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

#[test]
fn mistakes_end_with_a_code_and_a_remedy() {
    let place = Place::new("");
    place.command(&["tenant", "create", "acme"]);
    place.command(&["connection", "create", "acme", "--idp", "entra"]);
    for (arguments, code, words) in [
        (&["tenant", "create", "acme"][..], 1, "tenant `acme` exists already"),
        (&["tenant", "create", "Acme Ltd"], 2, "lower-case letters, digits and hyphens"),
        (&["connection", "create", "acme", "--idp", "okta"], 1, "a tenant has one at most"),
        (&["connection", "create", "acmee", "--idp", "okta"], 1, "did you mean `acme`?"),
        (&["connection", "create", "acme", "--idp", "adfs"], 2, "let Entra ID provision"),
        (&["token", "create", "nobody"], 1, "there is no tenant `nobody`"),
        (&["token", "revoke", "zzzzzzzz"], 1, "there is no token `zzzzzzzz`"),
        (&["token", "list", "nobody"], 1, "there is no tenant `nobody`"),
    ] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "complaints go to standard error");
    }
    for arguments in [&["frobnicate"][..], &["serve", "--listn", "x"], &["token", "create"]] {
        assert_eq!(run_in(place.directory.path(), arguments).code, Some(2), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["serve", "--help"], &["tenant", "create", "--help"], &["--version"]]
    {
        let ran = run_in(place.directory.path(), arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ran.stdout.contains("scimd"), "{}", ran.stdout);
    }
    let ran = run_in(place.directory.path(), &["tenant", "list", "--store", "sqlite:typo.db"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no store at typo.db"), "{}", ran.stderr);
    assert!(!place.directory.path().join("typo.db").exists(), "and none is made");
    std::fs::create_dir(place.directory.path().join("folder")).expect("a folder");
    for (store, words) in [
        ("sqlite:folder", "it is a folder; name a file in it"),
        ("sqlite:nowhere/a.db", "make its folder first"),
        ("postgres://scimd@127.0.0.1:1/scim", "check host and port, and whether the database runs"),
    ] {
        let ran = run_in(place.directory.path(), &["tenant", "create", "a", "--store", store]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{store}: {}", ran.stderr);
    }
    let ran = run_in(place.directory.path(), &["quickstart", "--base-url", "scim.example.com"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("scimd: --base-url: the base URL `scim.example.com` does not begin with https://"),
        "{}",
        ran.stderr
    );
    let ran = run_in(place.directory.path(), &["tenant", "create", "a", "--store", "memory"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("use `--store sqlite:PATH`"), "{}", ran.stderr);
}

/// A token that nobody has seen would be valid, and an export that is not whole would look as if it were.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_printed_is_an_error() {
    let place = Place::new("");
    place.command(&["tenant", "create", "acme"]);
    for arguments in [&["token", "create", "acme"][..], &["tenant", "list"], &["config"]] {
        let mut command = scimd();
        command.args(arguments).current_dir(place.directory.path()).env("SCIMD_CONFIG", &place.config);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
        let output = command.stdout(full).stderr(std::process::Stdio::piped()).spawn().expect("scimd runs");
        let output = output.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("cannot write to the standard output"), "{arguments:?}: {stderr}");
        assert_eq!(stderr.contains("`scimd token revoke "), arguments[0] == "token", "{stderr}");
    }
}

/// Whoever has gone had enough of a list, as `head` has. Of a token they had nothing, and it is shown this once.
#[test]
fn a_reader_that_has_gone_has_no_token() {
    let place = Place::new("");
    place.command(&["tenant", "create", "acme"]);
    for (arguments, code) in
        [(&["token", "create", "acme"][..], 1), (&["tenant", "list"], 0), (&["config"], 0)]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = scimd();
        command.args(arguments).current_dir(place.directory.path()).env("SCIMD_CONFIG", &place.config);
        let output = command.stdout(writer).stderr(std::process::Stdio::piped()).spawn().expect("scimd runs");
        let output = output.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert_eq!(stderr.contains("`scimd token revoke "), arguments[0] == "token", "{stderr}");
    }
}

#[test]
fn a_configuration_is_checked_with_its_line() {
    let directory = Directory::new();
    let check = |text: &str| {
        let file = directory.write("scimd.toml", text);
        run_in(directory.path(), &["check", "--config", file.to_str().expect("UTF-8")])
    };
    let fine = check("# fine\nlisten = \"127.0.0.1:8080\"\n");
    assert_eq!((fine.code, fine.stderr.as_str()), (Some(0), ""));
    assert!(fine.stdout.contains("scimd.toml\n"), "{}", fine.stdout);
    assert!(run_in(directory.path(), &["check"]).stdout.contains("none: defaults and the environment"));
    let wrong = check("# a comment\n[limits]\nrequest_per_second = 5\n");
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("scimd.toml:3"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("requests_per_second"), "{}", wrong.stderr);
    let open = check("listen = \"0.0.0.0:8080\"");
    assert_eq!(open.code, Some(2));
    assert!(open.stderr.contains("behind_proxy"), "{}", open.stderr);
    let printed = run_in(directory.path(), &["config"]).stdout;
    assert_eq!(check(&printed).code, Some(0), "what `scimd config` prints is a configuration");
}

#[test]
fn health_and_metrics_are_served_apart() {
    let server = Server::start("[metrics]\nlisten = \"127.0.0.1:0\"");
    let mut client = server.tenant("acme", "generic");
    client.post("/Users", &user("lovelace")).expect(201);
    let observer = Client::bare(server.process.metrics(), "");
    for (path, status, words) in
        [("/healthz", 200, "ok"), ("/readyz", 200, "ready"), ("/metrics", 200, "scimd_"), ("/Users", 404, "")]
    {
        let answer = observer.clone().get_until("asked", path, |answer| answer.status == status);
        assert!(answer.text().contains(words), "{path}: {}", answer.text());
        assert!(!answer.text().contains("acme") && !answer.text().contains("lovelace"), "{}", answer.text());
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(
            Client::bare(server.process.address, "").get(path).status,
            404,
            "{path} is not on the public side"
        );
    }
}

#[test]
fn a_memory_server_brings_its_own_tenant() {
    let mut command = scimd();
    command.args(["serve", "--store", "memory", "--listen", "127.0.0.1:0"]).env("SCIMD_METRICS_LISTEN", "");
    let process = Process::start(command);
    let welcome = welcome_of(&process);
    let mut client = Client::new(process.address, &base("demo"), &labelled(&welcome, "Secret Token"));
    client.post("/Users", &user("ada")).expect(201);
}

#[test]
fn people_are_followed_by_the_change_after_which_they_are_asked_for() {
    let (server, mut client) = Server::with("generic");
    let changes = |after: &str| -> Vec<Value> {
        let arguments = ["person", "changes", "acme", "--after", after, "--format", "json"];
        serde_json::from_str(&server.place.command(&arguments)).expect("JSON")
    };
    assert_eq!(changes("0"), [Value::Null; 0]);
    let create = |number: usize| {
        let data = json!({ "schemas": [USER], "userName": format!("u{number}@example.com"), "active": true });
        json!({ "method": "POST", "path": "/Users", "bulkId": number.to_string(), "data": data })
    };
    // More than are looked at at once.
    let operations: Vec<Value> = (0..250).map(create).collect();
    let bulk =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    let done = client.post("/Bulk", &bulk).expect(200);
    let id_of = |index: usize| {
        let location = done["Operations"][index]["location"].as_str().expect("a location");
        location.rsplit('/').next().expect("an identifier").to_owned()
    };
    let all = changes("0");
    let email = |change: &Value| change["email"].as_str().map(str::to_owned);
    assert_eq!(all.iter().filter_map(email).collect::<BTreeSet<_>>().len(), 250);
    assert!(all.iter().all(|change| change["deleted"] == false && change["active"] == true));
    let last = all.last().expect("many")["sequence"].to_string();
    assert_eq!(changes(&last), [Value::Null; 0]);

    let (bob, eve) = (id_of(7), id_of(9));
    client
        .patch(&format!("/Users/{bob}"), json!([{ "op": "replace", "path": "active", "value": false }]))
        .expect(200);
    client
        .patch(&format!("/Users/{eve}"), json!([{ "op": "replace", "path": "title", "value": "Dr." }]))
        .expect(200);
    client.delete(&format!("/Users/{eve}")).expect(204);
    let told: Vec<Value> = changes(&last)
        .iter()
        .map(|change| json!([change["id"], change["deleted"], change["active"], change["email"]]))
        .collect();
    let expected = [json!([bob, false, false, "u7@example.com"]), json!([eve, true, null, null])];
    assert_eq!(told, expected);
    let ran = server.place.run(&["person", "changes", "acme", "--after", "9999"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("change 9999 of the tenant `acme` is not there yet"), "{}", ran.stderr);
    let ran = server.place.run(&["person", "changes", "acme", "--after", "-1"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

/// Numbers are given again after a tenant was deleted, or a store was set back. By the number alone, whoever followed before
/// would go on in what is another's log.
#[test]
fn a_change_with_the_number_of_another_is_told_from_it() {
    let (server, mut client) = Server::with("generic");
    client.post("/Users", &user("ada")).expect(201);
    let place = &server.place;
    let first = place.command(&["person", "changes", "acme", "--format", "json"]);
    let first: Value = serde_json::from_str(&first).expect("JSON");
    let at = first[0]["at"].as_str().expect("a moment");
    let go_on = ["person", "changes", "acme", "--after", "1", "--at", at];
    assert_eq!(place.run(&go_on).code, Some(0));
    place.command(&["connection", "remove", "acme"]);
    place.command(&["tenant", "delete", "acme", "--yes"]);
    let token = place.tenant("acme", "generic");
    server.client("acme", &token).post("/Users", &user("bob")).expect(201);
    let ran = place.run(&go_on);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("change 1 of the tenant `acme` was made at "), "{}", ran.stderr);
    let ran = place.run(&["person", "changes", "acme", "--at", at]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

/// Whoever finds out what a customer's identity provider sends need not shut it out to say so.
#[test]
fn a_connection_is_replaced_and_refuses_nobody_meanwhile() {
    let (server, mut client) = Server::with("generic");
    let place = &server.place;
    client.post("/Users", &user("ada")).expect(201);
    let look_up = "/Users?filter=userName+eq+ada";
    client.get(look_up).refused(400, "invalidFilter");
    let replace =
        |more: &[&str]| place.run(&[&["connection", "replace", "acme", "--idp", "generic"], more].concat());
    let replaced = replace(&["--idp-tenant", "eu-1", "--quirk", "unquoted-text", "--users-only"]);
    let said =
        "is now --idp generic --idp-tenant eu-1 --quirk unquoted-text --users-only; it was --idp generic;";
    assert!(replaced.code == Some(0) && replaced.stderr.contains(said), "{replaced:?}");
    client.get_until("the quirk", look_up, |answer| {
        assert!([200, 400].contains(&answer.status), "{answer:?}");
        answer.status == 200
    });
    client.get("/Groups").expect(404);
    place.command(&["connection", "pause", "acme"]);
    let replaced = replace(&[]);
    assert!(replaced.stderr.contains("it was --idp generic --idp-tenant eu-1"), "{replaced:?}");
    let shown: Value =
        serde_json::from_str(&place.command(&["connection", "show", "acme", "--format", "json"]))
            .expect("a list");
    assert_eq!((&shown[0]["state"], &shown[0]["quirks"]), (&json!("paused"), &json!([])));
    let refused = replace(&["--quirk", "unquoted-txt"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("unquoted-text"), "{refused:?}");
    place.command(&["connection", "remove", "acme"]);
    let refused = replace(&[]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("scimd connection create acme"),
        "{refused:?}"
    );
    let trail = place.command(&["audit", "administration", "acme"]);
    assert_eq!(trail.matches("replace by generic connection of acme").count(), 2, "{trail}");
}

#[test]
fn a_configuration_is_not_blamed_on_an_extension() {
    let place = Place::in_file("");
    place.command(&["tenant", "create", "acme"]);
    place.directory.write("extension.json", r#"{ "id": "urn:example:2.0:User" }"#);
    let ran = run_in(
        place.directory.path(),
        &["schema", "replace", "acme", "extension.json", "--config", "nowhere.toml"],
    );
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("scimd: cannot read nowhere.toml: "), "{}", ran.stderr);
}

/// What a file holds comes from elsewhere, and a terminal obeys what it is shown.
#[test]
fn failures_quote_nothing_that_a_terminal_obeys() {
    let place = Place::in_file("");
    place.command(&["tenant", "create", "acme"]);
    let odd = r#"{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "\u001b[31m\u202ekey": 1}"#;
    let file = place.directory.write("user.json", odd);
    let ran = place.run(&["explain", "acme", &file.display().to_string()]);
    assert!(ran.stderr.contains(r"`\u{1b}[31m\u{202e}key` is not an attribute"), "{}", ran.stderr);
    // The file is wrong, whatever is: its form, its values, or its JSON.
    for text in [odd, "[]", "{", r#"{"userName": 1}"#] {
        let file = place.directory.write("user.json", text);
        let ran = place.run(&["explain", "acme", &file.display().to_string()]);
        assert_eq!(ran.code, Some(2), "{text}: {ran:?}");
    }
}

/// Editors on Windows begin a file with a mark that nobody sees. It was no JSON to these commands, and JSON to the server.
#[test]
fn documents_may_begin_with_a_byte_order_mark() {
    let place = Place::in_file("");
    place.command(&["tenant", "create", "acme"]);
    let schema = r#"{"id": "urn:example:2.0:User", "name": "Ours", "attributes": [{"name": "badge"}]}"#;
    let user = r#"{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada"}"#;
    for (command, text) in [("explain", user), ("schema add", schema)] {
        let file = place.directory.write("document.json", &format!("\u{feff}{text}")).display().to_string();
        place.command(&command.split(' ').chain(["acme", &file]).collect::<Vec<_>>());
    }
    // What is wrong is where editors show it, too.
    let file = place.directory.write("document.json", "\u{feff}{\"é\": \"日\", x}").display().to_string();
    let ran = place.run(&["explain", "acme", &file]);
    assert!(ran.stderr.contains("not JSON: key must be a string at line 1 column 12"), "{}", ran.stderr);
}
