//! SIGTERM under load: what was begun is answered, then connections are refused.

use std::time::Instant;

use super::journal::Journal;
use super::state::verify;
use super::traffic::{End, Watch, Writer, groups};
use super::{FAST, TENANT, millis, seen, sized};
use crate::server::{Place, Server};

const WRITERS: usize = 16;

#[test]
fn terminated_under_load() {
    let rounds = sized(5, 50);
    let place = Place::new(FAST);
    let token = place.tenant(TENANT, "generic");
    let journal = Journal::create(place.directory.path());
    let watch = Watch::default();
    let mut server = Server { process: place.serve(), place };
    let groups = groups(&mut server.client(TENANT, &token), 4);
    let mut slowest = std::time::Duration::ZERO;
    let (mut untaken, mut late) = (0, 0);
    let mut rounds_with_untaken = 0;
    for round in 0..rounds {
        let client = server.client(TENANT, &token);
        let before = journal.count();
        let Server { process, place } = server;
        let (ends, begun) = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|number| {
                    let (client, groups, journal, watch) = (client.clone(), &groups, &journal, &watch);
                    let reconnects = number % 2 == 0;
                    let writer = Writer { client, groups, journal, watch, reconnects };
                    scope.spawn(move || writer.run(&format!("r{round}w{number}"), || false))
                })
                .collect();
            journal.wait("for acknowledgements", |count| count.done >= before.done + 100);
            process.signal("TERM");
            let begun = Instant::now();
            let ends: Vec<End> = writers.into_iter().map(|writer| writer.join().expect("a writer")).collect();
            (ends, begun)
        });
        let (code, _, err) = process.ended();
        slowest = slowest.max(begun.elapsed());
        assert_eq!(code, Some(0), "{err}");
        let cut = ends.iter().filter_map(|end| match end {
            End::Cut(error) => Some(error),
            End::Told | End::Refused | End::Untaken | End::Late => None,
        });
        let cut: Vec<&std::io::Error> = cut.collect();
        assert!(cut.is_empty(), "requests that were begun were cut: {cut:?}");
        let not_taken = ends.iter().filter(|end| matches!(end, End::Untaken)).count();
        untaken += not_taken;
        rounds_with_untaken += usize::from(not_taken > 0);
        late += ends.iter().filter(|end| matches!(end, End::Late)).count();
        assert!(!err.contains("unfinished"), "{err}");
        server = Server { process: place.serve(), place };
        verify(&server.place.store, &mut server.client(TENANT, &token), &groups, &journal);
    }
    // The system may open connections between the server's last look and the end of its socket, some microseconds later, or
    // more where something else has the processor meanwhile.
    assert!(rounds_with_untaken * 5 <= rounds, "{untaken} connections were opened and never taken");
    watch.only(&[200, 201, 204, 409]);
    let done = journal.count().done;
    seen(
        "terminate",
        format_args!(
            "{rounds} times under {WRITERS} writers, {done} acknowledged, 0 requests cut, {untaken} connections not taken, {late} ended before a request came in time; ended after {} at most",
            millis(slowest)
        ),
    );
}
