//! A tenant's rules: the same verdict by every door, what is recorded of it, and what becomes of people.

use scim_core::ErrorKind;
use scim_core::patch::MESSAGE;
use scim_core::schema::{GROUP, USER};
use scim_service::Headers;
use scim_service::NewRules;
use scim_service::directory::Idp;
use scim_store::PersonRecord;
use serde_json::{Value, json};

use crate::world::World;

pub(crate) const POLICY: &str = r#"
[email]
[domain]
allow = ["example.com"]
[collective]
[group]
on_conflict = "refuse"
"#;

pub(crate) fn user(address: &str) -> Value {
    json!({
        "schemas": [USER], "userName": address, "active": true, "password": "a canary",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"type": "work", "value": address, "primary": true}],
    })
}

pub(crate) fn created(world: &World, address: &str) -> String {
    let answer = world.request("POST", "/Users", &user(address));
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.body);
    answer.id()
}

#[test]
fn one_verdict_through_every_door() {
    const WORK: &str = "emails[type eq \"work\"].value";
    for (address, code) in [
        ("ada@evil-example.com", "domain-not-listed"),
        ("ada@example.com.evil.net", "domain-not-listed"),
        ("hr-team2@example.com", "collective-address"),
        ("KONTAKT+web@EXAMPLE.com", "collective-address"),
        ("ada@mail.example.com", "domain-not-listed"),
        ("ada@example.com.", "email-syntax"),
        ("ada@xn--a.com", "email-syntax"),
        ("ada@\u{212A}example.com", "email-syntax"),
        ("ada@ex\u{0430}mple.com", "domain-not-listed"),
        ("ada@b@example.com", "email-syntax"),
        ("\"ada\"@example.com", "email-syntax"),
        ("ada@[127.0.0.1]", "email-syntax"),
        (" ada@evil.net", "domain-not-listed"),
    ] {
        let emails = json!([{"type": "work", "value": address, "primary": true}]);
        let patch = |operation: Value| json!({"schemas": [MESSAGE], "Operations": [operation]});
        let changes = [
            ("PUT", user(address)),
            ("PATCH", patch(json!({"op": "replace", "path": "emails", "value": emails}))),
            ("PATCH", patch(json!({"op": "Replace", "path": WORK, "value": address}))),
            ("PATCH", patch(json!({"op": "replace", "value": {"emails": emails}}))),
            ("PATCH", patch(json!({"op": "add", "value": {WORK: address}}))),
        ];
        let world = World::new(Idp::Entra);
        world.govern(POLICY);
        let path = format!("/Users/{}", created(&world, "ada@example.com"));
        let before = world.get(&path).body;
        let refused = |what: &str, status: u64, body: &Value| {
            let detail = body["detail"].as_str().unwrap_or_default();
            assert!(status == 400 && detail.starts_with(code), "{what}: {status} {body}");
            assert_eq!(body["scimType"], "invalidValue", "{what}");
            let essence: String = detail.chars().take(200).collect();
            assert!(essence.contains(';'), "{what}: the remedy comes late: {detail}");
        };
        let answer = world.request("POST", "/Users", &user(address));
        refused("POST", answer.status.as_u16().into(), &answer.body);
        for (method, body) in &changes {
            let answer = world.request(method, &path, body);
            refused(&format!("{method} {body}"), answer.status.as_u16().into(), &answer.body);
            let bulk = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
                "Operations": [{"method": method, "path": path, "data": body}],
            });
            let operation = world.request("POST", "/Bulk", &bulk).body["Operations"][0].clone();
            let status = operation["status"].as_str().and_then(|status| status.parse().ok()).unwrap_or(0);
            refused(&format!("Bulk {method} {body}"), status, &operation["response"]);
        }
        assert_eq!(world.get(&path).body, before);
        let said = world.said();
        assert!(said.iter().all(|(known, _)| known == code), "{said:?}");
        assert_eq!(said.iter().map(|(_, count)| count).sum::<u64>(), 1 + 2 * changes.len() as u64);
        assert!(!world.reports().contains("canary"), "a password was kept");

        // A file is a door too, for new people and for those who are there.
        let words = answer.body["detail"].as_str().expect("a detail").to_owned();
        let world = world.disconnected();
        let names = ["userName", "givenName", "familyName", "email"].map(str::to_owned);
        let headers = Headers { names: names.into(), ..Headers::default() };
        for name in [address, "ada@example.com"] {
            let row = [name, "Ada", "Lovelace", address];
            assert_eq!(world.rehearsed(&headers, &[&row]), [words.as_str()], "rehearsed {name}");
            assert_eq!(world.imported(&headers, &[&row]), [words.as_str()], "written {name}");
        }
        assert!(world.said().iter().all(|(known, _)| known == code));
        assert_eq!(world.stored(before["id"].as_str().expect("an id"))["emails"], before["emails"]);
    }
}

