//! The runner's own tests. Each expectation is shown an answer that meets it and mutants that must not.

use serde_json::{Value, json};

use super::{Request, Response, parse, run};

/// Runs one step with this expectation against this answer.
fn judge(expect: Value, status: u16, body: &str) -> Result<(), String> {
    let expect = match expect.get("status") {
        Some(_) => expect,
        None => json!({ "status": 200, "json_subset": expect }),
    };
    let case =
        json!({ "name": "n", "source": "s", "steps": [{ "method": "GET", "path": "/x", "expect": expect }] });
    let case = parse(&case.to_string())?;
    let headers = vec![("etag".to_owned(), "W/\"1\"".to_owned())];
    run(&case, "http://b", "secret", "u1", &mut |_| {
        Ok(Response { status, headers: headers.clone(), body: body.to_owned() })
    })
}

#[track_caller]
fn check(expect: Value, body: Value, expected: Option<&str>) {
    let verdict = judge(expect.clone(), 200, &body.to_string());
    match expected {
        None => assert_eq!(verdict, Ok(()), "{expect} in {body}"),
        Some(words) => {
            let reason = verdict.expect_err(&format!("{expect} in {body}"));
            assert!(reason.contains(words), "{reason}");
        }
    }
}

#[test]
fn subsets() {
    for (want, got, expected) in [
        (json!({ "a": 1 }), json!({ "a": 1, "b": 2 }), None),
        (json!({ "a": 1 }), json!({ "a": "1" }), Some("$.a: expected 1, got \"1\"")),
        (json!({ "a": 1 }), json!({ "a": 1.0 }), None),
        (json!({ "a": true }), json!({ "a": "True" }), Some("$.a: expected true")),
        (json!({ "a": true }), json!({ "a": 1 }), Some("$.a: expected true")),
        (json!({ "a": 1 }), json!({}), Some("$.a: missing")),
        (json!({ "a": 1 }), json!({ "A": 1 }), Some("$.a: missing")),
        (json!({ "a": null }), json!({}), None),
        (json!({ "a": null }), json!({ "a": 1 }), Some("$.a: expected null")),
        (json!({ "a": {} }), json!({ "a": [] }), Some("expected an object")),
        (json!({ "a": [] }), json!({ "a": {} }), Some("expected an array")),
        (json!([1, 2]), json!([2, 3, 1]), None),
        (json!([1, 1]), json!([1, 2]), Some("no (further) element matches 1")),
        // The first element fits both wishes, the second only one: a greedy matcher fails here.
        (json!([{ "a": { "$any": true } }, { "a": 1 }]), json!([{ "a": 1 }, { "a": 2 }]), None),
        (
            json!([{ "a": { "$any": true } }, { "a": 1 }]),
            json!([{ "a": 2 }, { "a": 2 }]),
            Some("element matches"),
        ),
        (json!([{ "a": { "$any": true } }, { "a": 1 }]), json!([{ "a": 1 }]), Some("element matches")),
        (json!({ "a": { "$any": true } }), json!({ "a": null }), Some("$any")),
        (json!({ "a": { "$any": true } }), json!({}), Some("missing")),
        (json!({ "a": { "$regex": "^x.z$" } }), json!({ "a": "xyz" }), None),
        (json!({ "a": { "$regex": "^x.z$" } }), json!({ "a": "xyzz" }), Some("$regex")),
        (json!({ "a": { "$regex": "1" } }), json!({ "a": 1 }), Some("$regex")),
        (json!({ "a": { "$ci": "XyZ" } }), json!({ "a": "xYz" }), None),
        (json!({ "a": { "$ci": "XyZ" } }), json!({ "a": "xy" }), Some("$ci")),
        (json!({ "a": { "$in": [1, 2] } }), json!({ "a": 2 }), None),
        (json!({ "a": { "$in": [1, 2] } }), json!({ "a": 3 }), Some("$in")),
        (json!({ "a": { "$not": 1 } }), json!({ "a": 2 }), None),
        (json!({ "a": { "$not": 1 } }), json!({}), None),
        (json!({ "a": { "$not": 1 } }), json!({ "a": 1 }), Some("$not")),
        (json!({ "a": { "$type": "integer" } }), json!({ "a": 1 }), None),
        (json!({ "a": { "$type": "integer" } }), json!({ "a": true }), Some("$type")),
        (json!({ "a": { "$type": "string" } }), json!({ "a": 1 }), Some("$type")),
        (json!({ "a": { "$type": "boolean" } }), json!({ "a": "true" }), Some("$type")),
        (json!({ "a": { "$type": "array" } }), json!({ "a": {} }), Some("$type")),
        (json!({ "a": { "$type": "object" } }), json!({ "a": [] }), Some("$type")),
        (json!({ "a": { "$type": "number" } }), json!({ "a": 1 }), Some("malformed: $type")),
        (json!({ "a": { "$regex": "(" } }), json!({ "a": "x" }), Some("malformed: $regex")),
    ] {
        check(want, got, expected);
    }
}

