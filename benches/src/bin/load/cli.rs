//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use http::{HeaderName, HeaderValue};

const EXAMPLES: &str = "\
Examples:
  cargo xtask load                                  every scenario against scimd, which is built and started
  cargo xtask load --scenario get,filter --users 1000000
  cargo xtask load --scenario steady --rate 500     an open loop: 500 requests a second, whatever the answers
  cargo xtask load --ratios                         the table of docs/performance.md
  cargo xtask load --curves --up-to 10000           how cost grows with users and members, and pictures of it
  cargo xtask load --against http://localhost:8080/t/acme/scim/v2 --token scim_…
  cargo xtask load --against http://localhost:8000/scim/v2 --header 'Authorization: Basic dTpw' --json
  cargo xtask peers                                 the same scenarios against other SCIM servers";

/// Drives a SCIM server and prints requests a second, latencies and errors
#[derive(Debug, Parser)]
#[command(name = "load", bin_name = "cargo xtask load", after_help = EXAMPLES, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// The base URL of a server that runs already (http only). What is created there is deleted again
    #[arg(long, value_name = "URL")]
    pub(crate) against: Option<String>,
    /// The bearer token for that server
    #[arg(long, requires = "against")]
    pub(crate) token: Option<String>,
    /// A header for every request to that server, instead of what would be sent; may be repeated
    #[arg(long, value_name = "NAME: VALUE", value_parser = header, requires = "against")]
    pub(crate) header: Vec<(HeaderName, HeaderValue)>,
    /// The process of that server, with its children: tells processor time and memory
    #[arg(long, requires = "against")]
    pub(crate) pid: Option<u32>,
    /// Another tenant of that server, for the scenario `tenants`; may be repeated
    #[arg(long, num_args = 2, value_names = ["URL", "TOKEN"], requires = "against")]
    pub(crate) tenant: Vec<String>,
    /// Where the server that is started keeps things
    #[arg(long, value_enum, default_value_t = StoreKind::Sqlite, conflicts_with = "against")]
    pub(crate) store: StoreKind,
    /// Compare figures of this run with each other and with a bare server
    #[arg(long, conflicts_with_all = ["against", "curves"])]
    pub(crate) ratios: bool,
    /// Take figures at growing numbers of users and members, write them down and draw them
    #[arg(long, conflicts_with = "against")]
    pub(crate) curves: bool,
    /// The most users and members of `--curves`
    #[arg(long, value_name = "N", default_value_t = 1_000_000, requires = "curves")]
    pub(crate) up_to: usize,
    /// Where `--curves` writes [default: docs/performance]
    #[arg(long, value_name = "FOLDER", requires = "curves")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) work: Work,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What is done to whatever server.
#[derive(Debug, Clone, Args)]
pub(crate) struct Work {
    /// What to do, separated by commas [default: everything]
    #[arg(long, value_enum, value_delimiter = ',', hide_default_value = true)]
    scenario: Vec<Scenario>,
    /// How many users there are before it begins [default: 100000, or 1000 over HTTP]
    #[arg(long, value_parser = at_least_one)]
    pub(crate) users: Option<usize>,
    /// How many users an initial sync sends; it sends a group for each 50 of them, and one of all
    #[arg(long, default_value_t = 1000, value_parser = at_least_one)]
    pub(crate) sync: usize,
    /// How long each figure is taken for
    #[arg(long, default_value = "5", value_parser = seconds)]
    pub(crate) seconds: Duration,
    /// How many connections there are where the scenario does not say
    #[arg(long, default_value_t = 8, value_parser = at_least_one)]
    pub(crate) connections: usize,
    /// Requests a second in an open loop, for get, filter, list, pages and steady
    #[arg(long, value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Print JSON, as docs/performance.md describes it
    #[arg(long)]
    pub(crate) json: bool,
}

/// What the load generator does besides.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Install other SCIM servers from their registries, and measure them and scimd with the same scenarios
    #[command(
        after_help = "Examples:\n  cargo xtask peers\n  cargo xtask peers --only scimmy,scimd-memory --users 200 --seconds 2"
    )]
    Peers {
        /// Which ones, separated by commas [default: all]
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        #[command(flatten)]
        work: Work,
    },
    /// Draw what `--curves` has written
    #[command(after_help = "Examples:\n  cargo xtask plot\n  cargo xtask plot target/curves")]
    Plot {
        /// The folder with the figures, where the pictures go too [default: docs/performance]
        folder: Option<PathBuf>,
    },
    /// A server that gives the same answer to everything
    #[command(hide = true)]
    Bare {
        /// The file with the answer
        answer: PathBuf,
        /// A file with a row for each resource, one of which is read for each request and is the body
        #[arg(long)]
        rows: Option<PathBuf>,
    },
}

