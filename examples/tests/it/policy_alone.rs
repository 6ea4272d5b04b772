//! The policy by itself: one person, and one refusal.

use std::process::Command;

#[test]
fn users_are_judged_without_a_server() {
    let output = Command::new(env!("CARGO_BIN_EXE_policy_alone")).output().expect("runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let (ada, grace) = text.split_once("=> accepted").expect("the first is accepted");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in [
        "last_name Lovelace name.familyName",
        "email Ada@example.com emails[type eq \"work\"].value",
        "gender female urn:example:params:scim:schemas:extension:acme:2.0:User:gender",
        "academic_degree Dr. name.honorificPrefix",
        "language en preferredLanguage",
        "user_group Research urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        "cost_center 4711 urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter",
    ] {
        assert!(words(ada).contains(line), "{line}: {text}");
    }
    let codes: Vec<&str> = grace
        .lines()
        .filter_map(|line| line.strip_prefix("error: ").or(line.strip_prefix("note: ")))
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(codes, ["domain-not-listed", "gender-unmapped", "required-missing"], "{text}");
    assert!(grace.trim_end().ends_with("=> 400"), "{text}");
}
