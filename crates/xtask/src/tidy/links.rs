//! Relative links of Markdown files: the file they name exists, and the heading too.
//!
//! Nothing is asked of the network; links with a scheme are left alone.

use std::collections::BTreeSet;

use super::Finding;

/// Checks the links of one file. `files` are those of the repository, `read` reads one of them.
pub(crate) fn check(
    file: &str,
    text: &str,
    files: &BTreeSet<String>,
    read: &dyn Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, target) in targets(text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, heading) = target.split_once('#').unwrap_or((target, ""));
        let Some(path) = resolve(file, path) else {
            let message =
                format!("the link `{target}` leaves the repository; name the file relative to this one");
            findings.push(Finding::new(file, number, message));
            continue;
        };
        let below = format!("{path}/");
        if !files.contains(&path) && !path.is_empty() && !files.iter().any(|file| file.starts_with(&below)) {
            let message = format!("the link `{target}` leads nowhere: there is no `{path}`");
            findings.push(Finding::new(file, number, message));
            continue;
        }
        let headings =
            || read(&path).is_some_and(|text| anchors(&text).iter().any(|anchor| anchor == heading));
        if !heading.is_empty() && path.ends_with(".md") && !headings() {
            let message = format!("the link `{target}` leads nowhere: `{path}` has no heading `#{heading}`");
            findings.push(Finding::new(file, number, message));
        }
    }
    findings
}

/// The targets of `[text](target)` and `[label]: target`, outside of code, each with its line.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.push((number, target.trim()));
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("](") {
            let Some((target, tail)) = after.split_once(')') else { break };
            if before.matches('`').count() % 2 == 0 {
                found.push((number, target.split(' ').next().unwrap_or_default()));
            }
            rest = tail;
        }
    }
    found
}

/// The lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

/// The anchors that GitHub gives the headings of a file.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        })
        .collect()
}

/// The path from the root that `path` means in `file`; `None` when it leaves the repository.
fn resolve(file: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    if path.is_empty() {
        return Some(file.to_owned());
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_somewhere() {
        let files = ["README.md", "docs/a.md", "docs/b.md", "examples/embed/main.rs"];
        let files: BTreeSet<String> = files.iter().map(|file| (*file).to_owned()).collect();
        let read =
            |path: &str| (path == "docs/b.md").then(|| "# The `map`, told\n```\n# no\n```\n".to_owned());
        for (text, expected) in [
            ("[b](b.md) and [c](https://x.example/c.md)", None),
            ("[b](b.md#the-map-told)", None),
            ("[b](b.md#no)", Some("`docs/b.md` has no heading `#no`")),
            ("[b](c.md)", Some("there is no `docs/c.md`")),
            ("[up](../README.md \"title\")", None),
            ("[directory](../examples/)", None),
            ("[out](../../x)", Some("leaves the repository")),
            ("[out](/x)", Some("leaves the repository")),
            ("[b]: ./c.md", Some("leads nowhere")),
            ("`[b](c.md)`", None),
            ("```\n[b](c.md)\n```\n", None),
            ("fine\n[b](b.md) [c](c.md)", Some("docs/a.md:2:")),
        ] {
            let findings = check("docs/a.md", text, &files, &read);
            match expected {
                None => assert_eq!(findings, [], "{text}"),
                Some(words) => {
                    assert_eq!(findings.len(), 1, "{text}: {findings:?}");
                    assert!(findings[0].to_string().contains(words), "{}", findings[0]);
                }
            }
        }
    }
}
