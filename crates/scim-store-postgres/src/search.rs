//! Queries: from a plan to statements that walk an index.
//!
//! A source becomes [`Stretch`]es, each walked in the order of an index. Where the plan is exact and in order, one statement
//! gives the page itself, with its total and the memberships of its records; otherwise candidates are streamed past the
//! evaluator into a [`Window`]. Either way the number of statements does not depend on the size of the page.
//!
//! Parameters have fixed places: `$1` is the tenant, `$2` the type, those of the statement follow, and then those of its
//! stretches.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use scim_core::key::Key;
use scim_store::plan::{IndexRange, Memberships, Plan, Source};
use scim_store::window::Window;
use scim_store::{Edge, EdgePage, EdgeQuery, Page, Position, Query, Record, Side, Start, Tenant, Walk};
use tokio_postgres::Row;

use crate::error::{Failed, Kind, corrupt};
use crate::existing::is_impossible;
use crate::pool::Snapshot;
use crate::rows::{
    bytes, clamp, edge, edge_columns, edge_page, edges_found, edges_of, edges_step, fits, fitting_columns,
    floor, has_room, is_record, record, record_columns, resource_of,
};
use crate::session::{Parameter, Step, bound, column, number, step};

/// A query and its plan.
pub(crate) struct Search {
    query: Query,
    plan: Plan,
    tenant: String,
    /// Which memberships of the records are wanted besides, and how many.
    with: Option<(Side, usize)>,
    /// There as long as somebody waits for the answer.
    asker: Weak<()>,
}

/// A page, and the memberships that were wanted besides, if they were read with it.
pub(crate) type Found = (Page, Option<EdgePage>);

/// What is walked at a time, in order.
struct Stretch {
    /// The tables that have the rows.
    rows: &'static str,
    /// The tables that are enough to count them.
    counted: &'static str,
    /// `?` stands for each of the parameters in turn.
    condition: &'static str,
    order: &'static str,
    parameters: Vec<Value>,
}

/// How much of a stretch is wanted.
struct Limit {
    sql: String,
    /// Whether much is skipped before it.
    is_far: bool,
}

/// What is bound for a stretch.
#[derive(Clone)]
enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Flag(bool),
}

const BY_ENTRY: &str = concat!("entry x", resource_of!("x.id"));

/// How many resources a type has.
const TOTAL: &str = "SELECT coalesce(sum(count), 0)::int8 FROM total WHERE tenant = $1 AND type = $2";

/// How many candidates are fetched at first where the walk may end early, and then each time.
const FETCHES: [&str; 3] = ["FETCH 200 FROM walk", "FETCH 2000 FROM walk", "FETCH 20000 FROM walk"];

/// From how many skipped resources on it costs less to look up those of the page once more.
const FAR: i64 = 1000;

/// Most resources on a page that is short whatever there is.
const FEW: usize = 10;

/// From how many bytes on a resource is looked at where others need not wait for it.
const LARGE: usize = 64 * 1024;

/// Nobody waits for the answer any more.
fn given_up() -> Failed {
    Failed::new(Kind::Busy, "the query took too long")
}

impl Search {
    /// A search that ends when `asker` is dropped.
    pub(crate) fn new(tenant: &Tenant, query: Query, with: Option<(Side, usize)>, asker: &Arc<()>) -> Self {
        let plan = Plan::new(&query);
        Self { query, plan, tenant: tenant.as_str().to_owned(), with, asker: Arc::downgrade(asker) }
    }

    /// Whether it may look at more than a few resources.
    pub(crate) fn may_walk(&self) -> bool {
        let Self { query, plan, .. } = self;
        // The first of an index, where all that are there have been counted.
        let is_near = matches!(query.start, Start::Offset(0) | Start::After(_));
        if query.filter.is_none() && plan.ordered && is_near && query.count <= FEW {
            return false;
        }
        match &plan.source {
            Source::Nothing | Source::Id(_) => false,
            Source::Index(range) => range.point().is_none_or(Key::is_absent),
            Source::Linked { .. } | Source::Type { .. } | Source::Union(_) => true,
        }
    }

    fn is_awaited(&self) -> bool {
        self.asker.strong_count() > 0
    }

