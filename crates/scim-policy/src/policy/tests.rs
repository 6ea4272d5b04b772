use scim_core::person::{Gender, Person, Pick};
use scim_core::schema::Registry;
use serde_json::json;

use crate::{OnConflict, Policy, PolicyFile, Severity, Verdict};

const ACME: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";

/// The policy of a file, over the built-in schemas and what the file accepts undeclared.
pub(crate) fn policy(text: &str) -> Policy {
    let file = PolicyFile::parse(text);
    let mut builder = Registry::builder().expect("built in");
    for schema in file.undeclared(&Registry::builtin().expect("built in")) {
        let urn = schema["id"].as_str().expect("a URN").to_owned();
        builder = builder.schema(&schema).expect("a schema").extend("User", &urn, false).expect("extends");
    }
    let registry = builder.build().expect("a registry");
    file.compile(registry.endpoint("Users").expect("built in")).expect("a policy")
}

fn protocol_only() -> Policy {
    Policy::protocol_only(Registry::builtin().expect("built in").endpoint("Users").expect("built in"))
}

fn judge(policy: &str, user: serde_json::Value) -> Verdict {
    super::Policy::judge(&self::policy(policy), user.as_object().expect("a User"))
}

/// What a policy says of a User: `severity code path value` for each finding.
fn check(policy: &str, user: serde_json::Value, expected: &[&str]) {
    let verdict = judge(policy, user.clone());
    let told: Vec<String> = verdict
        .findings
        .iter()
        .map(|finding| {
            format!("{} {} {} {}", finding.severity.name(), finding.code, finding.path, finding.value)
        })
        .collect();
    assert_eq!(told, expected, "{policy}\n{user}");
    assert_eq!(verdict.is_refused(), verdict.refusal().is_some());
}

/// The person that a policy makes of a User.
fn person(policy: &str, user: serde_json::Value) -> Person {
    judge(policy, user).derived.person
}

#[test]
fn without_a_policy_the_default_mapping_fits_entra_and_okta() {
    let entra = json!({
        "userName": "ada@example.com", "externalId": "ada", "active": true, "displayName": "Dr. Ada Lovelace",
        "emails": [{ "primary": true, "type": "work", "value": " Ada@EXAMPLE.com" }],
        "name": { "formatted": "Dr. Ada Lovelace", "familyName": "Lovelace", "givenName": "Ada ", "honorificPrefix": "Frau Dr." },
        "title": "Engineer", "preferredLanguage": "de_DE",
    });
    let verdict = protocol_only().judge(entra.as_object().expect("a User"));
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        verdict.derived.person,
        Person {
            first_name: text("Ada"),
            last_name: text("Lovelace"),
            email: text("Ada@example.com"),
            academic_degree: text("Dr."),
            language: text("de"),
            locale: text("de-DE"),
            active: true,
            ..Person::default()
        }
    );
    assert_eq!(verdict.derived.pick, Some(Pick::First));
    assert_eq!((verdict.findings, verdict.email_key, verdict.email_path), (vec![], None, None));

    let okta = json!({
        "userName": "grace@example.com", "name": { "givenName": "Grace", "familyName": "Hopper" }, "active": true,
        "emails": [{ "primary": true, "type": "work", "value": "grace@example.com" }], "locale": "en_US",
    });
    let person = protocol_only().judge(okta.as_object().expect("a User")).derived.person;
    assert_eq!((person.language.as_deref(), person.locale.as_deref()), (Some("en"), Some("en-US")));
    assert_eq!(
        (person.academic_degree, person.gender, person.email),
        (None, None, text("grace@example.com"))
    );

    // Nothing is refused, whatever it is.
    let odd = json!({ "userName": "x", "emails": [{ "value": "info@co.uk@" }], "preferredLanguage": "??", "active": "no" });
    let verdict = protocol_only().judge(odd.as_object().expect("a User"));
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.derived.person, Person::default());
}

