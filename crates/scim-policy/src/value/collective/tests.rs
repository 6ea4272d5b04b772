use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::words::{BESIDE, LONGEST_PHRASE, USER_TYPES, WORDS, parse};
use super::*;

/// What `judge` finds, as `cases.txt` writes it.
fn verdict(signals: &Signals<'_>, domain: &str, exceptions: &Exceptions) -> String {
    match judge(signals, domain, exceptions) {
        None => "-".to_owned(),
        Some(Evidence::Role { word }) => word.text.to_owned(),
        Some(Evidence::SharedMailbox { signal: Signal::DisplayName { word, .. } }) => {
            format!("display:{}", word.text)
        }
        Some(Evidence::SharedMailbox { signal: Signal::UserType { .. } }) => "type".to_owned(),
        Some(Evidence::Denied { entry }) => format!("denied:{entry}"),
    }
}

/// One line of `cases.txt` after its verdict.
fn signals(case: &str) -> (Signals<'_>, &str) {
    let mut fields = case.split('|').map(str::trim);
    let address = fields.next().unwrap_or_default();
    let Some((local, domain)) = address.rsplit_once('@') else { panic!("`{case}` has no address") };
    let mut next = || fields.next().filter(|field| !field.is_empty());
    let (given_name, family_name, display_name, user_type) = (next(), next(), next(), next());
    (Signals { local, given_name, family_name, display_name, user_type }, domain)
}

fn cases() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("cases.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| match line.split_once(' ') {
        Some(case) => case,
        None => panic!("`{line}` is no case"),
    })
}

