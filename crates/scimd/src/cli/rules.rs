//! The commands about what a tenant allows and who its people are.

use std::path::PathBuf;

use clap::Subcommand;

use super::{Common, Output};

/// `scimd policy …`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Write the recommended policy as a commented file, to edit and then apply
    #[command(after_help = "Examples:\n  scimd policy init acme --preset workforce\n  \
        scimd policy init acme --output acme.toml")]
    Init {
        /// The tenant that it will be for
        tenant: String,
        /// Which policy to begin with
        #[arg(long, default_value = "workforce")]
        preset: String,
        /// The file to write, which must not be there [default: TENANT.toml]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show who would be refused, changed or newly accepted under another policy; nothing changes
    #[command(after_help = "Examples:\n  scimd policy diff acme acme.toml --store sqlite:scimd.db")]
    Diff {
        /// The tenant
        tenant: String,
        /// The policy
        file: PathBuf,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
    /// Put a policy in force and derive every person anew
    #[command(
        after_help = "Examples:\n  scimd policy apply acme acme.toml --store sqlite:scimd.db\n\nUsers that are \
        stored and against the policy stay as they are, and are refused when they next change, unless they leave. \
        Without --anyway the policy is not put in force if there are any."
    )]
    Apply {
        /// The tenant
        tenant: String,
        /// The policy
        file: PathBuf,
        /// Although users that are stored are against it
        #[arg(long)]
        anyway: bool,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
    /// Print the policy in force
    #[command(after_help = "Examples:\n  scimd policy show acme --store sqlite:scimd.db")]
    Show {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
    /// Take the policy back: the protocol and the default mapping alone
    #[command(after_help = "Examples:\n  scimd policy remove acme --store sqlite:scimd.db")]
    Remove {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
}

/// `scimd schema …`.
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Let a tenant's users have an extension of their own
    #[command(
        after_help = "Examples:\n  scimd schema add acme extension.json --store sqlite:scimd.db\n\nThe file is a \
        schema document of RFC 7643 section 7."
    )]
    Add {
        /// The tenant
        tenant: String,
        /// The schema document
        file: PathBuf,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
    /// List a tenant's own extensions
    #[command(after_help = "Examples:\n  scimd schema list acme --store sqlite:scimd.db")]
    List {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
}

/// `scimd person …`.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// List a tenant's persons
    #[command(after_help = "Examples:\n  scimd person list acme --store sqlite:scimd.db")]
    List {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
    /// Show one person
    #[command(
        after_help = "Examples:\n  scimd person show acme 01a21508-319e-78af-adff-cd823c945d29 --store sqlite:scimd.db"
    )]
    Show {
        /// The tenant
        tenant: String,
        /// The identifier
        id: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How it is printed.
        #[command(flatten)]
        output: Output,
    },
    /// Write all persons, for programs
    #[command(
        after_help = "Examples:\n  scimd person export acme --format csv --store sqlite:scimd.db > persons.csv"
    )]
    Export {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How they are written.
        #[command(flatten)]
        output: Output,
    },
}

/// `scimd findings …`.
#[derive(Debug, Subcommand)]
pub enum FindingsCommand {
    /// List what the rules said of requests: refusals, warnings and notes, each once with how often it came
    #[command(
        after_help = "Examples:\n  scimd findings list acme --rule domain-not-listed --store sqlite:scimd.db\n  \
        scimd findings list acme --person ada@example.com --since 2026-11-01T00:00:00Z"
    )]
    List {
        /// The tenant
        tenant: String,
        /// Only those since this moment, such as 2026-11-01T00:00:00Z
        #[arg(long)]
        since: Option<String>,
        /// Only those of this code, such as domain-not-listed
        #[arg(long, value_name = "CODE")]
        rule: Option<String>,
        /// Only those about this person: an identifier, a userName or an address
        #[arg(long)]
        person: Option<String>,
        /// Those too that something since has settled
        #[arg(long)]
        all: bool,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
}

/// `scimd group …`.
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List who is in more than one group
    #[command(after_help = "Examples:\n  scimd group conflicts acme --store sqlite:scimd.db")]
    Conflicts {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
}
