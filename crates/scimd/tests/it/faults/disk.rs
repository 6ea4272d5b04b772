//! A full disk: writes are refused, reads live, and when there is room again nobody has to do anything. It is that of the
//! SQLite file, or that of the tables in a PostgreSQL of its own, whose log is elsewhere: that is the row `log`.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use scimd::config::StoreUrl;

use super::stage::Stage;
use super::{FAST, millis, not_run, on_postgres, seen, sized};
use crate::cluster::Cluster;
use crate::server::{Directory, Place};

const ROW: &str = "disk";
const WRITERS: usize = 4;

/// A small file system of its own, in memory, which is gone when it is dropped.
pub(super) struct Disk(PathBuf);

impl Disk {
    /// In this directory, under this name, for whoever that belongs to.
    pub(super) fn mount(folder: &Path, name: &str) -> Result<Self, String> {
        let path = folder.join(name);
        fs::create_dir(&path).expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=40m,mode=0700", "scimd-faults"]).arg(&path);
        match mount.output() {
            Err(error) => Err(format!("`mount` does not start: {error}")),
            Ok(output) if output.status.success() => {
                let owner = fs::metadata(folder).expect("a directory");
                chown(&path, Some(owner.uid()), Some(owner.gid())).expect("it is given away");
                Ok(Self(path))
            }
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(format!("mounting a small file system needs root: {words}"))
            }
        }
    }

    /// Writes a file until there is no room left.
    pub(super) fn fill(&self) {
        let mut file = File::create(self.filler()).expect("a file");
        let mut size = 1 << 20;
        while size > 0 {
            if file.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    pub(super) fn free(&self) {
        fs::remove_file(self.filler()).expect("the file is removed");
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// A place whose data are on it.
    fn place(&self, cluster: Option<&Cluster>) -> Place {
        let Some(cluster) = cluster else {
            return Place::on(Directory::new(), StoreUrl::Sqlite(Path::join(&self.0, "scimd.db")), FAST);
        };
        let database = cluster.database();
        database.run(&format!("CREATE TABLESPACE small LOCATION '{}'", self.0.display()));
        for what in ["TABLE", "INDEX"] {
            database.run(&format!("ALTER {what} ALL IN TABLESPACE pg_default SET TABLESPACE small"));
        }
        Place::in_this(database, FAST)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_full_disk_is_survived() {
    let cycles = sized(3, 20);
    let cluster = on_postgres().then(Cluster::start);
    let directory = Directory::new();
    let folder = cluster.as_ref().map_or(directory.path(), |cluster| &cluster.directory);
    let disk = match Disk::mount(folder, "disk") {
        Ok(disk) => disk,
        Err(why) => return not_run(ROW, why),
    };
    let stage = Stage::new(disk.place(cluster.as_ref()), 2);
    let mut client = stage.client();
    let mut slowest = Duration::ZERO;
    stage.act(WRITERS, |journal| {
        for _ in 0..cycles {
            let before = journal.count();
            journal.wait("for writes", |count| count.done > before.done + 20);
            disk.fill();
            let full = |status| stage.watch.seen().statuses.get(&status).copied().unwrap_or_default();
            let refused = full(507) + full(503);
            journal.wait("for refusals", |_| full(507) + full(503) > refused + 20);
            client.get("/Users?count=0").expect(200);
            client.get(&format!("/Groups/{}", stage.groups[0])).expect(200);
            let before = journal.count();
            let begun = std::time::Instant::now();
            disk.free();
            journal.wait("for writes after there is room again", |count| count.done > before.done + 20);
            slowest = slowest.max(begun.elapsed());
        }
    });
    const STATUSES: [u16; 6] = [200, 201, 204, 409, 503, 507];
    let statuses = stage.verify(&STATUSES).statuses;
    // The same store, opened anew.
    let stage = stage.restarted();
    stage.verify(&STATUSES);
    let done = stage.journal.count().done;
    seen(
        ROW,
        format_args!(
            "{cycles} times full, {done} acknowledged, 0 lost; answers {statuses:?}; twenty writes after {} at most when \
             there was room again",
            millis(slowest)
        ),
    );
}
