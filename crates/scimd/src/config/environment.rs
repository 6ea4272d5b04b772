//! The layer of environment variables: `SCIMD_LISTEN`, `SCIMD_LIMITS_MAX_BODY` and so on, one for each plain key.

use scim_core::text::nearest;
use serde::Deserialize;
use toml::{Table, Value};

use super::file::{File, SECTIONS, explain};
use crate::Failure;

const PREFIX: &str = "SCIMD_";
/// Read elsewhere.
const OTHERS: [&str; 1] = ["CONFIG"];
/// Keys that are lists of tables, which a variable cannot hold.
const LISTS: [&str; 2] = ["schemas", "resource_types"];

/// Reads the variables that are ours. One that is nearly ours is an error, since it would be silently without effect;
/// any other is somebody else's, such as those that Kubernetes sets for a service called `scimd`.
pub(super) fn read(variables: impl Iterator<Item = (String, String)>) -> Result<File, Failure> {
    let known: Vec<(String, &str, &str)> = std::iter::once(("", File::KEYS))
        .chain(SECTIONS)
        .flat_map(|(section, keys)| keys.iter().map(move |key| (section, *key)))
        .filter(|(_, key)| !LISTS.contains(key))
        .map(|(section, key)| {
            let name = if section.is_empty() { key.to_owned() } else { format!("{section}_{key}") };
            (name.to_ascii_uppercase(), section, key)
        })
        .collect();
    let mut file = File::default();
    for (name, value) in variables {
        let Some(suffix) = name.strip_prefix(PREFIX).filter(|suffix| !OTHERS.contains(suffix)) else {
            continue;
        };
        match known.iter().find(|(known, _, _)| known == suffix) {
            Some((_, section, key)) => {
                let layer = parse(section, key, &value)
                    .map_err(|error| Failure::Usage(format!("environment variable {name}: {error}")))?;
                file = file.or(layer);
            }
            None => {
                if LISTS.iter().any(|list| list.eq_ignore_ascii_case(suffix)) {
                    return Err(Failure::Usage(format!(
                        "environment variable {name}: a list cannot be set here; write it into the configuration file"
                    )));
                }
                let without_section = known.iter().find(|(_, _, key)| key.eq_ignore_ascii_case(suffix));
                let near = nearest(suffix, known.iter().map(|(known, _, _)| known.as_str()));
                if let Some(near) = without_section.map(|(known, _, _)| known.as_str()).or(near) {
                    return Err(Failure::Usage(format!(
                        "there is no environment variable {name}; did you mean {PREFIX}{near}?"
                    )));
                }
            }
        }
    }
    Ok(file)
}

/// A variable holds text; whether it stands for a number or a boolean is the key's business.
fn parse(section: &str, key: &str, text: &str) -> Result<File, String> {
    let number = text.parse().ok().map(Value::Integer);
    let boolean = text.parse().ok().map(Value::Boolean);
    let mut complaint = String::new();
    for value in [number, boolean, Some(Value::String(text.to_owned()))].into_iter().flatten() {
        let mut table = Table::from_iter([(key.to_owned(), value)]);
        if !section.is_empty() {
            table = Table::from_iter([(section.to_owned(), Value::Table(table))]);
        }
        match File::deserialize(Value::Table(table)) {
            Ok(file) => return Ok(file),
            // That text was wanted says nothing, since the next attempt is with text.
            Err(error) if complaint.is_empty() || complaint.contains("a text in double quotes") => {
                complaint = explain(error.message());
            }
            Err(_) => {}
        }
    }
    Err(complaint)
}