    /// Answers.
    pub(crate) async fn run(&self, snapshot: Snapshot) -> Result<Found, Failed> {
        let Plan { exact, ordered, source, .. } = &self.plan;
        if self.stretches(source, None).is_empty() {
            return Ok(self.nothing());
        }
        let is_first = matches!(self.query.start, Start::Offset(_));
        match *exact && *ordered && (is_first || !matches!(source, Source::Id(_))) {
            true => self.exact_page(snapshot).await,
            false => self.streamed_page(snapshot).await,
        }
    }

    fn nothing(&self) -> Found {
        let page = Page { records: Vec::new(), total: self.query.total.then_some(0), next: None };
        (page, Some(EdgePage { edges: Vec::new(), more: false }))
    }

    /// The page of a source in which everything matches, in its order.
    async fn exact_page(&self, mut snapshot: Snapshot) -> Result<Found, Failed> {
        let Query { sort, start, count, total, .. } = &self.query;
        let (mut offset, after) = match start {
            Start::Offset(offset) => (clamp(*offset), None),
            Start::After(position) => (0, Some(position)),
        };
        let mut stretches = self.stretches(&self.plan.source, after);
        if *count == 0 {
            stretches.clear();
        }
        if stretches.is_empty() && !total {
            return Ok(self.nothing());
        }
        if offset > 0 && stretches.len() > 1 {
            let lengths = snapshot.run(stretches.iter().map(|stretch| self.length(stretch)).collect());
            for row in lengths.await?.iter().flatten() {
                let length = clamp(number(row, 0)?);
                if stretches.len() > 1 && offset >= length {
                    offset -= length;
                    stretches.remove(0);
                } else {
                    break;
                }
            }
        }
        let (mut found, mut edges): (Vec<(Position, Record)>, Vec<Edge>) = Default::default();
        let (mut more, mut counted) = (false, 0);
        for row in &snapshot.rows(self.page_step(&stretches, offset)).await? {
            let place: Option<&[u8]> = column(row, 0)?;
            match (is_record(row, 1)?, place) {
                (true, _) if !has_room(row, 1)? => more = true,
                (true, key) => {
                    let record = record(row, 1)?;
                    // Only an order by `id` has no key in an index.
                    let key =
                        sort.as_ref().map(|_| key.map_or_else(|| Key::text(&record.id), Key::from_bytes));
                    found.push((Position { key, id: record.id.clone() }, record));
                }
                (false, Some(of)) => {
                    let of = str::from_utf8(of).map_err(|_| corrupt("an identifier cannot be read"))?;
                    edges.push(edge(row, 1, of)?);
                }
                (false, None) => counted += number(row, 3)?,
            }
        }
        more |= found.len() > *count;
        found.truncate(*count);
        let page = Page::of(&self.query, total.then_some(counted), found, more);
        Ok((page, Some(edge_page(edges, self.with.map_or(0, |(_, count)| count))?)))
    }

    /// What reads a page: rows of records, of their memberships, and of the parts of the total. All have a place and the
    /// columns of records: that of a record is its key, that of a membership the record it is of, and a total has none.
    fn page_step(&self, stretches: &[Stretch], offset: i64) -> Step {
        let mut parameters = self.parameters();
        let mut sql = String::new();
        let mut parts = Vec::new();
        if !stretches.is_empty() {
            let limit = |count: usize| bound(clamp(count as u64).saturating_add(1));
            let bytes = bound(clamp(self.query.bytes as u64));
            parameters.extend([limit(self.query.count), bytes]);
            parameters.extend(self.with.map(|(_, count)| limit(count)));
            parameters.push(bound(offset));
            let is_far = offset >= FAR;
            let offset = format!(" OFFSET ${}", parameters.len());
            let mut walks = Vec::new();
            for stretch in stretches {
                let columns = match (&self.query.sort, stretch.has_key()) {
                    (Some(_), true) => concat!("x.key AS place, ", record_columns!()),
                    (Some(_), false) | (None, _) => concat!("NULL::bytea AS place, ", record_columns!()),
                };
                let skipped = if walks.is_empty() { offset.as_str() } else { "" };
                let limit = Limit { sql: format!(" LIMIT $3{skipped}"), is_far: walks.is_empty() && is_far };
                walks.push(format!("({})", stretch.page(columns, &limit, &mut parameters)));
            }
            sql = format!(
                "WITH page AS (SELECT w.*, {} FROM ({}) w LIMIT $3) ",
                bytes!(),
                walks.join(" UNION ALL ")
            );
            parts.push(concat!("(SELECT p.place, ", fitting_columns!(), " FROM page p)").to_owned());
            let edges = self.with.map(|(side, _)| {
                edges_of!(
                    side,
                    concat!("j.place, ", edge_columns!("f", "f")),
                    concat!(
                        "(SELECT q.id AS of, convert_to(q.id, 'UTF8') AS place FROM (SELECT p.id FROM page p WHERE ",
                        fits!(),
                        " LIMIT $3 - 1) q ORDER BY q.id) j"
                    ),
                    "''"
                )
            });
            parts.extend(edges.map(|edges| format!("({edges})")));
        }
        if self.query.total {
            let counts = self.counts(&mut parameters).into_iter();
            parts.extend(counts.map(|count| {
                format!("SELECT NULL::bytea, NULL, NULL, ({count}), NULL::int8, NULL, NULL, NULL")
            }));
        }
        sql.push_str(&parts.join(" UNION ALL "));
        Step { sql: sql.into(), parameters }
    }

