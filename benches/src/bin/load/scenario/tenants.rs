//! Mixed tenants: several at once, who should fare alike; and a quiet one beside a greedy one, who should not notice.

use scim_bench::people;
use scim_bench::world::Failure;

use super::reads::by_name;
use super::{Bench, Take};
use crate::client::Call;
use crate::drive::{Length, Plan, Session, drive_each};
use crate::field::Field;
use crate::outcome::Outcome;
use crate::random::Random;
use crate::report::Figure;

/// Connections of each tenant where all are alike, and of the greedy one where they are not.
const ALIKE: usize = 4;
const GREEDY: usize = 32;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let field = bench.field;
    let tenants: Vec<&Field> = std::iter::once(field).chain(&field.neighbours).collect();
    let [greedy, .., quiet] = tenants.as_slice() else {
        return bench.refuse("tenants", "only one tenant is known; name others by `--tenant URL TOKEN`");
    };

    let everybody: Vec<&Field> = tenants.iter().flat_map(|tenant| [*tenant; ALIKE]).collect();
    let outcomes = together(bench, "tenants: alike", &everybody)?;
    let rates: Vec<f64> =
        outcomes.chunks(ALIKE).map(|own| own.iter().map(Outcome::per_second).sum()).collect();
    bench.note("tenants: fairness of requests/s, 1 is best (Jain)", fairness(&rates), "");
    let most = rates.iter().copied().fold(0.0, f64::max);
    let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
    bench.note("tenants: most to least requests/s", most / least.max(1e-9), "×");

    let alone = together(bench, "tenants: quiet one alone", &[quiet])?;
    let mut beside: Vec<&Field> = vec![quiet];
    beside.extend([*greedy; GREEDY]);
    let outcomes = together(bench, "tenants: quiet one beside a greedy one", &beside)?;
    let [quiet, greedy @ ..] = outcomes.as_slice() else { return Ok(()) };
    let late = |outcome: &Outcome| outcome.all().percentile(0.99).unwrap_or(f64::NAN);
    if let [alone] = alone.as_slice() {
        bench.note("tenants: p99 of the quiet one, alone", late(alone), "µs");
        bench.note("tenants: p99 of the quiet one, beside the greedy one", late(quiet), "µs");
        bench.note("tenants: beside to alone", late(quiet) / late(alone), "×");
    }
    let rate: f64 = greedy.iter().map(Outcome::per_second).sum();
    bench.note("tenants: requests/s of the greedy one", rate, "/s");
    Ok(())
}

/// Takes a figure of connections with a tenant each, and gives what came of each.
fn together(bench: &mut Bench<'_>, name: &str, fields: &[&Field]) -> Result<Vec<Outcome>, Failure> {
    let targets: Vec<_> = fields.iter().map(|field| &field.target).collect();
    let script = async |connection: usize, session: &mut Session<'_>| {
        if let Some(field) = fields.get(connection) {
            mixed(field, connection, session).await;
        }
    };
    let Take { length, connections, .. } = Take { connections: fields.len(), ..bench.closed(name) };
    let shown = format!("{}: {name}", bench.field.name);
    let plan = Plan { name: &shown, connections, length, rate: None };
    if let Length::Time(time) = length {
        drive_each(Plan { length: Length::Time(time / 10), ..plan }, &targets, script)?;
    }
    let mut each = Vec::new();
    let (outcome, used) = bench.field.watch(|| {
        each = drive_each(plan, &targets, script)?;
        let mut all = Outcome::default();
        each.iter().cloned().for_each(|outcome| all.add(outcome));
        Ok(all)
    })?;
    bench.report.figures.push(Figure {
        server: bench.field.name.clone(),
        scenario: name.to_owned(),
        connections,
        offered: None,
        refused: (outcome.requests() == 0).then(|| outcome.first_refusal.clone().unwrap_or_default()),
        outcome,
        used,
    });
    Ok(each)
}

/// Reads, and now and then a write.
async fn mixed(field: &Field, connection: usize, session: &mut Session<'_>) {
    let mut random = Random::of(connection);
    while session.goes_on() {
        let index = random.below(field.users.len());
        match random.below(10) {
            0 => {
                let body = people::user(field.strangers(1));
                let answer = session.send("create", &Call::post("/Users", &body)).await;
                field.keep("/Users", &answer);
            }
            1..=5 => {
                session.send("filter", &by_name(field, index)).await;
            }
            _ => {
                let id = field.users.get(index).map_or("", String::as_str);
                session.send("get", &Call::get(format!("/Users/{id}"))).await;
            }
        }
    }
}

/// Jain's index: 1 when all have the same, 1/n when one has everything.
fn fairness(rates: &[f64]) -> f64 {
    let sum: f64 = rates.iter().sum();
    let squares: f64 = rates.iter().map(|rate| rate * rate).sum();
    sum * sum / (rates.len() as f64 * squares).max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::fairness;

    #[test]
    fn fairness_is_one_for_equals() {
        assert!((fairness(&[3.0, 3.0, 3.0]) - 1.0).abs() < 1e-9);
        assert!((fairness(&[5.0, 0.0]) - 0.5).abs() < 1e-9);
    }
}
