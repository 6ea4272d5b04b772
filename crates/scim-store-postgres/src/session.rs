//! One connection: statements prepared once, and sent together where none depends on the other's answer.
//!
//! A round trip is one call of [`Session::run`], however many statements it sends. The server works them off in order.
//! Whether a transaction is open afterwards is known here alone, and in doubt it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use scim_store::Tenant;
use tokio::time::timeout;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Row, RowStream, Statement};

use crate::error::{Failed, Kind};
use crate::options::{Options, Trace};

/// A connection of the pool.
pub(crate) struct Session {
    client: Client,
    /// When it began to be made.
    pub(crate) since: Instant,
    /// Whether no transaction is open: its end, or the statement that was all of it, has been answered.
    is_idle: AtomicBool,
    statements: Mutex<Statements>,
    /// Those that name their tenant, by what they ask for.
    alone: Mutex<Statements>,
    /// Most of either that are kept.
    kept: usize,
    patience: Duration,
    trace: Option<Trace>,
}

/// What was prepared, by its text.
type Statements = HashMap<Cow<'static, str>, Statement>;

/// A statement and what is bound to it.
pub(crate) struct Step {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) parameters: Vec<Parameter>,
}

/// What a round trip leaves behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// A transaction in which more follows.
    Open,
    /// Nothing: its last statement ends the transaction.
    Over,
}

/// A value that is bound.
pub(crate) type Parameter = Box<dyn ToSql + Sync + Send>;

/// A value to be bound.
pub(crate) fn bound(value: impl ToSql + Sync + Send + 'static) -> Parameter {
    Box::new(value)
}

/// A statement of constants and the values to be bound.
macro_rules! step {
    ($sql:expr $(, $value:expr)* $(,)?) => {
        $crate::session::Step { sql: ($sql).into(), parameters: vec![$($crate::session::bound($value)),*] }
    };
}
pub(crate) use step;

impl Session {
    pub(crate) fn new(client: Client, since: Instant, options: &Options) -> Self {
        let is_idle = AtomicBool::new(true);
        let (statements, alone) = (Mutex::default(), Mutex::default());
        let patience = options.statement + Duration::from_secs(5);
        let trace = options.trace.clone();
        Self { client, since, is_idle, statements, alone, kept: options.prepared, patience, trace }
    }

    /// The connection by itself.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it can be used by somebody else.
    pub(crate) fn is_idle(&self) -> bool {
        !self.client.is_closed() && self.is_idle.load(Ordering::Relaxed)
    }

    fn set_idle(&self, is_idle: bool) {
        self.is_idle.store(is_idle, Ordering::Relaxed);
    }

    /// Runs statements one after the other, all sent at once, and gives the rows of each. The first that fails is the
    /// failure; where they are of one transaction, those after it did nothing.
    pub(crate) async fn run(&self, steps: Vec<Step>, leaves: Leaves) -> Result<Vec<Vec<Row>>, Failed> {
        self.set_idle(false);
        let work = async {
            let statements = self.prepare(steps.iter().map(|step| &step.sql)).await?;
            if let Some(trace) = &self.trace {
                trace(&steps.iter().map(|step| &*step.sql).collect::<Vec<_>>());
            }
            let answers = self.send(&statements, &steps).await;
            // The end of a transaction that failed is answered as well. An end that failed may have left it open.
            self.set_idle(leaves == Leaves::Over && matches!(answers.last(), Some(Some(Ok(_)))));
            answers.into_iter().flatten().collect()
        };
        self.patiently(work).await
    }

    /// Runs a statement that reads, as a transaction by itself, of one tenant.
    pub(crate) async fn alone(&self, tenant: &Tenant, step: &Step) -> Result<Vec<Row>, Failed> {
        self.set_idle(false);
        let work = async {
            let known = locked(&self.alone).get(&step.sql).cloned();
            let statement = match known {
                Some(statement) => statement,
                None => self.prepare_alone(step).await?,
            };
            if let Some(trace) = &self.trace {
                trace(&[&naming_its_tenant(step)]);
            }
            let tenant = tenant.as_str();
            let parameters = step.parameters.iter().map(|value| &**value as &(dyn ToSql + Sync));
            let parameters: Vec<&(dyn ToSql + Sync)> = parameters.chain([&tenant as _]).collect();
            let rows = self.client.query_raw(&statement, parameters).await;
            rows.map_err(|error| Failed::of(&error))?.try_collect().await.map_err(|error| Failed::of(&error))
        };
        let rows = self.patiently(work).await;
        self.set_idle(rows.as_ref().err().is_none_or(|failed| failed.kind != Kind::Lost));
        rows
    }

    async fn prepare_alone(&self, step: &Step) -> Result<Statement, Failed> {
        let prepared = self.client.prepare(&naming_its_tenant(step)).await;
        let statement = prepared.map_err(|error| Failed::of(&error))?;
        self.keep(&self.alone, [(step.sql.clone(), statement.clone())].into_iter());
        Ok(statement)
    }

    /// Runs a statement whose rows are taken as they come, by [`Self::next`].
    pub(crate) async fn stream(&self, step: &Step) -> Result<Pin<Box<RowStream>>, Failed> {
        let work = async {
            let statements = self.prepare([&step.sql]).await?;
            if let Some(trace) = &self.trace {
                trace(&[&*step.sql]);
            }
            let statement =
                statements.first().ok_or_else(|| Failed::new(Kind::Fault, "nothing was prepared"))?;
            let parameters = step.parameters.iter().map(|value| &**value as &(dyn ToSql + Sync));
            let rows = self.client.query_raw(statement, parameters).await;
            rows.map(Box::pin).map_err(|error| Failed::of(&error))
        };
        self.patiently(work).await
    }

