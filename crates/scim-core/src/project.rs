//! Projection: which attributes an answer holds (`attributes` and `excludedAttributes`, RFC 7644 §3.9; `returned`,
//! RFC 7643 §7).
//!
//! A [`Projection`] is made once for a request and decides every attribute then, so that applying it is a walk over
//! the resource. Names that do not exist are ignored, since a query may cover several resource types. It refuses to
//! let out what `returned: never` keeps in, whatever the request names.

mod sent;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::path::{AttributePath, Named};
use crate::schema::{Attribute, Membership, ResourceType, Returned, Schema};

/// Most names in one list, far above what any resource type has attributes for.
pub const MAX_NAMES: usize = 500;

/// What to keep of a resource of one type. Cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection(Arc<Decided>);

#[derive(Debug, PartialEq, Eq)]
struct Decided {
    is_default: bool,
    keeps_documents: bool,
    /// Whether the type has something that is returned on request alone.
    withholds: bool,
    attributes: Vec<Kept>,
    extensions: Vec<(Arc<str>, Vec<Kept>)>,
}

/// What to keep of one attribute. Attributes to leave out have none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    attribute: Arc<Attribute>,
    /// The sub-attributes to keep, or `None` for all that there are.
    subs: Option<Vec<Arc<Attribute>>>,
}

impl Projection {
    /// The projection of a request. Both lists hold names as they come: with or without URN, with a sub-attribute, or
    /// the URN of an extension for all of it. Blank names count as not given.
    ///
    /// # Errors
    /// `invalidValue` when both lists are given (RFC 7644 §3.9), or more than [`MAX_NAMES`] names.
    pub fn parse(attributes: &[&str], excluded: &[&str], resource_type: &ResourceType) -> Result<Self> {
        Self::with(attributes, excluded, Names::default(), resource_type)
    }

    /// As [`Self::parse`], for the answer to a request that writes this resource: what is returned on request is in it too
    /// "if the attribute was specified by the client" (RFC 7643 §7).
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_for_write(
        attributes: &[&str],
        excluded: &[&str],
        resource: &Value,
        resource_type: &ResourceType,
    ) -> Result<Self> {
        let sent = sent_of(resource_type, || sent::in_resource(resource, resource_type));
        Self::with(attributes, excluded, sent, resource_type)
    }

    /// As [`Self::parse_for_write`], for the answer to a PatchOp message.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_for_patch(
        attributes: &[&str],
        excluded: &[&str],
        message: &Value,
        resource_type: &ResourceType,
    ) -> Result<Self> {
        let sent = sent_of(resource_type, || sent::in_patch(message, resource_type));
        Self::with(attributes, excluded, sent, resource_type)
    }

    fn with(
        attributes: &[&str],
        excluded: &[&str],
        sent: Names,
        resource_type: &ResourceType,
    ) -> Result<Self> {
        if attributes.len().max(excluded.len()) > MAX_NAMES {
            let explanation = format!("the request names more than {MAX_NAMES} attributes");
            return Err(Error::new(ErrorKind::InvalidValue, explanation).remedy("name fewer"));
        }
        let given = |names: &[&str]| names.iter().any(|name| !name.trim().is_empty());
        let request = match (given(attributes), given(excluded)) {
            (true, true) => {
                let explanation = "`attributes` and `excludedAttributes` exclude each other";
                return Err(Error::new(ErrorKind::InvalidValue, explanation).remedy("send one of them"));
            }
            (true, false) => Request::Only(Names::resolve(attributes, resource_type)),
            (false, true) => Request::Except(Names::resolve(excluded, resource_type)),
            (false, false) if sent.names.is_empty() => return Ok(Self::default_of(resource_type)),
            (false, false) => Request::Default,
        };
        Ok(Self::new(&request, &sent, resource_type))
    }

    /// The projection of a request that names no attributes.
    pub fn default_of(resource_type: &ResourceType) -> Self {
        let decided = || Self::new(&Request::Default, &Names::default(), resource_type);
        resource_type.default_projection.get_or_init(decided).clone()
    }

    fn new(request: &Request, sent: &Names, resource_type: &ResourceType) -> Self {
        let mut keeps_documents = true;
        let mut keep = |attribute: &Arc<Attribute>, schema: Option<&Arc<Schema>>| {
            let kept = request.keep(attribute, schema, sent);
            if schema.is_some() || is_stored(attribute, resource_type) {
                keeps_documents &= keeps_whole(attribute, kept.as_ref());
            }
            kept
        };
        let attributes = resource_type.attributes().filter_map(|attribute| keep(attribute, None)).collect();
        let mut extensions = Vec::with_capacity(resource_type.extensions().len());
        for extension in resource_type.extensions() {
            let schema = extension.schema();
            let kept = schema.attributes().iter().filter_map(|attribute| keep(attribute, Some(schema)));
            extensions.push((Arc::clone(schema.shared_id()), kept.collect()));
        }
        let is_default = matches!(request, Request::Default);
        let withholds = sent::has_any(resource_type);
        Self(Arc::new(Decided { is_default, keeps_documents, withholds, attributes, extensions }))
    }

    /// Whether the request named no attributes.
    pub fn is_default(&self) -> bool {
        self.0.is_default
    }

    /// Whether an answer holds the attribute of the core schema, by its canonical name. It is for what is kept outside
    /// documents: `meta`, `members`, `groups`.
    pub fn includes(&self, attribute_name: &str) -> bool {
        find(&self.0.attributes, attribute_name).is_some()
    }

    /// Whether stored documents pass unchanged, as they do with the default projection of most types and with
    /// `excludedAttributes=members`. What is kept outside documents still has to be asked for with
    /// [`Projection::includes`].
    pub fn keeps_documents(&self) -> bool {
        self.0.keeps_documents
    }

    /// Leaves out of a whole canonical resource what the answer does not hold. `schemas` and `id` always stay; an
    /// object or list that loses all its content goes.
    pub fn apply(&self, resource: &mut Map<String, Value>) {
        resource.retain(|name, value| {
            if let Some(kept) = find(&self.0.attributes, name) {
                return kept.apply(value);
            }
            let Some((_, kept)) = self.0.extensions.iter().find(|(urn, _)| **urn == **name) else {
                return false;
            };
            match value {
                Value::Object(data) => {
                    data.retain(|name, value| find(kept, name).is_some_and(|kept| kept.apply(value)));
                    !data.is_empty()
                }
                _ => false,
            }
        });
    }
}