#[test]
fn an_address_is_one_persons() {
    let world = World::new(Idp::Generic);
    world.govern(POLICY);
    let ada = created(&world, "ada@example.com");
    let mut again = user("ada@EXAMPLE.com");
    again["userName"] = json!("somebody else");
    let answer = world.request("POST", "/Users", &again);
    assert_eq!((answer.status.as_u16(), world.said()), (400, vec![("email-taken".to_owned(), 1)]));
    // Whoever left no longer has it.
    let leave = json!([{"op": "replace", "path": "active", "value": false}]);
    assert_eq!(world.patch(&format!("/Users/{ada}"), &leave).status.as_u16(), 200);
    assert_eq!(world.replay(), 1);
    assert_eq!((world.persons().len(), world.said()), (2, vec![]));
    // And gets it back when nobody has it.
    let come = json!([{"op": "replace", "path": "active", "value": true}]);
    assert_eq!(world.patch(&format!("/Users/{ada}"), &come).status.as_u16(), 400);
}

#[test]
fn whoever_leaves_is_let_go() {
    let world = World::new(Idp::Okta);
    let id = created(&world, "info@example.org");
    assert_eq!(world.govern(POLICY), vec![id.clone()], "stored, and against the rules");
    let path = format!("/Users/{id}");
    let rename = json!([{"op": "replace", "path": "title", "value": "x"}]);
    assert_eq!(world.patch(&path, &rename).status.as_u16(), 400);
    let leave = json!([{"op": "replace", "value": {"active": false}}]);
    assert_eq!(world.patch(&path, &leave).status.as_u16(), 200);
    assert!(!world.persons()[0].person.active);
}

#[test]
fn taking_active_away_is_leaving() {
    let world = World::new(Idp::Generic);
    let id = created(&world, "info@example.org");
    world.govern(POLICY);
    let path = format!("/Users/{id}");
    let remove = json!([{"op": "remove", "path": "active"}]);
    assert_eq!(world.patch(&path, &remove).status.as_u16(), 200);
    assert!(!world.persons()[0].person.active);
    let back = json!([{"op": "add", "path": "active", "value": true}]);
    assert_eq!(world.patch(&path, &back).status.as_u16(), 400, "coming back is judged in full");
}

#[test]
fn a_person_is_in_one_group() {
    let world = World::new(Idp::Entra);
    world.govern(POLICY);
    let ada = created(&world, "ada@example.com");
    let (red, blue) = (world.group("Red", &[&ada]), world.group("Blue", &[]));
    assert_eq!(world.persons()[0].person.user_group.as_deref(), Some("Red"));
    let add = json!([{"op": "add", "path": "members", "value": [{"value": ada}]}]);
    let answer = world.patch(&format!("/Groups/{blue}"), &add);
    let detail = answer.body["detail"].as_str().expect("a detail");
    assert_eq!(answer.status.as_u16(), 400, "{detail}");
    assert!(detail.contains("Red") && detail.contains("Blue"), "{detail}");
    let nested = json!([{"op": "add", "path": "members", "value": [{"value": red}]}]);
    assert_eq!(world.patch(&format!("/Groups/{blue}"), &nested).status.as_u16(), 400);
    assert_eq!(world.said(), [("group-second".to_owned(), 1), ("group-nested".to_owned(), 1)]);
    assert_eq!(world.replay(), 0, "nothing is mended yet");
    let away = json!([{"op": "remove", "path": format!("members[value eq \"{ada}\"]")}]);
    world.patch(&format!("/Groups/{red}"), &away);
    assert_eq!(world.replay(), 1);
    assert_eq!(world.persons()[0].person.user_group.as_deref(), Some("Blue"));
    assert_eq!(world.said(), [("group-nested".to_owned(), 1)]);
}

