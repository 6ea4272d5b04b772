//! Which crate may build on which.
//!
//! `core ← policy`, `core ← store ← store-sqlite | store-postgres`, `core + policy + store ← service ← scimd`. A crate
//! that is not in [`LAYERS`] is a finding: its place is decided here, once, in review.

use serde_json::Value;

use super::Finding;

/// A crate and what it may build on. Tests may use more.
struct Layer {
    name: &'static str,
    /// Crates of this workspace.
    on: &'static [&'static str],
    /// Whether it may name the types of HTTP.
    http: bool,
    /// Whether it may name a runtime.
    runtime: bool,
}

const LAYERS: &[Layer] = &[
    Layer { name: "scim-core", on: &[], http: false, runtime: false },
    Layer { name: "scim-policy", on: &["scim-core"], http: false, runtime: false },
    Layer { name: "scim-store", on: &["scim-core"], http: false, runtime: false },
    Layer { name: "scim-store-sqlite", on: &["scim-core", "scim-store"], http: false, runtime: true },
    Layer { name: "scim-store-postgres", on: &["scim-core", "scim-store"], http: false, runtime: true },
    Layer {
        name: "scim-service",
        on: &["scim-core", "scim-policy", "scim-store"],
        http: true,
        runtime: false,
    },
    Layer {
        name: "scimd",
        on: &[
            "scim-core",
            "scim-policy",
            "scim-store",
            "scim-store-sqlite",
            "scim-store-postgres",
            "scim-service",
        ],
        http: true,
        runtime: true,
    },
    Layer { name: "xtask", on: &[], http: true, runtime: true },
];

const HTTP: &[&str] = &["http", "http-body", "http-body-util", "httparse", "hyper", "hyper-util", "h2"];
const RUNTIME: &[&str] =
    &["tokio", "tokio-util", "tokio-rustls", "mio", "socket2", "hyper", "hyper-util", "async-std", "smol"];

/// The two that never see each other, not even in tests.
const STRANGERS: [&str; 2] = ["scim-policy", "scim-store"];

/// Holds the workspace, as `cargo metadata --no-deps` tells of it, to the layers.
pub(crate) fn check(metadata: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    let packages = metadata.get("packages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let members: Vec<&str> = packages.iter().map(|package| text(package, "name")).collect();
    for package in packages {
        let name = text(package, "name");
        let file = format!("crates/{name}/Cargo.toml");
        // Examples compose the crates for others to copy; they may use whatever a reader would.
        if package.get("manifest_path").and_then(Value::as_str).is_some_and(|path| !path.contains("/crates/"))
        {
            continue;
        }
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
            let message = format!("`{name}` has no place among the layers; give it one in `LAYERS`");
            findings.push(Finding::new(&file, 0, message));
            continue;
        };
        let dependencies =
            package.get("dependencies").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for dependency in dependencies {
            let test_only = dependency.get("kind").and_then(Value::as_str) == Some("dev");
            if let Some(message) = judge(layer, text(dependency, "name"), test_only, &members) {
                findings.push(Finding::new(&file, 0, message));
            }
        }
    }
    findings
}

/// Every crate obeys the lints of the workspace, which forbid unsafe code.
pub(crate) fn lints(file: &str, manifest: &str) -> Option<Finding> {
    let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let obeys = lines.next() == Some("workspace = true");
    (!obeys).then(|| {
        Finding::new(file, 0, "does not take the lints of the workspace; add `[lints] workspace = true`")
    })
}

fn judge(layer: &Layer, on: &str, test_only: bool, members: &[&str]) -> Option<String> {
    let name = layer.name;
    if STRANGERS.contains(&name) && STRANGERS.contains(&on) && on != name {
        return Some(format!(
            "`{name}` and `{on}` never see each other; what both need belongs in `scim-core`"
        ));
    }
    if test_only {
        return None;
    }
    if members.contains(&on) && !layer.on.contains(&on) {
        return Some(format!("`{name}` may not build on `{on}`; it may build on: {}", list(layer.on)));
    }
    if HTTP.contains(&on) && !layer.http {
        let allowed = allowed(|layer| layer.http);
        return Some(format!("`{name}` may not name HTTP (`{on}`); only {allowed} do"));
    }
    if RUNTIME.contains(&on) && !layer.runtime {
        let allowed = allowed(|layer| layer.runtime);
        return Some(format!("`{name}` may not name a runtime or sockets (`{on}`); only {allowed} do"));
    }
    None
}

fn allowed(may: impl Fn(&Layer) -> bool) -> String {
    let names: Vec<&str> = LAYERS.iter().filter(|layer| may(layer)).map(|layer| layer.name).collect();
    list(&names)
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        return "nothing here".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn directions() {
        for (name, on, kind, expected) in [
            ("scim-core", "serde_json", None, None),
            ("scim-core", "tokio", None, Some("`scim-core` may not name a runtime or sockets (`tokio`)")),
            ("scim-core", "tokio", Some("dev"), None),
            (
                "scim-core",
                "http",
                None,
                Some("`scim-core` may not name HTTP (`http`); only `scim-service`, `scimd`"),
            ),
            (
                "scim-core",
                "scim-store",
                None,
                Some("may not build on `scim-store`; it may build on: nothing here"),
            ),
            ("scim-store", "scim-core", None, None),
            ("scim-store", "scim-policy", Some("dev"), Some("never see each other")),
            ("scim-policy", "scim-store", None, Some("never see each other")),
            ("scim-store-sqlite", "tokio", None, None),
            ("scim-store-sqlite", "http", None, Some("may not name HTTP")),
            ("scim-store-sqlite", "scim-service", None, Some("may not build on `scim-service`")),
            ("scim-service", "http", None, None),
            ("scim-service", "hyper", None, Some("may not name a runtime")),
            ("scim-service", "scim-store-sqlite", None, Some("it may build on: `scim-core`, `scim-policy`")),
            ("scim-service", "scim-store-sqlite", Some("dev"), None),
            ("scimd", "scim-service", None, None),
            ("scim-extra", "serde", None, Some("has no place among the layers")),
        ] {
            let mut packages = vec![json!({
                "name": name,
                "manifest_path": format!("/r/crates/{name}/Cargo.toml"),
                "dependencies": [{ "name": on, "kind": kind }],
            })];
            for layer in LAYERS.iter().filter(|layer| layer.name != name) {
                packages.push(json!({ "name": layer.name, "dependencies": [] }));
            }
            packages.push(json!({ "name": "anything", "manifest_path": "/r/examples/anything/Cargo.toml" }));
            let findings = check(&json!({ "packages": packages, "workspace_root": "/r" }));
            match expected {
                None => assert_eq!(findings, [], "{name} on {on}"),
                Some(words) => {
                    assert_eq!(findings.len(), 1, "{name} on {on}: {findings:?}");
                    assert!(findings[0].message.contains(words), "{name} on {on}: {}", findings[0]);
                    assert_eq!(findings[0].file, format!("crates/{name}/Cargo.toml"));
                }
            }
        }
    }

    #[test]
    fn the_lints_of_the_workspace_are_taken() {
        for (manifest, obeys) in [
            ("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n", true),
            ("[package]\nname = \"a\"\n", false),
            ("[lints]\n[dependencies]\nworkspace = true\n", false),
        ] {
            assert_eq!(lints("crates/a/Cargo.toml", manifest).is_none(), obeys, "{manifest}");
        }
    }
}