    /// The next row of a stream.
    pub(crate) async fn next(&self, rows: &mut Pin<Box<RowStream>>) -> Result<Option<Row>, Failed> {
        self.patiently(async { rows.try_next().await.map_err(|error| Failed::of(&error)) }).await
    }

    /// Runs a statement that is not kept prepared, since what a `FETCH` gives depends on its cursor. Its rows are taken by
    /// [`Self::next`]: a thousand may be gigabytes.
    pub(crate) async fn fetch(&self, sql: &'static str) -> Result<Pin<Box<RowStream>>, Failed> {
        if let Some(trace) = &self.trace {
            trace(&[sql]);
        }
        let work = async {
            let rows = self.client.query_typed_raw(sql, std::iter::empty::<(&str, Type)>()).await;
            rows.map(Box::pin).map_err(|error| Failed::of(&error))
        };
        self.patiently(work).await
    }

    /// The server bounds what a statement may take. Only a network that swallows everything is waited for here.
    async fn patiently<T>(&self, work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        match timeout(self.patience, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failed::new(Kind::Lost, "the database did not answer in time")),
        }
    }

    async fn prepare<'a>(
        &self,
        texts: impl IntoIterator<Item = &'a Cow<'static, str>>,
    ) -> Result<Vec<Statement>, Failed> {
        let known = |sql: &Cow<'static, str>| locked(&self.statements).get(sql).cloned();
        let texts: Vec<&Cow<'static, str>> = texts.into_iter().collect();
        let mut found: Vec<Option<Statement>> = texts.iter().map(|sql| known(sql)).collect();
        let unknown = texts.iter().zip(&found).filter(|(_, statement)| statement.is_none());
        let mut missing: Vec<&Cow<'static, str>> = unknown.map(|(sql, _)| *sql).collect();
        if !missing.is_empty() {
            missing.sort_unstable();
            missing.dedup();
            let prepared = try_join_all(missing.iter().map(|sql| self.client.prepare(sql)));
            let prepared = prepared.await.map_err(|error| Failed::of(&error))?;
            for (sql, statement) in texts.iter().zip(&mut found) {
                if let Ok(index) = missing.binary_search(sql) {
                    *statement = prepared.get(index).cloned();
                }
            }
            self.keep(&self.statements, missing.into_iter().cloned().zip(prepared));
        }
        let unprepared = || Failed::new(Kind::Fault, "a statement was not prepared");
        found.into_iter().map(|statement| statement.ok_or_else(unprepared)).collect()
    }

    fn keep(
        &self,
        statements: &Mutex<Statements>,
        prepared: impl ExactSizeIterator<Item = (Cow<'static, str>, Statement)>,
    ) {
        let mut statements = locked(statements);
        if statements.len() + prepared.len() > self.kept {
            statements.clear();
        }
        statements.extend(prepared);
    }

    /// What became of each, or nothing where one of them could not be sent.
    async fn send(&self, statements: &[Statement], steps: &[Step]) -> Vec<Option<Result<Vec<Row>, Failed>>> {
        // A query is sent when its future is first polled, which happens in order.
        let mut answers: Vec<_> = statements
            .iter()
            .zip(steps)
            .map(|(statement, step)| {
                let parameters: Vec<&(dyn ToSql + Sync)> =
                    step.parameters.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
                Box::pin(async move {
                    let rows = self.client.query_raw(statement, parameters).await?;
                    rows.try_collect::<Vec<Row>>().await
                })
            })
            .collect();
        let mut outcomes: Vec<Option<Result<Vec<Row>, Failed>>> = answers.iter().map(|_| None).collect();
        poll_fn(|context| {
            let mut pending = false;
            for (answer, outcome) in answers.iter_mut().zip(&mut outcomes) {
                if outcome.is_none() {
                    match answer.as_mut().poll(context) {
                        Poll::Ready(rows) => {
                            let rows = rows.map_err(|error| Failed::of(&error));
                            // What could not even be sent must not be followed by a COMMIT.
                            let is_unsent = rows.as_ref().is_err_and(|failed| failed.kind == Kind::Unsent);
                            *outcome = Some(rows);
                            if is_unsent {
                                return Poll::Ready(());
                            }
                        }
                        Poll::Pending => pending = true,
                    }
                }
            }
            if pending { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        outcomes
    }
}

fn locked(statements: &Mutex<Statements>) -> MutexGuard<'_, Statements> {
    statements.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A statement that sets the tenant, its last parameter, and then asks. What asks is run for each row of what sets, of which
/// there is one: it refers to it (`LATERAL`), and it stays a query of its own (`OFFSET 0`), so that no plan can turn the
/// two round. As everywhere the setting ends with the transaction, which is this statement. Were it made too late, the
/// policies would show nothing.
fn naming_its_tenant(step: &Step) -> String {
    let Step { sql, parameters } = step;
    format!(
        "SELECT s.* FROM (SELECT set_config('scim.tenant', ${}, true) AS name) t CROSS JOIN LATERAL (SELECT q.* FROM ({sql}) q \
         WHERE t.name IS NOT NULL OFFSET 0) s",
        parameters.len() + 1
    )
}

/// A column of a row.
pub(crate) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, Failed> {
    row.try_get(index).map_err(|error| Failed::of(&error))
}

/// A column that counts.
pub(crate) fn number(row: &Row, index: usize) -> Result<u64, Failed> {
    column::<i64>(row, index).map(|number| number as u64)
}
