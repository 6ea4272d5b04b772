//! `scimd store copy`: a tenant moves as it is, whatever ends the command, and nobody notices but by the address.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use scim_store::Tenant;
use scim_store::conformance::{transfer_cases, wait};
use scim_store::transfer::{self, Lot, Portable};
use scim_store_sqlite::SqliteStore;
use scimd::config::StoreUrl;
use scimd::store::portable;
use serde_json::{Value, json};

use crate::cluster::{Database, patient};
use crate::http::{Answer, Client};
use crate::ledger::{Ledger, faults};
use crate::messages::{bulk, group, id, op, user, user_with, with};
use crate::server::{Directory, PATIENCE, Place, Ran, Server, alone, run_in, scimd};

pub(crate) const CONFIG: &str =
    "base_url = \"http://scim.example.com\"\npasswords = \"hash\"\n[limits]\nrequests_per_second = 1000000";

const POLICY: &str = r#"
[mapping]
[mapping.fields]
site = ["urn:example:Site:site"]
[domain]
allow = ["example.com"]
[group]
on_conflict = "latest"
[gender]
vocabulary = { m = "male", w = "female" }
"#;

/// A copy that is killed when it says that it has come so far.
fn kill(from: &Place, to: &Place, what: &str, percent: u64) {
    let mut command = scimd();
    command.args([
        "store",
        "copy",
        "--from",
        &from.store.to_string(),
        "--to",
        &to.store.to_string(),
        "--tenant",
        "acme",
    ]);
    killed_at(command, what, percent);
}

/// A command that is killed when it says that it has come so far. Says whether that came in time.
pub(crate) fn killed_at(command: Command, what: &str, percent: u64) -> bool {
    // On a machine that does much else the command goes on after it has said so, unless whoever reads it comes first.
    let mut nice = alone(Command::new("nice"));
    nice.args(["-n", "19"]).arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    let mut child = nice.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("scimd starts");
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let is_there = |line: &String| {
        let (_, rest) = line.split_once(what).unwrap_or_default();
        let reached = rest.trim_start().split_once('%').and_then(|(number, _)| number.parse().ok());
        reached.is_some_and(|reached: u64| reached >= percent)
    };
    let mut lines = lines.skip_while(|line| !is_there(line));
    // What was killed late had come further, and whoever goes on with it does not come there any more.
    let has_come = lines.next().is_some();
    if has_come {
        child.kill().expect("kill");
    }
    let is_done = child.wait().expect("a child").success();
    assert!(has_come || is_done, "it failed before it {what} {percent}%");
    !is_done
}

pub(crate) fn copy(from: &str, to: &str, more: &[&str]) -> Ran {
    let directory = Directory::new();
    let arguments = [&["store", "copy", "--from", from, "--to", to, "--format", "csv"], more].concat();
    run_in(directory.path(), &arguments)
}

