//! Several connections, each of which follows a script, for some time or to the script's end.
//!
//! In a closed loop a connection sends its next request when the last one is answered, so that a slow server is asked
//! less: its latencies are those of a server under that many clients, and say nothing of requests that come on their
//! own. In an open loop requests are due at fixed times. One that has to wait because its connection is busy counts
//! from when it was due, and one that was due and never sent counts with the time that it had waited at the end, so that
//! a server that stalls does not hide what it kept waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use scim_bench::world::Failure;
use tokio::runtime::Builder;
use tokio::time::sleep_until;

use crate::client::{Answer, Call, Client, Target};
use crate::outcome::Outcome;
use crate::progress::Progress;

/// A connection of which nothing succeeds ends after so many refusals.
const FUTILE: u64 = 50;

/// How to drive a server.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    /// What is shown while it runs.
    pub(crate) name: &'a str,
    pub(crate) connections: usize,
    pub(crate) length: Length,
    /// Requests a second of all connections together, in an open loop.
    pub(crate) rate: Option<f64>,
}

/// When it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Length {
    /// After this time.
    Time(Duration),
    /// After about so many requests, when all scripts have ended.
    Requests(u64),
}

/// What a script has: a connection, and a sheet that its requests are counted on.
pub(crate) struct Session<'a> {
    client: Client,
    outcome: Outcome,
    clock: &'a Clock,
    pace: Option<Pace>,
}

/// What all connections go by.
struct Clock {
    start: Instant,
    end: Option<Instant>,
    granted: AtomicU64,
}

/// When an open loop's requests are due.
struct Pace {
    due: Instant,
    interval: Duration,
}

/// Runs the script on each connection, with the connection's number.
pub(crate) fn drive(
    plan: Plan<'_>,
    target: &Target,
    script: impl AsyncFn(usize, &mut Session<'_>) + Sync,
) -> Result<Outcome, Failure> {
    let connections = plan.connections.max(1);
    let outcomes = drive_each(plan, &vec![target; connections], script)?;
    let mut together = Outcome::default();
    outcomes.into_iter().for_each(|outcome| together.add(outcome));
    Ok(together)
}

/// As [`drive`], with a server for each connection, and what came of each.
pub(crate) fn drive_each(
    plan: Plan<'_>,
    targets: &[&Target],
    script: impl AsyncFn(usize, &mut Session<'_>) + Sync,
) -> Result<Vec<Outcome>, Failure> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(targets.len()).max(1);
    let start = Instant::now();
    let end = match plan.length {
        Length::Time(time) => Some(start + time),
        Length::Requests(_) => None,
    };
    let clock = Clock { start, end, granted: AtomicU64::new(0) };
    let (clock, script) = (&clock, &script);
    let interval = plan.rate.map(|rate| Duration::from_secs_f64(targets.len() as f64 / rate.max(1e-3)));
    let session = |number: usize, target: &Target| Session {
        client: Client::new(target),
        outcome: Outcome::default(),
        clock,
        pace: interval.map(|interval| Pace {
            // Spread evenly.
            due: start + interval.mul_f64(number as f64 / targets.len() as f64),
            interval,
        }),
    };
    let part = |thread: usize| -> Result<Vec<(usize, Outcome)>, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let own = targets.iter().enumerate().skip(thread).step_by(threads);
        let running = own.map(async |(number, target)| {
            let mut session = session(number, target);
            script(number, &mut session).await;
            (number, session.finish())
        });
        Ok(runtime.block_on(join_all(running)))
    };
    let mut outcomes = thread::scope(|scope| {
        let (alive, ended) = channel::<()>();
        let part = &part;
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let alive = alive.clone();
                scope.spawn(move || {
                    let outcomes = part(thread);
                    drop(alive);
                    outcomes
                })
            })
            .collect();
        drop(alive);
        let mut progress = Progress::new(plan.name);
        // Nothing is ever sent: the channel ends with the last thread.
        while ended.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
            let granted = clock.granted.load(Ordering::Relaxed);
            let share = match plan.length {
                Length::Time(time) => start.elapsed().as_secs_f64() / time.as_secs_f64(),
                Length::Requests(count) => granted as f64 / count.max(1) as f64,
            };
            progress.show(share, &format!("{granted} requests"));
        }
        let mut all = Vec::new();
        for thread in running {
            all.extend(thread.join().map_err(|_| "a connection's script has panicked")??);
        }
        Ok::<_, Failure>(all)
    })?;
    outcomes.sort_by_key(|(number, _)| *number);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

