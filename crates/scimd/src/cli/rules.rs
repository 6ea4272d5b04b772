//! The commands about what a tenant allows and who its people are.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use scim_core::time::Timestamp;

use super::{Common, Output, moment};

/// Of which tenant, and where it is.
#[derive(Debug, Args)]
pub struct OfTenant {
    /// The tenant
    pub tenant: String,
    /// Where the configuration and the store are.
    #[command(flatten)]
    pub common: Common,
}

/// A list about a tenant.
#[derive(Debug, Args)]
pub struct Listing {
    /// Of which.
    #[command(flatten)]
    pub of: OfTenant,
    /// How it is printed.
    #[command(flatten)]
    pub output: Output,
}

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
        /// Of whom, where, and how the list is printed.
        #[command(flatten)]
        listing: Listing,
        /// The policy
        file: PathBuf,
    },
    /// Put a policy in force and derive every person anew
    #[command(
        after_help = "Examples:\n  scimd policy apply acme acme.toml --store sqlite:scimd.db\n\nUsers that are \
        stored and against the policy stay as they are, and are refused when they next change, unless they leave. \
        Without --anyway the policy is not put in force if there are any who are not against the one in force \
        already."
    )]
    Apply {
        /// Of whom, and where.
        #[command(flatten)]
        of: OfTenant,
        /// The policy
        file: PathBuf,
        /// Put it in force although users that are stored are against it
        #[arg(long)]
        anyway: bool,
    },
    /// Print the policy in force
    #[command(after_help = "Examples:\n  scimd policy show acme --store sqlite:scimd.db")]
    Show(OfTenant),
    /// Take the policy back: the protocol and the default mapping alone
    #[command(after_help = "Examples:\n  scimd policy remove acme --store sqlite:scimd.db")]
    Remove(OfTenant),
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
        /// Of whom, and where.
        #[command(flatten)]
        of: OfTenant,
        /// The schema document
        file: PathBuf,
    },
    /// Put another document in the place of a tenant's extension with the same id
    #[command(
        after_help = "Examples:\n  scimd connection pause acme\n  scimd schema replace acme extension.json\n  \
        scimd connection resume acme\n\nIt is refused where Users have values that would not stay what they are, as \
        those of an attribute that is not there any more, or is of another type. Attributes can be added, described and made \
        optional at any time."
    )]
    Replace {
        /// Of whom, and where.
        #[command(flatten)]
        of: OfTenant,
        /// The schema document
        file: PathBuf,
    },
    /// Remove a tenant's extension of which no User has values
    #[command(
        after_help = "Examples:\n  scimd connection pause acme\n  scimd schema remove acme urn:example:2.0:User\n  \
        scimd connection resume acme"
    )]
    Remove {
        /// Of whom, and where.
        #[command(flatten)]
        of: OfTenant,
        /// The id of the schema
        urn: String,
    },
    /// List a tenant's own extensions
    #[command(after_help = "Examples:\n  scimd schema list acme --store sqlite:scimd.db\n  \
        scimd schema list acme --format json | jq '.[].document'\n\nIn JSON, `document` is the extension as it was declared.")]
    List(Listing),
}