/// What was sent of what is returned on request. Most types have nothing of that kind, and are not looked for it.
fn sent_of(resource_type: &ResourceType, find: impl FnOnce() -> Names) -> Names {
    match Projection::default_of(resource_type).0.withholds {
        true => find(),
        false => Names::default(),
    }
}

impl Kept {
    /// False when nothing is left of a value that had something.
    fn apply(&self, value: &mut Value) -> bool {
        let Some(subs) = &self.subs else { return true };
        let keep = |element: &mut Value| {
            let Value::Object(members) = element else { return true };
            members.retain(|name, _| subs.iter().any(|sub| sub.name() == name));
            !members.is_empty()
        };
        match value {
            // An empty list says that there are no elements, and still does.
            Value::Array(elements) if elements.is_empty() => true,
            Value::Array(elements) => {
                elements.retain_mut(keep);
                !elements.is_empty()
            }
            _ => keep(value),
        }
    }
}

fn find<'a>(kept: &'a [Kept], name: &str) -> Option<&'a Kept> {
    kept.iter().find(|kept| kept.attribute.name() == name)
}

/// Whether documents hold the attribute of the core schema. What they do not hold, the service adds to answers.
fn is_stored(attribute: &Attribute, resource_type: &ResourceType) -> bool {
    let membership = match resource_type.membership() {
        Some(Membership::Group) => "members",
        Some(Membership::Member) => "groups",
        None => "",
    };
    !["id", "meta", membership].contains(&attribute.name())
}

/// Whether all that a document can hold of the attribute stays.
fn keeps_whole(attribute: &Attribute, kept: Option<&Kept>) -> bool {
    let is_readable = |attribute: &Attribute| attribute.returned() != Returned::Never;
    match kept {
        None => !is_readable(attribute),
        Some(Kept { subs: None, .. }) => true,
        Some(Kept { subs: Some(subs), .. }) => {
            subs.len() == attribute.sub_attributes().iter().filter(|sub| is_readable(sub)).count()
        }
    }
}

enum Request {
    Default,
    Only(Names),
    Except(Names),
}

/// How a request names an attribute.
#[derive(Default)]
struct Mentions {
    /// By its own name.
    whole: bool,
    /// By the name of one of its sub-attributes.
    part: bool,
    /// By the schema that it is in.
    schema: bool,
}

