//! Answers that show resources, assembled from stored bytes wherever nothing has to be left out.

use scim_core::Result;
use scim_core::project::Projection;
use scim_core::schema::{Membership, Registry, ResourceType};
use scim_store::{Edge, Record};
use serde_json::{Map, Value};

use crate::etag;

/// A resource with the memberships that belong to it, ready to be written.
pub(crate) struct Answer<'a> {
    record: &'a Record,
    resource_type: &'a ResourceType,
    /// The members of a group, or the groups of a member. Empty where the projection does not want them.
    edges: &'a [Edge],
    base: &'a str,
    /// Where the endpoints of members are found.
    registry: &'a Registry,
    location: String,
    etag: String,
}

impl<'a> Answer<'a> {
    /// An answer that shows a record with these memberships below a base URL.
    pub(crate) fn new(
        record: &'a Record,
        resource_type: &'a ResourceType,
        edges: &'a [Edge],
        base: &'a str,
        registry: &'a Registry,
    ) -> Self {
        let location = location(base, resource_type.endpoint(), &record.id);
        Self { record, resource_type, edges, base, registry, location, etag: etag::tag(record, edges) }
    }

    /// The resource's URI.
    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    /// The entity tag.
    pub(crate) fn etag(&self) -> &str {
        &self.etag
    }

    /// Writes the resource as JSON.
    pub(crate) fn write(&self, projection: &Projection, out: &mut Vec<u8>) -> Result<()> {
        if projection.is_default() && projection.keeps_documents() {
            self.assemble(out);
            return Ok(());
        }
        let mut map = self.record.document()?;
        if let Some(Value::Object(meta)) = map.get_mut("meta") {
            meta.insert("location".to_owned(), self.location.as_str().into());
            meta.insert("version".to_owned(), self.etag.as_str().into());
        }
        if let Some((name, list)) = self.memberships(projection) {
            map.insert(name.to_owned(), list);
        }
        projection.apply(&mut map);
        if serde_json::to_writer(&mut *out, &map).is_err() {
            return Err(scim_core::Error::new(
                scim_core::ErrorKind::Internal,
                "the resource could not be written",
            ));
        }
        Ok(())
    }

    fn memberships(&self, projection: &Projection) -> Option<(&'static str, Value)> {
        let (name, element): (_, Element<'a>) = match self.resource_type.membership()? {
            Membership::Group => ("members", Self::member),
            Membership::Member if self.edges.is_empty() => return None,
            Membership::Member => ("groups", Self::group),
        };
        let list = self.edges.iter().map(|edge| {
            let mut map = Map::new();
            element(self, edge, &mut |name, text| drop(map.insert(name.to_owned(), text.into())));
            Value::Object(map)
        });
        projection.includes(name).then(|| (name, Value::Array(list.collect())))
    }

    /// The fast way: stored bytes, with `id` after `schemas` and the rest at the end.
    fn assemble(&self, out: &mut Vec<u8>) {
        let body = &self.record.body[..];
        let split = body.iter().position(|byte| *byte == b']').map_or(0, |index| index + 1);
        let (schemas, rest) = body.split_at(split);
        let rest = rest.strip_suffix(b"}").unwrap_or(rest);
        out.reserve(body.len() + 320 + self.edges.len() * 192);
        out.extend_from_slice(schemas);
        out.extend_from_slice(b",\"id\":");
        write_text(out, &self.record.id);
        out.extend_from_slice(rest);
        match self.resource_type.membership() {
            Some(Membership::Group) => self.write_edges(out, "members", Self::member),
            Some(Membership::Member) if !self.edges.is_empty() => {
                self.write_edges(out, "groups", Self::group)
            }
            Some(Membership::Member) | None => {}
        }
        out.extend_from_slice(b",\"meta\":{\"resourceType\":");
        write_text(out, self.resource_type.name());
        out.extend_from_slice(b",\"created\":\"");
        out.extend_from_slice(self.record.created.to_string().as_bytes());
        out.extend_from_slice(b"\",\"lastModified\":\"");
        out.extend_from_slice(self.record.modified.to_string().as_bytes());
        out.extend_from_slice(b"\",\"location\":");
        write_text(out, &self.location);
        out.extend_from_slice(b",\"version\":");
        write_text(out, &self.etag);
        out.extend_from_slice(b"}}");
    }

    fn write_edges(&self, out: &mut Vec<u8>, name: &str, element: Element<'a>) {
        out.push(b',');
        write_text(out, name);
        out.extend_from_slice(b":[");
        for (index, edge) in self.edges.iter().enumerate() {
            let mut open: &[u8] = if index > 0 { b",{" } else { b"{" };
            element(self, edge, &mut |name, text| {
                out.extend_from_slice(open);
                write_text(out, name);
                out.push(b':');
                write_text(out, text);
                open = b",";
            });
            out.push(b'}');
        }
        out.push(b']');
    }

    /// A member of a group, sub-attribute by sub-attribute.
    fn member(&self, edge: &Edge, sub_attribute: &mut dyn FnMut(&'static str, &str)) {
        sub_attribute("value", &edge.id);
        if let Some(location) = member_location(self.registry, self.base, edge) {
            sub_attribute("$ref", &location);
        }
        sub_attribute("type", &edge.resource_type);
        if !edge.label.is_empty() {
            sub_attribute("display", &edge.label);
        }
    }

    /// A group of a member, sub-attribute by sub-attribute.
    fn group(&self, edge: &Edge, sub_attribute: &mut dyn FnMut(&'static str, &str)) {
        sub_attribute("value", &edge.id);
        sub_attribute("$ref", &location(self.base, "/Groups", &edge.id));
        if !edge.label.is_empty() {
            sub_attribute("display", &edge.label);
        }
        sub_attribute("type", "direct");
    }
}

/// Tells of an element's sub-attributes in their order.
type Element<'a> = fn(&Answer<'a>, &Edge, &mut dyn FnMut(&'static str, &str));

/// The URI of a member, if its type is still served.
pub(crate) fn member_location(registry: &Registry, base: &str, member: &Edge) -> Option<String> {
    let resource_type = registry.resource_type(&member.resource_type)?;
    Some(location(base, resource_type.endpoint(), &member.id))
}

/// The URI of a resource.
pub(crate) fn location(base: &str, endpoint: &str, id: &str) -> String {
    [base, endpoint, "/", id].concat()
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    let must = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // All bytes are looked at, several at once, which costs less than to stop at the first.
    if text.bytes().fold(false, |any, byte| any | must(byte)) {
        // Writing into memory cannot fail.
        let _ = serde_json::to_writer(&mut *out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}