#[test]
fn one_address_is_chosen_by_preference() {
    let emails = |emails: serde_json::Value| json!({ "userName": "log@example.com", "emails": emails });
    let (work, home, main) = (
        json!({ "type": "work", "value": "work@example.com" }),
        json!({ "type": "home", "value": "home@example.com" }),
        json!({ "primary": true, "value": "main@example.com" }),
    );
    for (prefer, user, expected) in [
        ("", emails(json!([home, main, work])), Some("work@example.com")),
        ("", emails(json!([home, main])), Some("main@example.com")),
        ("", emails(json!([home])), Some("home@example.com")),
        ("", emails(json!([])), Some("log@example.com")),
        ("", json!({ "userName": "log" }), None),
        ("prefer = [\"home\", \"userName\"]", emails(json!([home, main, work])), Some("home@example.com")),
        ("prefer = [\"userName\", \"work\"]", emails(json!([home, main, work])), Some("log@example.com")),
        ("prefer = [\"work\", \"primary\", \"userName\"]", emails(json!([home])), Some("log@example.com")),
        (
            "prefer = [\"userName\", \"work\"]",
            json!({ "userName": "log", "emails": [work] }),
            Some("work@example.com"),
        ),
    ] {
        let person = person(&format!("[email]\n{prefer}"), user.clone());
        assert_eq!(person.email.as_deref(), expected, "{prefer} {user}");
    }
}

#[test]
fn findings_of_each_rule() {
    let all = "[email]\n[domain]\nallow = [\"example.com\"]\n[required]\nfields = [\"email\", \"last_name\"]";
    let user = json!({ "userName": "ada", "emails": [{ "type": "work", "value": "ada" }] });
    let work = "emails[type eq \"work\"].value";
    check(
        all,
        user.clone(),
        &[&format!("error email-syntax {work} ada"), "error required-missing name.familyName "],
    );
    let warned = all.replace("[email]", "[email]\nmode = \"warn\"");
    check(
        &warned,
        user.clone(),
        &[
            &format!("warning email-syntax {work} ada"),
            &format!("error required-missing {work} ada"),
            "error required-missing name.familyName ",
        ],
    );
    check(
        &all.replace("[email]", "[email]\nmode = \"off\""),
        user.clone(),
        &[&format!("error required-missing {work} ada"), "error required-missing name.familyName "],
    );
    check("", user, &[]);
    let own =
        "[mapping.fields]\nroom = \"title\"\ndesk = \"nickName\"\n[required]\nfields = [\"desk\", \"room\"]";
    check(own, json!({ "userName": "ada", "title": "R" }), &["error required-missing nickName "]);
    check(own, json!({ "userName": "ada", "title": "R", "nickName": "D" }), &[]);
    let elsewhere = json!({ "userName": "ada@mail.example.com" });
    let domain = "[domain]\nallow = [\"example.com\"]";
    check(domain, elsewhere.clone(), &["error domain-not-listed userName ada@mail.example.com"]);
    check(
        &format!("{domain}\nmode = \"warn\""),
        elsewhere.clone(),
        &["warning domain-not-listed userName ada@mail.example.com"],
    );
    check(&format!("{domain}\nmode = \"off\""), elsewhere.clone(), &[]);
    check(&format!("{domain}\nsubdomains = true"), elsewhere, &[]);
    check(domain, json!({ "userName": "ada@EXAMPLE.com" }), &[]);
    check(domain, json!({ "userName": "ada" }), &[]);
}

#[test]
fn addresses_are_personal() {
    let user = |address: &str, given: &str, family: &str| json!({ "emails": [{ "type": "work", "value": address }], "name": { "givenName": given, "familyName": family } });
    let work = "emails[type eq \"work\"].value";
    let section = "[collective]\nallow = [\"info@example.com\"]\ndeny = [\"front-desk\"]";
    for (section, address, severity) in [
        (section, "ada.lovelace@example.com", None),
        (section, "kontakt+web@example.com", Some("error")),
        (section, "info@example.com", None),
        (section, "Info@EXAMPLE.com", None),
        (section, "info@example.org", Some("error")),
        (section, "Front.Desk2@example.com", Some("error")),
        ("[collective]", "info@example.com", Some("error")),
        ("[collective]\nmode = \"warn\"", "info@example.com", Some("warning")),
        ("[collective]\nmode = \"off\"", "info@example.com", None),
        ("", "info@example.com", None),
    ] {
        let expected = severity.map(|severity| format!("{severity} collective-address {work} {address}"));
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(section, user(address, "Ada", "Lovelace"), &expected);
    }
    check("[collective]", user("post@example.com", "Emily", "Post"), &[]);
    // The names are those that the person gets, wherever they come from.
    let mapped = "[mapping]\nlast_name = \"nickName\"\n[collective]";
    check(
        mapped,
        json!({ "userName": "post@example.com", "name": { "givenName": "Emily" }, "nickName": "Post" }),
        &[],
    );
    let mailbox =
        json!({ "userName": "x1@example.com", "displayName": "Team Vertrieb", "userType": "Employee" });
    check("[collective]", mailbox, &["error shared-mailbox displayName Team Vertrieb"]);
    let room = json!({ "userName": "x1@example.com", "userType": "Room" });
    check("[collective]", room, &["error shared-mailbox userType Room"]);
    check("[collective]", json!({ "userName": "x1", "displayName": "Team Vertrieb" }), &[]);
}

