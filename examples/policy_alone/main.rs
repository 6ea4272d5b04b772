//! A customer's rules without server and store: which person comes of a User, and why it is refused.
//!
//! usage: `policy_alone`
//!
//! `customer.toml` is the policy. Two Users are judged; of each, every field is printed with where it came from, then
//! what the identity provider would be answered.

use std::error::Error;

use scim_core::decode;
use scim_core::schema::{ENTERPRISE_USER, Registry, USER};
use scim_policy::{Policy, PolicyFile};
use serde_json::{Value, json};

const ACME: &str = "urn:example:params:scim:schemas:extension:acme:2.0:User";

/// The schemas of the RFCs and those that the policy accepts undeclared, and the policy over them.
fn load(text: &str) -> Result<(Registry, Policy), Box<dyn Error>> {
    let file = PolicyFile::parse(text);
    let mut builder = Registry::builder()?;
    for schema in file.undeclared(&Registry::builtin()?) {
        let urn = schema.get("id").and_then(Value::as_str).ok_or("a schema without a URN")?.to_owned();
        builder = builder.schema(&schema)?.extend("User", &urn, false)?;
    }
    let registry = builder.build()?;
    let users = registry.endpoint("Users").ok_or("no Users")?;
    let policy = file.compile(users).map_err(|errors| errors.in_file("customer.toml"))?;
    Ok((registry, policy))
}

/// Two Users as an identity provider sends them.
fn users() -> [Value; 2] {
    [
        json!({
            "schemas": [USER, ENTERPRISE_USER, ACME], "userName": "ada", "active": true,
            "name": { "givenName": "Ada", "familyName": "Lovelace", "honorificPrefix": "Frau Dr." },
            "emails": [{ "type": "work", "value": "Ada@EXAMPLE.com" }],
            "preferredLanguage": "fr-FR, en;q=0.8",
            (ENTERPRISE_USER): { "department": "Research", "costCenter": "4711" },
            (ACME): { "gender": "W" },
        }),
        json!({
            "schemas": [USER, ENTERPRISE_USER, ACME], "userName": "grace@example.org", "active": true,
            "name": { "givenName": "Grace" },
            (ENTERPRISE_USER): { "department": "Navy" },
            (ACME): { "gender": "frau" },
        }),
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let (registry, policy) = load(include_str!("customer.toml"))?;
    let schema = registry.endpoint("Users").ok_or("no Users")?;
    for user in users() {
        // A policy judges canonical documents: names in the spelling of the schema, nothing null or empty.
        let document = decode::resource(&user, schema)?.document;
        let explanation = policy.explain(document.as_map());
        for field in &explanation.fields {
            let value = field.value.as_deref().unwrap_or("-");
            let path = field.path.as_deref().unwrap_or("");
            println!("{:<16} {value:<20} {path}", field.field);
        }
        for finding in &explanation.verdict.findings {
            println!("{}: {finding}", finding.severity.name());
        }
        match explanation.verdict.refusal() {
            Some(error) => println!("=> {}", error.kind().status()),
            None => println!("=> accepted"),
        }
        println!();
    }
    Ok(())
}
