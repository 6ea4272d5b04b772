//! `scimd`, a SCIM 2.0 server: what `scim-service` answers, over real sockets.
//!
//! Here are the configuration, the command line, TLS, the accept loop, logs, metrics and the end of the process, as
//! parts that a test or another program can put together. Here is nothing about SCIM.

#[cfg(not(unix))]
compile_error!(
    "scimd is a server for Unix: it needs signals, file modes and descriptors. The libraries build here too"
);

pub mod cli;
mod command;
pub mod config;
pub mod descriptors;
pub mod environment;
mod failure;
pub mod log;
pub mod password;
pub mod server;
mod sheet;
pub mod signal;
pub mod store;
mod table;

pub use command::run;
pub use failure::Failure;