#[test]
fn languages() {
    let settings = "default = \"de\"\nsupported = [\"de\", \"en\", \"pt-BR\"]";
    for (section, sent, expected, found) in [
        (settings, "fr, en;q=0.5", "en en", ""),
        (settings, "de_CH", "de de-CH", ""),
        (settings, "pt-PT", "pt pt-PT", ""),
        (settings, "fr-FR", "de de", "note language-unsupported"),
        (settings, "Klingonisch", "de de", "warning language-unreadable"),
        (settings, "", "de de", ""),
        ("supported = [\"nb\"]", "no", "nb nb", ""),
        ("mode = \"enforce\"", "Klingonisch", "- -", "error language-unreadable"),
        ("mode = \"enforce\"\nsupported = [\"de\"]", "en", "- -", "note language-unsupported"),
        ("mode = \"off\"\nsupported = [\"de\"]\ndefault = \"de\"", "en", "de de", ""),
        ("", "zh_Hans", "zh zh-Hans", ""),
        ("", "GERMAN", "de de", ""),
    ] {
        let verdict = judge(&format!("[language]\n{section}"), json!({ "preferredLanguage": sent }));
        let person = &verdict.derived.person;
        let shown = |text: &Option<String>| text.clone().unwrap_or("-".into());
        assert_eq!(
            format!("{} {}", shown(&person.language), shown(&person.locale)),
            expected,
            "{section} {sent}"
        );
        let told: Vec<String> = verdict
            .findings
            .iter()
            .map(|finding| format!("{} {}", finding.severity.name(), finding.code))
            .collect();
        assert_eq!(told.join(" "), found, "{section} {sent}");
    }
    let mapped = "[mapping]\nlocale = \"locale\"\n[language]\nmode = \"enforce\"";
    let verdict = judge(mapped, json!({ "preferredLanguage": "de", "locale": "en_US" }));
    assert_eq!(verdict.derived.person.language.as_deref(), Some("de"));
    assert_eq!(verdict.derived.person.locale.as_deref(), Some("en-US"));
    check(
        mapped,
        json!({ "preferredLanguage": "de", "locale": "??" }),
        &["error language-unreadable locale ??"],
    );
}

#[test]
fn genders() {
    let file =
        |gender: &str| format!("[mapping]\nundeclared = \"accept\"\ngender = \"{ACME}:gender\"\n{gender}");
    let section = "[gender]\nvocabulary = { m = \"male\", \"MÄNNLICH\" = \"male\", w = \"female\", x = \"diverse\", weiss = \"diverse\", male = \"diverse\" }";
    let path = format!("{ACME}:gender");
    for (section, sent, expected, found) in [
        (section, "M", Gender::Male, ""),
        (section, " männlich\t", Gender::Male, ""),
        (section, "ma\u{308}nnlich", Gender::Male, ""),
        (section, "WEIẞ", Gender::Diverse, ""),
        (section, "W", Gender::Female, ""),
        (section, "Male", Gender::Diverse, ""),
        (section, "Female", Gender::Female, ""),
        (section, "unknown", Gender::Unknown, ""),
        (section, "frau", Gender::Unknown, "note"),
        ("[gender]\nmode = \"enforce\"", "frau", Gender::Unknown, "error"),
        ("[gender]\nmode = \"off\"", "frau", Gender::Unknown, ""),
        ("", "frau", Gender::Unknown, ""),
        ("", "FEMALE", Gender::Female, ""),
    ] {
        let user = json!({ ACME: { "gender": sent } });
        let verdict = judge(&file(section), user.clone());
        assert_eq!(verdict.derived.person.gender, Some(expected), "{section} {sent}");
        let finding = format!("{found} gender-unmapped {path} {sent}");
        check(
            &file(section),
            user,
            if found.is_empty() { &[] } else { std::slice::from_ref(&finding) }
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .as_slice(),
        );
        assert_eq!(
            verdict.unmapped_gender.as_deref(),
            (sent == "frau").then_some("frau"),
            "{section} {sent}"
        );
    }
    assert_eq!(person(&file(section), json!({ ACME: {} })).gender, None);
}

