//! What only a database that several servers share can get wrong, and the commands that look after it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::{Database, ROLE};
use crate::http::Client;
use crate::messages::{group, id, op, user};
use crate::observing::until_ready;
use crate::server::{Directory, Place, Server, base, run_in, scimd};

/// Two servers at one place.
fn two() -> (Server, crate::server::Process, String) {
    let place = Place::in_database("[limits]\nrequests_per_second = 1000000");
    let token = place.tenant("acme", "generic");
    let (process, other) = (place.serve(), place.serve());
    (Server { process, place }, other, token)
}

#[test]
fn one_group_patched_through_two_servers_gets_all_members() {
    const WRITERS: usize = 8;
    const EACH: usize = 6;
    let (server, other, token) = two();
    let mut here = server.client("acme", &token);
    let there = Client::new(other.address, &base("acme"), &token);
    let group = format!("/Groups/{}", id(&here.post("/Groups", &group("everybody", &[])).expect(201)));
    let joined: BTreeSet<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let mut client = if writer % 2 == 0 { here.clone() } else { there.clone() };
                let group = &group;
                scope.spawn(move || {
                    let join = |number| {
                        let user = user(&format!("w{writer}n{number}"));
                        let id = id(&client.post("/Users", &user).expect(201));
                        let operations = json!([op("add", "members", json!([{ "value": id }]))]);
                        assert_eq!(client.patch(group, operations).status, 204);
                        id
                    };
                    (0..EACH).map(join).collect::<Vec<String>>()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().expect("no panic")).collect()
    });
    let listed = here.get(&group).expect(200);
    let members = listed["members"].as_array().expect("a list").iter();
    let members: BTreeSet<String> =
        members.map(|member| member["value"].as_str().expect("a text").to_owned()).collect();
    assert_eq!(members, joined);
    assert_eq!(members.len(), WRITERS * EACH);
    assert_eq!(server.place.faults(), [""; 0]);
}

