//! `cargo xtask sbom`: what the server consists of, as CycloneDX 1.6, for those who have to watch it for vulnerabilities.
//!
//! Everything that cargo would build for `scimd` on one target, with licences and checksums, and the C libraries that crates
//! bring along, which no lock file knows. Nothing in it depends on when or where it was made. What is known to be wrong with
//! any of it is for others to tell.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::{Value, json};

use crate::tidy;

const HELP: &str = "\
Prints what scimd consists of, as a CycloneDX 1.6 document.

usage: cargo xtask sbom [--target TRIPLE]

  --target TRIPLE  for which target, instead of this machine's

Examples:
  cargo xtask sbom > scimd.cdx.json
  cargo xtask sbom --target aarch64-unknown-linux-gnu > scimd.cdx.json";

/// The program that is described.
const PROGRAM: &str = "scimd";

/// A C library that a crate brings along and builds.
struct Bundled {
    by: &'static str,
    name: &'static str,
    licence: &'static str,
    /// The file of the crate that has the version, and what stands before it.
    header: &'static str,
    define: &'static str,
    /// The version, as its vendor writes it, from what the header has.
    version: fn(&str) -> Option<String>,
    purl: &'static str,
    cpe: Option<&'static str>,
}

const BUNDLED: &[Bundled] = &[
    Bundled {
        by: "libsqlite3-sys",
        name: "sqlite",
        licence: "blessing",
        header: "sqlite3/sqlite3.h",
        define: "#define SQLITE_VERSION ",
        version: |text| Some(text.trim_matches('"').to_owned()),
        purl: "pkg:generic/sqlite@",
        cpe: Some("cpe:2.3:a:sqlite:sqlite:VERSION:*:*:*:*:*:*:*"),
    },
    Bundled {
        by: "libmimalloc-sys",
        name: "mimalloc",
        licence: "MIT",
        header: "c_src/mimalloc/v3/include/mimalloc.h",
        define: "#define MI_MALLOC_VERSION ",
        version: |text| {
            // 30302 is 3.3.2.
            let number: u32 = text.parse().ok()?;
            Some(format!("{}.{}.{}", number / 10_000, number / 100 % 100, number % 100))
        },
        purl: "pkg:github/microsoft/mimalloc@v",
        cpe: None,
    },
];

/// Prints the document.
pub(crate) fn run(root: &Path, options: &[&str]) -> ExitCode {
    let made = match options {
        ["--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        [] => host(root).and_then(|target| document(root, &target)),
        ["--target", target] => document(root, target),
        _ => Err(format!("`{}` is not understood; see `cargo xtask sbom --help`", options.join(" "))),
    };
    match made {
        Ok(document) => {
            println!("{document:#}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("sbom: {problem}");
            ExitCode::from(2)
        }
    }
}

/// The target that this machine builds for.
fn host(root: &Path) -> Result<String, String> {
    let rustc = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()));
    let text = tidy::run(root, rustc, &["-vV"])?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say for what it builds".to_owned())
}

/// The whole document.
fn document(root: &Path, target: &str) -> Result<Value, String> {
    let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", target];
    let metadata = tidy::run(root, tidy::cargo(), &arguments)?;
    let metadata = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let lock = root.join("Cargo.lock");
    let lock = std::fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    describe(&metadata, &checksums(&lock), target, &|path| {
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    })
}

/// What cargo has of a package.
struct Package<'a> {
    json: &'a Value,
    name: &'a str,
    version: &'a str,
}

impl Package<'_> {
    fn purl(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }

    /// Whether the compiler runs it, so that nothing of it is in the program.
    fn is_macro(&self) -> bool {
        let targets = list(self.json, "targets").iter();
        targets.flat_map(|target| list(target, "kind")).any(|kind| kind == "proc-macro")
    }

    fn file(&self, path: &str) -> PathBuf {
        Path::new(text(self.json, "manifest_path")).with_file_name(path)
    }
}

