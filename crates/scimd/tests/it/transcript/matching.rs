//! Whether an answer is what a step expects. Every reason is listed, not the first.

use serde_json::Value;

use super::json_path::JsonPath;
use super::template::Variables;
use super::{Expect, Response, Statuses, short};

impl Expect {
    /// Why the answer is not what is expected; empty when it is.
    pub(crate) fn problems(
        &self,
        response: &Response,
        variables: &mut Variables,
    ) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        let statuses: &[u16] = match &self.status {
            Statuses::One(status) => std::slice::from_ref(status),
            Statuses::Several(statuses) => statuses,
        };
        if !statuses.contains(&response.status) {
            problems.push(format!("status {}, expected {statuses:?}", response.status));
        }
        if response.status == 204 && !response.body.is_empty() {
            problems.push("204 with a body".to_owned());
        }
        for (name, prefix) in &self.headers {
            let have = response
                .headers
                .iter()
                .rfind(|(have, _)| have.eq_ignore_ascii_case(name))
                .map(|(_, value)| value);
            match (prefix, have) {
                (None, Some(value)) => problems.push(format!("header {name} is present: `{value}`")),
                (None, None) => {}
                (Some(prefix), have) => {
                    let prefix = variables.fill_text(prefix)?;
                    let begins = |value: &String| value.to_lowercase().starts_with(&prefix.to_lowercase());
                    if !have.is_some_and(begins) {
                        problems.push(format!("header {name} is {have:?}, expected `{prefix}…`"));
                    }
                }
            }
        }
        self.body_problems(response, variables, &mut problems)?;
        Ok(problems)
    }

    fn body_problems(
        &self,
        response: &Response,
        variables: &mut Variables,
        problems: &mut Vec<String>,
    ) -> Result<(), String> {
        let document: Option<Value> = serde_json::from_str(&response.body).ok();
        let needed = self.json_subset.is_some()
            || !self.length.is_empty()
            || !self.equal.is_empty()
            || !self.disjoint.is_empty()
            || !self.same_set.is_empty();
        if needed && document.is_none() {
            problems.push("no JSON body".to_owned());
            return Ok(());
        }
        let document = document.unwrap_or(Value::Null);
        if let Some(subset) = &self.json_subset {
            contained(&variables.fill(subset)?, &document, "$", problems)?;
        }
        for (paths, empty_text, words) in
            [(&self.absent, false, "expected absent"), (&self.blank, true, "expected absent or empty")]
        {
            for path in paths {
                let parsed = JsonPath::parse(&variables.fill_text(path)?)?;
                let blank = |value: &Value| unassigned(value) || (empty_text && *value == "");
                if let Some(hit) = parsed.resolve(&document).into_iter().find(|value| !blank(value)) {
                    problems.push(format!("{path}: {words}, got {}", show(hit)));
                }
            }
        }
        for (path, length) in &self.length {
            let parsed = JsonPath::parse(&variables.fill_text(path)?)?;
            let have = match parsed.resolve(&document).first() {
                Some(Value::Array(items)) => items.len(),
                Some(Value::Object(members)) => members.len(),
                _ => 0,
            };
            if have != *length {
                problems.push(format!("{path}: expected {length} element(s), got {have}"));
            }
        }
        for (path, value) in &self.equal {
            let parsed = JsonPath::parse(&variables.fill_text(path)?)?;
            let want = variables.fill(value)?;
            let have = parsed.resolve(&document).first().copied();
            if have != Some(&want) {
                let have = have.map_or("nothing".to_owned(), show);
                problems.push(format!("{path}: expected exactly {}, got {have}", show(&want)));
            }
        }
        for (path, name) in &self.disjoint {
            let known = variables.list(name)?;
            if let Some(both) =
                JsonPath::parse(path)?.resolve(&document).into_iter().find(|hit| known.contains(hit))
            {
                problems.push(format!("{path}: {} was already in `{name}`", show(both)));
            }
        }
        for (path, name) in &self.same_set {
            let mut want: Vec<String> = variables.list(name)?.iter().map(show).collect();
            let mut have: Vec<String> =
                JsonPath::parse(path)?.resolve(&document).into_iter().map(show).collect();
            want.sort();
            have.sort();
            if want != have {
                problems.push(format!(
                    "{path}: {} value(s) are not the {} of `{name}`",
                    have.len(),
                    want.len()
                ));
            }
        }
        Ok(())
    }
}