#[test]
fn expectations() {
    let absent = |path: &str| json!({ "status": 200, "absent": [path] });
    let blank = |path: &str| json!({ "status": 200, "blank": [path] });
    let length = |path: &str, length: usize| json!({ "status": 200, "length": { path: length } });
    let equal = |path: &str, value: Value| json!({ "status": 200, "equal": { path: value } });
    for (expect, body, expected) in [
        (absent("$.a"), json!({ "a": [] }), None),
        (absent("$.a"), json!({ "a": "" }), Some("$.a: expected absent, got \"\"")),
        (absent("$.a"), json!({ "a": false }), Some("expected absent")),
        (blank("$.a"), json!({ "a": "" }), None),
        (blank("$.a"), json!({ "a": "x" }), Some("expected absent or empty")),
        (absent("$['urn:x:2.0:U'].b"), json!({ "urn:x:2.0:U": { "b": 1 } }), Some("expected absent")),
        (absent("$.a[?t=work].v"), json!({ "a": [{ "t": "home", "v": 1 }] }), None),
        (absent("$.a[?t=work].v"), json!({ "a": [{ "t": "work", "v": 1 }] }), Some("expected absent")),
        (absent("$.a[?p=true].v"), json!({ "a": [{ "p": true, "v": 1 }] }), Some("expected absent")),
        (absent("$.a[?p=true].v"), json!({ "a": [{ "p": "false", "v": 1 }] }), None),
        (absent("$.a[*].v"), json!({ "a": [{}, { "v": 1 }] }), Some("expected absent")),
        (length("$.a", 2), json!({ "a": [1, 2] }), None),
        (length("$.a", 2), json!({ "a": [1] }), Some("$.a: expected 2 element(s), got 1")),
        (length("$.a", 0), json!({}), None),
        (equal("$.a[1]", json!("x")), json!({ "a": ["y", "x"] }), None),
        (equal("$.a[1]", json!("x")), json!({ "a": ["x", "y"] }), Some("expected exactly")),
        (equal("$.a", json!({ "b": 1 })), json!({ "a": { "b": 1, "c": 2 } }), Some("expected exactly")),
        (equal("$.a", json!(1)), json!({}), Some("got nothing")),
        (json!({ "status": [200, 204] }), json!({}), None),
        (json!({ "status": 201 }), json!({}), Some("status 200, expected [201]")),
        (json!({ "status": 200, "headers": { "ETag": "w/" } }), json!({}), None),
        (json!({ "status": 200, "headers": { "ETag": "x" } }), json!({}), Some("header ETag is")),
        (json!({ "status": 200, "headers": { "ETag": null } }), json!({}), Some("header ETag is present")),
        (json!({ "status": 200, "headers": { "Location": "" } }), json!({}), Some("header Location is None")),
        (json!({ "status": 200, "extra": 1 }), json!({}), Some("unknown field `extra`")),
        (absent("a"), json!({}), Some("malformed: the path `a`")),
        (absent("$.a[x]"), json!({}), Some("malformed: the path")),
        (absent("$."), json!({}), Some("malformed: the path")),
        (equal("$.a", json!("{{nothing}}")), json!({ "a": 1 }), Some("`{{nothing}}` has no value")),
    ] {
        check(expect, body, expected);
    }
    assert!(judge(json!({ "status": 204 }), 204, "{}").expect_err("a body").contains("204 with a body"));
    assert!(judge(json!({ "a": 1 }), 200, "<html>").expect_err("no JSON").contains("no JSON body"));
}