    /// What counts the resources of a source in which everything matches, part by part.
    fn counts(&self, parameters: &mut Vec<Parameter>) -> Vec<String> {
        if self.query.filter.is_none() {
            return vec![TOTAL.to_owned()];
        }
        let what = match &self.plan.source {
            Source::Index(range) if !range.distinct => "count(DISTINCT x.id)",
            Source::Nothing | Source::Id(_) | Source::Type { .. } | Source::Index(_) => "count(*)",
            Source::Linked { .. } | Source::Union(_) => "count(*)",
        };
        let stretches = self.stretches(&self.plan.source, None);
        stretches.iter().map(|stretch| stretch.count(what, parameters)).collect()
    }

    /// A page of what the evaluator accepts.
    async fn streamed_page(&self, mut snapshot: Snapshot) -> Result<Found, Failed> {
        let query = &self.query;
        let mut known_total = None;
        if query.filter.is_none() && query.total {
            let total = Step { sql: TOTAL.into(), parameters: self.parameters() };
            let rows = snapshot.run(vec![total]).await?;
            known_total = rows.iter().flatten().next().map(|row| number(row, 0)).transpose()?;
        }
        let window = self.stream(&mut snapshot, query.total && known_total.is_none()).await?;
        let total = query.total.then(|| known_total.unwrap_or(window.matches()));
        let (found, more) = window.finish();
        let (positions, ids): (Vec<Position>, Vec<String>) = found.into_iter().unzip();
        let count = self.with.map_or(0, |(_, count)| count);
        let edges = self.with.and_then(|(side, count)| {
            edges_step(&self.tenant, &EdgeQuery { side, of: ids.clone(), after: None, count })
        });
        let sql = concat!(
            "WITH page AS (SELECT w.*, ",
            bytes!(),
            " FROM (SELECT ",
            record_columns!(),
            ", j.n FROM unnest($2::text[]) WITH ORDINALITY AS j (id, n)",
            resource_of!("j.id"),
            " ORDER BY j.n LIMIT $3) w) SELECT ",
            fitting_columns!(),
            " FROM page p"
        );
        let (limit, bytes) = (clamp(ids.len() as u64), clamp(query.bytes as u64));
        let steps = [step!(sql, self.tenant.clone(), ids, limit, bytes)].into_iter().chain(edges);
        let answers = snapshot.last(steps.collect()).await?;
        let (rows, edges) = answers.split_first().map_or((&[][..], &[][..]), |(rows, rest)| (&**rows, rest));
        if rows.len() != positions.len() {
            return Err(corrupt("a resource went while it was read"));
        }
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            if !has_room(row, 0)? {
                break;
            }
            records.push(record(row, 0)?);
        }
        let is_cut = records.len() < rows.len();
        let page = Page::of(query, total, positions.into_iter().zip(records), more || is_cut);
        // What was read are the first memberships of all, and not of those on the page.
        let edges = if is_cut { None } else { Some(edges_found(edges.iter().flatten(), count)?) };
        Ok((page, edges))
    }

    /// Shows all candidates to the evaluator, until nothing can change any more.
    async fn stream(&self, snapshot: &mut Snapshot, counts: bool) -> Result<Window<String>, Failed> {
        let Search { query, plan, .. } = self;
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
        let mut seen: HashSet<String> = HashSet::new();
        let only = plan.memberships.as_ref().and_then(|needed| needed.only.as_ref());
        let only: Option<Vec<String>> =
            only.map(|only| only.iter().filter(|id| !is_impossible(id)).cloned().collect());
        for stretch in self.stretches(&plan.source, after) {
            let memberships = memberships_column(plan);
            let columns = format!(concat!("{}, ", record_columns!()), memberships);
            let mut parameters = self.parameters();
            parameters.extend(only.iter().cloned().map(bound));
            let sql = stretch.walk(&columns, &mut parameters);
            let step = Step { sql: sql.into(), parameters };
            let mut show = |row: &Row, window: &mut Window<String>| -> Result<(), Failed> {
                if !self.is_awaited() {
                    return Err(given_up());
                }
                let record = record(row, 1)?;
                match is_distinct || seen.insert(record.id.clone()) {
                    true => self.show(row, &record, window),
                    false => Ok(()),
                }
            };
            if counts {
                // Everything has to be seen, and nothing is kept that is not on the page.
                snapshot.run(Vec::new()).await?;
                let session = snapshot.session()?;
                let mut rows = session.stream(&step).await?;
                while let Some(row) = session.next(&mut rows).await? {
                    show(&row, &mut window)?;
                }
                continue;
            }
            let Step { sql, parameters } = step;
            let declare = Step { sql: format!("DECLARE walk NO SCROLL CURSOR FOR {sql}").into(), parameters };
            snapshot.run(vec![declare]).await?;
            let [first, then, last] = FETCHES;
            for fetch in [first, then].into_iter().chain(std::iter::repeat(last)) {
                let session = snapshot.session()?;
                let (mut rows, mut is_empty) = (session.fetch(fetch).await?, true);
                while let Some(row) = session.next(&mut rows).await? {
                    is_empty = false;
                    show(&row, &mut window)?;
                }
                if is_empty || window.is_full() {
                    break;
                }
            }
            snapshot.run(vec![step!("CLOSE walk")]).await?;
            if window.is_full() {
                break;
            }
        }
        Ok(window)
    }

    /// Shows the window a candidate, if it matches.
    fn show(&self, row: &Row, record: &Record, window: &mut Window<String>) -> Result<(), Failed> {
        let Search { query, plan, .. } = self;
        let filter = query.filter.as_ref().filter(|_| !plan.exact);
        if filter.is_none() && query.sort.is_none() {
            window.push(None, &record.id, || record.id.clone());
            return Ok(());
        }
        let mut document = record.document().map_err(|error| Failed::new(Kind::Fault, error.to_string()))?;
        let key = query.sort.as_ref().map(|sort| sort.key(&document));
        if let Some(needed) = &plan.memberships {
            let found: Vec<(String, String)> =
                serde_json::from_str(column(row, 0)?).map_err(|_| corrupt("memberships cannot be read"))?;
            needed.insert(&mut document, found.iter().map(|(id, kind)| (id.as_str(), kind.as_str())));
        }
        let matches = || match filter {
            None => Some(true),
            Some(filter) => filter.matches_while(&document, &|| self.is_awaited()),
        };
        // Other work of this thread does not wait for what may take long.
        let matches = match record.body.len() > LARGE {
            true => tokio::task::block_in_place(matches),
            false => matches(),
        };
        if matches.ok_or_else(given_up)? {
            window.push(key, &record.id, || record.id.clone());
        }
        Ok(())
    }

    fn kind(&self) -> String {
        self.query.resource_type.name().to_owned()
    }

    /// What every statement begins with.
    fn parameters(&self) -> Vec<Parameter> {
        vec![bound(self.tenant.clone()), bound(self.kind())]
    }

    fn length(&self, stretch: &Stretch) -> Step {
        let mut parameters = self.parameters();
        let sql = stretch.count("count(*)", &mut parameters);
        Step { sql: sql.into(), parameters }
    }

    /// What has to be walked of a source, after a position if it is walked in the order of the result.
    fn stretches(&self, source: &Source, after: Option<&Position>) -> Vec<Stretch> {
        let id_after = || Value::Text(after.map(|position| floor(&position.id)).unwrap_or_default());
        match source {
            Source::Nothing => Vec::new(),
            Source::Id(id) if is_impossible(id) => Vec::new(),
            Source::Id(id) => vec![Stretch {
                rows: "resource r",
                counted: "resource r",
                condition: "r.tenant = $1 AND r.id >= ? AND r.id <= ? AND r.type = $2",
                order: " ORDER BY r.id",
                parameters: vec![Value::Text(id.clone()), Value::Text(id.clone())],
            }],
            Source::Type { descending: false } => vec![Stretch {
                rows: "resource r",
                counted: "resource r",
                condition: "r.tenant = $1 AND (r.type, r.id) > ($2, ?) AND r.type <= $2",
                order: " ORDER BY r.type, r.id",
                parameters: vec![id_after()],
            }],
            Source::Type { descending: true } => {
                let (condition, parameters) = match after {
                    None => ("r.tenant = $1 AND r.type >= $2 AND r.type <= $2", Vec::new()),
                    Some(position) => {
                        let mut id = floor(&position.id);
                        if id.len() < position.id.len() {
                            // What is cut comes after the rest; nothing comes between.
                            id.push('\u{1}');
                        }
                        let condition = "r.tenant = $1 AND (r.type, r.id) < ($2, ?) AND r.type >= $2";
                        (condition, vec![Value::Text(id)])
                    }
                };
                let order = " ORDER BY r.type DESC, r.id DESC";
                vec![Stretch { rows: "resource r", counted: "resource r", condition, order, parameters }]
            }
            Source::Linked { of, .. } if is_impossible(of) => Vec::new(),
            Source::Linked { side, of } => {
                let (rows, condition, order) = match side {
                    Side::Members => (
                        concat!("edge e", resource_of!("e.member")),
                        "e.tenant = $1 AND (e.grp, e.member) > (?, ?) AND e.grp <= ? AND r.type = $2",
                        " ORDER BY e.grp, e.member",
                    ),
                    Side::Groups => (
                        concat!("edge e", resource_of!("e.grp")),
                        "e.tenant = $1 AND (e.member, e.grp) > (?, ?) AND e.member <= ? AND r.type = $2",
                        " ORDER BY e.member, e.grp",
                    ),
                };
                let of = || Value::Text(of.clone());
                let parameters = vec![of(), id_after(), of()];
                vec![Stretch { rows, counted: rows, condition, order, parameters }]
            }
            Source::Index(range) => self.index_stretches(range, after),
            Source::Union(sources) => {
                sources.iter().flat_map(|source| self.stretches(source, None)).collect()
            }
        }
    }

    fn index_stretches(&self, range: &IndexRange, after: Option<&Position>) -> Vec<Stretch> {
        let walk = IndexWalk { path: &range.path, leading: range.leading };
        let walks = range.walks(self.query.sort.is_some(), after).into_iter();
        let stretch = |piece| match piece {
            Walk::Point { key, after } => walk.point(&key, &after),
            Walk::Range { from, to } => walk.range(from, to, range.descending),
        };
        walks.map(stretch).collect()
    }
}

