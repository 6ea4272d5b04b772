//! Growth: what requests cost with ever more users, and with ever more members of a group. The figures go into a file,
//! of which `plot` makes pictures.

use std::fs;
use std::path::PathBuf;

use scim_bench::world::Failure;

use crate::cli::{Cli, StoreKind};
use crate::drive::Length;
use crate::plot;
use crate::report::{Figure, Report};
use crate::scenario::{self, Bench, Take};
use crate::seed::{Place, root};
use crate::server::Scimd;

const USERS: [usize; 4] = [1000, 10_000, 100_000, 1_000_000];
const MEMBERS: [usize; 6] = [10, 100, 1000, 10_000, 100_000, 1_000_000];
const POSTERS: usize = 16;

/// The file of the figures.
pub(crate) const FILE: &str = "curves.csv";
/// Its first line.
const HEADER: &str =
    "what,size,connections,requests_per_second,p50_micros,p99_micros,server_processor_micros,errors";

/// Where figures and pictures are kept.
pub(crate) fn folder() -> PathBuf {
    root().join("docs/performance")
}

/// Takes all figures up to a number of users and members, writes them down and draws them.
pub(crate) fn run(cli: &Cli, report: &mut Report) -> Result<(), Failure> {
    if cli.store == StoreKind::Memory {
        return Err(
            "`--curves` needs a store that is filled in one go; use `--store sqlite` or `postgres`".into()
        );
    }
    let folder = cli.out.clone().unwrap_or_else(folder);
    fs::create_dir_all(&folder)?;
    let (mut lines, up_to) = (vec![HEADER.to_owned()], cli.up_to.max(1));
    for users in up_to_and(up_to, &USERS) {
        with_users(cli, users, &mut lines, report)?;
        // After each size: a long run that is cut off has something to show.
        fs::write(folder.join(FILE), lines.join("\n") + "\n")?;
    }
    with_members(cli, up_to, &mut lines, report)?;
    fs::write(folder.join(FILE), lines.join("\n") + "\n")?;
    plot::draw(&folder)
}

/// The sizes that are not larger, or the limit itself where all are.
fn up_to_and(limit: usize, sizes: &[usize]) -> Vec<usize> {
    let fitting: Vec<usize> = sizes.iter().copied().filter(|size| *size <= limit).collect();
    if fitting.is_empty() { vec![limit] } else { fitting }
}

/// A store of so many users, who are in no group: what a user's groups cost is another matter.
fn with_users(cli: &Cli, users: usize, lines: &mut Vec<String>, report: &mut Report) -> Result<(), Failure> {
    let place = Place::new(cli.store, users, &[])?;
    let (server, name) = (Scimd::start(&place)?, format!("scimd, {users} users"));
    started(&name, &place, &server, report);
    let field = place.field(&server, &name)?;
    let mut bench = Bench { work: &cli.work, field: &field, report };
    let connections = cli.work.connections;
    let mut line = |what: &str, figure: &Figure| lines.push(csv(what, users, figure));
    line("get", &bench.measure(take(cli, "GET /Users/{id}", connections), scenario::get(&field))?);
    line("filter", &bench.measure(take(cli, "filter userName eq", connections), scenario::filter(&field))?);
    line("list", &bench.measure(take(cli, "page of 100", connections), scenario::list(&field))?);
    // The store grows by it.
    line("post", &bench.measure(take(cli, "POST /Users", POSTERS), scenario::post(&field))?);
    report.note(&name, "largest memory (VmHWM)", server.watched().peak_memory()? as f64 / 1024.0, "MiB");
    Ok(())
}

/// A store of groups of all sizes, and of the users for the largest.
fn with_members(
    cli: &Cli,
    users: usize,
    lines: &mut Vec<String>,
    report: &mut Report,
) -> Result<(), Failure> {
    let groups = up_to_and(users, &MEMBERS);
    let place = Place::new(cli.store, groups.last().copied().unwrap_or(users), &groups)?;
    let (server, name) = (Scimd::start(&place)?, "scimd, groups".to_owned());
    started(&name, &place, &server, report);
    let field = place.field(&server, &name)?;
    let mut bench = Bench { work: &cli.work, field: &field, report };
    for group in field.groups.iter().flatten() {
        let name = format!("PATCH add member, group of {}", group.size);
        let script = scenario::add_members(&field, group);
        let figure = bench.measure(take(cli, &name, scenario::PATCHERS), script)?;
        lines.push(csv("add-member", group.size, &figure));
    }
    Ok(())
}

fn started(name: &str, place: &Place, server: &Scimd, report: &mut Report) {
    // At once, too: the largest takes minutes.
    eprintln!("{name}: filled in {:.1} s", place.took.as_secs_f64());
    report.note(name, "filling the store", place.took.as_secs_f64(), "s");
    report.note(name, "start to first answer", server.first_answer.as_secs_f64() * 1e3, "ms");
}

fn take<'a>(cli: &Cli, name: &'a str, connections: usize) -> Take<'a> {
    Take { name, connections, length: Length::Time(cli.work.seconds), rate: None }
}

fn csv(what: &str, size: usize, figure: &Figure) -> String {
    let Figure { outcome, connections, .. } = figure;
    let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1}"));
    let all = outcome.all();
    format!(
        "{what},{size},{connections},{:.1},{},{},{},{}",
        outcome.per_second(),
        number(all.percentile(0.5)),
        number(all.percentile(0.99)),
        number(figure.processor_micros()),
        outcome.errors()
    )
}
