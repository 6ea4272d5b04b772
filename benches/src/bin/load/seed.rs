//! A store that is filled before any server has it: through the service in this process, many writes to a transaction.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scim_bench::people;
use scim_bench::world::{Failure, TENANT, World};
use scim_service::directory::Idp;
use scim_store::Store;
use scim_store_postgres::{Address, PostgresStore, migrate};
use scim_store_sqlite::{Options, SqliteStore};
use scimd::config::StoreUrl;
use tokio::runtime::Builder;

use crate::cli::StoreKind;
use crate::client::Target;
use crate::field::{Field, Group, RESERVE};
use crate::progress::Progress;
use crate::server::Scimd;

/// How many writes share a transaction while a store is filled.
const BATCH: usize = 1024;
/// How many tenants there are besides, for the scenario `tenants`, and how many users each has at most.
const NEIGHBOURS: usize = 3;
const NEIGHBOUR_USERS: usize = 1000;

/// A folder with a store of users and groups.
pub(crate) struct Place {
    // Before the folder, in which its files are.
    _cluster: Option<Cluster>,
    directory: tempfile::TempDir,
    store: String,
    /// The tenant that is played with, and the others.
    tenants: Vec<Tenant>,
    groups: Vec<Group>,
    pub(crate) took: Duration,
}

struct Tenant {
    name: String,
    token: String,
    users: Vec<String>,
}

impl Place {
    /// Makes a store with so many users and with groups of these sizes.
    pub(crate) fn new(kind: StoreKind, users: usize, group_sizes: &[usize]) -> Result<Self, Failure> {
        let directory = folder()?;
        let (url, cluster) = match kind {
            StoreKind::Sqlite => (format!("sqlite:{}", directory.path().join("scimd.db").display()), None),
            StoreKind::Postgres => {
                let cluster = Cluster::start(directory.path())?;
                (cluster.url.clone(), Some(cluster))
            }
            StoreKind::Memory => return Err("a store in memory is filled over HTTP".into()),
        };
        let start = Instant::now();
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let (tenants, groups) = runtime.block_on(async {
            let world = World::over(open(&url)?, Idp::Entra).await?;
            let mut tenants = vec![fill(&world, TENANT, users + RESERVE).await?];
            let mut groups = Vec::new();
            for size in group_sizes {
                world.refresh().await?;
                let ids = tenants.first().map(|tenant| tenant.users.as_slice()).unwrap_or_default();
                let name = format!("Group of {size}");
                let id =
                    world.post("/Groups", &people::group(&name, ids.get(..*size).unwrap_or(ids))).await?;
                groups.push(Group { id, name, size: *size });
            }
            for number in 1..=NEIGHBOURS {
                let name = format!("neighbour{number}");
                let neighbour = world.neighbour(&name).await?;
                tenants.push(fill(&neighbour, &name, users.min(NEIGHBOUR_USERS)).await?);
            }
            Ok::<_, Failure>((tenants, groups))
        })?;
        Ok(Self { _cluster: cluster, directory, store: url, tenants, groups, took: start.elapsed() })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The store, as the configuration names it.
    pub(crate) fn store(&self) -> &str {
        &self.store
    }

    /// What the scenarios play with, on a server over this store.
    pub(crate) fn field(&self, server: &Scimd, name: &str) -> Result<Field, Failure> {
        let mut fields = Vec::new();
        for (number, tenant) in self.tenants.iter().enumerate() {
            let target = self.target(server.address(), number)?;
            let mut field = Field::new(&tenant.name, target, Some(server.watched()));
            field.users.clone_from(&tenant.users);
            fields.push(field);
        }
        let neighbours = fields.split_off(1.min(fields.len()));
        let mut own = fields.pop().ok_or("there is no tenant")?;
        name.clone_into(&mut own.name);
        own.groups = Ok(self.groups.clone());
        own.neighbours = neighbours;
        Ok(own)
    }

    /// Any user.
    pub(crate) fn user(&self) -> Result<&str, Failure> {
        let user = self.tenants.first().and_then(|tenant| tenant.users.first());
        Ok(user.ok_or("there are no users")?)
    }

    /// A tenant of the server at an address.
    pub(crate) fn target(&self, address: &str, tenant: usize) -> Result<Target, Failure> {
        let Tenant { name, token, .. } = self.tenants.get(tenant).ok_or("there is no such tenant")?;
        Target::parse(&format!("http://{address}/t/{name}/scim/v2"), Some(token), &[])
    }
}

async fn fill(world: &World, name: &str, users: usize) -> Result<Tenant, Failure> {
    let (mut progress, mut count) = (Progress::new("filling the store"), 0_usize);
    let users = world
        .fill(users, || {
            count += 1;
            progress.show(count as f64 / users as f64, &format!("{count} users"));
        })
        .await?;
    Ok(Tenant { name: name.to_owned(), token: world.token().to_owned(), users })
}

/// Opens a store to fill it.
fn open(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let url: StoreUrl = url.parse()?;
    if let StoreUrl::Sqlite(file) = &url {
        let options = Options { batch: BATCH, queue: 2 * BATCH, cache: 16 * 1024, ..Options::default() };
        return Ok(Arc::new(SqliteStore::open(file, options)?));
    }
    if let StoreUrl::Postgres(address) = &url {
        let options = scim_store_postgres::Options { batch: BATCH, queue: 2 * BATCH, ..Default::default() };
        return Ok(Arc::new(PostgresStore::open(address, options)?));
    }
    Ok(scimd::store::open(&url)?)
}

/// A folder on the disk that is built on. The one for temporary files may have no disk under it.
pub(crate) fn folder() -> Result<tempfile::TempDir, Failure> {
    let program = std::env::current_exe()?;
    let parent: PathBuf = program.parent().map(Path::to_owned).unwrap_or_default();
    Ok(tempfile::Builder::new().prefix("load-").tempdir_in(parent)?)
}

/// A Postgres cluster that ends with this value.
struct Cluster {
    url: String,
    folder: PathBuf,
}

impl Cluster {
    fn start(parent: &Path) -> Result<Self, Failure> {
        let script = root().join("scripts/postgres.sh");
        let folder = parent.join("postgres");
        let output = Command::new(&script).arg("start").arg(&folder).output()?;
        if !output.status.success() {
            return Err(format!("{}: {}", script.display(), String::from_utf8_lossy(&output.stderr)).into());
        }
        let text = String::from_utf8(output.stdout)?;
        let owner = text.trim();
        // Servers are refused as superuser, who would see every tenant.
        let url = owner.replacen("postgres@", "scimd@", 1);
        let cluster = Self { url, folder };
        let made = Command::new("psql").args([owner, "-qc", "CREATE ROLE scimd LOGIN"]).output()?;
        if !made.status.success() {
            return Err(format!("psql: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        let owner: Address = owner.parse()?;
        migrate(&owner, scim_store_postgres::Options::default(), Some("scimd"))?;
        Ok(cluster)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new(root().join("scripts/postgres.sh")).arg("stop").arg(&self.folder).output();
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
