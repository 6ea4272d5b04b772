//! Lists on the standard output: columns for people, JSON or CSV for programs. A cell is a JSON value, so that JSON has
//! numbers and lists as what they are; the others have them in words.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use crate::cli::Format;

/// The cells of one line, one for each name.
pub(crate) type Cells = Vec<Value>;

/// The cell of a text, where an empty one is nothing.
pub(crate) fn text(text: &str) -> Value {
    Some(text).filter(|text| !text.is_empty()).into()
}

/// Writes rows of cells, where `null` is nothing. Whole tenants are listed, so that of the formats for programs no more than a
/// row is held. Where a row cannot be read, the list ends in its middle: nobody may take it for whole.
pub(crate) fn write(
    output: &mut impl Write,
    format: Format,
    names: &[&str],
    rows: impl IntoIterator<Item = io::Result<impl AsRef<[Value]>>>,
) -> io::Result<()> {
    match format {
        Format::Table => output.write_all(columns(names, rows)?.as_bytes()),
        Format::Json => json(output, names, rows),
        Format::Csv => csv(output, names, rows),
    }
}

fn columns(
    names: &[&str],
    rows: impl IntoIterator<Item = io::Result<impl AsRef<[Value]>>>,
) -> io::Result<String> {
    let head = names.iter().map(|name| name.to_uppercase().replace('_', " ")).collect();
    let line =
        |cells: &[Value]| cells.iter().map(|cell| brief(&in_words(cell).unwrap_or("-".into()))).collect();
    let rows = rows.into_iter().map(|cells| cells.map(|cells| line(cells.as_ref())));
    let lines = std::iter::once(Ok(head)).chain(rows).collect::<io::Result<Vec<Vec<String>>>>()?;
    let mut widths = vec![0; names.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.width().max(*width);
        }
    }
    let mut text = String::new();
    for line in &lines {
        // Formatting would fill up by the number of characters.
        let filled = |(cell, width): (&String, &usize)| cell.to_owned() + &" ".repeat(width - cell.width());
        let cells: Vec<String> = line.iter().zip(&widths).map(filled).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    Ok(text)
}

fn json(
    output: &mut impl Write,
    names: &[&str],
    rows: impl IntoIterator<Item = io::Result<impl AsRef<[Value]>>>,
) -> io::Result<()> {
    let mut before = "[\n  ";
    for row in rows {
        let row = row?;
        let members = names.iter().zip(row.as_ref()).map(|(name, cell)| ((*name).to_owned(), cell.clone()));
        let object = Value::Object(members.collect::<Map<_, _>>());
        // No text has a line break of its own in JSON.
        let lines = shown_json(&format!("{object:#}")).replace('\n', "\n  ");
        write!(output, "{before}{lines}")?;
        before = ",\n  ";
    }
    output.write_all(if before.starts_with('[') { b"[]\n" } else { b"\n]\n" })
}

/// RFC 4180. Spreadsheets open it, so a cell that they would take for a formula is marked as text ([`marked`]).
fn csv(
    output: &mut impl Write,
    names: &[&str],
    rows: impl IntoIterator<Item = io::Result<impl AsRef<[Value]>>>,
) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(output);
    writer.write_record(names).map_err(plain)?;
    for row in rows {
        for cell in row?.as_ref() {
            let words = in_words(cell).unwrap_or_default();
            writer.write_field(marked(&words).as_bytes()).map_err(plain)?;
        }
        writer.write_record(None::<&[u8]>).map_err(plain)?;
    }
    writer.flush()
}

/// The failure as the output told it: a conversion would hide that its reader has gone.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

/// What a cell says, if it says anything: of a list its elements, of an object `name=value` of each member.
pub(crate) fn in_words(cell: &Value) -> Option<Cow<'_, str>> {
    let words = match cell {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Bool(_) | Value::Number(_) => Cow::Owned(cell.to_string()),
        // Each keeps its place, since a list beside may be about the same.
        Value::Array(elements) if elements.iter().all(Value::is_null) => Cow::Borrowed(""),
        Value::Array(elements) => {
            let element = |element| in_words(element).unwrap_or("(none)".into());
            Cow::Owned(elements.iter().map(element).collect::<Vec<_>>().join("; "))
        }
        Value::Object(members) => {
            let member = |(name, value)| format!("{name}={}", in_words(value).unwrap_or_default());
            Cow::Owned(members.iter().map(member).collect::<Vec<_>>().join("; "))
        }
    };
    Some(words).filter(|words| !words.is_empty())
}