#[test]
fn a_refusal_names_people_by_what_they_sign_in_with() {
    let world = World::new(Idp::Entra);
    world.govern(POLICY);
    let [ada, bob] = ["ada@example.com", "bob@example.com"].map(|name| {
        let mut namesake = user(name);
        namesake["displayName"] = json!("Kim Lee");
        world.request("POST", "/Users", &namesake).id()
    });
    let mut again = user("ada@example.com");
    again["userName"] = json!("somebody else");
    let detail =
        |answer: &crate::world::Answer| answer.body["detail"].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        detail(&world.request("POST", "/Users", &again)),
        "email-taken at emails[type eq \"work\"].value: `ada@example.com` is the address of the user \
         `ada@example.com` already; give each person their own, or deactivate the other"
    );
    let (red, blue) = (world.group("Red", &[&ada, &bob]), world.group("Blue", &[]));
    let cy = created(&world, "cy@example.com");
    let add =
        json!([{"op": "add", "path": "members", "value": [{"value": cy}, {"value": bob}, {"value": ada}]}]);
    let refused = detail(&world.patch(&format!("/Groups/{blue}"), &add));
    let all: Vec<&str> = refused.split(" | ").collect();
    let [first, second] = *all else { panic!("both are told of: {refused}") };
    assert!(
        first.contains("`bob@example.com` is in the group `Red` already and cannot join `Blue` too"),
        "{first}"
    );
    assert!(second.contains("`ada@example.com` is in the group `Red` already"), "{second}");
    let nested = json!([{"op": "add", "path": "members", "value": [{"value": red}]}]);
    let nested = detail(&world.patch(&format!("/Groups/{blue}"), &nested));
    assert!(nested.contains("`Red` is a group and cannot be a member of `Blue`"), "{nested}");
    // Who is in the group already is not at fault for being sent again.
    world.govern("[group]\nmode = \"off\"\n");
    world.patch(
        &format!("/Groups/{blue}"),
        &json!([{"op": "add", "path": "members", "value": [{"value": ada}]}]),
    );
    world.govern(POLICY);
    let refused = detail(&world.patch(&format!("/Groups/{blue}"), &add));
    assert!(refused.contains("bob@example.com") && !refused.contains("ada@example.com"), "{refused}");
}

#[test]
fn a_name_that_is_taken_is_told_with_whoever_has_it() {
    let world = World::new(Idp::Entra);
    let (ada, bob) = (created(&world, "Ada@example.com"), created(&world, "bob@example.com"));
    let detail = |answer: crate::world::Answer| {
        assert_eq!((answer.status.as_u16(), &answer.body["scimType"]), (409, &json!("uniqueness")));
        answer.body["detail"].as_str().unwrap_or_default().to_owned()
    };
    let taken = |more: &str| {
        format!(
            "the `userName` `Ada@example.com` is taken by the User with id `{ada}`{more}; update that User, delete it, or \
             choose another `userName`"
        )
    };
    let rename = json!([{"op": "replace", "path": "userName", "value": "ada@example.com"}]);
    let leave = json!([{"op": "replace", "path": "active", "value": false}]);
    for more in ["", ", which is not active"] {
        assert_eq!(detail(world.request("POST", "/Users", &user("ADA@example.com"))), taken(more));
        assert_eq!(
            detail(world.request("PUT", &format!("/Users/{bob}"), &user("ada@example.com"))),
            taken(more)
        );
        assert_eq!(detail(world.patch(&format!("/Users/{bob}"), &rename)), taken(more));
        world.patch(&format!("/Users/{ada}"), &leave);
    }
    let red = world.group("Red", &[]);
    let again = world.request("POST", "/Groups", &json!({"schemas": [GROUP], "displayName": "red"}));
    let again = detail(again);
    assert!(
        again.starts_with(&format!("the `displayName` `Red` is taken by the Group with id `{red}`;")),
        "{again}"
    );
}

