//! The reports of a tenant, by number and by subject.

use std::collections::{BTreeMap, BTreeSet};

use scim_store::draft::{Going, Kept};
use scim_store::{ReportQuery, Reported};

/// All of them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reports {
    by_number: BTreeMap<u64, Reported>,
    by_subject: BTreeSet<(String, u64)>,
}

impl Reports {
    pub(crate) fn settle(&mut self, number: u64) {
        if let Some(reported) = self.by_number.get_mut(&number) {
            reported.settle();
        }
    }

    pub(crate) fn remove(&mut self, number: u64) {
        if let Some(reported) = self.by_number.remove(&number) {
            self.by_subject.remove(&(reported.report.subject, number));
        }
    }

    pub(crate) fn add(&mut self, reported: Reported) {
        self.by_subject.insert((reported.report.subject.clone(), reported.number));
        self.by_number.insert(reported.number, reported);
    }

    pub(crate) fn about(&self, subject: &str) -> Vec<Kept> {
        let numbers = self.by_subject.range((subject.to_owned(), 0)..).take_while(|(of, _)| of == subject);
        numbers.filter_map(|(_, number)| self.by_number.get(number)).map(Kept::from).collect()
    }

    /// The subjects of open ones that begin so.
    pub(crate) fn below(&self, beginning: &str) -> Vec<String> {
        let open = self.by_number.values().filter(|reported| !reported.settled);
        let subjects = open.map(|reported| &reported.report.subject);
        let below: BTreeSet<&String> = subjects.filter(|subject| subject.starts_with(beginning)).collect();
        below.into_iter().cloned().collect()
    }

    /// The first that go: settled ones, then the others, both by number.
    pub(crate) fn to_go(&self, count: usize) -> Vec<Going> {
        let of = |wanted: bool| {
            let all = self.by_number.values().filter(move |reported| reported.settled == wanted);
            all.map(|Reported { number, settled, .. }| Going { number: *number, settled: *settled })
        };
        of(true).chain(of(false)).take(count).collect()
    }

    pub(crate) fn page(&self, query: &ReportQuery) -> Vec<Reported> {
        let ReportQuery { after, count, settled, subject } = query;
        let is_wanted = |reported: &&Reported| {
            reported.number > *after
                && settled.is_none_or(|settled| reported.settled == settled)
                && subject.as_ref().is_none_or(|subject| reported.report.subject == *subject)
        };
        self.by_number.values().filter(is_wanted).take(*count).cloned().collect()
    }
}
