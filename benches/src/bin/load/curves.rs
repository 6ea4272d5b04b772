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
    let mut sizes: Vec<usize> = USERS.into_iter().filter(|size| *size <= cli.up_to).collect();
    if sizes.is_empty() {
        sizes.push(cli.up_to.max(1));
    }
    let largest = sizes.last().copied().unwrap_or_default();
    let mut lines = vec![HEADER.to_owned()];
    for users in sizes {
        let groups: Vec<usize> =
            MEMBERS.into_iter().filter(|size| *size <= users && users == largest).collect();
        let place = Place::new(cli.store, users, &groups)?;
        let server = Scimd::start(&place)?;
        let name = format!("scimd, {users} users");
        report.note(&name, "filling the store", place.took.as_secs_f64(), "s");
        eprintln!("{name}: filled in {:.1} s", place.took.as_secs_f64());
        let field = place.field(&server, &name)?;
        let mut bench = Bench { work: &cli.work, field: &field, report };
        let connections = cli.work.connections;
        let mut line = |what: &str, size: usize, figure: &Figure| lines.push(csv(what, size, figure));
        line("get", users, &bench.measure(take(cli, "GET /Users/{id}", connections), scenario::get(&field))?);
        line(
            "filter",
            users,
            &bench.measure(take(cli, "filter userName eq", connections), scenario::filter(&field))?,
        );
        line("list", users, &bench.measure(take(cli, "page of 100", connections), scenario::list(&field))?);
        for group in field.groups.iter().flatten() {
            let name = format!("PATCH add member, group of {}", group.size);
            let script = scenario::add_members(&field, group);
            line("add-member", group.size, &bench.measure(take(cli, &name, scenario::PATCHERS), script)?);
        }
        // The store grows by it.
        line("post", users, &bench.measure(take(cli, "POST /Users", POSTERS), scenario::post(&field))?);
        report.note(&name, "start to first answer", server.first_answer.as_secs_f64() * 1e3, "ms");
        report.note(&name, "largest memory (VmHWM)", server.watched().peak_memory()? as f64 / 1024.0, "MiB");
        // After each size: a long run that is cut off has something to show.
        fs::write(folder.join(FILE), lines.join("\n") + "\n")?;
    }
    plot::draw(&folder)
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