#[test]
fn nobody_comes_into_a_second_group_by_any_door() {
    for (policy, refuses, remarks) in [
        (POLICY, true, true),
        ("[group]\nmode = \"warn\"\n", false, true),
        ("[group]\nmode = \"off\"\n", false, false),
    ] {
        let world = World::new(Idp::Generic);
        world.govern(policy);
        let said = || world.heard();
        let ada = created(&world, "ada@example.com");
        let (red, blue) = (world.group("Red", &[&ada]), world.group("Blue", &[]));
        let member = json!([{"value": ada}]);
        let group = |name: &str| json!({"schemas": [GROUP], "displayName": name, "members": member});
        let patch = |operation: Value| json!({"schemas": [MESSAGE], "Operations": [operation]});
        let bulk = json!({"schemas": [scim_core::message::BULK_REQUEST], "Operations": [
            {"method": "POST", "path": "/Groups", "bulkId": "b", "data": group("Green")}]});
        let blue = format!("/Groups/{blue}");
        for (method, path, body) in [
            ("POST", "/Groups", group("Green")),
            ("POST", "/Bulk", bulk),
            ("PUT", blue.as_str(), group("Blue")),
            ("PATCH", &blue, patch(json!({"op": "add", "path": "members", "value": member}))),
            (
                "PATCH",
                &blue,
                patch(json!({"op": "replace", "value": {"displayName": "Navy", "members": member}})),
            ),
        ] {
            let before = said();
            let answer = world.request(method, path, &body);
            assert_eq!(said() > before, remarks, "{policy} {method} {path} {body}");
            let inner = &answer.body["Operations"][0]["status"];
            let status =
                inner.as_str().map_or(answer.status.as_u16(), |status| status.parse().expect("a number"));
            assert_eq!(status >= 400, refuses, "{method} {path} {body}: {}", answer.body);
        }
        if !refuses {
            continue;
        }
        let groups = world.get(&format!("/Users/{ada}")).body["groups"].clone();
        assert_eq!((&groups[0]["value"], groups.as_array().map(Vec::len)), (&json!(red), Some(1)));
        assert_eq!(world.get("/Groups").body["totalResults"], 2);
        let open = world.said().len();
        world.request("DELETE", &blue, &Value::Null);
        assert!(world.said().len() < open, "what was said of members of a group ends with the group");
    }
}

#[test]
fn what_is_newer_is_never_undone() {
    let world = World::new(Idp::Entra);
    world.govern(POLICY);
    let ada = created(&world, "ada@example.com");
    let (red, blue) = (world.group("Red", &[&ada]), world.group("Blue", &[]));
    let blue = format!("/Groups/{blue}");
    world.patch(&blue, &json!([{"op": "add", "path": "members", "value": [{"value": ada}]}]));
    world.patch(&blue, &json!([{"op": "remove", "path": format!("members[value eq \"{ada}\"]")}]));
    assert_eq!(world.request("DELETE", &format!("/Groups/{red}"), &Value::Null).status.as_u16(), 204);
    assert_eq!((world.replay(), world.said()), (0, vec![]));
    let address = json!([{"op": "replace", "path": "emails", "value": [{"value": "ada@example.org"}]}]);
    let path = format!("/Users/{ada}");
    assert_eq!(world.patch(&path, &address).status.as_u16(), 400);
    let newer = json!([{"op": "replace", "path": "emails", "value": [{"value": "lovelace@example.com"}]}]);
    assert_eq!(world.patch(&path, &newer).status.as_u16(), 200);
    world.govern(&POLICY.replace("example.com", "example.org\", \"example.com"));
    assert_eq!(world.replay(), 0);
    assert_eq!(world.persons()[0].person.email.as_deref(), Some("lovelace@example.com"));
}

