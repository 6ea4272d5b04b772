//! What holds of every User, JSON of any shape included.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::tests::policy;
use crate::mapping::Field;
use crate::preset;
use crate::{Policy, Severity};

/// Every rule, enforced, over a mapping in which no two fields share a source.
fn strict() -> Policy {
    policy(
        "[mapping]\nundeclared = \"accept\"\ngender = \"urn:example:acme:User:gender\"\n\
         first_name = { from = \"name.givenName\", transform = [\"trim\", \"title\"] }\n\
         last_name = { from = \"name.familyName\", transform = [\"trim\", \"without-degree\"] }\n\
         user_group = { from = \"title\", transform = [\"trim\", \"lower\"] }\n\
         language = \"preferredLanguage\"\nlocale = \"locale\"\nfields.badge = \"nickName\"\n\
         [email]\n[domain]\nallow = [\"example.com\"]\n[collective]\n[language]\nmode = \"enforce\"\ndefault = \"de\"\n\
         supported = [\"de\", \"en\", \"pt-BR\"]\n[group]\n[gender]\nmode = \"enforce\"\nvocabulary = { m = \"male\" }\n\
         [degree]\nmode = \"enforce\"\ncanonical = true\n[required]\nfields = [\"first_name\", \"email\", \"badge\"]",
    )
}

fn policies() -> Vec<Policy> {
    let preset = preset::ALL.map(|preset| policy(preset.text));
    preset.into_iter().chain([strict(), policy("")]).collect()
}

/// Texts that fields are made from.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,12}",
        "[ \t]{0,2}[A-Za-zäößé]{1,8}[ ]?",
        "(Ada|grace|info|TEAM)[.+]?[a-z]{0,3}@(EXAMPLE.com|example.org|büch.example|a..b)",
        "(de|DE_de|en-US|fr|pt_BR|Klingonisch|de;q=0.5, en|zh-Hant)",
        "(Dr|dr. med|Prof. Dr.|PhD|Herr Dr.|MA|Frau)",
        "(m|M|male|DIVERSE|frau)",
    ]
}

/// JSON of any shape, with the names that a mapping looks for.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "userName",
            "name",
            "givenName",
            "familyName",
            "honorificPrefix",
            "emails",
            "value",
            "type",
            "primary",
            "active",
            "preferredLanguage",
            "locale",
            "title",
            "nickName",
            "displayName",
            "userType",
            "gender",
            "urn:example:acme:User",
        ])
        .prop_map(str::to_owned),
        ".{0,5}",
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A User as a client might send it.
fn user() -> impl Strategy<Value = Map<String, Value>> {
    let texts = prop::collection::vec(prop::option::of(text()), 10);
    (texts, any::<Option<bool>>()).prop_map(|(texts, active)| {
        let text = |index: usize| texts.get(index).cloned().flatten();
        let user = json!({
            "userName": text(0),
            "emails": [{ "type": "work", "value": text(1) }, { "primary": true, "value": text(2) }],
            "name": { "givenName": text(3), "familyName": text(4), "honorificPrefix": text(5) },
            "preferredLanguage": text(6), "locale": text(6), "title": text(7), "nickName": text(8),
            "urn:example:acme:User": { "gender": text(9) }, "active": active,
        });
        let Value::Object(user) = user else { return Map::new() };
        user
    })
}

/// The User with every text put where it came from in the form that the person has. What is no value of its field stays.
fn normalised(policy: &Policy, user: &Map<String, Value>) -> Map<String, Value> {
    let mut user = user.clone();
    let explanation = policy.explain(&user);
    let person = &explanation.verdict.derived.person;
    let unreadable = |field: Field| {
        explanation.verdict.findings.iter().any(|finding| {
            finding.code.starts_with("language")
                && Some(&finding.path) == explained(&explanation, field).path.as_ref()
        })
    };
    for field in Field::ALL {
        let explained = explained(&explanation, field);
        let kept = match field {
            Field::Gender => explanation.verdict.unmapped_gender.is_some(),
            Field::Language | Field::Locale => unreadable(field),
            Field::Active => true,
            _ => false,
        };
        let (Some(value), Some(path), false) = (&explained.value, &explained.path, kept) else { continue };
        // A locale may be that of the language, which is put where it came from already.
        let mut sources = policy.mapping.recipe(field).sources().iter();
        match sources.find(|source| source.to_string() == *path) {
            Some(source) => source.put(&mut user, value),
            None => assert_eq!(field, Field::Locale, "a source of the field"),
        }
    }
    for (name, recipe) in policy.mapping.own() {
        if let (Some(value), Some(source)) = (person.extra.get(name), recipe.sources().first()) {
            source.put(&mut user, value);
        }
    }
    user
}

fn explained(explanation: &crate::Explanation, field: Field) -> &crate::Explained {
    explanation.fields.iter().find(|explained| explained.field == field.name()).expect("every field")
}

proptest! {
    #[test]
    fn no_rule_panics_and_explaining_is_judging(user in any_json()) {
        let Value::Object(user) = user else { return Ok(()) };
        for policy in policies() {
            let verdict = policy.judge(&user);
            prop_assert_eq!(&policy.explain(&user).verdict, &verdict);
            prop_assert_eq!(verdict.refusal().is_some(), verdict.is_refused());
        }
    }

    #[test]
    fn what_is_normalised_is_judged_alike(user in user()) {
        let policy = strict();
        let before = policy.judge(&user);
        let after = policy.judge(&normalised(&policy, &user));
        prop_assert_eq!(&after.derived, &before.derived);
        prop_assert_eq!(&after.email_key, &before.email_key);
        let codes = |verdict: &crate::Verdict| -> Vec<(String, Severity, String)> {
            verdict.findings.iter().map(|f| (f.code.clone(), f.severity, f.path.clone())).collect()
        };
        prop_assert_eq!(codes(&after), codes(&before));
    }

    #[test]
    fn every_finding_says_what_to_do(user in user()) {
        for policy in policies() {
            for finding in policy.judge(&user).findings {
                prop_assert!(!finding.explanation.is_empty() && !finding.remedy.is_empty(), "{:?}", finding);
                prop_assert!(crate::Code::ALL.iter().any(|code| code.name() == finding.code));
            }
        }
    }
}
