//! Several servers on one store, killed while sixty clients change one group.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use scimd::config::StoreUrl;

use super::journal::Journal;
use super::state::verify;
use super::traffic::{End, Ending, Seen, Watch, Writer, groups};
use super::{FAST, TENANT, seen, sized};
use crate::http::Client;
use crate::server::{Place, Process};

const SERVERS: usize = 3;
const CLIENTS: usize = 60;

/// Writers that go on with another server when theirs is gone.
struct Crowd<'a> {
    client: Client,
    addresses: &'a Mutex<Vec<SocketAddr>>,
    groups: &'a [String],
    journal: &'a Journal,
    watch: &'a Watch,
    ended: &'a AtomicBool,
}

impl Crowd<'_> {
    fn run(&self, number: usize) {
        for life in 0.. {
            let addresses = self.addresses.lock().expect("the lock").clone();
            let mut client = self.client.clone();
            client.address = addresses[(number + life) % addresses.len()];
            let Self { groups, journal, watch, ended, .. } = *self;
            let writer = Writer { client, groups, journal, watch, reconnects: false };
            match writer.run(&format!("c{number}l{life}"), || ended.load(Ordering::Relaxed)) {
                End::Told => return,
                End::Refused | End::Untaken | End::Late | End::Cut(_) if ended.load(Ordering::Relaxed) => {
                    return;
                }
                End::Refused | End::Untaken | End::Late | End::Cut(_) => {}
            }
        }
    }
}

#[test]
fn servers_on_one_store_are_killed() {
    let kills = sized(6, 60);
    let place = Place::new(FAST);
    let token = place.tenant(TENANT, "generic");
    let journal = Journal::create(place.directory.path());
    let watch = Watch::default();
    let mut servers: Vec<Process> = (0..SERVERS).map(|_| place.serve()).collect();
    let base = crate::server::base(TENANT);
    let mut client = Client::new(servers[0].address, &base, &token);
    let groups = groups(&mut client, 1);
    let addresses = Mutex::new(servers.iter().map(|server| server.address).collect());
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let crowd = Crowd {
                client: client.clone(),
                addresses: &addresses,
                groups: &groups,
                journal: &journal,
                watch: &watch,
                ended: &ended,
            };
            scope.spawn(move || crowd.run(number));
        }
        let _ending = Ending(&ended);
        for kill in 0..kills {
            let before = journal.count();
            journal.wait("for writes", |count| count.done > before.done + 60);
            // The order is as good as any, and the same in every run.
            let victim = (kill * 7 + kill / 5) % SERVERS;
            servers.swap_remove(victim).kill();
            servers.push(place.serve());
            *addresses.lock().expect("the lock") = servers.iter().map(|server| server.address).collect();
        }
    });
    let Seen { statuses, .. } = watch.only(&[200, 201, 204, 409, 503]);
    for server in &servers {
        let mut client = Client::new(server.address, &base, &token);
        verify(&place.store, &mut client, &groups, &journal);
    }
    let count = journal.count();
    seen(
        "servers",
        format_args!(
            "{SERVERS} servers on {}, {CLIENTS} clients on one group, {kills} kills, {} acknowledged, {} unknown; answers \
             {statuses:?}; 0 lost, and every server says the same",
            kind(&place.store),
            count.done,
            count.unknown
        ),
    );
}

/// The store without what is particular to a run.
fn kind(store: &StoreUrl) -> String {
    store.to_string().split(':').next().unwrap_or_default().to_owned()
}
