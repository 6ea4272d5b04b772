//! What the commands do.

mod administration;
mod audit;
mod deletion;
mod demo;
mod findings;
mod following;
mod import;
mod moving;
mod people;
mod pruning;
mod quickstart;
mod rules;
mod serve;
mod storage;

use std::fs;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use scim_core::time::Timestamp;
use scim_service::Service;
use scim_service::directory::{Directory, TenantEntry};
use scim_store::persons::Lost;
use scim_store::transfer::Portable;
use scim_store::{Store, Tenant};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::Failure;
use crate::cli::{Cli, Command, Common, OfTenant, Output};
use crate::config::{Config, EXAMPLE, Flags, StoreUrl};
use crate::environment::System;
use crate::table::{self, Cells};

/// Does what the command line says.
///
/// # Errors
/// When it could not be done, or the command line or the configuration is wrong.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Quickstart(arguments) => quickstart::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments.flags()),
        Command::Tenant(command) => administration::tenant(command),
        Command::Connection(command) => administration::connection(command),
        Command::Token(command) => administration::token(command),
        Command::Policy(command) => rules::policy(command),
        Command::Schema(command) => rules::schema(command),
        Command::Person(command) => people::person(command),
        Command::Findings(command) => findings::run(command),
        Command::Group(command) => people::group(command),
        Command::Audit(command) => audit::run(command),
        Command::Gender(command) => people::gender(command),
        Command::Store(command) => storage::run(command),
        Command::Explain { listing, file, user } => {
            rules::explain(&listing, file.as_deref(), user.as_deref())
        }
        Command::Replay(listing) => rules::replay(&listing),
        Command::Check(arguments) => serve::check(&arguments.flags()),
        Command::Config => print(EXAMPLE),
    }
}

/// Prints to the standard output. A reader that has gone away, such as `head`, is no reason to complain.
///
/// # Errors
/// When it cannot be written, on a full disk for instance: what was printed is not whole.
fn print(text: &str) -> Result<(), Failure> {
    printed(|output| output.write_all(text.as_bytes()))
}

