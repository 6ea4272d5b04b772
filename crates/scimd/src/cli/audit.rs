//! The commands that read the audit trail, and prune it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use scim_core::time::Timestamp;

use super::{Common, Listing, OfTenant, Output, moment, seconds};

/// `scimd audit …`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List who changed what of a tenant's users and groups, what was refused, and by which request: the latest hundred,
    /// or all after an entry; oldest first
    #[command(after_help = LIST)]
    List {
        /// Of whom, where, and how the list is printed.
        #[command(flatten)]
        listing: Listing,
        /// Which entries.
        #[command(flatten)]
        span: Span,
        /// Only entries about the resource with this identifier: what was done to it, refused of it, or done with it as a
        /// member of a group
        #[arg(long, value_name = "ID")]
        resource: Option<String>,
        /// Only what came of this request: the identifier that the client found in `X-Request-Id`
        #[arg(long, value_name = "ID")]
        request: Option<String>,
    },
    /// List what operators did: to tenants, connections, tokens, policies and schemas; the latest hundred, or all after
    /// an entry; oldest first
    #[command(after_help = ADMINISTRATION)]
    Administration {
        /// Only what was done to this tenant, which may be deleted by now
        tenant: Option<String>,
        /// Which entries.
        #[command(flatten)]
        span: Span,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
    /// Remove what is older than a time from a tenant's audit trail, and from the log of changes that persons are followed by
    #[command(after_help = PRUNE)]
    Prune {
        /// Of whom, and where.
        #[command(flatten)]
        of: OfTenant,
        /// How long entries are kept: a time such as 400d or 26w, a day at least
        #[arg(long, value_name = "TIME", value_parser = age)]
        older_than: i64,
        /// Say how much would go, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// A time in seconds, long enough that nothing is removed which servers still look for.
fn age(text: &str) -> Result<i64, String> {
    match seconds(text) {
        Some(seconds) if seconds >= 86_400 => Ok(seconds),
        Some(_) => Err("keep a day at least, such as `400d`".to_owned()),
        None => Err("use a time such as `400d` or `26w`".to_owned()),
    }
}

/// Which entries of a trail are listed.
#[derive(Debug, Args)]
pub struct Span {
    /// All after the entry with this number; 0 is from the beginning
    #[arg(long, value_name = "NUMBER")]
    pub after: Option<u64>,
    /// When that entry was made, its `at`: where it was made at another moment, it is another entry, and the exit code is 3
    #[arg(long, value_name = "MOMENT", requires = "after", value_parser = moment)]
    pub at: Option<Timestamp>,
    /// At most so many: with --after the first, otherwise the latest [default: 100, or all with --after]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// The file to write the next `--after` and `--at` to, as JSON, once the list was printed; of an empty list too
    #[arg(long, value_name = "FILE")]
    pub mark: Option<PathBuf>,
}

const LIST: &str = "\
Examples:
  scimd audit list acme --store sqlite:scimd.db
  scimd audit list acme --resource 01a21508-319e-78af-adff-cd823c945d29 --limit 20
  scimd audit list acme --request 4bc73133ed833ceb
  scimd audit list acme --after 1729 --at 2026-11-01T08:30:00.125Z --format json

The actor is the identifier of a token, as `scimd token list` has it, or a command, as `cli:person import`. The request is \
what the log and the client's X-Request-Id call it. Names are those of today; what is deleted has none. To follow, keep the \
`number` and the `at` of the last line, and give them the next time; or what --mark writes, `{\"after\":1729,\"at\":\"…\"}`, \
which is also of what was looked at and not listed.";

const ADMINISTRATION: &str = "\
Examples:
  scimd audit administration --store sqlite:scimd.db
  scimd audit administration acme --after 0 --format csv

The actor is a command, as `cli:token create`, or `scimd` for what servers do by themselves.";

const PRUNE: &str = "\
Examples:
  scimd audit prune acme --older-than 400d --dry-run --store sqlite:scimd.db
  scimd audit prune acme --older-than 400d

Of either log the newest entry from before that time stays, so that whoever follows persons or the trail, and has asked since, \
goes on as before. Who has not asked since ends with exit code 3 and begins anew. That it was done is in the trail of \
administration, which is kept whole. Servers may run meanwhile.";
