//! Random resources and random changes of them. Most are good; some are refused, and alike everywhere.

use scim_core::schema::{ENTERPRISE_USER, GROUP, USER};
use scim_store::conformance::DEVICE;
use scim_store::conformance::words::{DECIMALS, INTEGERS, Random, TEXTS, TIMES};
use serde_json::{Map, Value, json};

/// The endpoints of what there is.
pub(crate) const KINDS: [&str; 3] = ["Users", "Groups", "Devices"];

/// Identifiers that a document may name: those of users and of groups, some of them gone.
pub(crate) type Known<'a> = [&'a str];

/// A text; most are awkward.
pub(crate) fn text(random: &mut Random) -> String {
    match random.below(12) {
        0 => format!("{}{}", random.pick(TEXTS), random.pick(TEXTS)),
        1 => "l".repeat(random.below(700)) + random.pick(TEXTS),
        _ => random.pick(TEXTS).to_owned(),
    }
}

/// A resource of this kind.
pub(crate) fn document(kind: &str, random: &mut Random, known: &Known<'_>) -> Value {
    let mut map = match kind {
        "Users" => user(random),
        "Groups" => group(random, known),
        _ => device(random),
    };
    if random.one_in(40) {
        map.insert("notThere".to_owned(), json!(1));
    }
    Value::Object(map)
}

fn user(random: &mut Random) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("schemas".to_owned(), json!([USER]));
    map.insert("userName".to_owned(), json!(format!("{}{}", text(random), random.below(40))));
    for name in ["displayName", "nickName", "title", "externalId"] {
        maybe(random, 3, &mut map, name, |random| json!(text(random)));
    }
    maybe(random, 3, &mut map, "preferredLanguage", |random| {
        json!(random.pick(&["de", "EN", "fr-FR", "de-DE,de;q=0.9", "xx", ""]))
    });
    maybe(random, 2, &mut map, "active", |random| json!(random.one_in(2)));
    maybe(random, 2, &mut map, "name", |random| {
        let mut name = Map::new();
        maybe(random, 3, &mut name, "givenName", |random| json!(text(random)));
        maybe(random, 3, &mut name, "familyName", |random| json!(text(random)));
        Value::Object(name)
    });
    maybe(random, 4, &mut map, "emails", emails);
    maybe(random, 2, &mut map, ENTERPRISE_USER, |random| {
        let mut extension = Map::new();
        maybe(random, 2, &mut extension, "department", |random| json!(text(random)));
        maybe(random, 2, &mut extension, "manager", |random| json!({ "value": text(random) }));
        Value::Object(extension)
    });
    map
}

fn emails(random: &mut Random) -> Value {
    let address = |random: &mut Random| {
        let mut email = Map::new();
        let local = random.pick(&["ada", "Ada", "info", "bob.ray", "müller", "a'b", "%", ""]);
        let domain = random.pick(&["example.com", "EXAMPLE.com", "bücher.example", "elsewhere.org", "x"]);
        email.insert("value".to_owned(), json!(format!("{local}{}@{domain}", random.below(9))));
        maybe(random, 3, &mut email, "type", |random| json!(random.pick(&["work", "Work", "home", "other"])));
        maybe(random, 1, &mut email, "primary", |random| json!(random.one_in(2)));
        Value::Object(email)
    };
    Value::Array((0..=random.below(3)).map(|_| address(random)).collect())
}

fn group(random: &mut Random, known: &Known<'_>) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("schemas".to_owned(), json!([GROUP]));
    map.insert("displayName".to_owned(), json!(format!("g{}", text(random))));
    maybe(random, 3, &mut map, "externalId", |random| json!(text(random)));
    maybe(random, 3, &mut map, "members", |random| members(random, known));
    map
}

fn members(random: &mut Random, known: &Known<'_>) -> Value {
    Value::Array((0..random.below(5)).map(|_| json!({ "value": random.pick(known) })).collect())
}

fn device(random: &mut Random) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("schemas".to_owned(), json!([DEVICE]));
    for name in ["displayName", "note", "code", "made"] {
        maybe(random, 4, &mut map, name, |random| json!(text(random)));
    }
    maybe(random, 1, &mut map, "serial", |random| json!(random.pick(&["s1", "S1", "s2", "s3", "s4"])));
    maybe(random, 3, &mut map, "size", |random| json!(random.pick(INTEGERS)));
    maybe(random, 3, &mut map, "weight", |random| json!(random.pick(DECIMALS)));
    maybe(random, 3, &mut map, "seen", |random| json!(random.pick(TIMES)));
    maybe(random, 3, &mut map, "on", |random| json!(random.one_in(2)));
    for name in ["tags", "marks"] {
        maybe(random, 3, &mut map, name, texts);
    }
    maybe(random, 3, &mut map, "ports", ports);
    maybe(random, 3, &mut map, "place", |random| {
        let mut place = Map::new();
        maybe(random, 2, &mut place, "room", |random| json!(text(random)));
        maybe(random, 2, &mut place, "floor", |random| json!(random.pick(INTEGERS)));
        Value::Object(place)
    });
    map
}

fn texts(random: &mut Random) -> Value {
    Value::Array((0..random.below(4)).map(|_| json!(text(random))).collect())
}