#[test]
fn degrees() {
    let mapped = "[mapping]\nacademic_degree = \"title\"\n";
    for (file, user, expected, found) in [
        (
            String::new(),
            json!({ "name": { "honorificPrefix": "Herr prof dr med" } }),
            Some("Prof. Dr. med."),
            "",
        ),
        (String::new(), json!({ "name": { "honorificPrefix": "prof dr med" } }), Some("prof dr med"), ""),
        (
            String::new(),
            json!({ "name": { "honorificPrefix": "Mr", "honorificSuffix": "PhD" } }),
            Some("PhD"),
            "",
        ),
        (
            "[degree]\ncanonical = true".into(),
            json!({ "name": { "honorificPrefix": "prof dr med" } }),
            Some("Prof. Dr. med."),
            "",
        ),
        ("[degree]".into(), json!({ "name": { "honorificPrefix": "prof dr med" } }), Some("prof dr med"), ""),
        (
            format!("{mapped}[degree]\ncanonical = true"),
            json!({ "title": "Head of Sales" }),
            Some("Head of Sales"),
            "note",
        ),
        (
            format!("{mapped}[degree]\nmode = \"enforce\"\ncanonical = true"),
            json!({ "title": "Head" }),
            Some("Head"),
            "error",
        ),
        (
            format!("{mapped}[degree]\nmode = \"enforce\"\ncanonical = true"),
            json!({ "title": "phd" }),
            Some("PhD"),
            "",
        ),
        (
            format!("{mapped}[degree]\nmode = \"enforce\"\ncanonical = true"),
            json!({ "title": "MA" }),
            Some("MA"),
            "",
        ),
        (
            format!("{mapped}[degree]\nmode = \"enforce\"\ncanonical = true"),
            json!({ "title": "Dipl.-Ing." }),
            Some("Dipl.-Ing."),
            "",
        ),
    ] {
        let verdict = judge(&file, user.clone());
        assert_eq!(verdict.derived.person.academic_degree.as_deref(), expected, "{file} {user}");
        let told: Vec<&str> = verdict.findings.iter().map(|finding| finding.severity.name()).collect();
        assert_eq!(told.join(" "), found, "{file} {user}");
    }
}