#[test]
fn the_table() {
    let wrong: Vec<String> = cases()
        .filter_map(|(expected, case)| {
            let (signals, domain) = signals(case);
            let found = verdict(&signals, domain, Exceptions::none());
            (found != expected).then(|| format!("{case}\n  expected {expected}, found {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let (acquitted, convicted): (Vec<_>, Vec<_>) = cases().partition(|(expected, _)| *expected == "-");
    assert!(acquitted.len() >= 150 && convicted.len() >= 150, "{} {}", acquitted.len(), convicted.len());
}

#[test]
fn a_tag_never_changes_the_table() {
    for (expected, case) in cases() {
        let (signals, domain) = signals(case);
        for tag in ["+web", "+info", "+", "+ada+lovelace", "+noreply"] {
            let local = format!("{}{tag}", signals.local);
            let tagged = Signals { local: &local, ..signals };
            assert_eq!(verdict(&tagged, domain, Exceptions::none()), expected, "{case} with {tag}");
        }
    }
}

/// Every word of the lists is found under every spelling of it, unless another word is spelt alike.
#[test]
fn every_word_is_found() {
    for word in list(WORDS) {
        for local in [word.text.to_owned(), spelling::folded(word.text), spelling::plain(word.text)] {
            for local in [local.clone(), local.replace('-', "."), local.replace('-', "")] {
                let case = Signals { local: &local, ..Signals::default() };
                let Some(Evidence::Role { word: found }) = judge(&case, "example.com", Exceptions::none())
                else {
                    panic!("`{local}` is not found");
                };
                let alike = spelling::plain(found.text) == spelling::plain(word.text);
                assert!(alike, "`{local}` is taken for `{}`", found.text);
            }
        }
    }
}

fn list(text: &'static str) -> impl Iterator<Item = &'static Word> {
    lines(text).map(|line| match parse(line) {
        Some(word) => &*Box::leak(Box::new(word)),
        None => panic!("`{line}` is not in the form of the lists"),
    })
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[test]
fn the_lists_keep_to_their_form() {
    for text in [WORDS, BESIDE, USER_TYPES] {
        let words: Vec<&Word> = list(text).collect();
        for pair in words.windows(2) {
            assert!(pair[0].text < pair[1].text, "`{}` does not follow `{}`", pair[1].text, pair[0].text);
        }
        for word in &words {
            let letters = word.text.chars().all(|c| c == '-' || c.is_alphabetic());
            assert!(letters, "`{}` has something other than letters", word.text);
            let lower = word.text.chars().all(|c| c.to_lowercase().eq([c]));
            assert!(lower, "`{}` has capitals", word.text);
            assert!(!word.text.split('-').any(str::is_empty), "`{}` has an empty word", word.text);
            assert!(word.text.split('-').count() <= LONGEST_PHRASE, "`{}` is too long", word.text);
            let languages: Vec<&str> = word.languages.split(',').collect();
            assert!(languages.is_sorted(), "the languages of `{}`", word.text);
            for language in languages {
                let known = language == "mul" || isolang::Language::from_639_1(language).is_some();
                assert!(known, "`{language}` of `{}` is no language", word.text);
            }
        }
    }
}

#[test]
fn words_spelt_alike_are_listed_once() {
    let mut keys: BTreeMap<String, &str> = BTreeMap::new();
    for word in list(WORDS).chain(list(BESIDE)) {
        let other = keys.insert(spelling::folded(word.text).replace('-', ""), word.text);
        assert_eq!(other, None, "`{}` is spelt alike", word.text);
    }
}

#[test]
fn only_words_that_are_no_initials_convict_beside_others() {
    for word in list(WORDS).filter(|word| word.class != Class::Alone) {
        let letters = spelling::plain(word.text).chars().filter(|c| c.is_alphabetic()).count();
        assert!(letters > 3, "`{}` is as short as initials", word.text);
        assert_ne!(word.class, Class::Beside, "`{}` belongs in beside.txt", word.text);
    }
    assert!(list(BESIDE).all(|word| word.class == Class::Beside));
}

#[test]
fn the_languages_of_europe_are_there() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut categories = BTreeSet::new();
    for word in list(WORDS).chain(list(BESIDE)) {
        categories.insert(word.category);
        for language in word.languages.split(',') {
            *counts.entry(language).or_default() += 1;
        }
    }
    for (language, least) in [
        ("mul", 300),
        ("en", 600),
        ("de", 600),
        ("fr", 200),
        ("es", 180),
        ("it", 180),
        ("nl", 180),
        ("pl", 180),
        ("pt", 150),
        ("sv", 150),
        ("cs", 150),
        ("da", 120),
        ("fi", 100),
        ("hu", 100),
        ("no", 80),
        ("ro", 80),
        ("hr", 80),
        ("et", 60),
        ("sk", 50),
        ("sl", 50),
        ("el", 50),
        ("lt", 50),
        ("lv", 50),
        ("bg", 40),
        ("ca", 40),
    ] {
        let count = counts.get(language).copied().unwrap_or_default();
        assert!(count >= least, "{language} has {count} words");
    }
    assert!(Category::ALL.iter().all(|category| categories.contains(category)), "a category has no word");
}

/// The verdict on an address of nobody's, with a tenant's exceptions.
fn excepting(allow: &[&str], deny: &[&str], address: &str) -> String {
    let exceptions = Exceptions::new(allow.iter().copied(), deny.iter().copied()).unwrap();
    let (signals, domain) = signals(address);
    verdict(&signals, domain, &exceptions)
}

#[test]
fn exceptions_come_first() {
    let check = |allow: &[&str], deny: &[&str], address: &str, expected: &str| {
        assert_eq!(excepting(allow, deny, address), expected, "{address} with {allow:?} and {deny:?}");
    };
    let address = &["info@example.com"];
    check(address, &[], "info@example.com", "-");
    check(address, &[], "INFO+x@EXAMPLE.com", "-");
    check(address, &[], "info@example.com | | | Team Info | SharedMailbox", "-");
    check(address, &[], "info@example.org", "info");
    check(address, &[], "info.koeln@example.com", "info");
    check(&["info@bücher.example"], &[], "info@xn--bcher-kva.example", "-");
    check(&["info@xn--bcher-kva.example"], &[], "info@Bücher.example", "-");
    check(&["info"], &[], "info@example.org", "-");
    check(&["info"], &[], "info.koeln@example.org", "-");
    check(&["info"], &[], "info-team@example.org", "team");
    check(&["info"], &["info@example.org"], "info@example.org", "denied:info@example.org");
    check(&["info@example.org"], &["info"], "info@example.org", "-");
    check(&["info@example.org"], &["info"], "info@example.com", "denied:info");
    check(&["Büro"], &[], "buero@example.com", "-");
    check(&["no-reply"], &[], "noreply@example.com", "-");
    check(&["no-reply"], &[], "no.reply.koeln@example.com", "-");
    let front = &["blue-lodge"];
    check(&[], front, "blue-lodge@example.com", "denied:blue-lodge");
    check(&[], front, "blue.lodge@example.com | Blue | Lodge", "denied:blue-lodge");
    check(&[], front, "bluelodge@example.com", "denied:blue-lodge");
    check(&[], front, "BlueLodge2.koeln@example.com", "denied:blue-lodge");
    check(&[], front, "blue@example.com", "-");
    check(&[], front, "ada.blue-lodge@example.com", "-");
    check(&[], front, "bluelodger@example.com", "-");
    check(&[], &["post"], "post@example.com | Emily | Post", "denied:post");
    check(&[], &["post"], "emily.post@example.com | Emily | Post", "-");
    check(&[], &["squad7"], "squad-7@example.com", "denied:squad7");
    check(&[], &["squad7"], "ada7@example.com", "-");
    check(&[], &["ada.lovelace@example.com"], "ada.lovelace@example.com | Ada | Lovelace", {
        "denied:ada.lovelace@example.com"
    });
}

#[test]
fn bad_exceptions_say_why() {
    let check = |allow: &[&str], deny: &[&str], expected: &str| {
        let bad = Exceptions::new(allow.iter().copied(), deny.iter().copied()).unwrap_err();
        assert_eq!(bad.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    };
    check(&[" "], &[], "` ` under `allow`: is empty; name an address, or what stands before its `@`");
    check(
        &[],
        &["info*"],
        "`info*` under `deny`: is a pattern; name each address, or the word that they share",
    );
    check(
        &["a+b@example.com"],
        &[],
        "`a+b@example.com` under `allow`: tags are not looked at; leave out `+b`",
    );
    check(&["@example.com"], &[], {
        "`@example.com` under `allow`: names a whole domain; name each address, or what stands before its `@`"
    });
    check(&["info@"], &[], "`info@` under `allow`: `` is not a domain");
    check(&["a@b@example.com"], &[], {
        "`a@b@example.com` under `allow`: is not an address; name one, such as `info@example.com`"
    });
    check(&[], &["42"], "`42` under `deny`: has no letter; name the whole address");
    check(&["Info"], &["info"], "`info` under `deny`: is `Info` under `allow` too; leave out one of the two");
    check(&["no-reply"], &["noreply"], {
        "`noreply` under `deny`: is `no-reply` under `allow` too; leave out one of the two"
    });
    let bad = Exceptions::new(["info", &"x".repeat(255)], ["*", "squad", "info"]).unwrap_err();
    let places: Vec<_> = bad.iter().map(|bad| (bad.list, bad.index)).collect();
    assert_eq!(places, [(List::Allow, 1), (List::Deny, 0), (List::Deny, 2)]);
}

/// Local parts of the words that matter, of names, and of noise.
fn locals() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "info",
        "Büro",
        "noreply",
        "no",
        "reply",
        "post",
        "hr",
        "team",
        "ada",
        "lovelace",
        "köln",
        "web",
        "7",
        "ß",
        "İ",
        "",
        "отдел",
        "ü\u{308}",
        "e",
    ]);
    let separator = prop::sample::select(vec![".", "-", "_", "", "'", " "]);
    prop::collection::vec((word, separator), 0..6)
        .prop_map(|words| words.iter().flat_map(|(word, separator)| [*word, *separator]).collect())
}

fn names() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop_oneof![
        Just("Ada".to_owned()),
        Just("Post".to_owned()),
        Just("Info".to_owned()),
        Just("Team Köln".to_owned()),
        any::<String>(),
    ])
}

proptest! {
    #[test]
    fn any_text_is_judged(local in any::<String>(), given in names(), family in names(), display in names(),
        kind in names(), domain in any::<String>(), entry in any::<String>()) {
        let signals = Signals {
            local: &local,
            given_name: given.as_deref(),
            family_name: family.as_deref(),
            display_name: display.as_deref(),
            user_type: kind.as_deref(),
        };
        let exceptions = Exceptions::new([], [entry.as_str()]).unwrap_or_default();
        let first = judge(&signals, &domain, &exceptions);
        prop_assert_eq!(judge(&signals, &domain, &exceptions), first);
    }

    #[test]
    fn case_and_tags_change_nothing(local in locals(), tag in any::<String>(), given in names(), family in names()) {
        let judged = |local: &str| {
            let (given_name, family_name) = (given.as_deref(), family.as_deref());
            judge(&Signals { local, given_name, family_name, ..Signals::default() }, "example.com", Exceptions::none())
        };
        let verdict = judged(&local);
        prop_assert_eq!(&judged(&local.to_uppercase()), &verdict);
        prop_assert_eq!(&judged(&local.to_lowercase()), &verdict);
        prop_assert_eq!(&judged(&format!("{local}+{tag}")), &verdict);
    }

    #[test]
    fn the_case_of_names_changes_nothing(local in locals(), given in "\\PC{0,12}", family in "\\PC{0,12}") {
        let judged = |given: &str, family: &str| {
            let signals = Signals { local: &local, given_name: Some(given), family_name: Some(family), ..Signals::default() };
            judge(&signals, "example.com", Exceptions::none())
        };
        prop_assert_eq!(judged(&given.to_uppercase(), &family.to_uppercase()), judged(&given, &family));
    }

    #[test]
    fn exceptions_win_both_ways(local in locals(), given in names(), family in names(), display in names()) {
        let (given_name, family_name, display_name) = (given.as_deref(), family.as_deref(), display.as_deref());
        let signals = Signals { local: &local, given_name, family_name, display_name, user_type: Some("Room") };
        // An entry is trimmed.
        let local = local.trim().to_owned();
        let signals = Signals { local: &local, ..signals };
        let address = format!("{local}@example.com");
        for entry in [&local, &address] {
            if let Ok(allowed) = Exceptions::new([entry.as_str()], []) {
                prop_assert_eq!(judge(&signals, "example.com", &allowed), None);
            }
            if let Ok(denied) = Exceptions::new([], [entry.as_str()]) {
                let found = judge(&signals, "example.com", &denied);
                prop_assert_eq!(found, Some(Evidence::Denied { entry: entry.clone() }));
            }
        }
    }
}
