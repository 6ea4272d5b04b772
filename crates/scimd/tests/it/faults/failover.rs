//! A Postgres that is lost with its machine while a synchronous standby takes its place.

use std::time::{Duration, Instant};

use scimd::config::StoreUrl;

use super::stage::Stage;
use super::{FAST, millis, seen, sized};
use crate::cluster::{Cluster, patient};
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
        let stage = Stage::new(Place::on(Directory::new(), store, FAST), 4);
        stage.act(16, |journal| {
            journal.wait("for writes", |count| count.done > 300);
            let begun = Instant::now();
            primary.lose();
            standby.promote();
            let before = journal.count();
            journal.wait("for writes to the standby", |count| count.done > before.done);
            slowest = slowest.max(begun.elapsed());
            journal.wait("for more of them", |count| count.done > before.done + 100);
        });
        stage.verify(&[200, 201, 204, 409, 503]);
        database.move_to(&standby);
        let store = database.open(patient());
        assert_eq!(store.check(&database.tenants()).expect("the standby can be read"), [""; 0]);
        let count = stage.journal.count();
        (acknowledged, unknown) = (acknowledged + count.done, unknown + count.unknown);
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