/// How an index is walked.
struct IndexWalk<'a> {
    path: &'a str,
    leading: bool,
}

impl IndexWalk<'_> {
    /// The entries of one key, after an identifier.
    fn point(&self, key: &[u8], id: &str) -> Stretch {
        Stretch {
            rows: BY_ENTRY,
            counted: "entry x",
            condition: "x.tenant = $1 AND x.type = $2 AND x.path = ? AND x.key = ? AND x.id > ? AND x.leads >= ?",
            order: " ORDER BY x.id",
            parameters: vec![
                Value::Text(self.path.to_owned()),
                Value::Bytes(key.to_vec()),
                Value::Text(floor(id)),
                Value::Flag(self.leading),
            ],
        }
    }

    /// The entries from one key to before another.
    fn range(&self, from: Vec<u8>, to: Vec<u8>, descending: bool) -> Stretch {
        Stretch {
            rows: BY_ENTRY,
            counted: "entry x",
            condition: "x.tenant = $1 AND x.type = $2 AND x.path = ? AND x.key >= ? AND x.key < ? AND x.leads >= ?",
            order: if descending { " ORDER BY x.key DESC, x.id" } else { " ORDER BY x.key, x.id" },
            parameters: vec![
                Value::Text(self.path.to_owned()),
                Value::Bytes(from),
                Value::Bytes(to),
                Value::Flag(self.leading),
            ],
        }
    }
}

