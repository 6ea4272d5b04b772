//! The commands about the store itself.

use clap::{Args, Subcommand};

use super::secretive::StoreValue;
use super::{Common, Output};
use crate::config::StoreUrl;

/// `scimd store …`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Make the tables of a database, or bring those of an older version up to date
    #[command(
        after_help = "Examples:\n  scimd store migrate --role scimd --store postgres://owner@db.example.com/scim\n  \
        scimd store migrate --store sqlite:scimd.db\n\nA database is migrated by the role that owns its tables, and \
        served from by another one, which --role names. Servers of the version before that run may go on meanwhile, but \
        not be started again. A file is brought up to date whenever it is opened: end its server first."
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
        scimd store status --store sqlite:scimd.db --format json\n\nThe exit code is 1 where it cannot be served from: not as \
        this role, not by this version, or not before `scimd store migrate`."
    )]
    Status {
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
    /// Copy tenants into another store, compare everything, and hand them over
    #[command(after_help = COPY)]
    Copy(StoreCopy),
    /// Remove what a copy that was ended has left of a tenant, instead of going on with it
    #[command(
        after_help = "Examples:\n  scimd store discard acme --store postgres://scimd@db.example.com/scim\n\nA \
        tenant that is in use is never touched."
    )]
    Discard {
        /// The tenant
        tenant: String,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
    },
}

const COPY: &str = "Examples:
  scimd store copy --from sqlite:scimd.db --to postgres://scimd@db.example.com/scim
  scimd store copy --from sqlite:scimd.db --to sqlite:new.db --tenant acme --tenant umbrella

A tenant moves as it is: identifiers, versions, change log, audit trail, findings, passwords' hashes, policy, \
connection and tokens. Nobody may write to it meanwhile: stop the servers, or `scimd connection pause` it. A copy that \
was ended goes on when the command is run again, and one that is there already is compared. What is copied from stays \
as it is.";

/// `scimd store copy`.
#[derive(Debug, Args)]
pub struct StoreCopy {
    /// The store to copy from: sqlite:PATH or postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "STORE", value_parser = StoreValue)]
    pub from: StoreUrl,
    /// The store to copy to; a file is made if it is not there, a database needs its tables
    #[arg(long, value_name = "STORE", value_parser = StoreValue)]
    pub to: StoreUrl,
    /// A tenant to copy; may be repeated [default: all]
    #[arg(long = "tenant", value_name = "NAME")]
    pub tenants: Vec<String>,
    /// How the summary is printed.
    #[command(flatten)]
    pub output: Output,
}