fn ports(random: &mut Random) -> Value {
    let port = |random: &mut Random| {
        let mut port = Map::new();
        maybe(random, 4, &mut port, "type", |random| json!(random.pick(&["in", "IN", "out"])));
        maybe(random, 3, &mut port, "value", |random| json!(text(random)));
        maybe(random, 2, &mut port, "rank", |random| json!(random.pick(INTEGERS)));
        maybe(random, 1, &mut port, "primary", |random| json!(random.one_in(2)));
        Value::Object(port)
    };
    Value::Array((0..random.below(4)).map(|_| port(random)).collect())
}

/// Sets an attribute in `of` of `of + 1` cases, to null in a few of them.
fn maybe(
    random: &mut Random,
    of: usize,
    map: &mut Map<String, Value>,
    name: &str,
    value: impl FnOnce(&mut Random) -> Value,
) {
    if random.one_in(of + 1) {
        return;
    }
    let value = if random.one_in(30) { Value::Null } else { value(random) };
    map.insert(name.to_owned(), value);
}

/// What a PATCH asks for.
pub(crate) fn patch(kind: &str, random: &mut Random, known: &Known<'_>) -> Value {
    let operations: Vec<Value> = (0..=random.below(4)).map(|_| operation(kind, random, known)).collect();
    json!({ "schemas": [scim_core::patch::MESSAGE], "Operations": operations })
}

fn operation(kind: &str, random: &mut Random, known: &Known<'_>) -> Value {
    let op = random.pick(&["add", "Add", "replace", "Replace", "remove", "REMOVE"]);
    let (path, value) = match kind {
        "Users" => user_target(random),
        "Groups" => group_target(random, known),
        _ => device_target(random),
    };
    let mut operation = Map::new();
    operation.insert("op".to_owned(), json!(op));
    if let Some(path) = path {
        operation.insert("path".to_owned(), json!(path));
    }
    if !op.eq_ignore_ascii_case("remove") || random.one_in(6) {
        operation.insert("value".to_owned(), if random.one_in(25) { Value::Null } else { value });
    }
    Value::Object(operation)
}

fn user_target(random: &mut Random) -> (Option<String>, Value) {
    let words = json!(text(random));
    let simple =
        ["displayName", "nickName", "title", "name.givenName", "NAME.familyName", "externalId", "userName"];
    match random.below(16) {
        0 => (None, json!({ "displayName": words, "active": random.one_in(2) })),
        1 => {
            (None, json!({ "name": { "givenName": words }, ENTERPRISE_USER: { "department": text(random) } }))
        }
        2 => (Some("active".to_owned()), json!(random.one_in(2))),
        3 => (Some("emails".to_owned()), emails(random)),
        4 => (Some("emails[type eq \"work\"]".to_owned()), json!({ "value": words, "type": "work" })),
        5 => (Some("emails[type eq \"work\"].value".to_owned()), json!("new@example.com")),
        6 => {
            let filter =
                format!("emails[value {} {}].primary", random.pick(&["co", "sw", "ne"]), json!(text(random)));
            (Some(filter), json!(true))
        }
        7 => (Some(format!("{ENTERPRISE_USER}:department")), words),
        8 => (Some(format!("{ENTERPRISE_USER}:manager")), json!({ "value": words })),
        9 => (
            Some(random.pick(&["id", "meta.created", "groups", "emails[", "nowhere", "schemas"]).to_owned()),
            words,
        ),
        _ => (Some(random.pick(&simple).to_owned()), words),
    }
}

fn group_target(random: &mut Random, known: &Known<'_>) -> (Option<String>, Value) {
    match random.below(8) {
        0 => (Some("displayName".to_owned()), json!(text(random))),
        1 => (None, json!({ "displayName": text(random), "members": members(random, known) })),
        2 => (Some(format!("members[value eq \"{}\"]", random.pick(known))), members(random, known)),
        3 => (
            Some(format!("members[value {} \"{}\"]", random.pick(&["gt", "ne", "sw"]), random.pick(known))),
            Value::Null,
        ),
        4 => (Some("externalId".to_owned()), json!(text(random))),
        _ => (Some("members".to_owned()), members(random, known)),
    }
}

fn device_target(random: &mut Random) -> (Option<String>, Value) {
    match random.below(12) {
        0 => (Some("size".to_owned()), json!(random.pick(INTEGERS))),
        1 => (Some("weight".to_owned()), json!(random.pick(DECIMALS))),
        2 => (Some("seen".to_owned()), json!(random.pick(TIMES))),
        3 => (Some(random.pick(&["tags", "marks"]).to_owned()), texts(random)),
        4 => (Some("ports".to_owned()), ports(random)),
        5 => (
            Some(format!("ports[rank gt {}]", random.pick(INTEGERS))),
            json!({ "rank": 1, "value": text(random) }),
        ),
        6 => (Some("ports[type eq \"in\" and not (rank pr)].value".to_owned()), json!(text(random))),
        7 => (Some("ports[primary eq true]".to_owned()), json!({ "type": "out" })),
        8 => (Some("place.room".to_owned()), json!(text(random))),
        9 => (Some("place".to_owned()), json!({ "floor": random.pick(INTEGERS) })),
        10 => (
            Some(random.pick(&["made", "serial", "tags[value eq \"a\"]", "on", "place.nowhere"]).to_owned()),
            json!("s2"),
        ),
        _ => (Some(random.pick(&["displayName", "note", "code"]).to_owned()), json!(text(random))),
    }
}
