//! Random filters and sorts.

use scim_store::conformance::words::{DECIMALS, INTEGERS, Random, TIMES};
use serde_json::json;

use super::documents::{Known, text};

/// What can be sorted by.
pub(crate) fn sorts(kind: &str) -> &'static [&'static str] {
    match kind {
        "Users" => &[
            "userName",
            "displayName",
            "nickName",
            "title",
            "name.familyName",
            "emails",
            "emails.type",
            "active",
            "externalId",
            "id",
            "meta.created",
            "meta.lastModified",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        ],
        "Groups" => &["displayName", "externalId", "id", "meta.created", "meta.lastModified"],
        _ => &[
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
            "serial",
        ],
    }
}

/// A filter over resources of this kind.
pub(crate) fn filter(kind: &str, random: &mut Random, known: &Known<'_>, depth: usize) -> String {
    match random.below(if depth == 0 { 5 } else { 9 }) {
        0..5 => comparison(kind, random, known),
        5 => format!(
            "({}) and ({})",
            filter(kind, random, known, depth - 1),
            filter(kind, random, known, depth - 1)
        ),
        6 => format!(
            "{} or {}",
            filter(kind, random, known, depth - 1),
            filter(kind, random, known, depth - 1)
        ),
        7 => format!("not ({})", filter(kind, random, known, depth - 1)),
        _ => match elements(kind) {
            Some((list, texts, numbers)) => format!("{list}[{}]", element(texts, numbers, random, depth - 1)),
            None => comparison(kind, random, known),
        },
    }
}

/// A list of complex values, and its sub-attributes.
type Elements = (&'static str, &'static [&'static str], &'static [&'static str]);

fn elements(kind: &str) -> Option<Elements> {
    match kind {
        "Users" => Some(("emails", &["value", "type"], &[])),
        "Groups" => None,
        _ => Some(("ports", &["value", "type"], &["rank"])),
    }
}

fn element(texts: &[&'static str], numbers: &[&'static str], random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 2 } else { 5 }) {
        0 | 1 => compare(texts, numbers, random),
        2 => format!(
            "{} and {}",
            element(texts, numbers, random, 0),
            element(texts, numbers, random, depth - 1)
        ),
        3 => format!(
            "({} or {})",
            element(texts, numbers, random, 0),
            element(texts, numbers, random, depth - 1)
        ),
        _ => format!("not ({})", element(texts, numbers, random, depth - 1)),
    }
}

fn comparison(kind: &str, random: &mut Random, known: &Known<'_>) -> String {
    let order = random.pick(&["eq", "ne", "gt", "ge", "lt", "le"]);
    match (kind, random.below(10)) {
        (_, 0) => format!("id {order} \"{}\"", random.pick(known)),
        (_, 1) => {
            format!("meta.{} {order} \"{}\"", random.pick(&["created", "lastModified"]), random.pick(TIMES))
        }
        ("Users", 2) => format!("active {} {}", random.pick(&["eq", "ne"]), random.one_in(2)),
        ("Users", 3) => {
            format!("groups.value {} \"{}\"", random.pick(&["eq", "ne", "sw"]), random.pick(known))
        }
        ("Users", 4) => format!("groups {}", random.pick(&["pr", "eq null", "ne null"])),
        ("Groups", 2..5) => {
            let path = random.pick(&["members", "members.value"]);
            format!("{path} {} \"{}\"", random.pick(&["eq", "ne", "gt"]), random.pick(known))
        }
        ("Groups", 5) => {
            format!("members[value eq \"{}\" and type {order} \"User\"]", random.pick(known))
        }
        ("Groups", 6) => format!("members {}", random.pick(&["pr", "eq null", "ne null"])),
        ("Devices", 2) => format!("weight {order} {:?}", random.pick(DECIMALS)),
        ("Devices", 3) => format!("seen {order} \"{}\"", random.pick(TIMES)),
        ("Devices", 4) => format!("on {} {}", random.pick(&["eq", "ne"]), random.one_in(2)),
        ("Users", _) => compare(
            &[
                "userName",
                "displayName",
                "nickName",
                "title",
                "name.familyName",
                "name.givenName",
                "emails",
                "emails.value",
                "emails.type",
                "externalId",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            ],
            &[],
            random,
        ),
        ("Groups", _) => compare(&["displayName", "externalId"], &[], random),
        _ => compare(
            &["displayName", "note", "code", "tags", "marks", "ports", "ports.type", "place.room", "serial"],
            &["size", "ports.rank", "place.floor"],
            random,
        ),
    }
}

fn compare(texts: &[&'static str], numbers: &[&'static str], random: &mut Random) -> String {
    let either = |random: &mut Random| match numbers.is_empty() || !random.one_in(3) {
        true => random.pick(texts),
        false => random.pick(numbers),
    };
    match random.below(7) {
        0 => format!("{} pr", either(random)),
        1 => format!("{} {} null", either(random), random.pick(&["eq", "ne"])),
        2 if !numbers.is_empty() => {
            let operator = random.pick(&["eq", "ne", "gt", "ge", "lt", "le"]);
            format!("{} {operator} {}", random.pick(numbers), random.pick(INTEGERS))
        }
        _ => {
            let operator = random.pick(&["eq", "EQ", "ne", "co", "sw", "Sw", "ew", "gt", "ge", "lt", "le"]);
            format!("{} {operator} {}", random.pick(texts), json!(text(random)))
        }
    }
}
