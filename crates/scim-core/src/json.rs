//! Reading JSON from outside (RFC 8259), strictly.
//!
//! It refuses what two readers could understand differently or what a database cannot hold: duplicate members, text
//! that is not UTF-8, the character NUL, anything after the value. It refuses to nest deeper than [`MAX_DEPTH`], and
//! does so before it goes deeper, so that neither reading nor dropping a value can exhaust a stack. And it refuses very many
//! values that are very short, since each takes some hundred bytes of memory.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::text::excerpt;

/// Deepest nesting of objects and arrays. SCIM itself needs fewer than ten.
pub const MAX_DEPTH: usize = 64;

/// How many values a text may have, whatever its length.
const VALUES: usize = 100_000;
/// How many bytes each of them has on average where there are more. A member of a group has some fifty for two.
const BYTES_OF_A_VALUE: usize = 16;

/// Reads a JSON value. A byte order mark in front is ignored (RFC 8259 §8.1).
///
/// # Errors
/// `invalidSyntax` with the line and column when the bytes are not strict JSON, `invalidValue` when a text holds NUL,
/// `TooLarge` when there are too many values.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| syntax(format!("the body is not UTF-8 from byte {} on", error.valid_up_to())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Err(syntax("the body is empty").remedy("send a JSON object"));
    }
    let refusal = RefCell::new(None);
    let most = VALUES.max(text.len() / BYTES_OF_A_VALUE);
    let left = Cell::new(most);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Reader { depth: 0, left: &left, refusal: &refusal }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| match refusal.take() {
        Some(Refusal { kind: ErrorKind::TooLarge, explanation }) => {
            Error::new(ErrorKind::TooLarge, format!("{explanation}: more than {most}"))
                .remedy("send it in several requests")
        }
        Some(Refusal { kind, explanation }) => {
            Error::new(kind, format!("{explanation} {}", place(text, &error)))
        }
        None if error.is_eof() => {
            syntax(format!("the body ends in the middle of its JSON, {}", place(text, &error)))
                .remedy("send it whole")
        }
        None => syntax(format!("the body is not JSON: {}", said(text, &error))),
    })
}

/// What an error of `serde_json` in this text says, with its place in characters, as editors count.
pub fn said(text: &str, error: &serde_json::Error) -> String {
    let words = error.to_string();
    let own = format!(" at line {} column {}", error.line(), error.column());
    let words = words.strip_suffix(&own).unwrap_or(&words);
    format!("{words} {}", place(text, error))
}

/// Where the error is, in characters. It counts bytes itself.
fn place(text: &str, error: &serde_json::Error) -> String {
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let column = line.char_indices().take_while(|(byte, _)| *byte < error.column()).count();
    format!("at line {} column {column}", error.line())
}

/// What serde's error type cannot carry.
struct Refusal {
    kind: ErrorKind,
    explanation: String,
}

#[derive(Clone, Copy)]
struct Reader<'r> {
    depth: usize,
    /// How many values there may still be.
    left: &'r Cell<usize>,
    refusal: &'r RefCell<Option<Refusal>>,
}

