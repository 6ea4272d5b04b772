//! The command line.

mod audit;
mod rules;
mod secretive;
mod storage;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use scim_core::time::{Instant, Timestamp};
use scim_service::directory::Idp;
use scim_store::UnknownMembers;

pub use self::audit::{AuditCommand, Span};
pub use self::rules::{
    FindingsCommand, GenderCommand, GroupCommand, Import, Listing, OfTenant, PersonCommand, PolicyCommand,
    SchemaCommand,
};
use self::secretive::StoreValue;
pub use self::storage::{StoreCommand, StoreCopy};
use crate::config::{Flags, StoreUrl};

const EXAMPLES: &str = "\
Examples:
  scimd quickstart                          try it out: a server, a tenant and a token
  scimd serve --config /etc/scimd/scimd.toml
  scimd tenant create acme --store sqlite:scimd.db
  scimd connection create acme --idp entra --store sqlite:scimd.db
  scimd token create acme --expires 180d --store sqlite:scimd.db
  scimd policy init acme --preset workforce
  scimd policy apply acme acme.toml --store sqlite:scimd.db

Administration works while a server runs on the same store.

Exit codes:
  0  done
  1  it could not be done
  2  the command line, the configuration or a file that they name is wrong; nothing was done
  3  what `person changes` or `audit` was to go on after is not there: begin anew";

/// Characters in a line of help, at most. A paragraph is one line in the source, and is broken where it is shown.
const HELP_WIDTH: usize = 100;

/// A SCIM 2.0 server: identity providers push users and groups, your application reads them.
#[derive(Debug, Parser)]
#[command(name = "scimd", version, arg_required_else_help = true, after_help = EXAMPLES, max_term_width = HELP_WIDTH)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try it out: make a store, a tenant and a token if there are none, serve, and say what to type where
    #[command(
        after_help = "Examples:\n  scimd quickstart\n  scimd quickstart --idp okta --listen 127.0.0.1:9000\n  \
        scimd quickstart --idp entra --base-url https://example.trycloudflare.com"
    )]
    Quickstart(Quickstart),
    /// Serve, until a signal ends it
    #[command(after_help = "Examples:\n  scimd serve --store sqlite:scimd.db --listen 127.0.0.1:8080\n  \
        scimd serve --config /etc/scimd/scimd.toml\n\nSIGTERM and SIGINT end the server after the requests that were begun; \
        SIGHUP reads certificate and key again.")]
    Serve(Serve),
    /// Create, list, set up and delete tenants, one for each customer
    #[command(subcommand, arg_required_else_help = true)]
    Tenant(TenantCommand),
    /// Connect tenants to their identity providers
    #[command(subcommand, arg_required_else_help = true)]
    Connection(ConnectionCommand),
    /// Create, list and revoke the tokens that identity providers present
    #[command(subcommand, arg_required_else_help = true)]
    Token(TokenCommand),
    /// Write, compare and apply a tenant's policy
    #[command(subcommand, arg_required_else_help = true)]
    Policy(PolicyCommand),
    /// Declare, change and remove extensions of one tenant
    #[command(subcommand, arg_required_else_help = true)]
    Schema(SchemaCommand),
    /// Read the person records that the application sees; import them for tenants without an identity provider
    #[command(subcommand, arg_required_else_help = true)]
    Person(PersonCommand),
    /// See which words people have for their gender
    #[command(subcommand, arg_required_else_help = true)]
    Gender(GenderCommand),
    /// Read what the rules said of requests, and settle what will not come again
    #[command(subcommand, arg_required_else_help = true)]
    Findings(FindingsCommand),
    /// Look into groups
    #[command(subcommand, arg_required_else_help = true)]
    Group(GroupCommand),
    /// Read who did what, and when; remove what is older than it has to be kept
    #[command(subcommand, arg_required_else_help = true)]
    Audit(AuditCommand),
    /// Make a database ready to be served from, see how a store is, and move tenants between stores
    #[command(subcommand, arg_required_else_help = true)]
    Store(StoreCommand),
    /// Show what a tenant's mapping and rules make of a User: each field, where it came from, each finding
    #[command(after_help = "Examples:\n  scimd explain acme user.json --store sqlite:scimd.db\n  \
        scimd explain acme --user 01a21508-319e-78af-adff-cd823c945d29\n  \
        scimd explain acme user.json --format json | jq -e 'any(.severity == \"error\")'\n\nOther people are not looked at: whether \
        an address is taken turns out when the User is sent. For programs, findings are in the list after the fields: a row \
        has a `field` or a `code`.")]
    #[command(group = clap::ArgGroup::new("whom").args(["file", "user"]).required(true))]
    Explain {
        /// Of whom, where, and how the list is printed.
        #[command(flatten)]
        listing: Listing,
        /// A User as its identity provider sends it, as JSON
        file: Option<PathBuf>,
        /// One that is stored, by its identifier
        #[arg(long, value_name = "ID")]
        user: Option<String>,
    },
    /// Carry out again what was refused and whose cause is mended, oldest first
    #[command(
        after_help = "Examples:\n  scimd replay acme --store sqlite:scimd.db\n\nA request about somebody of whom \
        something newer was accepted since is never carried out."
    )]
    Replay(Listing),
    /// Check a configuration with the schemas and certificates that it names, and open no store
    #[command(after_help = "Examples:\n  scimd check --config scimd.toml")]
    Check(Check),
    /// Print a commented configuration with all defaults
    #[command(after_help = "Examples:\n  scimd config > scimd.toml")]
    Config,
}

