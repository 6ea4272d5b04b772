//! One tenant sends twenty times what it may, or as much as it can where it may: others are not refused, and notice little.
//!
//! How little is measured in rounds of three: alone; while the loud tenant is loud on another server of the same machine,
//! which takes the processors from the clients as well; and while it is loud on the same server. Rounds take turns, so that
//! whatever else the machine does is in all three. Of each the median over the rounds counts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::traffic::{Ending, body};
use super::{FAST, not_run, seen, sized};
use crate::http::{Client, patch_body};
use crate::messages::{id, op};
use crate::server::{PATIENCE, Place, Server};

const ROW: &str = "neighbours";
/// What a tenant may send in a second, and how often over that the loud one sends.
const RATE: usize = 50;
const TIMES: usize = 20;
/// How many clients it has, where it is loud, and where it asks for much: more than a store lets read at a time.
const CLIENTS: usize = 4;
const CROWD: usize = 16;

/// What the quiet tenant does, one after the other.
const ERRANDS: [&str; 3] = ["a read", "a list", "a write"];

#[test]
fn one_tenant_is_too_loud() {
    // The quiet one does all that it will do out of its burst.
    let (rounds, count) = size();
    let burst = rounds * 3 * count * ERRANDS.len() / RATE + 1;
    let town = Town::new(&format!("[limits]\nrequests_per_second = {RATE}\nburst_seconds = {burst}"), 1);
    let noise = |client: &mut Client, number: usize, begun: Instant| {
        // The pace is the load itself.
        let due = Duration::from_secs_f64(number as f64 / (RATE * TIMES) as f64);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let answer = client.get("/Users?count=1");
        match answer.status {
            200 => false,
            429 => {
                assert!(answer.header("retry-after").is_some(), "when to come again");
                true
            }
            status => panic!("{status}: {}", answer.text()),
        }
    };
    // It has used up what it may send at once, and is refused.
    let Some((figures, refused)) = town.measure(CLIENTS, noise, 20) else {
        return not_run(ROW, format_args!("this machine answers less than {RATE} requests a second"));
    };
    seen(ROW, format_args!("one tenant at {TIMES} × its rate, {refused} of its requests refused; {figures}"));
}

#[test]
fn one_tenant_asks_for_much() {
    let town = Town::new(FAST, 300);
    let noise = |client: &mut Client, number: usize, _: Instant| {
        let answer = match number % 4 {
            0 => client.post("/Users", &body(&format!("n{}x{number}", client.address.port()), "N")),
            1 => client.get("/Users?count=300"),
            _ => client.get("/Users?filter=name.familyName+co+%22nobody%22"),
        };
        // Whoever asks for more than there are connections may be told so.
        assert!(matches!(answer.status, 200 | 201 | 409 | 503), "{}: {}", answer.status, answer.text());
        false
    };
    let (figures, _) = town.measure(CROWD, noise, 0).expect("it is measured at once");
    seen(ROW, format_args!("one tenant with {CROWD} clients that never pause; {figures}"));
}

/// How many rounds there are, and how often each errand is done in each part of one.
fn size() -> (usize, usize) {
    sized((3, 20), (9, 100))
}

/// Two servers with a store each, and the same tenants on both.
struct Town {
    servers: [Server; 2],
    loud: [Client; 2],
    quiet: Client,
}

impl Town {
    /// A town whose loud tenants have so many users.
    fn new(config: &str, users: usize) -> Self {
        let mut loud = Vec::new();
        let mut quiet = Vec::new();
        let servers = [(); 2].map(|()| {
            let place = Place::new(config);
            let tokens = ["loud", "quiet"].map(|tenant| place.tenant(tenant, "generic"));
            let server = Server { process: place.serve(), place };
            let mut client = server.client("loud", &tokens[0]);
            for number in 0..users {
                client.post("/Users", &body(&format!("u{number}"), "G")).expect(201);
            }
            loud.push(client);
            quiet.push(server.client("quiet", &tokens[1]));
            server
        });
        let [here, elsewhere] = [0, 1].map(|number| loud[number].clone());
        Self { servers, loud: [here, elsewhere], quiet: quiet.swap_remove(0) }
    }

