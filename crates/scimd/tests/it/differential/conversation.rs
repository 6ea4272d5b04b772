//! One client that talks to all worlds at once, and compares what they say.

use std::collections::HashMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use scim_store::conformance::words::Random;
use serde_json::{Map, Value, json};

use super::documents::{self, KINDS};
use super::naive::Everything;
use super::questions;
use super::world::{Answer, Sent, World};

/// A conversation with all worlds about one tenant.
pub(crate) struct Conversation<'w> {
    worlds: &'w [World],
    tenant: &'static str,
    random: Random,
    step: u64,
    /// What was created, with its kind, the deleted ones included.
    known: Vec<(&'static str, String)>,
    /// How each resource was last seen, with its version apart.
    seen: HashMap<String, (Value, Value)>,
    /// How many answers were compared.
    pub(crate) pairs: usize,
    /// What the first world said.
    pub(crate) heard: Vec<Answer>,
}

impl<'w> Conversation<'w> {
    pub(crate) fn new(worlds: &'w [World], tenant: &'static str, random: Random) -> Self {
        let known = vec![("Users", "00000000-0000-7000-8000-000000000000".to_owned())];
        Self { worlds, tenant, random, step: 1, known, seen: HashMap::new(), pairs: 0, heard: Vec::new() }
    }

    /// Changes something, so many times.
    pub(crate) fn write(&mut self, times: usize) {
        for _ in 0..times {
            self.write_once();
        }
    }

    /// Asks, so many times, about what there is now.
    pub(crate) fn ask(&mut self, times: usize) {
        let kind = self.random.pick(&KINDS);
        self.walk_among_writes(kind);
        let everything = KINDS.map(|kind| self.everything(kind));
        for _ in 0..times {
            let which = self.random.below(KINDS.len());
            match self.random.below(6) {
                0 => self.walk(KINDS[which], &everything[which]),
                1 => self.look(KINDS[which]),
                _ => self.search(KINDS[which], &everything[which]),
            }
        }
    }

    /// Sends a request to all worlds and compares their answers.
    fn send(&mut self, sent: &Sent) -> &Answer {
        self.step += 1;
        let (first, others) = self.worlds.split_first().expect("a world");
        let answer = first.send(self.tenant, self.step, sent);
        assert!(answer.status < 500, "{}: {sent:?}\n{answer:?}", first.name);
        for other in others {
            let others = other.send(self.tenant, self.step, sent);
            assert_eq!(answer, others, "{} and {} answer differently to {sent:?}", first.name, other.name);
            self.pairs += 1;
        }
        self.heard.push(answer);
        self.heard.last().expect("an answer")
    }

    fn write_once(&mut self) {
        let (kind, id) = self.someone();
        match self.random.below(if self.known.len() < 30 { 5 } else { 14 }) {
            0..5 => self.create(),
            5 => self.delete(kind, &id),
            6 | 7 => self.replace(kind, &id),
            8 => self.bulk(),
            _ => self.patch(kind, &id),
        }
    }

    fn create(&mut self) {
        let kind = self.random.pick(&KINDS);
        let body = self.document(kind);
        let answer = self.send(&Sent::new("POST", format!("/{kind}"), body));
        if answer.status == 201 {
            let id = answer.json()["id"].as_str().expect("an identifier").to_owned();
            self.known.push((kind, id));
        }
    }

    fn delete(&mut self, kind: &str, id: &str) {
        self.send(&Sent::new("DELETE", format!("/{kind}/{id}"), Value::Null));
    }

    fn replace(&mut self, kind: &'static str, id: &str) {
        let body = self.document(kind);
        let if_match = self.tag(kind, id);
        self.send(&Sent { if_match, ..Sent::new("PUT", format!("/{kind}/{id}"), body) });
    }

    /// A PATCH. A refused one has changed nothing, and what an accepted one comes to is what its PUT comes to.
    fn patch(&mut self, kind: &'static str, id: &str) {
        let (path, known) = (format!("/{kind}/{id}"), self.known.clone());
        let known: Vec<&str> = known.iter().map(|(_, id)| &**id).collect();
        let body = documents::patch(kind, &mut self.random, &known);
        let if_match = self.tag(kind, id);
        let before = self.send(&Sent::get(&*path)).body.clone();
        let sent = Sent { if_match, ..Sent::new("PATCH", &*path, body) };
        let status = self.send(&sent).status;
        let after = self.send(&Sent::get(&*path));
        if status >= 400 {
            assert_eq!(after.body, before, "{sent:?} was answered with {status}");
        } else {
            let after = after.body.clone();
            let put = Sent::new("PUT", &*path, serde_json::from_str(&after).expect("JSON"));
            let answer = self.send(&put);
            assert_eq!((answer.status, &answer.body), (200, &after), "PUT of what {sent:?} came to");
        }
        self.pairs += 1;
    }

