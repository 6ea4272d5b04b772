//! Queries over one tenant's state.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use scim_core::key::Key;

use super::state::State;
use crate::plan::{IndexRange, Plan, Source};
use crate::window::Window;
use crate::{Page, Query, Record, StoreError};

impl State {
    pub(super) fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let plan = Plan::new(query);
        let kind = query.resource_type.shared_name();
        let known_total = match query.filter {
            None => Some(self.types.get(kind).map_or(0, BTreeSet::len) as u64),
            Some(_) => None,
        };
        let counts = query.total && known_total.is_none();
        let mut window = Window::new(query, plan.ordered);
        let mut seen = BTreeSet::new();
        for id in self.candidates(&plan.source, kind) {
            if window.is_full() && !counts {
                break;
            }
            let Some(record) = self.record(id).filter(|record| record.resource_type == *kind) else {
                continue;
            };
            if !plan.ordered && !seen.insert(id) {
                continue;
            }
            self.show(record, query, &plan, &mut window).map_err(|error| StoreError::Fault(error.into()))?;
        }
        let total = query.total.then(|| known_total.unwrap_or(window.matches()));
        let (found, more) = window.finish();
        Ok(Page::of(query, total, found, more))
    }

    /// Shows the window a candidate, if it matches.
    fn show(
        &self,
        record: &Record,
        query: &Query,
        plan: &Plan,
        window: &mut Window<Record>,
    ) -> scim_core::Result<()> {
        let filter = query.filter.as_ref().filter(|_| !plan.exact);
        if filter.is_none() && query.sort.is_none() {
            window.push(None, &record.id, || record.clone());
            return Ok(());
        }
        let mut document = record.document()?;
        let key = query.sort.as_ref().map(|sort| sort.key(&document));
        if let Some(needed) = plan.memberships.as_ref() {
            let ids = self.others(needed.side, &record.id).map(|(id, _)| id);
            let ids = ids.filter(|id| needed.only.as_ref().is_none_or(|only| only.contains(*id)));
            let found = ids.map(|id| (id, self.record(id).map_or("", |other| &*other.resource_type)));
            needed.insert(&mut document, found);
        }
        if filter.is_none_or(|filter| filter.matches(&document)) {
            window.push(key, &record.id, || record.clone());
        }
        Ok(())
    }

    fn candidates<'a>(
        &'a self,
        source: &'a Source,
        kind: &'a Arc<str>,
    ) -> Box<dyn Iterator<Item = &'a str> + 'a> {
        match source {
            Source::Nothing => Box::new(std::iter::empty()),
            Source::Id(id) => Box::new(std::iter::once(id.as_str())),
            Source::Type { descending } => {
                let ids = self.types.get(kind).into_iter().flatten().map(String::as_str);
                if *descending { Box::new(ids.rev()) } else { Box::new(ids) }
            }
            Source::Index(range) => self.indexed(range, kind),
            Source::Linked { side, of } => Box::new(self.others(*side, of).map(|(id, _)| id)),
            Source::Union(sources) => {
                Box::new(sources.iter().flat_map(move |source| self.candidates(source, kind)))
            }
        }
    }

    fn indexed<'a>(
        &'a self,
        range: &'a IndexRange,
        kind: &Arc<str>,
    ) -> Box<dyn Iterator<Item = &'a str> + 'a> {
        let Some(index) = self.index.get(&(Arc::clone(kind), Arc::clone(&range.path))) else {
            return Box::new(std::iter::empty());
        };
        let from = match &range.from {
            Bound::Included(key) | Bound::Excluded(key) => Bound::Included((key.clone(), String::new())),
            Bound::Unbounded => Bound::Unbounded,
        };
        let entries = index
            .range((from, Bound::Unbounded))
            .skip_while(|((key, _), _)| !range.contains(key))
            .take_while(|((key, _), _)| range.contains(key))
            .filter(|(_, leading)| **leading || !range.leading)
            .map(|((key, id), _)| (key, id.as_str()));
        match range.descending {
            false => Box::new(entries.map(|(_, id)| id)),
            true => {
                // Keys from the last to the first, identifiers of one key still ascending.
                let mut entries: Vec<(&Key, &str)> = entries.collect();
                entries.sort_by(|(a, _), (b, _)| b.cmp(a));
                Box::new(entries.into_iter().map(|(_, id)| id))
            }
        }
    }
}