impl Request {
    /// What an answer holds of the attribute, `None` for nothing.
    fn keep(&self, attribute: &Arc<Attribute>, schema: Option<&Arc<Schema>>, sent: &Names) -> Option<Kept> {
        // RFC 7643 §3, §3.1: whatever else a schema says of these two.
        let is_fixed = schema.is_none() && matches!(attribute.name(), "schemas" | "id");
        let returned = if is_fixed { Returned::Always } else { attribute.returned() };
        let named = self.mentions(attribute, schema);
        let was_sent = || {
            let sent = sent.mentions(attribute, schema);
            sent.whole || sent.part
        };
        let stays = match (self, returned) {
            (_, Returned::Never) => false,
            (_, Returned::Always) => true,
            (Self::Default, Returned::Default) => true,
            (Self::Default, Returned::Request) => was_sent(),
            (Self::Except(_), Returned::Request) => !named.whole && !named.schema && was_sent(),
            (Self::Only(_), Returned::Default) => named.whole || named.part || named.schema,
            (Self::Only(_), Returned::Request) => named.whole || named.part,
            (Self::Except(_), Returned::Default) => !named.whole && !named.schema,
        };
        if !stays {
            return None;
        }
        let keeps = |sub: &&Arc<Attribute>| self.keeps_sub(attribute, schema, sub, &named, sent);
        let all = attribute.sub_attributes();
        let subs = if all.iter().all(|sub| keeps(&sub)) {
            None
        } else {
            Some(all.iter().filter(keeps).cloned().collect())
        };
        Some(Kept { attribute: Arc::clone(attribute), subs })
    }

    /// Whether the sub-attribute stays in an attribute that stays.
    fn keeps_sub(
        &self,
        attribute: &Attribute,
        schema: Option<&Arc<Schema>>,
        sub: &Attribute,
        named: &Mentions,
        sent: &Names,
    ) -> bool {
        match (self, sub.returned()) {
            (_, Returned::Never) => false,
            (_, Returned::Always) => true,
            (Self::Default, Returned::Default) => true,
            (Self::Default, Returned::Request) => sent.has_sub(attribute, schema, sub),
            (Self::Except(names), Returned::Request) => {
                !names.has_sub(attribute, schema, sub) && sent.has_sub(attribute, schema, sub)
            }
            (Self::Only(names), Returned::Default) => {
                let only_parts = named.part && !named.whole && !named.schema;
                !only_parts || names.has_sub(attribute, schema, sub)
            }
            (Self::Only(names), Returned::Request) => names.has_sub(attribute, schema, sub),
            (Self::Except(names), Returned::Default) => !names.has_sub(attribute, schema, sub),
        }
    }
}

impl Request {
    fn mentions(&self, attribute: &Attribute, schema: Option<&Arc<Schema>>) -> Mentions {
        match self {
            Self::Only(names) | Self::Except(names) => names.mentions(attribute, schema),
            Self::Default => Mentions::default(),
        }
    }
}

/// The names of a request that exist.
#[derive(Default)]
struct Names {
    names: Vec<Named>,
    /// Whether the URN of the core schema is among them, which stands for what is in it as that of an extension does.
    core: bool,
}

impl Names {
    fn mentions(&self, attribute: &Attribute, schema: Option<&Arc<Schema>>) -> Mentions {
        let mut mentions = Mentions { schema: self.core && schema.is_none(), ..Mentions::default() };
        for name in &self.names {
            match name {
                Named::Attribute(path) if is_in(path, attribute, schema) => match path.sub() {
                    None => mentions.whole = true,
                    Some(_) => mentions.part = true,
                },
                Named::Extension(named) if schema.is_some_and(|schema| schema.id() == named.id()) => {
                    mentions.schema = true;
                }
                Named::Attribute(_) | Named::Extension(_) => {}
            }
        }
        mentions
    }

    fn resolve(names: &[&str], resource_type: &ResourceType) -> Self {
        let core = resource_type.schema().id();
        Self {
            names: names.iter().filter_map(|name| Named::parse(name.trim(), resource_type).ok()).collect(),
            core: names.iter().any(|name| name.trim().eq_ignore_ascii_case(core)),
        }
    }

    fn has_sub(&self, attribute: &Attribute, schema: Option<&Arc<Schema>>, sub: &Attribute) -> bool {
        self.names.iter().any(|name| match name {
            Named::Attribute(path) => {
                is_in(path, attribute, schema) && path.sub().is_some_and(|named| named.name() == sub.name())
            }
            Named::Extension(_) => false,
        })
    }
}

fn is_in(path: &AttributePath, attribute: &Attribute, schema: Option<&Arc<Schema>>) -> bool {
    path.attribute().name() == attribute.name() && path.urn() == schema.map(|schema| schema.id())
}

#[cfg(test)]
mod tests;
