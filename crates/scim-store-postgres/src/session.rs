//! One connection: statements prepared once, and sent together where none depends on the other's answer.
//!
//! A round trip is one call of [`Session::run`], however many statements it sends. The server works them off in order.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use tokio::time::timeout;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{Client, Row, RowStream, Statement};

use crate::error::{Failed, Kind};
use crate::store::Trace;

/// A connection of the pool.
pub(crate) struct Session {
    client: Client,
    pub(crate) since: Instant,
    is_broken: AtomicBool,
    statements: Mutex<HashMap<Cow<'static, str>, Statement>>,
    patience: Duration,
    trace: Option<Trace>,
}

/// A statement and what is bound to it.
pub(crate) struct Step {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) parameters: Vec<Parameter>,
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

/// Most statements that are kept prepared. There are fewer, unless sources of every shape are asked for.
const KEPT: usize = 500;

impl Session {
    pub(crate) fn new(client: Client, patience: Duration, trace: Option<Trace>) -> Self {
        let is_broken = AtomicBool::new(false);
        Self { client, since: Instant::now(), is_broken, statements: Mutex::default(), patience, trace }
    }

    /// The connection by itself.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it can be used again.
    pub(crate) fn is_whole(&self) -> bool {
        !self.client.is_closed() && !self.is_broken.load(Ordering::Relaxed)
    }

    /// Runs statements one after the other, all sent at once, and gives the rows of each. The first that fails is the
    /// failure; where they are of one transaction, those after it did nothing.
    pub(crate) async fn run(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Failed> {
        let work = async {
            let statements = self.prepare(steps.iter().map(|step| &step.sql)).await?;
            if let Some(trace) = &self.trace {
                trace(&steps.iter().map(|step| &*step.sql).collect::<Vec<_>>());
            }
            self.send(&statements, &steps).await
        };
        self.patiently(work).await
    }

    /// Runs a statement whose rows are taken as they come.
    pub(crate) async fn stream(&self, step: &Step) -> Result<RowStream, Failed> {
        let work = async {
            let statements = self.prepare([&step.sql]).await?;
            if let Some(trace) = &self.trace {
                trace(&[&*step.sql]);
            }
            let statement =
                statements.first().ok_or_else(|| Failed::new(Kind::Fault, "nothing was prepared"))?;
            let parameters = step.parameters.iter().map(|value| &**value as &(dyn ToSql + Sync));
            self.client.query_raw(statement, parameters).await.map_err(|error| Failed::of(&error))
        };
        self.patiently(work).await
    }

    /// Runs a statement that is not kept prepared: what a `FETCH` gives depends on its cursor.
    pub(crate) async fn fetch(&self, sql: &'static str) -> Result<Vec<Row>, Failed> {
        if let Some(trace) = &self.trace {
            trace(&[sql]);
        }
        let rows = async { self.client.query_typed(sql, &[]).await.map_err(|error| Failed::of(&error)) };
        self.patiently(rows).await
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
        let known = |sql: &Cow<'static, str>| self.statements().get(sql).cloned();
        let mut texts: Vec<&Cow<'static, str>> = texts.into_iter().collect();
        let found: Vec<Option<Statement>> = texts.iter().map(|sql| known(sql)).collect();
        if found.iter().all(Option::is_some) {
            return Ok(found.into_iter().flatten().collect());
        }
        let all = texts.clone();
        texts.retain(|sql| known(sql).is_none());
        texts.sort_unstable();
        texts.dedup();
        let prepared = try_join_all(texts.iter().map(|sql| self.client.prepare(sql)));
        let prepared = prepared.await.map_err(|error| Failed::of(&error))?;
        let mut statements = self.statements();
        if statements.len() + prepared.len() > KEPT {
            statements.clear();
        }
        statements.extend(texts.into_iter().cloned().zip(prepared));
        let missing = || Failed::new(Kind::Fault, "too many statements for one round trip");
        all.into_iter().map(|sql| statements.get(sql).cloned().ok_or_else(missing)).collect()
    }

    fn statements(&self) -> std::sync::MutexGuard<'_, HashMap<Cow<'static, str>, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, statements: &[Statement], steps: &[Step]) -> Result<Vec<Vec<Row>>, Failed> {
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
                                self.is_broken.store(true, Ordering::Relaxed);
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
        outcomes.into_iter().flatten().collect()
    }
}

/// A column of a row.
pub(crate) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, Failed> {
    row.try_get(index).map_err(|error| Failed::of(&error))
}

/// A column that counts.
pub(crate) fn number(row: &Row, index: usize) -> Result<u64, Failed> {
    column::<i64>(row, index).map(|number| number as u64)
}
