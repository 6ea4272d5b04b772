use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::value::character::is_hidden;

/// The languages in order of preference, or the words that explain why there are none.
fn check(text: &str, expected: Result<&str, &str>) {
    match (Preferences::parse(text), expected) {
        (Ok(tags), Ok(canonical)) => {
            let shown: Vec<String> = tags.iter().map(ToString::to_string).collect();
            assert_eq!(shown.join(" "), canonical, "{text:?}");
        }
        (Err(error), Err(words)) => {
            assert!(error.to_string().contains(words), "{text:?}: {error}");
            assert!(!error.to_string().chars().any(is_hidden), "{error}");
        }
        (parsed, _) => panic!("{text:?}: {parsed:?}"),
    }
}

#[test]
fn reads_what_identity_providers_send() {
    for (text, expected) in [
        // Codes, in any case and with any separator.
        ("de", "de"),
        ("DE", "de"),
        (" de ", "de"),
        ("de-DE", "de-DE"),
        ("de-de", "de-DE"),
        ("de_de", "de-DE"),
        ("DE_DE", "de-DE"),
        ("en-US", "en-US"),
        ("en_uk", "en-GB"),
        ("en-USA", "en-US"),
        ("pt-BR", "pt-BR"),
        ("es-419", "es-419"),
        ("es_XL", "region"),
        ("en-001", "en-001"),
        ("sr-CS", "sr-RS"),
        // Codes of three letters.
        ("deu", "de"),
        ("ger", "de"),
        ("GER", "de"),
        ("ger-AT", "de-AT"),
        ("fra", "fr"),
        ("fre", "fr"),
        ("eng", "en"),
        ("cmn-Hans-CN", "zh-Hans-CN"),
        ("fil-PH", "tl-PH"),
        ("prs", "fa-AF"),
        ("gsw-CH", "de-CH"),
        // Withdrawn and encompassed.
        ("iw", "he"),
        ("iw_IL", "he-IL"),
        ("in", "id"),
        ("in-ID", "id-ID"),
        ("mo", "ro"),
        ("ji", "yi"),
        ("sh", "sr-Latn"),
        ("i-lux", "lb"),
        ("no-bok", "nb"),
        ("no", "no"),
        ("nb", "nb"),
        ("nn-NO", "nn-NO"),
        ("zh-cmn", "zh"),
        ("zh-yue-HK", "zh-HK"),
        // Scripts, where they mean something.
        ("zh-Hans", "zh-Hans"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("zh-Hans-CN", "zh-Hans-CN"),
        ("zh_CN", "zh-CN"),
        ("zh-TW", "zh-TW"),
        ("zh-CHS", "zh-Hans"),
        ("zh_TW_#Hant", "zh-Hant-TW"),
        ("zh__#Hans", "zh-Hans"),
        ("sr-Latn", "sr-Latn"),
        ("sr-Latn-RS", "sr-Latn-RS"),
        ("sr-Cyrl", "sr-Cyrl"),
        ("uz-Cyrl-UZ", "uz-Cyrl-UZ"),
        ("de-Latn", "de"),
        ("de-Latn-DE", "de-DE"),
        ("ru-Cyrl", "ru"),
        ("ru-Latn", "ru-Latn"),
        ("ja-Jpan-JP", "ja-JP"),
        // POSIX, and what no translation is chosen by.
        ("de_DE.UTF-8", "de-DE"),
        ("de.UTF-8", "de"),
        ("de_DE@euro", "de-DE"),
        ("sr_RS.UTF-8@latin", "sr-Latn-RS"),
        ("sr_Cyrl_RS.UTF-8@latin", "sr-Cyrl-RS"),
        ("ca-ES-valencia", "ca-ES"),
        ("es-ES_tradnl", "es-ES"),
        ("de-1996", "de"),
        ("de-DE-u-co-phonebk", "de-DE"),
        ("de-x-formal", "de"),
        // Lists.
        ("de-DE,de;q=0.9,en;q=0.8", "de-DE de en"),
        ("en;q=0.8, de;q=0.9, fr", "fr de en"),
        ("en;q=0.5,de;Q = 0.5", "en de"),
        ("de;q=1.000,en;q=.3,fr;q=0.25", "de en fr"),
        ("de,*;q=0.1", "de"),
        ("de,en;q=0", "de"),
        ("de,de;q=0.5,DE", "de"),
        ("de, xx, en", "de en"),
        ("de;en", "de en"),
        ("de;level=1;q=0.2,en", "en de"),
        (",de,,", "de"),
        ("hsb-DE,de;q=0.8", "de"),
        ("de;q=high,en", "en"),
        // Names.
        ("German", "de"),
        ("german", "de"),
        ("GERMAN", "de"),
        ("Deutsch", "de"),
        ("English (US)", "en-US"),
        ("English (United States)", "en-US"),
        ("German (Germany)", "de-DE"),
        ("Deutsch (Deutschland)", "de-DE"),
        ("Deutsch (Österreich)", "de-AT"),
        ("French (Canada)", "fr-CA"),
        ("Français", "fr"),
        ("Francais (France)", "fr-FR"),
        ("Español (Latinoamérica)", "es-419"),
        ("Português (Brasil)", "pt-BR"),
        ("Brazilian Portuguese", "pt-BR"),
        ("Chinese (Simplified)", "zh-Hans"),
        ("Chinese (Traditional, Taiwan)", "zh-Hant-TW"),
        ("Chinese, Simplified", "zh-Hans"),
        ("English, US", "en-US"),
        ("German, French", "de fr"),
        ("English - United States", "en-US"),
        ("German (de)", "de"),
        ("German (de-CH)", "de-CH"),
        ("de (German)", "de"),
        ("German (Sie)", "de"),
        ("简体中文", "zh-Hans"),
        ("中文（繁體）", "zh-Hant"),
        ("日本語", "ja"),
        ("한국어", "ko"),
        ("русский", "ru"),
        ("Čeština", "cs"),
        ("Slovene", "sl"),
        ("Dutch (Belgium)", "nl-BE"),
        ("Flemish", "nl-BE"),
        ("Norwegian Bokmål (Norway)", "nb-NO"),
        ("Serbian (Latin)", "sr-Latn"),
        ("Greek", "el"),
        ("Farsi", "fa"),
        ("Englisch", "en"),
        ("allemand", "de"),
    ] {
        match expected {
            "region" => check(text, Err("is no region")),
            tags => check(text, Ok(tags)),
        }
    }
}

#[test]
fn refuses_what_names_no_language() {
    let usual = "send an ISO 639-1 code such as `de`, with a region where it matters: `de-DE`";
    for (text, words) in [
        ("", "the language is empty; send an ISO 639-1 code"),
        (" , ", "the language is empty"),
        ("*", "`*` names no language that is preferred"),
        ("de;q=0", "`de` names no language that is preferred"),
        ("C", "`C` names no language"),
        ("C.UTF-8", "`C.UTF-8` names no language"),
        ("POSIX", "`POSIX` names no language"),
        ("xx", &format!("`xx` is no language that is known; {usual}")),
        ("1031", &format!("`1031` is no language that is known; {usual}")),
        ("x-klingon", "`x-klingon` is no language that is known"),
        ("i-klingon", "`i-klingon` is no language that is known"),
        ("Germn", "`Germn` is no language that is known; did you mean `de`?"),
        ("Englsh", "did you mean `en`?"),
        ("dk", "did you mean `da`?"),
        ("cz-CZ", "did you mean `cs`?"),
        ("jp", "did you mean `ja`?"),
        ("hsb", "`hsb` (Upper Sorbian) is a language without an ISO 639-1 code; send a language that has"),
        ("tlh", "(Klingon) is a language without an ISO 639-1 code"),
        ("de-XX", "`XX` in the language `de-XX` is no region (ISO 3166-1); leave the region off"),
        ("de-Abcd", "`Abcd` in the language `de-Abcd` is no script (ISO 15924); leave the script off"),
        ("de-DE-AT", "parts in an order that no language tag has"),
        ("de-Latn-Cyrl", "parts in an order that no language tag has"),
        ("de DE", "is no language that is known"),
        ("de/en", "is no language that is known"),
        ("de\0", "`de\\u{0}` is no language that is known"),
        ("de-\u{202E}", "`de-\\u{202e}`"),
        ("de;q=high", "the weight of `de` is not a number between 0 and 1; send weights such as `de;q=0.9`"),
        ("de;q=2", "the weight of `de`"),
        ("de;q=-1", "the weight of `de`"),
        ("de;q=", "the weight of `de`"),
        (&"de,".repeat(10_000), "too long to be a list of languages"),
    ] {
        check(text, Err(words));
    }
}

#[test]
fn gives_its_parts() {
    let tag = LanguageTag::parse("zh_hant_tw").unwrap();
    assert_eq!((tag.language(), tag.script(), tag.region()), ("zh", Some("Hant"), Some("TW")));
    let tag: LanguageTag = "deu-Latn".parse().unwrap();
    assert_eq!((tag.language(), tag.script(), tag.region()), ("de", None, None));
}

#[test]
fn chooses_what_the_person_reads() {
    for (preferences, supported, expected) in [
        ("de-CH", "de en", Some((0, "de"))),
        ("de", "de-CH de", Some((0, "de"))),
        ("pt-BR", "pt pt-BR", Some((0, "pt-BR"))),
        ("pt-PT", "pt-BR pt", Some((0, "pt"))),
        ("pt-PT", "en pt-BR", Some((0, "pt-BR"))),
        ("en", "de en-US en-GB", Some((0, "en-US"))),
        ("fr,de", "de en", Some((1, "de"))),
        ("fr", "de en", None),
        ("fr", "", None),
        ("en-GB,de", "de en-US", Some((0, "en-US"))),
        ("no", "nb", Some((0, "nb"))),
        ("nb-NO", "no", Some((0, "no"))),
        ("nn", "no", Some((0, "no"))),
        ("nn", "nb", None),
        ("nb", "no nb", Some((0, "nb"))),
        ("zh-TW", "zh-Hans zh-Hant", Some((0, "zh-Hant"))),
        ("zh-CN", "zh-Hant zh-Hans", Some((0, "zh-Hans"))),
        ("zh", "zh-Hant zh-Hans", Some((0, "zh-Hans"))),
        ("zh-TW,en", "zh-Hans en", Some((1, "en"))),
        ("zh-Hant", "zh-CN", None),
        ("zh-Hant-HK", "zh-TW", Some((0, "zh-TW"))),
        ("zh-Hant", "zh", Some((0, "zh"))),
        ("zh-Hant", "zh zh-Hant", Some((0, "zh-Hant"))),
        ("sr-Latn", "sr-Cyrl", None),
        ("sr", "sr-Latn sr-Cyrl", Some((0, "sr-Cyrl"))),
        ("sr-Latn", "sr", Some((0, "sr"))),
    ] {
        let supported: Vec<LanguageTag> =
            supported.split_whitespace().map(|tag| LanguageTag::parse(tag).unwrap()).collect();
        let chosen = choose(&Preferences::parse(preferences).unwrap(), &supported);
        let shown = chosen.map(|(place, tag)| (place, tag.to_string()));
        assert_eq!(
            shown.as_ref().map(|(place, tag)| (*place, tag.as_str())),
            expected,
            "{preferences} of {supported:?}"
        );
    }
}

#[test]
fn the_data_files_say_nothing_twice() {
    let mut seen = HashSet::new();
    for line in names::entries(include_str!("aliases.txt")) {
        let (alias, tag) = line.split_once(" = ").expect(line);
        assert_eq!(scim_core::text::fold(alias), alias, "{alias} is not folded");
        assert!(seen.insert(alias), "{alias} occurs twice");
        assert_eq!(LanguageTag::parse(tag).expect(tag).to_string(), tag);
        assert_eq!(LanguageTag::parse(alias).expect(alias).to_string(), tag, "{alias}");
    }
    let mut seen = HashSet::new();
    for line in names::entries(include_str!("scripts.txt")).chain(names::entries(include_str!("regions.txt")))
    {
        let (code, called) = line.split_once(' ').expect(line);
        for name in std::iter::once(code).chain(called.split(" | ")) {
            assert!(seen.insert(scim_core::text::fold(name).into_owned()), "{name} occurs twice");
            assert!(names::qualifier(name).is_some());
        }
    }
    for (script, languages) in USUAL_SCRIPTS {
        assert!(names::qualifier(script).is_some(), "{script}");
        for language in languages.split(' ').filter(|language| *language != "mo") {
            assert_eq!(LanguageTag::parse(language).expect(language).to_string(), language);
        }
    }
}

proptest! {
    #[test]
    fn reading_is_idempotent(text in "[a-z]{2,3}([-_]([A-Za-z]{4}|[A-Z]{2}|[0-9]{3})){0,2}|(zh|sr|de)-(Hans|Latn|Cyrl)-(DE|TW)") {
        if let Ok(tag) = LanguageTag::parse(&text) {
            prop_assert_eq!(LanguageTag::parse(&tag.to_string()), Ok(tag));
            prop_assert_eq!(Preferences::parse(&tag.to_string()), Ok(vec![tag]));
            prop_assert_eq!(choose(&[tag], &[tag]), Some((0, tag)));
        }
    }

    #[test]
    fn any_text_has_an_answer(text in "\\PC{0,40}|((de|en|xx|zh-TW|hsb|[*]|German [(]de[)]|[a-z(]{1,4})(;q=(0|0.5|1|x))?[,;]{0,2}){0,4}") {
        if let Ok(tags) = Preferences::parse(&text) {
            prop_assert!(!tags.is_empty());
        }
    }
}