/// Describes the program by what cargo says, the checksums of the lock file, and a reader of files.
fn describe(
    metadata: &Value,
    checksums: &BTreeMap<(String, String), String>,
    target: &str,
    read: &dyn Fn(&Path) -> Result<String, String>,
) -> Result<Value, String> {
    let packages: BTreeMap<&str, Package<'_>> = list(metadata, "packages")
        .iter()
        .map(|json| {
            (text(json, "id"), Package { json, name: text(json, "name"), version: text(json, "version") })
        })
        .collect();
    let nodes =
        metadata.pointer("/resolve/nodes").and_then(Value::as_array).ok_or("cargo resolved nothing")?;
    let nodes: BTreeMap<&str, &Value> = nodes.iter().map(|node| (text(node, "id"), node)).collect();
    let (&root, program) = packages
        .iter()
        .find(|(_, package)| package.name == PROGRAM)
        .ok_or_else(|| format!("there is no package `{PROGRAM}`"))?;

    let built = reach(root, &packages, &nodes, |_| true);
    let linked = reach(root, &packages, &nodes, |(kind, to)| kind.is_none() && !to.is_macro());
    let (mut components, mut dependencies) = (Vec::new(), Vec::new());
    for &id in &built {
        let Some(package) = packages.get(id) else { return Err(format!("cargo does not describe `{id}`")) };
        let mut on: BTreeSet<String> = edges(id, &packages, &nodes).map(|(_, _, to)| to.purl()).collect();
        for bundled in BUNDLED.iter().filter(|bundled| bundled.by == package.name) {
            let (purl, component) = bundled_component(bundled, package, read)?;
            dependencies.push(json!({ "ref": purl }));
            components.push(component);
            on.insert(purl);
        }
        dependencies.push(json!({ "ref": package.purl(), "dependsOn": on }));
        if id != root {
            let scope = if linked.contains(id) { "required" } else { "excluded" };
            components.push(component(package, "library", checksums, Some(scope)));
        }
    }
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": component(program, "application", checksums, None),
            "properties": [{ "name": "cdx:rustc:sbom:target:triple", "value": target }],
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// What a package needs to be built, other than its tests: of which kind, and what.
fn edges<'a, 'b>(
    id: &str,
    packages: &'b BTreeMap<&'a str, Package<'a>>,
    nodes: &BTreeMap<&str, &'a Value>,
) -> impl Iterator<Item = (Option<&'a str>, &'a str, &'b Package<'a>)> {
    let deps = nodes.get(id).map_or(&[][..], |node| list(node, "deps"));
    deps.iter().flat_map(move |dep| {
        let id = text(dep, "pkg");
        let kinds = list(dep, "dep_kinds").iter().map(|kind| kind.get("kind").and_then(Value::as_str));
        let kinds = kinds.filter(|kind| *kind != Some("dev"));
        kinds.filter_map(move |kind| packages.get(id).map(|to| (kind, id, to)))
    })
}

/// All that can be reached over edges that are to be followed.
fn reach<'a>(
    root: &'a str,
    packages: &BTreeMap<&'a str, Package<'a>>,
    nodes: &BTreeMap<&str, &'a Value>,
    follow: impl Fn((Option<&str>, &Package<'a>)) -> bool,
) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::from([root]), vec![root]);
    while let Some(id) = open.pop() {
        for (kind, to, package) in edges(id, packages, nodes) {
            if follow((kind, package)) && reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}

fn component(
    package: &Package<'_>,
    kind: &str,
    checksums: &BTreeMap<(String, String), String>,
    scope: Option<&str>,
) -> Value {
    let purl = package.purl();
    let known = |key: &str| package.json.get(key).and_then(Value::as_str);
    let checksum = checksums.get(&(package.name.to_owned(), package.version.to_owned()));
    // An old way to write "or", which is no SPDX expression.
    let licence = known("license").map(|licence| licence.replace('/', " OR "));
    let members = [
        ("type", Some(json!(kind))),
        ("bom-ref", Some(json!(purl))),
        ("name", Some(json!(package.name))),
        ("version", Some(json!(package.version))),
        ("description", known("description").map(|description| json!(description.trim()))),
        ("scope", scope.map(|scope| json!(scope))),
        ("hashes", checksum.map(|checksum| json!([{ "alg": "SHA-256", "content": checksum }]))),
        ("licenses", licence.map(|licence| json!([{ "expression": licence }]))),
        ("purl", Some(json!(purl))),
        ("externalReferences", known("repository").map(|url| json!([{ "type": "vcs", "url": url }]))),
    ];
    object(members)
}

/// An object of the members that have a value.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A library that a package brings along, and what others refer to it by.
fn bundled_component(
    bundled: &Bundled,
    package: &Package<'_>,
    read: &dyn Fn(&Path) -> Result<String, String>,
) -> Result<(String, Value), String> {
    let header = package.file(bundled.header);
    let content = read(&header)?;
    let value = content.lines().find_map(|line| line.strip_prefix(bundled.define)).map(str::trim);
    let value = value.and_then(|value| value.split_whitespace().next());
    let version = value.and_then(bundled.version).ok_or_else(|| {
        format!(
            "{} has no `{}`; `{}` has changed, and so must `BUNDLED`",
            header.display(),
            bundled.define.trim(),
            bundled.by
        )
    })?;
    let purl = format!("{}{version}", bundled.purl);
    let cpe = bundled.cpe.map(|cpe| json!(cpe.replace("VERSION", &version)));
    let component = object([
        ("type", Some(json!("library"))),
        ("bom-ref", Some(json!(purl))),
        ("name", Some(json!(bundled.name))),
        ("version", Some(json!(version))),
        (
            "description",
            Some(json!(format!("built from the sources in {} {}", package.name, package.version))),
        ),
        ("scope", Some(json!("required"))),
        ("licenses", Some(json!([{ "license": { "id": bundled.licence } }]))),
        ("cpe", cpe),
        ("purl", Some(json!(purl))),
    ]);
    Ok((purl, component))
}

/// The checksums of a lock file, by name and version. What is ours has none.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.map(|text| text.trim_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|block| {
            Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?))
        })
        .collect()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document of this workspace.
    fn ours() -> Value {
        let root = crate::root();
        document(&root, &host(&root).expect("a target")).expect("a document")
    }

    fn named<'a>(document: &'a Value, name: &str) -> Option<&'a Value> {
        list(document, "components").iter().find(|component| text(component, "name") == name)
    }

    #[test]
    fn everything_that_is_built_in_is_there_with_licence_and_checksum() {
        let document = ours();
        assert_eq!(document["metadata"]["component"]["purl"], "pkg:cargo/scimd@0.1.0");
        for component in list(&document, "components") {
            let name = text(component, "name");
            assert!(!list(component, "licenses").is_empty(), "{name}");
            let is_locked = text(component, "purl").starts_with("pkg:cargo/") && !name.starts_with("scim-");
            assert_eq!(list(component, "hashes").len(), usize::from(is_locked), "{name}");
        }
        for name in
            ["scim-core", "scim-store-postgres", "hyper", "tokio", "rusqlite", "ring", "sqlite", "mimalloc"]
        {
            assert_eq!(named(&document, name).map(|found| text(found, "scope")), Some("required"), "{name}");
        }
        for name in ["cc", "serde_derive", "syn"] {
            assert_eq!(named(&document, name).map(|found| text(found, "scope")), Some("excluded"), "{name}");
        }
        for name in ["proptest", "tempfile", "xtask", "scim-bench"] {
            assert!(named(&document, name).is_none(), "{name} is only there for tests and chores");
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_nothing_is_there_twice() {
        let document = ours();
        let mut known: Vec<&str> =
            list(&document, "components").iter().map(|found| text(found, "bom-ref")).collect();
        known.push(text(&document["metadata"]["component"], "bom-ref"));
        known.sort_unstable();
        let mut described: Vec<&str> =
            list(&document, "dependencies").iter().map(|found| text(found, "ref")).collect();
        described.sort_unstable();
        assert_eq!(known, described);
        assert!(known.windows(2).all(|pair| pair[0] != pair[1]), "{known:?}");
        for dependency in list(&document, "dependencies") {
            for on in list(dependency, "dependsOn") {
                assert!(
                    known.binary_search(&on.as_str().unwrap_or_default()).is_ok(),
                    "{on} of {dependency}"
                );
            }
        }
    }

    /// SQLite could reset its log under a reader up to 3.51.2, which lost what had been acknowledged.
    #[test]
    fn the_sqlite_that_is_built_in_keeps_what_it_has_acknowledged() {
        let document = ours();
        let sqlite = named(&document, "sqlite").expect("bundled");
        let version: Vec<u32> =
            text(sqlite, "version").split('.').map(|part| part.parse().expect("a number")).collect();
        assert!(version >= vec![3, 51, 3], "{version:?}");
        let cpe = format!("cpe:2.3:a:sqlite:sqlite:{}:*:*:*:*:*:*:*", text(sqlite, "version"));
        assert_eq!(text(sqlite, "cpe"), cpe);
    }

    #[test]
    fn a_crate_that_keeps_its_version_elsewhere_is_a_problem() {
        let json = json!({ "manifest_path": "/crates/libsqlite3-sys/Cargo.toml" });
        let package = Package { json: &json, name: "libsqlite3-sys", version: "1.0.0" };
        for (content, expected) in [
            ("#define SQLITE_VERSION        \"3.60.0\"\n#define SQLITE_VERSION_NUMBER 1", Ok("3.60.0")),
            (
                "#define SQLITE_VERSION_NUMBER 3060000",
                Err("#define SQLITE_VERSION`; `libsqlite3-sys` has changed"),
            ),
        ] {
            let made = bundled_component(&BUNDLED[0], &package, &|path| {
                assert_eq!(path, Path::new("/crates/libsqlite3-sys/sqlite3/sqlite3.h"));
                Ok(content.to_owned())
            });
            match (made, expected) {
                (Ok((purl, component)), Ok(version)) => {
                    assert_eq!(
                        (purl, text(&component, "version")),
                        (format!("pkg:generic/sqlite@{version}"), version)
                    );
                }
                (Err(problem), Err(words)) => assert!(problem.contains(words), "{problem}"),
                (made, _) => panic!("{content}: {made:?}"),
            }
        }
        assert_eq!((BUNDLED[1].version)("30302"), Some("3.3.2".to_owned()));
    }
}
