//! Lists on the standard output: columns for people, JSON or CSV for programs.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::{Map, Value};

use crate::cli::Format;

/// Renders rows of cells, where `None` is nothing.
pub(crate) fn render(format: Format, names: &[&str], rows: &[Vec<Option<String>>]) -> String {
    match format {
        Format::Table => columns(names, rows),
        Format::Json => json(names, rows),
        Format::Csv => csv(names, rows),
    }
}

fn columns(names: &[&str], rows: &[Vec<Option<String>>]) -> String {
    let head = names.iter().map(|name| Some(name.to_uppercase().replace('_', " "))).collect();
    let lines: Vec<Vec<String>> = std::iter::once(&head)
        .chain(rows)
        .map(|row| row.iter().map(|cell| shown(cell.as_deref().unwrap_or("-"))).collect())
        .collect();
    let mut widths = vec![0; names.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

fn json(names: &[&str], rows: &[Vec<Option<String>>]) -> String {
    let object = |row: &Vec<Option<String>>| {
        let members =
            names.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), Value::from(cell.clone())));
        Value::Object(members.collect::<Map<_, _>>())
    };
    let list = Value::Array(rows.iter().map(object).collect());
    format!("{list:#}\n")
}

/// RFC 4180. Spreadsheets open it, so a cell that they would take for a formula is marked as text ([`marked`]).
fn csv(names: &[&str], rows: &[Vec<Option<String>>]) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Memory takes every write, and every row has the same number of cells.
    let _ = writer.write_record(names);
    for row in rows {
        for cell in row {
            let _ = writer.write_field(marked(cell.as_deref().unwrap_or_default()).as_bytes());
        }
        let _ = writer.write_record(None::<&[u8]>);
    }
    writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// What makes spreadsheets compute a cell instead of showing it.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
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

/// The cell as a terminal may show it: what would move the cursor or turn the text around is escaped.
fn shown(cell: &str) -> String {
    let is_odd = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut text = String::with_capacity(cell.len());
    for character in cell.chars() {
        match is_odd(character) {
            true => text.extend(character.escape_debug()),
            false => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Format, expected: &str) {
        let rows = [
            vec![Some("acme".to_owned()), None],
            vec![Some("a".to_owned()), Some("x, \"y\"\u{1b}".to_owned())],
        ];
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
    fn terminals_are_safe_and_words_are_whole() {
        assert_eq!(shown("Zoë \"O'Neill\"\t\u{202e}x"), "Zoë \"O'Neill\"\\t\\u{202e}x");
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
        check("'=x", "''=x");
        check("'tis", "'tis");
        check("a=b", "a=b");
        check("", "");
    }
}
