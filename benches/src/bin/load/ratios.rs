//! The design's table as ratios: figures of one run, on one machine, over one disk, beside each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use scim_bench::contest::median;
use scim_bench::people;
use scim_bench::world::{Failure, World};
use tokio::runtime::Builder;

use crate::cli::{Cli, Scenario, StoreKind};
use crate::client::Call;
use crate::drive::{Length, Session};
use crate::field::{Field, group_sizes};
use crate::report::{Figure, Report};
use crate::scenario::{self, Bench, PATCHERS, Take};
use crate::seed::{Place, folder};
use crate::server::{Bare, Scimd};

/// How often contenders take turns.
const ROUNDS: usize = 3;
/// How many users a small store has.
const FEW: usize = 1000;

/// Takes all figures.
pub(crate) fn run(cli: &Cli, report: &mut Report) -> Result<(), Failure> {
    if cli.store == StoreKind::Memory {
        return Err(
            "`--ratios` needs a store that is filled in one go; use `--store sqlite` or `postgres`".into()
        );
    }
    let users = cli.work.users.unwrap_or(crate::USERS);
    let place = Place::new(cli.store, users, &group_sizes(users))?;
    report.note("scimd", "users", users as f64, "");
    report.note("scimd", "filling the store", place.took.as_secs_f64(), "s");
    let server = Scimd::start(&place)?;
    let field = place.field(&server, "scimd")?;
    let mut turns = Turns { cli, field: &field, report };

    if cli.work.includes(Scenario::Get) {
        let call = Call::get(format!("/Users/{}", place.user()?));
        turns.against_bare(&call, scenario::get(&field), "GET /Users/{id}", 0.5, true)?;
    }
    if cli.work.includes(Scenario::Filter) {
        turns.against_bare(
            &scenario::by_name(&field, 0),
            scenario::filter(&field),
            "filter userName eq",
            0.4,
            false,
        )?;
        turns.growth()?;
    }
    if cli.work.includes(Scenario::Group) {
        turns.groups()?;
    }
    if cli.work.includes(Scenario::Post) {
        turns.posts()?;
    }

    let peak = server.watched().peak_memory()? as f64 / 1024.0;
    let how = format!("VmHWM with {users} users, after all of this");
    report.at_most("memory", peak, 100.0, "MiB", how);
    drop(server);
    // Again, now that the store is as large as it gets.
    let starts = (0..ROUNDS).map(|_| Ok(Scimd::start(&place)?.first_answer.as_secs_f64() * 1e3));
    let starts = starts.collect::<Result<Vec<f64>, Failure>>()?;
    report.at_most("start", median(starts), 100.0, "ms", "process start to first answer".to_owned());
    Ok(())
}

/// What the comparisons share.
struct Turns<'a> {
    cli: &'a Cli,
    field: &'a Field,
    report: &'a mut Report,
}

