//! What a process did to the files of its database, as `disk.c` writes it down, and what a disk may be left with when the
//! power fails at some point of it.
//!
//! What a sync that succeeded covers is there. Of anything else each sector of 512 bytes may be as it was then, or as any
//! write since has left it, whatever became of the others; a file is as long as any of those writes has made it; and a name
//! that was made or removed without a sync of the folder may be there or not, in the order in which that was done. That is
//! less than file systems promise, and what POSIX does.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use scim_store::conformance::words::Random;

const SECTOR: usize = 512;

/// One thing that was done.
struct Deed<'a> {
    kind: u8,
    name: &'a str,
    number: u64,
    data: &'a [u8],
    /// Where in the trace it ends.
    end: u64,
}

/// Everything that was done.
pub(super) struct Trace(Vec<u8>);

/// What is left of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// Everything, as after the end of the process alone.
    Everything,
    /// Each sector on its own.
    Anything,
}

/// What a file of a name may be after the power failed.
#[derive(Default)]
struct File {
    /// What was synced.
    kept: Vec<u8>,
    /// What was done since: the part of the file that was written, or its new length.
    since: Vec<Since>,
    /// How many of those each sync that has begun covers, by thread.
    syncs: HashMap<u64, usize>,
}

#[derive(Clone)]
enum Since {
    Written(usize, Vec<u8>),
    Cut(usize),
}

/// The disk after a part of the trace. Each file has a number of its own, which its name leads to.
#[derive(Default)]
pub(super) struct Disk {
    files: Vec<File>,
    /// What the folder leads to.
    now: BTreeMap<String, usize>,
    /// What it surely led to when it was last synced.
    kept: BTreeMap<String, usize>,
    /// What happened to names since: to what they lead.
    since: Vec<(String, Option<usize>)>,
    syncs: HashMap<u64, usize>,
}

impl Trace {
    pub(super) fn read(path: &Path) -> Self {
        Self(std::fs::read(path).expect("a trace"))
    }

    /// Where each deed to a file whose name ends like this ends, after some point.
    pub(super) fn ends(&self, name: &str, after: u64) -> Vec<u64> {
        self.deeds(0)
            .filter(|deed| deed.end > after && deed.name.ends_with(name))
            .map(|deed| deed.end)
            .collect()
    }

    fn deeds(&self, from: u64) -> impl Iterator<Item = Deed<'_>> {
        let mut at = from as usize;
        std::iter::from_fn(move || {
            let head = self.0.get(at..at + 14)?;
            let name_end = at + 14 + usize::from(head[1]);
            let size = u32::from_ne_bytes(head[10..14].try_into().expect("four bytes")) as usize;
            let name = std::str::from_utf8(self.0.get(at + 14..name_end)?).expect("a name");
            let data = self.0.get(name_end..name_end + size)?;
            at = name_end + size;
            let number = u64::from_ne_bytes(head[2..10].try_into().expect("eight bytes"));
            Some(Deed { kind: head[0], name, number, data, end: at as u64 })
        })
    }

    /// Does to a disk what was done up to a point, and gives the point where it goes on.
    pub(super) fn replay(&self, disk: &mut Disk, from: u64, to: u64) -> u64 {
        let mut at = from;
        for deed in self.deeds(from).take_while(|deed| deed.end <= to) {
            at = deed.end;
            disk.suffer(&deed);
        }
        at
    }
}

