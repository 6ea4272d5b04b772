//! Queries: `GET /Users`, `POST /Users/.search` and both over all types (RFC 7644 §3.4.2, §3.4.3; RFC 9865).

use std::sync::Arc;

use http::StatusCode;
use scim_core::filter::Filter;
use scim_core::key::Key;
use scim_core::message::{ListWriter, SearchRequest};
use scim_core::path::AttributePath;
use scim_core::project::Projection;
use scim_core::schema::{Membership, ResourceType};
use scim_core::sort::Sort;
use scim_core::text::FOLDING;
use scim_core::{Error, ErrorKind, Result};
use scim_store::{Edge, Page, Query, Record, Room, Side, Start};

use crate::context::{Context, store_error};
use crate::cursor::{Binding, Cursor, Seal};
use crate::quirk::parse_filter;
use crate::reply::Reply;

/// What a query goes over.
pub(crate) enum Scope {
    /// One type.
    Type(Arc<ResourceType>),
    /// All types of the registry.
    Root,
}

/// Deepest page of a sorted query over several types, which has to be merged in memory.
const MERGE_LIMIT: usize = 10_000;

/// How many records of such a page are read at a time.
const FETCHED: usize = 32;

/// Most comparisons in a filter. Clients that look up many resources at once name some hundred.
const MOST_COMPARISONS: usize = 500;

/// One type's share of a query.
struct Part {
    resource_type: Arc<ResourceType>,
    filter: Option<Filter>,
    sort: Option<Sort>,
    projection: Projection,
    /// The side on which its resources stand in the memberships that are shown with them.
    side: Option<Side>,
}

/// What was found, before it is written.
#[derive(Default)]
struct Found {
    /// Index of the part, and the record.
    records: Vec<(usize, Record)>,
    /// Their memberships, in no order.
    edges: Vec<Edge>,
    total: u64,
    next: Option<Cursor>,
}

/// Answers a query.
pub(crate) async fn search(
    context: &Context<'_>,
    seal: &Seal,
    scope: &Scope,
    request: &SearchRequest,
) -> Result<Reply> {
    let parts = parts(context, scope, request)?;
    let count = page_size(context, request);
    let is_merged = parts.len() > 1 && request.sort_by.is_some();
    let mut list = ListWriter::new();
    let mut found = match &request.cursor {
        Some(text) => {
            if request.start_index.is_some() {
                return Err(Error::new(
                    ErrorKind::InvalidValue,
                    "`cursor` and `startIndex` exclude each other",
                )
                .remedy("use one of them"));
            }
            if is_merged {
                return Err(Error::new(
                    ErrorKind::InvalidValue,
                    "a query over all types is not sorted when it is paged by `cursor`",
                )
                .remedy("page by `startIndex`, query one type, or leave out `sortBy`"));
            }
            let binding = binding(context, scope, request);
            let start = match text.as_str() {
                "" => Cursor { part: 0, position: None },
                text => seal.open(text, &binding, count, context.now)?,
            };
            let found = walk(context, &parts, start, count).await?;
            if let Some(next) = &found.next {
                let mut nonce = [0; 12];
                context.environment.fill(&mut nonce);
                list.next_cursor(seal.seal(next, &binding, count, context.now, nonce)?);
            }
            found
        }
        None => {
            let offset = u64::try_from(request.start_index.unwrap_or(1).max(1) - 1).unwrap_or(0);
            list.start_index(offset + 1);
            match is_merged {
                true => merge(context, &parts, offset, count).await?,
                false => skip(context, &parts, offset, count).await?,
            }
        }
    };
    write(context, &parts, &mut found, &mut list)?;
    Ok(Reply::json(StatusCode::OK, list.finish(found.total)))
}

