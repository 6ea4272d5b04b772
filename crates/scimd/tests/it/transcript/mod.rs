//! Recorded conversations with identity providers, replayed.
//!
//! A case is one JSON file: the requests that an identity provider sends, in order, and what it needs of the answers.
//! `tests/transcripts/README.md` describes the format. The runner knows nothing of a socket: it hands out requests and
//! takes answers, so that its own tests need none. It cleans nothing up; names are unique to each run.

mod json_path;
mod matching;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use json_path::JsonPath;
use template::Variables;

/// One conversation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Where the behaviour is documented.
    pub(crate) source: String,
    #[expect(dead_code, reason = "for readers of the file")]
    notes: Option<String>,
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the file")]
    tags: Vec<String>,
    pub(crate) steps: Vec<Step>,
}

/// One request and what its answer must be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    name: Option<String>,
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    body: Option<Value>,
    body_raw: Option<String>,
    #[serde(default)]
    capture: BTreeMap<String, String>,
    expect: Expect,
    repeat: Option<usize>,
    foreach: Option<String>,
}

/// What an answer must be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    status: Statuses,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    json_subset: Option<Value>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    blank: Vec<String>,
    #[serde(default)]
    length: BTreeMap<String, usize>,
    #[serde(default)]
    equal: Map<String, Value>,
    #[serde(default)]
    disjoint: BTreeMap<String, String>,
    #[serde(default)]
    same_set: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Statuses {
    One(u16),
    Several(Vec<u16>),
}

/// A request to send.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Follows the base URL.
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Reads a case.
///
/// # Errors
/// When it is not one: unknown keys and missing ones included.
pub(crate) fn parse(text: &str) -> Result<Case, String> {
    let case: Case = serde_json::from_str(text).map_err(|error| format!("malformed: {error}"))?;
    if case.steps.is_empty() || case.name.is_empty() || case.source.is_empty() {
        return Err("malformed: a case needs a name, a source and steps".to_owned());
    }
    Ok(case)
}

/// Replays a case.
///
/// # Errors
/// The first step that fails, by number and name, with every reason.
pub(crate) fn run(
    case: &Case,
    base: &str,
    token: &str,
    unique: &str,
    send: &mut dyn FnMut(Request) -> Result<Response, String>,
) -> Result<(), String> {
    let mut variables = Variables::new(unique);
    variables.set("token", token.into());
    variables.set("base", base.into());
    for (index, step) in case.steps.iter().enumerate() {
        let label = step.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        run_step(step, token, &mut variables, send)
            .map_err(|reason| format!("{} step {}{label}: {reason}", case.name, index + 1))?;
    }
    Ok(())
}

fn run_step(
    step: &Step,
    token: &str,
    variables: &mut Variables,
    send: &mut dyn FnMut(Request) -> Result<Response, String>,
) -> Result<(), String> {
    let rounds: Vec<Option<(&str, Value)>> = match (step.repeat, &step.foreach) {
        (Some(times), None) => (1..=times).map(|i| Some(("i", i.to_string().into()))).collect(),
        (None, Some(list)) => variables.list(list)?.iter().map(|item| Some(("item", item.clone()))).collect(),
        (None, None) => vec![None],
        (Some(_), Some(_)) => return Err("malformed: `repeat` and `foreach` together".to_owned()),
    };
    for round in rounds {
        if let Some((name, value)) = round {
            variables.set(name, value);
        }
        let request = request(step, token, variables)?;
        let line = format!("{} {}", request.method, request.path);
        let response = send(request).map_err(|error| format!("{line}: {error}"))?;
        let problems = step.expect.problems(&response, variables)?;
        if !problems.is_empty() {
            let said = if response.status >= 400 {
                format!(" [server: {}]", short(&response.body))
            } else {
                String::new()
            };
            return Err(format!("{line}: {}{said}", problems.join("; ")));
        }
        capture(step, &response, variables).map_err(|reason| format!("{line}: {reason}"))?;
    }
    Ok(())
}

fn request(step: &Step, token: &str, variables: &mut Variables) -> Result<Request, String> {
    let body = match (&step.body_raw, &step.body) {
        (Some(raw), _) => Some(variables.fill_text(raw)?),
        (None, Some(body)) => Some(variables.fill(body)?.to_string()),
        (None, None) => None,
    };
    let mut headers = vec![
        ("Accept".to_owned(), "application/scim+json".to_owned()),
        ("User-Agent".to_owned(), "transcripts".to_owned()),
    ];
    if !token.is_empty() {
        headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
    }
    if step.body.is_some() {
        headers.push(("Content-Type".to_owned(), "application/scim+json; charset=utf-8".to_owned()));
    }
    for (name, value) in &step.headers {
        headers.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
        if let Some(value) = value {
            headers.push((name.clone(), variables.fill_text(value)?));
        }
    }
    Ok(Request { method: step.method.clone(), path: variables.fill_path(&step.path)?, headers, body })
}

fn capture(step: &Step, response: &Response, variables: &mut Variables) -> Result<(), String> {
    let document = serde_json::from_str(&response.body).unwrap_or(Value::Null);
    for (name, path) in &step.capture {
        let hits: Vec<Value> = JsonPath::parse(path)?.resolve(&document).into_iter().cloned().collect();
        let Some(first) = hits.first() else {
            return Err(format!("nothing at {path} to capture as `{name}`"));
        };
        match name.strip_suffix("[]") {
            Some(list) => variables.append(list, hits)?,
            None if path.contains("[*]") => variables.set(name, hits.into()),
            None => variables.set(name, first.clone()),
        }
    }
    Ok(())
}

fn short(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
