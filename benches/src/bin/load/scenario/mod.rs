//! The scenarios, for whatever server. A server that cannot do one is reported as such, and goes on with the next.

mod churn;
mod pages;
mod reads;
mod steady;
mod sync;
mod tenants;
mod writes;

use std::time::Duration;

use scim_bench::world::Failure;

use crate::cli::{Scenario, Work};
use crate::drive::{Length, Plan, Session, drive};
use crate::field::Field;
use crate::report::{Figure, Report};

pub(crate) use reads::{by_name, filter, get, list};
pub(crate) use writes::{PATCHERS, add_members, post};

/// What scenarios share: what was asked for, the server, and where figures go.
pub(crate) struct Bench<'a> {
    pub(crate) work: &'a Work,
    pub(crate) field: &'a Field,
    pub(crate) report: &'a mut Report,
}

/// How one figure is taken.
#[derive(Clone, Copy)]
pub(crate) struct Take<'a> {
    pub(crate) name: &'a str,
    pub(crate) connections: usize,
    pub(crate) length: Length,
    pub(crate) rate: Option<f64>,
}

/// What takes a scenario's figures.
type Run = fn(&mut Bench<'_>) -> Result<(), Failure>;

/// Runs the scenarios that were asked for. What makes a store grow comes last.
pub(crate) fn run(work: &Work, field: &Field, report: &mut Report) -> Result<(), Failure> {
    let mut bench = Bench { work, field, report };
    let all: [(Scenario, Run); 10] = [
        (Scenario::Get, reads::run_get),
        (Scenario::Filter, reads::run_filter),
        (Scenario::List, reads::run_list),
        (Scenario::Pages, pages::run),
        (Scenario::Group, writes::run_groups),
        (Scenario::Churn, churn::run),
        (Scenario::Steady, steady::run),
        (Scenario::Tenants, tenants::run),
        (Scenario::Sync, sync::run),
        (Scenario::Post, writes::run_posts),
    ];
    for (scenario, run) in all {
        if work.includes(scenario) {
            run(&mut bench)?;
        }
    }
    Ok(())
}

impl<'a> Bench<'a> {
    /// A figure of the usual time, connections and loop.
    fn usual<'b>(&self, name: &'b str) -> Take<'b> {
        Take { rate: self.work.rate, ..self.closed(name) }
    }

    /// A figure of the usual time and connections, in a closed loop.
    fn closed<'b>(&self, name: &'b str) -> Take<'b> {
        let Work { connections, seconds, .. } = *self.work;
        Take { name, connections, length: Length::Time(seconds), rate: None }
    }

    /// Takes a figure. Servers warm up for a tenth of the time before.
    pub(crate) fn measure(
        &mut self,
        take: Take<'_>,
        script: impl AsyncFn(usize, &mut Session<'_>) + Sync,
    ) -> Result<Figure, Failure> {
        let Take { name, connections, length, rate } = take;
        let field = self.field;
        let shown = format!("{}: {name}", field.name);
        let plan = Plan { name: &shown, connections, length, rate };
        if let Length::Time(time) = length {
            let length = Length::Time((time / 10).min(Duration::from_secs(1)));
            drive(Plan { length, rate: None, ..plan }, &field.target, &script)?;
        }
        let (outcome, used) = field.watch(|| drive(plan, &field.target, &script))?;
        let refused = (outcome.requests() == 0)
            .then(|| outcome.first_refusal.clone().unwrap_or_else(|| "nothing was answered".to_owned()));
        let figure = Figure {
            server: field.name.clone(),
            scenario: name.to_owned(),
            connections,
            offered: rate,
            outcome,
            used,
            refused,
        };
        self.report.figures.push(figure.clone());
        Ok(figure)
    }

    /// Reports that the server cannot do it, which is no failure.
    fn refuse(&mut self, name: &str, why: impl Into<String>) -> Result<(), Failure> {
        self.report.refuse(&self.field.name, name, why.into());
        Ok(())
    }

    fn note(&mut self, what: &str, value: f64, unit: &'static str) {
        self.report.note(&self.field.name, what, value, unit);
    }
}

/// The value of a query's parameter, as a form has it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' => escaped.push(byte.into()),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn filters_are_escaped() {
        assert_eq!(super::escape("userName eq \"ä@x\""), "userName+eq+%22%C3%A4%40x%22");
    }
}
