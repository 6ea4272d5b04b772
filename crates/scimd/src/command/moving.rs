//! `scimd store copy`.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Arc;
use std::time::Instant;

use scim_service::directory::{Directory, Welcome};
use scim_store::Tenant;
use scim_store::transfer::{self, Copied, CopyError, Portable, Progress, Rows, copy, verify};

use super::{list, named, portable, small_runtime};
use crate::Failure;
use crate::cli::{Common, StoreCopy};
use crate::config::{Config, StoreUrl, check_no_password};
use crate::environment::System;
use crate::table::Cells;

const ACTOR: &str = "cli:store copy";

pub(super) fn run(arguments: &StoreCopy) -> Result<(), Failure> {
    let StoreCopy { from, to, tenants, output } = arguments;
    if from == to {
        return Err(Failure::Usage(format!("`--from` and `--to` are both {from}; name two stores")));
    }
    for (store, flag) in [(from, "`--from`"), (to, "`--to`")] {
        check_no_password(store, flag, "set PGPASSWORD, or add `?password_file=FILE`")?;
    }
    let mut tenants: Vec<Tenant> = tenants.iter().map(|name| named(name)).collect::<Result<_, _>>()?;
    let moving = Moving { from: Side::open(from, false)?, to: Side::open(to, true)?, url: from };
    let runtime = small_runtime()?;
    if tenants.is_empty() {
        let all = runtime.block_on(moving.from.directory.tenants())?;
        tenants = all.into_iter().map(|entry| entry.tenant).collect();
    }
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for tenant in &tenants {
        let began = Instant::now();
        let mut meter = Meter::new(tenant);
        let outcome = runtime.block_on(moving.one(tenant, &mut meter));
        meter.end();
        match outcome {
            Ok((word, counted)) => {
                eprintln!("{tenant}: {word}");
                rows.push(row(tenant, word, &counted, began.elapsed().as_secs_f64()));
            }
            Err(failure) => failures.push(format!("tenant {tenant}: {failure}")),
        }
    }
    list(output, &SUMMARY, rows)?;
    match failures.as_slice() {
        [] => {
            eprintln!(
                "done; what is in {from} stays as it is. Serve from {to} now: `scimd serve --store {}`",
                to.argument()
            );
            Ok(())
        }
        [failure] => Err(Failure::Run(failure.clone())),
        several => Err(Failure::Run(format!(
            "{} of {} tenants were not copied\n  {}",
            several.len(),
            tenants.len(),
            several.join("\n  ")
        ))),
    }
}

/// `scimd store discard`.
pub(super) fn discard(tenant: &str, common: &Common) -> Result<(), Failure> {
    let url = Config::load(&common.flags())?.store;
    let name = named(tenant)?;
    let store = portable(&url, false)?;
    small_runtime()?.block_on(async {
        if !store.holdings(&name).await?.is_unfinished() {
            let words =
                format!("there is no unfinished copy of a tenant `{tenant}` in {url}; nothing was removed");
            return Err(Failure::Run(words));
        }
        Ok(transfer::discard(&*store, &name).await?)
    })?;
    eprintln!("removed the unfinished copy of tenant {tenant}");
    Ok(())
}

/// Refuses to make a tenant where an unfinished copy is in the way: its rows would be taken for the new one's.
pub(super) async fn check_vacant(store: &dyn Portable, name: &str) -> Result<(), Failure> {
    let Ok(tenant) = Tenant::new(name) else { return Ok(()) };
    match store.holdings(&tenant).await?.is_unfinished() {
        true => Err(Failure::Run(format!(
            "there is an unfinished copy of a tenant `{name}`; finish it with `scimd store copy`, or remove it with \
             `scimd store discard {name}`"
        ))),
        false => Ok(()),
    }
}

struct Moving<'a> {
    from: Side,
    to: Side,
    /// Where it is copied from.
    url: &'a StoreUrl,
}

/// A store and its directory.
pub(super) struct Side {
    pub(super) store: Arc<dyn Portable>,
    pub(super) directory: Directory,
}

impl Side {
    /// Opens a store. With `create`, it is made if it is not there.
    pub(super) fn open(url: &StoreUrl, create: bool) -> Result<Self, Failure> {
        let store = portable(url, create)?;
        let directory = Directory::new(Arc::clone(&store) as _, Arc::new(System));
        Ok(Self { store, directory })
    }
}

