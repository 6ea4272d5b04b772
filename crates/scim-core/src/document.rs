//! The canonical form of a resource, as it is stored.
//!
//! A [`Document`] holds what the client gave and nothing that the server derives: no `id`, no `meta`, no memberships
//! once the service has taken them out, and never an attribute that nobody may read back. Names are in their
//! canonical spelling, extension data is under the extension's URN, nothing is null or empty, and `schemas` comes
//! first. Only decoding and PATCH make documents; it refuses to be built from arbitrary JSON.

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};

/// A canonical resource without its server-derived attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Document(Map<String, Value>);

impl Document {
    /// Reads what [`Document::to_json`] wrote.
    ///
    /// # Errors
    /// `Internal` when the bytes are something else: the store has lost or altered them.
    pub fn from_stored(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::new(ErrorKind::Internal, "a stored resource cannot be read");
        let map: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| corrupt().caused_by(error))?;
        match map.iter().next() {
            Some((name, Value::Array(_))) if name == "schemas" => Ok(Self(map)),
            _ => Err(corrupt().caused_by("a stored resource does not start with `schemas`")),
        }
    }

    /// A document that is yet to be completed by [`crate::decode::complete`].
    pub(crate) fn new(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// The members, `schemas` first.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The members, to change. Whoever does so calls [`crate::decode::complete`] afterwards.
    pub(crate) fn map_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// The members, owned.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// The bytes to store, which are also what an answer starts with.
    pub fn to_json(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "keys are strings and a Vec takes every write")]
        serde_json::to_vec(&self.0).expect("JSON can be written to memory")
    }

    /// Takes an attribute of the core schema out, such as `members`, which is kept elsewhere. The name is in its
    /// canonical spelling.
    pub fn take(&mut self, attribute_name: &str) -> Option<Value> {
        self.0.shift_remove(attribute_name)
    }

    /// Gives an attribute of the core schema this value, if the document says nothing of it.
    pub fn fill(&mut self, attribute_name: &str, value: impl Into<Value>) {
        if !self.0.contains_key(attribute_name) {
            self.0.insert(attribute_name.to_owned(), value.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_bytes_come_back_as_they_were() {
        let text = r#"{"schemas":["urn:x:Y"],"b":1.50,"a":[{"z":true,"y":"é"}]}"#;
        let mut document = Document::from_stored(text.as_bytes()).expect("a document");
        assert_eq!(document.to_json(), text.replace("1.50", "1.5").as_bytes());
        assert_eq!(document.take("b"), Some(Value::from(1.5)));
        assert_eq!(document.take("B"), None);
        assert_eq!(document.as_map().keys().collect::<Vec<_>>(), ["schemas", "a"]);
    }

    /// Found by fuzzing: without serde_json's `float_roundtrip` a decimal drifts each time it is stored and read.
    #[test]
    fn decimals_do_not_drift() {
        for number in ["9.223372006478448e17", "0.1", "-2.2250738585072014e-308", "5e-324"] {
            let text = format!(r#"{{"schemas":[],"a":{number}}}"#);
            let document = Document::from_stored(text.as_bytes()).expect(number);
            assert_eq!(document.as_map()["a"].as_f64(), number.parse().ok(), "{number}");
            assert_eq!(Document::from_stored(&document.to_json()).expect(number), document);
        }
    }

    #[test]
    fn corruption_is_a_fault_of_the_server() {
        for text in ["", "[]", "{}", "{\"schemas\":1}", "{\"a\":1,\"schemas\":[]}", "{\"schemas\":["] {
            let error = Document::from_stored(text.as_bytes()).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Internal);
            assert_eq!(error.detail(), "a stored resource cannot be read");
        }
    }
}