/// What makes spreadsheets compute a cell instead of showing it, some of them in full width too.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
/// What makes them show it after all.
const TEXT: char = '\'';

/// The cell as spreadsheets show it: with an apostrophe before what they would compute. One before it already is doubled, so
/// that [`unmarked`] gives back every cell.
fn marked(cell: &str) -> Cow<'_, str> {
    match cell.trim_start_matches(TEXT).starts_with(FORMULA) {
        true => Cow::Owned(format!("{TEXT}{cell}")),
        false => Cow::Borrowed(cell),
    }
}

/// The cell without the apostrophe that [`marked`] has put there.
pub(crate) fn unmarked(cell: &str) -> &str {
    match cell.strip_prefix(TEXT) {
        Some(rest) if rest.trim_start_matches(TEXT).starts_with(FORMULA) => rest,
        _ => cell,
    }
}

/// Most characters of a cell in columns. Every line is as wide as the longest, and whoever sends a name decides how long it is.
/// CSV and JSON have all of it.
const WIDEST: usize = 1000;

/// The cell as a column shows it.
fn brief(cell: &str) -> String {
    match cell.char_indices().nth(WIDEST) {
        Some((end, _)) => shown(cell.get(..end).unwrap_or_default()) + "…",
        None => shown(cell),
    }
}

/// The text as a terminal may show it: what would move the cursor, turn the text around, or be there without being seen is
/// escaped.
pub(crate) fn shown(text: &str) -> String {
    escaped(text, |character| match character.is_control() {
        true => character.escape_debug().collect(),
        false => character.escape_unicode().collect(),
    })
}

/// JSON as a terminal may show it, and of the same meaning: what is odd stands in strings, where JSON has an escape for it.
pub(crate) fn shown_json(text: &str) -> String {
    escaped(text, |character| match character {
        '\n' => "\n".to_owned(),
        _ => character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    })
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut safe = String::with_capacity(text.len());
    // Whether the character before can be another one by what follows: a letter that joins, or an emoji.
    let mut joins = false;
    for character in text.chars() {
        let is_odd = is_odd(character) || is_joining(character) && !joins;
        match is_odd {
            true => safe.push_str(&escape(character)),
            false => safe.push(character),
        }
        joins = !is_odd && !character.is_ascii();
    }
    safe
}

