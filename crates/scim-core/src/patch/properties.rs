//! The engine against a model that knows four attributes by name, and against messages that are almost right.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::tests::{document, resource_type};
use super::*;
use crate::decode;
use crate::schema::{ENTERPRISE_USER, ResourceType};

type Text = Option<String>;

#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    title: Text,
    given: Text,
    family: Text,
    department: Text,
    emails: Vec<Email>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Email {
    value: Text,
    kind: Text,
    primary: Option<bool>,
}

/// What a value says of a member: nothing, null, or something.
type Said<T> = Option<Option<T>>;

#[derive(Debug, Clone)]
struct SaidEmail {
    value: Said<String>,
    kind: Said<String>,
    primary: Said<bool>,
}

#[derive(Debug, Clone)]
enum Step {
    Title(Text),
    Given(Text),
    Department(Text),
    Name(Said<String>, Said<String>),
    Emails(Vec<SaidEmail>),
    Selected(String, SaidEmail),
    SelectedType(String, Text),
    SelectedPrimary(String, Option<bool>),
    EveryValue(Text),
}

impl Model {
    /// False when the step is refused.
    fn apply(&mut self, verb: Verb, step: &Step) -> bool {
        let gone = verb == Verb::Remove;
        match step {
            Step::Title(text) => self.title = text.clone().filter(|_| !gone),
            Step::Given(text) => self.given = text.clone().filter(|_| !gone),
            Step::Department(text) => self.department = text.clone().filter(|_| !gone),
            Step::Name(..) if gone => (self.given, self.family) = (None, None),
            Step::Name(given, family) => {
                self.given = given.clone().unwrap_or(self.given.clone());
                self.family = family.clone().unwrap_or(self.family.clone());
            }
            Step::Emails(_) if gone => self.emails.clear(),
            Step::Emails(list) => {
                let said = list.iter().map(SaidEmail::alone).filter(|email| !email.is_empty());
                let list = once_each(said.collect());
                if list.iter().filter(|email| email.primary == Some(true)).count() > 1 {
                    return false;
                }
                if verb == Verb::Replace {
                    self.emails.clear();
                }
                let mut chosen = None;
                for email in list {
                    let same = |known: &Email| (&known.value, &known.kind) == (&email.value, &email.kind);
                    let known = self.emails.iter().position(same).filter(|_| verb == Verb::Add);
                    let index = known.unwrap_or(self.emails.len());
                    if email.primary == Some(true) {
                        chosen = Some(index);
                    }
                    match known {
                        Some(index) => {
                            self.emails[index].primary = email.primary.or(self.emails[index].primary);
                        }
                        None => self.emails.push(email),
                    }
                }
                if let Some(chosen) = chosen.filter(|index| self.emails[*index].primary == Some(true)) {
                    let others = self.emails.iter_mut().enumerate().filter(|(index, _)| *index != chosen);
                    others.for_each(|(_, email)| email.demote());
                }
                self.emails = once_each(std::mem::take(&mut self.emails));
            }
            Step::Selected(kind, said) => {
                return self.select(verb, Some(kind), |email| match verb {
                    Verb::Remove => *email = Email::default(),
                    Verb::Replace => *email = said.alone(),
                    Verb::Add => said.onto(email),
                });
            }
            Step::SelectedType(kind, text) => {
                return self.select(verb, Some(kind), |email| email.kind = text.clone().filter(|_| !gone));
            }
            Step::SelectedPrimary(kind, primary) => {
                return self.select(verb, Some(kind), |email| email.primary = primary.filter(|_| !gone));
            }
            Step::EveryValue(text) => {
                return self.select(verb, None, |email| email.value = text.clone().filter(|_| !gone));
            }
        }
        true
    }

    fn select(&mut self, verb: Verb, kind: Option<&String>, edit: impl Fn(&mut Email)) -> bool {
        let mut found = 0;
        let mut primary = None;
        for index in 0..self.emails.len() {
            if kind.is_none() || self.emails[index].kind.as_ref() == kind {
                found += 1;
                edit(&mut self.emails[index]);
                if self.emails[index].primary == Some(true) {
                    if primary.is_some() {
                        return false;
                    }
                    primary = Some(index);
                }
            }
        }
        if let Some(primary) = primary {
            let others = self.emails.iter_mut().enumerate().filter(|(index, _)| *index != primary);
            others.for_each(|(_, email)| email.demote());
        }
        self.emails.retain(|email| !email.is_empty());
        self.emails = once_each(std::mem::take(&mut self.emails));
        found > 0 || verb == Verb::Remove
    }