impl Session<'_> {
    /// Whether there is time left, and a reason to go on. Each connection sends something, however late it comes to it.
    pub(crate) fn goes_on(&self) -> bool {
        let futile = self.outcome.requests() == 0 && self.outcome.errors() >= FUTILE;
        let is_over = self.clock.end.is_some_and(|end| Instant::now() >= end);
        (!is_over || self.outcome.sent == 0) && !futile
    }

    /// Sends a request of this step, when it is due.
    pub(crate) async fn send(&mut self, step: &'static str, call: &Call) -> Answer {
        let begin = self.due().await;
        let answer = self.client.answer(call).await;
        self.outcome.sent += 1;
        if answer.succeeded() {
            self.outcome.record(step, begin.elapsed());
            self.clock.granted.fetch_add(1, Ordering::Relaxed);
        } else {
            self.outcome.refuse(call, &answer);
        }
        answer
    }

    /// Sends a request that makes room for others and is in no figure, except when it is refused.
    pub(crate) async fn aside(&mut self, call: &Call) -> Answer {
        let answer = self.client.answer(call).await;
        self.outcome.sent += 1;
        if !answer.succeeded() {
            self.outcome.refuse(call, &answer);
        }
        answer
    }

    /// Waits until the next request is due, and says since when it waits for the server.
    async fn due(&mut self) -> Instant {
        let Some(pace) = &mut self.pace else { return Instant::now() };
        let due = pace.due;
        pace.due += pace.interval;
        if Instant::now() >= due {
            return due;
        }
        // What the timer is late by is not the server's.
        sleep_until(due.into()).await;
        Instant::now()
    }

    fn finish(mut self) -> Outcome {
        let now = Instant::now();
        self.outcome.elapsed = now - self.clock.start;
        self.outcome.reopened = self.client.opened.saturating_sub(1);
        if let (Some(mut pace), Some(end)) = (self.pace, self.clock.end) {
            while pace.due < end {
                self.outcome.unsent.record(now - pace.due);
                pace.due += pace.interval;
            }
        }
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers every request after this time, and its target.
    fn slow(wait: Duration) -> Target {
        let (sender, address) = channel();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                sender.send(listener.local_addr().expect("bound")).expect("wanted");
                loop {
                    let (mut socket, _) = listener.accept().await.expect("a client");
                    tokio::spawn(async move {
                        let mut request = [0; 1024];
                        while socket.read(&mut request).await.is_ok_and(|length| length > 0) {
                            tokio::time::sleep(wait).await;
                            let _ = socket.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                        }
                    });
                }
            });
        });
        let address = address.recv().expect("it listens");
        Target::parse(&format!("http://{address}"), None, &[]).expect("a URL")
    }

    async fn read(session: &mut Session<'_>) {
        while session.goes_on() {
            session.send("get", &Call::get("/")).await;
        }
    }

    #[test]
    fn an_open_loop_does_not_hide_what_a_slow_server_kept_waiting() {
        let target = slow(Duration::from_millis(50));
        let plan = Plan {
            name: "test",
            connections: 2,
            length: Length::Time(Duration::from_millis(400)),
            rate: None,
        };
        let closed = drive(plan, &target, async |_, session| read(session).await).expect("runs");
        let open = Plan { rate: Some(500.0), ..plan };
        let open = drive(open, &target, async |_, session| read(session).await).expect("runs");
        // 200 were due in 400 ms, and a server that takes 50 ms answers 8 a connection.
        assert!((195..=205).contains(&(open.requests() + open.unsent.count())), "{open:?}");
        assert!(open.unsent.count() > 100, "{open:?}");
        // Those that were sent had waited too: each for all before it on its connection, and they were due almost at once.
        let [(_, sent)] = open.steps.as_slice() else { panic!("{open:?}") };
        let (latest, least) = (sent.largest(), 40_000.0 * (open.requests() / 2) as f64);
        assert!(latest > Some(least), "{latest:?} to {least}");
        assert_eq!((closed.reopened, open.reopened), (0, 0), "connections are kept");
    }

    #[test]
    fn a_script_that_has_no_success_ends() {
        let target = Target::parse("http://127.0.0.1:1", None, &[]).expect("a URL");
        let plan =
            Plan { name: "test", connections: 3, length: Length::Time(Duration::from_secs(600)), rate: None };
        let outcome = drive(plan, &target, async |_, session| read(session).await).expect("runs");
        assert_eq!((outcome.requests(), outcome.refusals.get(&0)), (0, Some(&(3 * FUTILE))));
    }
}
