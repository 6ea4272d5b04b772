//! Random resources, filters, sorts and pages: a store answers as a naive evaluation of everything does.

use std::collections::BTreeMap;

use scim_core::filter::Filter;
use scim_core::key::Key;
use serde_json::{Map, Value, json};

use super::Case;
use super::fixture::{Fixture, after, ids, setting};
use super::words::{DECIMALS, INTEGERS, Random, TEXTS, TIMES};
use crate::{Position, Query, Record, Side, Start};

pub(super) const CASES: &[Case] = &[
    Case::new("random queries of devices", devices),
    Case::new("random queries of users and groups", people),
];

fn devices(f: &Fixture) {
    for seed in 1..=6_u64 {
        let f = f.other_tenant(&format!("t{seed}"));
        let random = &mut Random::new(seed);
        for n in 0..60 {
            f.must(vec![f.create("Device", &format!("d{n:02}"), device(random))]);
        }
        for _ in 0..15 {
            let id = format!("d{:02}", random.below(60));
            let exists = f.record(&id).is_some();
            match random.one_in(3) {
                true if exists => f.must(vec![f.delete("Device", &id)]),
                false if exists => f.must(vec![f.replace("Device", &id, device(random))]),
                true | false => f.must(vec![f.create("Device", &id, device(random))]),
            };
        }
        let sorts = [
            "displayName",
            "note",
            "code",
            "size",
            "weight",
            "seen",
            "on",
            "tags",
            "marks",
            "ports",
            "ports.rank",
            "ports.type",
            "place.room",
            "place.floor",
            "id",
            "meta.created",
            "meta.lastModified",
        ];
        compare(&f, "Device", random, &sorts, 150, |random| device_filter(random, 3));
    }
}

fn people(f: &Fixture) {
    let random = &mut Random::new(0xDEAD_BEEF);
    let user_ids: Vec<String> = (0..20).map(|n| format!("u{n:02}")).collect();
    let group_ids: Vec<String> = (0..12).map(|n| format!("g{n:02}")).collect();
    f.must(user_ids.iter().map(|id| f.user(id, id)).collect());
    f.must(group_ids.iter().map(|id| f.group(id, &[])).collect());
    let everyone: Vec<&str> = user_ids.iter().chain(&group_ids).map(String::as_str).collect();
    for group in group_ids.iter().skip(2) {
        let members: std::collections::BTreeSet<&str> =
            (0..random.below(6)).map(|_| random.pick(&everyone)).collect();
        f.must(vec![f.link(group, setting(&members.into_iter().collect::<Vec<_>>()))]);
    }
    for id in ["u03", "u04"] {
        f.must(vec![f.delete("User", id)]);
    }
    let filter = |attribute: &'static str| {
        let everyone = everyone.clone();
        move |random: &mut Random| membership_filter(random, attribute, &everyone, 3)
    };
    compare(
        f,
        "Group",
        random,
        &["displayName", "members", "meta.lastModified", "id"],
        300,
        filter("members"),
    );
    compare(f, "User", random, &["userName", "groups", "meta.created"], 200, filter("groups"));
}

