//! Counters, in the text format of Prometheus. They name no tenant, no person and no credential.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use scim_core::time::Timestamp;
use scim_policy::Code;
use scim_store::Load;

use crate::log;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "other"];
/// The endpoints as the service calls them; `-` is whatever was refused before it was known.
const ROUTES: [&str; 9] =
    ["root", "search", "collection", "resource", "bulk", "me", "discovery", "-", "other"];
const STATUSES: [u16; 23] = [
    200, 201, 204, 304, 400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 415, 429, 431, 500, 501, 503, 507,
    504, 0,
];
/// Upper bounds in microseconds. What takes longer has a bucket of its own.
const BUCKETS: [u64; 13] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000];

/// Everything that is counted.
pub(super) struct Metrics {
    requests: Vec<AtomicU64>,
    durations: [Histogram; ROUTES.len()],
    in_flight: AtomicI64,
    connections: AtomicI64,
    commits: [AtomicU64; 3],
    turned_away: [AtomicU64; Turned::ALL.len()],
    refusals: [AtomicU64; Code::ALL.len()],
    panics: AtomicU64,
    abandoned: AtomicU64,
    ending: AtomicI64,
    max_connections: AtomicI64,
    /// When the certificate ends, in milliseconds since 1970; 0 where there is none.
    certificate: AtomicI64,
    started: Timestamp,
}

#[derive(Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

/// How a commit went.
#[derive(Debug, Clone, Copy)]
pub(super) enum Commit {
    /// It took effect.
    Done,
    /// A guard did not hold.
    Conflict,
    /// The store could not do it.
    Failed,
}

/// Why a connection ended without an answer of the service, or with one that nobody took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turned {
    /// There was no TLS session.
    Tls,
    /// HTTP was spoken where TLS is.
    Plaintext,
    /// What came was not HTTP, or framed ambiguously.
    Malformed,
    /// A head was too large.
    TooLarge,
    /// The client took nothing of its answer.
    Unread,
}

impl Turned {
    const ALL: [Self; 5] = [Self::Tls, Self::Plaintext, Self::Malformed, Self::TooLarge, Self::Unread];

    /// The name in metrics and in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Plaintext => "plaintext",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Unread => "unread",
        }
    }
}