/// Prints what is written, in the same way.
fn printed(write: impl FnOnce(&mut BufWriter<StdoutLock<'_>>) -> io::Result<()>) -> Result<(), Failure> {
    handed_over(write).map(drop)
}

/// Prints what is written, and says whether its reader was there until the end.
fn handed_over(
    write: impl FnOnce(&mut BufWriter<StdoutLock<'_>>) -> io::Result<()>,
) -> Result<bool, Failure> {
    let mut output = BufWriter::new(io::stdout().lock());
    match write(&mut output).and_then(|()| output.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error
            .downcast()
            .unwrap_or_else(|error| Failure::Run(format!("cannot write to the standard output: {error}")))),
    }
}

/// Prints a list.
fn list(
    output: &Output,
    names: &[&str],
    rows: impl IntoIterator<Item = impl AsRef<[Value]>>,
) -> Result<(), Failure> {
    printed(|to| table::write(to, output.format, names, rows.into_iter().map(Ok)))
}

/// Prints a list of which pages are read as they are printed, so that one of a whole tenant takes no more memory than a page.
/// Says whether its reader was there until the end.
fn list_pages(
    output: &Output,
    names: &[&str],
    pages: impl IntoIterator<Item = Result<Vec<Cells>, Failure>>,
) -> Result<bool, Failure> {
    let rows = pages.into_iter().flat_map(|page| {
        let (rows, failure) = page.map_or_else(|failure| (Vec::new(), Some(failure)), |rows| (rows, None));
        rows.into_iter().map(Ok).chain(failure.map(|failure| Err(io::Error::other(failure))))
    });
    handed_over(|to| table::write(to, output.format, names, rows))
}

/// Writes down where to go on after a list that was printed, for whoever asked for a file of it.
fn keep_mark(file: Option<&Path>, is_read: bool, after: u64, at: Option<Timestamp>) -> Result<(), Failure> {
    file.map_or(Ok(()), |file| keep(file, is_read, &mark_of(after, at)))
}

/// Where to go on. The beginning is 0, at whatever moment: one is there always, so that a script need not tell the first time
/// from others.
fn mark_of(after: u64, at: Option<Timestamp>) -> Value {
    json!({ "after": after, "at": at.unwrap_or_default().to_string() })
}

/// Writes what was asked for beside a list, if that was read to its end.
fn keep(file: &Path, is_read: bool, marks: &Value) -> Result<(), Failure> {
    let name = file.display();
    if !is_read {
        let words = format!("nobody reads the standard output any more; {name} was not written");
        return Err(Failure::Run(words));
    }
    fs::write(file, format!("{marks}\n"))
        .map_err(|error| Failure::io(format_args!("cannot write {name}"), &error))
}

/// The directory in the store that the flags name, for a command that administers it. The store must be there: one that
/// is made because of a typing error would only seem to be empty.
fn directory(flags: &Flags) -> Result<Directory, Failure> {
    let url = Config::load(flags)?.store;
    Ok(Directory::new(existing(&url)?, Arc::new(System)))
}

/// The name of a tenant, as it was typed.
fn named(name: &str) -> Result<Tenant, Failure> {
    Tenant::new(name).map_err(|error| Failure::Usage(error.to_string()))
}

/// The service on a store, for a command that works with what the service knows.
struct Office {
    service: Service,
    store: Arc<dyn Store>,
    runtime: Runtime,
}

impl Office {
    fn open(common: &Common) -> Result<Self, Failure> {
        let config = Config::load(&common.flags())?;
        let store = existing(&config.store)?;
        let registry = crate::store::registry(&config)?;
        let settings = config.settings(&config.base_url(config.listen));
        let service = Service::new(Arc::clone(&store), registry, Arc::new(System), settings);
        Ok(Self { service, store, runtime: small_runtime()? })
    }

    /// The service, and the tenant that a command is about.
    fn of(of: &OfTenant) -> Result<(Self, Tenant), Failure> {
        let office = Self::open(&of.common)?;
        let tenant = office.tenant(&of.tenant)?.tenant.clone();
        Ok((office, tenant))
    }

    fn run<T, E: Into<Failure>>(&self, future: impl Future<Output = Result<T, E>>) -> Result<T, Failure> {
        self.runtime.block_on(future).map_err(Into::into)
    }

    /// What the directory knows of a tenant.
    fn tenant(&self, name: &str) -> Result<Arc<TenantEntry>, Failure> {
        self.run(self.service.directory().find(name))
    }
}

/// The failure to go on after what is not there, or is another than the caller knows.
fn anew(what: &str, lost: Lost) -> Failure {
    Failure::Anew(format!("{what} {lost}; begin anew, without `--after`"))
}

/// The store of this address, which has to be there.
fn existing(url: &StoreUrl) -> Result<Arc<dyn Store>, Failure> {
    check_reachable(url, false)?;
    crate::store::open(url)
}

/// The store of this address, for a command that moves or removes tenants. With `create`, it is made if it is not there.
fn portable(url: &StoreUrl, create: bool) -> Result<Arc<dyn Portable>, Failure> {
    check_reachable(url, create)?;
    crate::store::portable(url, LONG)
}

/// How long a statement may take that counts or removes all that a tenant has.
const LONG: Duration = Duration::from_secs(600);

/// Checks that a store is one that other commands can reach too, and that it is there unless it may be created.
fn check_reachable(url: &StoreUrl, create: bool) -> Result<(), Failure> {
    if *url == StoreUrl::Memory {
        return Err(Failure::Usage(
            "the `memory` store lives inside the server's process, where no other command can reach it; use \
             `--store sqlite:PATH`, or `scimd quickstart` for a server with a tenant and a token"
                .to_owned(),
        ));
    }
    if let StoreUrl::Sqlite(path) = url
        && !create
        && url.is_missing()
    {
        return Err(Failure::Run(format!(
            "there is no store at {}; check the path, or begin one with `scimd tenant create NAME --store {}`",
            path.display(),
            url.argument()
        )));
    }
    Ok(())
}

/// A runtime for one command.
fn small_runtime() -> Result<Runtime, Failure> {
    let built = Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::io("cannot start", &error))
}

/// A runtime for a server.
fn runtime() -> Result<Runtime, Failure> {
    let built = Builder::new_multi_thread().enable_all().thread_name("scimd").build();
    built.map_err(|error| Failure::io("cannot start", &error))
}
