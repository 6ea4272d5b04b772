//! Rules for single Rust files, and for the text of any file.

use super::Finding;

/// The most lines that a file may have. Past 500 it is time to look for its second idea.
const MOST_LINES: usize = 700;

/// Words of unfinished work, in halves so that this file does not hold them.
const UNFINISHED: &[&str] = &[
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("#[ign", "ore"),
];

/// Ways to read the clock.
const CLOCKS: &[&str] = &[concat!("SystemTime::", "now"), concat!("Utc::", "now"), concat!("Local::", "now")];

/// A way to measure how long something takes, which says nothing of the time of day.
const STOPWATCH: &str = concat!("Instant::", "now");

/// Ways out of the process.
const OUTSIDE: &[&str] = &[
    concat!("std::", "fs"),
    concat!("std::", "env::"),
    concat!("std::", "process"),
    concat!("std::", "net::Tcp"),
    concat!("std::", "net::Udp"),
    concat!("tokio::", "net"),
];

/// Crates that are functions of their arguments.
const PURE: &[&str] = &["scim-core", "scim-policy", "scim-store", "scim-service"];

/// Directories that exist on somebody's machine only.
const MACHINE: &[&str] =
    &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("C:", "\\")];

/// All rules for a Rust file.
pub(crate) fn check(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let opens = text.starts_with("//!");
    if file.contains("/src/") && !file.ends_with("/tests.rs") && !opens {
        let message = "does not open with `//!`; say first what the module is, and what it refuses to do";
        findings.push(Finding::new(file, 1, message));
    }
    if file.contains("/fuzz_targets/") && !opens {
        let message = "does not open with `//!`; say first what the target holds";
        findings.push(Finding::new(file, 1, message));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        let message = format!("has {lines} lines; {MOST_LINES} are the most, look for the second idea in it");
        findings.push(Finding::new(file, 0, message));
    }
    let code = text.lines().count() - test_lines(file, text);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        for word in UNFINISHED.iter().filter(|word| holds(line, word)) {
            findings.push(Finding::new(file, number, format!("`{word}`: finish it, or leave it out")));
        }
        if number > code {
            continue;
        }
        let stopwatch = (!may_measure(file)).then_some(&STOPWATCH);
        let clocks = CLOCKS.iter().filter(|_| !reads_clocks(file)).chain(stopwatch);
        for clock in clocks.filter(|clock| holds(line, clock)) {
            let message = format!("`{clock}`: time arrives as a parameter; only `scimd` reads the clock");
            findings.push(Finding::new(file, number, message));
        }
        if crate_of(file).is_some_and(|name| PURE.contains(&name)) {
            for way in OUTSIDE.iter().filter(|way| holds(line, way)) {
                let message = format!("`{way}`: this crate does no I/O; take what it needs as a parameter");
                findings.push(Finding::new(file, number, message));
            }
        }
    }
    findings
}

/// No file of the repository knows the machine that it was written on.
pub(crate) fn machine_paths(file: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for path in MACHINE.iter().filter(|path| holds(line, path)) {
            let message = format!("`{path}`: a path of one machine; make it relative, or a parameter");
            findings.push(Finding::new(file, index + 1, message));
        }
    }
    findings
}

/// Whether `line` holds `word` as a word of its own.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "_./-~}".contains(c))
    })
}

fn crate_of(file: &str) -> Option<&str> {
    let (name, rest) = file.strip_prefix("crates/")?.split_once('/')?;
    rest.starts_with("src/").then_some(name)
}

/// The database stores wait for disks and for each other, and may measure how long.
fn may_measure(file: &str) -> bool {
    reads_clocks(file) || crate_of(file).is_some_and(|name| name.starts_with("scim-store-"))
}

fn reads_clocks(file: &str) -> bool {
    !matches!(crate_of(file), Some(name) if name != "scimd" && name != "xtask")
}

