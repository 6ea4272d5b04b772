//! A file of rows that a person made: comma-separated values, as spreadsheets write them.
//!
//! It is read row by row, as often as wanted, and each row knows its line. The separator is found, a byte order mark and
//! Excel's `sep=` line are passed over. It refuses workbooks and every encoding but UTF-8, in words that say what to do, and
//! it does not know what a column means.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::Failure;
use crate::table::unmarked;

/// A file of rows, at one of them.
pub(crate) struct Sheet {
    path: PathBuf,
    separator: u8,
    /// Where the line of names begins, in bytes and in lines.
    start: (u64, u64),
    length: u64,
    /// Whether its last line has an end.
    is_ended: bool,
    names: Vec<String>,
    rows: csv::Reader<Gauge>,
    seen: Rc<Seen>,
}

/// What was read of a file.
#[derive(Default)]
struct Seen {
    /// How many bytes.
    read: Cell<u64>,
    /// How many since the last row.
    since: Cell<u64>,
    /// Whereabouts it has come.
    place: Cell<Place>,
}

/// Whereabouts in a row, as far as quotation marks go (RFC 4180 section 2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Before a cell.
    #[default]
    Between,
    /// In a cell without quotation marks, or behind the one that closes it.
    Plain,
    /// In a cell between quotation marks.
    Quoted,
    /// Behind a quotation mark in such a cell, which closes it unless another follows.
    Closing,
}

/// A row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    /// As many as there are names, or what is wrong with the row and what to do.
    pub(crate) cells: Result<Vec<String>, String>,
}

/// A file that counts what is read of it, and ends where a row does not.
struct Gauge {
    file: File,
    separator: u8,
    seen: Rc<Seen>,
}

