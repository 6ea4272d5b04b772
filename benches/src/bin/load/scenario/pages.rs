//! List and filter: pages by number and by cursor, counting, projections, filters of many kinds.
//!
//! A filter is asked once before, and what it should find is compared, so that a server is not quick by ignoring it.

use scim_bench::world::Failure;
use serde_json::Value;

use super::reads::hits;
use super::{Bench, Take, escape};
use crate::client::Call;
use crate::drive::{Length, Session};
use crate::field::Field;
use crate::random::Random;

/// A way to ask, with a user to ask about.
struct Way {
    name: &'static str,
    /// The query, for the user of this index.
    query: fn(&Field, usize) -> String,
    /// How many it finds of the first user, where that can be told.
    hits: Option<u64>,
}

const WAYS: [Way; 8] = [
    Way { name: "pages: count only", query: |_, _| "count=0".to_owned(), hits: None },
    Way {
        name: "pages: one attribute of 100",
        query: |_, index| format!("count=100&attributes=userName&startIndex={}", 1 + index % 100),
        hits: None,
    },
    Way {
        name: "pages: sorted by userName",
        query: |_, index| format!("count=100&sortBy=userName&startIndex={}", 1 + index % 100),
        hits: None,
    },
    Way {
        name: "filter: externalId eq",
        query: |field, index| filter(&format!("externalId eq \"{}\"", field.first + index)),
        hits: Some(1),
    },
    Way {
        name: "filter: emails[type eq and value eq]",
        query: |field, index| {
            filter(&format!("emails[type eq \"work\" and value eq \"{}\"]", field.user_name(index)))
        },
        hits: Some(1),
    },
    Way {
        name: "filter: active and familyName eq",
        query: |field, index| {
            filter(&format!("active eq true and name.familyName eq \"Lovelace{}\"", field.first + index))
        },
        hits: Some(1),
    },
    Way {
        name: "filter: userName sw",
        query: |field, index| {
            // Ten of them, more or less.
            let name = field.user_name(index);
            let stem = name.split('@').next().unwrap_or_default();
            filter(&format!(
                "userName sw \"{}\"",
                stem.get(..stem.len().saturating_sub(1)).unwrap_or_default()
            ))
        },
        hits: None,
    },
    Way {
        name: "filter: nobody has it",
        query: |_, index| filter(&format!("userName eq \"nobody{index}@example.net\"")),
        hits: Some(0),
    },
];

fn filter(text: &str) -> String {
    format!("filter={}", escape(text))
}

pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), Failure> {
    for way in &WAYS {
        let call = |field: &Field, index| Call::get(format!("/Users?{}", (way.query)(field, index)));
        let take = short(bench, way.name);
        match (hits(bench.field, &call(bench.field, 0))?, way.hits) {
            (Ok(found), Some(expected)) if found != expected => {
                bench.refuse(way.name, format!("finds {found} users, {expected} fit"))?;
            }
            (Ok(_), _) => {
                let field = bench.field;
                let script = async |connection: usize, session: &mut Session<'_>| {
                    let mut random = Random::of(connection);
                    while session.goes_on() {
                        session.send("read", &call(field, random.below(field.users.len()))).await;
                    }
                };
                bench.measure(take, script)?;
            }
            (Err(why), _) => bench.refuse(way.name, why)?,
        }
    }
    cursors(bench)
}

/// Walks through everybody, 100 at a time (RFC 9865).
fn cursors(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let take = short(bench, "pages: by cursor");
    let first = bench.field.ask(&Call::get("/Users?cursor&count=100"))?;
    if !first.succeeded() || next(&first.json()).is_none() {
        let why =
            if first.succeeded() { "its pages have no `nextCursor`".to_owned() } else { first.excerpt() };
        return bench.refuse(take.name, why);
    }
    let script = async |_: usize, session: &mut Session<'_>| {
        let mut cursor: Option<String> = None;
        while session.goes_on() {
            let path = match &cursor {
                Some(cursor) => format!("/Users?count=100&cursor={}", escape(cursor)),
                None => "/Users?cursor&count=100".to_owned(),
            };
            cursor = next(&session.send("page", &Call::get(path)).await.json());
        }
    };
    bench.measure(take, script).map(drop)
}

fn next(page: &Value) -> Option<String> {
    page.get("nextCursor").and_then(Value::as_str).map(str::to_owned)
}

/// There are many of them: each has a quarter of the time.
fn short<'a>(bench: &Bench<'_>, name: &'a str) -> Take<'a> {
    Take { length: Length::Time(bench.work.seconds / 4), ..bench.usual(name) }
}
