//! The plain reads: one user by identifier, one by name, pages.

use scim_bench::world::Failure;

use super::{Bench, escape};
use crate::client::Call;
use crate::drive::Session;
use crate::field::Field;
use crate::random::Random;

pub(super) fn run_get(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let take = bench.usual("GET /Users/{id}");
    bench.measure(take, get(bench.field)).map(drop)
}

/// Reads random users by identifier.
pub(crate) fn get(field: &Field) -> impl AsyncFn(usize, &mut Session<'_>) + Sync + '_ {
    async move |connection, session| {
        let mut random = Random::of(connection);
        while session.goes_on()
            && let Some(id) = random.one_of(&field.users)
        {
            session.send("get", &Call::get(format!("/Users/{id}"))).await;
        }
    }
}

pub(super) fn run_filter(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let take = bench.usual("GET /Users?filter=userName eq");
    // Some servers ignore what they do not understand, and answer with everybody.
    match hits(bench.field, &by_name(bench.field, 0))? {
        Ok(1) => bench.measure(take, filter(bench.field)).map(drop),
        Ok(found) => bench.refuse(take.name, format!("{found} users have a name that one of them has")),
        Err(why) => bench.refuse(take.name, why),
    }
}

/// Looks random users up by their name.
pub(crate) fn filter(field: &Field) -> impl AsyncFn(usize, &mut Session<'_>) + Sync + '_ {
    async move |connection, session| {
        let mut random = Random::of(connection);
        while session.goes_on() {
            let call = by_name(field, random.below(field.users.len()));
            session.send("filter", &call).await;
        }
    }
}

/// Looks the user `index` up.
pub(crate) fn by_name(field: &Field, index: usize) -> Call {
    let filter = escape(&format!("userName eq \"{}\"", field.user_name(index)));
    Call::get(format!("/Users?filter={filter}"))
}

pub(super) fn run_list(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let take = bench.usual("GET /Users, pages of 100");
    let wanted = bench.field.users.len().min(100);
    let answer = bench.field.ask(&Call::get("/Users?count=100&startIndex=1"))?;
    match answer.json().get("Resources").and_then(|resources| Some(resources.as_array()?.len())) {
        Some(length) if answer.succeeded() && length == wanted => {}
        Some(length) if answer.succeeded() => {
            let why = format!("a page of {wanted} has {length} users");
            return bench.refuse(take.name, why);
        }
        Some(_) | None => return bench.refuse(take.name, answer.excerpt()),
    }
    bench.measure(take, list(bench.field)).map(drop)
}

/// Reads random pages.
pub(crate) fn list(field: &Field) -> impl AsyncFn(usize, &mut Session<'_>) + Sync + '_ {
    async move |connection, session| {
        // Deep pages by number are slow everywhere; clients that walk use cursors.
        let starts = field.users.len().saturating_sub(99).clamp(1, 1000);
        let mut random = Random::of(connection);
        while session.goes_on() {
            let start = 1 + random.below(starts);
            session.send("list", &Call::get(format!("/Users?count=100&startIndex={start}"))).await;
        }
    }
}

/// How many resources a request finds, or why that cannot be told.
pub(super) fn hits(field: &Field, call: &Call) -> Result<Result<u64, String>, Failure> {
    let answer = field.ask(call)?;
    let total = answer.json().get("totalResults").and_then(serde_json::Value::as_u64);
    Ok(total.filter(|_| answer.succeeded()).ok_or_else(|| answer.excerpt()))
}
