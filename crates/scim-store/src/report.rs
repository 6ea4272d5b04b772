//! Reports: what a tenant's rules said of a request, kept so that its administrator can read it and the request can be
//! tried again once its cause is mended.
//!
//! A store reads nothing into a report. It knows whom one is about, whether it repeats another, and whether it is settled.
//!
//! # How many are kept
//!
//! Whoever sends can make a tenant's rules say something with every request, so there is a limit to everything: a tenant
//! keeps [`Report::MOST`] reports and [`Report::MOST_OF_SUBJECT`] about one subject, each with a body of at most
//! [`Report::MOST_BODY`] bytes. What is too many goes with the commit that made it so: about one subject the oldest, and
//! otherwise settled reports first, and of these the oldest. An operator may have one go at any time
//! ([`crate::Changeset::forgets`]).

use bytes::Bytes;
use scim_core::time::Timestamp;

/// What the rules said of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whom it is about.
    pub subject: String,
    /// Stands for the request. The same request again, before the report is settled, is counted and not stored again.
    pub digest: [u8; 32],
    /// The request's identifier, as in the log and the answer.
    pub request: String,
    /// The HTTP method.
    pub method: String,
    /// The path below the tenant's base URL.
    pub path: String,
    /// The body as JSON, without secrets. Empty of a request that was accepted, or that nobody can carry out again, and where
    /// it is longer than [`Self::MOST_BODY`]. It is kept so that the request can be carried out again, and goes when the report
    /// is settled.
    pub body: Bytes,
    /// The HTTP status of the answer.
    pub status: u16,
    /// What was said, as JSON.
    pub findings: Bytes,
}

impl Report {
    /// Most reports that are kept of a tenant.
    pub const MOST: u64 = 20_000;
    /// Most reports that are kept about one subject.
    pub const MOST_OF_SUBJECT: usize = 20;
    /// The longest body that is kept, in bytes.
    pub const MOST_BODY: usize = 64 * 1024;
}

/// A report as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Its number within the tenant. A later one is higher, and a report that comes again gets a new one.
    pub number: u64,
    /// The tenant's latest change when it was committed.
    pub sequence: u64,
    /// When it was committed, or last carried out again in vain.
    pub at: Timestamp,
    /// When the same request was first reported.
    pub first: Timestamp,
    /// How often the same request came. Carrying it out again does not count.
    pub count: u64,
    /// Whether something since has made it a thing of the past. Its body is empty then.
    pub settled: bool,
    /// What was said.
    pub report: Report,
}

impl Reported {
    /// Makes it a thing of the past, which nobody carries out again.
    pub fn settle(&mut self) {
        self.settled = true;
        self.report.body = Bytes::new();
    }
}
