//! Lists on the standard output: columns for people, JSON or CSV for programs.

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
        .map(|row| row.iter().map(|cell| cell.as_deref().unwrap_or("-").escape_debug().to_string()).collect())
        .collect();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .enumerate()
            .map(|(column, cell)| format!("{cell:<width$}", width = width(column)))
            .collect();
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

/// RFC 4180.
fn csv(names: &[&str], rows: &[Vec<Option<String>>]) -> String {
    let quote = |cell: &str| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    };
    let mut text = format!("{}\r\n", names.join(","));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| quote(cell.as_deref().unwrap_or_default())).collect();
        let _ = write!(text, "{}\r\n", cells.join(","));
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
        check(Format::Table, "TENANT  IDP TENANT\nacme    -\na       x, \\\"y\\\"\\u{1b}\n");
        check(Format::Csv, "tenant,idp_tenant\r\nacme,\r\na,\"x, \"\"y\"\"\u{1b}\"\r\n");
        check(
            Format::Json,
            "[\n  {\n    \"tenant\": \"acme\",\n    \"idp_tenant\": null\n  },\n  {\n    \"tenant\": \"a\",\n    \
             \"idp_tenant\": \"x, \\\"y\\\"\\u001b\"\n  }\n]\n",
        );
    }
}