    /// Measures the quiet tenant alone and beside the noise, which is measured against once so much of it was refused. Nothing
    /// where a slow machine lets the loud one send no more than it may.
    fn measure(
        mut self,
        clients: usize,
        noise: impl Fn(&mut Client, usize, Instant) -> bool + Sync,
        least: usize,
    ) -> Option<(String, usize)> {
        let (rounds, count) = size();
        let user = id(&self.quiet.post("/Users", &body("ada", "G")).expect(201));
        errands(&mut self.quiet, &user, 10);
        let mut times: [Vec<[Duration; 3]>; 3] = Default::default();
        let mut refused = 0;
        for _ in 0..rounds {
            times[0].push(errands(&mut self.quiet, &user, count));
            for (place, loud) in [(1, &self.loud[1]), (2, &self.loud[0])] {
                let mut is_loud = true;
                let (told, ended, sent) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicUsize::new(0));
                std::thread::scope(|scope| {
                    let begun = Instant::now();
                    for _ in 0..clients {
                        let (mut client, told, ended, sent) = (loud.clone(), &told, &ended, &sent);
                        let noise = &noise;
                        scope.spawn(move || {
                            while !ended.load(Ordering::Relaxed) {
                                let number = sent.fetch_add(1, Ordering::Relaxed);
                                told.fetch_add(
                                    usize::from(noise(&mut client, number, begun)),
                                    Ordering::Relaxed,
                                );
                            }
                        });
                    }
                    let _ending = Ending(&ended);
                    while told.load(Ordering::Relaxed) < least {
                        if begun.elapsed() > PATIENCE {
                            let (sent, seconds) = (sent.load(Ordering::Relaxed), begun.elapsed().as_secs());
                            is_loud = sent as u64 / seconds > 2 * RATE as u64;
                            assert!(
                                !is_loud,
                                "the loud tenant is never refused: {sent} requests in {seconds} s"
                            );
                            return;
                        }
                        std::thread::yield_now();
                    }
                    times[place].push(errands(&mut self.quiet, &user, count));
                });
                if !is_loud {
                    return None;
                }
                refused += told.into_inner();
            }
        }
        drop(self.servers);
        let figures: Vec<String> = ERRANDS
            .iter()
            .enumerate()
            .map(|(errand, name)| {
                let [alone, elsewhere, here] = times.each_ref().map(|rounds| median(rounds, errand));
                format!(
                    "{name} {} alone, {} beside the noise of another server, {} of the same: {:.2} × and {:.2} ×",
                    tenths(alone),
                    tenths(elsewhere),
                    tenths(here),
                    here.as_secs_f64() / alone.as_secs_f64(),
                    here.as_secs_f64() / elsewhere.as_secs_f64(),
                )
            })
            .collect();
        Some((format!("none of another's {count} was, and their p99: {}", figures.join("; ")), refused))
    }
}

/// Does each errand so often, all of which must be answered, and gives the time that 99 of 100 took at most.
fn errands(client: &mut Client, user: &str, count: usize) -> [Duration; 3] {
    let path = format!("/Users/{user}");
    // One that was idle for long has been closed.
    *client = client.clone();
    let mut times: [Vec<Duration>; 3] = Default::default();
    for number in 0..count {
        let change = patch_body(json!([op("replace", "name.givenName", json!(format!("G{number}")))]));
        let change = change.to_string().into_bytes();
        let mut timed = |errand: usize, method: &str, path: &str, body: Option<&[u8]>| {
            let begun = Instant::now();
            let answer = client.attempt(method, path, &[], body).expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.text());
            times[errand].push(begun.elapsed());
        };
        timed(0, "GET", &path, None);
        timed(1, "GET", "/Users?count=10", None);
        timed(2, "PATCH", &path, Some(&change));
    }
    times.map(|mut times| {
        times.sort();
        times[(times.len() * 99 / 100).min(times.len() - 1)]
    })
}

fn median(rounds: &[[Duration; 3]], errand: usize) -> Duration {
    let mut times: Vec<Duration> = rounds.iter().map(|round| round[errand]).collect();
    times.sort();
    times[times.len() / 2]
}

/// Tenths of milliseconds, which most answers take few of.
fn tenths(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