fn parts(context: &Context<'_>, scope: &Scope, request: &SearchRequest) -> Result<Vec<Part>> {
    let (types, among_types) = match scope {
        Scope::Type(resource_type) => (std::slice::from_ref(resource_type), false),
        Scope::Root => (context.registry.resource_types(), true),
    };
    let attributes: Vec<&str> = request.attributes.iter().map(String::as_str).collect();
    let excluded: Vec<&str> = request.excluded_attributes.iter().map(String::as_str).collect();
    let sorts: Vec<Result<Option<Sort>>> = types
        .iter()
        .map(|resource_type| match &request.sort_by {
            Some(by) => Sort::parse(by, request.sort_order.as_deref(), resource_type).map(Some),
            None => Ok(None),
        })
        .collect();
    let some_type_sorts = sorts.iter().any(|sort| sort.is_ok());
    let mut parts = Vec::with_capacity(types.len());
    for (resource_type, sort) in types.iter().zip(sorts) {
        let filter = match &request.filter {
            Some(text) => {
                let filter = parse_filter(text, resource_type, among_types, context.quirks)?;
                check_filter(&filter, resource_type)?;
                check_size(&filter)?;
                Some(filter)
            }
            None => None,
        };
        let sort = match sort {
            Ok(sort) => sort,
            // Resources of a type that lacks the attribute come as if it had no value.
            Err(_) if some_type_sorts && among_types => None,
            // RFC 7644 §3.12: `invalidPath` is about PATCH.
            Err(error) => return Err(error.of_kind(ErrorKind::InvalidValue)),
        };
        if let Some(sort) = &sort
            && (is_of_membership(&sort.path, resource_type) || is_derived(&sort.path.to_string()))
        {
            return Err(Error::new(ErrorKind::InvalidValue, format!("`{}` cannot be sorted by", sort.path))
                .remedy("it is put together when a resource is read"));
        }
        let projection = Projection::parse(&attributes, &excluded, resource_type)?;
        let side = shown_side(resource_type, &projection);
        parts.push(Part { resource_type: Arc::clone(resource_type), filter, sort, projection, side });
    }
    Ok(parts)
}

/// The side of what is shown in the memberships that belong to it, if any do.
fn shown_side(resource_type: &ResourceType, projection: &Projection) -> Option<Side> {
    match resource_type.membership()? {
        Membership::Group => projection.includes("members").then_some(Side::Members),
        // Part of the entity tag, which `meta` shows.
        Membership::Member => {
            (projection.includes("groups") || projection.includes("meta")).then_some(Side::Groups)
        }
    }
}

/// Refuses filters that would be long work for every resource that they are held against.
fn check_size(filter: &Filter) -> Result<()> {
    let comparisons = filter.comparisons();
    if comparisons <= MOST_COMPARISONS {
        return Ok(());
    }
    let words = format!("the filter makes {comparisons} comparisons, and {MOST_COMPARISONS} are the most");
    Err(Error::new(ErrorKind::InvalidFilter, words).remedy("ask in several requests"))
}

/// Refuses filters on what is put together when a resource is read, and is therefore in no index and no document.
fn check_filter(filter: &Filter, resource_type: &ResourceType) -> Result<()> {
    fn derived(filter: &Filter, parent: Option<&str>) -> Option<String> {
        let subject = match filter {
            Filter::And(branches) | Filter::Or(branches) => {
                return branches.iter().find_map(|branch| derived(branch, parent));
            }
            Filter::Not(inner) => return derived(inner, parent),
            Filter::Element { path, filter } => return derived(filter, Some(&path.to_string())),
            Filter::Never => return None,
            Filter::Compare(comparison) => &comparison.subject,
            Filter::Present(subject) => subject,
        };
        let path = subject.path().to_string();
        let is_derived = match parent {
            Some(parent) => is_derived(&format!("{parent}.{path}")),
            None => is_derived(&path),
        };
        is_derived.then_some(path)
    }
    match (resource_type.membership(), derived(filter, None)) {
        (_, None) => Ok(()),
        (membership, Some(path)) => {
            let instead = match membership {
                _ if path == "meta.location" => "; filter by `id`",
                Some(Membership::Group) if path.starts_with("members.") => "; filter by `members.value`",
                Some(Membership::Member) if path.starts_with("groups.") => "; filter by `groups.value`",
                Some(_) | None => "",
            };
            Err(Error::new(ErrorKind::InvalidFilter, format!("`{path}` cannot be filtered by"))
                .remedy(format!("it is put together when a resource is read{instead}")))
        }
    }
}

/// Whether it is about memberships. Filters know them from the index; documents, which are sorted, have none.
fn is_of_membership(path: &AttributePath, resource_type: &ResourceType) -> bool {
    let list = resource_type.membership().map(|membership| match membership {
        Membership::Group => "members",
        Membership::Member => "groups",
    });
    path.urn().is_none() && list == Some(path.attribute().name())
}

fn is_derived(path: &str) -> bool {
    const DERIVED: [&str; 7] = [
        "meta.location",
        "meta.version",
        "members.display",
        "members.$ref",
        "groups.display",
        "groups.$ref",
        "groups.type",
    ];
    DERIVED.contains(&path)
}

