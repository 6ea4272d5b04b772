//! Carrying out again what was refused: never against what is newer, in full where nothing is, and as the dry run says.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use scim_core::ErrorKind;
use scim_core::schema::GROUP;
use scim_service::directory::Idp;
use serde_json::{Value, json};

use crate::policy::{POLICY, created, user};
use crate::world::World;

const LENIENT: &str =
    "[email]\n[domain]\nallow = [\"example.com\", \"example.org\"]\n[group]\nmode = \"off\"\n";

fn replace(path: &str, value: &Value) -> Value {
    json!([{"op": "replace", "path": path, "value": value}])
}

fn add(ids: &[&str]) -> Value {
    let members: Vec<Value> = ids.iter().map(|id| json!({"value": id})).collect();
    json!([{"op": "add", "path": "members", "value": members}])
}

fn remove(id: &str) -> Value {
    json!([{"op": "remove", "path": format!("members[value eq \"{id}\"]")}])
}

fn message(operations: &Value) -> Value {
    json!({"schemas": [scim_core::patch::MESSAGE], "Operations": operations})
}

fn members(world: &World, group: &str) -> Vec<String> {
    let body = world.get(&format!("/Groups/{group}")).body;
    let members = body["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn a_newer_write_wins_whenever_it_comes() {
    let mut interrupted = 0;
    for looks in 0..30 {
        let world = World::new(Idp::Entra);
        world.govern(POLICY);
        let path = format!("/Users/{}", created(&world, "ada@example.com"));
        let old = replace("emails", &json!([{"value": "old@example.org", "type": "work"}]));
        assert_eq!(world.patch(&path, &old).status.as_u16(), 400);
        world.govern(LENIENT);
        let newer = replace("emails", &json!([{"value": "newer@example.com", "type": "work"}]));
        world.interrupt(looks, "PATCH", &path, &message(&newer));
        world.replay();
        if !world.is_interrupted() {
            break;
        }
        interrupted += 1;
        assert_eq!(world.persons()[0].person.email.as_deref(), Some("newer@example.com"), "{looks}");
    }
    assert!(interrupted > 2, "{interrupted}");
}

#[test]
fn a_request_about_a_whole_group_does_not_undo_what_is_newer() {
    for whole in [true, false] {
        let world = World::new(Idp::Entra);
        world.govern(POLICY);
        let ids = ["a@example.com", "b@example.com", "c@example.com"].map(|address| created(&world, address));
        let [ada, bob, cyd] = ids.each_ref().map(String::as_str);
        let (red, blue) = (world.group("Red", &[ada]), world.group("Blue", &[bob]));
        let path = format!("/Groups/{blue}");
        let answer = match whole {
            true => {
                let members = json!([{"value": ada}, {"value": bob}]);
                world.request(
                    "PUT",
                    &path,
                    &json!({"schemas": [GROUP], "displayName": "Blue", "members": members}),
                )
            }
            false => world.patch(&path, &add(&[ada, bob])),
        };
        assert_eq!(answer.status.as_u16(), 400, "{}", answer.body);
        assert_eq!(world.patch(&path, &remove(bob)).status.as_u16(), 204);
        world.request("DELETE", &format!("/Groups/{red}"), &Value::Null);
        let replayed = world.replayed();
        let kinds: Vec<_> =
            replayed.iter().map(|one| one.refusal.as_ref().map(scim_core::Error::kind)).collect();
        assert_eq!(kinds, [Some(ErrorKind::PreconditionFailed)]);
        assert!(members(&world, &blue).is_empty(), "bob had been taken out");
        // It comes again, and what a replay itself has done to the group is no obstacle.
        world.group("Red", &[ada, cyd]);
        for body in [add(&[ada]), add(&[ada, bob]), add(&[bob, cyd])] {
            assert_eq!(world.patch(&path, &body).status.as_u16(), 400);
        }
        world.govern(LENIENT);
        assert_eq!((world.replay(), world.said()), (3, vec![]));
        assert_eq!(members(&world, &blue).len(), 3);
    }
}

#[test]
fn whoever_is_taken_out_of_a_group_stays_out_whenever_that_comes() {
    let mut interrupted = 0;
    for looks in 0..30 {
        let world = World::new(Idp::Entra);
        world.govern(POLICY);
        let (ada, bob) = (created(&world, "ada@example.com"), created(&world, "bob@example.com"));
        let (red, blue) = (world.group("Red", &[&ada]), world.group("Blue", &[&bob]));
        let path = format!("/Groups/{blue}");
        let members_sent = json!([{"value": ada}, {"value": bob}]);
        let body = json!({"schemas": [GROUP], "displayName": "Blue", "members": members_sent});
        assert_eq!(world.request("PUT", &path, &body).status.as_u16(), 400);
        world.request("DELETE", &format!("/Groups/{red}"), &Value::Null);
        world.interrupt(looks, "PATCH", &path, &message(&remove(&bob)));
        world.replay();
        if !world.is_interrupted() {
            break;
        }
        interrupted += 1;
        assert!(!members(&world, &blue).contains(&bob), "{looks}");
    }
    assert!(interrupted > 2, "{interrupted}");
}

#[test]
fn newer_refusals_about_the_same_are_carried_out_as_well_and_in_order() {
    let world = World::new(Idp::Entra);
    world.govern(POLICY);
    let path = format!("/Users/{}", created(&world, "ada@example.com"));
    let address = |address: &str| replace("emails", &json!([{"value": address, "type": "work"}]));
    let title = json!([
        {"op": "replace", "path": "title", "value": "Countess"},
        {"op": "replace", "path": "emails", "value": [{"value": "last@example.org", "type": "work"}]},
    ]);
    for operations in [&address("first@example.org"), &address("ada@example.net"), &title] {
        assert_eq!(world.patch(&path, operations).status.as_u16(), 400);
    }
    // Refused again, the second one does not pass for newer than the third.
    assert_eq!(world.replay(), 0);
    world.govern(LENIENT);
    assert_eq!((world.replay(), world.latest_actor().as_str()), (2, "replayer"));
    assert_eq!(world.persons()[0].person.email.as_deref(), Some("last@example.org"));
    assert_eq!((world.said(), world.get(&path).body["title"].clone()), (vec![], json!("Countess")));
}

/// The administrator takes the address back, and the identity provider sends the one that is there still.
#[test]
fn what_is_taken_back_without_a_change_is_not_carried_out() {
    let world = World::new(Idp::Entra);
    world.govern(&format!("{POLICY}[language]\n"));
    let path = format!("/Users/{}", created(&world, "ada@example.com"));
    assert_eq!(world.patch(&path, &replace("preferredLanguage", &json!("Klingonisch"))).status.as_u16(), 200);
    let work = "emails[type eq \"work\"].value";
    assert_eq!(world.patch(&path, &replace(work, &json!("ada@example.org"))).status.as_u16(), 400);
    assert_eq!(world.said().len(), 3, "the refusal tells of the language too");
    let before = world.trace();
    assert_eq!(world.patch(&path, &replace(work, &json!("ada@example.com"))).status.as_u16(), 200);
    assert_eq!(world.said(), [("language-unreadable".to_owned(), 1)], "what is said of who is there stays");
    assert_eq!(world.trace(), before, "nothing was changed");
    world.govern(LENIENT);
    assert_eq!(world.replay(), 0);
    assert_eq!(world.persons()[0].person.email.as_deref(), Some("ada@example.com"));
}

#[test]
fn what_can_never_be_carried_out_is_settled() {
    let world = World::new(Idp::Entra);
    world.govern(POLICY);
    let ada = created(&world, "ada@example.com");
    let (_, blue) = (world.group("Red", &[&ada]), world.group("Blue", &[]));
    world.patch(&format!("/Groups/{blue}"), &add(&[&ada]));
    let mut body = user("bob@example.org");
    body["userName"] = json!("BOB");
    assert_eq!(world.request("POST", "/Users", &body).status.as_u16(), 400);
    assert_eq!(world.said().len(), 2);
    // Somebody else has the name now.
    let rename = replace("userName", &json!("bob"));
    let cyd = created(&world, "cyd@example.com");
    assert_eq!(world.patch(&format!("/Users/{cyd}"), &rename).status.as_u16(), 200);
    assert_eq!(world.said(), [("group-second".to_owned(), 1)]);
    world.request("DELETE", &format!("/Users/{ada}"), &Value::Null);
    let replayed = world.replayed();
    assert_eq!(replayed.len(), 1);
    assert_eq!(replayed[0].refusal.as_ref().map(scim_core::Error::kind), Some(ErrorKind::NotFound));
    assert_eq!((world.said(), world.replayed().len()), (vec![], 0));
    assert_eq!(world.pause().kind(), ErrorKind::Forbidden);
}

#[test]
fn people_who_have_one_address_already_are_no_obstacle_to_a_dry_run() {
    let world = World::new(Idp::Generic);
    let paths = ["ada", "bob"].map(|name| {
        let mut body = user("office@example.com");
        body["userName"] = json!(name);
        format!("/Users/{}", world.request("POST", "/Users", &body).id())
    });
    world.govern("[domain]\nallow = [\"example.com\"]\n");
    for (path, address) in paths.iter().zip(["ada@example.org", "bob@example.org"]) {
        let emails = json!([{"value": address, "type": "work"}]);
        assert_eq!(world.patch(path, &replace("emails", &emails)).status.as_u16(), 400);
    }
    let said: Vec<u64> = world.compare(LENIENT).accepted.iter().map(|reported| reported.number).collect();
    world.govern(LENIENT);
    assert_eq!((said, world.replay()), (vec![1, 2], 2));
}

/// They came over a connection of another kind.
#[test]
fn groups_that_have_one_name_already_are_no_obstacle_to_a_dry_run() {
    let world = World::new(Idp::Generic);
    world.govern(POLICY);
    let (ada, bob) = (created(&world, "ada@example.com"), created(&world, "bob@example.com"));
    let (red, other) = (world.group("Red", &[&ada]), world.group("Red", &[&bob]));
    let world = world.reconnected(Idp::Entra);
    for (group, member) in [(&red, &bob), (&other, &ada)] {
        assert_eq!(world.patch(&format!("/Groups/{group}"), &add(&[member])).status.as_u16(), 400);
    }
    assert_eq!(world.compare(LENIENT).accepted.len(), 2);
    world.govern(LENIENT);
    assert_eq!(world.replay(), 2);
}

#[test]
fn a_dry_run_sees_what_the_requests_before_leave() {
    let world = World::new(Idp::Entra);
    world.govern(POLICY);
    let (ada, cyd) = (created(&world, "ada@example.com"), created(&world, "cyd@example.com"));
    let (red, blue) = (world.group("Red", &[&ada]), world.group("Blue", &[&cyd]));
    let green = format!("/Groups/{}", world.group("Green", &[]));
    let body = json!({"schemas": [GROUP], "displayName": "Red", "members": [{"value": cyd}]});
    assert_eq!(world.request("PUT", &format!("/Groups/{red}"), &body).status.as_u16(), 400);
    assert_eq!(world.patch(&green, &add(&[&ada])).status.as_u16(), 400);
    let numbers = || world.compare(POLICY).accepted.iter().map(|one| one.number).collect::<Vec<_>>();
    assert!(numbers().is_empty());
    // Once cyd may come, ada goes, and may go elsewhere.
    assert_eq!(world.patch(&format!("/Groups/{blue}"), &remove(&cyd)).status.as_u16(), 204);
    assert_eq!((numbers(), world.replay()), (vec![1, 2], 2));
    assert_eq!(members(&world, &red), [cyd.as_str()]);
}

/// The administrator mends the name at the identity provider, and the operator later lists the domain that was misspelt.
#[test]
fn whom_the_identity_provider_created_under_a_mended_name_is_not_created_again() {
    let world = World::new(Idp::Entra);
    world.govern(POLICY);
    let mut body = user("ada@example.org");
    body["externalId"] = json!("e5");
    assert_eq!(world.request("POST", "/Users", &body).status.as_u16(), 400);
    let mut mended = user("ada@example.com");
    mended["externalId"] = json!("e5");
    assert_eq!(world.request("POST", "/Users", &mended).status.as_u16(), 201);
    const LENIENT: &str = "[domain]\nallow = [\"example.com\", \"example.org\"]\n";
    assert!(world.compare(LENIENT).accepted.is_empty(), "the dry run says so too");
    world.govern(LENIENT);
    let replayed = world.replayed();
    let why = replayed[0].refusal.as_ref().expect("refused").detail();
    assert!(why.contains("same externalId"), "{why}");
    assert_eq!((world.persons().len(), world.said().len()), (1, 0), "nothing is left to carry out");
}

#[test]
fn what_was_said_of_creating_somebody_goes_with_them() {
    let world = World::new(Idp::Entra);
    world.govern("[domain]\nmode = \"warn\"\nallow = [\"example.com\"]\n");
    for precondition in [None, Some(("if-match", "*"))] {
        let id = created(&world, "ada@example.org");
        assert_eq!(world.said(), [("domain-not-listed".to_owned(), 1)]);
        let headers: Vec<_> = precondition.into_iter().collect();
        let gone = world.with_headers("DELETE", &format!("/Users/{id}"), &Value::Null, &headers);
        assert_eq!((gone.status.as_u16(), world.said()), (204, vec![]));
    }
}

#[test]
fn a_digest_does_not_depend_on_secrets() {
    let world = World::new(Idp::Generic);
    world.govern(POLICY);
    let mut body = user("ada@example.org");
    for password in ["one", "another"] {
        body["password"] = json!(password);
        assert_eq!(world.request("POST", "/Users", &body).status.as_u16(), 400);
    }
    assert_eq!(world.said(), [("domain-not-listed".to_owned(), 2)]);
    // What is kept is that request, so that refusing it again is no other one.
    world.replay();
    assert_eq!((world.said(), world.digests().len()), (vec![("domain-not-listed".to_owned(), 2)], 1));
}

#[test]
fn the_one_at_fault_of_a_circle_is_reported() {
    let world = World::new(Idp::Generic);
    world.govern(POLICY);
    created(&world, "ada@example.com");
    let refers = |name: &str, to: &str, address: &str| {
        let mut body = user(address);
        body["userName"] = json!(name);
        body[scim_core::schema::ENTERPRISE_USER] = json!({"manager": {"value": format!("bulkId:{to}")}});
        body["schemas"] = json!([scim_core::schema::USER, scim_core::schema::ENTERPRISE_USER]);
        json!({"method": "POST", "path": "/Users", "bulkId": name, "data": body})
    };
    let bulk = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [refers("a", "b", "free@example.com"), refers("b", "a", "ada@example.com")],
    });
    let answer = world.request("POST", "/Bulk", &bulk).body;
    let details: Vec<&str> =
        (0..2).map(|at| answer["Operations"][at]["response"]["detail"].as_str().expect("text")).collect();
    assert!(details[0].contains("bulkId:b") && details[1].starts_with("email-taken"), "{details:?}");
    assert_eq!(world.subjects(), ["userName:b"]);
}