/// `scimd quickstart`.
#[derive(Debug, Args)]
pub struct Quickstart {
    /// The identity provider that will push: entra, okta or generic [default: entra, or what the tenant has]
    #[arg(long, value_parser = idp)]
    pub idp: Option<Idp>,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = address)]
    pub listen: SocketAddr,
    /// What clients reach the server under, if a tunnel or a proxy leads to it
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// The folder for the store and the token
    #[arg(long, value_name = "FOLDER", default_value = "./scimd-data")]
    pub data: PathBuf,
}

/// `scimd serve`.
#[derive(Debug, Clone, Args)]
pub struct Serve {
    /// The configuration file [environment: SCIMD_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The store: sqlite:PATH, postgres://USER@HOST/DATABASE, or memory to try it out [environment: SCIMD_STORE]
    #[arg(long, value_name = "STORE", value_parser = StoreValue)]
    store: Option<StoreUrl>,
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    listen: Option<SocketAddr>,
    /// What clients reach the server under, such as `https://scim.example.com`
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

/// Where the configuration and the store are.
#[derive(Debug, Args)]
pub struct Common {
    /// The configuration file [environment: SCIMD_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The store: sqlite:PATH or postgres://USER@HOST/DATABASE [environment: SCIMD_STORE] [default: sqlite:scimd.db]
    #[arg(long, value_name = "STORE", value_parser = StoreValue)]
    store: Option<StoreUrl>,
}

/// `scimd tenant …`.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// Create a tenant
    #[command(after_help = "Examples:\n  scimd tenant create acme --store sqlite:scimd.db")]
    Create {
        /// Its name, which is part of its URL: lower-case letters, digits and hyphens
        name: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
    /// Change what is particular to a tenant; running servers follow within five seconds
    #[command(
        after_help = "Examples:\n  scimd tenant set acme --unknown-members ignore --store sqlite:scimd.db"
    )]
    Set {
        /// The tenant
        tenant: String,
        /// What becomes of group members that do not exist: refuse the request, ignore them, or as the server's
        /// configuration says
        #[arg(long, value_name = "WHAT", value_enum)]
        unknown_members: Unknown,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
    /// Delete a tenant with everything that is kept of it: users, groups, persons, audit trail, findings, tokens, policy
    #[command(after_help = DELETE)]
    Delete {
        /// The tenant
        tenant: String,
        /// Delete without asking
        #[arg(long)]
        yes: bool,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
    /// List all tenants
    #[command(after_help = "Examples:\n  scimd tenant list --store sqlite:scimd.db --format json")]
    List {
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
}

const DELETE: &str = "\
Examples:
  scimd audit list acme --after 0 --format json > acme-audit.json    if it has to be kept
  scimd connection pause acme
  scimd tenant delete acme
  scimd tenant delete acme --yes --store sqlite:scimd.db             where nobody can be asked

A tenant whose connection is in use is not touched. Within five seconds running servers do not know the tenant any more. The \
data go in portions, between which others write; if the command is ended, run it again. Then the name is free, and whoever \
gets it inherits nothing.";

/// What becomes of group members that do not exist, in one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Unknown {
    /// The request is refused
    Refuse,
    /// They are left out
    Ignore,
    /// As the server's configuration says
    Default,
}

impl From<Unknown> for Option<UnknownMembers> {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::Refuse => Some(UnknownMembers::Refuse),
            Unknown::Ignore => Some(UnknownMembers::Ignore),
            Unknown::Default => None,
        }
    }
}