fn page_size(context: &Context<'_>, request: &SearchRequest) -> usize {
    let wanted = match request.count {
        None => context.settings.default_results,
        // RFC 7644 §3.4.2.4: a negative count is taken as 0, and a server may return fewer than asked for.
        Some(count) => usize::try_from(count.max(0)).unwrap_or(usize::MAX),
    };
    wanted.min(context.settings.max_results)
}

fn binding(context: &Context<'_>, scope: &Scope, request: &SearchRequest) -> Binding {
    let endpoint = match scope {
        Scope::Type(resource_type) => resource_type.endpoint(),
        Scope::Root => "/",
    };
    let (attributes, excluded) = (request.attributes.join(","), request.excluded_attributes.join(","));
    // A place in an order that is another by now would leave some out.
    let order = request.sort_by.as_ref().map(|_| FOLDING.to_string());
    let parts = [
        context.tenant.as_str(),
        endpoint,
        request.filter.as_deref().unwrap_or_default(),
        request.sort_by.as_deref().unwrap_or_default(),
        request.sort_order.as_deref().unwrap_or_default(),
        &attributes,
        &excluded,
    ];
    Binding::new(parts.into_iter().chain(order.as_deref()))
}

impl Part {
    fn query(&self, context: &Context<'_>, start: Start, count: usize) -> Query {
        Query {
            resource_type: Arc::clone(&self.resource_type),
            filter: self.filter.clone(),
            sort: self.sort.clone(),
            start,
            count,
            bytes: context.settings.max_page_bytes,
            total: true,
        }
    }
}

/// A page of a part, and the memberships to show with it.
async fn page(context: &Context<'_>, part: &Part, start: Start, count: usize) -> Result<(Page, Vec<Edge>)> {
    let query = part.query(context, start, count);
    let Some(side) = part.side else {
        let page = context.store.query(context.tenant, &query).await.map_err(store_error)?;
        return Ok((page, Vec::new()));
    };
    let most = context.settings.max_members;
    let found = context.store.query_with_edges(context.tenant, &query, side, most).await;
    let (page, edges) = found.map_err(store_error)?;
    let edges = match edges.more {
        false => edges.edges,
        true => context.memberships(&part.resource_type, ids(&page.records)).await?,
    };
    Ok((page, edges))
}

fn ids<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<String> {
    records.into_iter().map(|record| record.id.clone()).collect()
}

/// A page by index: the parts one after the other.
async fn skip(context: &Context<'_>, parts: &[Part], mut offset: u64, count: usize) -> Result<Found> {
    let mut found = Found::default();
    let mut is_over = false;
    for (index, part) in parts.iter().enumerate() {
        let left = if is_over { 0 } else { count - found.records.len() };
        let (page, edges) = page(context, part, Start::Offset(offset), left).await?;
        // Where there is more of this part, there was no room for it.
        is_over |= page.next.is_some();
        found.edges.extend(edges);
        let total = page.total.unwrap_or(0);
        offset = offset.saturating_sub(total);
        found.total += total;
        found.records.extend(page.records.into_iter().map(|record| (index, record)));
    }
    Ok(found)
}

/// A page by cursor: the parts one after the other, from a position on.
async fn walk(context: &Context<'_>, parts: &[Part], start: Cursor, count: usize) -> Result<Found> {
    let mut found = Found::default();
    let first = usize::try_from(start.part).unwrap_or(usize::MAX);
    let mut position = start.position;
    for (index, part) in parts.iter().enumerate() {
        let left = count - found.records.len();
        let wanted = if index < first || found.next.is_some() { 0 } else { left };
        let from = match position.take_if(|_| index == first) {
            Some(position) => Start::After(position),
            None => Start::Offset(0),
        };
        let (page, edges) = page(context, part, from, wanted).await?;
        found.edges.extend(edges);
        let total = page.total.unwrap_or(0);
        found.total += total;
        let part_number = u32::try_from(index).unwrap_or(u32::MAX);
        if found.next.is_none() && index >= first && count > 0 {
            found.next = match page.next {
                Some(next) => Some(Cursor { part: part_number, position: Some(next) }),
                None if left == 0 && total > 0 => Some(Cursor { part: part_number, position: None }),
                None => None,
            };
        }
        found.records.extend(page.records.into_iter().map(|record| (index, record)));
    }
    Ok(found)
}

