use super::*;
use crate::policy::tests::policy;
use crate::rule::documentation;

/// The lines of a section, without its head.
fn section<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let head = format!("[{name}]");
    let lines = text.lines().skip_while(|line| *line != head).skip(1);
    lines.take_while(|line| !line.starts_with('[')).collect()
}

#[test]
fn presets_are_policies() {
    for preset in ALL {
        policy(preset.text);
        assert_eq!(named(preset.name).expect("there").text, preset.text);
    }
    assert!(named("workforces").is_none());
}

#[test]
fn every_key_is_there_with_a_comment() {
    for preset in ALL {
        for rule in documentation() {
            let lines = section(preset.text, rule.section);
            assert_eq!(
                lines.first(),
                Some(&&*format!("mode = \"{}\"", rule.default_mode.name())),
                "{}",
                rule.section
            );
            for setting in rule.settings {
                let is_key =
                    |line: &&str| line.trim_start_matches("# ").starts_with(&format!("{} = ", setting.key));
                let at = lines
                    .iter()
                    .position(is_key)
                    .unwrap_or_else(|| panic!("no {}.{}", rule.section, setting.key));
                let before = lines.get(at - 1).copied().unwrap_or_default();
                assert!(
                    before.starts_with("# ") && before.len() > 10,
                    "{}.{}: {before}",
                    rule.section,
                    setting.key
                );
            }
        }
    }
}

#[test]
fn what_is_commented_out_works_too() {
    for preset in ALL {
        let is_key = |line: &str| {
            line.split_once(" = ")
                .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        };
        let text: Vec<&str> = preset
            .text
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line))
            .collect();
        let text = text.join("\n");
        assert!(text.matches("\ngender = ").count() == 1 && text.contains("\nsupported = "), "{text}");
        policy(&text.replace("undeclared = \"refuse\"", "undeclared = \"accept\""));
    }
}