/// One request that is being handled.
pub(super) struct InFlight<'a>(&'a AtomicI64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Those of a server that starts now.
    pub(super) fn starting_at(started: Timestamp) -> Self {
        let cells = METHODS.len() * ROUTES.len() * STATUSES.len();
        Self {
            requests: std::iter::repeat_with(AtomicU64::default).take(cells).collect(),
            durations: Default::default(),
            in_flight: AtomicI64::default(),
            connections: AtomicI64::default(),
            commits: Default::default(),
            turned_away: Default::default(),
            refusals: Default::default(),
            panics: AtomicU64::default(),
            abandoned: AtomicU64::default(),
            ending: AtomicI64::default(),
            max_connections: AtomicI64::default(),
            certificate: AtomicI64::default(),
            started,
        }
    }

    /// A request begins.
    pub(super) fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }

    /// A connection begins.
    pub(super) fn connect(&self) -> InFlight<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        InFlight(&self.connections)
    }

    /// A request was answered.
    pub(super) fn answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let method = index_or_last(&METHODS, |name| *name == method);
        let route = index_or_last(&ROUTES, |name| *name == route);
        let status = index_or_last(&STATUSES, |code| *code == status);
        let cell = (method * ROUTES.len() + route) * STATUSES.len() + status;
        if let Some(counter) = self.requests.get(cell) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(histogram) = self.durations.get(route) {
            histogram.micros.fetch_add(micros, Ordering::Relaxed);
            let bucket = BUCKETS.iter().position(|bound| micros <= *bound).unwrap_or(BUCKETS.len());
            if let Some(bucket) = histogram.buckets.get(bucket) {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A commit ended.
    pub(super) fn committed(&self, outcome: Commit) {
        let [done, conflict, failed] = &self.commits;
        let counter = match outcome {
            Commit::Done => done,
            Commit::Conflict => conflict,
            Commit::Failed => failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The rules refused something, for these reasons, as the audit trail has them.
    pub(super) fn refused(&self, reasons: &str) {
        for reason in reasons.split(' ') {
            let code = Code::ALL.iter().position(|code| code.name() == reason);
            if let Some(counter) = code.and_then(|code| self.refusals.get(code)) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A connection ended without an answer of the service.
    pub(super) fn turned_away(&self, why: Turned) {
        let reason = Turned::ALL.iter().position(|reason| *reason == why);
        if let Some(counter) = reason.and_then(|reason| self.turned_away.get(reason)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// So many connections may be open.
    pub(super) fn admits(&self, connections: usize) {
        self.max_connections.store(i64::try_from(connections).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// The certificate in force holds until then.
    pub(super) fn certified(&self, until: Option<Timestamp>) {
        self.certificate.store(until.unwrap_or_default().0, Ordering::Relaxed);
    }

    /// A request panicked.
    pub(super) fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// The client of a request went away before it was answered.
    pub(super) fn abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    /// So many tokens end soon.
    pub(super) fn ending(&self, tokens: usize) {
        self.ending.store(i64::try_from(tokens).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// All of it, in the text format of Prometheus.
    pub(super) fn render(&self, load: Option<Load>) -> String {
        let mut text = String::with_capacity(8192);
        // Writing to a string cannot fail.
        let _ = self.write(&mut text, load);
        text
    }

    /// How many requests there were of each method, endpoint and status.
    fn requests(&self) -> impl Iterator<Item = (&'static str, &'static str, u16, u64)> {
        let cells = METHODS.into_iter().flat_map(|method| {
            let statuses = move |route| STATUSES.into_iter().map(move |status| (method, route, status));
            ROUTES.into_iter().flat_map(statuses)
        });
        let counts = self.requests.iter().map(|counter| counter.load(Ordering::Relaxed));
        cells.zip(counts).map(|((method, route, status), count)| (method, route, status, count))
    }

    fn write(&self, out: &mut String, load: Option<Load>) -> fmt::Result {
        head(out, "scimd_requests_total", "counter", "Requests by method, endpoint and status.")?;
        let mut refused = 0;
        for (method, route, status, count) in self.requests().filter(|(.., count)| *count > 0) {
            let code = if status == 0 { "other".to_owned() } else { status.to_string() };
            writeln!(
                out,
                "scimd_requests_total{{method=\"{method}\",endpoint=\"{route}\",status=\"{code}\"}} {count}"
            )?;
            refused += if status == 401 { count } else { 0 };
        }
        head(out, "scimd_authentication_refused_total", "counter", "Requests without a valid credential.")?;
        writeln!(out, "scimd_authentication_refused_total {refused}")?;
        head(out, "scimd_request_duration_seconds", "histogram", "Time to answer, by endpoint.")?;
        for (route, histogram) in ROUTES.iter().zip(&self.durations) {
            histogram.write(out, route)?;
        }
        head(out, "scimd_commits_total", "counter", "Changesets by outcome.")?;
        for (outcome, counter) in ["done", "conflict", "failed"].iter().zip(&self.commits) {
            writeln!(
                out,
                "scimd_commits_total{{outcome=\"{outcome}\"}} {}",
                counter.load(Ordering::Relaxed)
            )?;
        }
        head(out, "scimd_refused_by_rules_total", "counter", "What the rules refused, by rule.")?;
        for (code, counter) in Code::ALL.iter().zip(&self.refusals) {
            let (rule, count) = (code.name(), counter.load(Ordering::Relaxed));
            writeln!(out, "scimd_refused_by_rules_total{{rule=\"{rule}\"}} {count}")?;
        }
        head(
            out,
            "scimd_connections_refused_total",
            "counter",
            "Connections that ended without a request or its answer, by reason.",
        )?;
        for (why, counter) in Turned::ALL.iter().zip(&self.turned_away) {
            let (reason, count) = (why.name(), counter.load(Ordering::Relaxed));
            writeln!(out, "scimd_connections_refused_total{{reason=\"{reason}\"}} {count}")?;
        }
        let certificate = self.certificate.load(Ordering::Relaxed);
        if certificate != 0 {
            let name = "scimd_certificate_end_timestamp_seconds";
            head(out, name, "gauge", "When the certificate in force ends.")?;
            writeln!(out, "{name} {}", certificate.div_euclid(1000))?;
        }
        head(out, "scimd_build_info", "gauge", "The version that runs.")?;
        writeln!(out, "scimd_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))?;
        if let Some(Load { most, lent, waiting }) = load {
            for (name, help, value) in [
                ("scimd_store_connections_max", "Most connections to the database.", most),
                ("scimd_store_connections_in_use", "Connections to the database in use.", lent),
                (
                    "scimd_store_connections_waited_for",
                    "Who waits for a connection to the database.",
                    waiting,
                ),
            ] {
                head(out, name, "gauge", help)?;
                writeln!(out, "{name} {value}")?;
            }
        }
        for (name, kind, help, value) in [
            (
                "scimd_requests_in_flight",
                "gauge",
                "Requests being handled.",
                self.in_flight.load(Ordering::Relaxed),
            ),
            ("scimd_connections", "gauge", "Open connections.", self.connections.load(Ordering::Relaxed)),
            (
                "scimd_connections_max",
                "gauge",
                "Most connections at once; further ones wait.",
                self.max_connections.load(Ordering::Relaxed),
            ),
            ("scimd_panics_total", "counter", "Requests that failed by a bug.", signed(&self.panics)),
            (
                "scimd_requests_abandoned_total",
                "counter",
                "Requests whose client went away before it was answered.",
                signed(&self.abandoned),
            ),
            (
                "scimd_tokens_ending",
                "gauge",
                "Tokens that end within 14 days.",
                self.ending.load(Ordering::Relaxed),
            ),
            (
                "scimd_log_lines_lost_total",
                "counter",
                "Lines of the log that nobody took.",
                i64::try_from(log::lost()).unwrap_or(i64::MAX),
            ),
            (
                "process_start_time_seconds",
                "gauge",
                "When the process started.",
                self.started.0.div_euclid(1000),
            ),
            ("process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes().unwrap_or(0)),
        ] {
            head(out, name, kind, help)?;
            writeln!(out, "{name} {value}")?;
        }
        Ok(())
    }
}

impl Histogram {
    fn write(&self, out: &mut String, route: &str) -> fmt::Result {
        // Each is read once. What is counted meanwhile could otherwise be in a bucket and not in the count.
        let buckets = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let sums: Vec<u64> = buckets
            .scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            })
            .collect();
        let count = sums.last().copied().unwrap_or_default();
        if count == 0 {
            return Ok(());
        }
        let name = "scimd_request_duration_seconds";
        for (bound, sum) in BUCKETS.iter().zip(&sums) {
            writeln!(out, "{name}_bucket{{endpoint=\"{route}\",le=\"{}\"}} {sum}", seconds(*bound))?;
        }
        writeln!(out, "{name}_bucket{{endpoint=\"{route}\",le=\"+Inf\"}} {count}")?;
        writeln!(out, "{name}_sum{{endpoint=\"{route}\"}} {}", seconds(self.micros.load(Ordering::Relaxed)))?;
        writeln!(out, "{name}_count{{endpoint=\"{route}\"}} {count}")
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn seconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64()
}

fn signed(counter: &AtomicU64) -> i64 {
    i64::try_from(counter.load(Ordering::Relaxed)).unwrap_or(i64::MAX)
}

fn index_or_last<T>(list: &[T], is_it: impl FnMut(&T) -> bool) -> usize {
    list.iter().position(is_it).unwrap_or(list.len().saturating_sub(1))
}

/// Resident memory, where the kernel tells.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_counted_and_what_did_not_is_left_out() {
        let metrics = Metrics::starting_at(Timestamp(1_700_000_000_999));
        metrics.answered("GET", "resource", 200, Duration::from_micros(300));
        metrics.answered("GET", "resource", 200, Duration::from_micros(100));
        metrics.answered("BREW", "-", 401, Duration::from_secs(9));
        metrics.answered("GET", "teapot", 418, Duration::ZERO);
        metrics.committed(Commit::Conflict);
        metrics.turned_away(Turned::Malformed);
        metrics.refused("email-syntax domain-not-listed");
        metrics.refused("domain-not-listed something-new");
        metrics.certified(Some(Timestamp(1_800_000_000_000)));
        let (_request, connection) = (metrics.begin(), metrics.connect());
        drop(connection);
        let load = Load { most: 16, lent: 16, waiting: 3 };
        let text = metrics.render(Some(load));
        for line in [
            r#"scimd_requests_total{method="GET",endpoint="resource",status="200"} 2"#,
            r#"scimd_requests_total{method="other",endpoint="-",status="401"} 1"#,
            r#"scimd_requests_total{method="GET",endpoint="other",status="other"} 1"#,
            "scimd_authentication_refused_total 1",
            r#"scimd_request_duration_seconds_bucket{endpoint="resource",le="0.0001"} 1"#,
            r#"scimd_request_duration_seconds_bucket{endpoint="resource",le="0.0005"} 2"#,
            r#"scimd_request_duration_seconds_bucket{endpoint="-",le="5"} 0"#,
            r#"scimd_request_duration_seconds_bucket{endpoint="-",le="+Inf"} 1"#,
            r#"scimd_request_duration_seconds_sum{endpoint="resource"} 0.0004"#,
            r#"scimd_commits_total{outcome="conflict"} 1"#,
            r#"scimd_connections_refused_total{reason="tls"} 0"#,
            r#"scimd_connections_refused_total{reason="malformed"} 1"#,
            r#"scimd_refused_by_rules_total{rule="domain-not-listed"} 2"#,
            r#"scimd_refused_by_rules_total{rule="email-taken"} 0"#,
            "scimd_certificate_end_timestamp_seconds 1800000000",
            "process_start_time_seconds 1700000000",
            "scimd_requests_in_flight 1",
            "scimd_connections 0",
            "scimd_store_connections_max 16",
            "scimd_store_connections_in_use 16",
            "scimd_store_connections_waited_for 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("PATCH"), "{text}");
        metrics.certified(None);
        let text = metrics.render(None);
        assert!(!text.contains("scimd_store_") && !text.contains("certificate"), "{text}");
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
    }

    /// What is counted while somebody reads must not be in one line and missing in another.
    #[test]
    fn a_histogram_agrees_with_itself_at_any_moment() {
        let metrics = Metrics::starting_at(Timestamp(0));
        let done = AtomicI64::new(0);
        let count = |text: &str, of: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(of)).expect("a line");
            line.trim().parse::<u64>().expect("a number")
        };
        metrics.answered("GET", "me", 200, Duration::ZERO);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while done.load(Ordering::Relaxed) == 0 {
                    metrics.answered("GET", "me", 200, Duration::ZERO);
                }
            });
            for _ in 0..500 {
                let text = metrics.render(None);
                let name = "scimd_request_duration_seconds";
                let fast = count(&text, &format!("{name}_bucket{{endpoint=\"me\",le=\"0.0001\"}}"));
                let all = count(&text, &format!("{name}_bucket{{endpoint=\"me\",le=\"+Inf\"}}"));
                if fast != all {
                    done.store(1, Ordering::Relaxed);
                }
                assert_eq!(fast, all);
            }
            done.store(1, Ordering::Relaxed);
        });
    }
}
