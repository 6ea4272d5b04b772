//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  cargo xtask load                                  every scenario against scimd, which is built and started
  cargo xtask load --scenario get --users 1000000
  cargo xtask load --ratios                         the table of docs/performance.md
  cargo xtask load --against http://localhost:8080/t/acme/scim/v2 --token scim_…";

/// Drives a SCIM server and prints requests a second, latencies and errors
#[derive(Debug, Parser)]
#[command(name = "cargo xtask load", after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    /// The base URL of a server that runs already (http only). What is created there is deleted again
    #[arg(long, value_name = "URL", requires = "token")]
    pub(crate) against: Option<String>,
    /// The bearer token for that server
    #[arg(long, requires = "against")]
    pub(crate) token: Option<String>,
    /// What to do
    #[arg(long, value_enum, default_value_t = Scenario::All)]
    pub(crate) scenario: Scenario,
    /// How many users there are before it begins [default: 100000, or 1000 with --against]
    #[arg(long)]
    pub(crate) users: Option<usize>,
    /// How long each figure is taken for
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// How many connections read at the same time
    #[arg(long, default_value_t = 8)]
    pub(crate) connections: usize,
    /// Compare figures of this run with each other and with a bare server
    #[arg(long, conflicts_with = "against")]
    pub(crate) ratios: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What the load generator starts of itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A server that gives the same answer to everything
    #[command(hide = true)]
    Bare {
        /// The file with the answer
        answer: PathBuf,
    },
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// All of them
    All,
    /// GET /Users/{id}
    Get,
    /// GET /Users?filter=userName eq "…"
    Filter,
    /// GET /Users, pages of 100
    List,
    /// POST /Users by 1, 16 and 64 connections
    Post,
    /// PATCH that adds one member to groups of 10, 1,000 and 100,000
    Group,
}

impl Scenario {
    /// Whether `asked` includes this one.
    pub(crate) fn is_in(self, asked: Self) -> bool {
        asked == Self::All || asked == self
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("use a number of seconds, such as 5 or 0.5".to_owned()),
    }
}
