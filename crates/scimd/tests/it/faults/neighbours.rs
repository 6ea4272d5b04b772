//! One tenant sends twenty times what it may: it is told to wait, and the others notice nothing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::traffic::Ending;
use super::{millis, seen, sized};
use crate::http::Client;
use crate::messages::{id, user};
use crate::server::{Place, Server};

/// What a tenant may send in a second, and how often over that the loud one sends.
const RATE: usize = 50;
const TIMES: usize = 20;

#[test]
fn one_tenant_is_too_loud() {
    let (count, burst) = sized((100, 5), (800, 40));
    let place = Place::new(&format!("[limits]\nrequests_per_second = {RATE}\nburst_seconds = {burst}"));
    let tokens = ["loud", "quiet"].map(|tenant| place.tenant(tenant, "generic"));
    let server = Server { process: place.serve(), place };
    let loud = server.client("loud", &tokens[0]);
    let mut quiet = server.client("quiet", &tokens[1]);
    let path = format!("/Users/{}", id(&quiet.post("/Users", &user("ada")).expect(201)));
    measure(&mut quiet, &path, 20);
    let alone = measure(&mut quiet, &path, count);

    let (ended, refused, sent) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let (crowded, rate) = std::thread::scope(|scope| {
        let begun = Instant::now();
        for _ in 0..4 {
            let (mut client, ended, refused, sent) = (loud.clone(), &ended, &refused, &sent);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    let number = sent.fetch_add(1, Ordering::Relaxed);
                    // The pace is the load itself.
                    let due = Duration::from_secs_f64(number as f64 / (RATE * TIMES) as f64);
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    let answer = client.get("/Users?count=1");
                    match answer.status {
                        200 => {}
                        429 => {
                            assert!(answer.header("retry-after").is_some(), "when to come again");
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                        status => panic!("{status}: {}", answer.text()),
                    }
                }
            });
        }
        let ending = Ending(&ended);
        // It has used up what it may send at once.
        while refused.load(Ordering::Relaxed) < 20 {
            assert!(begun.elapsed() < Duration::from_secs(100), "the loud tenant is never refused");
            std::thread::yield_now();
        }
        let crowded = measure(&mut quiet, &path, count);
        drop(ending);
        (crowded, sent.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
    });
    seen(
        "neighbours",
        format_args!(
            "one tenant at {:.0} × its rate, {} of its requests refused; of another's {count} none was, and their p99 went \
             from {} to {}: {:.2} ×",
            rate / RATE as f64,
            refused.load(Ordering::Relaxed),
            millis(alone),
            millis(crowded),
            crowded.as_secs_f64() / alone.as_secs_f64()
        ),
    );
}

/// Sends requests one after the other, all of which must be answered, and gives the time that 99 of 100 took at most.
fn measure(client: &mut Client, path: &str, count: usize) -> Duration {
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            let begun = Instant::now();
            client.get(path).expect(200);
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[(times.len() * 99 / 100).min(times.len() - 1)]
}
