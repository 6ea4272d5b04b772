//! The client's own journal: what it intended, and what it was told. It is a file, written before a request is sent and
//! after it was answered, so that it can be read whatever becomes of the server or of the test.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

use serde::{Deserialize, Serialize};

use crate::server::PATIENCE;

/// What a client wants to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Intent {
    Create { name: String, given: String },
    Rename { id: String, given: String },
    Join { group: String, id: String },
    Leave { group: String, id: String },
    Delete { id: String },
}

/// What it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// It is done. A creation has an identifier.
    Done(Option<String>),
    /// It is not done, and that is certain: 4xx, or 507.
    Refused(u16),
    /// Nobody knows: 503, or no answer.
    Unknown(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    number: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<Intent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// How long the file beside it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
}

/// The file, and how far it has come.
pub(super) struct Journal {
    path: PathBuf,
    /// A file that somebody else makes longer, whose length goes into each line.
    beside: Option<PathBuf>,
    state: Mutex<Writing>,
    more: Condvar,
}

struct Writing {
    file: File,
    count: Count,
}

/// How many of each there are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) intended: usize,
    pub(super) done: usize,
    pub(super) refused: usize,
    pub(super) unknown: usize,
    /// How many writers have ended.
    pub(super) ended: usize,
}

impl Journal {
    pub(super) fn create(folder: &Path) -> Self {
        let path = folder.join("journal.jsonl");
        let file = OpenOptions::new().append(true).create_new(true).open(&path).expect("a journal");
        let state = Mutex::new(Writing { file, count: Count::default() });
        Self { path, beside: None, state, more: Condvar::new() }
    }

    /// A journal that notes how long another file was when something was about to be sent, and had been answered.
    pub(super) fn beside(folder: &Path, other: &Path) -> Self {
        Self { beside: Some(other.to_owned()), ..Self::create(folder) }
    }

    /// Writes down what is about to be sent, and gives its number.
    pub(super) fn intend(&self, intent: &Intent) -> usize {
        self.write(|count| {
            count.intended += 1;
            Some(Line { number: count.intended, intent: Some(intent.clone()), outcome: None, at: self.at() })
        })
    }

    /// Writes down what came of it.
    pub(super) fn note(&self, number: usize, outcome: &Outcome) {
        self.write(|count| {
            match outcome {
                Outcome::Done(_) => count.done += 1,
                Outcome::Refused(_) => count.refused += 1,
                Outcome::Unknown(_) => count.unknown += 1,
            }
            Some(Line { number, intent: None, outcome: Some(outcome.clone()), at: self.at() })
        });
    }

    /// Takes note of a writer that will write no more.
    pub(super) fn end(&self) {
        self.write(|count| {
            count.ended += 1;
            None
        });
    }

    pub(super) fn count(&self) -> Count {
        self.state.lock().expect("the lock").count
    }

    /// Waits until there are enough.
    #[track_caller]
    pub(super) fn wait(&self, what: &str, enough: impl Fn(Count) -> bool) -> Count {
        let state = self.state.lock().expect("the lock");
        let waited = self.more.wait_timeout_while(state, PATIENCE, |state| !enough(state.count));
        let (state, late) = waited.expect("the lock");
        assert!(!late.timed_out(), "waited in vain {what}: {:?}", state.count);
        state.count
    }

    /// Everything in the file: what was intended in the order it was, and what came of it, if that is known.
    pub(super) fn read(&self) -> Vec<(Intent, Outcome)> {
        self.until(u64::MAX)
    }

    /// The same of what was written down while the file beside it was no longer than that.
    pub(super) fn until(&self, length: u64) -> Vec<(Intent, Outcome)> {
        let (mut intents, mut outcomes) = (Vec::new(), HashMap::new());
        for Line { number, intent, outcome, at } in self.lines() {
            if at.is_none_or(|at| at <= length) {
                intents.extend(intent.map(|intent| (number, intent)));
                outcomes.extend(outcome.map(|outcome| (number, outcome)));
            }
        }
        let open = || Outcome::Unknown("it was not noted".to_owned());
        let mut told = |number| outcomes.remove(&number).unwrap_or_else(open);
        intents.into_iter().map(|(number, intent)| (intent, told(number))).collect()
    }

    /// How long the file beside it was whenever something was acknowledged.
    pub(super) fn told(&self) -> Vec<u64> {
        let done = self.lines().into_iter().filter(|line| matches!(line.outcome, Some(Outcome::Done(_))));
        done.filter_map(|line| line.at).collect()
    }

    fn lines(&self) -> Vec<Line> {
        let text = std::fs::read_to_string(&self.path).expect("the journal");
        text.lines().map(|line| serde_json::from_str(line).expect("a line")).collect()
    }

    fn at(&self) -> Option<u64> {
        self.beside.as_ref().map(|file| std::fs::metadata(file).expect("the file beside the journal").len())
    }

    fn write(&self, line: impl FnOnce(&mut Count) -> Option<Line>) -> usize {
        let mut state = self.state.lock().expect("the lock");
        let line = line(&mut state.count);
        let number = line.as_ref().map_or(0, |line| line.number);
        if let Some(line) = line {
            let text = serde_json::to_string(&line).expect("JSON") + "\n";
            // One call into the system for each line, which is then the system's to keep.
            state.file.write_all(text.as_bytes()).expect("the journal is written");
        }
        self.more.notify_all();
        number
    }
}
