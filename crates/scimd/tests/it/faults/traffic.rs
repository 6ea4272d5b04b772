//! Writers that change users and groups over HTTP, one request after the other, and write everything into the journal.
//!
//! A writer touches its own users only. After an outcome that is not known it never touches that user again, so that
//! what became of it can be seen afterwards.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::journal::{Intent, Journal, Outcome};
use crate::http::{Answer, Client, patch_body};
use crate::messages::{group, id, op, user_with};

/// How long a server that ends waits for a request on a connection that is open.
const MOMENT: Duration = Duration::from_millis(500);

/// Why a writer ended.
#[derive(Debug)]
pub(super) enum End {
    /// It was told to.
    Told,
    /// No connection could be opened.
    Refused,
    /// A request was sent and not answered, other than by the reset of a connection without an answer before.
    Cut(std::io::Error),
    /// A connection was opened and reset, as the system does with one that the server has not taken yet when its socket ends.
    Untaken,
    /// A connection that was open ended without a byte of an answer, as one that nothing was sent on for [`MOMENT`] when the
    /// server ends.
    Late,
}

/// What all writers saw together, besides what is in the journal.
#[derive(Default)]
pub(super) struct Watch(Mutex<Seen>);

#[derive(Debug, Default, Clone)]
pub(super) struct Seen {
    pub(super) statuses: BTreeMap<u16, usize>,
    pub(super) slowest: Duration,
    /// Answers with 503 or 507 that did not say when to come again.
    pub(super) without_retry: usize,
}

impl Watch {
    pub(super) fn seen(&self) -> Seen {
        self.0.lock().expect("the lock").clone()
    }

    /// Checks that nothing was answered but this.
    #[track_caller]
    pub(super) fn only(&self, allowed: &[u16]) -> Seen {
        let seen = self.seen();
        let odd: Vec<_> = seen.statuses.iter().filter(|(status, _)| !allowed.contains(status)).collect();
        assert!(odd.is_empty(), "answers that should not be: {odd:?} of {:?}", seen.statuses);
        assert_eq!(seen.without_retry, 0, "answers without Retry-After: {seen:?}");
        seen
    }

    fn note(&self, answer: &Answer, took: Duration) {
        let mut seen = self.0.lock().expect("the lock");
        *seen.statuses.entry(answer.status).or_default() += 1;
        seen.slowest = seen.slowest.max(took);
        let later = matches!(answer.status, 503 | 507) && answer.header("retry-after").is_none();
        seen.without_retry += usize::from(later);
    }
}

/// Tells writers to end when it is dropped, by a panic too: whoever started them waits for them.
pub(super) struct Ending<'a>(pub(super) &'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Creates the groups that writers put their users into.
pub(super) fn groups(client: &mut Client, count: usize) -> Vec<String> {
    let create = |number| id(&client.post("/Groups", &group(&format!("g{number}"), &[])).expect(201));
    (0..count).map(create).collect()
}

/// The body of a user.
pub(super) fn body(name: &str, given: &str) -> Value {
    user_with(name, json!({ "name": { "givenName": given, "familyName": "F" }, "active": true }))
}

/// One writer.
#[derive(Clone)]
pub(super) struct Writer<'a> {
    pub(super) client: Client,
    pub(super) groups: &'a [String],
    pub(super) journal: &'a Journal,
    pub(super) watch: &'a Watch,
    /// Whether each request has a connection of its own.
    pub(super) reconnects: bool,
}

