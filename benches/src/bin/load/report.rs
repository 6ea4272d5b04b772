//! Figures as a table for people, or as JSON.

use serde_json::{Value, json};

use crate::drive::Outcome;

/// What a run has found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    figures: Vec<Figure>,
    notes: Vec<(String, f64, &'static str)>,
    ratios: Vec<Ratio>,
}

/// One scenario.
#[derive(Debug)]
struct Figure {
    name: String,
    outcome: Outcome,
    server: Option<Use>,
}

/// What the server used meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    /// Seconds of processor time for each second.
    pub(crate) cores: f64,
    /// Resident memory afterwards, in KiB.
    pub(crate) memory: u64,
}

/// A line of the design's table.
#[derive(Debug)]
struct Ratio {
    what: String,
    measured: f64,
    target: f64,
    /// Whether more is better.
    at_least: bool,
    unit: &'static str,
    how: String,
}

impl Report {
    pub(crate) fn add(&mut self, name: &str, outcome: Outcome, server: Option<Use>) {
        self.figures.push(Figure { name: name.to_owned(), outcome, server });
    }

    pub(crate) fn note(&mut self, what: &str, value: f64, unit: &'static str) {
        self.notes.push((what.to_owned(), value, unit));
    }

    /// Something that should be `target` or more.
    pub(crate) fn at_least(
        &mut self,
        what: &str,
        measured: f64,
        target: f64,
        unit: &'static str,
        how: String,
    ) {
        self.ratios.push(Ratio { what: what.to_owned(), measured, target, at_least: true, unit, how });
    }

    /// Something that should be `target` or less.
    pub(crate) fn at_most(
        &mut self,
        what: &str,
        measured: f64,
        target: f64,
        unit: &'static str,
        how: String,
    ) {
        self.ratios.push(Ratio { what: what.to_owned(), measured, target, at_least: false, unit, how });
    }

    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            println!("{:#}", self.json());
            return;
        }
        if !self.figures.is_empty() {
            println!(
                "{:<36} {:>11} {:>10} {:>10} {:>8} {:>7} {:>9}",
                "scenario", "requests/s", "p50 µs", "p99 µs", "errors", "cores", "memory"
            );
        }
        for Figure { name, outcome, server } in &self.figures {
            let cores = server.map_or("-".to_owned(), |used| format!("{:.2}", used.cores));
            let memory =
                server.map_or("-".to_owned(), |used| format!("{:.0} MiB", used.memory as f64 / 1024.0));
            println!(
                "{name:<36} {:>11.0} {:>10.0} {:>10.0} {:>8} {cores:>7} {memory:>9}",
                outcome.per_second(),
                outcome.percentile(0.5),
                outcome.percentile(0.99),
                outcome.errors,
            );
        }
        for (what, value, unit) in &self.notes {
            println!("{what:<36} {value:>11.1} {unit}");
        }
        if !self.ratios.is_empty() {
            println!("\n{:<52} {:>12} {:>12}         how", "what", "target", "measured");
        }
        for ratio in &self.ratios {
            let Ratio { what, measured, target, at_least, unit, how } = ratio;
            let (sign, verdict) =
                (if *at_least { "≥" } else { "≤" }, if ratio.holds() { "pass" } else { "MISS" });
            let target = format!("{sign} {target} {unit}");
            let measured = format!("{measured:.2} {unit}");
            println!("{what:<52} {target:>12} {measured:>12}   {verdict}  {how}");
        }
    }

    fn json(&self) -> Value {
        let figure = |Figure { name, outcome, server }: &Figure| {
            json!({
                "scenario": name,
                "requests_per_second": outcome.per_second(),
                "p50_micros": outcome.percentile(0.5),
                "p99_micros": outcome.percentile(0.99),
                "requests": outcome.requests,
                "errors": outcome.errors,
                "server_cores": server.map(|used| used.cores),
                "server_memory_kib": server.map(|used| used.memory),
            })
        };
        let note =
            |(what, value, unit): &(String, f64, &str)| json!({ "what": what, "value": value, "unit": unit });
        let ratio = |ratio: &Ratio| {
            json!({
                "what": ratio.what,
                "measured": ratio.measured,
                "target": ratio.target,
                "at_least": ratio.at_least,
                "unit": ratio.unit,
                "holds": ratio.holds(),
                "how": ratio.how,
            })
        };
        json!({
            "figures": self.figures.iter().map(figure).collect::<Vec<_>>(),
            "notes": self.notes.iter().map(note).collect::<Vec<_>>(),
            "ratios": self.ratios.iter().map(ratio).collect::<Vec<_>>(),
        })
    }
}

impl Ratio {
    fn holds(&self) -> bool {
        if self.at_least { self.measured >= self.target } else { self.measured <= self.target }
    }
}