/// One thing that an identity provider sends. Numbers choose among what is there.
#[derive(Debug, Clone)]
enum Step {
    Create(usize, usize),
    Address(usize, usize),
    Rename(usize, usize),
    Active(usize, bool),
    Delete(usize),
    Group(Vec<usize>),
    Join(usize, Vec<usize>),
    Leave(usize, usize),
    Put(usize, Vec<usize>),
}

const NAMES: [&str; 4] = ["ada", "bob", "cyd", "dan"];
const DOMAINS: [&str; 3] = ["example.com", "example.org", "example.net"];
const LOCALS: [&str; 4] = ["ada", "bob", "info", "x@y"];

fn address(choice: usize) -> String {
    format!("{}@{}", LOCALS[choice % LOCALS.len()], DOMAINS[choice / LOCALS.len() % DOMAINS.len()])
}

fn step() -> impl Strategy<Value = Step> {
    let (one, few) = (|| 0..12usize, || proptest::collection::vec(0..6usize, 0..3));
    prop_oneof![
        4 => (one(), one()).prop_map(|(name, address)| Step::Create(name, address)),
        4 => (one(), one()).prop_map(|(of, address)| Step::Address(of, address)),
        1 => (one(), one()).prop_map(|(of, name)| Step::Rename(of, name)),
        2 => (one(), any::<bool>()).prop_map(|(of, active)| Step::Active(of, active)),
        1 => one().prop_map(Step::Delete),
        1 => few().prop_map(Step::Group),
        4 => (one(), few()).prop_map(|(group, of)| Step::Join(group, of)),
        1 => (one(), one()).prop_map(|(group, of)| Step::Leave(group, of)),
        2 => (one(), few()).prop_map(|(group, of)| Step::Put(group, of)),
    ]
}

