//! Queries: from a plan to statements that walk an index.
//!
//! A source becomes [`Stretch`]es, each walked by one statement in the order of an index. Where the plan is exact and
//! in order, the statements give the page itself, all of them in one round trip; otherwise candidates are streamed past
//! the evaluator into a [`Window`]. Either way the number of statements does not depend on the size of the page.
//!
//! Parameters have fixed places: `$1` is the tenant, `$2` the type, those of a stretch follow, and then those of the
//! statement.

use std::collections::HashSet;

use futures_util::TryStreamExt;
use scim_core::key::Key;
use scim_store::plan::{IndexRange, Memberships, Plan, Source};
use scim_store::window::Window;
use scim_store::{Page, Position, Query, Record, Side, Start, Tenant, Walk};
use tokio_postgres::Row;

use crate::error::{Failed, Kind, corrupt};
use crate::existing::is_impossible;
use crate::pool::Snapshot;
use crate::rows::{clamp, floor, record, record_columns, resource_of};
use crate::session::{Parameter, Step, bound, column, number, step};

/// A query and its plan.
pub(crate) struct Search {
    query: Query,
    plan: Plan,
    tenant: String,
}

/// What one statement walks, in order.
struct Stretch {
    /// The tables that have the rows.
    rows: &'static str,
    /// The tables that are enough to count them.
    counted: &'static str,
    condition: &'static str,
    order: &'static str,
    parameters: Vec<Value>,
}

/// What is bound for a stretch.
#[derive(Clone)]
enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Flag(bool),
}

const BY_ENTRY: &str = concat!("entry x", resource_of!("x.id"));

/// How many candidates are fetched at first where the walk may end early, and then each time.
const FETCHES: [&str; 3] = ["FETCH 200 FROM walk", "FETCH 2000 FROM walk", "FETCH 20000 FROM walk"];

/// Most resources on a page that is short whatever there is.
const FEW: usize = 10;

