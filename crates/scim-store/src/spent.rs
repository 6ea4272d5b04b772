//! What somebody has spent of a rate. Whose rate that is, and what it is spent on, is not for a store to know.

use std::time::Duration;

/// What somebody has spent with one process, as time: a rate of fifty a second gives twenty milliseconds for each.
///
/// Whoever owes nothing and spends two seconds' worth owes two seconds, and nothing again two seconds later. What was
/// spent [`within`](Self::within) a time has had that long to pass already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// Who.
    pub by: String,
    /// How much.
    pub amount: Duration,
    /// Over which time, until now.
    pub within: Duration,
}