fn policy() -> impl Strategy<Value = String> {
    let mode = || prop_oneof![Just("enforce"), Just("warn"), Just("off")];
    let conflict = prop_oneof![Just("refuse"), Just("latest"), Just("first")];
    (mode(), mode(), 1..4usize, mode(), mode(), conflict).prop_map(|(email, domain, known, collective, group, conflict)| {
        format!(
            "[email]\nmode = \"{email}\"\n[domain]\nmode = \"{domain}\"\nallow = {:?}\n[collective]\nmode = \
             \"{collective}\"\n[group]\nmode = \"{group}\"\non_conflict = \"{conflict}\"\n",
            &DOMAINS[..known]
        )
    })
}

/// What is there so far.
#[derive(Default)]
struct Known {
    users: Vec<String>,
    groups: Vec<String>,
}

impl Known {
    fn send(&mut self, world: &World, step: &Step) {
        let Self { users, groups } = self;
        let nobody = || "nobody".to_owned();
        let pick =
            |from: &[String], at: usize| from.get(at % from.len().max(1)).cloned().unwrap_or_else(nobody);
        let listed = |of: &[usize]| -> Vec<Value> {
            let mut ids: Vec<String> = of.iter().map(|at| pick(users, *at)).collect();
            // Now and then a group.
            ids.extend(of.first().filter(|at| **at == 5).map(|at| pick(groups, *at)));
            ids.into_iter().map(|id| json!({"value": id})).collect()
        };
        let user_path = |at: usize| format!("/Users/{}", pick(users, at));
        let group_path = |at: usize| format!("/Groups/{}", pick(groups, at));
        let group = |name: &str, of: &[usize]| json!({"schemas": [GROUP], "displayName": name, "members": listed(of)});
        let answer = match step {
            Step::Create(name, at) => {
                let mut body = user(&address(*at));
                body["userName"] = json!(NAMES[name % NAMES.len()]);
                let answer = world.request("POST", "/Users", &body);
                if answer.status.as_u16() == 201 {
                    users.push(answer.id());
                }
                answer
            }
            Step::Address(of, at) => {
                let emails = json!([{"value": address(*at), "type": "work"}]);
                world.patch(&user_path(*of), &replace("emails", &emails))
            }
            Step::Rename(of, name) => {
                world.patch(&user_path(*of), &replace("userName", &json!(NAMES[name % NAMES.len()])))
            }
            Step::Active(of, active) => world.patch(&user_path(*of), &replace("active", &json!(active))),
            Step::Delete(of) => world.request("DELETE", &user_path(*of), &Value::Null),
            Step::Group(of) => {
                let answer = world.request("POST", "/Groups", &group(&format!("g{}", of.len()), of));
                if answer.status.as_u16() == 201 {
                    groups.push(answer.id());
                }
                answer
            }
            Step::Join(at, of) => {
                let operations = json!([{"op": "add", "path": "members", "value": listed(of)}]);
                world.patch(&group_path(*at), &operations)
            }
            Step::Leave(at, of) => world.patch(&group_path(*at), &remove(&pick(users, *of))),
            Step::Put(at, of) => world.request("PUT", &group_path(*at), &group("put", of)),
        };
        assert!(answer.status.as_u16() < 500, "{}", answer.body);
    }
}

