//! Figures as a table for people, or as JSON with names that docs/performance.md explains and that stay.

use serde_json::{Map, Value, json};

use crate::histogram::Histogram;
use crate::outcome::Outcome;
use crate::process::Use;

/// The number of the JSON's form. It changes when a name changes or goes.
const FORMAT: u32 = 1;

/// What a run has found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) figures: Vec<Figure>,
    pub(crate) notes: Vec<Note>,
    ratios: Vec<Ratio>,
}

/// What came of one scenario on one server.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) server: String,
    pub(crate) scenario: String,
    pub(crate) connections: usize,
    /// Requests a second that were due, in an open loop.
    pub(crate) offered: Option<f64>,
    pub(crate) outcome: Outcome,
    pub(crate) used: Option<Use>,
    /// Why the server could not do it.
    pub(crate) refused: Option<String>,
}

/// Something else that is known of a server.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    server: String,
    what: String,
    value: f64,
    unit: &'static str,
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

impl Figure {
    /// Microseconds of the server's processor time for a request, of whatever kind.
    pub(crate) fn processor_micros(&self) -> Option<f64> {
        let used = self.used.filter(|_| self.outcome.sent > 0)?;
        Some(used.processor * 1e6 / self.outcome.sent as f64)
    }

    /// The scenario and its loop, for a table of several servers.
    fn headline(&self) -> String {
        let way = if self.offered.is_some() { ", open loop" } else { "" };
        format!("{}{way}", self.scenario)
    }

    /// Requests that were refused, by status, as in `409: 3, no answer: 1`.
    fn refusals(&self) -> String {
        let refusals = self.outcome.refusals.iter().map(|(status, count)| match status {
            0 => format!("no answer: {count}"),
            status => format!("{status}: {count}"),
        });
        refusals.collect::<Vec<_>>().join(", ")
    }

    fn json(&self) -> Value {
        let Self { outcome, refused, .. } = self;
        let steps = outcome.steps.iter().map(|(step, histogram)| {
            let mut object = latencies(histogram);
            object.insert("step".to_owned(), json!(step));
            object.insert("requests".to_owned(), json!(histogram.count()));
            Value::Object(object)
        });
        let statuses = outcome.refusals.iter().map(|(status, count)| match status {
            0 => ("none".to_owned(), json!(count)),
            status => (status.to_string(), json!(count)),
        });
        let mut object = latencies(&outcome.all());
        object.extend([
            ("server".to_owned(), json!(self.server)),
            ("scenario".to_owned(), json!(self.scenario)),
            ("connections".to_owned(), json!(self.connections)),
            ("loop".to_owned(), json!(if self.offered.is_some() { "open" } else { "closed" })),
            ("offered_per_second".to_owned(), json!(self.offered)),
            ("seconds".to_owned(), json!(outcome.elapsed.as_secs_f64())),
            ("requests".to_owned(), json!(outcome.requests())),
            ("requests_per_second".to_owned(), json!(outcome.per_second())),
            ("unsent".to_owned(), json!(outcome.unsent.count())),
            ("errors".to_owned(), json!(outcome.errors())),
            ("errors_by_status".to_owned(), Value::Object(statuses.collect())),
            ("first_error".to_owned(), json!(outcome.first_refusal)),
            ("reconnections".to_owned(), json!(outcome.reopened)),
            ("server_processor_micros".to_owned(), json!(self.processor_micros())),
            ("server_memory_kib".to_owned(), json!(self.used.map(|used| used.memory))),
            ("refused".to_owned(), json!(refused)),
            ("steps".to_owned(), steps.collect()),
        ]);
        Value::Object(object)
    }
}

/// Percentiles in microseconds, null where nothing was counted.
fn latencies(histogram: &Histogram) -> Map<String, Value> {
    let shares = [("p50_micros", 0.5), ("p90_micros", 0.9), ("p99_micros", 0.99), ("p999_micros", 0.999)];
    let percentiles = shares.into_iter().map(|(name, share)| (name, histogram.percentile(share)));
    let all = percentiles.chain([("max_micros", histogram.largest())]);
    all.map(|(name, micros)| (name.to_owned(), json!(micros))).collect()
}

