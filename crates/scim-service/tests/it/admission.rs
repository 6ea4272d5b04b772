//! Who is let in, and how often.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use scim_service::directory::Idp;

use crate::policy::user;
use crate::world::{Answer, World};

#[test]
fn only_a_good_credential_gets_in() {
    let world = World::new(Idp::Generic);
    let okta = World::new(Idp::Okta);
    let send = |world: &World, authorization: &[String]| {
        let mut request = Request::builder().uri("/t/acme/scim/v2/Users");
        for value in authorization {
            request = request.header("authorization", value);
        }
        world.send(request.body(Full::new(Bytes::new())).expect("a request"))
    };
    let good = format!("Bearer {}", world.token());
    for authorization in [
        vec![],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec!["Basic abc".to_owned()],
        vec!["Bearer nonsense".to_owned()],
        vec![format!("{good}x")],
        vec![world.token().to_owned()],
        vec![good.clone(), good.clone()],
    ] {
        let answer = send(&world, &authorization);
        assert_eq!(answer.status.as_u16(), 401, "{authorization:?}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        assert_eq!(answer.body["status"], "401");
    }
    assert_eq!(send(&world, &[good]).status.as_u16(), 200);
    assert_eq!(send(&okta, &[okta.token().to_owned()]).status.as_u16(), 200, "Okta may leave out the scheme");
}

/// Another process deletes the tenant while a request is on its way, and the name is somebody else's at once.
#[test]
fn nothing_is_written_to_the_next_tenant_of_the_name() {
    let mut interrupted = 0;
    for looks in 0..20 {
        let world = World::new(Idp::Generic);
        assert_eq!(world.get("/Users").status.as_u16(), 200, "tenant and token are known");
        let before = world.interrupt_by_another_tenant(looks);
        let status = world.request("POST", "/Users", &user("ada@example.com")).status.as_u16();
        if !world.is_interrupted() {
            break;
        }
        interrupted += 1;
        assert_eq!(world.persons().len(), before.load(Ordering::Relaxed), "{looks}: {status}");
    }
    assert!(interrupted > 2, "{interrupted}");
}

#[test]
fn a_tenant_over_its_rate_is_told_when_to_come_back() {
    let world = World::with(Idp::Generic, |settings| {
        settings.requests_per_second = 1;
        settings.burst_seconds = 2;
    });
    assert_eq!([200, 200], [world.get("/Users").status.as_u16(), world.get("/Users").status.as_u16()]);
    let refused = world.get("/Users");
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, "1"));
}

#[test]
fn who_has_no_token_is_held_back_and_holds_nobody_back() {
    // Whether there is such a tenant makes no difference. Two names may share a bucket, so that each has a service of its own.
    for name in ["acme", "nobody", "no name"] {
        let world = World::with(Idp::Generic, |settings| {
            settings.requests_per_second = 1;
            settings.burst_seconds = 20;
        });
        let path = format!("/t/{}/scim/v2/Users", name.replace(' ', "%20"));
        let send = |value: &str| {
            let request = Request::get(&path).header("authorization", value);
            world.send(request.body(Full::new(Bytes::new())).expect("a request"))
        };
        let refused: Vec<Answer> = (0..22).map(|_| send("Bearer scim_abcd2345_x")).collect();
        let statuses: Vec<u16> = refused.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses, [vec![401; 20], vec![429; 2]].concat(), "{name}");
        assert_eq!(refused[20].header("retry-after"), "1");
        let detail = "too many requests without a token that is valid for this tenant; wait 1 s, then send at most 1 a second";
        assert_eq!(refused[20].body["detail"], detail);
        if name == "acme" {
            assert_eq!(send(&format!("Bearer {}", world.token())).status.as_u16(), 200);
        }
    }
}