/// How many lines at the end of the file are tests: all of `tests.rs` and of what is below a `tests` directory, and
/// otherwise those from `#[cfg(test)] mod …  {`.
fn test_lines(file: &str, text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let of_tests = |part: &str| matches!(part, "tests" | "tests.rs" | "benches");
    if file.split('/').any(of_tests) {
        return lines.len();
    }
    let start = lines.windows(2).position(|pair| {
        matches!(pair, [attribute, module] if attribute.trim() == "#[cfg(test)]" && module.starts_with("mod ") && module.ends_with('{'))
    });
    start.map_or(0, |start| lines.len() - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages for a file, each with its line.
    fn messages(file: &str, text: &str) -> Vec<String> {
        check(file, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules_of_a_rust_file() {
        let (core, sqlite) = ("crates/scim-core/src/a.rs", "crates/scim-store-sqlite/src/a.rs");
        let (clock, unfinished, ignored, files) = (CLOCKS[0], UNFINISHED[0], UNFINISHED[4], OUTSIDE[0]);
        for (file, text, expected) in [
            (core, "//! A.\n".to_owned(), None),
            (core, "use b;\n".to_owned(), Some("a.rs:1: does not open with `//!`")),
            ("crates/scim-core/src/a/tests.rs", "use b;\n".to_owned(), None),
            ("crates/scimd/tests/it/a.rs", "use b;\n".to_owned(), None),
            ("fuzz/fuzz_targets/a.rs", "#![no_main]\n".to_owned(), Some("say first what the target holds")),
            (core, format!("//! A.\n    {unfinished}()\n"), Some("a.rs:2:")),
            (core, format!("//! A.\n    my_{unfinished}()\n"), None),
            (core, format!("//! A.\n{ignored}]\n"), Some("a.rs:2:")),
            (core, format!("//! A.\nlet t = {clock}();\n"), Some("time arrives as a parameter")),
            ("crates/scimd/src/a.rs", format!("//! A.\nlet t = {clock}();\n"), None),
            (core, format!("//! A.\nlet t = {STOPWATCH}();\n"), Some("time arrives as a parameter")),
            (sqlite, format!("//! A.\nlet t = {STOPWATCH}();\n"), None),
            (sqlite, format!("//! A.\nlet t = {clock}();\n"), Some("time arrives as a parameter")),
            ("crates/scim-core/benches/a.rs", format!("let t = {clock}();\n"), None),
            ("crates/scim-core/src/tests.rs", format!("//! A.\nlet t = {clock}();\n"), None),
            (core, format!("//! A.\n#[cfg(test)]\nmod tests {{\n    let t = {clock}();\n}}\n"), None),
            (core, format!("//! A.\n#[cfg(test)]\nmod tests;\nlet t = {clock}();\n"), Some("a.rs:4:")),
            (core, format!("//! A.\nuse {files}::File;\n"), Some("does no I/O")),
            (sqlite, format!("//! A.\nuse {files}::File;\n"), None),
            (core, format!("//! A.\n{}", "\n".repeat(MOST_LINES)), Some("has 701 lines; 700 are the most")),
            (core, format!("//! A.\n{}", "\n".repeat(MOST_LINES - 1)), None),
        ] {
            let found = messages(file, &text);
            match expected {
                None => assert_eq!(found, Vec::<String>::new(), "{file}: {text}"),
                Some(words) => {
                    assert_eq!(found.len(), 1, "{file}: {text}: {found:?}");
                    assert!(found[0].contains(words), "{found:?}");
                }
            }
        }
    }

    #[test]
    fn paths_of_one_machine() {
        for (line, odd) in [
            (format!("cd {}me", MACHINE[0]), true),
            (format!("`{}x`", MACHINE[1]), true),
            (format!("see{}x", MACHINE[2]), false),
            (format!("https://x.example{}x", MACHINE[2]), false),
            ("/Users/1 and /var/lib/scimd".to_owned(), false),
        ] {
            assert_eq!(!machine_paths("README.md", &line).is_empty(), odd, "{line}");
        }
    }
}
