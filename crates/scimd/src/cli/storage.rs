//! The commands about the store itself.

use clap::Subcommand;

use super::{Common, Output};

/// `scimd store …`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Make the tables of a database, or bring those of an older version up to date
    #[command(
        after_help = "Examples:\n  scimd store migrate --role scimd --store postgres://owner@db.example.com/scim\n  \
        scimd store migrate --store sqlite:scimd.db\n\nA database is migrated by the role that owns its tables, and \
        served from by another one, which --role names. Servers of the version before may go on meanwhile. A file is \
        brought up to date whenever it is opened."
    )]
    Migrate {
        /// The role that servers connect as, which is allowed to use the tables
        #[arg(long, value_name = "ROLE")]
        role: Option<String>,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
    /// Show a store's schema, role and protection, its sizes, and how much each tenant has
    #[command(
        after_help = "Examples:\n  scimd store status --store postgres://scimd@db.example.com/scim\n  \
        scimd store status --store sqlite:scimd.db --format json"
    )]
    Status {
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
}