/// A sorted page over several types: the first records of each, merged.
async fn merge(context: &Context<'_>, parts: &[Part], offset: u64, count: usize) -> Result<Found> {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let depth = offset.saturating_add(count);
    if depth > MERGE_LIMIT {
        return Err(Error::new(
            ErrorKind::TooMany,
            format!("a sorted query over all types ends at {MERGE_LIMIT} resources"),
        )
        .remedy("query one type, or leave out `sortBy`"));
    }
    let descending = parts.iter().find_map(|part| part.sort.as_ref()).is_some_and(|sort| sort.descending);
    let mut keyed = Vec::new();
    let mut total = 0;
    for (index, part) in parts.iter().enumerate() {
        let mut query = part.query(context, Start::Offset(0), depth);
        loop {
            let page = context.store.query(context.tenant, &query).await.map_err(store_error)?;
            total += page.total.unwrap_or(0);
            for record in page.records {
                let key = match &part.sort {
                    Some(sort) => sort.key(&record.document()?),
                    None => Key::absent(),
                };
                keyed.push((key, record.id, index));
                query.count -= 1;
            }
            let Some(next) = page.next.filter(|_| query.count > 0) else { break };
            (query.start, query.total) = (Start::After(next), false);
        }
    }
    keyed.sort_by(|(a, left, _), (b, right, _)| a.compare(b, descending).then_with(|| left.cmp(right)));
    let page = keyed.into_iter().skip(offset).take(count).map(|(_, id, index)| (index, id)).collect();
    let records = fetch(context, page).await?;
    let mut edges = Vec::new();
    for (index, part) in parts.iter().enumerate().filter(|(_, part)| part.side.is_some()) {
        let of = ids(records.iter().filter(|(part, _)| *part == index).map(|(_, record)| record));
        if !of.is_empty() {
            edges.extend(context.memberships(&part.resource_type, of).await?);
        }
    }
    Ok(Found { records, edges, total, next: None })
}

/// The records of a page, as far as it has room for them.
async fn fetch(context: &Context<'_>, page: Vec<(usize, String)>) -> Result<Vec<(usize, Record)>> {
    let (mut records, mut room) = (Vec::with_capacity(page.len()), Room::of(context.settings.max_page_bytes));
    for few in page.chunks(FETCHED) {
        let ids: Vec<&str> = few.iter().map(|(_, id)| id.as_str()).collect();
        let found = context.store.get(context.tenant, &ids).await.map_err(store_error)?;
        for ((index, _), record) in few.iter().zip(found) {
            // Whoever went meanwhile is not on the page.
            let Some(record) = record else { continue };
            if !room.take(record.body.len()) {
                return Ok(records);
            }
            records.push((*index, record));
        }
    }
    Ok(records)
}

/// Writes the records with their memberships.
fn write(context: &Context<'_>, parts: &[Part], found: &mut Found, list: &mut ListWriter) -> Result<()> {
    let Found { records, edges, .. } = found;
    // Those of one resource came in their order, and stay in it.
    edges.sort_by(|a, b| a.of.cmp(&b.of));
    for (index, record) in records {
        let Some(part) = parts.get(*index) else { continue };
        let first = edges.partition_point(|edge| edge.of < record.id);
        let own = edges.get(first..).unwrap_or_default();
        let own = own.get(..own.partition_point(|edge| edge.of == record.id)).unwrap_or_default();
        context.answer(&part.resource_type, record, own).write(&part.projection, list.resource())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use scim_core::schema::Registry;

    #[test]
    fn what_is_derived_cannot_be_filtered_by() {
        let registry = Registry::builtin().expect("built in");
        for (endpoint, filter, allowed) in [
            ("Groups", "members.value eq \"a\"", true),
            ("Groups", "members eq \"a\"", true),
            ("Groups", "members[type eq \"User\"]", true),
            ("Groups", "not (members.display co \"a\")", false),
            ("Groups", "members[$ref pr]", false),
            ("Users", "groups.display eq \"a\"", false),
            ("Users", "meta.lastModified gt \"2011-05-13T04:42:34Z\"", true),
            ("Users", "meta.location sw \"https\"", false),
        ] {
            let resource_type = registry.endpoint(endpoint).expect(endpoint);
            let parsed = Filter::parse(filter, resource_type).expect(filter);
            assert_eq!(check_filter(&parsed, resource_type).is_ok(), allowed, "{filter}");
        }
    }
}