impl<'a> Writer<'a> {
    /// Lets so many like this one write, each on a thread, until they are told to end.
    pub(super) fn multiply<'scope>(
        self,
        count: usize,
        scope: &'scope Scope<'scope, '_>,
        told: &'scope AtomicBool,
    ) where
        'a: 'scope,
    {
        for number in 0..count {
            let writer = self.clone();
            scope.spawn(move || writer.run(&format!("w{number}"), || told.load(Ordering::Relaxed)));
        }
    }

    /// Writes until it is told to end, or until the server is gone. Whoever waits for the journal learns of it.
    pub(super) fn run(mut self, prefix: &str, told: impl Fn() -> bool) -> End {
        let end = self.write(prefix, told).err().unwrap_or(End::Told);
        self.journal.end();
        end
    }

    fn write(&mut self, prefix: &str, told: impl Fn() -> bool) -> Result<(), End> {
        for number in 0.. {
            if told() {
                return Ok(());
            }
            self.one_user(&format!("{prefix}n{number}"), number)?;
        }
        Ok(())
    }

    fn one_user(&mut self, name: &str, number: usize) -> Result<(), End> {
        let given = format!("G {name}");
        let Outcome::Done(Some(id)) = self.send(&Intent::Create { name: name.to_owned(), given })? else {
            return Ok(());
        };
        if number.is_multiple_of(5) {
            // The name is taken, which must change nothing.
            let again = Intent::Create { name: name.to_uppercase(), given: "never".to_owned() };
            self.send(&again)?;
        }
        let group = self.groups.get(number % self.groups.len().max(1)).cloned();
        let mut wishes = vec![Intent::Rename { id: id.clone(), given: format!("H {name}") }];
        if let Some(group) = group {
            wishes.push(Intent::Join { group: group.clone(), id: id.clone() });
            if number % 3 == 1 {
                wishes.push(Intent::Leave { group, id: id.clone() });
            }
        }
        if number % 4 == 3 {
            wishes.push(Intent::Delete { id });
        }
        for wish in wishes {
            if matches!(self.send(&wish)?, Outcome::Unknown(_)) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends one request, once, and writes down what came of it.
    pub(super) fn send(&mut self, intent: &Intent) -> Result<Outcome, End> {
        let (method, path, body) = request(intent);
        let body = body.map(|body| body.to_string().into_bytes());
        let number = self.journal.intend(intent);
        if self.reconnects {
            self.client = self.client.clone();
        }
        let kept = self.client.is_connected();
        let begun = Instant::now();
        let before = self.client.sent;
        let answer = self.client.attempt(method, &path, &[], body.as_deref());
        let outcome = match &answer {
            Ok(answer) => {
                self.watch.note(answer, begun.elapsed());
                match answer.status {
                    201 => Outcome::Done(Some(id(&answer.json()))),
                    200 | 204 => Outcome::Done(None),
                    400..=499 | 507 => Outcome::Refused(answer.status),
                    status => Outcome::Unknown(format!("{status}: {}", answer.text())),
                }
            }
            Err(error) => Outcome::Unknown(error.to_string()),
        };
        self.journal.note(number, &outcome);
        match answer {
            Ok(_) => Ok(outcome),
            // Once a server ends it closes a connection with the next answer. So what was answered last had been sent before
            // that, and less than a moment ago it had not waited for long enough.
            Err(error) if kept && is_end(&error) && before.is_some_and(|at| at.elapsed() >= MOMENT) => {
                Err(End::Late)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Err(End::Refused),
            Err(error) if error.kind() == ErrorKind::ConnectionReset && !kept => Err(End::Untaken),
            Err(error) => Err(End::Cut(error)),
        }
    }
}

/// Whether a connection had ended before there was anything of an answer.
fn is_end(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn request(intent: &Intent) -> (&'static str, String, Option<Value>) {
    let patch = |path: String, op: Value| ("PATCH", path, Some(patch_body(json!([op]))));
    match intent {
        Intent::Create { name, given } => ("POST", "/Users".to_owned(), Some(body(name, given))),
        Intent::Rename { id, given } => {
            patch(format!("/Users/{id}"), op("replace", "name.givenName", json!(given)))
        }
        Intent::Join { group, id } => {
            patch(format!("/Groups/{group}"), op("add", "members", json!([{ "value": id }])))
        }
        Intent::Leave { group, id } => patch(
            format!("/Groups/{group}"),
            json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }),
        ),
        Intent::Delete { id } => ("DELETE", format!("/Users/{id}"), None),
    }
}
