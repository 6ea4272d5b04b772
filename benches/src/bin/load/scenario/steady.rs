//! Steady state: what Entra ID and Okta send in a delta cycle, when nearly everybody is there already.
//!
//! The shares are a model: look-ups prevail, since a cycle matches every object that may have changed before it writes.
//! A connection changes people of its own only, as an identity provider has one job for an object.

use scim_bench::people;
use scim_bench::world::Failure;
use serde_json::{Value, json};

use super::reads::by_name;
use super::sync::{Idp, patch};
use super::{Bench, Take, escape};
use crate::client::Call;
use crate::drive::Session;
use crate::field::Field;
use crate::random::Random;

/// What may come next.
#[derive(Debug, Clone, Copy)]
enum Move {
    LookUp,
    Miss,
    Get,
    Change,
    Disable,
    Member,
    LookUpGroup,
    Joiner,
    Page,
}

/// Of 100 moves, how many are which. The creation of a joiner is followed by a deletion.
const ENTRA: &[(Move, usize)] = &[
    (Move::LookUp, 40),
    (Move::Miss, 5),
    (Move::Get, 20),
    (Move::Change, 18),
    (Move::Disable, 4),
    (Move::Member, 6),
    (Move::LookUpGroup, 4),
    (Move::Joiner, 3),
];
const OKTA: &[(Move, usize)] = &[
    (Move::LookUp, 40),
    (Move::Miss, 5),
    (Move::Change, 30),
    (Move::Disable, 5),
    (Move::Member, 10),
    (Move::LookUpGroup, 4),
    (Move::Joiner, 3),
    (Move::Page, 3),
];

/// In an open loop after a closed one, the share of the closed one's requests/s that is due.
const SHARE: f64 = 0.5;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), Failure> {
    for (idp, moves) in [(Idp::Entra, ENTRA), (Idp::Okta, OKTA)] {
        let field = bench.field;
        let connections = bench.work.connections;
        let script = async |connection: usize, session: &mut Session<'_>| {
            let mut cycle = Cycle { field, idp, connection, connections, random: Random::of(connection) };
            while session.goes_on() {
                cycle.step(moves, session).await;
            }
        };
        let name = format!("steady state, {idp}");
        let rate = match bench.work.rate {
            Some(rate) => rate,
            None => {
                let closed = bench.measure(bench.closed(&name), script)?;
                closed.outcome.per_second() * SHARE
            }
        };
        if rate > 0.0 {
            bench.measure(Take { rate: Some(rate), ..bench.closed(&name) }, script)?;
        }
    }
    Ok(())
}

/// What one connection goes by.
struct Cycle<'a> {
    field: &'a Field,
    idp: Idp,
    connection: usize,
    connections: usize,
    random: Random,
}

impl Cycle<'_> {
    async fn step(&mut self, moves: &[(Move, usize)], session: &mut Session<'_>) {
        let mut left = self.random.below(moves.iter().map(|(_, share)| share).sum());
        for (next, share) in moves {
            if left < *share {
                return self.play(*next, session).await;
            }
            left -= share;
        }
    }

    async fn play(&mut self, next: Move, session: &mut Session<'_>) {
        let field = self.field;
        let index = self.own();
        let Some(id) = field.users.get(index).cloned() else { return };
        let path = format!("/Users/{id}");
        match next {
            Move::LookUp => {
                session.send("look up", &by_name(field, index)).await;
            }
            Move::Miss => {
                let filter = escape(&format!("userName eq \"nobody{index}@example.net\""));
                session.send("look up", &Call::get(format!("/Users?filter={filter}"))).await;
            }
            Move::Get => {
                session.send("get", &Call::get(path)).await;
            }
            Move::Change => self.change(&path, index, session).await,
            Move::Disable => {
                for active in [false, true] {
                    session.send("disable, enable", &Call::patch(&path, &self.idp.set_active(active))).await;
                }
            }
            Move::Member => self.member(&id, session).await,
            Move::LookUpGroup => {
                if let Some(group) = field.groups.as_ref().ok().and_then(|groups| self.random.one_of(groups))
                {
                    session.send("look up group", &self.idp.look_up_group(&group.name)).await;
                }
            }
            Move::Joiner => {
                let user = self.idp.user(field.strangers(1));
                let answer = session.send("create", &Call::post("/Users", &user)).await;
                if let Some(id) = answer.id().filter(|_| answer.succeeded()) {
                    session.send("delete", &Call::delete(format!("/Users/{id}"))).await;
                }
            }
            Move::Page => {
                session.send("page", &Call::get("/Users?startIndex=1&count=100")).await;
            }
        }
    }

    /// Entra ID sends what has changed; Okta reads, merges and sends everything.
    async fn change(&mut self, path: &str, index: usize, session: &mut Session<'_>) {
        let title = format!("Analyst {}", self.random.below(1000));
        match self.idp {
            Idp::Entra => {
                let operation = json!({ "op": "Replace", "path": "title", "value": title });
                session.send("change", &Call::patch(path, &patch(&[operation]))).await;
            }
            Idp::Okta => {
                let mut user = session.send("get", &Call::get(path)).await.json();
                if let Value::Object(user) = &mut user {
                    user.insert("title".to_owned(), json!(title));
                    user.insert("active".to_owned(), json!(true));
                    let name = self.field.user_name(index);
                    user.insert("userName".to_owned(), json!(name));
                    let call = Call { method: http::Method::PUT, ..Call::post(path, &json!(user)) };
                    session.send("change", &call).await;
                }
            }
        }
    }

    /// Somebody joins a group and leaves it.
    async fn member(&mut self, id: &str, session: &mut Session<'_>) {
        let Some(group) = self.field.groups.as_ref().ok().and_then(|groups| groups.first()) else { return };
        let path = format!("/Groups/{}", group.id);
        let add = self.idp.add_members(&[(id.to_owned(), String::new())]);
        session.send("add member", &Call::patch(&path, &add)).await;
        let remove = match self.idp {
            Idp::Entra => patch(&[
                json!({ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": id }] }),
            ]),
            Idp::Okta => people::remove_member(id),
        };
        session.send("remove member", &Call::patch(&path, &remove)).await;
    }

    /// One of the people that this connection has for itself. The first ten are in the first group, and stay there.
    fn own(&mut self) -> usize {
        let count = self.field.users.len();
        let share = count.saturating_sub(10) / self.connections.max(1);
        let index = 10 + self.random.below(share) * self.connections + self.connection;
        if index < count { index } else { count - 1 }
    }
}
