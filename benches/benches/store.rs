//! Whether what should not grow with the size of a store does: adding a member to a group of 10, 1,000 and 100,000, and
//! looking a user up by name among 1,000 and 100,000 (and a million, with `SCIM_BENCH_MILLION=1`).
//!
//! Everything goes through the service, without a socket. Files are in memory where there is a place for that: a sync to
//! a disk would hide differences.
//!
//! ```sh
//! cargo bench -p scim-bench --bench store
//! ```
#![expect(clippy::expect_used, reason = "a measurement fails by panicking")]

use std::cell::Cell;
use std::path::Path;
use std::time::Instant;

use http::StatusCode;
use scim_bench::{Contest, World, asked_to_measure, people};
use tokio::runtime::{Builder, Runtime};

const SMALL: usize = 1000;
const LARGE: usize = 100_000;
const GROUPS: [usize; 3] = [10, 1000, LARGE];
/// Users who are in no group.
const SPARE: usize = 100;

fn main() {
    if !asked_to_measure() {
        return;
    }
    let million = std::env::var_os("SCIM_BENCH_MILLION").is_some();
    let sizes = if million { vec![SMALL, LARGE, 1_000_000] } else { vec![SMALL, LARGE] };
    let towns: Vec<Town> = sizes.into_iter().map(Town::new).collect();
    println!("× is the time in the smallest store, or for the smallest group; 1.3 is the target");
    let lookups = towns.iter().fold(Contest::new(), |contest, town| {
        contest.with(format!("among {} users", town.users.len() - SPARE), || town.look_up())
    });
    lookups.print("filter userName eq");
    let reads = towns.iter().fold(Contest::new(), |contest, town| {
        contest.with(format!("among {} users", town.users.len() - SPARE), || town.read())
    });
    reads.print("GET /Users/{id}");
    let town = towns.iter().find(|town| town.users.len() >= LARGE).expect("a large one");
    let groups: Vec<(usize, String)> = GROUPS.iter().map(|size| (*size, town.group(*size))).collect();
    let changes = groups.iter().fold(Contest::new(), |contest, (size, id)| {
        contest.with(format!("group of {size}"), || town.add_and_remove(id))
    });
    changes.print("PATCH, add and remove one");
}

/// A store of users, and the service over it.
struct Town {
    world: World,
    runtime: Runtime,
    users: Vec<String>,
    turn: Cell<usize>,
    refreshed: Cell<Instant>,
    _folder: tempfile::TempDir,
}

impl Town {
    fn new(users: usize) -> Self {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
        let folder = tempfile::tempdir_in(place).expect("a folder");
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let (world, users) = runtime.block_on(async {
            let world = World::create(&folder.path().join("scim.db"), 1024).await.expect("a store");
            let users = world.fill(users + SPARE, || ()).await.expect("filled");
            (world, users)
        });
        let (turn, refreshed) = (Cell::new(0), Cell::new(Instant::now()));
        Self { world, runtime, users, turn, refreshed, _folder: folder }
    }

    /// Makes a group of the first so many users.
    fn group(&self, size: usize) -> String {
        let members = self.users.get(..size).expect("enough users");
        let group = people::group(&format!("Group of {size}"), members);
        self.runtime.block_on(self.world.post("/Groups", &group)).expect("created")
    }

    fn look_up(&self) {
        let name = people::user_name(self.next(self.users.len()));
        self.send("GET", &format!("/Users?filter=userName+eq+%22{name}%22"), String::new(), StatusCode::OK);
    }

    fn read(&self) {
        let id = self.users.get(self.next(self.users.len())).expect("a user");
        self.send("GET", &format!("/Users/{id}"), String::new(), StatusCode::OK);
    }

    fn add_and_remove(&self, group: &str) {
        let first = self.users.len() - SPARE;
        let member = self.users.get(first + self.next(SPARE)).expect("a spare user");
        let path = format!("/Groups/{group}");
        for patch in [people::add_member(member), people::remove_member(member)] {
            self.send("PATCH", &path, patch.to_string(), StatusCode::NO_CONTENT);
        }
    }

    fn send(&self, method: &str, path: &str, body: String, expected: StatusCode) {
        // As a server does once a second.
        if self.refreshed.get().elapsed().as_millis() > 1000 {
            self.runtime.block_on(self.world.refresh()).expect("refreshed");
            self.refreshed.set(Instant::now());
        }
        let (status, answer) = self.runtime.block_on(self.world.send(method, path, body)).expect("an answer");
        assert_eq!(status, expected, "{method} {path}: {}", String::from_utf8_lossy(&answer));
    }

    /// Numbers below `bound` that jump about.
    fn next(&self, bound: usize) -> usize {
        let turn = self.turn.get();
        self.turn.set(turn + 1);
        turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) % bound
    }
}
