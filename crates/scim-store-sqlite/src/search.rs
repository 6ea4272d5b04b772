//! Queries: from a plan to statements that walk an index.
//!
//! A source becomes [`Stretch`]es, each walked by one statement in the order of an index. Where the plan is exact and
//! in order, the statements give the page itself; otherwise candidates are streamed past the evaluator into a
//! [`Window`]. Either way the number of statements does not depend on the size of the page.

use std::collections::HashSet;

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Row, ToSql};
use scim_core::key::Key;
use scim_store::plan::{IndexRange, Memberships, Plan, Source};
use scim_store::window::Window;
use scim_store::{Edge, EdgePage, Page, Position, Query, Record, Side, Start, StoreError, Tenant, Walk};

use crate::database::{Database, bind};
use crate::error::{corrupt, store_error};
use crate::readers::IsAwaited;
use crate::rows::{self, RECORD_COLUMNS, RawRecord, clamp, json, record_columns, with_edges};

/// A query and its plan.
pub(crate) struct Search<'a> {
    tenant: &'a Tenant,
    query: &'a Query,
    plan: Plan,
    /// Which memberships of the records are wanted besides, and how many.
    with: Option<(Side, usize)>,
}

/// A page, and the memberships that were wanted besides.
pub(crate) type Found = (Page, EdgePage);

/// A search once tenant and type are numbers.
struct Numbered<'a> {
    search: &'a Search<'a>,
    database: &'a Database,
    tenant: i64,
    kind: i64,
    is_awaited: IsAwaited<'a>,
}

/// What one statement walks, in order.
struct Stretch {
    /// The tables that have the rows.
    rows: &'static str,
    /// The tables that are enough to count them.
    counted: &'static str,
    condition: &'static str,
    order: &'static str,
    parameters: Vec<(&'static str, Value)>,
}

/// Most resources that a query looks at on the calling thread.
pub(crate) const FEW: usize = 32;

const BY_ENTRY: &str = "entry x CROSS JOIN resource r ON r.num = x.num";

impl<'a> Search<'a> {
    pub(crate) fn new(tenant: &'a Tenant, query: &'a Query, with: Option<(Side, usize)>) -> Self {
        Self { tenant, query, plan: Plan::new(query), with }
    }

    /// Whether it is worth a look if there is little to look at. Of what is found, each comparison may look at thousands of
    /// values.
    pub(crate) fn may_be_short(&self) -> bool {
        let filter = self.query.filter.as_ref().filter(|_| !self.plan.exact);
        if filter.is_some_and(|filter| filter.comparisons() > FEW) {
            return false;
        }
        match &self.plan.source {
            Source::Nothing | Source::Id(_) | Source::Linked { .. } => true,
            Source::Index(range) => range.point().is_some_and(|key| !key.is_absent()),
            Source::Type { .. } | Source::Union(_) => false,
        }
    }

    /// Answers if there is little to look at.
    pub(crate) fn run_if_short(&self, database: &Database) -> Result<Option<Found>, StoreError> {
        let Some(numbered) = self.numbered(database, &|| true)? else { return Ok(Some(self.nothing())) };
        if let Some(whole) = numbered.whole()? {
            return Ok(Some(whole));
        }
        if !numbered.is_short()? {
            return Ok(None);
        }
        let (page, edges) = numbered.found(FEW)?;
        let is_enough = !edges.more || self.with.is_none_or(|(_, count)| count <= FEW);
        Ok(is_enough.then_some((page, edges)))
    }

    /// Answers, as long as anybody waits for it.
    pub(crate) fn run(&self, database: &Database, is_awaited: IsAwaited<'_>) -> Result<Found, StoreError> {
        match self.numbered(database, is_awaited)? {
            Some(numbered) => database.snapshot(|| numbered.found(usize::MAX)),
            None => Ok(self.nothing()),
        }
    }

