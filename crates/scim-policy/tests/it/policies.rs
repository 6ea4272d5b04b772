//! `docs/policies.md`, which is written from the rules themselves. Its examples are judged while it is written.

use std::fmt::Write;
use std::path::Path;

use scim_core::schema::Registry;
use scim_policy::rule::{CodeDocumentation, Documentation, Event, Setting, documentation};
use scim_policy::{Code, Field, Finding, Policy, PolicyFile, Severity, Transform, preset, refusal};
use serde_json::{Value, json};

const HEAD: &str = "\
# Policies

What a tenant makes of the Users that its identity provider sends: which person comes of each, and which are refused. A
tenant without a policy runs the protocol and the default mapping alone, and refuses nobody.

A policy is a TOML file. `scimd policy init TENANT --preset workforce` writes one to begin with, `scimd policy apply
TENANT FILE` puts one in force. Every section is optional. `[mapping]` says where the fields of a person come from; each
other section is a rule, and takes `mode`:

| mode | what is against the rule |
|---|---|
| `enforce` | is refused, with an error |
| `warn` | is let through, with a warning or a note |
| `off` | is not looked at |

A rule whose section is missing is off. What its other keys say of the person holds in every mode: `[email] prefer`
chooses the address and `[language] default` the language even if the rule is off.

A User who is not active is never refused, since nothing may keep somebody from leaving: errors are warnings then.

A refusal is a SCIM error, status 400 and `invalidValue`. Its `detail` tells all errors, as far as 1,500 characters go. Rule,
attribute, value and remedy of the first are within the first 200. What depends on others, `email-taken`, `group-second` and
`group-nested`, is told once nothing else is wrong, by one of these rules at a time.

This file is written from `crates/scim-policy/src/rule/` by `UPDATE_DOCS=1 cargo test -p scim-policy policies`.

## mapping

Where the fields of a person come from: a path, or a list of paths of which the first that has a value counts. Paths are
those of SCIM's PATCH: `title`, `name.givenName`, `emails[type eq \"work\"].value`,
`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`. A field that is not named comes from the default.

```toml
[mapping]
gender = [\"urn:ietf:params:scim:schemas:extension:acme:2.0:User:gender\"]
last_name = { from = [\"name.familyName\"], transform = [\"trim\", \"without-degree\"] }
user_group = \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department\"
undeclared = \"accept\"

[mapping.fields]
cost_center = \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter\"
```

";

const MAPPING: &str = "
`[mapping.fields]` has the application's own fields, 64 at most. A name begins with a letter and has `a` to `z`, digits and
`_`, 63 characters at most. A field has 16 paths at most.

`user_group = [\"groups\"]` is the name of the group that the person is in; it stands alone, and is the default.

`undeclared` says what becomes of an extension that the mapping names and no schema declares: `refuse` (the default)
refuses the file, `accept` takes its attributes for texts.

With `transform`, a text is rewritten on its way, step by step. If nothing is left, the next path is tried. Without it,
white space at both ends is left off.

";

#[test]
fn policies_are_documented() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policies.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, document()).expect("written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == document(), "run `UPDATE_DOCS=1 cargo test -p scim-policy policies`");
}

#[test]
fn every_code_is_documented_once() {
    let mut documented: Vec<Code> =
        documentation().iter().flat_map(|rule| rule.codes).map(|documented| documented.code).collect();
    documented.sort();
    assert_eq!(documented, Code::ALL);
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| field | comes from, unless the mapping says otherwise |\n|---|---|\n");
    for field in Field::ALL {
        row(&mut text, &[&code(field.name()), &default_paths(field)]);
    }
    text.push_str(MAPPING);
    text.push_str("| step | what it does |\n|---|---|\n");
    for transform in Transform::ALL {
        row(&mut text, &[&code(transform.name()), transform.meaning()]);
    }
    for rule in documentation() {
        section(&mut text, rule);
    }
    text.push_str("\n## Presets\n\n| preset | for |\n|---|---|\n");
    for preset in preset::ALL {
        row(&mut text, &[&code(preset.name), preset.description]);
    }
    text
}

