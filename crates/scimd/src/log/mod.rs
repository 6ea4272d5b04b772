//! Logs: for people on a terminal, JSON otherwise, always on the standard error output.
//!
//! Only this workspace's own events are logged below `warn`, whatever the level, since libraries could print what
//! passes through them. Terminal escapes and line breaks in values are escaped.

mod json;

use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

use self::json::Json;
use crate::config::{Log, LogFormat, LogLevel};

/// The crates that log.
const OURS: [&str; 7] = [
    "scim_core",
    "scim_policy",
    "scim_store",
    "scim_store_sqlite",
    "scim_store_postgres",
    "scim_service",
    "scimd",
];

/// Starts logging. The first call counts.
pub fn start(log: Log) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(OURS.map(|target| (target, level)));
    let terminal = std::io::stderr().is_terminal();
    let human = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let output: Box<dyn Layer<Registry> + Send + Sync> = if human {
        layer().with_writer(std::io::stderr).with_ansi(terminal).with_target(false).boxed()
    } else {
        layer().with_writer(standard_error()).event_format(Json).boxed()
    };
    // A test or an embedder may have started its own.
    let _ = tracing_subscriber::registry().with(output.with_filter(targets)).try_init();
    std::panic::set_hook(Box::new(panicked));
}

/// The standard error output without the lock of [`std::io::stderr`]. A line is one write, which needs none, and threads
/// that wait for one another would switch with every request.
fn standard_error() -> BoxMakeWriter {
    #[cfg(unix)]
    if let Ok(descriptor) = std::os::fd::AsFd::as_fd(&std::io::stderr()).try_clone_to_owned() {
        return BoxMakeWriter::new(Arc::new(std::fs::File::from(descriptor)));
    }
    BoxMakeWriter::new(std::io::stderr)
}

/// Where it happened, but never the message: it may quote what was being handled.
fn panicked(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "panic");
}
