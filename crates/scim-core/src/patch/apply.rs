//! Operations applied to a document, one after the other.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::decode::extension_operations;
use super::elements::Elements;
use super::write::{
    Written, blank, check_attribute, check_kept, check_one, each, forget, is_hidden, put, required,
};
use super::{Hidden, Operation, Patch, Patched, Target, Verb};
use crate::decode;
use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::path::AttributePath;
use crate::schema::{Attribute, ResourceType, Schema};

impl Patch {
    /// Applies every operation, or none: the document itself stays as it is.
    ///
    /// # Errors
    /// Those of [`Operation::apply`], and those of [`decode::complete`] for what the operations leave behind.
    pub fn apply(&self, document: &Document, resource_type: &ResourceType) -> Result<Patched> {
        let mut document = document.clone();
        let mut hidden = Vec::new();
        for operation in &self.operations {
            hidden.extend(operation.apply(&mut document, resource_type)?);
        }
        decode::complete(&mut document, resource_type)?;
        Ok(Patched { document, hidden })
    }
}

impl Operation {
    /// Applies this one operation, and returns what it wrote to attributes with `returned: never`. The document is as
    /// before if it fails. After the last operation comes [`decode::complete`].
    ///
    /// # Errors
    /// `noTarget`, `mutability`, `invalidValue` or `invalidSyntax`, with the number of the operation.
    pub fn apply(&self, document: &mut Document, resource_type: &ResourceType) -> Result<Vec<Hidden>> {
        let mut hidden = Vec::new();
        self.step(document, resource_type, &mut hidden)
            .map_err(|error| error.context(format_args!("operation {}", self.index + 1)))?;
        Ok(hidden)
    }

    /// Whether the operation has a value path that no element matches.
    pub fn selects_nothing(&self, document: &Document) -> bool {
        match &self.target {
            Target::Elements { path, filter, .. } => !each(path.attribute_value(document.as_map()))
                .iter()
                .any(|element| filter.matches_element(element)),
            Target::Attribute(_) | Target::Extension(_) => false,
        }
    }

    fn step(
        &self,
        document: &mut Document,
        resource_type: &ResourceType,
        hidden: &mut Vec<Hidden>,
    ) -> Result<()> {
        let parent;
        let (path, sub) = match &self.target {
            Target::Extension(schema) => return self.extension(schema, document, resource_type, hidden),
            Target::Attribute(path) if is_hidden(path) => return self.hide(path, hidden),
            Target::Attribute(path) => {
                parent = path.parent();
                (&parent, path.sub())
            }
            Target::Elements { path, sub, .. } => (path, sub.as_ref()),
        };
        let old = path.attribute_value(document.as_map());
        let elements = Elements { verb: self.verb, path, sub, value: self.raw(), target: &self.target };
        let mut new = match (&self.target, sub) {
            (Target::Elements { filter, .. }, _) => {
                elements.change(each(old), |element| filter.matches_element(element), hidden)?
            }
            (_, Some(_)) if path.attribute().is_multi_valued() => {
                elements.change(each(old), |_| true, hidden)?
            }
            (_, Some(sub)) => self.part(path, sub, old, hidden)?,
            (_, None) => self.whole(path, old, hidden)?,
        };
        if let Some(Value::Array(elements)) = &mut new {
            decode::once_each(elements);
        }
        check_attribute(path, old, new.as_ref())?;
        replace(document.map_mut(), path, new);
        Ok(())
    }

    /// The value of an attribute after the operation on all of it.
    fn whole(
        &self,
        path: &AttributePath,
        old: Option<&Value>,
        hidden: &mut Vec<Hidden>,
    ) -> Result<Option<Value>> {
        if self.verb == Verb::Remove {
            forget(path, hidden);
            return Ok(None);
        }
        Ok(Written::whole(self.verb, path, self.raw(), hidden)?.over(path.attribute(), old))
    }

    /// The one value of a complex attribute after the operation on a sub-attribute.
    fn part(
        &self,
        path: &AttributePath,
        sub: &Arc<Attribute>,
        old: Option<&Value>,
        hidden: &mut Vec<Hidden>,
    ) -> Result<Option<Value>> {
        let before = old.and_then(Value::as_object).cloned().unwrap_or_default();
        let mut after = before.clone();
        let value = match self.verb {
            Verb::Remove => None,
            Verb::Add | Verb::Replace => {
                let path = path.with_sub(Arc::clone(sub));
                Written::whole(self.verb, &path, self.raw(), hidden)?.over(sub, before.get(sub.name()))
            }
        };
        put(&mut after, sub.name(), value);
        check_one(path, &before, &after)?;
        Ok(if after.is_empty() { None } else { Some(Value::Object(after)) })
    }

    /// A write to an attribute that is in no document, so that there is nothing to merge with or to compare.
    fn hide(&self, path: &AttributePath, hidden: &mut Vec<Hidden>) -> Result<()> {
        match self.verb {
            Verb::Add | Verb::Replace => drop(Written::whole(self.verb, path, self.raw(), hidden)?),
            Verb::Remove => hidden.push((path.clone(), None)),
        }
        match hidden.last() {
            Some((_, None)) if path.leaf().is_required() => Err(required(path)),
            Some((_, Some(value))) if path.leaf().is_required() && decode::is_blank(value) => {
                Err(blank(path))
            }
            _ => Ok(()),
        }
    }

    fn extension(
        &self,
        schema: &Arc<Schema>,
        document: &mut Document,
        resource_type: &ResourceType,
        hidden: &mut Vec<Hidden>,
    ) -> Result<()> {
        if self.verb == Verb::Remove {
            return remove_extension(schema, document, resource_type, hidden);
        }
        let mut operations = Vec::new();
        extension_operations(self.index, self.verb, schema, self.raw(), resource_type, &mut operations)?;
        let mut changed = document.clone();
        for operation in &operations {
            operation.step(&mut changed, resource_type, hidden)?;
        }
        *document = changed;
        Ok(())
    }

    fn raw(&self) -> &Value {
        self.value.as_ref().unwrap_or(&Value::Null)
    }
}

fn remove_extension(
    schema: &Arc<Schema>,
    document: &mut Document,
    resource_type: &ResourceType,
    hidden: &mut Vec<Hidden>,
) -> Result<()> {
    let urn = schema.id();
    if resource_type.extension(urn).is_some_and(|extension| extension.is_required()) {
        let explanation = format!("the extension `{urn}` is required and cannot be removed");
        let error = Error::new(ErrorKind::Mutability, explanation);
        return Err(error.remedy("replace its attributes instead").at(urn));
    }
    for attribute in schema.attributes() {
        let path = AttributePath::new(Some(Arc::clone(schema.shared_id())), Arc::clone(attribute), None);
        check_kept(&path, path.attribute_value(document.as_map()), None)?;
        forget(&path, hidden);
    }
    document.map_mut().shift_remove(urn);
    Ok(())
}

/// Puts the value of an attribute where it belongs. An extension without values goes.
fn replace(map: &mut Map<String, Value>, path: &AttributePath, new: Option<Value>) {
    let name = path.attribute().name();
    let Some(urn) = path.urn() else { return put(map, name, new) };
    let mut data = match map.get_mut(urn) {
        Some(Value::Object(data)) => std::mem::take(data),
        _ => Map::new(),
    };
    put(&mut data, name, new);
    put(map, urn, if data.is_empty() { None } else { Some(Value::Object(data)) });
}