/// `scimd connection …`.
#[derive(Debug, Subcommand)]
pub enum ConnectionCommand {
    /// Connect a tenant to its identity provider
    #[command(after_help = "Examples:\n  \
        scimd connection create acme --idp entra --idp-tenant 8f14e45f-ceea-467f-a3a1-0123456789ab\n  \
        scimd connection create acme --idp okta --idp-tenant https://example.okta.com\n  \
        scimd connection create acme --idp generic --quirk remove-by-value")]
    Create(Connect),
    /// Give a tenant's connection another kind, other quirks or another tenant there, without refusing anybody meanwhile
    #[command(after_help = "Examples:\n  \
        scimd connection replace acme --idp generic --quirk remove-by-value --quirk echoed-id\n\n\
        What is not named the connection has no longer. Tokens, users and groups stay, and one that is paused stays so.")]
    Replace(Connect),
    /// Show a tenant's connection
    #[command(after_help = "Examples:\n  scimd connection show acme --store sqlite:scimd.db")]
    Show {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
    /// Refuse the requests of a tenant's connection until it is resumed
    #[command(after_help = "Examples:\n  scimd connection pause acme --store sqlite:scimd.db")]
    Pause {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
    /// Let the requests of a paused connection in again
    #[command(after_help = "Examples:\n  scimd connection resume acme --store sqlite:scimd.db")]
    Resume {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
    /// Remove a tenant's connection; its users, groups and tokens stay
    #[command(after_help = "Examples:\n  scimd connection remove acme --store sqlite:scimd.db")]
    Remove {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
}

/// What a connection shall be.
#[derive(Debug, Args)]
pub struct Connect {
    /// The tenant
    pub tenant: String,
    /// The kind of identity provider: entra, okta or generic
    #[arg(long, value_parser = idp)]
    pub idp: Idp,
    /// Which tenant or organisation there: a GUID for entra, a URL or an ID for okta
    #[arg(long, value_name = "ID")]
    pub idp_tenant: Option<String>,
    /// A deviation from the RFCs to understand besides; may be repeated
    #[arg(long = "quirk", value_name = "NAME")]
    pub quirks: Vec<String>,
    /// The customer has no licence to provision groups (Entra ID P1): switch the Groups endpoint off
    #[arg(long)]
    pub users_only: bool,
    /// Where the configuration and the store are.
    #[command(flatten)]
    pub common: Common,
}

/// `scimd token …`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Create a token and print it, once
    #[command(after_help = "Examples:\n  scimd token create acme --expires 180d\n  \
        (umask 077; scimd token create acme --expires 180d > token)\n\nThe token stands alone on the standard output. A tenant may have several valid tokens, so that one can be \
        replaced without a gap.")]
    Create {
        /// The tenant
        tenant: String,
        /// When it ends: after a time such as 12h or 180d, or at a moment such as 2027-01-31T00:00:00Z [default: never]
        #[arg(long, value_name = "WHEN", value_parser = Expiry::parse, allow_hyphen_values = true)]
        expires: Option<Expiry>,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
    /// List a tenant's tokens, or all, without their secrets
    #[command(after_help = "Examples:\n  scimd token list acme --store sqlite:scimd.db\n  \
        scimd token list --format json\n\nA token that is `ending` has 14 days left, or less: create another, give it to the \
        identity provider, and revoke this one.")]
    List {
        /// The tenant [default: all]
        tenant: Option<String>,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
    /// Revoke a token; every server on the store refuses it within five seconds
    #[command(after_help = "Examples:\n  scimd token revoke abcd2345 --store sqlite:scimd.db")]
    Revoke {
        /// The identifier: the 8 characters between the underscores of the token
        id: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
}

/// `scimd check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The configuration file [environment: SCIMD_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How a list is printed.
#[derive(Debug, Args)]
pub struct Output {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people
    Table,
    /// One array of objects
    Json,
    /// Comma-separated values with a line of names
    Csv,
}

impl Common {
    /// The flags as they were given, to repeat them in a command that comes next.
    pub(crate) fn again(&self) -> String {
        let config = self.config.as_ref().map(|file| format!(" --config {}", file.display()));
        let store = self.store.as_ref().map(|store| format!(" --store {}", store.argument()));
        config.into_iter().chain(store).collect()
    }

    pub(crate) fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), store: self.store.clone(), ..Flags::default() }
    }
}

impl Serve {
    pub(crate) fn flags(&self) -> Flags {
        let Self { config, store, listen, base_url } = self.clone();
        Flags { config, store, listen, base_url }
    }
}

impl Check {
    pub(crate) fn flags(&self) -> Flags {
        Flags { config: self.config.clone(), ..Flags::default() }
    }
}

/// When something ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// This many seconds from now.
    After(i64),
    /// At this moment.
    At(Timestamp),
}

impl Expiry {
    /// Reads `90s`, `30m`, `12h`, `180d`, `26w`, or an RFC 3339 moment.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(moment) = moment(text) {
            return Ok(Self::At(moment));
        }
        match seconds(text) {
            Some(seconds) if seconds > 0 => Ok(Self::After(seconds)),
            _ => {
                Err("use a time such as `12h` or `180d`, or a moment such as `2027-01-31T00:00:00Z`"
                    .to_owned())
            }
        }
    }

    /// The moment, seen from `now`.
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::After(seconds) => now.plus_seconds(seconds),
            Self::At(moment) => moment,
        }
    }
}

