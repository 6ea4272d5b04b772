//! Logs: for people on a terminal, JSON otherwise, always on the standard error output.
//!
//! Only this workspace's own events are logged below `warn`, whatever the level, since libraries could print what
//! passes through them. Terminal escapes and line breaks in values are escaped. Nothing waits until a line was written.

mod json;
mod outlet;

use std::io::{IsTerminal, stderr};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

use self::json::Json;
use self::outlet::Outlet;
use crate::Failure;
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
    let terminal = stderr().is_terminal();
    let human = match log.format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let output: Box<dyn Layer<Registry> + Send + Sync> = if human {
        layer().with_writer(writer()).with_ansi(terminal).with_target(false).boxed()
    } else {
        layer().with_writer(writer()).event_format(Json).boxed()
    };
    IS_JSON.store(!human, Ordering::Relaxed);
    // A test or an embedder may have started its own.
    let _ = tracing_subscriber::registry().with(output.with_filter(targets)).try_init();
    std::panic::set_hook(Box::new(panicked));
}

/// Whether a line is an object.
static IS_JSON: AtomicBool = AtomicBool::new(false);
/// What takes lines, if there was a thread for it.
static OUTLET: OnceLock<Outlet> = OnceLock::new();
/// How long what was logged last is waited for.
const FAREWELL: Duration = Duration::from_secs(1);

fn writer() -> BoxMakeWriter {
    match Outlet::to(stderr()) {
        Ok(outlet) => BoxMakeWriter::new(OUTLET.get_or_init(|| outlet).clone()),
        Err(_) => BoxMakeWriter::new(stderr),
    }
}

/// How many lines were lost, since nobody took them.
pub fn lost() -> u64 {
    OUTLET.get().map_or(0, Outlet::lost)
}

/// Says on the standard error output why the process ends: to whoever collects lines by another, and to people otherwise.
pub fn failed(failure: &Failure) {
    if IS_JSON.load(Ordering::Relaxed) {
        tracing::error!(%failure, "ended by a failure");
    } else {
        eprintln!("scimd: {failure}");
    }
}

/// Waits a little until what was logged is written. To be called before the process ends.
pub fn finish() {
    if let Some(outlet) = OUTLET.get() {
        outlet.finish(FAREWELL);
    }
}

/// Where it happened, but never the message: it may quote what was being handled.
fn panicked(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "panic");
    // It may be the last line of all.
    finish();
}