#[test]
fn mapping_finds_the_first_value_that_is_left() {
    let file = "[mapping]\nfirst_name = { from = [\"nickName\", \"name.givenName\"], transform = [] }\n\
                last_name = { from = [\"name.formatted\", \"displayName\"], transform = [\"without-degree\", \"upper\"] }\n\
                user_group = \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department\"\n\
                active = \"userType\"\n\
                [mapping.fields]\nphone = \"phoneNumbers[type eq \\\"work\\\"].value\"\nname = \"name.familyName\"";
    let user = json!({
        "nickName": " ", "name": { "givenName": "Ada", "formatted": "Dr.", "familyName": 7 },
        "displayName": "Prof. Dr. Lovelace", "userType": "True",
        "phoneNumbers": [{ "type": "home", "value": "1" }, { "type": "work" }, { "type": "work", "value": "2" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": " Sales " },
    });
    let verdict = judge(file, user);
    let person = &verdict.derived.person;
    assert_eq!(person.first_name.as_deref(), Some("Ada"));
    assert_eq!(person.last_name.as_deref(), Some("LOVELACE"));
    assert_eq!(person.user_group.as_deref(), Some("Sales"));
    assert_eq!(verdict.derived.pick, None);
    assert!(person.active);
    let extra: Vec<_> = person.extra.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(extra, [("name", "7"), ("phone", "2")]);
}

#[test]
fn nothing_keeps_somebody_from_leaving() {
    let file = "[email]\n[domain]\nallow = [\"example.com\"]\n[required]\nfields = [\"last_name\"]";
    let user = |active: Option<bool>| {
        let mut user = json!({ "userName": "ada@example.org" });
        if let Some(active) = active {
            user["active"] = active.into();
        }
        user
    };
    for (active, severity, claims) in [
        (Some(true), Severity::Error, true),
        (None, Severity::Error, true),
        (Some(false), Severity::Warning, false),
    ] {
        let verdict = judge(file, user(active));
        assert_eq!(verdict.findings.len(), 2);
        assert!(verdict.findings.iter().all(|finding| finding.severity == severity), "{active:?}");
        assert_eq!(verdict.email_key.as_deref(), claims.then_some("ada@example.org"));
        assert_eq!(verdict.email_path.as_deref(), claims.then_some("userName"));
        assert_eq!(verdict.derived.person.active, active == Some(true));
    }
}

#[test]
fn addresses_are_claimed_where_the_policy_asks() {
    for (file, claims, severity) in [
        ("[email]", true, Some(Severity::Error)),
        ("[email]\nmode = \"warn\"", true, Some(Severity::Warning)),
        ("[email]\nmode = \"off\"", false, None),
        ("", false, None),
    ] {
        let key = judge(file, json!({ "userName": "Ada@example.com" })).email_key;
        assert_eq!(key.as_deref(), claims.then_some("ada@example.com"), "{file}");
        let taken = policy(file).email_taken("Ada@example.com", "userName", None);
        assert_eq!(taken.map(|finding| finding.severity), severity, "{file}");
    }
}

#[test]
fn groups() {
    use OnConflict::*;
    let title = "[mapping]\nuser_group = \"title\"\n";
    for (file, on_conflict, exclusive, pick, second, nested) in [
        ("".to_owned(), Refuse, false, Some(Pick::First), None, None),
        ("[group]".to_owned(), Refuse, true, Some(Pick::First), Some(Severity::Error), Some(Severity::Error)),
        (
            "[group]\nmode = \"warn\"".to_owned(),
            Refuse,
            false,
            Some(Pick::First),
            Some(Severity::Warning),
            Some(Severity::Warning),
        ),
        ("[group]\nmode = \"off\"".to_owned(), Refuse, false, Some(Pick::First), None, None),
        (
            "[group]\non_conflict = \"latest\"".to_owned(),
            Latest,
            false,
            Some(Pick::Latest),
            None,
            Some(Severity::Error),
        ),
        (
            "[group]\non_conflict = \"first\"".to_owned(),
            First,
            false,
            Some(Pick::First),
            None,
            Some(Severity::Error),
        ),
        (format!("{title}[group]"), Refuse, false, None, None, Some(Severity::Error)),
    ] {
        let policy = policy(&file);
        let group = policy.group();
        assert_eq!((group.on_conflict, group.is_exclusive()), (on_conflict, exclusive), "{file}");
        assert_eq!(group.from_memberships, !file.contains("title"), "{file}");
        assert_eq!(judge(&file, json!({})).derived.pick, pick, "{file}");
        let severity = |finding: Option<crate::Finding>| finding.map(|finding| finding.severity);
        assert_eq!(severity(policy.second_group("ada@example.com", "Support", "Sales")), second, "{file}");
        assert_eq!(severity(policy.nested_group("Sales", "Berlin")), nested, "{file}");
    }
}

#[test]
fn an_explanation_tells_each_step() {
    let file = "[mapping]\nlast_name = { from = [\"nickName\", \"name.familyName\"], transform = [\"without-degree\", \"upper\"] }\n\
                first_name = { from = \"userType\", transform = [\"degree\"] }\nfields.badge = \"title\"\n[language]\ndefault = \"de\"\nsupported = [\"de\"]\n[degree]\ncanonical = true";
    let user = json!({
        "nickName": "Dr.", "name": { "familyName": "Dr. Lovelace", "honorificPrefix": "dr" }, "title": "T1", "active": true, "userType": "Herr",
        "userName": "Ada@EXAMPLE.com", "preferredLanguage": "fr",
    });
    let explanation = policy(file).explain(user.as_object().expect("a User"));
    let told: Vec<String> = explanation
        .fields
        .iter()
        .map(|field| {
            let steps: Vec<String> =
                field.steps.iter().map(|step| format!("{}={}", step.what, step.value)).collect();
            let shown = |text: &Option<String>| text.clone().unwrap_or("-".into());
            let (path, raw, value) = (shown(&field.path), shown(&field.raw), shown(&field.value));
            format!("{}: {path} {raw} [{}] {value}", field.field, steps.join(", "))
        })
        .collect();
    assert_eq!(
        told,
        [
            "first_name: - - [] -",
            "last_name: name.familyName Dr. Lovelace [without-degree=Lovelace, upper=LOVELACE] LOVELACE",
            "email: userName Ada@EXAMPLE.com [address=Ada@example.com] Ada@example.com",
            "gender: - - [] -",
            "academic_degree: name.honorificPrefix dr [[degree] canonical=Dr.] Dr.",
            "language: preferredLanguage fr [[language] default=de] de",
            "locale: - - [[language] default=de] de",
            "user_group: - - [] -",
            "active: active true [] true",
            "badge: title T1 [] T1",
        ]
    );
    assert_eq!(explanation.verdict.findings.len(), 1);
}