impl Moving<'_> {
    /// Moves one tenant, and says what was done.
    async fn one(&self, tenant: &Tenant, meter: &mut Meter<'_>) -> Result<(&'static str, Rows), Failure> {
        let Self { from, to, .. } = self;
        let welcome = to.directory.welcome(&from.directory.belongings(tenant).await?).await?;
        let mut progress = |progress| meter.show(&progress);
        let copied = match welcome {
            Welcome::New => copy(&*from.store, &*to.store, tenant, &mut progress).await,
            // It is served from there: nothing is written to it but by its own servers.
            Welcome::Known => verify(&*from.store, &*to.store, tenant, &mut progress).await,
        };
        let Copied { rows, .. } = copied.map_err(|error| self.explained(tenant, &error))?;
        // As they are by now: an operator may have changed something meanwhile.
        let belongings = from.directory.belongings(tenant).await?;
        match to.directory.take_in(&belongings, ACTOR).await? {
            true => Ok(("copied and verified", rows)),
            false => Ok(("already there, verified", rows)),
        }
    }

    fn explained(&self, tenant: &Tenant, error: &CopyError) -> Failure {
        let url = self.url;
        Failure::Run(match error {
            CopyError::Changing | CopyError::Differs { .. } => format!(
                "{error}; nobody may write to it while it is copied: stop the servers, or `scimd connection pause {tenant} \
                 --store {}`, then run this again",
                url.argument()
            ),
            CopyError::Taken { .. } => format!("{error}; nothing was written"),
            CopyError::From(_) | CopyError::To(_) => format!("{error}; run this again to go on"),
        })
    }
}

const SUMMARY: [&str; 9] = [
    "tenant",
    "outcome",
    "resources",
    "memberships",
    "persons",
    "changes",
    "audit_entries",
    "reports",
    "seconds",
];

fn row(tenant: &Tenant, word: &str, rows: &Rows, seconds: f64) -> Cells {
    let Rows { resources, persons, links, changes, audit, reports, .. } = rows;
    let numbers = [resources, links, persons, changes, audit, reports].map(|number| (*number).into());
    let cells = [tenant.as_str().into(), word.into()].into_iter().chain(numbers);
    cells.chain([((seconds * 10.0).round() / 10.0).into()]).collect()
}

/// Shows on the standard error how far it is: a bar on a terminal, and otherwise a line for each tenth.
pub(super) struct Meter<'a> {
    tenant: &'a Tenant,
    is_terminal: bool,
    /// What was shown last: what is done, and how many tenths or percents of it.
    shown: (&'static str, u64),
}

impl<'a> Meter<'a> {
    pub(super) fn new(tenant: &'a Tenant) -> Self {
        Self { tenant, is_terminal: stderr().is_terminal(), shown: ("", 0) }
    }

    fn show(&mut self, progress: &Progress) {
        match progress {
            Progress::Continuing => self.say("an unfinished copy is there; going on with it"),
            Progress::Again { because } => self.say(&format!("{because}; copying anew")),
            Progress::Copying { done, of } => self.measure("copied", *done, *of),
            Progress::Verifying { done, of } => self.measure("compared", *done, *of),
        }
    }

    /// So many of so many.
    pub(super) fn measure(&mut self, what: &'static str, done: u64, of: u64) {
        let steps = if self.is_terminal { 100 } else { 10 };
        let part = (u128::from(done) * u128::from(steps) / u128::from(of.max(1))) as u64;
        if self.shown == (what, part) || (part == 0 && !self.is_terminal) {
            return;
        }
        self.shown = (what, part);
        let percent = part * 100 / steps;
        let text = match self.is_terminal {
            true => {
                let filled = (part * 30 / steps) as usize;
                let bar = format!("{:#<filled$}{:.<rest$}", "", "", rest = 30 - filled.min(30));
                format!("\r{}: {what} [{bar}] {percent:>3}% of {of}\x1b[K", self.tenant)
            }
            false => format!("{}: {what} {percent}% of {of}\n", self.tenant),
        };
        write(&text);
    }

    pub(super) fn say(&mut self, words: &str) {
        self.end();
        write(&format!("{}: {words}\n", self.tenant));
    }

    /// Makes room for other lines.
    pub(super) fn end(&mut self) {
        if self.is_terminal && !self.shown.0.is_empty() {
            write("\r\x1b[K");
        }
        self.shown = ("", 0);
    }
}

/// Nobody has to look.
fn write(text: &str) {
    let mut error = stderr().lock();
    let _ = error.write_all(text.as_bytes()).and_then(|()| error.flush());
}