/// The seconds of a time such as `90s`, `30m`, `12h`, `180d` or `26w`.
fn seconds(text: &str) -> Option<i64> {
    let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)];
    units.into_iter().find_map(|(unit, seconds)| {
        let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
        Some(i64::from(number) * seconds)
    })
}

/// A moment, to the millisecond, as lists have it.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    let moment = Instant::parse(text).ok_or("use a moment such as `2026-11-01T00:00:00Z`")?;
    Ok(Timestamp(moment.seconds.saturating_mul(1000).saturating_add(i64::from(moment.nanos / 1_000_000))))
}

fn idp(text: &str) -> Result<Idp, String> {
    Idp::parse(text).map_err(|error| error.detail())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "use an IP address and a port, such as `127.0.0.1:8080` or `[::]:443`".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// What the command line is understood as, or the complaint about it.
    fn parse(line: &str) -> Result<Command, String> {
        let arguments = std::iter::once("scimd").chain(line.split_whitespace());
        Cli::try_parse_from(arguments).map(|cli| cli.command).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_with_an_example() {
        fn walk(command: &mut clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            if !command.has_subcommands() {
                let help = command.render_long_help().to_string();
                assert!(help.contains("scimd "), "{path} shows no example:\n{help}");
            }
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for block in text.split("\n\n").filter(|block| block.contains('\n')) {
                let broken_again = block.lines().find(|line| line.chars().count() > HELP_WIDTH);
                assert_eq!(
                    broken_again, None,
                    "{path}: break these lines earlier, or leave breaking to help"
                );
            }
            for child in command.get_subcommands_mut().filter(|child| child.get_name() != "help") {
                walk(child, &path);
            }
        }
        walk(&mut Cli::command(), "");
        assert!(Cli::command().render_help().to_string().contains("Exit codes:"));
    }

    #[test]
    fn commands_are_understood() {
        fn check(line: &str, expected: &str) {
            let command = parse(line).map_or_else(|error| error, |command| format!("{command:?}"));
            assert!(command.contains(expected), "{line}: {command}");
        }
        check(
            "quickstart",
            "Quickstart { idp: None, listen: 127.0.0.1:8080, base_url: None, data: \"./scimd-data\" }",
        );
        check("quickstart --idp okta --listen [::1]:1", "idp: Some(Okta), listen: [::1]:1");
        check("serve --store memory --listen 127.0.0.1:0", "store: Some(Memory), listen: Some(127.0.0.1:0)");
        check("tenant create acme --store sqlite:a.db", "Create { name: \"acme\"");
        check("tenant list --format csv", "format: Csv");
        check("connection create acme --idp entra --quirk a --quirk b", "quirks: [\"a\", \"b\"]");
        check("token create acme --expires 180d", "expires: Some(After(15552000))");
        check("token create acme --expires 1970-01-01T00:01:00Z", "expires: Some(At(Timestamp(60000)))");
        check("token revoke abcd2345", "id: \"abcd2345\"");
        check(
            "store copy --from sqlite:a.db --to sqlite:b.db --tenant x --tenant y",
            "from: Sqlite(\"a.db\"), to: Sqlite(\"b.db\"), tenants: [\"x\", \"y\"]",
        );
        check("check --config x.toml", "config: Some(\"x.toml\")");
        check("person import acme a.csv --separator tab", "separator: Some(9)");
        check("person import acme a.csv --column Vorname=first_name", "[(\"Vorname\", \"first_name\")]");
        check("explain acme user.json --format json", "tenant: \"acme\"");
    }

    #[test]
    fn mistakes_are_explained() {
        fn check(line: &str, expected: &str) {
            let complaint = parse(line).expect_err(line);
            assert!(complaint.contains(expected), "{line}: {complaint}");
        }
        check("quikstart", "quickstart");
        check(
            "connection create acme --idp adfs",
            "signs people in but does not provision them; let Entra ID",
        );
        check("connection create acme", "--idp <IDP>");
        check("serve --store postgres://x", "name the role to connect as");
        check("serve --store postgress://scimd@x/y", "begins with `postgres://`");
        check("serve --store sqlte:x", "did you mean `sqlite:PATH`?");
        check("serve --store sqlite:", "name its file");
        check("serve --listen 8080", "use an IP address and a port");
        check("serve --listn 8080", "--listen");
        check("token create acme --expires 180", "use a time such as");
        check("token create acme --expires 0d", "use a time such as");
        check("token create acme --expires -1d", "use a time such as");
        check("store copy --from sqlite:a.db", "--to <STORE>");
        check("tenant list --format xml", "table, json, csv");
        check("person import acme a.csv --separator ab", "use one character");
        check("person import acme a.csv --column Vorname", "`Vorname=first_name`");
    }
}
