//! What the commands do.

mod administration;
mod quickstart;
mod serve;

use std::sync::Arc;

use scim_service::directory::Directory;
use tokio::runtime::{Builder, Runtime};

use crate::Failure;
use crate::cli::{Cli, Command};
use crate::config::{Config, EXAMPLE, Flags, StoreUrl};
use crate::environment::System;

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
        Command::Check(arguments) => serve::check(&arguments.flags()),
        Command::Config => {
            print(EXAMPLE);
            Ok(())
        }
    }
}

/// Prints to the standard output. A reader that has gone away, such as `head`, is no reason to complain.
fn print(text: &str) {
    use std::io::Write;
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

/// The directory in the store that the flags name, for a command that administers it. The store must be there: one that
/// is made because of a typing error would only seem to be empty.
fn directory(flags: &Flags) -> Result<Directory, Failure> {
    open_directory(flags, false)
}

/// As [`directory`], for the command that a new store begins with.
fn new_directory(flags: &Flags) -> Result<Directory, Failure> {
    open_directory(flags, true)
}

fn open_directory(flags: &Flags, create: bool) -> Result<Directory, Failure> {
    let url = Config::load(flags)?.store;
    if url == StoreUrl::Memory {
        return Err(Failure::Usage(
            "the `memory` store lives inside the server's process, where no other command can reach it; use \
             `--store sqlite:PATH`, or `scimd quickstart` for a server with a tenant and a token"
                .to_owned(),
        ));
    }
    if let StoreUrl::Sqlite(path) = &url
        && !create
        && !path.exists()
    {
        return Err(Failure::Run(format!(
            "there is no store at {}; check the path, or begin one with `scimd tenant create NAME --store {url}`",
            path.display()
        )));
    }
    Ok(Directory::new(crate::store::open(&url)?, Arc::new(System)))
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
