//! The naive answer: everything is looked at, with the evaluator and nothing else.

use scim_core::filter::Filter;
use scim_core::schema::ResourceType;
use scim_core::sort::Sort;
use serde_json::{Map, Value};

/// All resources of a type, as they were answered.
pub(crate) struct Everything(pub(crate) Vec<Map<String, Value>>);

impl Everything {
    /// The identifiers of what a query finds, in order, or nothing where the filter is no filter.
    pub(crate) fn find(
        &self,
        kind: &ResourceType,
        filter: Option<&str>,
        sort: Option<(&str, &str)>,
    ) -> Option<Vec<&str>> {
        let filter = match filter {
            Some(text) => Some(Filter::parse(text, kind).ok()?),
            None => None,
        };
        let matches =
            |document: &&Map<String, Value>| filter.as_ref().is_none_or(|filter| filter.matches(document));
        let mut found: Vec<&Map<String, Value>> = self.0.iter().filter(matches).collect();
        found.sort_by_key(|document| id(document));
        if let Some((by, order)) = sort {
            let sort = Sort::parse(by, Some(order), kind).expect("it can be sorted by");
            found.sort_by(|a, b| sort.key(a).compare(&sort.key(b), sort.descending));
        }
        Some(found.into_iter().map(id).collect())
    }

    /// The resource with this identifier.
    pub(crate) fn get(&self, wanted: &str) -> Option<&Map<String, Value>> {
        self.0.iter().find(|document| id(document) == wanted)
    }
}

fn id(document: &Map<String, Value>) -> &str {
    document["id"].as_str().expect("an identifier")
}