/// A tenant with something of everything. Gives back paths that are answered with what it has.
pub(crate) fn fill(server: &Server, client: &mut Client, many: usize) -> Vec<String> {
    let file = server.place.directory.write("acme.toml", POLICY);
    let schema = json!({
        "id": "urn:example:Site", "name": "Site", "attributes": [{ "name": "site", "type": "string" }],
    });
    let schema = server.place.directory.write("site.json", &schema.to_string());
    server.place.command(&["schema", "add", "acme", &schema.to_string_lossy()]);
    server.place.command(&["policy", "apply", "acme", &file.to_string_lossy()]);
    let person = |name: &str| {
        let attributes = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:example:Site"],
            "name": { "givenName": name, "familyName": "Example" }, "active": true,
            "emails": [{ "type": "work", "value": format!("{name}@example.com") }],
            "urn:example:Site": { "site": "Ulm" },
        });
        user_with(&format!("{name}@example.com"), attributes)
    };
    let ada = with(person("ada"), json!({ "password": "correct horse" }));
    let ada = id(&client.post("/Users", &ada).expect(201));
    let grace = id(&client.post("/Users", &person("grace")).expect(201));
    let gone = id(&client.post("/Users", &person("gone")).expect(201));
    let red = id(&client.post("/Groups", &group("Red", &[&ada, &grace, &gone])).expect(201));
    let blue = id(&client.post("/Groups", &group("Blue", &[])).expect(201));
    let join = json!([op("add", "members", json!([{ "value": grace }]))]);
    client.patch(&format!("/Groups/{blue}"), join).expect(204);
    client.delete(&format!("/Users/{gone}")).expect(204);
    let refused = user_with("eve@example.net", json!({ "emails": [{ "value": "eve@example.net" }] }));
    client.post("/Users", &refused).refused(400, "invalidValue");
    for first in (0..many).step_by(250) {
        let create = |number: usize| {
            let name = format!("user{number}");
            json!({ "method": "POST", "path": "/Users", "bulkId": name, "data": person(&name) })
        };
        let operations: Vec<Value> = (first..first + 250).map(create).collect();
        client.post("/Bulk", &bulk(Value::Array(operations))).expect(200);
    }
    [
        format!("/Users/{ada}"),
        format!("/Users/{grace}"),
        format!("/Users/{gone}"),
        format!("/Groups/{red}"),
        format!("/Groups/{blue}"),
        "/Users?startIndex=301&count=50".to_owned(),
        "/Users?filter=userName%20eq%20%22USER77@example.com%22".to_owned(),
        "/Users?filter=emails.value%20sw%20%22user29%22&sortBy=userName&sortOrder=descending".to_owned(),
        format!("/Users?filter=groups.value%20eq%20%22{red}%22"),
        "/Groups".to_owned(),
        "/Schemas".to_owned(),
        "/ServiceProviderConfig".to_owned(),
    ]
    .into()
}

/// What must be the same whoever answers.
fn shown(answer: &Answer) -> (u16, Option<String>, String) {
    (answer.status, answer.header("etag").map(str::to_owned), answer.text())
}

#[test]
fn a_tenant_moves_from_a_file_to_a_database_though_the_command_is_killed() {
    check(Place::in_file(CONFIG), Place::in_database(CONFIG), 2000);
}

#[test]
fn a_tenant_moves_from_a_database_to_a_file_though_the_command_is_killed() {
    check(Place::in_database(CONFIG), Place::in_file(CONFIG), 1000);
}

#[test]
fn a_tenant_moves_from_a_file_to_another_though_the_command_is_killed() {
    check(Place::in_file(CONFIG), Place::in_file(CONFIG), 1000);
}