impl Turns<'_> {
    /// Takes a figure of one turn.
    fn take(
        &mut self,
        field: &Field,
        name: &str,
        connections: usize,
        script: impl AsyncFn(usize, &mut Session<'_>) + Sync,
    ) -> Result<Figure, Failure> {
        let work = &self.cli.work;
        let take = Take { name, connections, length: Length::Time(work.seconds / 3), rate: None };
        Bench { work, field, report: self.report }.measure(take, script)
    }

    /// Requests a second beside those of a bare server that gives the same bytes.
    fn against_bare(
        &mut self,
        call: &Call,
        script: impl AsyncFn(usize, &mut Session<'_>) + Sync,
        what: &str,
        target: f64,
        reads_one_row: bool,
    ) -> Result<(), Failure> {
        let answer = self.field.ask(call)?;
        let folder = folder()?;
        let bare = Bare::start(&answer, folder.path())?;
        let nothing = Field::new("bare server", bare.target.clone(), Some(bare.watched()));
        // What one row costs at least says how near the target can be come to on this machine.
        let reading = match reads_one_row && self.cli.store == StoreKind::Sqlite {
            true => Some(Bare::reading(&answer, folder.path(), &self.field.users)?),
            false => None,
        };
        let a_row = reading.as_ref().map(|server| {
            Field::new("bare server that reads a row", server.target.clone(), Some(server.watched()))
        });
        let connections = self.cli.work.connections;
        let (mut shares, mut own, mut least) = (Vec::new(), Vec::new(), Vec::new());
        let mut possible = Vec::new();
        for _ in 0..ROUNDS {
            let bare = self.take(&nothing, what, connections, &script)?;
            if let Some(field) = &a_row {
                let reading = self.take(field, what, connections, &script)?;
                possible.push(reading.outcome.per_second() / bare.outcome.per_second().max(1e-9));
            }
            let ours = self.take(self.field, what, connections, &script)?;
            shares.push(ours.outcome.per_second() / bare.outcome.per_second().max(1e-9));
            own.extend(ours.processor_micros());
            least.extend(bare.processor_micros());
        }
        let how = format!(
            "of the bare server's requests/s; µs of processor for a request: {:.0} to {:.0}",
            median(own),
            median(least)
        );
        self.report.at_least(what, median(shares) * 100.0, target * 100.0, "%", how);
        if let Some(field) = &a_row {
            self.report.note(&field.name, "of the bare server's requests/s", median(possible) * 100.0, "%");
        }
        Ok(())
    }

    /// What looking a user up costs among all of them, beside a few.
    fn growth(&mut self) -> Result<(), Failure> {
        let place = Place::new(self.cli.store, FEW, &[])?;
        let few = Scimd::start(&place)?;
        let small = place.field(&few, "scimd, few users")?;
        let connections = self.cli.work.connections;
        let users = |field: &Field| field.users.len();
        let mut ratios = Vec::new();
        let field = self.field;
        for _ in 0..ROUNDS {
            let mut rate = |field: &Field| {
                let name = format!("filter userName eq among {}", users(field));
                let figure = self.take(field, &name, connections, scenario::filter(field))?;
                Ok::<_, Failure>(figure.outcome.per_second().max(1e-9))
            };
            let (few, all) = (rate(&small)?, rate(field)?);
            ratios.push(few / all);
        }
        let how = format!("time for a request, {} users to {}", users(self.field), users(&small));
        self.report.at_most("filter userName eq, growth", median(ratios), 1.3, "×", how);
        Ok(())
    }

    /// What it costs to add a member to a small and to a large group.
    fn groups(&mut self) -> Result<(), Failure> {
        let Ok([small, .., large]) = self.field.groups.as_deref() else { return Ok(()) };
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let mut times = Vec::new();
            for group in [small, large] {
                let name = format!("PATCH add member, group of {}", group.size);
                let script = scenario::add_members(self.field, group);
                let figure = self.take(self.field, &name, PATCHERS, script)?;
                times.push(1.0 / figure.outcome.per_second().max(1e-9));
            }
            if let [small, large] = times.as_slice() {
                ratios.push(large / small);
            }
        }
        let how = format!("time for a request with 16 connections, {} to {} members", large.size, small.size);
        self.report.at_most("PATCH add one member", median(ratios), 1.3, "×", how);
        Ok(())
    }

    /// Users created a second over HTTP, beside a store that commits each of them alone, without HTTP.
    fn posts(&mut self) -> Result<(), Failure> {
        let alone = Alone::new()?;
        for (writers, target) in [(16, 6.0), (64, 10.0)] {
            let mut ratios = Vec::new();
            for _ in 0..ROUNDS {
                let one_by_one = alone.created(writers, self.cli.work.seconds / 3)?;
                let name = format!("POST /Users, {writers} writers");
                let figure = self.take(self.field, &name, writers, scenario::post(self.field))?;
                ratios.push(figure.outcome.per_second() / one_by_one);
                self.report.note("one commit a write", &format!("{writers} writers"), one_by_one, "/s");
            }
            let how =
                "requests/s, to writes/s of one commit a write without HTTP on the same disk".to_owned();
            self.report.at_least(
                &format!("POST /Users, {writers} writers"),
                median(ratios),
                target,
                "×",
                how,
            );
        }
        Ok(())
    }
}

/// A service in this process whose store commits every write alone.
struct Alone {
    world: World,
    next: Arc<AtomicUsize>,
    runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Alone {
    fn new() -> Result<Self, Failure> {
        let folder = folder()?;
        let runtime = Builder::new_current_thread().build()?;
        let world = runtime.block_on(World::create(&folder.path().join("alone.db"), 1))?;
        Ok(Self { world, next: Arc::default(), runtime, _folder: folder })
    }

    /// Users created a second by so many writers.
    fn created(&self, writers: usize, time: Duration) -> Result<f64, Failure> {
        let before = self.next.load(Ordering::Relaxed);
        let start = Instant::now();
        let writer = async || {
            while start.elapsed() < time {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                self.world.post("/Users", &people::user(number)).await?;
            }
            Ok::<_, Failure>(())
        };
        self.runtime.block_on(async {
            self.world.refresh().await?;
            try_join_all((0..writers).map(|_| writer())).await
        })?;
        Ok((self.next.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64())
    }
}