    fn of(document: &Document) -> Self {
        let map = Value::Object(document.as_map().clone());
        let text = |pointer: &str| map.pointer(pointer).map(|value| value.as_str().expect("text").to_owned());
        let email = |email: &Value| Email {
            value: email.get("value").map(|value| value.as_str().expect("text").to_owned()),
            kind: email.get("type").map(|value| value.as_str().expect("text").to_owned()),
            primary: email.get("primary").map(|value| value.as_bool().expect("a boolean")),
        };
        Self {
            title: text("/title"),
            given: text("/name/givenName"),
            family: text("/name/familyName"),
            department: text(&format!("/{ENTERPRISE_USER}/department")),
            emails: map["emails"].as_array().into_iter().flatten().map(email).collect(),
        }
    }
}

fn once_each(emails: Vec<Email>) -> Vec<Email> {
    let mut once: Vec<Email> = Vec::new();
    for email in emails {
        if !once.contains(&email) {
            once.push(email);
        }
    }
    once
}

impl Email {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn demote(&mut self) {
        self.primary = self.primary.map(|_| false);
    }
}

impl SaidEmail {
    fn onto(&self, email: &mut Email) {
        email.value = self.value.clone().unwrap_or(email.value.clone());
        email.kind = self.kind.clone().unwrap_or(email.kind.clone());
        email.primary = self.primary.unwrap_or(email.primary);
    }

    fn alone(&self) -> Email {
        let mut email = Email::default();
        self.onto(&mut email);
        email
    }

    fn to_json(&self) -> Value {
        let mut map = Map::new();
        map.extend(self.value.clone().map(|value| ("value".to_owned(), json!(value))));
        map.extend(self.kind.clone().map(|kind| ("Type".to_owned(), json!(kind))));
        map.extend(self.primary.map(|primary| ("primary".to_owned(), json!(primary))));
        map.into()
    }
}

impl Step {
    fn to_json(&self, verb: Verb, without_path: bool) -> Value {
        let name = |given: &Said<String>, family: &Said<String>| {
            let mut map = Map::new();
            map.extend(given.clone().map(|given| ("givenName".to_owned(), json!(given))));
            map.extend(family.clone().map(|family| ("familyName".to_owned(), json!(family))));
            Value::from(map)
        };
        let (path, value) = match self {
            Self::Title(text) => ("title".to_owned(), json!(text)),
            Self::Given(text) => ("name.givenName".to_owned(), json!(text)),
            Self::Department(text) => (format!("{ENTERPRISE_USER}:department"), json!(text)),
            Self::Name(given, family) => ("name".to_owned(), name(given, family)),
            Self::Emails(list) => ("emails".to_owned(), list.iter().map(SaidEmail::to_json).collect()),
            Self::Selected(kind, said) => (format!("emails[type eq \"{kind}\"]"), said.to_json()),
            Self::SelectedType(kind, text) => (format!("emails[type eq \"{kind}\"].type"), json!(text)),
            Self::SelectedPrimary(kind, primary) => {
                (format!("emails[type eq \"{kind}\"].primary"), json!(primary))
            }
            Self::EveryValue(text) => ("emails.value".to_owned(), json!(text)),
        };
        let plain = matches!(self, Self::Title(_) | Self::Name(..) | Self::Emails(_));
        match (verb, self) {
            (Verb::Remove, _) => json!({"op": "remove", "path": path}),
            (verb, _) if without_path && plain => json!({"op": verb.name(), "value": {path: value}}),
            (verb, Self::Department(_)) if without_path => {
                json!({"op": verb.name(), "value": {ENTERPRISE_USER: {"department": value}}})
            }
            (verb, _) => json!({"op": verb.name(), "path": path, "value": value}),
        }
    }
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned)
}

fn said_email() -> impl Strategy<Value = SaidEmail> {
    let said = || prop::option::of(prop::option::of(word()));
    (said(), said(), prop::option::of(prop::option::of(any::<bool>())))
        .prop_map(|(value, kind, primary)| SaidEmail { value, kind, primary })
}

fn step() -> impl Strategy<Value = Step> {
    let text = || prop::option::of(word());
    let said = || prop::option::of(prop::option::of(word()));
    prop_oneof![
        1 => text().prop_map(Step::Title),
        1 => text().prop_map(Step::Given),
        1 => text().prop_map(Step::Department),
        1 => (said(), said()).prop_map(|(given, family)| Step::Name(given, family)),
        5 => prop::collection::vec(said_email(), 0..4).prop_map(Step::Emails),
        3 => (word(), said_email()).prop_map(|(kind, said)| Step::Selected(kind, said)),
        2 => (word(), text()).prop_map(|(kind, text)| Step::SelectedType(kind, text)),
        2 => (word(), prop::option::of(any::<bool>())).prop_map(|(kind, p)| Step::SelectedPrimary(kind, p)),
        1 => text().prop_map(Step::EveryValue),
    ]
}