/// Where `scimd` keeps things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// A file
    Sqlite,
    /// A cluster of its own, started by scripts/postgres.sh
    Postgres,
    /// The memory of the process
    Memory,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// GET /Users/{id}
    Get,
    /// GET /Users?filter=userName eq "…"
    Filter,
    /// GET /Users, pages of 100
    List,
    /// Pages by number and by cursor, and filters of many kinds
    Pages,
    /// PATCH that adds one member to groups of 10, 1,000 and 100,000
    Group,
    /// Many connections that add to and remove from one group; tells what was lost
    Churn,
    /// What Entra ID and Okta send in a delta cycle
    Steady,
    /// Several tenants at once, alike and beside a greedy one
    Tenants,
    /// What Entra ID and Okta send when they meet an empty directory
    Sync,
    /// POST /Users by 1, 16 and 64 connections
    Post,
}

impl Cli {
    /// What is done, whichever command says it.
    pub(crate) fn work(&self) -> &Work {
        match &self.command {
            Some(Command::Peers { work, .. }) => work,
            Some(Command::Plot { .. } | Command::Bare { .. }) | None => &self.work,
        }
    }
}

impl Work {
    /// Whether a scenario is asked for.
    pub(crate) fn includes(&self, scenario: Scenario) -> bool {
        self.scenario.is_empty() || self.scenario.contains(&scenario)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("use a number of seconds, such as 5 or 0.5".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=1e6).contains(&rate) => Ok(rate),
        _ => Err("use a number of requests a second, such as 500".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "use a number from 1 on".to_owned())
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let complaint = || "use `Name: value`".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(complaint)?;
    let mut value = HeaderValue::from_str(value.trim()).map_err(|_| complaint())?;
    // Most of them let somebody in.
    value.set_sensitive(true);
    Ok((HeaderName::try_from(name.trim()).map_err(|_| complaint())?, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a command line: the options that differ from the defaults, or the first line of the complaint.
    fn check(line: &str, expected: &str) {
        let parsed = Cli::try_parse_from(std::iter::once("load").chain(line.split('|')));
        let seen = match parsed {
            Ok(cli) => format!("{cli:?}"),
            Err(error) => error.to_string(),
        };
        assert!(seen.contains(expected), "{line}: {seen}");
    }

    #[test]
    fn command_lines_are_understood() {
        check("--scenario|get,sync", "scenario: [Get, Sync]");
        check("--seconds|0.5", "seconds: 500ms");
        check("--seconds|0", "such as 5 or 0.5");
        check("--users|0", "from 1 on");
        check("--rate|fast", "such as 500");
        check("--store|postgres", "store: Postgres");
        check("--against|http://x|--token|t", "token: Some(\"t\")");
        check(
            "--against|http://x|--header|Authorization: Basic x",
            "header: [(\"authorization\", Sensitive)]",
        );
        check("--against|http://x|--header|Authorization", "use `Name: value`");
        check(
            "--against|http://x|--tenant|http://y|u|--tenant|http://z|v",
            "tenant: [\"http://y\", \"u\", \"http://z\", \"v\"]",
        );
        check("--against|http://x|--pid|7", "pid: Some(7)");
        check("--token|t", "--against <URL>");
        check("--pid|7", "--against <URL>");
        check("--against|http://x|--ratios", "cannot be used with");
        check("--against|http://x|--store|memory", "cannot be used with");
        check("--up-to|7", "--curves");
        check("--curves|--up-to|7", "up_to: 7");
        check("peers|--only|a,b|--sync|5", "only: [\"a\", \"b\"]");
        check("plot|there", "folder: Some(\"there\")");
        check("--scenario|bulk", "possible values: get");
    }

    #[test]
    fn no_scenario_is_every_scenario() {
        let work = |line: &[&str]| Cli::try_parse_from(line).expect("parses").work;
        assert!(work(&["load"]).includes(Scenario::Sync));
        assert!(!work(&["load", "--scenario", "get"]).includes(Scenario::Sync));
    }
}