#[test]
fn a_dry_run_says_what_the_real_one_does() {
    let strategy = (policy(), policy(), proptest::collection::vec(step(), 1..40), any::<bool>());
    let (accepted, refused) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config { failure_persistence: None, cases: 192, ..Config::default() });
    runner
        .run(&strategy, |(before, after, steps, entra)| {
            let world = World::new(if entra { Idp::Entra } else { Idp::Generic });
            world.govern(&before);
            let mut known = Known::default();
            steps.iter().for_each(|step| known.send(&world, step));
            let comparison = world.compare(&after);
            let again = world.compare(&after);
            prop_assert_eq!(format!("{comparison:?}"), format!("{again:?}"), "a dry run leaves a trace");
            let changed = world.change(&after);
            prop_assert_eq!(comparison.users, changed.users);
            prop_assert_eq!(comparison.changed.len(), changed.persons);
            for concerned in &comparison.refused {
                prop_assert!(changed.against.iter().any(|(id, _)| *id == concerned.id));
            }
            let replayed = world.replayed();
            let done: Vec<u64> = replayed
                .iter()
                .filter(|replayed| replayed.refusal.is_none())
                .map(|replayed| replayed.reported.number)
                .collect();
            let said: Vec<u64> = comparison.accepted.iter().map(|reported| reported.number).collect();
            prop_assert_eq!(said, done);
            prop_assert_eq!(comparison.still_refused + comparison.accepted.len(), replayed.len());
            accepted.set(accepted.get() + comparison.accepted.len());
            refused.set(refused.get() + comparison.still_refused);
            Ok(())
        })
        .unwrap();
    let (accepted, refused) = (accepted.get(), refused.get());
    assert!(accepted > 20 && refused > 20, "{accepted} {refused}: the test says little");
}