fn verb() -> impl Strategy<Value = Verb> {
    prop::sample::select(Verb::all().to_vec())
}

/// JSON that is often near to a PATCH message.
fn near_message() -> impl Strategy<Value = Value> {
    let words = vec![
        "add",
        "replace",
        "remove",
        "Add",
        "title",
        "name",
        "name.givenName",
        "emails",
        "emails.type",
        "password",
        "emails[type eq \"a\"]",
        "emails[type eq \"a\"].value",
        "emails[",
        "id",
        "meta.location",
        "schemas",
        "value",
        "type",
        "primary",
        "givenName",
        "userName",
        "active",
        ENTERPRISE_USER,
        "a",
        "",
        "tags",
        "tags[value eq \"a\"]",
        "ports",
        "number",
        "ports[number gt 1].kind",
        "kind",
        "origin",
        "country",
        "origin.marks",
        "marks",
        "seals",
        "serial",
        "keys",
        "secret",
        "vault",
        "code",
        "urn:x:More",
        "urn:x:More:once",
        "urn:x:Firm",
        "owner",
        "pin",
    ];
    let name = prop::sample::select(words.clone());
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => (0..3i64).prop_map(Value::from),
        4 => prop::sample::select(words.clone()).prop_map(Value::from),
    ];
    let value = leaf.clone().prop_recursive(3, 20, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..4).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    });
    let path = prop_oneof![4 => prop::sample::select(words).prop_map(Value::from), 1 => leaf];
    let operation =
        (verb(), prop::option::of(path), prop::option::of(value.clone())).prop_map(|(verb, path, value)| {
            let mut operation = Map::new();
            operation.insert("op".to_owned(), verb.name().into());
            operation.extend(path.map(|path| ("path".to_owned(), path)));
            operation.extend(value.map(|value| ("value".to_owned(), value)));
            Value::from(operation)
        });
    let operations = prop::collection::vec(prop_oneof![9 => operation, 1 => value.clone()], 0..4);
    prop_oneof![
        9 => operations.prop_map(|operations| json!({"schemas": [MESSAGE], "Operations": operations})),
        1 => value,
    ]
}

fn put_again(document: &Document, resource_type: &ResourceType) -> Vec<u8> {
    let mut body = document.as_map().clone();
    if resource_type.name() == "Device" {
        body.insert("pin".to_owned(), json!("1"));
    }
    decode::resource(&body.into(), resource_type).expect("valid").document.to_json()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_engine_does_what_the_model_does(steps in prop::collection::vec((verb(), step(), any::<bool>()), 1..8)) {
        let user = resource_type("User");
        let mut document = document("User", &json!({}));
        let mut model = Model::default();
        for (verb, step, without_path) in steps {
            let body = json!({"schemas": [MESSAGE], "Operations": [step.to_json(verb, without_path)]});
            let patch = Patch::decode(&body, &user).expect("a message");
            let mut expected = model.clone();
            match patch.apply(&document, &user) {
                Ok(patched) => {
                    prop_assert!(expected.apply(verb, &step), "{} should be refused", body);
                    prop_assert_eq!(Model::of(&patched.document), expected.clone(), "{}", body);
                    prop_assert_eq!(put_again(&patched.document, &user), patched.document.to_json());
                    (document, model) = (patched.document, expected);
                }
                Err(error) => prop_assert!(!expected.apply(verb, &step), "{}: {}", body, error),
            }
            // Once more changes nothing, if what the path selects is still there.
            if let Ok(again) = patch.apply(&document, &user) {
                prop_assert_eq!(&again.document, &document, "{}", body);
            }
        }
    }

    #[test]
    fn any_message_gets_an_answer_and_leaves_something_valid(body in near_message()) {
        let email = json!({"emails": [{"value": "a", "type": "a", "primary": true}, {"value": "b"}]});
        let ports = json!({"ports": [{"number": 1}, {"number": 2, "kind": "a"}], "tags": ["a", "b"],
            "origin": {"country": "a"}});
        for (name, members) in [("User", email), ("Device", ports)] {
            let resource_type = resource_type(name);
            let Ok(patch) = Patch::decode(&body, &resource_type) else { continue };
            let before = document(name, &members);
            if let Ok(Patched { document, hidden }) = patch.apply(&before, &resource_type) {
                prop_assert_eq!(put_again(&document, &resource_type), document.to_json());
                prop_assert!(hidden.iter().all(|(path, _)| path.attribute_value(document.as_map()).is_none()
                    || path.values(document.as_map()).next().is_none()));
            }
            let mut document = before;
            for operation in &patch.operations {
                let untouched = document.clone();
                if operation.apply(&mut document, &resource_type).is_err() {
                    prop_assert_eq!(&document, &untouched);
                }
            }
        }
    }
}
