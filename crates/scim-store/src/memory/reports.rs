//! The reports of one tenant, by number, by subject and in the order in which they go.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::draft::{DraftedReports, Going};
use crate::{ReportQuery, Reported};

#[derive(Debug, Default)]
pub(super) struct Reports {
    by_number: BTreeMap<u64, Reported>,
    by_subject: BTreeSet<(String, u64)>,
    settled: BTreeSet<u64>,
    open: BTreeSet<u64>,
}

impl Reports {
    pub(super) fn apply(&mut self, drafted: DraftedReports) {
        let DraftedReports { settled, removed, added } = drafted;
        for number in settled {
            if let Some(reported) = self.by_number.get_mut(&number) {
                reported.settle();
                self.open.remove(&number);
                self.settled.insert(number);
            }
        }
        for number in removed {
            if let Some(reported) = self.by_number.remove(&number) {
                self.by_subject.remove(&(reported.report.subject, number));
                self.open.remove(&number);
                self.settled.remove(&number);
            }
        }
        for (number, reported) in added {
            self.by_subject.insert((reported.report.subject.clone(), number));
            self.open.insert(number);
            self.by_number.insert(number, reported);
        }
    }

    /// Those about a subject, by number.
    pub(super) fn about<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a Reported> {
        let numbers = self.by_subject.range((subject.to_owned(), 0)..);
        let numbers = numbers.take_while(move |(of, _)| of == subject);
        numbers.filter_map(|(_, number)| self.by_number.get(number))
    }

    /// The subjects of open ones that begin so.
    pub(super) fn below(&self, beginning: &str) -> BTreeSet<String> {
        let all = self.by_subject.range((beginning.to_owned(), 0)..);
        let below = all.take_while(|(subject, _)| subject.starts_with(beginning));
        let open = below.filter(|(_, number)| self.open.contains(number));
        open.map(|(subject, _)| subject.clone()).collect()
    }

    pub(super) fn to_go(&self, count: usize) -> Vec<Going> {
        let settled = self.settled.iter().map(|number| Going { number: *number, settled: true });
        let open = self.open.iter().map(|number| Going { number: *number, settled: false });
        settled.chain(open).take(count).collect()
    }

    pub(super) fn page(&self, query: &ReportQuery) -> Vec<Reported> {
        let ReportQuery { after, count, settled, subject } = query;
        let all: Box<dyn Iterator<Item = &Reported>> = match subject {
            Some(subject) => Box::new(self.about(subject).filter(|reported| reported.number > *after)),
            None => {
                let from = (Bound::Excluded(*after), Bound::Unbounded);
                Box::new(self.by_number.range(from).map(|(_, reported)| reported))
            }
        };
        let wanted = |reported: &&Reported| settled.is_none_or(|settled| reported.settled == settled);
        all.filter(wanted).take(*count).cloned().collect()
    }
}