impl Reader<'_> {
    fn refuse<E: serde::de::Error>(self, kind: ErrorKind, explanation: String) -> E {
        self.refusal.replace(Some(Refusal { kind, explanation }));
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            let explanation = format!("the body nests deeper than {MAX_DEPTH} levels");
            return Err(self.refuse(ErrorKind::InvalidSyntax, explanation));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn text<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            let explanation = "a text holds the character NUL (`\\u0000`)".to_owned();
            return Err(self.refuse(ErrorKind::InvalidValue, explanation));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Some(left) = self.left.get().checked_sub(1) else {
            let explanation = "the body has too many values for its length".to_owned();
            return Err(self.refuse(ErrorKind::TooLarge, explanation));
        };
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.text(value)?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element_seed(inner)? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            self.text(&key)?;
            if object.contains_key(&key) {
                let explanation = format!("the member `{}` occurs twice in one object", excerpt(&key));
                return Err(self.refuse(ErrorKind::InvalidSyntax, explanation));
            }
            object.insert(key, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

fn syntax(explanation: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSyntax, explanation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn check(text: impl AsRef<[u8]>, expected: &str) {
        let error = parse(text.as_ref()).expect_err(expected);
        assert_eq!(error.detail(), expected);
        let kind = if expected.contains("NUL") { ErrorKind::InvalidValue } else { ErrorKind::InvalidSyntax };
        assert_eq!(error.kind(), kind);
    }

    /// What a text takes in memory has a bound that goes by its length.
    #[test]
    fn many_short_values_are_too_many() {
        let list = |value: &str, count: usize| format!("[{}]", vec![value; count].join(","));
        assert!(parse(list("1", VALUES - 1).as_bytes()).is_ok());
        for (value, count, most) in
            [("1", VALUES, VALUES), ("{\"\":0}", VALUES / 2, VALUES), ("[0]", 1_000_000, 250_000)]
        {
            let error = parse(list(value, count).as_bytes()).expect_err(value);
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            let words = format!(
                "the body has too many values for its length: more than {most}; send it in several requests"
            );
            assert_eq!(error.to_string(), words);
        }
        let member = r#"{"value":"01a21508-319e-78af-adff-cd823c945d29"}"#;
        assert!(parse(list(member, 200_000).as_bytes()).is_ok(), "a large group");
    }

    #[test]
    fn refusals_say_what_and_where() {
        check("", "the body is empty; send a JSON object");
        check(" \r\n", "the body is empty; send a JSON object");
        check("\u{feff}", "the body is empty; send a JSON object");
        check("{\n \"a\": }", "the body is not JSON: expected value at line 2 column 7");
        check("{} x", "the body is not JSON: trailing characters at line 1 column 4");
        check("[1", "the body ends in the middle of its JSON, at line 1 column 2; send it whole");
        check("1e999", "the body is not JSON: number out of range at line 1 column 5");
        check([b'"', 0xff, b'"'], "the body is not UTF-8 from byte 1 on");
        check(
            r#"{"a":1,"b":{"c":1,"c":2}}"#,
            "the member `c` occurs twice in one object at line 1 column 21",
        );
        check(r#"{"a":1,"\u0061":2}"#, "the member `a` occurs twice in one object at line 1 column 15");
        check(r#"["x\u0000"]"#, "a text holds the character NUL (`\\u0000`) at line 1 column 10");
        check(r#"{"x\u0000":1}"#, "a text holds the character NUL (`\\u0000`) at line 1 column 10");
        check(r#""\ud800""#, "the body is not JSON: unexpected end of hex escape at line 1 column 8");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        // Columns are counted in characters.
        check(r#"["日本😀", x]"#, "the body is not JSON: expected value at line 1 column 9");
        check("[\n\"é\" é]", "the body is not JSON: expected `,` or `]` at line 2 column 5");
        check("[\"日本", "the body ends in the middle of its JSON, at line 1 column 4; send it whole");
        check(r#"{"é":1,"é":2}"#, "the member `é` occurs twice in one object at line 1 column 10");
        check(nested(MAX_DEPTH + 1), "the body nests deeper than 64 levels at line 1 column 66");
    }

    #[test]
    fn a_small_stack_is_enough() {
        let small = std::thread::Builder::new().stack_size(256 * 1024);
        let run = small.spawn(|| {
            assert!(parse("[".repeat(100_000).as_bytes()).is_err());
            assert!(parse("{\"a\":".repeat(100_000).as_bytes()).is_err());
            let deepest = format!("{}1{}", "{\"a\":".repeat(MAX_DEPTH), "}".repeat(MAX_DEPTH));
            drop(parse(deepest.as_bytes()).expect("as deep as may be"));
        });
        run.expect("a thread").join().expect("no overflow");
    }

    #[test]
    fn values_arrive_as_sent() {
        let text = "\u{feff} {\"z\":[null,true,-1,18446744073709551615,1.5,\"é\\n\"],\"__proto__\":{}} \n";
        let expected = json!({"z": [null, true, -1, u64::MAX, 1.5, "é\n"], "__proto__": {}});
        assert_eq!(parse(text.as_bytes()).expect("JSON"), expected);
    }

    proptest! {
        #[test]
        fn what_it_reads_serde_json_reads_too(text in r#"[\[\]{}:,"a1\\ \-.e\n]{0,24}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(value, serde_json::from_str::<Value>(&text).expect("JSON"));
            }
        }
    }
}
