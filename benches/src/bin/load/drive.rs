//! Several connections that send one request after the other, for some time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use scim_bench::world::Failure;

use crate::client::{Call, Client, Target};
use crate::progress::Progress;

/// What one connection sends next, given how many requests it has sent. Only counted requests are in the figures.
pub(crate) trait Script: Send {
    /// Fills in the next request, and says whether it counts.
    fn next(&mut self, call: &mut Call) -> bool;
}

impl<F: FnMut(&mut Call) + Send> Script for F {
    fn next(&mut self, call: &mut Call) -> bool {
        self(call);
        true
    }
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Requests that were answered with success and count.
    pub(crate) requests: u64,
    /// Requests that failed, or were refused.
    pub(crate) errors: u64,
    pub(crate) elapsed: Duration,
    /// Nanoseconds of each request that counts, in order.
    latencies: Vec<u32>,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The latency that this share of the requests does not exceed, in microseconds.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (share * last as f64).round() as usize;
        self.latencies.get(at).map_or(f64::NAN, |nanos| f64::from(*nanos) / 1000.0)
    }
}

/// Sends what the scripts say, each over a connection of its own.
pub(crate) fn drive(
    target: &Target,
    time: Duration,
    scripts: Vec<Box<dyn Script>>,
    name: &str,
) -> Result<Outcome, Failure> {
    let clients = scripts.iter().map(|_| Client::connect(target)).collect::<Result<Vec<_>, _>>()?;
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Instant::now();
    let parts: Vec<Outcome> = thread::scope(|scope| {
        let (stop, sent) = (&stop, &sent);
        let running: Vec<_> = clients
            .into_iter()
            .zip(scripts)
            .map(|(client, script)| scope.spawn(move || send(client, script, stop, sent)))
            .collect();
        let mut progress = Progress::new(name);
        while start.elapsed() < time {
            thread::sleep(Duration::from_millis(50).min(time.saturating_sub(start.elapsed())));
            let share = start.elapsed().as_secs_f64() / time.as_secs_f64();
            progress.show(share, &format!("{} requests", sent.load(Ordering::Relaxed)));
        }
        stop.store(true, Ordering::Relaxed);
        running.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let mut outcome = Outcome { elapsed: start.elapsed(), ..Outcome::default() };
    for part in parts {
        outcome.requests += part.requests;
        outcome.errors += part.errors;
        outcome.latencies.extend(part.latencies);
    }
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

fn send(mut client: Client, mut script: Box<dyn Script>, stop: &AtomicBool, sent: &AtomicU64) -> Outcome {
    let mut outcome = Outcome::default();
    let mut call = Call::default();
    while !stop.load(Ordering::Relaxed) {
        let counts = script.next(&mut call);
        let start = Instant::now();
        let status = client.status(&call);
        let took = u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX);
        if !matches!(status, Ok(200..=299)) {
            outcome.errors += 1;
        } else if counts {
            outcome.requests += 1;
            outcome.latencies.push(took);
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_latencies() {
        let latencies = (0..=100).map(|micros| micros * 1000).collect();
        let outcome = Outcome { latencies, ..Outcome::default() };
        assert_eq!((outcome.percentile(0.5), outcome.percentile(0.99)), (50.0, 99.0));
        assert!(Outcome::default().percentile(0.5).is_nan());
    }
}
