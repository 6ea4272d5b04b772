//! A Postgres that is lost with its machine while a synchronous standby takes its place.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use scimd::config::StoreUrl;

use super::journal::Journal;
use super::state::verify;
use super::traffic::{Ending, Watch, Writer, groups};
use super::{FAST, TENANT, millis, seen, sized};
use crate::cluster::Cluster;
use crate::http::Client;
use crate::server::{Directory, Place};

#[test]
fn a_standby_takes_the_place_of_a_primary() {
    const ROW: &str = "failover";
    let (mut acknowledged, mut unknown, mut slowest) = (0, 0, Duration::ZERO);
    let times = sized(1, 10);
    for _ in 0..times {
        let primary = Cluster::start();
        let mut database = primary.database();
        let standby = primary.standby();
        let store = StoreUrl::Postgres(database.on_either(&standby));
        let place = Place::on(Directory::new(), store, FAST);
        let token = place.tenant(TENANT, "generic");
        let journal = Journal::create(place.directory.path());
        let watch = Watch::default();
        let server = place.serve();
        let mut client = Client::new(server.address, &crate::server::base(TENANT), &token);
        let groups = groups(&mut client, 4);
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (groups, journal, watch) = (&groups, &journal, &watch);
            let writer = Writer { client: client.clone(), groups, journal, watch, reconnects: false };
            writer.multiply(16, scope, &ended);
            let _ending = Ending(&ended);
            journal.wait("for writes", |count| count.done > 300);
            let begun = Instant::now();
            primary.lose();
            standby.promote();
            let before = journal.count();
            journal.wait("for writes to the standby", |count| count.done > before.done);
            slowest = slowest.max(begun.elapsed());
            journal.wait("for more of them", |count| count.done > before.done + 100);
        });
        watch.only(&[200, 201, 204, 409, 503]);
        verify(&place.store, &mut client, &groups, &journal);
        database.move_to(&standby);
        let store = database.open(scim_store_postgres::Options::default());
        assert_eq!(store.check(&database.tenants()).expect("the standby can be read"), [""; 0]);
        (acknowledged, unknown) = (acknowledged + journal.count().done, unknown + journal.count().unknown);
    }
    seen(
        ROW,
        format_args!(
            "{times} standbys promoted, {acknowledged} acknowledged, {unknown} unknown; without writes for {} at most; 0 lost, \
             0 twice",
            millis(slowest)
        ),
    );
}