impl Stretch {
    fn has_key(&self) -> bool {
        self.counted == "entry x"
    }

    /// Whether it walks the resources of a type.
    fn is_of_type(&self) -> bool {
        self.rows == "resource r" && self.order.starts_with(" ORDER BY r.type")
    }

    /// What walks it in order. Its parameters are added to those of the statement.
    fn walk(&self, columns: &str, parameters: &mut Vec<Parameter>) -> String {
        format!("SELECT {columns} FROM {} WHERE {}{}", self.rows, self.placed(parameters), self.order)
    }

    /// What gives so much of it in order. Of what an index leads to, no more is looked up than is wanted: neither what is
    /// skipped, nor what has to be sorted where one key goes down and identifiers go up.
    fn page(&self, columns: &str, limit: &Limit, parameters: &mut Vec<Parameter>) -> String {
        let Self { rows, order, .. } = self;
        let (condition, Limit { sql, is_far }) = (self.placed(parameters), limit);
        let narrow = match (self.has_key(), self.is_of_type() && *is_far) {
            (true, _) => "x.key, x.id FROM entry x",
            (false, true) => "r.type, r.id FROM resource r",
            (false, false) => return format!("SELECT {columns} FROM {rows} WHERE {condition}{order}{sql}"),
        };
        let outer = order.replace(" r.", " x.");
        let narrow = format!("SELECT {narrow} WHERE {condition}{order}{sql}");
        format!(concat!("SELECT {} FROM ({}) x", resource_of!("x.id"), "{}"), columns, narrow, outer)
    }

