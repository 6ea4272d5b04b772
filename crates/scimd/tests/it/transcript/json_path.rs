//! Paths into JSON: `$`, then `.key`, `['key']`, `[0]`, `[*]`, `[?key=text]`. Keys are compared exactly.

use serde_json::Value;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    Index(usize),
    All,
    /// Elements whose key is this text, or this boolean.
    Where(String, String),
}

impl JsonPath {
    /// Parses a path.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let malformed = || format!("malformed: the path `{path}`");
        let mut rest = path.strip_prefix('$').ok_or_else(malformed)?;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let segment = if let Some(tail) = rest.strip_prefix('.') {
                let word = |c: char| c.is_alphanumeric() || "_$-".contains(c);
                let end = tail.find(|c| !word(c)).unwrap_or(tail.len());
                let (key, tail) = tail.split_at(end);
                rest = tail;
                if key.is_empty() {
                    return Err(malformed());
                }
                Segment::Key(key.to_owned())
            } else if let Some(tail) = rest.strip_prefix("['") {
                let (key, tail) = tail.split_once("']").ok_or_else(malformed)?;
                rest = tail;
                Segment::Key(key.to_owned())
            } else {
                let (inner, tail) =
                    rest.strip_prefix('[').and_then(|tail| tail.split_once(']')).ok_or_else(malformed)?;
                rest = tail;
                match (inner, inner.strip_prefix('?').and_then(|condition| condition.split_once('='))) {
                    ("*", _) => Segment::All,
                    (_, Some((key, text))) => Segment::Where(key.to_owned(), text.to_owned()),
                    (index, None) => Segment::Index(index.parse().map_err(|_| malformed())?),
                }
            };
            segments.push(segment);
        }
        Ok(Self(segments))
    }

    /// Everything that the path reaches.
    pub(crate) fn resolve<'a>(&self, document: &'a Value) -> Vec<&'a Value> {
        let mut nodes = vec![document];
        for segment in &self.0 {
            nodes = nodes.into_iter().flat_map(|node| step(segment, node)).collect();
        }
        nodes
    }
}

fn step<'a>(segment: &Segment, node: &'a Value) -> Vec<&'a Value> {
    let elements = node.as_array().map_or(&[][..], Vec::as_slice);
    match segment {
        Segment::Key(key) => node.get(key.as_str()).into_iter().collect(),
        Segment::Index(index) => elements.get(*index).into_iter().collect(),
        Segment::All => elements.iter().collect(),
        Segment::Where(key, text) => elements.iter().filter(|element| is(element.get(key), text)).collect(),
    }
}

fn is(value: Option<&Value>, text: &str) -> bool {
    match value {
        Some(Value::String(have)) => have == text,
        Some(Value::Bool(have)) => have.to_string() == text,
        _ => false,
    }
}