/// `scimd person …`.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// List a tenant's persons
    #[command(after_help = "Examples:\n  scimd person list acme --store sqlite:scimd.db")]
    List(Listing),
    /// Show one person
    #[command(
        after_help = "Examples:\n  scimd person show acme 01a21508-319e-78af-adff-cd823c945d29 --store sqlite:scimd.db\n  \
        scimd person show acme 01a21508-319e-78af-adff-cd823c945d29 --user --format json"
    )]
    Show {
        /// Of whom, where, and how the list is printed.
        #[command(flatten)]
        listing: Listing,
        /// The identifier
        id: String,
        /// Show everything that is stored of the User instead, attribute by attribute
        #[arg(long)]
        user: bool,
    },
    /// List the persons that came, changed or went after a change, each once and as it is now
    #[command(after_help = CHANGES)]
    Changes {
        /// Of whom, where, and how the list is printed.
        #[command(flatten)]
        listing: Listing,
        /// The number of the last change that is known already [default: from the beginning]
        #[arg(long, value_name = "SEQUENCE", default_value_t, hide_default_value = true)]
        after: u64,
        /// When that change was made, the `at` of its line: where it was made at another moment, it is another change, and the
        /// exit code is 3
        #[arg(long, value_name = "MOMENT", requires = "after", value_parser = moment)]
        at: Option<Timestamp>,
        /// The file to write the next `--after` and `--at` to, as JSON, once the list was printed; of an empty list too
        #[arg(long, value_name = "FILE")]
        mark: Option<PathBuf>,
    },
    /// List what `changes` lists, of all tenants at once, each after the change that a file has for it
    #[command(after_help = FOLLOW)]
    Follow {
        /// The file with the marks of the last time; where it is not there, everybody of all tenants is listed
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// The file to write the next marks to once the list was printed, another one than `--from`
        #[arg(long, value_name = "FILE")]
        mark: PathBuf,
        /// Where the configuration and the store are.
        #[command(flatten)]
        common: Common,
        /// How the list is printed.
        #[command(flatten)]
        output: Output,
    },
    /// Create and change the persons of a tenant without a connection from a CSV file, all of them or none
    #[command(after_help = IMPORT)]
    Import(Import),
    /// Write all persons, as `list` does: with --format json for programs, with csv for spreadsheets
    #[command(
        after_help = "Examples:\n  scimd person export acme --format csv --store sqlite:scimd.db > persons.csv"
    )]
    Export(Listing),
}

const CHANGES: &str = "\
Examples:
  scimd person changes acme --store sqlite:scimd.db
  scimd person changes acme --after 1729 --at 2026-11-01T08:30:00.125Z --format json
  scimd person changes acme --mark acme.next --format json

Keep the `sequence` and the `at` of the last line together with what you took over, and give them the next time. Where there \
is no line, keep those you have. With --mark there is always something to keep: `{\"after\":1729,\"at\":\"…\"}`. Nobody is missed, whenever you end; to take a list over again does no harm. Of a person that \
is `deleted`, only the identifier is left; one that has left the company is there, and not `active`.

The exit code is 3 where the store was set back to a backup since, or the tenant deleted: take over a list without `--after`, \
and remove whoever is not on it.";

const FOLLOW: &str = "\
Examples:
  scimd person follow --from scim.marks --mark scim.next --format json > news.json &&
      take-over news.json && mv scim.next scim.marks

A line without `id` is about a tenant: whoever you have of it and no line below names has gone. It comes where the tenant was \
deleted, or its mark cannot be gone on from, since the store was set back to a backup or the log pruned; everybody \
who is there comes after it.";

const IMPORT: &str = "\
Examples:
  scimd person import acme staff.csv --dry-run --store sqlite:scimd.db
  scimd person import acme personal.csv --column 'Vorname=first_name' --ignore 'Nr.'

The first line names the columns. A name, in any case, is one of

  a field of a person     first_name, last_name, email, gender, academic_degree, language, active,
                          or one of the application's own: it goes where the tenant's mapping
                          takes the field from
  an attribute of SCIM    userName, displayName, title, preferredLanguage, externalId, givenName,
                          familyName, department, name.honorificPrefix,
                          emails[type eq \"work\"].value, urn:…:User:costCenter

Without a column userName the address is taken for it. Whoever has the userName of a row is changed: what the file has a \
column for is replaced, an empty cell takes the value away, and the rest stays. Whoever is not in the file is left \
alone; set `active` to false to let somebody go.

Every row is held to the schemas and to the tenant's rules first, as if it had come through SCIM. Only if none is \
refused are they written. If writing ends early, because the disk is full for instance, import the same file again.";

/// `scimd person import`.
#[derive(Debug, Args)]
pub struct Import {
    /// Of whom, where, and how the list is printed.
    #[command(flatten)]
    pub listing: Listing,
    /// The file: comma-separated values in UTF-8, with a line of names
    pub file: PathBuf,
    /// Say what would become of each row, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What stands between cells: a character, or `tab` [default: what the first line has of `,`, `;` and tabs]
    #[arg(long, value_name = "CHARACTER", value_parser = separator)]
    pub separator: Option<u8>,
    /// What a column is, where its name does not say so; may be repeated
    #[arg(long = "column", value_name = "NAME=ATTRIBUTE", value_parser = renaming)]
    pub columns: Vec<(String, String)>,
    /// A column to pass over; may be repeated
    #[arg(long, value_name = "NAME")]
    pub ignore: Vec<String>,
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii_punctuation() && *byte != b'"' || *byte == b'\t' => Ok(*byte),
        _ => Err("use one character, such as `;`, or `tab`".to_owned()),
    }
}