/// How much of the file is looked at to find out what it is.
const HEAD: u64 = 64 * 1024;
/// Longest row, in bytes. A quotation mark that is never closed would take in the rest of the file.
const LONGEST: u64 = 4 * 1024 * 1024;
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];
/// What workbooks begin with: ZIP, and the compound files of old.
const WORKBOOKS: [&[u8]; 2] = [b"PK\x03\x04", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"];
const WORKBOOK_NAMES: [&str; 7] = ["xlsx", "xlsm", "xlsb", "xls", "xlt", "ods", "numbers"];
const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
const UTF16_MARKS: [&[u8]; 2] = [b"\xFF\xFE", b"\xFE\xFF"];

impl Sheet {
    /// Opens a file and reads the line of names.
    ///
    /// # Errors
    /// When it cannot be read or is no such file.
    pub(crate) fn open(path: &Path, separator: Option<u8>) -> Result<Self, Failure> {
        let name = path.display();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_workbook_name = WORKBOOK_NAMES.iter().any(|known| known.eq_ignore_ascii_case(extension));
        let mut head = Vec::new();
        let mut file = open(path)?;
        let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        Read::by_ref(&mut file)
            .take(HEAD)
            .read_to_end(&mut head)
            .map_err(|error| unreadable(path, &error))?;
        if is_workbook_name || WORKBOOKS.iter().any(|magic| head.starts_with(magic)) {
            return Err(Failure::Usage(format!(
                "{name} is a workbook, which is not read; in Excel choose File, Save As, and the type CSV UTF-8 \
                 (comma-delimited), then import the file that was saved"
            )));
        }
        if UTF16_MARKS.iter().any(|mark| head.starts_with(mark)) || head.contains(&0) {
            return Err(Failure::Usage(format!("{name} is UTF-16 or no text at all; {SAVE}")));
        }
        if head.contains(&b'\r') && !head.contains(&b'\n') {
            return Err(Failure::Usage(format!("the lines of {name} end as on an old Macintosh; {SAVE}")));
        }
        let is_ended = ends_with_line(&mut file, length).map_err(|error| unreadable(path, &error))?;
        let mark = if head.starts_with(UTF8_MARK) { UTF8_MARK.len() } else { 0 };
        let text = head.get(mark..).unwrap_or_default();
        let first = text.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let hint = first.trim_ascii_end().strip_prefix(b"sep=").and_then(|hint| hint.first().copied());
        let (skip, lines) = if hint.is_some() { (first.len(), 1) } else { (0, 0) };
        let separator =
            separator.or(hint).unwrap_or_else(|| separator_of(text.get(skip..).unwrap_or_default()));
        let start = ((mark + skip) as u64, lines);
        let seen = Rc::default();
        let rows = reader(file, separator, start.0, &seen).map_err(|error| unreadable(path, &error))?;
        let (path, names) = (path.to_owned(), Vec::new());
        let mut sheet = Self { path, separator, start, length, is_ended, names, rows, seen };
        sheet.read_names()?;
        Ok(sheet)
    }

    /// The names of the columns.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// How many bytes were read, and how many there are.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.seen.read.get().min(self.length), self.length)
    }

    /// Goes back to the first row.
    ///
    /// # Errors
    /// When it cannot be read, or when the names are others now.
    pub(crate) fn rewind(&mut self) -> Result<(), Failure> {
        let changed = format!("{} was changed while it was read; import it again", self.path.display());
        let file = open(&self.path)?;
        let length = file.metadata().map_err(|error| unreadable(&self.path, &error))?.len();
        self.rows = reader(file, self.separator, self.start.0, &self.seen)
            .map_err(|error| unreadable(&self.path, &error))?;
        let before = std::mem::take(&mut self.names);
        self.read_names()?;
        if length != self.length || before != self.names {
            return Err(Failure::Run(changed));
        }
        Ok(())
    }

    /// The next row. Empty lines are passed over.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, Failure> {
        loop {
            let Some(row) = self.record()? else { return Ok(None) };
            // A row of separators alone is what spreadsheets leave of a row that was cleared.
            if row.cells.as_ref().is_ok_and(|cells| cells.iter().all(|cell| cell.trim().is_empty())) {
                continue;
            }
            let (found, wanted) = (row.cells.as_ref().map_or(0, Vec::len), self.names.len());
            if row.cells.is_ok() && found != wanted {
                let words = format!(
                    "the row has {found} cells and the first line names {wanted}; put a cell that holds a separator \
                     or a line break in double quotes"
                );
                return Ok(Some(Row { line: row.line, cells: Err(words) }));
            }
            return Ok(Some(row));
        }
    }

    fn read_names(&mut self) -> Result<(), Failure> {
        let name = self.path.display().to_string();
        self.names = match self.record()? {
            None => return Err(Failure::Usage(format!("{name} is empty; its first line names the columns"))),
            Some(Row { cells: Err(problem), line }) => {
                return Err(Failure::Usage(format!("{name}:{line}: {problem}")));
            }
            Some(Row { cells: Ok(names), .. }) => names,
        };
        Ok(())
    }

    fn record(&mut self) -> Result<Option<Row>, Failure> {
        self.seen.since.set(0);
        let before = self.rows.position().line() + self.start.1;
        let mut record = csv::ByteRecord::new();
        match self.rows.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                let endless = self.seen.since.get() > LONGEST;
                return Err(match endless {
                    true => Failure::Run(format!(
                        "{}:{before}: a row of more than {LONGEST} bytes; look for a double quote that is opened and never \
                         closed",
                        self.path.display()
                    )),
                    false => Failure::Run(format!("cannot read {}: {error}", self.path.display())),
                });
            }
        }
        // The reader does not say how many empty lines it passed over, so the line is counted from the end of the row.
        let end = self.rows.position();
        let is_last = end.byte() + self.start.0 >= self.length;
        let within = record.iter().flatten().filter(|byte| **byte == b'\n').count() as u64;
        let own = within + u64::from(!is_last || self.is_ended);
        let line = (end.line() + self.start.1).saturating_sub(own);
        if is_last && self.seen.place.get() == Place::Quoted {
            let words = "a double quote that is opened in this row is never closed; close it, and write one that belongs to \
                         the text twice";
            return Ok(Some(Row { line: before.max(1), cells: Err(words.to_owned()) }));
        }
        let text = |cell: &[u8]| {
            std::str::from_utf8(cell).map(|cell| unmarked(cell.trim_end_matches('\r')).to_owned()).ok()
        };
        let cells: Option<Vec<String>> = record.iter().map(text).collect();
        Ok(Some(Row { line, cells: cells.ok_or_else(|| format!("the row is not UTF-8; {SAVE}")) }))
    }
}

const SAVE: &str =
    "save it as UTF-8: in Excel choose File, Save As, and the type CSV UTF-8 (comma-delimited)";

impl Read for Gauge {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Seen { read, since, place } = &*self.seen;
        if since.get() > LONGEST {
            return Err(io::Error::other("the row does not end"));
        }
        let count = self.file.read(buffer)?;
        read.set(read.get() + count as u64);
        since.set(since.get() + count as u64);
        let bytes = buffer.iter().take(count);
        place.set(bytes.fold(place.get(), |place, byte| place.after(*byte, self.separator)));
        Ok(count)
    }
}

impl Place {
    fn after(self, byte: u8, separator: u8) -> Self {
        match (self, byte) {
            (Self::Quoted, b'"') => Self::Closing,
            (Self::Quoted, _) | (Self::Between | Self::Closing, b'"') => Self::Quoted,
            (_, b'\n') => Self::Between,
            (_, byte) if byte == separator => Self::Between,
            _ => Self::Plain,
        }
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!("cannot read {}: {error}", path.display()))
}

fn reader(mut file: File, separator: u8, start: u64, seen: &Rc<Seen>) -> io::Result<csv::Reader<Gauge>> {
    file.seek(SeekFrom::Start(start))?;
    seen.read.set(start);
    seen.since.set(0);
    seen.place.set(Place::Between);
    let gauge = Gauge { file, separator, seen: Rc::clone(seen) };
    let mut builder = csv::ReaderBuilder::new();
    Ok(builder
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(gauge))
}

fn ends_with_line(file: &mut File, length: u64) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::Start(length.saturating_sub(1)))?;
    Ok(file.read(&mut last)? == 1 && last == *b"\n")
}