#[test]
fn other_rules_make_other_persons_and_leave_resources_alone() {
    let world = World::new(Idp::Generic);
    let mut body = user("ada@example.com");
    body["preferredLanguage"] = json!("fr-CA");
    let path = format!("/Users/{}", world.request("POST", "/Users", &body).id());
    let language = || world.persons()[0].person.language.clone();
    let before = world.get(&path).header("etag").to_owned();
    assert_eq!(language().as_deref(), Some("fr"));
    world.govern("[language]\ndefault = \"de\"\nsupported = [\"de\", \"en\"]\n");
    assert_eq!(language().as_deref(), Some("de"));
    assert_eq!(world.get(&path).header("etag"), before);
    let group = json!({"schemas": [GROUP], "displayName": "x"});
    assert_eq!(world.request("POST", "/Groups", &group).status.as_u16(), 201);
}

#[test]
fn memberships_are_remarked_on_whoever_comes_first_and_not_without_end() {
    let world = World::new(Idp::Entra);
    world.govern("[group]\nmode = \"warn\"\n");
    let (ada, bob) = (world.user("ada"), world.user("bob"));
    for name in ["a", "b", "c", "d"] {
        world.group(name, &[&ada]);
    }
    world.group("e", &[&bob]);
    let before = world.said().len();
    world.group("both", &[&ada, &bob]);
    assert_eq!(world.said().len() - before, 5);
    let many: Vec<String> = (0..120).map(|n| world.user(&format!("u{n}"))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    world.group("many", &many);
    let before = world.said().len();
    world.group("again", &many);
    assert_eq!(world.said().len() - before, 100);
    assert!(world.replayed().is_empty(), "nothing was refused");
}

#[test]
fn a_group_in_a_group_is_remarked_on_by_every_door() {
    let world = World::new(Idp::Generic);
    world.govern("[group]\nmode = \"warn\"\n");
    let (ada, inner) = (world.user("ada"), world.group("Inner", &[]));
    let nested = [("group-nested".to_owned(), 1)];
    let outer = world.group("Outer", &[&ada, &inner]);
    assert_eq!(world.said(), nested);
    let (path, member) = (format!("/Groups/{outer}"), json!([{"value": inner}]));
    world.patch(&path, &json!([{"op": "remove", "path": format!("members[value eq \"{inner}\"]")}]));
    assert_eq!(world.said(), []);
    world.patch(&path, &json!([{"op": "add", "path": "members", "value": member}]));
    assert_eq!(world.said(), nested);
    world.request("PUT", &path, &json!({"schemas": [GROUP], "displayName": "Whole", "members": member}));
    assert_eq!(world.said(), nested);
    world.request("DELETE", &path, &Value::Null);
    assert_eq!(world.said(), []);
}

/// A group that is only coming, or gets another name, is called by what was sent.
#[test]
fn a_remark_on_a_membership_names_the_group() {
    let world = World::new(Idp::Generic);
    world.govern("[group]\nmode = \"warn\"\n");
    let ada = world.user("ada");
    world.group("Red", &[&ada]);
    let blue = world.group("Blue", &[&ada]);
    assert_eq!(world.words(), ["`ada` is in the group `Red` already and cannot join `Blue` too"]);
    let body = json!({"schemas": [GROUP], "displayName": "Green", "members": [{"value": ada}]});
    world.request("PUT", &format!("/Groups/{blue}"), &body);
    assert_eq!(world.words(), ["`ada` is in the group `Red` already and cannot join `Green` too"]);
}

#[test]
fn a_request_that_meets_other_rules_is_planned_anew() {
    const LENIENT: &str = "[domain]\nallow = [\"example.com\", \"example.org\"]\n";
    for (before, after, expected) in [(POLICY, LENIENT, 201), (LENIENT, POLICY, 400)] {
        let mut anew = 0;
        for looks in 0..20 {
            let world = World::new(Idp::Generic);
            world.govern(before);
            world.interrupt_by(looks, after);
            let answer = world.request("POST", "/Users", &user("ada@example.org"));
            if !world.is_interrupted() {
                break;
            }
            let status = answer.status.as_u16();
            assert!([201, 400].contains(&status), "{looks}: {}", answer.body);
            anew += usize::from(status == expected);
        }
        assert!(anew > 1, "{anew}");
    }
}

/// Another server knows the old rules for a while, and people come between the pages that are derived.
#[test]
fn nobody_stays_under_rules_that_were_replaced_while_they_came() {
    let mut between = 0;
    for looks in 0..20 {
        let world = World::new(Idp::Generic);
        let other = world.beside(scim_core::schema::Registry::builtin().expect("built in"));
        other.follow();
        assert_eq!(other.get("/Users").status.as_u16(), 200, "it has read the rules");
        other.interrupt_anyhow(looks, "POST", "/Users", &user("ada@example.org"));
        let against = world.govern(POLICY);
        if !world.is_interrupted() {
            break;
        }
        let stored = world.get("/Users").body["totalResults"].as_u64();
        assert_eq!(stored, Some(against.len() as u64), "{looks}: whoever is there was judged");
        between += 1;
    }
    assert!(between > 2, "{between}");
}

/// An operator pauses or ends a connection before a copy is made, and other servers do not know of it yet.
#[test]
fn nothing_is_written_any_more_once_a_pause_was_acknowledged() {
    let ways: [fn(&World); 2] = [World::pause_connection, World::remove_connection];
    for (policy, end) in [None, Some(POLICY)].into_iter().flat_map(|policy| ways.map(|way| (policy, way))) {
        let world = World::new(Idp::Generic);
        policy.map(|policy| world.govern(policy));
        let other = world.beside(scim_core::schema::Registry::builtin().expect("built in"));
        other.follow();
        assert_eq!(other.request("POST", "/Users", &user("ada@example.com")).status.as_u16(), 201);
        end(&world);
        assert_eq!(other.get("/Users").status.as_u16(), 200, "it has not heard of it");
        assert_eq!(other.request("POST", "/Users", &user("bob@example.com")).status.as_u16(), 403);
        let stored = world.trace().0;
        assert_eq!(stored, 1, "{policy:?}");
    }
}

#[test]
fn two_operators_do_not_overwrite_what_the_other_did() {
    let mut refused = 0;
    for looks in 0..10 {
        let world = World::new(Idp::Generic);
        world.interrupt_by_reconnecting(looks, Idp::Okta);
        let paused = world.try_pause();
        if !world.is_interrupted() {
            break;
        }
        assert_eq!(world.idp(), Some(Idp::Okta), "{looks}");
        refused += usize::from(paused.is_err_and(|error| error.kind() == ErrorKind::Conflict));
    }
    assert!(refused > 0, "the pause of what was replaced is refused");

    let world = World::new(Idp::Generic);
    world.govern(POLICY);
    let stale = NewRules { policy: Some(None), instead_of: Some(0), ..NewRules::default() };
    assert_eq!(world.try_change(&stale).expect_err("others are in force").kind(), ErrorKind::Conflict);
    let current = NewRules { instead_of: Some(1), ..stale };
    world.try_change(&current).expect("these are in force");
}

#[test]
fn what_is_sent_is_for_the_connection_that_there_is_when_it_has_arrived() {
    let world = World::new(Idp::Generic);
    let group = json!({"schemas": [scim_core::schema::GROUP], "displayName": "Red"});
    assert_eq!(world.without_groups_meanwhile("POST", "/Groups", &group).as_u16(), 404);
    assert_eq!(world.trace().0, 0, "nothing was written");
}

#[test]
fn what_was_done_of_a_bulk_request_is_not_done_again_under_other_rules() {
    let mut cut_short = 0;
    for looks in 0..20 {
        let world = World::new(Idp::Generic);
        world.govern(POLICY);
        world.interrupt_by(looks, "[domain]\nallow = [\"example.com\"]\n");
        let posts = ["ada", "bob", "cyd"].map(|name| {
            json!({"method": "POST", "path": "/Users", "bulkId": name, "data": user(&format!("{name}@example.com"))})
        });
        let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
        let answer = world.request("POST", "/Bulk", &json!({"schemas": [schema], "Operations": posts}));
        if !world.is_interrupted() {
            break;
        }
        let operations = answer.body["Operations"].as_array().cloned().unwrap_or_default();
        let done = operations.iter().filter(|operation| operation["status"] == "201").count();
        let later = operations.iter().filter(|operation| operation["status"] == "503").count();
        assert_eq!((done + later, world.persons().len()), (3, done), "{looks}: {}", answer.body);
        cut_short += usize::from(later > 0);
    }
    assert!(cut_short > 0, "{cut_short}");
}

#[test]
fn every_write_and_every_refusal_is_recorded_once() {
    let world = World::new(Idp::Generic);
    world.govern(POLICY);
    let id = created(&world, "ada@example.com");
    world.request("POST", "/Users", &user("info@example.org"));
    let mut second = user("ada@example.com");
    second["userName"] = json!("second");
    world.request("POST", "/Users", &second);
    world.request("DELETE", &format!("/Users/{id}"), &Value::Null);
    let (refused, deleted) = ("domain-not-listed collective-address", format!("DELETE /Users/{id} 204"));
    assert_eq!(
        world.audit(),
        [
            "POST /Users 201".to_owned(),
            format!("POST /Users 400 {refused}"),
            "POST /Users 400 email-taken".to_owned(),
            deleted
        ]
    );
}

#[test]
fn what_was_said_of_somebody_ends_with_the_next_change_whatever_they_are_called_then() {
    for put in [true, false] {
        let world = World::new(Idp::Entra);
        world.govern("[domain]\nmode = \"warn\"\nallow = [\"example.com\"]\n");
        let path = format!("/Users/{}", created(&world, "ada@example.org"));
        assert_eq!(world.said(), [("domain-not-listed".to_owned(), 1)]);
        let answer = match put {
            true => world.request("PUT", &path, &user("ada@example.com")),
            false => world.patch(
                &path,
                &json!([
                    {"op": "Replace", "path": "userName", "value": "ada@example.com"},
                    {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "ada@example.com"},
                ]),
            ),
        };
        assert_eq!((answer.status.as_u16(), world.said()), (200, vec![]), "{}", answer.body);
    }
}

#[test]
fn what_was_said_of_a_membership_ends_with_it() {
    let world = World::new(Idp::Entra);
    world.govern("[group]\nmode = \"warn\"\n");
    let (ada, bob) = (created(&world, "ada@example.com"), created(&world, "bob@example.com"));
    world.group("Red", &[&ada, &bob]);
    let blue = format!("/Groups/{}", world.group("Blue", &[]));
    let members = |op: &str, ids: &[&str]| {
        let listed: Vec<Value> = ids.iter().map(|id| json!({"value": id})).collect();
        world.patch(&blue, &json!([{"op": op, "path": "members", "value": listed}]))
    };
    let second = || ("group-second".to_owned(), 1);
    assert_eq!(members("Add", &[&ada, &bob]).status.as_u16(), 204);
    assert_eq!(world.said(), [second(), second()]);
    assert_eq!(members("Remove", &[&ada]).status.as_u16(), 204);
    assert_eq!(world.said(), [second()], "bob is in both still");
    assert_eq!(members("Remove", &[&bob]).status.as_u16(), 204);
    assert_eq!(world.said(), []);

    // It ends with the member too, be that a person or a group.
    let inner = world.group("Inner", &[]);
    members("Add", &[&ada, &inner]);
    assert_eq!(world.said(), [second(), ("group-nested".to_owned(), 1)]);
    assert_eq!(world.request("DELETE", &format!("/Users/{ada}"), &Value::Null).status.as_u16(), 204);
    assert_eq!(world.said(), [("group-nested".to_owned(), 1)]);
    assert_eq!(world.request("DELETE", &format!("/Groups/{inner}"), &Value::Null).status.as_u16(), 204);
    assert_eq!(world.said(), []);
}

#[test]
fn only_whom_other_rules_newly_refuse_is_compared_as_refused() {
    let world = World::new(Idp::Generic);
    let (ada, _) = (created(&world, "ada@example.org"), created(&world, "bob@example.com"));
    let refused = |policy: &str| {
        let comparison = world.compare(policy);
        comparison.refused.into_iter().map(|concerned| concerned.id).collect::<Vec<_>>()
    };
    assert_eq!(refused(POLICY), [ada.as_str()]);
    assert_eq!(world.govern(POLICY), [ada]);
    assert!(refused(POLICY).is_empty());

    // An address that two have is one of those reasons.
    let world = World::new(Idp::Generic);
    let _first = created(&world, "ada@example.com");
    let body = json!({"schemas": [USER], "userName": "ada", "emails": [{"type": "work", "value": "ada@example.com"}]});
    let second = world.request("POST", "/Users", &body).id();
    let refused = |policy: &str| world.compare(policy).refused.into_iter().map(|concerned| concerned.id);
    assert_eq!(refused("[email]").collect::<Vec<_>>(), [second.as_str()]);
    assert_eq!(world.govern("[email]"), [second]);
    assert_eq!(refused("[email]").count(), 0);
}

/// Whatever a command that changes rules has done when it is killed, a server that runs does the rest in time.
#[test]
fn a_change_of_rules_that_was_ended_is_finished_by_a_server_that_runs() {
    let mut finished = 0;
    for looks in 0.. {
        let world = World::new(Idp::Generic);
        world.follow();
        created(&world, "ada@example.com");
        let extra = |persons: &[PersonRecord]| persons[0].person.extra.len();
        assert_eq!(extra(&world.persons()), 0);
        if !world.change_ended(looks, "[mapping.fields]\nlogin = \"userName\"\n") {
            break;
        }
        let (left, is_finished) = (world.persons(), world.is_finished());
        world.finish_rules();
        assert_eq!((&world.persons(), world.is_finished()), (&left, is_finished), "who began may go on");
        world.pass(601);
        world.follow();
        world.finish_rules();
        assert!(world.is_finished());
        let is_derived = extra(&world.persons()) == 1;
        // Where no other rules came in force there was nothing to do.
        assert_eq!(is_derived, !is_finished, "ended after {looks} looks");
        finished += usize::from(is_derived && extra(&left) == 0);
    }
    assert!(finished > 0, "it was always ended too early");
}

/// With one User, and rules by which that is not derived, since whoever changed them was ended eleven minutes ago.
fn half_changed() -> World {
    let world = |looks| {
        let world = World::new(Idp::Generic);
        world.follow();
        created(&world, "ada@example.com");
        world.change_ended(looks, "[mapping.fields]\nlogin = \"userName\"\n");
        world.pass(601);
        world.follow();
        world
    };
    (0..).map(world).find(|world| !world.is_finished()).expect("it was ended in the middle")
}

/// Where deriving fails, it fails for each of them, and it may take long until it does.
#[test]
fn of_several_servers_one_tries_every_ten_minutes_to_finish_a_change_of_rules() {
    let mut left = 0;
    for looks in 0.. {
        let world = half_changed();
        let before = world.directory_audit();
        world.ended(looks, World::finish_rules);
        if world.is_finished() {
            break;
        }
        let has_begun = world.directory_audit() > before;
        world.finish_rules();
        assert_eq!(world.is_finished(), !has_begun, "ended after {looks} looks");
        left += usize::from(has_begun);
        world.pass(601);
        world.finish_rules();
        assert!(world.is_finished());
    }
    assert!(left > 0, "it was always ended too early");
}

/// It may be on its way to another store.
#[test]
fn nothing_of_a_paused_tenant_is_derived() {
    let world = half_changed();
    world.pause_connection();
    world.follow();
    let before = world.directory_audit();
    world.finish_rules();
    assert_eq!((world.is_finished(), world.directory_audit()), (false, before));
    world.resume_connection();
    world.follow();
    world.finish_rules();
    assert!(world.is_finished());
}
