//! A server that goes on while something is done to what it stands on, writers that go on too, and what they wrote down.

use std::sync::atomic::AtomicBool;

use super::TENANT;
use super::journal::Journal;
use super::state::verify;
use super::traffic::{Ending, Seen, Watch, Writer, groups};
use crate::http::Client;
use crate::server::{Place, Server};

pub(super) struct Stage {
    pub(super) server: Server,
    token: String,
    pub(super) groups: Vec<String>,
    pub(super) journal: Journal,
    pub(super) watch: Watch,
}

impl Stage {
    /// A server with a tenant that has so many groups.
    pub(super) fn new(place: Place, count: usize) -> Self {
        let token = place.tenant(TENANT, "generic");
        let journal = Journal::create(place.directory.path());
        let server = Server { process: place.serve(), place };
        let groups = groups(&mut server.client(TENANT, &token), count);
        Self { server, token, groups, journal, watch: Watch::default() }
    }

    pub(super) fn client(&self) -> Client {
        self.server.client(TENANT, &self.token)
    }

    /// Has so many writers write until something was done.
    pub(super) fn act(&self, writers: usize, what: impl FnOnce(&Journal)) {
        let Self { groups, journal, watch, .. } = self;
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = Writer { client: self.client(), groups, journal, watch, reconnects: false };
            writer.multiply(writers, scope, &ended);
            let _ending = Ending(&ended);
            what(journal);
        });
    }

    /// Checks that nothing was answered but this, and that what is there agrees with the journal.
    #[track_caller]
    pub(super) fn verify(&self, statuses: &[u16]) -> Seen {
        let seen = self.watch.only(statuses);
        verify(&self.server.place.store, &mut self.client(), &self.groups, &self.journal);
        seen
    }

    /// The same with another server on the same store.
    pub(super) fn restarted(self) -> Self {
        let Server { process, place } = self.server;
        process.kill();
        Self { server: Server { process: place.serve(), place }, ..self }
    }
}