impl Report {
    pub(crate) fn note(&mut self, server: &str, what: &str, value: f64, unit: &'static str) {
        self.notes.push(Note { server: server.to_owned(), what: what.to_owned(), value, unit });
    }

    /// What a server could not do, and why.
    pub(crate) fn refuse(&mut self, server: &str, scenario: &str, why: String) {
        self.figures.push(Figure {
            server: server.to_owned(),
            scenario: scenario.to_owned(),
            connections: 0,
            offered: None,
            outcome: Outcome::default(),
            used: None,
            refused: Some(why),
        });
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

    pub(crate) fn is_empty(&self) -> bool {
        self.figures.is_empty() && self.notes.is_empty() && self.ratios.is_empty()
    }

    pub(crate) fn print(&self, as_json: bool) {
        if as_json {
            println!("{:#}", self.json());
        } else {
            print!("{}", self.text());
        }
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        let mut server = "";
        for figure in &self.figures {
            if figure.server != server {
                server = &figure.server;
                lines.push(format!("{}{server}", if lines.is_empty() { "" } else { "\n" }));
                lines.push(format!(
                    "  {:<40} {:>11} {:>10} {:>10} {:>8} {:>10} {:>9}  errors",
                    "scenario", "requests/s", "p50 µs", "p99 µs", "loop", "cpu µs", "memory"
                ));
            }
            lines.extend(rows(figure));
        }
        lines.extend(self.comparison());
        if !self.notes.is_empty() && !lines.is_empty() {
            lines.push(String::new());
        }
        let width = self.notes.iter().map(|note| note.server.chars().count()).max().unwrap_or_default();
        for Note { server, what, value, unit } in &self.notes {
            lines.push(format!("{server:<width$}  {what:<56} {value:>11.2} {unit}"));
        }
        if !self.ratios.is_empty() {
            lines.push(format!("\n{:<52} {:>12} {:>12}         how", "what", "target", "measured"));
        }
        for ratio in &self.ratios {
            let Ratio { what, measured, target, at_least, unit, how } = ratio;
            let (sign, verdict) =
                (if *at_least { "≥" } else { "≤" }, if ratio.holds() { "pass" } else { "MISS" });
            let target = format!("{sign} {target} {unit}");
            let measured = format!("{measured:.2} {unit}");
            lines.push(format!("{what:<52} {target:>12} {measured:>12}   {verdict}  {how}"));
        }
        lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
    }

    /// Requests a second of all servers beside each other, where there are several that had the same to do.
    fn comparison(&self) -> Vec<String> {
        let (mut servers, mut scenarios) = (Vec::new(), Vec::new());
        for figure in &self.figures {
            let scenario = figure.headline();
            if !servers.contains(&&figure.server) {
                servers.push(&figure.server);
            }
            if !scenarios.contains(&scenario) {
                scenarios.push(scenario);
            }
        }
        if servers.len() < 2 {
            return Vec::new();
        }
        let letters = || ('A'..).take(servers.len());
        let mut lines =
            vec![String::new(), "requests/s, beside each other; × is refused, ! has errors".to_owned()];
        lines.extend(servers.iter().zip(letters()).map(|(server, letter)| format!("  {letter}  {server}")));
        lines.push(
            format!("  {:<44}", "scenario")
                + &letters().map(|letter| format!("{letter:>12}")).collect::<String>(),
        );
        for scenario in scenarios {
            let cell = |server: &&String| {
                let is_it = |figure: &&Figure| figure.server == **server && figure.headline() == scenario;
                let cell =
                    self.figures.iter().rfind(is_it).map_or(String::new(), |figure| match &figure.refused {
                        Some(_) => "×".to_owned(),
                        None if figure.outcome.errors() > 0 => format!("{:.1}!", figure.outcome.per_second()),
                        None => format!("{:.1}", figure.outcome.per_second()),
                    });
                format!("{cell:>12}")
            };
            lines.push(format!("  {scenario:<44}") + &servers.iter().map(cell).collect::<String>());
        }
        lines
    }

    fn json(&self) -> Value {
        let note = |Note { server, what, value, unit }: &Note| json!({ "server": server, "what": what, "value": value, "unit": unit });
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
            "format": FORMAT,
            "figures": self.figures.iter().map(Figure::json).collect::<Vec<_>>(),
            "notes": self.notes.iter().map(note).collect::<Vec<_>>(),
            "ratios": self.ratios.iter().map(ratio).collect::<Vec<_>>(),
        })
    }
}

