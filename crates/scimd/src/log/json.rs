//! Log lines as JSON: one flat object a line, with the event's fields beside `timestamp`, `level` and `target`.
//!
//! Every request has a line, so it is written straight into the line's buffer, without a tree of values. Spans are not
//! shown; nothing here opens any.

use std::error::Error;
use std::fmt::{self, Write};

use scim_service::environment::Environment;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::environment::System;

/// Formats events.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::with_capacity(USUAL);
        line.push_str("{\"timestamp\":\"");
        write!(line, "{}", System.now())?;
        line.push_str("\",\"level\":\"");
        line.push_str(event.metadata().level().as_str());
        line.push('"');
        event.record(&mut Fields(&mut line));
        line.push_str(",\"target\":");
        text(&mut line, event.metadata().target());
        line.push_str("}\n");
        writer.write_str(&line)
    }
}

/// What a request's line fits in.
const USUAL: usize = 320;

/// Writes members of the object. Writing to a string cannot fail.
struct Fields<'a>(&'a mut String);

impl Fields<'_> {
    /// Begins a member. Field names are identifiers, or `message`, so that nothing in them has to be escaped.
    fn member(&mut self, field: &Field) -> &mut String {
        self.0.push_str(",\"");
        self.0.push_str(field.name());
        self.0.push_str("\":");
        self.0
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        text(self.member(field), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let _ = write!(self.member(field), "{value}");
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        let _ = write!(self.member(field), "{value}");
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        let _ = write!(self.member(field), "{value}");
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let line = self.member(field);
        line.push('"');
        let _ = write!(Escaped(line), "{value:?}");
        line.push('"');
    }
}

fn text(line: &mut String, text: &str) {
    line.push('"');
    let _ = Escaped(line).write_str(text);
    line.push('"');
}

/// Escapes as RFC 8259 §7 asks, and DEL besides.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let must = |byte: u8| byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f);
        let mut rest = text;
        while let Some(at) = rest.bytes().position(must) {
            // What must be escaped is ASCII, so these are boundaries of characters.
            let (plain, tail) = rest.split_at(at);
            self.0.push_str(plain);
            let mut tail = tail.chars();
            match tail.next() {
                Some('"') => self.0.push_str("\\\""),
                Some('\\') => self.0.push_str("\\\\"),
                Some('\n') => self.0.push_str("\\n"),
                Some(other) => write!(self.0, "\\u{:04x}", u32::from(other))?,
                None => {}
            }
            rest = tail.as_str();
        }
        self.0.push_str(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Buffer {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_line_is_one_object_whatever_is_in_it() {
        let buffer = Buffer::default();
        let subscriber = tracing_subscriber::fmt().event_format(Json).with_writer(buffer.clone()).finish();
        let nasty = "a\"b\\c\r\n\u{1b}[31m\u{7f}é\u{2028}";
        tracing::subscriber::with_default(subscriber, || {
            let error = io::Error::other(nasty);
            let source: &dyn Error = &error;
            tracing::warn!(nasty, count = 3_u64, less = -3, fine = true, debug = ?nasty, %error, source, "it is {nasty}");
        });
        let written = String::from_utf8(buffer.0.lock().expect("not poisoned").clone()).expect("UTF-8");
        assert_eq!(written.lines().count(), 1, "{written}");
        assert!(!written.trim_end().contains(|c: char| c.is_ascii_control()), "{written:?}");
        let mut line: Value = serde_json::from_str(&written).expect("JSON");
        let timestamp = line.as_object_mut().and_then(|line| line.remove("timestamp")).expect("a time");
        assert!(
            timestamp.as_str().is_some_and(|time| time.ends_with('Z') && time.len() == 24),
            "{timestamp}"
        );
        let expected = json!({
            "level": "WARN", "target": "scimd::log::json::tests", "message": format!("it is {nasty}"), "nasty": nasty,
            "count": 3, "less": -3, "fine": true, "debug": format!("{nasty:?}"), "error": nasty, "source": nasty,
        });
        assert_eq!(line, expected);
    }
}
