//! What goes between an identity provider and the server. Each answer is held against the model's, and written down so
//! that a failure shows how it came about.

use std::collections::BTreeMap;

use proptest::test_runner::TestCaseError;
use serde_json::Value;

use super::customer::USER_NAME;
use super::model::{Answer, Change, Model, Subject};
use crate::world::World;

pub(super) struct Conversation<'a> {
    pub(super) world: &'a World,
    pub(super) model: Model,
    /// How many requests were sent that could change something.
    pub(super) sent: usize,
    /// How often something came of them, by what it was.
    pub(super) seen: BTreeMap<&'static str, usize>,
    lines: Vec<String>,
    names: BTreeMap<String, String>,
}

type Outcome<T> = Result<T, TestCaseError>;

impl<'a> Conversation<'a> {
    pub(super) fn new(world: &'a World, model: Model) -> Self {
        Self { world, model, sent: 0, seen: BTreeMap::new(), lines: Vec::new(), names: BTreeMap::new() }
    }

    pub(super) fn note(&mut self, line: &str) {
        self.lines.push(format!("      {line}"));
    }

    /// A failure, with everything that was said before it and names instead of identifiers.
    pub(super) fn fail<T>(&self, why: &str) -> Outcome<T> {
        let mut text = format!("{}\n=> {why}", self.lines.join("\n"));
        for (id, name) in &self.names {
            text = text.replace(id, name);
        }
        Err(TestCaseError::fail(text))
    }

    pub(super) fn read(&mut self, path: &str) -> Outcome<Value> {
        let answer = self.world.get(path);
        match answer.status.as_u16() {
            200 => Ok(answer.body),
            status => self.fail(&format!("GET {path} was answered {status} {}", answer.body)),
        }
    }

    /// Who has this name, as Entra ID or Okta asks for it.
    pub(super) fn look_up(
        &mut self,
        endpoint: &str,
        attribute: &str,
        name: &str,
        entra: bool,
    ) -> Outcome<Option<String>> {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let encode = |text: &str| -> String {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            text.bytes()
                .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
                .collect()
        };
        let filter = encode(&format!("{attribute} eq \"{quoted}\""));
        let query = match (entra, endpoint) {
            (true, "/Groups") => format!("excludedAttributes=members&filter={}", filter.replace("%20", "+")),
            (true, _) => format!("filter={}", filter.replace("%20", "+")),
            (false, _) => format!("filter={filter}&startIndex=1&count=100"),
        };
        let list = self.read(&format!("{endpoint}?{query}"))?;
        let found = list["Resources"].as_array().cloned().unwrap_or_default();
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(one["id"].as_str().map(str::to_owned)),
            _ => self.fail(&format!("{attribute} {name} is there twice")),
        }
    }

    /// Entra ID asks whether a reference is there before it sends it.
    pub(super) fn refers(&mut self, id: &str, manager: &str) -> Outcome<()> {
        let filter = format!("filter=id+eq+%22{id}%22+and+manager+eq+%22{manager}%22&attributes=id");
        let list = self.read(&format!("/Users?{filter}"))?;
        match list["totalResults"] == 0 {
            true => Ok(()),
            false => self.fail(&format!("{id} has the manager {manager} already")),
        }
    }

    /// An operator has carried out again what was refused.
    pub(super) fn replay(&mut self) {
        self.note("what was refused is carried out again:");
        for replayed in self.world.replayed() {
            let why = replayed.refusal.map_or("done".to_owned(), |refusal| refusal.detail());
            self.note(&format!(
                "{} {} {why}",
                replayed.reported.report.method, replayed.reported.report.path
            ));
        }
        let world = self.world;
        let id_of = |endpoint: &str, attribute: &str, name: &str| {
            let list = world.get(&format!("{endpoint}?attributes={attribute}")).body;
            let all = list["Resources"].as_array().cloned().unwrap_or_default();
            let it = all.into_iter().find(|one| one[attribute] == name);
            it.and_then(|one| one["id"].as_str().map(str::to_owned)).unwrap_or_default()
        };
        let created = |change: &Change| match change {
            Change::Create(user) => id_of("/Users", "userName", user.get(USER_NAME).unwrap_or_default()),
            Change::CreateGroup { name, .. } => id_of("/Groups", "displayName", name),
            Change::Write { .. } | Change::Delete(_) | Change::Group { .. } | Change::DeleteGroup(_) => {
                String::new()
            }
        };
        let open = self.world.refusals();
        let is_told = |subject: &&Subject| open.iter().any(|told| told.subject == named(subject));
        self.model.replay(created, |subjects| subjects.iter().find(is_told).cloned());
    }

    /// Sends a request, and gives the identifier of what it was about if it was done.
    pub(super) fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &Value,
        change: &Change,
    ) -> Outcome<Option<String>> {
        self.sent += 1;
        let expected = self.model.answer(change);
        let answer = self.world.request(method, path, body);
        let status = answer.status.as_u16();
        let detail = answer.body["detail"].as_str().unwrap_or_default().to_owned();
        self.lines.push(format!("  {method} {path} {body}\n      {status} {detail}"));
        let id = match answer.body["id"].as_str() {
            Some(id) => id.to_owned(),
            None => path.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        match (expected, status) {
            (Answer::Done, 200 | 201 | 204) => {
                if status == 201 {
                    let name = body["displayName"].as_str().or(body["userName"].as_str()).unwrap_or("?");
                    self.names.insert(id.clone(), format!("<{name} {}>", self.names.len() + 1));
                }
                self.model.apply(change, &id);
                Ok(Some(id))
            }
            (Answer::Refused(subjects, codes), 400) => {
                for code in &codes {
                    *self.seen.entry(code).or_default() += 1;
                }
                let told = self.world.refusals().into_iter().next_back();
                let Some(told) = told else { return self.fail("the refusal was not kept") };
                let Some(subject) = subjects.into_iter().find(|subject| named(subject) == told.subject)
                else {
                    return self.fail(&format!("the refusal is kept about {}", told.subject));
                };
                if told.codes != codes || !codes.iter().any(|code| detail.starts_with(code)) {
                    return self
                        .fail(&format!("it is to be refused for {codes:?}, and was for {:?}", told.codes));
                }
                let mut request = body.clone();
                request.as_object_mut().map(|body| body.shift_remove("password"));
                self.model.refuse(subject, codes, change, format!("{method} {path} {request}"));
                Ok(None)
            }
            (Answer::Taken, 409) => {
                *self.seen.entry("uniqueness").or_default() += 1;
                Ok(None)
            }
            (expected, _) => self.fail(&format!("the answer is to be {expected:?}")),
        }
    }
}

/// A subject as the server calls it.
pub(super) fn named(subject: &Subject) -> String {
    match subject {
        Subject::Creation { user_name, .. } => format!("userName:{user_name}"),
        Subject::User(id) => id.clone(),
        Subject::NewGroup(name) => format!("displayName:{name}"),
        Subject::Member { group, member } => format!("{group}/{member}"),
    }
}