/// Asks random questions and compares the answers with a naive evaluation.
fn compare(
    f: &Fixture,
    kind: &str,
    random: &mut Random,
    sorts: &[&str],
    questions: usize,
    filter: impl Fn(&mut Random) -> String,
) {
    let everything = f.ask(&f.query(kind, "", "")).records;
    let documents: Vec<(Record, Map<String, Value>)> = everything
        .into_iter()
        .map(|record| (record.clone(), record.document().expect("a document")))
        .collect();
    let edges: BTreeMap<String, Map<String, Value>> =
        documents.iter().map(|(record, _)| (record.id.clone(), edges(f, kind, &record.id))).collect();
    for _ in 0..questions {
        let text = if random.one_in(8) { String::new() } else { filter(random) };
        let sort = match random.below(3) {
            0 => String::new(),
            1 => format!("{} ascending", random.pick(sorts)),
            _ => format!("{} descending", random.pick(sorts)),
        };
        let mut query = Query { total: random.one_in(2), ..f.query(kind, &text, &sort) };
        let mut expected: Vec<(Option<Key>, &Record)> = documents
            .iter()
            .filter(|(record, document)| {
                let mut document = document.clone();
                document.extend(edges[&record.id].clone());
                query.filter.as_ref().is_none_or(|filter: &Filter| filter.matches(&document))
            })
            .map(|(record, document)| (query.sort.as_ref().map(|sort| sort.key(document)), record))
            .collect();
        expected.sort_by(|(a, r), (b, s)| {
            let by_key = match (a, b, &query.sort) {
                (Some(a), Some(b), Some(sort)) => a.compare(b, sort.descending),
                _ => std::cmp::Ordering::Equal,
            };
            by_key.then_with(|| r.id.cmp(&s.id))
        });
        let total = expected.len() as u64;
        let begin = random.below(expected.len() + 2);
        query.count = random.below(expected.len() + 2);
        let position = begin.checked_sub(1).and_then(|last| expected.get(last)).filter(|_| random.one_in(2));
        query.start = match position {
            Some((key, record)) => after(Position { key: key.clone(), id: record.id.clone() }),
            None => Start::Offset(begin as u64),
        };
        let rest = expected.get(begin..).unwrap_or_default();
        let page = f.ask(&query);
        let shown = format!("{random:?}: {kind}: `{text}` by `{sort}` {:?} {}", query.start, query.count);
        let wanted: Vec<String> =
            rest.iter().take(query.count).map(|(_, record)| record.id.clone()).collect();
        assert_eq!(ids(&page), wanted, "{shown}");
        assert!(page.records.iter().zip(rest).all(|(found, (_, wanted))| found == *wanted), "{shown}");
        assert_eq!(page.total, query.total.then_some(total), "{shown}");
        let next = rest.get(query.count).and_then(|_| rest.get(query.count.checked_sub(1)?));
        let next = next.map(|(key, record)| Position { key: key.clone(), id: record.id.clone() });
        assert_eq!(page.next, next, "{shown}");
        let side = if random.one_in(2) { Side::Groups } else { Side::Members };
        f.ask_together(&query, side, random.below(40));
    }
}

fn edges(f: &Fixture, kind: &str, id: &str) -> Map<String, Value> {
    let (side, name) = match kind {
        "Group" => (Side::Members, "members"),
        "User" => (Side::Groups, "groups"),
        _ => return Map::new(),
    };
    let element = |edge: crate::Edge| match side {
        Side::Members => json!({ "value": edge.id, "type": &*edge.resource_type }),
        Side::Groups => json!({ "value": edge.id }),
    };
    let elements: Vec<Value> = f.edges(side, &[id], None, 1000).0.into_iter().map(element).collect();
    let elements = Some(elements).filter(|elements| !elements.is_empty());
    elements.map(|elements| (name.to_owned(), Value::Array(elements))).into_iter().collect()
}

fn device(random: &mut Random) -> Value {
    let mut map = Map::new();
    let texts =
        |random: &mut Random| -> Vec<&str> { (0..=random.below(3)).map(|_| random.pick(TEXTS)).collect() };
    for name in ["displayName", "note", "code"] {
        if !random.one_in(4) {
            map.insert(name.to_owned(), json!(random.pick(TEXTS)));
        }
    }
    if !random.one_in(3) {
        map.insert("size".to_owned(), json!(INTEGERS[random.below(INTEGERS.len())]));
    }
    if !random.one_in(3) {
        map.insert("weight".to_owned(), json!(DECIMALS[random.below(DECIMALS.len())]));
    }
    if !random.one_in(3) {
        map.insert("seen".to_owned(), json!(random.pick(TIMES)));
    }
    if !random.one_in(3) {
        map.insert("on".to_owned(), json!(random.one_in(2)));
    }
    for name in ["tags", "marks"] {
        if !random.one_in(3) {
            map.insert(name.to_owned(), json!(texts(random)));
        }
    }
    if !random.one_in(3) {
        let port = |random: &mut Random| {
            let mut port = json!({ "type": random.pick(&["in", "out"]) });
            if !random.one_in(4) {
                port["value"] = json!(random.pick(TEXTS));
            }
            if !random.one_in(3) {
                port["rank"] = json!(INTEGERS[random.below(INTEGERS.len())]);
            }
            if random.one_in(3) {
                port["primary"] = json!(true);
            }
            port
        };
        let ports: Vec<Value> = (0..=random.below(3)).map(|_| port(random)).collect();
        map.insert("ports".to_owned(), json!(ports));
    }
    if !random.one_in(3) {
        let mut place = json!({ "floor": INTEGERS[random.below(INTEGERS.len())] });
        if random.one_in(2) {
            place["room"] = json!(random.pick(TEXTS));
        }
        map.insert("place".to_owned(), place);
    }
    Value::Object(map)
}