impl Disk {
    fn suffer(&mut self, deed: &Deed<'_>) {
        let number = deed.number as usize;
        match (deed.kind, deed.name) {
            (b'c', name) => {
                self.now.insert(name.to_owned(), self.files.len());
                self.since.push((name.to_owned(), Some(self.files.len())));
                self.files.push(File::default());
            }
            (b'u', name) => {
                self.now.remove(name);
                self.since.push((name.to_owned(), None));
            }
            (b's', "") => drop(self.syncs.insert(deed.number, self.since.len())),
            (b'S', "") => {
                let covered = self.syncs.remove(&deed.number).expect("a sync that began");
                for (name, file) in self.since.drain(..covered) {
                    settle(&mut self.kept, name, file);
                }
                // Another that began before covers what is left of what it covered.
                self.syncs.values_mut().for_each(|others| *others = others.saturating_sub(covered));
            }
            (kind, name) => {
                let file = self
                    .now
                    .get(name)
                    .and_then(|file| self.files.get_mut(*file))
                    .expect("a file that was made");
                match kind {
                    b'w' => file.since.push(Since::Written(number, deed.data.to_vec())),
                    b't' => file.since.push(Since::Cut(number)),
                    b's' => drop(file.syncs.insert(deed.number, file.since.len())),
                    b'S' => {
                        let covered = file.syncs.remove(&deed.number).expect("a sync that began");
                        for since in file.since.drain(..covered) {
                            since.apply(&mut file.kept);
                        }
                        file.syncs.values_mut().for_each(|others| *others = others.saturating_sub(covered));
                    }
                    other => panic!("nothing is called {other}"),
                }
            }
        }
    }

    /// What may be found when the power fails now: each file with its name, and how many sectors of all of them are not as
    /// they were written last.
    pub(super) fn after_failure(&self, left: Left, random: &mut Random) -> (Vec<(String, Vec<u8>)>, usize) {
        let names = match left {
            Left::Nothing => 0,
            Left::Everything => self.since.len(),
            Left::Anything => random.below(self.since.len() + 1),
        };
        let mut there = self.kept.clone();
        for (name, file) in self.since.iter().take(names).cloned() {
            settle(&mut there, name, file);
        }
        let mut lost = 0;
        let found = there.into_iter().map(|(name, file)| {
            let file = self.files.get(file).expect("a file that was made");
            let (content, missing) = file.after_failure(left, random);
            lost += missing;
            (name, content)
        });
        (found.collect(), lost)
    }
}

impl File {
    fn after_failure(&self, left: Left, random: &mut Random) -> (Vec<u8>, usize) {
        let mut last = self.kept.clone();
        let mut lengths = vec![last.len()];
        for since in &self.since {
            since.apply(&mut last);
            lengths.push(last.len());
        }
        let content = match left {
            Left::Nothing => self.kept.clone(),
            Left::Everything => last.clone(),
            Left::Anything => self.any(&lengths, random),
        };
        let sectors =
            last.chunks(SECTOR).zip(content.chunks(SECTOR)).filter(|(then, now)| then != now).count();
        let lost = sectors + last.len().abs_diff(content.len()).div_ceil(SECTOR);
        (content, lost)
    }

    /// Each sector as it was once.
    fn any(&self, lengths: &[usize], random: &mut Random) -> Vec<u8> {
        let longest = lengths.iter().copied().max().unwrap_or_default();
        let mut content = self.kept.clone();
        content.resize(longest, 0);
        for since in &self.since {
            let Since::Written(at, data) = since else { continue };
            let mut done = 0;
            while done < data.len() {
                let begin = at + done;
                let end = (begin / SECTOR + 1) * SECTOR;
                let size = (end - begin).min(data.len() - done);
                if random.one_in(2) {
                    content[begin..begin + size].copy_from_slice(&data[done..done + size]);
                }
                done += size;
            }
        }
        content.truncate(random.pick(lengths));
        content
    }
}

impl Since {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Written(at, data) => {
                content.resize(content.len().max(at + data.len()), 0);
                content[*at..at + data.len()].copy_from_slice(data);
            }
            Self::Cut(length) => content.resize(*length, 0),
        }
    }
}

fn settle(names: &mut BTreeMap<String, usize>, name: String, file: Option<usize>) {
    match file {
        Some(file) => drop(names.insert(name, file)),
        None => drop(names.remove(&name)),
    }
}