/// A figure's line, and one for each step where there are several.
fn rows(figure: &Figure) -> Vec<String> {
    let Figure { scenario, outcome, refused, .. } = figure;
    if let Some(why) = refused {
        return vec![format!("  {scenario:<40} refused: {why}")];
    }
    let micros = |micros: Option<f64>| micros.map_or("-".to_owned(), |micros| format!("{micros:.0}"));
    let row = |name: &str, count: u64, of: &Histogram, rest: &str| {
        let rate = count as f64 / outcome.elapsed.as_secs_f64().max(1e-9);
        let (median, late) = (micros(of.percentile(0.5)), micros(of.percentile(0.99)));
        format!("  {name:<40} {rate:>11.1} {median:>10} {late:>10} {rest}")
    };
    let way = figure.offered.map_or("closed".to_owned(), |rate| format!("{rate:.0}/s"));
    let memory = figure.used.map_or("-".to_owned(), |used| format!("{:.0} MiB", used.memory as f64 / 1024.0));
    let rest =
        format!("{way:>8} {:>10} {memory:>9}  {}", micros(figure.processor_micros()), figure.refusals());
    let mut rows = vec![row(scenario, outcome.requests(), &outcome.all(), &rest)];
    if outcome.steps.len() > 1 {
        rows.extend(outcome.steps.iter().map(|(step, of)| row(&format!("  · {step}"), of.count(), of, "")));
    }
    if outcome.unsent.count() > 0 {
        rows.push(row("  · due, never sent", outcome.unsent.count(), &outcome.unsent, ""));
    }
    if let Some(refusal) = &outcome.first_refusal {
        rows.push(format!("    · first error: {refusal}"));
    }
    rows
}

impl Ratio {
    fn holds(&self) -> bool {
        if self.at_least { self.measured >= self.target } else { self.measured <= self.target }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::{Answer, Call};

    fn report() -> Report {
        let mut outcome = Outcome { sent: 4, elapsed: Duration::from_secs(2), ..Outcome::default() };
        outcome.record("look up", Duration::from_micros(100));
        outcome.record("create", Duration::from_micros(300));
        outcome.refuse(&Call::get("/Users"), &Answer { status: 409, ..Answer::default() });
        outcome.refuse(&Call::get("/Users"), &Answer::default());
        let figure = Figure {
            server: "mine".to_owned(),
            scenario: "sync".to_owned(),
            connections: 2,
            offered: None,
            outcome,
            used: Some(Use { processor: 0.5, memory: 2048 }),
            refused: None,
        };
        let refused =
            Figure { scenario: "group".to_owned(), refused: Some("501".to_owned()), ..figure.clone() };
        let mut report = Report { figures: vec![figure, refused], ..Report::default() };
        report.note("mine", "users", 5.0, "");
        report.at_most("memory", 3.0, 2.0, "MiB", "somehow".to_owned());
        report
    }

    #[test]
    fn the_table_shows_steps_errors_and_refusals() {
        let text = report().text();
        for line in [
            "  sync                                             1.0        100        300   closed     125000     2 MiB  no answer: 1, 409: 1\n",
            "    · create                                       0.5        300        300\n",
            "    · first error: GET /Users: 409\n",
            "  group                                    refused: 501\n",
            "MISS  somehow\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn names_in_json_stay() {
        let json = report().json();
        let names = |value: &Value| {
            value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(names(&json).as_deref(), Some("format figures notes ratios"));
        assert_eq!(
            names(&json["figures"][0]).as_deref(),
            Some(
                "p50_micros p90_micros p99_micros p999_micros max_micros server scenario connections loop \
                 offered_per_second seconds requests requests_per_second unsent errors errors_by_status first_error \
                 reconnections server_processor_micros server_memory_kib refused steps"
            )
        );
        assert_eq!(json["figures"][0]["errors_by_status"].to_string(), r#"{"none":1,"409":1}"#);
        assert_eq!(json["figures"][1]["refused"], "501");
        assert_eq!(json["figures"][0]["steps"][1]["step"], "create");
    }
}