fn device_filter(random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 3 } else { 7 }) {
        0..3 => {
            let text = ["displayName", "note", "code", "tags", "marks", "ports", "ports.type", "place.room"];
            let number = ["size", "ports.rank", "place.floor"];
            comparison(random, &text, &number)
        }
        3 => {
            let inner = element_filter(random, depth - 1);
            format!("ports[{inner}]")
        }
        4 => format!("{} and {}", grouped(random, depth), grouped(random, depth)),
        5 => format!("{} or {}", grouped(random, depth), grouped(random, depth)),
        _ => format!("not ({})", device_filter(random, depth - 1)),
    }
}

fn grouped(random: &mut Random, depth: usize) -> String {
    format!("({})", device_filter(random, depth - 1))
}

fn element_filter(random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 2 } else { 5 }) {
        0 | 1 => match random.one_in(5) {
            true => format!("type eq \"{}\"", random.pick(&["in", "OUT"])),
            false => comparison_of(random, &["value"], &["rank"]),
        },
        2 => format!("{} and {}", element_filter(random, 0), element_filter(random, depth - 1)),
        3 => format!("({} or {})", element_filter(random, 0), element_filter(random, depth - 1)),
        _ => format!("not ({})", element_filter(random, depth - 1)),
    }
}

/// A comparison of the attributes of a device.
fn comparison(random: &mut Random, texts: &[&str], numbers: &[&str]) -> String {
    let order = |random: &mut Random| random.pick(&["eq", "ne", "gt", "ge", "lt", "le"]);
    match random.below(9) {
        0 => format!("weight {} {:?}", order(random), DECIMALS[random.below(DECIMALS.len())]),
        1 => format!("seen {} \"{}\"", order(random), random.pick(TIMES)),
        2 => format!("on {} {}", random.pick(&["eq", "ne"]), random.one_in(2)),
        3 => format!("id {} \"d{:02}\"", order(random), random.below(60)),
        _ => comparison_of(random, texts, numbers),
    }
}

fn comparison_of(random: &mut Random, texts: &[&str], numbers: &[&str]) -> String {
    match random.below(6) {
        0 => format!("{} pr", either(random, texts, numbers)),
        1 => {
            let path = either(random, texts, numbers);
            format!("{path} {} null", random.pick(&["eq", "ne"]))
        }
        2 => {
            let operator = random.pick(&["eq", "ne", "gt", "ge", "lt", "le"]);
            format!("{} {operator} {}", random.pick(numbers), INTEGERS[random.below(INTEGERS.len())])
        }
        _ => {
            let operator = random.pick(&["eq", "eq", "ne", "co", "sw", "sw", "ew", "gt", "ge", "lt", "le"]);
            format!("{} {operator} {}", random.pick(texts), json!(random.pick(TEXTS)))
        }
    }
}

fn either<'a>(random: &mut Random, texts: &[&'a str], numbers: &[&'a str]) -> &'a str {
    let from = if random.one_in(3) { numbers } else { texts };
    random.pick(from)
}

fn membership_filter(random: &mut Random, attribute: &str, ids: &[&str], depth: usize) -> String {
    let id = random.pick(ids);
    match random.below(if depth == 0 { 7 } else { 10 }) {
        0 | 1 => format!("{attribute} eq \"{id}\""),
        2 => format!("{attribute}[value eq \"{id}\" or value eq \"{}\"]", random.pick(ids)),
        3 => {
            format!("{attribute}[value {} \"{id}\" and type ne \"Group\"]", random.pick(&["eq", "ne", "gt"]))
        }
        4 => format!("{attribute}.value {} \"{id}\"", random.pick(&["ne", "sw", "lt", "co"])),
        5 => format!("{attribute} {}", random.pick(&["pr", "eq null", "ne null"])),
        6 => format!("id {} \"{id}\"", random.pick(&["eq", "gt", "ne"])),
        7 => format!("not ({})", membership_filter(random, attribute, ids, depth - 1)),
        n => {
            let (left, right) = (
                membership_filter(random, attribute, ids, depth - 1),
                membership_filter(random, attribute, ids, depth - 1),
            );
            format!("({left}) {} ({right})", if n == 8 { "and" } else { "or" })
        }
    }
}
