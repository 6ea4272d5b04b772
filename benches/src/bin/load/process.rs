//! Server processes, and what the system says that they use (Linux: proc(5)).

use std::fs;
use std::path::Path;
use std::process::{Child, Command};

use scim_bench::world::Failure;

/// Ticks a second, which Linux has fixed for what it shows to programs.
const TICKS: f64 = 100.0;

/// A process with its children, whoever started them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watched(u32);

/// What a server used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    /// Seconds of processor time.
    pub(crate) processor: f64,
    /// Resident memory afterwards, in KiB.
    pub(crate) memory: u64,
}

/// A process of ours, which ends with this value.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Watched {
    /// The process of this number, if there is one.
    pub(crate) fn new(pid: u32) -> Result<Self, Failure> {
        let watched = Self(pid);
        watched.memory().map_err(|error| format!("there is no process {pid} to watch: {error}"))?;
        Ok(watched)
    }

    /// Runs something and says what was used meanwhile.
    pub(crate) fn watch<T>(self, run: impl FnOnce() -> T) -> Result<(T, Use), Failure> {
        let before = self.ticks()?;
        let value = run();
        let processor = self.ticks()?.saturating_sub(before) as f64 / TICKS;
        Ok((value, Use { processor, memory: self.memory()? }))
    }

    /// The most memory that the process itself ever had resident, in KiB.
    pub(crate) fn peak_memory(self) -> Result<u64, Failure> {
        size(self.0, "VmHWM:")
    }

    /// Resident memory in KiB. What processes share counts for each of them.
    fn memory(self) -> Result<u64, Failure> {
        let children = self.family().into_iter().filter_map(|pid| size(pid, "VmRSS:").ok()).sum::<u64>();
        Ok(size(self.0, "VmRSS:")? + children)
    }

    /// Processor time in ticks.
    fn ticks(self) -> Result<u64, Failure> {
        let children = self.family().into_iter().filter_map(|pid| Stat::read(pid).ok());
        Ok(Stat::read(self.0)?.ticks + children.map(|stat| stat.ticks).sum::<u64>())
    }

    /// The children and theirs, without the process itself.
    fn family(self) -> Vec<u32> {
        let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
        let all: Vec<(u32, u32)> = pids.filter_map(|pid| Some((pid, Stat::read(pid).ok()?.parent))).collect();
        let mut family = vec![self.0];
        let mut next = 0;
        while let Some(parent) = family.get(next).copied() {
            family.extend(all.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        family.split_off(1)
    }
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self, Failure> {
        let child = command.spawn();
        Ok(Self(child.map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?))
    }

    pub(crate) fn watched(&self) -> Watched {
        Watched(self.0.id())
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `/proc/PID/stat` says.
struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> Result<Self, Failure> {
        let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))?;
        Self::parse(&text).ok_or_else(|| "proc(5) has changed".into())
    }

    /// Fields 4, 14 and 15. The name, field 2, may hold anything, also parentheses.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self { parent: u32::try_from(number(1)?).ok()?, ticks: number(11)? + number(12)? })
    }
}

/// A size in KiB of `/proc/PID/status`.
fn size(pid: u32, name: &str) -> Result<u64, Failure> {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("proc(5) has changed")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_processes_may_hold_anything() {
        let text = "7 (a) b (c) S 42 7 7 0 -1 4194560 1 2 3 4 500 60 7 8 20 0 1 0";
        let stat = Stat::parse(text).expect("parses");
        assert_eq!((stat.parent, stat.ticks), (42, 560));
        assert!(Stat::parse("7 a").is_none());
    }

    #[test]
    fn children_are_watched_too() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 60 & echo started; wait"]).stdout(std::process::Stdio::piped());
        let mut process = Process::spawn(&mut shell).expect("starts");
        let mut line = [0; 8];
        let mut output = process.child().stdout.take().expect("piped");
        std::io::Read::read_exact(&mut output, &mut line).expect("a line");
        let family = process.watched().family();
        assert_eq!(family.len(), 1, "{family:?}");
        let (value, used) = process.watched().watch(|| 7).expect("watched");
        assert!(value == 7 && used.memory > size(family[0], "VmRSS:").expect("a size"), "{used:?}");
        // The shell ends its child no more than the server that it stands for would.
        Command::new("kill").arg(family[0].to_string()).status().expect("kill");
    }

    #[test]
    fn nobody_is_not_watched() {
        assert!(Watched::new(u32::MAX).is_err());
    }
}
