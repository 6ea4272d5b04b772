//! The design's table as ratios: figures of one run, on one machine, over one disk, beside each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use scim_bench::contest::median;
use scim_bench::people;
use scim_bench::world::{Failure, World};
use tokio::runtime::Builder;

use crate::cli::{Cli, Scenario};
use crate::client::{Call, Client};
use crate::drive::{Script, drive};
use crate::report::Report;
use crate::scenario::{Field, Posted, group_sizes};
use crate::seed::{Place, folder};
use crate::server::{Bare, Scimd};

/// How often contenders take turns.
const ROUNDS: usize = 3;

/// Takes all figures.
pub(crate) fn run(cli: &Cli) -> Result<Report, Failure> {
    let users = cli.users.unwrap_or(100_000);
    let mut report = Report::default();
    let place = Place::new(users, &group_sizes(users))?;
    report.note("users", users as f64, "");
    report.note("filling the store", place.took.as_secs_f64(), "s");
    let server = Scimd::start(&place)?;
    let field = place.field(&server);

    if Scenario::Get.is_in(cli.scenario) {
        let get = |connections| field.get(connections);
        against_bare(cli, &server, &field, &get, "GET /Users/{id}", 0.5, &mut report)?;
    }
    if Scenario::Filter.is_in(cli.scenario) {
        let filter = |connections| field.filter(connections);
        against_bare(cli, &server, &field, &filter, "filter userName eq", 0.4, &mut report)?;
        growth(cli, &server, &field, &mut report)?;
    }
    if Scenario::Group.is_in(cli.scenario) {
        groups(cli, &server, &field, &mut report)?;
    }
    if Scenario::Post.is_in(cli.scenario) {
        posts(cli, &server, &field, &mut report)?;
    }

    let peak = server.peak_memory()? as f64 / 1024.0;
    let how = format!("VmHWM with {users} users, after all of this");
    report.at_most("memory", peak, 100.0, "MiB", how);
    drop(server);
    // Again, now that the store is as large as it gets.
    let starts = (0..ROUNDS).map(|_| Ok(Scimd::start(&place)?.first_answer.as_secs_f64() * 1e3));
    let starts = starts.collect::<Result<Vec<f64>, Failure>>()?;
    report.at_most("start", median(starts), 100.0, "ms", "process start to first answer".to_owned());
    Ok(report)
}

/// Requests a second beside those of a bare server that gives the same bytes.
fn against_bare(
    cli: &Cli,
    server: &Scimd,
    field: &Field,
    scripts: &dyn Fn(usize) -> Vec<Box<dyn Script>>,
    what: &str,
    target: f64,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut call = Call::default();
    scripts(1).iter_mut().for_each(|script| {
        script.next(&mut call);
    });
    let answer = Client::connect(&field.target)?.answer(&call)?;
    let folder = folder()?;
    let bare = Bare::start(&answer, folder.path())?;
    let time = cli.seconds / 3;
    let (mut shares, mut costs) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let name = format!("{what}, bare server, {round}");
        let (nothing, used) = bare.watch(|| drive(&bare.target, time, scripts(cli.connections), &name))?;
        let (nothing, least) = (nothing?, used);
        let name = format!("{what}, scimd, {round}");
        let (ours, used) = server.watch(|| drive(&field.target, time, scripts(cli.connections), &name))?;
        let ours = ours?;
        shares.push(ours.per_second() / nothing.per_second());
        let cost = |cores: f64, per_second: f64| cores / per_second.max(1.0) * 1e6;
        costs.push((cost(used.cores, ours.per_second()), cost(least.cores, nothing.per_second())));
        report.add(&format!("{what}, bare server"), nothing, Some(least));
        report.add(&format!("{what}, scimd"), ours, Some(used));
    }
    let (own, bare): (Vec<f64>, Vec<f64>) = costs.into_iter().unzip();
    let how = format!(
        "of the bare server's requests/s; µs of processor for a request: {:.0} to {:.0}",
        median(own),
        median(bare)
    );
    report.at_least(what, median(shares) * 100.0, target * 100.0, "%", how);
    Ok(())
}

/// What looking a user up costs among all of them, beside a thousand.
fn growth(cli: &Cli, server: &Scimd, field: &Field, report: &mut Report) -> Result<(), Failure> {
    let place = Place::new(1000, &[])?;
    let few = Scimd::start(&place)?;
    let small = place.field(&few);
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let mut rates = Vec::new();
        for (server, field) in [(&few, &small), (server, field)] {
            let name = format!("filter userName eq among {}", field.users.len());
            let scripts = field.filter(cli.connections);
            let (outcome, used) = server.watch(|| drive(&field.target, cli.seconds / 3, scripts, &name))?;
            let outcome = outcome?;
            rates.push(outcome.per_second().max(1e-9));
            report.add(&name, outcome, Some(used));
        }
        if let [few, all] = rates.as_slice() {
            ratios.push(few / all);
        }
    }
    let how = format!("time for a request, {} users to {}", field.users.len(), small.users.len());
    report.at_most("filter userName eq, growth", median(ratios), 1.3, "×", how);
    Ok(())
}

/// What it costs to add a member to a small and to a large group.
fn groups(cli: &Cli, server: &Scimd, field: &Field, report: &mut Report) -> Result<(), Failure> {
    let [small, .., large] = field.groups.as_slice() else { return Ok(()) };
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let mut times = Vec::new();
        for group in [small, large] {
            let name = format!("PATCH add member, group of {}", group.size);
            let scripts = field.add_members(group, 16);
            let (outcome, used) = server.watch(|| drive(&field.target, cli.seconds / 3, scripts, &name))?;
            let outcome = outcome?;
            times.push(1.0 / outcome.per_second().max(1e-9));
            report.add(&name, outcome, Some(used));
        }
        if let [small, large] = times.as_slice() {
            ratios.push(large / small);
        }
    }
    let how = format!("time for a request with 16 connections, {} to {} members", large.size, small.size);
    report.at_most("PATCH add one member", median(ratios), 1.3, "×", how);
    Ok(())
}

/// Users created a second over HTTP, beside a store that commits each of them alone, without HTTP.
fn posts(cli: &Cli, server: &Scimd, field: &Field, report: &mut Report) -> Result<(), Failure> {
    let alone = Alone::new()?;
    let posted = Posted::default();
    for (writers, target) in [(16, 6.0), (64, 10.0)] {
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let one_by_one = alone.created(writers, cli.seconds / 3)?;
            let name = format!("POST /Users, {writers} writers");
            let scripts = posted.post(writers);
            let (outcome, used) = server.watch(|| drive(&field.target, cli.seconds / 3, scripts, &name))?;
            let outcome = outcome?;
            ratios.push(outcome.per_second() / one_by_one);
            report.add(&name, outcome, Some(used));
            report.note(&format!("one commit a write, {writers} writers"), one_by_one, "/s");
        }
        let how = "requests/s, to writes/s of one commit a write without HTTP on the same disk".to_owned();
        report.at_least(&format!("POST /Users, {writers} writers"), median(ratios), target, "×", how);
    }
    Ok(())
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