    fn bulk(&mut self) {
        let mut operations = Vec::new();
        for number in 0..=self.random.below(4) {
            let (kind, id) = self.someone();
            let operation = match self.random.below(4) {
                0 => json!({ "method": "DELETE", "path": format!("/{kind}/{id}") }),
                1 => json!({ "method": "PUT", "path": format!("/{kind}/{id}"), "data": self.document(kind) }),
                _ => {
                    let kind = self.random.pick(&KINDS);
                    let data = self.document(kind);
                    json!({ "method": "POST", "path": format!("/{kind}"), "bulkId": format!("b{number}"), "data": data })
                }
            };
            operations.push(operation);
        }
        let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
        let fail_on_errors = 1 + self.random.below(3);
        let body = json!({ "schemas": [schema], "failOnErrors": fail_on_errors, "Operations": operations });
        let answer = self.send(&Sent::new("POST", "/Bulk", body)).json();
        for operation in answer["Operations"].as_array().into_iter().flatten() {
            let location = operation["location"].as_str().unwrap_or_default();
            let mut parts = location.rsplit('/');
            let (id, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            if operation["status"] == "201" {
                let kind = KINDS.into_iter().find(|known| *known == kind).expect("a kind");
                self.known.push((kind, id.to_owned()));
            }
        }
    }

    /// One resource, or a list without an evaluator to compare with: with attributes, over all types.
    fn look(&mut self, kind: &'static str) {
        let (of, id) = self.someone();
        let known = self.known.clone();
        let known: Vec<&str> = known.iter().map(|(_, id)| &**id).collect();
        let attributes = self.random.pick(&[
            "attributes=userName,emails.value,displayName",
            "excludedAttributes=emails,members,groups",
            "attributes=id",
            "attributes=groups.display,members.value,ports.rank",
            "excludedAttributes=name.givenName,meta,schemas",
        ]);
        let path = match self.random.below(3) {
            0 => format!("/{of}/{id}?{attributes}"),
            1 => format!("/{kind}?count=7&{attributes}"),
            _ => {
                let text = questions::filter(kind, &mut self.random, &known, 1);
                format!("/?filter={}&count=9", utf8_percent_encode(&text, NON_ALPHANUMERIC))
            }
        };
        self.send(&Sent::get(path));
    }

    /// All of a kind.
    fn everything(&mut self, kind: &str) -> Everything {
        let answer = self.send(&Sent::get(format!("/{kind}?count=1000"))).json();
        let found = answer["Resources"].as_array().cloned().unwrap_or_default();
        assert_eq!(answer["totalResults"], found.len(), "a conversation stays smaller than a page");
        for resource in &found {
            self.see(resource);
        }
        Everything(found.into_iter().map(|found| found.as_object().expect("an object").clone()).collect())
    }

    /// A version is another exactly when what is shown is another (RFC 7644 §3.14).
    fn see(&mut self, resource: &Value) {
        let id = resource["id"].as_str().expect("an identifier");
        let mut shown = resource.clone();
        let version =
            shown["meta"].as_object_mut().and_then(|meta| meta.remove("version")).expect("a version");
        if let Some((last, last_version)) = self.seen.get(id) {
            assert_eq!(*last == shown, *last_version == version, "{last_version} {last}\n{version} {shown}");
        }
        self.seen.insert(id.to_owned(), (shown, version));
    }

    /// A page of a query, by GET or by POST.
    fn search(&mut self, kind: &'static str, everything: &Everything) {
        let (filter, sort) = self.question(kind);
        let (start, count) = (1 + self.random.below(30), self.random.below(30));
        let mut fields = fields(filter.as_deref(), sort);
        fields.insert("startIndex".to_owned(), json!(start));
        fields.insert("count".to_owned(), json!(count));
        let sent = self.query(kind, fields);
        let kind_of = self.kind(kind);
        let answer = self.send(&sent);
        let expected = everything.find(&kind_of, filter.as_deref(), sort);
        let Some(expected) = expected else {
            return assert_eq!(answer.status, 400, "{sent:?}");
        };
        let answer = answer.json();
        assert_eq!(answer["totalResults"], expected.len(), "{sent:?}: {answer}");
        let page: Vec<&str> = expected.iter().skip(start - 1).take(count).copied().collect();
        assert_eq!(ids(&answer), page, "{sent:?}");
        self.pairs += 1;
    }

    /// All pages of a query, by cursor.
    fn walk(&mut self, kind: &'static str, everything: &Everything) {
        let (filter, sort) = self.question(kind);
        let kind_of = self.kind(kind);
        let Some(expected) = everything.find(&kind_of, filter.as_deref(), sort) else { return };
        let total = Some(expected.len());
        let found = self.pages(kind, filter.as_deref(), sort, total, |_| {});
        assert_eq!(found, expected, "{kind}: {filter:?} by {sort:?}");
        self.pairs += 1;
    }

    /// All pages of a query, while others write. What stays as it is and is found is found once.
    fn walk_among_writes(&mut self, kind: &'static str) {
        let (filter, sort) = self.question(kind);
        let kind_of = self.kind(kind);
        let before = self.everything(kind);
        if before.find(&kind_of, filter.as_deref(), sort).is_none() {
            return;
        }
        // Not for ever, since a walk may come to what was created meanwhile.
        let mut times = 8;
        let found = self.pages(kind, filter.as_deref(), sort, None, |this| {
            this.write(times.min(2));
            times = times.saturating_sub(2);
        });
        let after = self.everything(kind);
        let matching = |everything: &Everything| {
            let ids = everything.find(&kind_of, filter.as_deref(), sort).unwrap_or_default();
            ids.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let stays = |id: &String| before.get(id).is_some_and(|was| after.get(id) == Some(was));
        let (before_ids, after_ids) = (matching(&before), matching(&after));
        for id in before_ids.iter().filter(|id| stays(id) && after_ids.contains(id)) {
            let times = found.iter().filter(|found| *found == id).count();
            assert_eq!(times, 1, "{kind} {id}: {filter:?} by {sort:?} among writes");
        }
        self.pairs += 1;
    }

    /// Walks from page to page by cursor, and does something in between.
    fn pages(
        &mut self,
        kind: &str,
        filter: Option<&str>,
        sort: Option<(&str, &str)>,
        total: Option<usize>,
        mut between: impl FnMut(&mut Self),
    ) -> Vec<String> {
        let count = 1 + self.random.below(25);
        let (mut cursor, mut found) = (String::new(), Vec::new());
        loop {
            let mut fields = fields(filter, sort);
            fields.insert("cursor".to_owned(), json!(cursor));
            fields.insert("count".to_owned(), json!(count));
            let sent = self.query(kind, fields);
            let answer = self.send(&sent).json();
            if let Some(total) = total {
                assert_eq!(answer["totalResults"], total, "{sent:?}: {answer}");
            }
            found.extend(ids(&answer).into_iter().map(str::to_owned));
            match answer["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => return found,
            }
            between(self);
        }
    }

    fn question(&mut self, kind: &str) -> (Option<String>, Option<(&'static str, &'static str)>) {
        let known = self.known.clone();
        let known: Vec<&str> = known.iter().map(|(_, id)| &**id).collect();
        let filter = (!self.random.one_in(8)).then(|| questions::filter(kind, &mut self.random, &known, 3));
        let by = self.random.pick(questions::sorts(kind));
        let order = self.random.pick(&["ascending", "descending"]);
        (filter, (!self.random.one_in(3)).then_some((by, order)))
    }

    fn query(&mut self, kind: &str, fields: Map<String, Value>) -> Sent {
        if self.random.one_in(2) {
            let mut body = fields;
            let schema = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
            body.insert("schemas".to_owned(), json!([schema]));
            return Sent::new("POST", format!("/{kind}/.search"), Value::Object(body));
        }
        let field = |(name, value): (&String, &Value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={}", utf8_percent_encode(&text, NON_ALPHANUMERIC))
        };
        let fields: Vec<String> = fields.iter().map(field).collect();
        Sent::get(format!("/{kind}?{}", fields.join("&")))
    }

    /// A precondition now and then, half of them good.
    fn tag(&mut self, kind: &str, id: &str) -> Option<String> {
        match self.random.below(10) {
            0 => {
                let answer = self.send(&Sent::get(format!("/{kind}/{id}")));
                answer.header("etag").map(str::to_owned)
            }
            1 => Some("W/\"1\"".to_owned()),
            _ => None,
        }
    }

    fn document(&mut self, kind: &str) -> Value {
        let known: Vec<&str> = self.known.iter().map(|(_, id)| &**id).collect();
        documents::document(kind, &mut self.random, &known)
    }

    fn someone(&mut self) -> (&'static str, String) {
        self.known[self.random.below(self.known.len())].clone()
    }

    fn kind(&self, endpoint: &str) -> std::sync::Arc<scim_core::schema::ResourceType> {
        self.worlds[0].registry.endpoint(endpoint).expect("an endpoint").clone()
    }
}

fn fields(filter: Option<&str>, sort: Option<(&str, &str)>) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(filter) = filter {
        fields.insert("filter".to_owned(), json!(filter));
    }
    if let Some((by, order)) = sort {
        fields.insert("sortBy".to_owned(), json!(by));
        fields.insert("sortOrder".to_owned(), json!(order));
    }
    fields
}

fn ids(list: &Value) -> Vec<&str> {
    let found = list["Resources"].as_array().into_iter().flatten();
    found.map(|resource| resource["id"].as_str().expect("an identifier")).collect()
}