#[test]
fn malformed_cases_are_errors() {
    let step = r#"{"method": "GET", "path": "/", "expect": {"status": 200}}"#;
    for (text, words) in [
        (format!(r#"{{"name": "n", "source": "s", "steps": [{step}], "nam": 1}}"#), "unknown field `nam`"),
        (format!(r#"{{"name": "n", "steps": [{step}]}}"#), "missing field `source`"),
        (r#"{"name": "n", "source": "s", "steps": []}"#.to_owned(), "needs a name, a source and steps"),
        (
            format!(r#"{{"name": "n", "source": "s", "steps": [{}]}}"#, step.replace("path", "pat")),
            "unknown field `pat`",
        ),
        (
            format!(r#"{{"name": "n", "source": "s", "steps": [{}]}}"#, step.replace("status", "code")),
            "unknown field `code`",
        ),
    ] {
        assert!(parse(&text).expect_err(&text).contains(words), "{text}");
    }
}

/// A conversation that uses everything the format has.
#[test]
fn a_conversation() {
    let case = json!({ "name": "n", "source": "s", "steps": [
        { "method": "POST", "path": "/Users", "repeat": 2,
          "body": { "userName": "{{uniq}}{{i}}", "{{UNIQ}}": "{{guid:a}}", "curly": "{{ x }}" },
          "capture": { "ids[]": "$.id", "last": "$" }, "expect": { "status": 201 } },
        { "method": "PUT", "path": "/Users/{{ids}}?f=a eq \"{{uniq}}@+\"&g=%20+",
          "headers": { "accept": null, "X-Base": "{{base}}" },
          "body": { "$merge": ["{{json:last}}", { "id": null, "n": { "a": 1 } }] }, "expect": { "status": 201 } },
        { "method": "POST", "path": "/Groups", "body": { "members": { "$each": "ids", "item": { "value": "{{item}}" } } },
          "expect": { "status": 201 } },
        { "name": "each", "method": "DELETE", "path": "/Users/{{item}}", "foreach": "ids", "body_raw": "{{{uniq}}",
          "expect": { "status": 201, "disjoint": { "$.id": "ids" } } },
        { "method": "GET", "path": "/", "expect": { "status": 201, "same_set": { "$.all[*]": "ids" } } },
    ]});
    let case = parse(&case.to_string()).expect("a case");
    let mut seen: Vec<Request> = Vec::new();
    let mut send = |request: Request| {
        seen.push(request);
        let body = json!({ "id": format!("id/{}", seen.len()), "all": ["id/2", "id/1"], "x": 1 }).to_string();
        Ok(Response { status: 201, headers: Vec::new(), body })
    };
    run(&case, "http://b", "secret", "u1", &mut send).expect("passes");
    let body = |index: usize| {
        serde_json::from_str::<Value>(seen[index].body.as_deref().expect("a body")).expect("JSON")
    };
    assert_eq!((&body(0)["userName"], &body(1)["userName"]), (&json!("u11"), &json!("u12")));
    assert_eq!(body(0)["U1"], body(1)["U1"], "a guid is stable within a case");
    assert_eq!(body(0)["U1"].as_str().map(str::len), Some(36));
    assert_eq!(body(0)["curly"], "{{ x }}");
    assert_eq!(seen[2].path, "/Users/%5B%22id%2F1%22%2C%22id%2F2%22%5D?f=a%20eq%20%22u1@+%22&g=%20+");
    assert_eq!(body(2), json!({ "all": ["id/2", "id/1"], "x": 1, "n": { "a": 1 } }));
    assert!(seen[2].headers.contains(&("X-Base".to_owned(), "http://b".to_owned())));
    assert!(!seen[2].headers.iter().any(|(name, _)| name == "Accept"));
    assert!(seen[2].headers.contains(&("Authorization".to_owned(), "Bearer secret".to_owned())));
    assert_eq!(body(3), json!({ "members": [{ "value": "id/1" }, { "value": "id/2" }] }));
    assert_eq!((seen[4].path.as_str(), seen[4].body.as_deref()), ("/Users/id%2F1", Some("{u1")));
    assert_eq!(seen[5].path, "/Users/id%2F2");

    let mut stuck =
        |_| Ok(Response { status: 201, headers: Vec::new(), body: json!({ "id": "same" }).to_string() });
    let reason = run(&case, "http://b", "secret", "u1", &mut stuck).expect_err("the id was seen before");
    assert!(
        reason.starts_with("n step 4 (each): DELETE /Users/same: $.id: \"same\" was already in `ids`"),
        "{reason}"
    );
    let mut empty = |_| Ok(Response { status: 201, headers: Vec::new(), body: "{}".to_owned() });
    let reason = run(&case, "http://b", "secret", "u1", &mut empty).expect_err("nothing to capture");
    assert_eq!(reason, "n step 1: POST /Users: nothing at $.id to capture as `ids[]`");
}