fn default_paths(field: Field) -> String {
    let paths: Vec<String> = field.default_paths().iter().map(|path| code(path)).collect();
    let steps: Vec<&str> = field
        .default_transforms()
        .iter()
        .filter(|step| **step != Transform::Trim)
        .map(|step| step.name())
        .collect();
    match (field, paths.is_empty()) {
        (Field::Email, _) => "the address that `[email] prefer` chooses".to_owned(),
        (Field::Locale, _) => "what the language comes from".to_owned(),
        (_, true) => "nowhere".to_owned(),
        (_, false) if steps.is_empty() => paths.join(", "),
        (_, false) => format!("{}; transformed by {}", paths.join(", "), code(&steps.join(", "))),
    }
}

fn section(text: &mut String, rule: &Documentation) {
    let Documentation { section, summary, default_mode, settings, codes } = rule;
    let mode = default_mode.name();
    write!(text, "\n## {section}\n\n{}\n\n", wrapped(summary)).expect("memory");
    text.push_str("| key | values | default | meaning |\n|---|---|---|---|\n");
    row(
        text,
        &["`mode`", "`enforce`, `warn` or `off`", &code(mode), "what is done about what is against the rule"],
    );
    for Setting { key, values, default, meaning } in *settings {
        row(text, &[&code(key), values, default, meaning]);
    }
    for documented in *codes {
        finding(text, documented);
    }
}

fn finding(text: &mut String, documented: &CodeDocumentation) {
    let CodeDocumentation { code, meaning, remedy, example } = documented;
    let policy = policy(example.policy);
    let (event, found) = match example.event {
        Event::User(user) => {
            let user: Value = serde_json::from_str(user).expect("JSON");
            let verdict = policy.judge(user.as_object().expect("a User"));
            let found = verdict.findings.into_iter().find(|finding| finding.code == code.name());
            (format!("```json\n{}\n```", serde_json::to_string_pretty(&user).expect("JSON")), found)
        }
        Event::Write(words, raised) => (wrapped(&format!("{}.", capital(words))), raised(&policy)),
    };
    let found: Finding = found.unwrap_or_else(|| panic!("the example of `{code}` does not yield it"));
    assert_eq!(found.code, code.name());
    let told = match refusal([&found]) {
        Some(error) => json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": error.kind().status().to_string(), "scimType": error.kind().scim_type(),
            "detail": error.detail(),
        }),
        None => {
            assert_ne!(found.severity, Severity::Error);
            serde_json::to_value(&found).expect("JSON")
        }
    };
    let told = serde_json::to_string_pretty(&told).expect("JSON");
    let answer = if found.severity == Severity::Error { "is answered with" } else { "is let through, with" };
    let policy = example.policy;
    let words = wrapped(&format!("{}. What to do: {remedy}.", capital(meaning)));
    write!(text, "\n### {code}\n\n{words}\n\n```toml\n{policy}```\n\n{event}\n\nThis {answer}\n\n```json\n{told}\n```\n")
        .expect("memory");
}

/// The words in lines of at most 120 characters.
fn wrapped(words: &str) -> String {
    let mut text = String::new();
    let mut length = 0;
    for word in words.split_whitespace() {
        let width = word.chars().count() + 1;
        let separator = match length {
            0 => "",
            _ if length + width > 121 => "\n",
            _ => " ",
        };
        length = if separator == "\n" { width } else { length + width };
        text.push_str(separator);
        text.push_str(word);
    }
    text
}

fn policy(text: &str) -> Policy {
    let file = PolicyFile::parse(text);
    let mut builder = Registry::builder().expect("built in");
    for schema in file.undeclared(&Registry::builtin().expect("built in")) {
        let urn = schema.get("id").and_then(Value::as_str).expect("a URN").to_owned();
        builder = builder.schema(&schema).expect("a schema").extend("User", &urn, false).expect("User");
    }
    let registry = builder.build().expect("a registry");
    file.compile(registry.endpoint("Users").expect("built in")).expect("a policy")
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    writeln!(text, "| {} |", cells.join(" | ")).expect("memory");
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().into_iter().flat_map(char::to_uppercase).chain(characters).collect()
}