/// The separator that the line of names has most of, outside quotes.
fn separator_of(text: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [0_usize; SEPARATORS.len()];
    for byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => {
                let known = SEPARATORS.iter().position(|separator| separator == byte);
                if let Some(count) = known.and_then(|position| counts.get_mut(position)) {
                    *count += 1;
                }
            }
        }
    }
    // The first of those with the most.
    let most = counts.iter().max().copied().unwrap_or_default();
    let found = counts.iter().position(|count| *count == most);
    found.and_then(|position| SEPARATORS.get(position)).copied().unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a file, as `line: cell|cell`, or the complaint about it.
    fn read(name: &str, bytes: &[u8]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        let told = |failure: Failure| failure.to_string().replace(&path.display().to_string(), name);
        let rows = (|| {
            let mut sheet = Sheet::open(&path, None)?;
            let mut passes = Vec::new();
            for _ in 0..2 {
                let mut rows = vec![sheet.names().join("|")];
                while let Some(row) = sheet.next()? {
                    let cells = row.cells.map_or_else(|problem| problem, |cells| cells.join("|"));
                    rows.push(format!("{}: {cells}", row.line));
                }
                passes.push(rows);
                sheet.rewind()?;
            }
            assert_eq!(passes.first(), passes.last(), "{name}: the second time is like the first");
            Ok(passes.pop().unwrap_or_default())
        })();
        rows.map_err(told)
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: &[&str]) {
        assert_eq!(
            read("a.csv", bytes).as_deref(),
            Ok(expected.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>().as_slice())
        );
    }

    #[test]
    fn rows_have_their_lines() {
        check(b"a,b\n1,2\n3,4", &["a|b", "2: 1|2", "3: 3|4"]);
        check(b"a,b\r\n1,2\r\n\r\n3,4\r\n", &["a|b", "2: 1|2", "4: 3|4"]);
        check(b"a,b\n\n\n\"1\n\n\",\"x\"\"y\"\n3,4\n\n", &["a|b", "4: 1\n\n|x\"y", "7: 3|4"]);
        check(b"a,b\r\n\"1\r\n2\",\"x\"\r\n\"3\n\",4", &["a|b", "2: 1\r\n2|x", "4: 3\n|4"]);
        check(b"\n\na,b\n,\n1,2\n", &["a|b", "5: 1|2"]);
    }

    #[test]
    fn what_spreadsheets_write_is_understood() {
        check(b"\xEF\xBB\xBFa;b\r\n1;2,5\r\n", &["a|b", "2: 1|2,5"]);
        check(b"a\tb\n1\t2;3,4\n", &["a|b", "2: 1|2;3,4"]);
        check(b"sep=;\r\na,x;b\r\n1;2\r\n", &["a,x|b", "3: 1|2"]);
        check(b"\"a;b;c\",d\n1,2\n", &["a;b;c|d", "2: 1|2"]);
        check("ä,'=b\n'+49,ß\n".as_bytes(), &["ä|=b", "2: +49|ß"]);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let long = "2: the row has 3 cells and the first line names 2; put a cell that holds a separator or a line break in \
                    double quotes";
        check(b"a,b\n1,2,3\n4,5\n", &["a|b", long, "3: 4|5"]);
        let open = "a double quote that is opened in this row is never closed; close it, and write one that belongs to the text \
                    twice";
        check(b"a,b\n1,2\n3,\"4\n5,6\n", &["a|b", "2: 1|2", &format!("3: {open}")]);
        check(b"a,b\nA,\"a", &["a|b", &format!("2: {open}")]);
        check(b"a,b\nA,\"a\"\"", &["a|b", &format!("2: {open}")]);
        check(b"a,b\n5\",\"a\"\n6\",x", &["a|b", "2: 5\"|a", "3: 6\"|x"]);
        let latin = format!("2: the row is not UTF-8; {SAVE}");
        check(b"a,b\nZo\xEB,2\n", &["a|b", &latin]);
        let refused = |name: &str, bytes: &[u8], expected: &str| {
            let complaint = read(name, bytes).expect_err(name);
            assert!(complaint.contains(expected), "{complaint}");
        };
        refused("a.csv", b"PK\x03\x04", "CSV UTF-8");
        refused("a.csv", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "is a workbook");
        refused("a.XLSX", b"a,b\n", "is a workbook");
        refused("a.csv", b"\xFF\xFEa\0", "UTF-16");
        refused("a.csv", b"a\0,\0b\0\n\0", "UTF-16");
        refused("a.csv", b"a,b\r1,2\r", "old Macintosh");
        refused("a.csv", b"", "is empty");
        refused("a.csv", b"\xE4,b\n", "a.csv:1: the row is not UTF-8");
        let endless = [b"a,b\n1,2\n\"".to_vec(), vec![b'x'; LONGEST as usize + 100_000]].concat();
        refused("a.csv", &endless, "a.csv:3: a row of more than 4194304 bytes; look for a double quote");
    }
}