/// Moves a tenant with so many users besides those that are looked at.
fn check(from: Place, to: Place, many: usize) {
    let start = |place: Place| Server { process: place.serve(), place };
    let server = start(from);
    let mut client = server.tenant("acme", "entra");
    let token = server.place.token("acme");
    let paths = fill(&server, &mut client, many);
    let before: Vec<_> = paths.iter().map(|path| shown(&client.get(path))).collect();
    server.process.kill();
    let from = server.place;
    // The other store is in use.
    let to = start(to);
    let mut resident = to.tenant("resident", "generic");
    let (source, target) = (from.store.to_string(), to.place.store.to_string());

    let begun = Instant::now();
    for (what, percent) in
        [("copied", 10), ("copied", 50), ("copied", 90), ("compared", 10), ("compared", 100)]
    {
        loop {
            kill(&from, &to.place, what, percent);
            let missing = to.place.run(&["person", "list", "acme"]);
            if missing.code != Some(0) {
                assert!(missing.stderr.contains("there is no tenant `acme`"), "{missing:?}");
                assert_eq!(to.client("acme", &token).get("/Users").status, 401, "it is served half");
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "it is never killed in time");
            // Whoever is to end it does not always come in time. Then it is copied anew, but for the last, which has hardly any.
            to.place.command(&["connection", "pause", "acme"]);
            to.place.command(&["tenant", "delete", "acme", "--yes"]);
            to.client("acme", &token).get_until("deleted", "/Users", |answer| answer.status == 401);
            if percent == 100 {
                break;
            }
        }
    }
    let ran = copy(&source, &target, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let counted = format!("{},3,{},", many + 4, many + 2);
    assert!(ran.stdout.contains(&format!("acme,copied and verified,{counted}")), "{ran:?}");
    let again = copy(&source, &target, &["--tenant", "acme"]);
    assert!(again.stdout.contains(&format!("acme,\"already there, verified\",{counted}")), "{again:?}");

    // The server there follows; the tokens are what they were.
    let mut client = to.client("acme", &token);
    let after: Vec<_> = paths.iter().map(|path| shown(&client.get(path))).collect();
    for ((path, before), after) in paths.iter().zip(&before).zip(&after) {
        assert_eq!(before, after, "{path}");
    }
    let lists: [&[&str]; 6] = [
        &["person", "export", "acme", "--format", "json"],
        &["findings", "list", "acme", "--format", "json"],
        &["policy", "show", "acme"],
        &["schema", "list", "acme"],
        &["group", "conflicts", "acme", "--format", "json"],
        &["replay", "acme", "--format", "json"],
    ];
    for list in lists {
        assert_eq!(from.command(list), to.place.command(list), "{list:?}");
    }
    let [ours, theirs] = [&from, &to.place].map(|place| Ledger::open(&place.store).changes("acme"));
    assert_eq!(ours, theirs);
    let next = format!("W/\"{}", theirs.len() + 1);
    let new = client.post("/Users", &user_with("new@example.com", json!({})));
    assert!(new.header("etag").is_some_and(|etag| etag.starts_with(&next)), "{next}: {new:?}");
    client.post("/Users", &user_with("User5@example.com", json!({}))).refused(409, "uniqueness");
    resident.get("/Users").expect(200);
    let faults = match &to.place.store {
        StoreUrl::Sqlite(file) => faults(file),
        _ => to.place.faults(),
    };
    assert_eq!(faults, [""; 0]);

    // It has moved on there.
    let refused = copy(&source, &target, &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("it is there already, but not the same"), "{refused:?}");
}

#[test]
fn what_cannot_be_copied_is_explained_and_the_rest_is_copied() {
    let place = Place::in_file("");
    let from = Server { process: place.serve(), place };
    for name in ["acme", "beta", "ceta"] {
        let mut client = from.tenant(name, "generic");
        client.post("/Users", &user_with("ada", json!({}))).expect(201);
    }
    let to = Place::in_file("");
    to.tenant("beta", "generic");
    let (source, target) = (from.place.store.to_string(), to.store.to_string());
    let ran = copy(&source, &target, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("tenant beta: there is a tenant `beta` there already"), "{ran:?}");
    assert!(ran.stdout.contains("acme,copied") && ran.stdout.contains("ceta,copied"), "{ran:?}");
    assert!(to.serve().address.port() > 0, "it can be served from");

    fn explained(ran: &Ran, code: i32, expected: &str) {
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
    }
    explained(
        &copy(&source, &target, &["--tenant", "acne"]),
        1,
        "there is no tenant `acne`; did you mean `acme`?",
    );
    explained(&copy(&source, &target, &["--tenant", "A"]), 2, "`A` is not a tenant name");
    explained(&copy(&source, &source, &[]), 2, "name two stores");
    explained(&copy("sqlite:nowhere.db", &target, &[]), 1, "there is no store at");
    let secret = "postgres://scimd:Canary1@127.0.0.1:1/scim";
    for ran in [copy(&source, secret, &[]), copy(secret, &target, &[])] {
        explained(&ran, 2, "has a password in it, where others can read it; take it out, and set PGPASSWORD");
        assert!(!ran.stderr.contains("Canary1"), "{ran:?}");
    }
    explained(&copy(&source, "memory", &[]), 2, "no other command can reach it");
}

#[test]
fn what_was_left_half_done_is_handed_over_or_removed() {
    let place = Place::in_file("");
    let from = Server { process: place.serve(), place };
    let mut client = from.tenant("acme", "generic");
    let token = from.place.token("acme");
    (0..70).for_each(|number| drop(client.post("/Users", &user(&format!("u{number}"))).expect(201)));
    let to = Place::in_file("");
    let open = |place: &Place| portable(&place.store, Duration::from_secs(20)).expect("opens");
    let acme = Tenant::new("acme").expect("a name");
    let (source, target) = (open(&from.place), open(&to));
    let first = wait(source.wholes(&acme, "", 10)).expect("resources");
    wait(target.adopt(&acme, Lot { wholes: first, ..Lot::default() })).expect("adopted");
    let refused = to.run(&["tenant", "create", "acme"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("there is an unfinished copy of a tenant `acme`"), "{refused:?}");
    to.command(&["store", "discard", "acme"]);
    let refused = to.run(&["store", "discard", "acme"]);
    assert!(refused.stderr.contains("nothing was removed"), "{refused:?}");

    // Everything is there, and what is known of the tenant is not: it was ended at the last moment.
    wait(transfer::copy(&*source, &*target, &acme, &mut |_| {})).expect("copied");
    assert!(to.run(&["store", "discard", "acme"]).stderr.contains("nothing was removed"));
    let ran = copy(&from.place.store.to_string(), &to.store.to_string(), &[]);
    assert!(ran.stdout.contains("acme,copied and verified,70,"), "{ran:?}");
    let to = Server { process: to.serve(), place: to };
    assert_eq!(to.client("acme", &token).get("/Users").expect(200)["totalResults"], 70);
    assert!(to.place.run(&["store", "discard", "acme"]).stderr.contains("nothing was removed"));
}

#[test]
fn files_and_databases_are_copied_into_one_another() {
    let database = Database::new();
    for case in transfer_cases() {
        for into_database in [true, false] {
            let directory = Directory::new();
            database.clear();
            let file = directory.path().join("scim.db");
            let file: Arc<dyn Portable> =
                Arc::new(SqliteStore::open(file, Default::default()).expect("opens"));
            let database: Arc<dyn Portable> = Arc::new(database.open(patient()));
            println!("{}, into the database: {into_database}", case.name);
            match into_database {
                true => case.run(file, database),
                false => case.run(database, file),
            }
        }
    }
}

/// The server has not heard of the pause yet when the copy is made. What it acknowledges until then has to be in it.
#[test]
fn a_copy_after_a_pause_has_all_that_was_acknowledged() {
    for verb in ["pause", "remove"] {
        let place = Place::in_file(CONFIG);
        let server = Server { process: place.serve(), place };
        let mut client = server.tenant("acme", "generic");
        let (tell, told) = std::sync::mpsc::channel();
        let writer = std::thread::spawn(move || {
            for number in 0.. {
                let name = format!("u{number}");
                match client.post("/Users", &user(&name)).status {
                    201 => drop(tell.send(name)),
                    status => return status,
                }
            }
            0
        });
        let mut acknowledged: BTreeSet<String> = told.iter().take(20).collect();
        server.place.command(&["connection", verb, "acme"]);
        let to = Place::in_file("");
        let ran = copy(&server.place.store.to_string(), &to.store.to_string(), &[]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(writer.join().expect("a writer"), 403, "{verb}");
        acknowledged.extend(told.iter());
        let acme = Tenant::new("acme").expect("a name");
        let target = portable(&to.store, Duration::from_secs(20)).expect("opens");
        let copied = wait(target.wholes(&acme, "", 100_000)).expect("resources");
        let name = |body: &[u8]| serde_json::from_slice::<Value>(body).expect("JSON")["userName"].clone();
        let copied: BTreeSet<String> = copied
            .iter()
            .filter_map(|whole| name(&whole.stored.record.body).as_str().map(str::to_owned))
            .collect();
        assert_eq!(copied, acknowledged, "{verb}");
    }
}
