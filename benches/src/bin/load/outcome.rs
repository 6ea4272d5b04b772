//! What came of driving a server: latencies by step, answers by status, and the first refusal.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::{Answer, Call};
use crate::histogram::Histogram;

/// What one connection has counted, or all of them together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Latencies of what was asked for and granted, by step, in the order in which steps came first.
    pub(crate) steps: Vec<(&'static str, Histogram)>,
    /// How long requests had waited that were due and never sent.
    pub(crate) unsent: Histogram,
    /// How often requests were refused with each status; 0 is no answer.
    pub(crate) refusals: BTreeMap<u16, u64>,
    /// Everything that was sent, counted or not.
    pub(crate) sent: u64,
    /// How often a connection had to be opened anew.
    pub(crate) reopened: u64,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// Request and answer of what was refused first.
    pub(crate) first_refusal: Option<String>,
}

impl Outcome {
    /// Counts a request that was asked for.
    pub(crate) fn record(&mut self, step: &'static str, latency: Duration) {
        self.step(step).record(latency);
    }

    /// Counts what was refused.
    pub(crate) fn refuse(&mut self, call: &Call, answer: &Answer) {
        *self.refusals.entry(answer.status).or_default() += 1;
        self.first_refusal.get_or_insert_with(|| {
            let path = call.path.split('?').next().unwrap_or_default();
            format!("{} {path}: {}", call.method, answer.excerpt())
        });
    }

    /// Takes in what another connection has counted.
    pub(crate) fn add(&mut self, other: Self) {
        for (step, histogram) in &other.steps {
            self.step(step).add(histogram);
        }
        self.unsent.add(&other.unsent);
        for (status, count) in other.refusals {
            *self.refusals.entry(status).or_default() += count;
        }
        self.sent += other.sent;
        self.reopened += other.reopened;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.first_refusal = self.first_refusal.take().or(other.first_refusal);
    }

    /// All steps together, and what was never sent.
    pub(crate) fn all(&self) -> Histogram {
        let mut all = self.unsent.clone();
        self.steps.iter().for_each(|(_, histogram)| all.add(histogram));
        all
    }

    /// How many requests were asked for and granted.
    pub(crate) fn requests(&self) -> u64 {
        self.steps.iter().map(|(_, histogram)| histogram.count()).sum()
    }

    pub(crate) fn errors(&self) -> u64 {
        self.refusals.values().sum()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.requests() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn step(&mut self, step: &'static str) -> &mut Histogram {
        let at = self.steps.iter().position(|(name, _)| *name == step).unwrap_or_else(|| {
            self.steps.push((step, Histogram::default()));
            self.steps.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found there, or put there")]
        &mut self.steps[at].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_add_up() {
        let millis = Duration::from_millis;
        let refused =
            |status| Answer { status, body: "{\"detail\":\"no\\n  way\"}".into(), ..Answer::default() };
        let mut one = Outcome { sent: 3, elapsed: millis(500), ..Outcome::default() };
        one.record("get", millis(1));
        one.record("list", millis(9));
        one.refuse(&Call::get("/Users?filter=x"), &refused(400));
        let mut two = Outcome { sent: 3, elapsed: millis(2000), reopened: 1, ..Outcome::default() };
        two.record("list", millis(9));
        two.refuse(&Call::get("/Users"), &refused(400));
        two.refuse(&Call::get("/Users"), &Answer::default());
        one.add(two);
        assert_eq!((one.requests(), one.errors(), one.sent, one.reopened), (3, 3, 6, 1));
        assert_eq!(one.refusals, BTreeMap::from([(0, 1), (400, 2)]));
        assert_eq!(one.first_refusal.as_deref(), Some("GET /Users: 400 no way"));
        assert_eq!(
            one.steps.iter().map(|(step, of)| (*step, of.count())).collect::<Vec<_>>(),
            [("get", 1), ("list", 2)]
        );
        assert!((one.per_second() - 1.5).abs() < 1e-9);
    }
}