    /// What counts it.
    fn count(&self, what: &str, parameters: &mut Vec<Parameter>) -> String {
        let (counted, condition) = (self.counted, self.placed(parameters));
        match self.has_key() {
            true => format!("SELECT {what} FROM {counted} WHERE {condition}"),
            // The order says which index, and costs nothing.
            false => format!(
                "SELECT {what} FROM (SELECT FROM {counted} WHERE {condition}{} OFFSET 0) c",
                self.order
            ),
        }
    }

    fn placed(&self, parameters: &mut Vec<Parameter>) -> String {
        let mut parts = self.condition.split('?');
        let mut condition = parts.next().unwrap_or_default().to_owned();
        for (part, value) in parts.zip(&self.parameters) {
            parameters.push(match value.clone() {
                Value::Text(text) => bound(text),
                Value::Bytes(bytes) => bound(bytes),
                Value::Flag(flag) => bound(flag),
            });
            condition.push_str(&format!("${}{part}", parameters.len()));
        }
        condition
    }
}

/// The memberships of a candidate as a list of identifier and type, as far as the filter looks at them.
fn memberships_column(plan: &Plan) -> String {
    let Some(Memberships { side, only }) = &plan.memberships else { return "NULL::text".to_owned() };
    let (known, other) = match side {
        Side::Members => ("grp", "member"),
        Side::Groups => ("member", "grp"),
    };
    let edges = match only {
        Some(_) => format!(
            "unnest($3::text[]) AS o (id) CROSS JOIN LATERAL (SELECT g.{other} FROM edge g
                WHERE g.tenant = $1 AND g.{known} = r.id AND g.{other} = o.id OFFSET 0) g"
        ),
        None => format!(
            "(SELECT g.{other} FROM edge g WHERE g.tenant = $1 AND g.{known} >= r.id AND g.{known} <= r.id
                ORDER BY g.{known}, g.{other} OFFSET 0) g"
        ),
    };
    format!(
        "(SELECT coalesce(json_agg(json_build_array(m.id, m.type)), '[]')::text FROM {edges} CROSS JOIN LATERAL
            (SELECT m.id, m.type FROM resource m WHERE m.tenant = $1 AND m.id >= g.{other} AND m.id <= g.{other}
                ORDER BY m.id OFFSET 0) m)"
    )
}