fn renaming(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, attribute)) if !name.trim().is_empty() && !attribute.trim().is_empty() => {
            Ok((name.trim().to_owned(), attribute.trim().to_owned()))
        }
        _ => Err("write the column's name, `=`, and an attribute: `Vorname=first_name`".to_owned()),
    }
}

/// `scimd gender …`.
#[derive(Debug, Subcommand)]
pub enum GenderCommand {
    /// List the words that people have for their gender: those that the policy does not know first, with how many have them
    #[command(
        after_help = "Examples:\n  scimd gender list acme --store sqlite:scimd.db\n\nA word without a gender is mapped in the \
        policy, under `[gender] vocabulary`; `scimd policy apply` derives everybody anew."
    )]
    List(Listing),
}

/// `scimd findings …`.
#[derive(Debug, Subcommand)]
pub enum FindingsCommand {
    /// List what the rules said of requests: refusals, warnings and notes, each once with how often it came and when it was last judged
    #[command(
        after_help = "Examples:\n  scimd findings list acme --rule domain-not-listed --store sqlite:scimd.db\n  \
        scimd findings list acme --person ada@example.com --since 2026-11-01T00:00:00Z"
    )]
    List {
        /// Of whom, where, and how the list is printed.
        #[command(flatten)]
        listing: Listing,
        /// Only those since this moment, such as 2026-11-01T00:00:00Z
        #[arg(long, value_parser = moment)]
        since: Option<Timestamp>,
        /// Only those of this code, such as domain-not-listed
        #[arg(long, value_name = "CODE")]
        rule: Option<String>,
        /// Only those about this person, or that name them: an identifier, a userName or an address
        #[arg(long)]
        person: Option<String>,
        /// Also those that are settled
        #[arg(long)]
        all: bool,
    },
    /// Settle what will never be sent again, so that it is neither listed nor replayed
    #[command(after_help = "Examples:\n  scimd findings dismiss acme 17 --store sqlite:scimd.db\n  \
        scimd findings dismiss acme 17 18 23 --store sqlite:scimd.db\n\nWhat is older about the same person, or the same \
        member of a group, is settled with it. Who did it is in the tenant's audit trail. If the request comes again, and is \
        refused again, it is listed again.")]
    Dismiss {
        /// Of whom, and where.
        #[command(flatten)]
        of: OfTenant,
        /// The number, as `scimd findings list` shows it; several are taken one after the other
        #[arg(required = true, value_name = "NUMBER")]
        numbers: Vec<u64>,
    },
    /// Erase for good what the rules said of requests, settled or not, and what is kept of the requests
    #[command(after_help = "Examples:\n  scimd findings erase acme 17 --store sqlite:scimd.db\n  \
        scimd findings list acme --all --person ada@example.com --format json |\n      \
        jq '[.[].number] | unique[]' | xargs -r scimd findings erase acme\n\nThat it was done is in the tenant's audit trail, without \
        names. If the request comes again, and is refused again, it is listed again.")]
    Erase {
        /// Of whom, and where.
        #[command(flatten)]
        of: OfTenant,
        /// The number, as `scimd findings list --all` shows it; several are taken one after the other
        #[arg(required = true, value_name = "NUMBER")]
        numbers: Vec<u64>,
    },
}

/// `scimd group …`.
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// List who is in more than one group
    #[command(after_help = "Examples:\n  scimd group conflicts acme --store sqlite:scimd.db")]
    Conflicts(Listing),
}