fn is_odd(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// What is seen by what it makes of the character before, as in Persian names and in families of emoji: joiners, selectors of
/// variants, and the vowel that is missing in a Korean syllable.
fn is_joining(character: char) -> bool {
    matches!(character, '\u{1160}' | '\u{200c}' | '\u{200d}' | '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(format: Format, names: &[&str], rows: &[Cells]) -> String {
        let mut output = Vec::new();
        write(&mut output, format, names, rows.iter().map(Ok)).unwrap();
        String::from_utf8(output).unwrap()
    }

    fn check(format: Format, expected: &str) {
        let rows = [vec!["acme".into(), Value::Null], vec!["a".into(), "x, \"y\"\u{1b}".into()]];
        assert_eq!(render(format, &["tenant", "idp_tenant"], &rows), expected);
    }

    #[test]
    fn lists_are_rendered() {
        check(Format::Table, "TENANT  IDP TENANT\nacme    -\na       x, \"y\"\\u{1b}\n");
        check(Format::Csv, "tenant,idp_tenant\r\nacme,\r\na,\"x, \"\"y\"\"\u{1b}\"\r\n");
        check(
            Format::Json,
            "[\n  {\n    \"tenant\": \"acme\",\n    \"idp_tenant\": null\n  },\n  {\n    \"tenant\": \"a\",\n    \
             \"idp_tenant\": \"x, \\\"y\\\"\\u001b\"\n  }\n]\n",
        );
    }

    #[test]
    fn columns_stand_below_one_another_in_any_script() {
        let rows = ["日本", "Jose\u{301}", "👨\u{200d}👩\u{200d}👧", "Zoë"]
            .map(|name| vec![name.into(), "x".into()]);
        let expected = "NAME  B\n日本  x\nJose\u{301}  x\n👨\u{200d}👩\u{200d}👧    x\nZoë   x\n";
        assert_eq!(render(Format::Table, &["name", "b"], &rows), expected);
    }

    #[test]
    fn a_list_of_nothing_is_a_list() {
        let nothing = |format| render(format, &["tenant", "id"], &[]);
        let all = [Format::Table, Format::Csv, Format::Json].map(nothing);
        assert_eq!(all, ["TENANT  ID\n", "tenant,id\r\n", "[]\n"]);
    }

    /// `head` has read its line and is gone.
    #[test]
    fn a_reader_that_has_gone_is_told_in_every_format() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        // More than any of them holds back.
        let rows: Vec<Cells> = (0..20_000).map(|n| vec![n.into()]).collect();
        for format in [Format::Table, Format::Csv, Format::Json] {
            let error = write(&mut Gone, format, &["n"], rows.iter().map(Ok)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_to_its_end_does_not_look_whole() {
        let check = |format: Format, expected: &str| {
            let mut output = Vec::new();
            let rows = [Ok(vec![Value::from(1)]), Err(io::ErrorKind::TimedOut.into())];
            let error = write(&mut output, format, &["n"], rows).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(String::from_utf8(output).unwrap(), expected);
        };
        check(Format::Table, "");
        check(Format::Json, "[\n  {\n    \"n\": 1\n  }");
        check(Format::Csv, "n\r\n1\r\n");
    }

    #[test]
    fn cells_keep_their_types_in_json_and_are_words_elsewhere() {
        let row: Cells = [
            json!(12),
            json!(false),
            json!(["a", null, 1]),
            json!({"b": "x", "c": 2}),
            json!([null]),
            json!({}),
        ]
        .into();
        let names = ["n", "is", "list", "object", "none", "empty"];
        let object = json!([{
            "n": 12, "is": false, "list": ["a", null, 1], "object": {"b": "x", "c": 2}, "none": [null], "empty": {}
        }]);
        let rows = [row];
        assert_eq!(render(Format::Json, &names, &rows).parse::<Value>().unwrap(), object);
        assert_eq!(
            render(Format::Csv, &names, &rows).lines().nth(1),
            Some("12,false,a; (none); 1,b=x; c=2,,")
        );
        let table =
            "N   IS     LIST          OBJECT    NONE  EMPTY\n12  false  a; (none); 1  b=x; c=2  -     -\n";
        assert_eq!(render(Format::Table, &names, &rows), table);
    }

    #[test]
    fn json_is_safe_to_show_and_means_the_same() {
        let odd = "\u{9b}31m\u{202e}\u{200b}\u{7f}\n\"é\u{1f600}\u{e0061}";
        let text = render(Format::Json, &["name"], &[vec![odd.into()]]);
        assert!(!text.chars().any(|character| character != '\n' && is_odd(character)), "{text}");
        assert_eq!(text.parse::<Value>().unwrap(), json!([{ "name": odd }]));
    }

    #[test]
    fn long_cells_are_cut_in_columns_alone() {
        let rows = [vec!["é".repeat(70_000).into()], vec!["x".into()]];
        let table = render(Format::Table, &["name"], &rows);
        assert_eq!(table, format!("NAME\n{}…\nx\n", "é".repeat(1000)));
        for format in [Format::Csv, Format::Json] {
            assert!(render(format, &["name"], &rows).contains(&"é".repeat(70_000)));
        }
    }

    #[test]
    fn terminals_are_safe_and_words_are_whole() {
        assert_eq!(shown("Zoë \"O'Neill\"\t\u{202e}x"), "Zoë \"O'Neill\"\\t\\u{202e}x");
        assert_eq!(
            shown("a\u{200b}\u{61c}\u{9b}31m\u{ad}\u{feff}"),
            "a\\u{200b}\\u{61c}\\u{9b}31m\\u{ad}\\u{feff}"
        );
        assert_eq!(
            shown("ad\u{200d}a\u{fe0f}\u{3164}\u{34f}\u{e0061}\u{200d}a\u{1160}"),
            "ad\\u{200d}a\\u{fe0f}\\u{3164}\\u{34f}\\u{e0061}\\u{200d}a\\u{1160}"
        );
        for seen in ["محمد\u{200c}رضا", "👨\u{200d}👩\u{200d}👧", "❤\u{fe0f}", "Jose\u{301}", "한\u{1161}"]
        {
            assert_eq!(shown(seen), seen);
        }
    }

    #[test]
    fn formulas_are_shown_and_come_back() {
        fn check(cell: &str, expected: &str) {
            assert_eq!(marked(cell), expected);
            assert_eq!(unmarked(expected), cell);
        }
        check("=1+1", "'=1+1");
        check("+49 30 1", "'+49 30 1");
        check("-", "'-");
        check("@x", "'@x");
        check("\tx", "'\tx");
        check("\n=1+1", "'\n=1+1");
        check("＝1+1", "'＝1+1");
        check("＠x", "'＠x");
        check("'=x", "''=x");
        check("'tis", "'tis");
        check("a=b", "a=b");
        check("", "");
    }
}
