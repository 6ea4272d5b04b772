//! A tenant's own extension replaced or removed. What is stored is never changed for it, so that it is done only where all
//! that is stored stays what it is: a value under a schema that does not know it could be neither found nor removed, and
//! one that another has declared otherwise would be shown as what it is not.

use scim_core::document::Document;
use scim_core::schema::ResourceType;
use scim_core::{Error, ErrorKind, Result, decode};
use serde_json::{Map, Value};

use super::change::with;
use super::{Changed, NewRules, user};
use crate::Service;
use crate::caller::in_use;

impl Service {
    /// Puts another document in the place of the tenant's extension with this URN, or removes it, and derives anew what is
    /// kept of its Users. Nobody may write meanwhile: the connection has to be paused, or removed.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant or extension; `Conflict` when the connection is in use, or Users have values
    /// that would not stay what they are; and as [`Service::change_rules`].
    pub async fn change_extension(
        &self,
        tenant: &str,
        urn: &str,
        document: Option<Value>,
        actor: &str,
    ) -> Result<Changed> {
        let entry = self.directory().find(tenant).await?;
        let is_it = |known: &Value| known.get("id").and_then(Value::as_str) == Some(urn);
        let Some(at) = entry.schemas.iter().position(is_it) else {
            let words = format!("tenant `{tenant}` has no extension `{}`", urn.escape_debug());
            let remedy = format!("see `scimd schema list {tenant}`, or declare one with `scimd schema add`");
            return Err(Error::new(ErrorKind::NotFound, words).remedy(remedy));
        };
        if in_use(&entry).is_ok() {
            let words =
                format!("the connection of tenant `{tenant}` is in use, and may bring values meanwhile");
            let remedy = format!("`scimd connection pause {tenant}`, and resume it afterwards");
            return Err(Error::new(ErrorKind::Conflict, words).remedy(remedy));
        }
        let mut schemas = entry.schemas.clone();
        let before = schemas.remove(at);
        if let Some(document) = &document {
            schemas.insert(at, document.clone());
        }
        let difference = Difference::between(&before, document.as_ref());
        if difference.of_hidden {
            let words = format!(
                "`{urn}` has attributes that are never returned, and whether Users have values is not known"
            );
            return Err(Error::new(ErrorKind::Conflict, words).remedy("declare these as they are"));
        }
        let rules = NewRules { policy: None, schemas: Some(schemas), instead_of: Some(entry.epoch) };
        let (old, new) = (self.rules_of(&entry)?, self.rules_of(&with(&entry, &rules))?);
        let resource_type = user(&new.registry)?;
        let mut against: Option<(usize, String, String)> = None;
        self.each_user(&entry, &old, |record, user| {
            if let Err(why) = difference.check(user, urn, document.is_some().then_some(resource_type)) {
                against.get_or_insert((0, record.id.clone(), why)).0 += 1;
            }
            Ok(())
        })
        .await?;
        if let Some((count, id, why)) = against {
            let words = format!(
                "{count} Users have values of `{urn}` that would not stay what they are, the first `{id}`: {why}"
            );
            let remedy =
                "let the identity provider take these values away first, or declare another extension";
            return Err(Error::new(ErrorKind::Conflict, words).remedy(remedy));
        }
        self.change_rules(tenant, &rules, actor).await
    }
}

/// What another document changes that values alone do not tell.
struct Difference {
    /// Whether attributes that are never returned differ.
    of_hidden: bool,
    /// The attributes that become unique.
    unique: Vec<String>,
}

impl Difference {
    fn between(before: &Value, after: Option<&Value>) -> Self {
        let hidden = |document| {
            let attributes: Vec<&Value> = attributes(document);
            attributes.into_iter().filter(|one| has(one, "returned", "never")).collect::<Vec<_>>()
        };
        let is_unique = |one: &Value| has(one, "uniqueness", "server") || has(one, "uniqueness", "global");
        let unique = |document| {
            let unique = attributes(document).into_iter().filter(|one| is_unique(one));
            unique.filter_map(|one| one.get("name")?.as_str()).map(str::to_owned).collect::<Vec<_>>()
        };
        let known = unique(Some(before));
        let unique = unique(after).into_iter().filter(|name| !known.contains(name)).collect();
        Self { of_hidden: hidden(Some(before)) != hidden(after), unique }
    }

    /// Whether what a User has of the extension is the same under the new type, if the extension is there at all.
    fn check(
        &self,
        document: &Document,
        urn: &str,
        new: Option<&ResourceType>,
    ) -> std::result::Result<(), String> {
        let Some(values) = document.as_map().get(urn) else { return Ok(()) };
        let Some(new) = new else { return Err("they would be neither found nor removed".to_owned()) };
        if let Some(name) = self.unique.iter().find(|name| values.get(name.as_str()).is_some()) {
            return Err(format!("`{name}` cannot become unique while there are values"));
        }
        // With what every User needs, and nothing else that could be wrong.
        let kept = ["userName", urn]
            .into_iter()
            .filter_map(|name| document.as_map().get(name).map(|value| (name.to_owned(), value.clone())));
        let mut body: Map<String, Value> = kept.collect();
        body.insert("schemas".to_owned(), Value::from(vec![new.schema().id(), urn]));
        let decoded = decode::resource(&Value::Object(body), new).map_err(|error| error.detail())?;
        match decoded.document.as_map().get(urn) == Some(values) {
            true => Ok(()),
            false => Err("it would be read as something else".to_owned()),
        }
    }
}

/// The attributes of a schema document, with those inside of them.
fn attributes(document: Option<&Value>) -> Vec<&Value> {
    let top = document.into_iter().flat_map(|document| list(document, "attributes"));
    top.flat_map(|one| std::iter::once(one).chain(list(one, "subAttributes"))).collect()
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn has(attribute: &Value, name: &str, value: &str) -> bool {
    attribute.get(name).and_then(Value::as_str) == Some(value)
}
