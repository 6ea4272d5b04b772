//! Placeholders: `{{name}}` in text, `{{json:name}}`, `$merge` and `$each` in JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::http::encode;

/// The values that placeholders stand for.
pub(crate) struct Variables {
    values: BTreeMap<String, Value>,
    unique: String,
    guids: usize,
}

impl Variables {
    /// Variables of one run. `unique` is lower-case alphanumeric and names the run.
    pub(crate) fn new(unique: &str) -> Self {
        let mut values = BTreeMap::new();
        values.insert("uniq".to_owned(), unique.into());
        values.insert("UNIQ".to_owned(), unique.to_uppercase().into());
        Self { values, unique: unique.to_owned(), guids: 0 }
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    /// Appends to a list, which need not exist yet.
    pub(crate) fn append(&mut self, name: &str, more: Vec<Value>) -> Result<(), String> {
        match self.values.entry(name.to_owned()).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(list) => list.extend(more),
            _ => return Err(format!("malformed: `{name}` is not a list")),
        }
        Ok(())
    }

    /// A list that was captured.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<Value>, String> {
        match self.lookup(name)? {
            Value::Array(list) => Ok(list),
            _ => Err(format!("malformed: `{name}` is not a list")),
        }
    }

    /// Text with its placeholders filled in.
    pub(crate) fn fill_text(&mut self, text: &str) -> Result<String, String> {
        self.replace(text, str::to_owned)
    }

    /// A path: values are percent-encoded, and of the rest only what cannot stand in a request target.
    pub(crate) fn fill_path(&mut self, path: &str) -> Result<String, String> {
        let filled = self.replace(path, encode)?;
        let mut target = String::new();
        for character in filled.chars() {
            if character.is_ascii_graphic() && !"\"<>\\^`{|}[]".contains(character) {
                target.push(character);
            } else {
                target.push_str(&encode(&character.to_string()));
            }
        }
        Ok(target)
    }

    /// JSON with its placeholders filled in, in keys too.
    pub(crate) fn fill(&mut self, value: &Value) -> Result<Value, String> {
        match value {
            Value::String(text) => match whole(text).and_then(|name| name.strip_prefix("json:")) {
                Some(name) => self.lookup(name),
                None => Ok(self.fill_text(text)?.into()),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => self.fill_object(members),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
        }
    }

    fn fill_object(&mut self, members: &Map<String, Value>) -> Result<Value, String> {
        if let (1, Some(Value::Array(parts))) = (members.len(), members.get("$merge")) {
            let mut merged = Value::Null;
            for (index, part) in parts.iter().enumerate() {
                let part = self.fill(part)?;
                merged = if index == 0 { part } else { merge(merged, &part) };
            }
            return Ok(merged);
        }
        if let (2, Some(Value::String(list)), Some(item)) =
            (members.len(), members.get("$each"), members.get("item"))
        {
            let before = self.values.get("item").cloned();
            let mut items = Vec::new();
            for value in self.list(list)? {
                self.set("item", value);
                items.push(self.fill(item)?);
            }
            match before {
                Some(before) => self.set("item", before),
                None => drop(self.values.remove("item")),
            }
            return Ok(items.into());
        }
        let filled = members.iter().map(|(key, value)| Ok((self.fill_text(key)?, self.fill(value)?)));
        filled.collect::<Result<Map<_, _>, String>>().map(Value::Object)
    }

    fn replace(&mut self, text: &str, escape: impl Fn(&str) -> String) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            let Some(name) = placeholder(&rest[start..]) else {
                filled.push_str(&rest[..=start]);
                rest = &rest[start + 1..];
                continue;
            };
            filled.push_str(&rest[..start]);
            rest = &rest[start + name.len() + 4..];
            match self.lookup(name.strip_prefix("json:").unwrap_or(name))? {
                Value::String(value) => filled.push_str(&escape(&value)),
                value => filled.push_str(&escape(&value.to_string())),
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn lookup(&mut self, name: &str) -> Result<Value, String> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        if !name.starts_with("guid:") {
            return Err(format!("malformed: `{{{{{name}}}}}` has no value"));
        }
        self.guids += 1;
        let guid = guid(&self.unique, self.guids);
        self.set(name, guid.clone().into());
        Ok(guid.into())
    }
}

/// A GUID that depends on nothing but its arguments.
fn guid(unique: &str, number: usize) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u128 ^ (number as u128);
    for byte in unique.bytes().chain(*b"guid") {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    let hex = format!("{hash:032x}");
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// RFC 7396.
fn merge(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut members = match target {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (key, value) in patch {
        if value.is_null() {
            members.shift_remove(key);
        } else {
            let before = members.get(key).cloned().unwrap_or(Value::Null);
            members.insert(key.clone(), merge(before, value));
        }
    }
    Value::Object(members)
}

/// The name of the placeholder that `text` begins with.
fn placeholder(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix("{{")?.split_once("}}")?;
    let (head, tail) = name.split_once(':').unwrap_or((name, "x"));
    let word =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_.-".contains(c));
    let begins = head.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (begins && word(head) && word(tail)).then_some(name)
}

/// The name of the placeholder that `text` consists of.
fn whole(text: &str) -> Option<&str> {
    placeholder(text).filter(|name| name.len() + 4 == text.len())
}