/// Adds to `problems` why `want` is not contained in `got`.
fn contained(want: &Value, got: &Value, at: &str, problems: &mut Vec<String>) -> Result<(), String> {
    match want {
        Value::Object(members) => {
            if let Some((operator, argument)) = matcher(want) {
                if !matches(operator, argument, got)? {
                    problems.push(format!("{at}: expected {operator} {}, got {}", show(argument), show(got)));
                }
                return Ok(());
            }
            let Value::Object(have) = got else {
                problems.push(format!("{at}: expected an object, got {}", show(got)));
                return Ok(());
            };
            for (key, value) in members {
                match have.get(key) {
                    Some(member) => contained(value, member, &format!("{at}.{key}"), problems)?,
                    None if value.is_null() || matches!(matcher(value), Some(("$not", _))) => {}
                    None => problems.push(format!("{at}.{key}: missing")),
                }
            }
        }
        Value::Array(items) => {
            let Value::Array(have) = got else {
                problems.push(format!("{at}: expected an array, got {}", show(got)));
                return Ok(());
            };
            for unmatched in unmatched(items, have)? {
                problems.push(format!(
                    "{at}: no (further) element matches {} in {}",
                    show(unmatched),
                    show(got)
                ));
            }
        }
        scalar => {
            if !same_scalar(scalar, got) {
                problems.push(format!("{at}: expected {}, got {}", show(scalar), show(got)));
            }
        }
    }
    Ok(())
}

fn is_contained(want: &Value, got: &Value) -> Result<bool, String> {
    let mut problems = Vec::new();
    contained(want, got, "$", &mut problems)?;
    Ok(problems.is_empty())
}

/// Those of `items` that find no element of their own, when as many as possible do (augmenting paths).
fn unmatched<'a>(items: &'a [Value], have: &[Value]) -> Result<Vec<&'a Value>, String> {
    let mut candidates = Vec::new();
    for item in items {
        let mut fitting = Vec::new();
        for (index, element) in have.iter().enumerate() {
            if is_contained(item, element)? {
                fitting.push(index);
            }
        }
        candidates.push(fitting);
    }
    let mut owners = vec![None; have.len()];
    let lost = |index: &usize| !augment(*index, &candidates, &mut owners, &mut vec![false; have.len()]);
    let lost: Vec<usize> = (0..items.len()).filter(lost).collect();
    Ok(lost.into_iter().map(|index| &items[index]).collect())
}

fn augment(item: usize, candidates: &[Vec<usize>], owners: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    for &element in &candidates[item] {
        if std::mem::replace(&mut seen[element], true) {
            continue;
        }
        if owners[element].is_none_or(|owner| augment(owner, candidates, owners, seen)) {
            owners[element] = Some(item);
            return true;
        }
    }
    false
}

/// The operator of `{"$operator": argument}`.
fn matcher(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let (key, argument) = members.iter().next()?;
    ["$any", "$regex", "$ci", "$in", "$not", "$type"]
        .contains(&key.as_str())
        .then_some((key.as_str(), argument))
}

fn matches(operator: &str, argument: &Value, got: &Value) -> Result<bool, String> {
    let malformed = || format!("malformed: {operator} {}", show(argument));
    match operator {
        "$any" => Ok(!got.is_null()),
        "$not" => Ok(!is_contained(argument, got)?),
        "$in" => {
            for choice in argument.as_array().ok_or_else(malformed)? {
                if is_contained(choice, got)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        "$regex" => {
            let pattern = argument.as_str().ok_or_else(malformed)?;
            let pattern =
                regex_lite::Regex::new(pattern).map_err(|error| format!("{}: {error}", malformed()))?;
            Ok(got.as_str().is_some_and(|text| pattern.is_match(text)))
        }
        "$ci" => {
            let text = argument.as_str().ok_or_else(malformed)?;
            Ok(got.as_str().is_some_and(|have| have.to_lowercase() == text.to_lowercase()))
        }
        "$type" => match argument.as_str().ok_or_else(malformed)? {
            "string" => Ok(got.is_string()),
            "boolean" => Ok(got.is_boolean()),
            "integer" => Ok(got.is_i64() || got.is_u64()),
            "array" => Ok(got.is_array()),
            "object" => Ok(got.is_object()),
            _ => Err(malformed()),
        },
        _ => Err(malformed()),
    }
}

fn same_scalar(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => want == got,
    }
}

/// `null`, an empty list and an empty object all mean "no value" (RFC 7643 §2.5).
fn unassigned(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn show(value: &Value) -> String {
    short(&value.to_string())
}