    fn numbered<'s>(
        &'s self,
        database: &'s Database,
        is_awaited: IsAwaited<'s>,
    ) -> Result<Option<Numbered<'s>>, StoreError> {
        let tenant = database.tenant(self.tenant)?;
        let kind = database.number(self.query.resource_type.name())?;
        Ok(tenant.zip(kind).map(|(tenant, kind)| Numbered {
            search: self,
            database,
            tenant,
            kind,
            is_awaited,
        }))
    }

    fn nothing(&self) -> Found {
        (Page { records: Vec::new(), total: self.query.total.then_some(0), next: None }, rows::no_edges())
    }
}

/// Nobody waits for the answer any more, or the log waits for the walk to end.
fn given_up() -> StoreError {
    StoreError::Unavailable("the query took too long".into())
}

impl Numbered<'_> {
    /// Whether the statements of the plan give pages of the result.
    fn in_pages(&self) -> bool {
        let Plan { exact, ordered, source, .. } = &self.search.plan;
        *exact && *ordered && !matches!(source, Source::Nothing | Source::Id(_))
    }

    /// All of the result with its memberships, if one look shows that it is only a few rows.
    fn whole(&self) -> Result<Option<Found>, StoreError> {
        let Search { query, plan, with, .. } = self.search;
        if !self.in_pages() || query.start != Start::Offset(0) || query.count == 0 {
            return Ok(None);
        }
        let (columns, joined) = match with {
            None => (concat!(record_columns!(), ", NULL"), ""),
            Some((Side::Members, _)) => {
                (concat!(record_columns!(), with_edges!(columns, "member")), with_edges!(join, "edge", "grp"))
            }
            Some((Side::Groups, _)) => (
                concat!(record_columns!(), with_edges!(columns, "grp")),
                with_edges!(join, "membership", "member"),
            ),
        };
        let (mut records, mut edges): (Vec<Record>, Vec<Edge>) = Default::default();
        let (mut rows_left, mut room) = (FEW, query.room());
        for stretch in self.stretches(&plan.source, None)? {
            let sql = stretch.sql(columns, joined, " LIMIT :limit");
            let limit = clamp(rows_left as u64) + 1;
            let mut statement = self.bound(&sql, &stretch, &[(":limit", &limit)])?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().map_err(store_error)? {
                let Some(less) = rows_left.checked_sub(1) else { return Ok(None) };
                rows_left = less;
                let raw = RawRecord::read(row, 0).map_err(store_error)?;
                if records.last().is_none_or(|last| last.id != raw.id()) {
                    if !room.take(raw.size()) {
                        return Ok(None);
                    }
                    records.push(raw.finish(self.database)?);
                }
                let of = records.last().map_or("", |last| &last.id);
                edges.extend(rows::joined_edge(self.database, row, RECORD_COLUMNS, of)?);
            }
        }
        if records.len() > query.count {
            return Ok(None);
        }
        edges.sort_unstable_by(|a, b| (&a.of, &a.id).cmp(&(&b.of, &b.id)));
        let more = with.is_some_and(|(_, count)| edges.len() > count);
        edges.truncate(with.map_or(0, |(_, count)| count));
        let total = query.total.then_some(records.len() as u64);
        Ok(Some((Page { records, total, next: None }, EdgePage { edges, more })))
    }

    /// A page, and at most so many of the memberships that are wanted besides.
    fn found(&self, most: usize) -> Result<Found, StoreError> {
        let Search { tenant, with, .. } = self.search;
        let page = self.page()?;
        let edges = match with {
            Some((side, count)) if !page.records.is_empty() => {
                let count = (*count).min(most);
                rows::edges(self.database, tenant, &page.memberships(*side, count), count)?
            }
            Some(_) | None => rows::no_edges(),
        };
        Ok((page, edges))
    }

    fn page(&self) -> Result<Page, StoreError> {
        let query = self.search.query;
        if self.in_pages() {
            let (found, more) = self.exact_page()?;
            let total = if query.total { Some(self.exact_total()?) } else { None };
            return Ok(Page::of(query, total, found, more));
        }
        let known_total = match query.filter {
            None if query.total => Some(self.exact_total()?),
            None | Some(_) => None,
        };
        let window = self.stream(query.total && known_total.is_none())?;
        let total = query.total.then(|| known_total.unwrap_or(window.matches()));
        let (found, more) = window.finish();
        let records = self.records(found.iter().map(|(_, num)| *num))?;
        let more = more || records.len() < found.len();
        let positions = found.into_iter().map(|(position, _)| position);
        Ok(Page::of(query, total, positions.zip(records), more))
    }

    /// The page of a source in which everything matches, in its order, and whether more follow.
    fn exact_page(&self) -> Result<(Vec<(Position, Record)>, bool), StoreError> {
        let Query { sort, start, count, .. } = self.search.query;
        let count = *count;
        let (mut offset, after) = match start {
            Start::Offset(offset) => (clamp(*offset), None),
            Start::After(position) => (0, Some(position)),
        };
        let mut rows: Vec<(Option<Key>, RawRecord)> = Vec::new();
        let (mut room, mut is_full) = (self.search.query.room(), false);
        if count == 0 {
            return Ok((Vec::new(), false));
        }
        for stretch in self.stretches(&self.search.plan.source, after)? {
            let columns = match (sort, stretch.has_key()) {
                (Some(_), true) => concat!("x.key, ", record_columns!()),
                (Some(_), false) | (None, _) => concat!("NULL, ", record_columns!()),
            };
            let sql = stretch.sql(columns, "", " LIMIT :limit OFFSET :offset");
            let limit = clamp((count - rows.len().min(count)) as u64 + 1);
            let mut statement = self.bound(&sql, &stretch, &[(":limit", &limit), (":offset", &offset)])?;
            let mut found = statement.raw_query();
            let before = rows.len();
            while let Some(row) = found.next().map_err(store_error)? {
                let (key, raw) = keyed(row).map_err(store_error)?;
                is_full = !room.take(raw.size());
                if is_full {
                    break;
                }
                rows.push((key, raw));
            }
            // Counting a stretch walks all of it, which is done only where the page begins behind it.
            offset = match offset > 0 && rows.len() == before {
                true => offset - self.count(&stretch, "count(*)")?,
                false => 0,
            };
            if rows.len() > count || is_full {
                break;
            }
        }
        let more = rows.len() > count || is_full;
        rows.truncate(count);
        let found = rows.into_iter().map(|(key, raw)| {
            let record = raw.finish(self.database)?;
            // Only an order by `id` has no key in an index.
            let key = sort.as_ref().map(|_| key.unwrap_or_else(|| Key::text(&record.id)));
            Ok((Position { key, id: record.id.clone() }, record))
        });
        Ok((found.collect::<Result<_, StoreError>>()?, more))
    }

    /// How many resources a source holds, where everything in it matches.
    fn exact_total(&self) -> Result<u64, StoreError> {
        let Search { query, plan, .. } = self.search;
        if query.filter.is_none() {
            let sql = "SELECT count FROM total WHERE tenant = ?1 AND type = ?2";
            let count = self.database.first(sql, &[&self.tenant, &self.kind], |row| row.get::<_, i64>(0))?;
            return Ok(count.unwrap_or(0) as u64);
        }
        let what = match &plan.source {
            Source::Index(range) if !range.distinct => "count(DISTINCT x.id)",
            Source::Nothing | Source::Id(_) | Source::Type { .. } | Source::Index(_) => "count(*)",
            Source::Linked { .. } | Source::Union(_) => "count(*)",
        };
        let mut total = 0;
        for stretch in self.stretches(&plan.source, None)? {
            total += self.count(&stretch, what)?;
        }
        Ok(total as u64)
    }

    /// Shows all candidates to the evaluator, until nothing can change any more.
    fn stream(&self, counts: bool) -> Result<Window<i64>, StoreError> {
        let Search { query, plan, .. } = self.search;
        let mut window = Window::new(query, plan.ordered);
        let after = match &query.start {
            Start::After(position) if plan.ordered && !counts => Some(position),
            Start::After(_) | Start::Offset(_) => None,
        };
        let is_distinct = match &plan.source {
            Source::Nothing | Source::Id(_) | Source::Type { .. } | Source::Linked { .. } => true,
            Source::Index(range) => range.distinct || range.leading,
            Source::Union(_) => false,
        };
        let mut seen: HashSet<i64> = HashSet::new();
        let columns = format!(concat!("r.num, {}, ", record_columns!()), memberships_column(plan));
        let only = plan.memberships.as_ref().and_then(|needed| needed.only.as_ref());
        let only = json(only.into_iter().flatten().map(String::as_str));
        for stretch in self.stretches(&plan.source, after)? {
            let sql = stretch.sql(&columns, "", "");
            let mut statement = self.bound(&sql, &stretch, &[(":only", &only)])?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().map_err(store_error)? {
                if window.is_full() && !counts {
                    return Ok(window);
                }
                if !(self.is_awaited)() {
                    return Err(given_up());
                }
                let num: i64 = row.get(0).map_err(store_error)?;
                if is_distinct || seen.insert(num) {
                    self.show(row, num, &mut window)?;
                }
            }
        }
        Ok(window)
    }

    /// Shows the window a candidate, if it matches.
    fn show(&self, row: &Row<'_>, num: i64, window: &mut Window<i64>) -> Result<(), StoreError> {
        let Search { query, plan, .. } = self.search;
        let raw = RawRecord::read(row, 2).map_err(store_error)?;
        let record = raw.finish(self.database)?;
        let filter = query.filter.as_ref().filter(|_| !plan.exact);
        if filter.is_none() && query.sort.is_none() {
            window.push(None, &record.id, || num);
            return Ok(());
        }
        let mut document = record.document().map_err(|error| StoreError::Fault(error.into()))?;
        let key = query.sort.as_ref().map(|sort| sort.key(&document));
        if let Some(needed) = &plan.memberships {
            let text: String = row.get(1).map_err(store_error)?;
            let found: Vec<(String, String)> =
                serde_json::from_str(&text).map_err(|_| corrupt("memberships cannot be read"))?;
            needed.insert(&mut document, found.iter().map(|(id, kind)| (id.as_str(), kind.as_str())));
        }
        let matches = match filter {
            None => true,
            Some(filter) => filter.matches_while(&document, self.is_awaited).ok_or_else(given_up)?,
        };
        if matches {
            window.push(key, &record.id, || num);
        }
        Ok(())
    }

    /// The resources of these numbers, as far as the page has room for them.
    fn records(&self, nums: impl Iterator<Item = i64>) -> Result<Vec<Record>, StoreError> {
        // The outer loop is over the list, in its order.
        let sql = concat!(
            "SELECT ",
            record_columns!(),
            ", j.key FROM json_each(?1) j CROSS JOIN resource r ON r.num = j.value"
        );
        let mut statement = self.database.prepare(sql)?;
        let mut rows = statement.query([json(nums)]).map_err(store_error)?;
        let (mut records, mut room) = (Vec::new(), self.search.query.room());
        while let Some(row) = rows.next().map_err(store_error)? {
            let raw = RawRecord::read(row, 0).map_err(store_error)?;
            let place: i64 = row.get(RECORD_COLUMNS).map_err(store_error)?;
            if place != records.len() as i64 {
                return Err(corrupt("resources come out of order"));
            }
            if !room.take(raw.size()) {
                break;
            }
            records.push(raw.finish(self.database)?);
        }
        Ok(records)
    }

    fn count(&self, stretch: &Stretch, what: &'static str) -> Result<i64, StoreError> {
        let sql = format!("SELECT {what} FROM {} WHERE {}", stretch.counted, stretch.condition);
        let mut statement = self.bound(&sql, stretch, &[])?;
        let mut rows = statement.raw_query();
        match rows.next().map_err(store_error)? {
            Some(row) => row.get(0).map_err(store_error),
            None => Ok(0),
        }
    }

    /// Whether the source holds no more than a few.
    fn is_short(&self) -> Result<bool, StoreError> {
        for stretch in self.stretches(&self.search.plan.source, None)? {
            let Stretch { counted, condition, .. } = stretch;
            let sql = format!("SELECT 1 FROM {counted} WHERE {condition} LIMIT 1 OFFSET :few");
            let mut statement = self.bound(&sql, &stretch, &[(":few", &(FEW as i64))])?;
            if statement.raw_query().next().map_err(store_error)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn bound(
        &self,
        sql: &str,
        stretch: &Stretch,
        more: &[(&'static str, &dyn ToSql)],
    ) -> Result<CachedStatement<'_>, StoreError> {
        let mut statement = self.database.prepare(sql)?;
        let mut parameters: Vec<(&'static str, &dyn ToSql)> = Vec::with_capacity(8);
        parameters.extend([(":tenant", &self.tenant as &dyn ToSql), (":type", &self.kind)]);
        parameters.extend(stretch.parameters.iter().map(|(name, value)| (*name, value as &dyn ToSql)));
        parameters.extend(more);
        bind(&mut statement, &parameters)?;
        Ok(statement)
    }

    /// The statements that walk a source, after a position if it is walked in the order of the result.
    fn stretches(&self, source: &Source, after: Option<&Position>) -> Result<Vec<Stretch>, StoreError> {
        let id_after = |nothing: Value| after.map_or(nothing, |position| position.id.clone().into());
        let text = |text: &str| Value::Text(text.to_owned());
        Ok(match source {
            Source::Nothing => Vec::new(),
            Source::Id(id) => vec![Stretch {
                rows: "resource r",
                counted: "resource r",
                condition: "r.tenant = :tenant AND r.id = :of AND r.type = :type",
                order: "",
                parameters: vec![(":of", text(id))],
            }],
            Source::Type { descending } => vec![Stretch {
                rows: "resource r",
                counted: "resource r",
                condition: match descending {
                    false => "r.tenant = :tenant AND r.type = :type AND r.id > :id",
                    true => "r.tenant = :tenant AND r.type = :type AND r.id < :id",
                },
                order: if *descending { " ORDER BY r.id DESC" } else { " ORDER BY r.id" },
                // A blob comes after every text.
                parameters: vec![(
                    ":id",
                    id_after(if *descending { Value::Blob(Vec::new()) } else { text("") }),
                )],
            }],
            Source::Linked { side, of } => {
                let (rows, condition, order) = match side {
                    Side::Members => (
                        "resource k CROSS JOIN edge e ON e.grp = k.num CROSS JOIN resource r ON r.num = e.num",
                        "k.tenant = :tenant AND k.id = :of AND e.member > :id AND r.type = :type",
                        " ORDER BY e.member",
                    ),
                    Side::Groups => (
                        "resource k CROSS JOIN membership e ON e.member = k.num CROSS JOIN resource r ON r.num = e.num",
                        "k.tenant = :tenant AND k.id = :of AND e.grp > :id AND r.type = :type",
                        " ORDER BY e.grp",
                    ),
                };
                let parameters = vec![(":of", text(of)), (":id", id_after(text("")))];
                vec![Stretch { rows, counted: rows, condition, order, parameters }]
            }
            Source::Index(range) => self.index_stretches(range, after)?,
            Source::Union(sources) => {
                let mut all = Vec::new();
                for source in sources {
                    all.extend(self.stretches(source, None)?);
                }
                all
            }
        })
    }

    fn index_stretches(
        &self,
        range: &IndexRange,
        after: Option<&Position>,
    ) -> Result<Vec<Stretch>, StoreError> {
        // A path that nothing is stored under has no entries.
        let Some(path) = self.database.number(&range.path)? else { return Ok(Vec::new()) };
        let walk = IndexWalk { path, leading: range.leading };
        let walks = range.walks(self.search.query.sort.is_some(), after).into_iter();
        let stretch = |piece| match piece {
            Walk::Point { key, after } => walk.point(&key, &after),
            Walk::Range { from, to } => walk.range(from, to, range.descending),
        };
        Ok(walks.map(stretch).collect())
    }
}

/// How an index is walked.
struct IndexWalk {
    path: i64,
    leading: bool,
}

impl IndexWalk {
    /// The entries of one key, after an identifier.
    fn point(&self, key: &[u8], id: &str) -> Stretch {
        Stretch {
            rows: BY_ENTRY,
            counted: "entry x",
            condition: "x.tenant = :tenant AND x.type = :type AND x.path = :path AND x.key = :key AND x.id > :id AND x.leading >= :leading",
            order: " ORDER BY x.id",
            parameters: vec![
                (":path", self.path.into()),
                (":key", key.to_vec().into()),
                (":id", id.to_owned().into()),
                (":leading", self.leading.into()),
            ],
        }
    }

    /// The entries from one key to before another.
    fn range(&self, from: Vec<u8>, to: Vec<u8>, descending: bool) -> Stretch {
        Stretch {
            rows: BY_ENTRY,
            counted: "entry x",
            condition: "x.tenant = :tenant AND x.type = :type AND x.path = :path AND x.key >= :from AND x.key < :to AND x.leading >= :leading",
            order: if descending { " ORDER BY x.key DESC, x.id" } else { " ORDER BY x.key, x.id" },
            parameters: vec![
                (":path", self.path.into()),
                (":from", from.into()),
                (":to", to.into()),
                (":leading", self.leading.into()),
            ],
        }
    }
}

impl Stretch {
    fn sql(&self, columns: &str, joined: &str, limit: &str) -> String {
        ["SELECT ", columns, " FROM ", self.rows, joined, " WHERE ", self.condition, self.order, limit]
            .concat()
    }

    fn has_key(&self) -> bool {
        self.counted == "entry x"
    }
}

fn keyed(row: &Row<'_>) -> rusqlite::Result<(Option<Key>, RawRecord)> {
    let key: Option<Vec<u8>> = row.get(0)?;
    Ok((key.map(Key::from_bytes), RawRecord::read(row, 1)?))
}

/// The memberships of a candidate as a list of identifier and type, as far as the filter looks at them.
fn memberships_column(plan: &Plan) -> &'static str {
    macro_rules! column {
        ($edges:literal, $known:literal, $other:literal, only) => {
            concat!(
                "(SELECT json_group_array(json_array(m.id, n.text)) FROM json_each(:only) j CROSS JOIN ",
                $edges,
                " g ON g.",
                $known,
                " = r.num AND g.",
                $other,
                " = j.value CROSS JOIN resource m ON m.num = g.num CROSS JOIN name n ON n.num = m.type)"
            )
        };
        ($edges:literal, $known:literal, all) => {
            concat!(
                "(SELECT json_group_array(json_array(m.id, n.text)) FROM ",
                $edges,
                " g CROSS JOIN resource m ON m.num = g.num CROSS JOIN name n ON n.num = m.type WHERE g.",
                $known,
                " = r.num)"
            )
        };
    }
    match &plan.memberships {
        None => "NULL",
        Some(Memberships { side: Side::Members, only: Some(_) }) => column!("edge", "grp", "member", only),
        Some(Memberships { side: Side::Members, only: None }) => column!("edge", "grp", all),
        Some(Memberships { side: Side::Groups, only: Some(_) }) => {
            column!("membership", "member", "grp", only)
        }
        Some(Memberships { side: Side::Groups, only: None }) => column!("membership", "member", all),
    }
}