#[test]
fn a_cursor_of_one_server_leads_on_at_the_other() {
    let (server, other, token) = two();
    let mut here = server.client("acme", &token);
    let mut there = Client::new(other.address, &base("acme"), &token);
    let names: Vec<String> = (0..7).map(|number| format!("u{number}")).collect();
    names.iter().for_each(|name| drop(here.post("/Users", &user(name)).expect(201)));
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for page in 0.. {
        let client = if page % 2 == 0 { &mut here } else { &mut there };
        let listed = client.get(&format!("/Users?count=3&cursor={cursor}")).expect(200);
        let resources = listed["Resources"].as_array().expect("a list").iter();
        seen.extend(resources.map(|user| user["userName"].as_str().expect("a text").to_owned()));
        match listed["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, names);
}

#[test]
fn a_token_revoked_beside_one_server_is_refused_by_the_other() {
    let (server, other, token) = two();
    let keep = server.place.token("acme");
    let mut there = Client::new(other.address, &base("acme"), &token);
    there.get("/Users").expect(200);
    let name = token.split('_').nth(1).expect("the name of the token");
    server.place.command(&["token", "revoke", name]);
    there.get_until("revoked", "/Users", |answer| answer.status == 401);
    Client::new(other.address, &base("acme"), &keep).get("/Users").expect(200);
}

/// Three servers to which a tenant sends twice what it may, each: they let in what one of them would.
#[test]
fn a_rate_is_that_of_all_servers_together() {
    const RATE: usize = 20;
    const SERVERS: usize = 3;
    let place = Place::in_database(&format!("[limits]\nrequests_per_second = {RATE}\nburst_seconds = 1"));
    let token = place.tenant("acme", "generic");
    let servers: Vec<_> = (0..SERVERS).map(|_| place.serve()).collect();
    let (admitted, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for server in &servers {
            let mut client = Client::new(server.address, &base("acme"), &token);
            let (admitted, refused) = (&admitted, &refused);
            scope.spawn(move || {
                for number in 0.. {
                    if admitted.load(Ordering::Relaxed) >= 12 * RATE {
                        return;
                    }
                    // The pace is the load itself.
                    let due = Duration::from_secs_f64(number as f64 / (2 * RATE) as f64);
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    match client.get("/Users?count=1").status {
                        200 => admitted.fetch_add(1, Ordering::Relaxed),
                        429 => refused.fetch_add(1, Ordering::Relaxed),
                        status => panic!("{status}"),
                    };
                }
            });
        }
    });
    let (admitted, refused) = (admitted.into_inner(), refused.into_inner());
    let of_one = RATE as f64 * (1.0 + begun.elapsed().as_secs_f64());
    // Each begins with a burst of its own, which the tenant pays back.
    assert!(
        admitted as f64 <= 1.5 * of_one,
        "{admitted} of {} where one server lets {of_one:.0} in",
        admitted + refused
    );
}

#[test]
fn a_database_is_migrated_and_shown() {
    let database = Database::empty();
    let directory = Directory::new();
    let (owner, address) = (database.text("postgres"), database.text(ROLE));
    let refused = |arguments: &[&str], code: i32, words: &str| {
        let ran = run_in(directory.path(), arguments);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    };
    let must = |arguments: &[&str]| {
        let ran = run_in(directory.path(), arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        format!("{}{}", ran.stdout, ran.stderr)
    };
    refused(&["tenant", "list", "--store", &address], 1, "run `scimd store migrate`");
    // A script that makes a database ready goes by the exit code, and everybody sees what there is.
    let status = ["store", "status", "--store", &address, "--format", "json"];
    refused(&status, 1, "has no tables of this software");
    assert!(run_in(directory.path(), &status).stdout.contains("\"there are no tables\""));
    refused(
        &["store", "migrate", "--role", "nobody-there", "--store", &owner],
        1,
        "there is no role `nobody-there`",
    );
    let migrate = ["store", "migrate", "--role", ROLE, "--store", &owner];
    assert!(must(&migrate).contains("from schema version 0 to 3"));
    assert!(must(&migrate).contains("is up to date, at schema version 3"));
    for command in [["tenant", "list"], ["store", "status"]] {
        refused(&[&command[..], &["--store", &owner]].concat(), 1, "is a superuser or has BYPASSRLS");
    }
    must(&["tenant", "create", "acme", "--store", &address]);
    let status = must(&["store", "status", "--store", &address]);
    assert!(status.contains("forced on every table") && status.contains("acme"), "{status}");
    database.run("INSERT INTO scim.migration (step) VALUES (4)");
    refused(
        &["tenant", "list", "--store", &address],
        1,
        "has schema version 4, and this software knows up to 3",
    );
    let file = format!("sqlite:{}", directory.path().join("a.db").display());
    assert!(must(&["store", "migrate", "--store", &file]).contains("made sqlite:"));
    assert!(must(&["store", "migrate", "--store", &file]).contains("is up to date"));
    // A tenant of any name is none of the other rows.
    assert!(!must(&["tenant", "create", "size", "--store", &file]).contains("made"));
    let status = must(&["store", "status", "--store", &file, "--format", "csv"]);
    assert!(status.starts_with("what,tenant,name,value\r\nsize,,file,"), "{status}");
    assert!(status.contains("\ncount,size,User,0\r\n"), "{status}");
    let other = format!("{file}.other");
    assert!(must(&["tenant", "create", "acme", "--store", &other]).starts_with(&format!("made {other}\n")));
    refused(&["store", "migrate", "--role", ROLE, "--store", &file], 2, "`--role` is for databases");
}

#[test]
fn passwords_are_taken_from_the_environment_and_files_alone() {
    let directory = Directory::new();
    let secret = "postgres://scimd:Canary1@127.0.0.1:1/scim";
    let ran = run_in(directory.path(), &["tenant", "list", "--store", secret]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("`--store` has a password in it") && !ran.stderr.contains("Canary1"),
        "{ran:?}"
    );
    for unreadable in ["postgres://scimd:Canary1@ho st/scim", "postgres://scimd:Canary1@host/scim?nosuch=1"] {
        for arguments in [&["tenant", "list", "--store", unreadable][..], &["serve", "--store", unreadable]] {
            let ran = run_in(directory.path(), arguments);
            assert_eq!(ran.code, Some(2), "{ran:?}");
            assert!(ran.stderr.contains("--store") && !ran.stderr.contains("Canary1"), "{ran:?}");
        }
    }
    directory.write("scimd.toml", &format!("store = \"{secret}\"\n"));
    let ran = run_in(directory.path(), &["tenant", "list", "--config", "scimd.toml"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("`store` in the configuration file") && !ran.stderr.contains("Canary1"),
        "{ran:?}"
    );
    // Nobody listens there, and that is what is said.
    let output = scimd().args(["tenant", "list"]).env("SCIMD_STORE", secret).output().expect("scimd runs");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        err.contains("cannot open postgres://scimd@127.0.0.1:1/scim") && !err.contains("Canary1"),
        "{err}"
    );
    let missing = "postgres://scimd@127.0.0.1:1/scim?password_file=missing";
    let ran = run_in(directory.path(), &["tenant", "list", "--store", missing]);
    assert!(ran.stderr.contains("the password in missing cannot be read"), "{ran:?}");
}

#[test]
fn a_database_that_goes_away_is_told_and_found_again() {
    let place = Place::in_database("[metrics]\nlisten = \"127.0.0.1:0\"");
    let token = place.tenant("acme", "generic");
    let server = Server { process: place.serve(), place };
    let mut client = server.client("acme", &token);
    let mut health = Client::bare(server.process.metrics(), "");
    until_ready(&mut health);
    client.post("/Users", &user("ada")).expect(201);
    let database = server.place.database();
    database.close();
    assert_eq!(health.get("/readyz").status, 503);
    assert_eq!(health.get("/healthz").status, 200);
    let refused = client.get("/Users");
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    // What the database said is in the log alone, and is found there by the request.
    assert!(!refused.text().contains("database"), "{}", refused.text());
    let request = refused.header("x-request-id").expect("an identifier").to_owned();
    server.process.wait_for("why it failed", |_, err| {
        // Without the tenant, where the directory had to be asked whether there is one.
        let mut lines = err.lines().filter(|line| line.contains(&request));
        lines.any(|line| line.contains("\"ERROR\"")).then_some(())
    });
    assert_eq!(client.post("/Users", &user("bob")).status, 503);
    database.reopen();
    until_ready(&mut health);
    assert_eq!(client.get("/Users").expect(200)["totalResults"], 1);
    client.post("/Users", &user("bob")).expect(201);
}