impl Search {
    pub(crate) fn new(tenant: &Tenant, query: Query) -> Self {
        let plan = Plan::new(&query);
        Self { query, plan, tenant: tenant.as_str().to_owned() }
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

    /// Answers.
    pub(crate) async fn run(&self, snapshot: Snapshot) -> Result<Page, Failed> {
        let Plan { exact, ordered, source, .. } = &self.plan;
        if self.stretches(source, None).is_empty() {
            return Ok(Page { records: Vec::new(), total: self.query.total.then_some(0), next: None });
        }
        let is_first = matches!(self.query.start, Start::Offset(_));
        match *exact && *ordered && (is_first || !matches!(source, Source::Id(_))) {
            true => self.exact_page(snapshot).await,
            false => self.streamed_page(snapshot).await,
        }
    }

    /// The page of a source in which everything matches, in its order.
    async fn exact_page(&self, mut snapshot: Snapshot) -> Result<Page, Failed> {
        let Query { sort, start, count, total, .. } = &self.query;
        let (mut offset, after) = match start {
            Start::Offset(offset) => (clamp(*offset), None),
            Start::After(position) => (0, Some(position)),
        };
        let mut stretches = self.stretches(&self.plan.source, after);
        if offset > 0 && stretches.len() > 1 {
            let lengths =
                snapshot.run(stretches.iter().map(|stretch| self.count(stretch, "count(*)")).collect());
            for length in counts(&lengths.await?)?.into_iter().map(clamp) {
                if stretches.len() > 1 && offset >= length {
                    offset -= length;
                    stretches.remove(0);
                } else {
                    break;
                }
            }
        }
        let limit = clamp(*count as u64).saturating_add(1);
        let mut pages = Vec::new();
        if *count > 0 {
            for (index, stretch) in stretches.iter().enumerate() {
                let columns = match (sort, stretch.has_key()) {
                    (Some(_), true) => concat!("x.key, ", record_columns!()),
                    (Some(_), false) | (None, _) => concat!("NULL::bytea, ", record_columns!()),
                };
                let skipped = if index == 0 { offset } else { 0 };
                pages.push(self.step(stretch, columns, Some((limit, skipped)), Vec::new()));
            }
        }
        let totals = if *total { self.total_steps() } else { Vec::new() };
        let (answers, counted) = match (pages.as_slice(), totals.as_slice()) {
            // Without a position, a page begins with the parameters of its total.
            ([_], [total]) if after.is_none() => {
                let with_total = |Step { sql, parameters }: Step| {
                    let sql = format!("SELECT p.*, c.* FROM ({}) c LEFT JOIN ({sql}) p ON true", total.sql);
                    Step { sql: sql.into(), parameters }
                };
                let rows = snapshot.last(pages.into_iter().map(with_total).collect()).await?;
                let counted = rows.iter().flatten().take(1).map(|row| number(row, 8)).collect();
                (rows, counted)
            }
            ([], []) => (Vec::new(), Ok(Vec::new())),
            _ => {
                let many = pages.len();
                let mut answers = snapshot.last(pages.into_iter().chain(totals).collect()).await?;
                let totals = answers.split_off(many.min(answers.len()));
                (answers, counts(&totals))
            }
        };
        let counted: Vec<u64> = counted?;
        let mut found: Vec<(Option<Key>, Record)> = Vec::new();
        for row in answers.iter().flatten().take(count.saturating_add(1)) {
            // A total comes even where there is nothing on the page.
            if column::<Option<&str>>(row, 1)?.is_some() {
                let key: Option<&[u8]> = column(row, 0)?;
                found.push((key.map(Key::from_bytes), record(row, 1)?));
            }
        }
        let more = found.len() > *count;
        found.truncate(*count);
        let next = found.last().filter(|_| more).map(|(key, record)| {
            // Only an order by `id` has no key in an index.
            let key = sort.as_ref().map(|_| key.clone().unwrap_or_else(|| Key::text(&record.id)));
            Position { key, id: record.id.clone() }
        });
        let total = total.then(|| counted.into_iter().sum());
        Ok(Page { records: found.into_iter().map(|(_, record)| record).collect(), total, next })
    }

    /// How many resources a source holds, where everything in it matches.
    fn total_steps(&self) -> Vec<Step> {
        if self.query.filter.is_none() {
            let sql = "SELECT coalesce(sum(count), 0)::int8 FROM total WHERE tenant = $1 AND type = $2";
            return vec![step!(sql, self.tenant.clone(), self.kind())];
        }
        let what = match &self.plan.source {
            Source::Index(range) if !range.distinct => "count(DISTINCT x.id)",
            Source::Nothing | Source::Id(_) | Source::Type { .. } | Source::Index(_) => "count(*)",
            Source::Linked { .. } | Source::Union(_) => "count(*)",
        };
        self.stretches(&self.plan.source, None).iter().map(|stretch| self.count(stretch, what)).collect()
    }

    /// A page of what the evaluator accepts.
    async fn streamed_page(&self, mut snapshot: Snapshot) -> Result<Page, Failed> {
        let query = &self.query;
        let mut known_total = None;
        if query.filter.is_none() && query.total {
            known_total = counts(&snapshot.run(self.total_steps()).await?)?.first().copied();
        }
        let window = self.stream(&mut snapshot, query.total && known_total.is_none()).await?;
        let total = query.total.then(|| known_total.unwrap_or(window.matches()));
        let (ids, next) = window.finish();
        let wanted = ids.len();
        let sql = concat!(
            "SELECT ",
            record_columns!(),
            " FROM unnest($2::text[]) WITH ORDINALITY AS j (id, n)",
            resource_of!("j.id"),
            " ORDER BY j.n"
        );
        let rows = snapshot.rows(step!(sql, self.tenant.clone(), ids)).await?;
        let records: Vec<Record> = rows.iter().map(|row| record(row, 0)).collect::<Result<_, Failed>>()?;
        match records.len() == wanted {
            true => Ok(Page { records, total, next }),
            false => Err(corrupt("a resource went while it was read")),
        }
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
            let memberships = memberships_column(plan, stretch.parameters.len() + 3);
            let columns = format!(concat!("{}, ", record_columns!()), memberships);
            let more: Vec<Parameter> = only.iter().cloned().map(bound).collect();
            let step = self.step(&stretch, &columns, None, more);
            let mut show = |row: &Row, window: &mut Window<String>| -> Result<(), Failed> {
                let record = record(row, 1)?;
                match is_distinct || seen.insert(record.id.clone()) {
                    true => self.show(row, &record, window),
                    false => Ok(()),
                }
            };
            if counts {
                // Everything has to be seen, and nothing is kept that is not on the page.
                snapshot.run(Vec::new()).await?;
                let mut rows = Box::pin(snapshot.session()?.stream(&step).await?);
                while let Some(row) = rows.try_next().await.map_err(|error| Failed::of(&error))? {
                    show(&row, &mut window)?;
                }
                continue;
            }
            let Step { sql, parameters } = step;
            let declare = Step { sql: format!("DECLARE walk NO SCROLL CURSOR FOR {sql}").into(), parameters };
            snapshot.run(vec![declare]).await?;
            let [first, then, last] = FETCHES;
            for fetch in [first, then].into_iter().chain(std::iter::repeat(last)) {
                let rows = snapshot.session()?.fetch(fetch).await?;
                for row in &rows {
                    show(row, &mut window)?;
                }
                if rows.is_empty() || window.is_full() {
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
        if filter.is_none_or(|filter| filter.matches(&document)) {
            window.push(key, &record.id, || record.id.clone());
        }
        Ok(())
    }

    fn kind(&self) -> String {
        self.query.resource_type.name().to_owned()
    }

    fn count(&self, stretch: &Stretch, what: &'static str) -> Step {
        let sql = format!("SELECT {what} FROM {} WHERE {}", stretch.counted, stretch.condition);
        Step { sql: sql.into(), parameters: self.parameters(stretch) }
    }

    /// The statement that walks a stretch, from the first column on that is given.
    fn step(&self, stretch: &Stretch, columns: &str, page: Option<(i64, i64)>, more: Vec<Parameter>) -> Step {
        let Stretch { rows, condition, order, .. } = stretch;
        let mut sql = format!("SELECT {columns} FROM {rows} WHERE {condition}{order}");
        let mut parameters = self.parameters(stretch);
        parameters.extend(more);
        if let Some((limit, offset)) = page {
            let place = parameters.len();
            sql.push_str(&format!(" LIMIT ${} OFFSET ${}", place + 1, place + 2));
            parameters.extend([bound(limit), bound(offset)]);
        }
        Step { sql: sql.into(), parameters }
    }

    fn parameters(&self, stretch: &Stretch) -> Vec<Parameter> {
        let mut parameters = vec![bound(self.tenant.clone()), bound(self.kind())];
        parameters.extend(stretch.parameters.iter().cloned().map(|value| match value {
            Value::Text(text) => bound(text),
            Value::Bytes(bytes) => bound(bytes),
            Value::Flag(flag) => bound(flag),
        }));
        parameters
    }

    /// The statements that walk a source, after a position if it is walked in the order of the result.
    fn stretches(&self, source: &Source, after: Option<&Position>) -> Vec<Stretch> {
        let id_after = || Value::Text(after.map(|position| floor(&position.id)).unwrap_or_default());
        match source {
            Source::Nothing => Vec::new(),
            Source::Id(id) if is_impossible(id) => Vec::new(),
            Source::Id(id) => vec![Stretch {
                rows: "resource r",
                counted: "resource r",
                condition: "r.tenant = $1 AND r.id = $3 AND r.type = $2",
                order: "",
                parameters: vec![Value::Text(id.clone())],
            }],
            Source::Type { descending: false } => vec![Stretch {
                rows: "resource r",
                counted: "resource r",
                condition: "r.tenant = $1 AND r.type = $2 AND r.id > $3",
                order: " ORDER BY r.id",
                parameters: vec![id_after()],
            }],
            Source::Type { descending: true } => {
                let (condition, parameters) = match after {
                    None => ("r.tenant = $1 AND r.type = $2", Vec::new()),
                    Some(position) => {
                        let mut id = floor(&position.id);
                        if id.len() < position.id.len() {
                            // What is cut comes after the rest; nothing comes between.
                            id.push('\u{1}');
                        }
                        ("r.tenant = $1 AND r.type = $2 AND r.id < $3", vec![Value::Text(id)])
                    }
                };
                let order = " ORDER BY r.id DESC";
                vec![Stretch { rows: "resource r", counted: "resource r", condition, order, parameters }]
            }
            Source::Linked { of, .. } if is_impossible(of) => Vec::new(),
            Source::Linked { side, of } => {
                let (rows, condition, order) = match side {
                    Side::Members => (
                        concat!("edge e", resource_of!("e.member")),
                        "e.tenant = $1 AND e.grp = $3 AND e.member > $4 AND r.type = $2",
                        " ORDER BY e.member",
                    ),
                    Side::Groups => (
                        concat!("edge e", resource_of!("e.grp")),
                        "e.tenant = $1 AND e.member = $3 AND e.grp > $4 AND r.type = $2",
                        " ORDER BY e.grp",
                    ),
                };
                let parameters = vec![Value::Text(of.clone()), id_after()];
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
            condition: "x.tenant = $1 AND x.type = $2 AND x.path = $3 AND x.key = $4 AND x.id > $5 AND x.leads >= $6",
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
            condition: "x.tenant = $1 AND x.type = $2 AND x.path = $3 AND x.key >= $4 AND x.key < $5 AND x.leads >= $6",
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
}

fn counts(answers: &[Vec<Row>]) -> Result<Vec<u64>, Failed> {
    answers.iter().flatten().map(|row| number(row, 0)).collect()
}

/// The memberships of a candidate as a list of identifier and type, as far as the filter looks at them.
fn memberships_column(plan: &Plan, place: usize) -> String {
    let Some(Memberships { side, only }) = &plan.memberships else { return "NULL::text".to_owned() };
    let (known, other) = match side {
        Side::Members => ("grp", "member"),
        Side::Groups => ("member", "grp"),
    };
    let limited = match only {
        Some(_) => format!(" AND g.{other} = ANY(${place}::text[])"),
        None => String::new(),
    };
    format!(
        "(SELECT coalesce(json_agg(json_build_array(m.id, m.type)), '[]')::text FROM edge g
            CROSS JOIN LATERAL (SELECT m.id, m.type FROM resource m WHERE m.tenant = $1 AND m.id = g.{other} OFFSET 0) m
            WHERE g.tenant = $1 AND g.{known} = r.id{limited})"
    )
}
