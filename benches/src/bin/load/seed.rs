//! A store that is filled before any server has it: through the service in this process, many writes to a transaction.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use scim_bench::people;
use scim_bench::world::{Failure, TENANT, World};
use tokio::runtime::Builder;

use crate::client::Target;
use crate::progress::Progress;
use crate::scenario::{Field, Group, RESERVE};
use crate::server::Scimd;

/// How many writes share a transaction while a store is filled.
const BATCH: usize = 1024;
const STORE: &str = "scimd.db";

/// A folder with a store of users and groups.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    pub(crate) token: String,
    users: Vec<String>,
    groups: Vec<Group>,
    pub(crate) took: Duration,
}

impl Place {
    /// Makes a store with so many users and with groups of these sizes.
    pub(crate) fn new(users: usize, group_sizes: &[usize]) -> Result<Self, Failure> {
        let directory = folder()?;
        let start = Instant::now();
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let (token, ids, groups) = runtime.block_on(async {
            let world = World::create(&directory.path().join(STORE), BATCH).await?;
            let (mut progress, mut count) = (Progress::new("filling the store"), 0_usize);
            let ids = world
                .fill(users + RESERVE, || {
                    count += 1;
                    progress.show(count as f64 / users as f64, &format!("{count} users"));
                })
                .await?;
            let mut groups = Vec::new();
            for size in group_sizes {
                world.refresh().await?;
                let name = format!("Group of {size}");
                let members = ids.get(..*size).unwrap_or(&ids);
                let id = world.post("/Groups", &people::group(&name, members)).await?;
                groups.push(Group { id, size: *size });
            }
            Ok::<_, Failure>((world.token().to_owned(), ids, groups))
        })?;
        Ok(Self { directory, token, users: ids, groups, took: start.elapsed() })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The store's file.
    pub(crate) fn store(&self) -> PathBuf {
        self.directory.path().join(STORE)
    }

    /// What the scenarios play with, on a server over this store.
    pub(crate) fn field(&self, server: &Scimd) -> Field {
        Field {
            target: server.target.clone(),
            users: self.users.clone(),
            groups: self.groups.clone(),
            first: 0,
        }
    }

    /// Any user.
    pub(crate) fn user(&self) -> Result<&str, Failure> {
        Ok(self.users.first().ok_or("there are no users")?)
    }

    /// The server's target, at an address.
    pub(crate) fn target(&self, address: &str) -> Result<Target, Failure> {
        Target::parse(&format!("http://{address}/t/{TENANT}/scim/v2"), &self.token)
    }
}

/// A folder on the disk that is built on. The one for temporary files may have no disk under it.
pub(crate) fn folder() -> Result<tempfile::TempDir, Failure> {
    let program = std::env::current_exe()?;
    let parent: PathBuf = program.parent().map(Path::to_owned).unwrap_or_default();
    Ok(tempfile::Builder::new().prefix("load-").tempdir_in(parent)?)
}
