use proptest::prelude::*;

use super::*;

/// The normalised address, or the words that explain the refusal.
fn check(text: &str, expected: Result<&str, &str>) {
    match (EmailAddress::parse(text), expected) {
        (Ok(address), Ok(normalised)) => assert_eq!(address.to_string(), normalised, "{text:?}"),
        (Err(error), Err(words)) => {
            assert!(error.explanation().contains(words), "{text:?}: {error}");
            assert!(!error.remedy().is_empty());
            assert!(!error.to_string().chars().any(is_hidden), "{error}");
        }
        (parsed, _) => panic!("{text:?}: {parsed:?}"),
    }
}

#[test]
fn every_form_is_decided() {
    let longest_local = "a".repeat(64);
    let domain_of_length = |length: usize| {
        let label = "b".repeat(61);
        format!("{}.{}.example", [label.as_str(); 3].join("."), "c".repeat(length - 3 * 62 - 8))
    };
    let (ada, bucher) = (Ok("ada@example.com"), Ok("ada@xn--bcher-kva.example"));
    for (text, expected) in [
        ("ada@example.com", ada),
        ("ada@EXAMPLE.COM", ada),
        (" ada@example.com ", ada),
        ("\tada@example.com\u{A0}", ada),
        ("ada@bücher.example", bucher),
        ("ada@BU\u{308}CHER.example", bucher),
        ("ada@XN--bcher-kva.example", bucher),
        // The local part stays as it was written.
        ("Ada.Lovelace@Example.com", Ok("Ada.Lovelace@example.com")),
        ("ada+scim@example.com", Ok("ada+scim@example.com")),
        ("o'brien@example.com", Ok("o'brien@example.com")),
        ("ada_l-1815@example.com", Ok("ada_l-1815@example.com")),
        ("#$&'*+-/=^?_`{|}~@example.com", Ok("#$&'*+-/=^?_`{|}~@example.com")),
        ("a@b.example", Ok("a@b.example")),
        ("1815@example.com", Ok("1815@example.com")),
        ("adà@example.com", Ok("adà@example.com")),
        ("ada\u{300}@example.com", Ok("ada\u{300}@example.com")),
        ("用户@例え.example", Ok("用户@xn--r8jz45g.example")),
        ("ada_example.com#EXT#@example.onmicrosoft.com", Ok("ada_example.com#EXT#@example.onmicrosoft.com")),
        (&format!("{longest_local}@example.com"), Ok(&format!("{longest_local}@example.com"))),
        (&format!("a@{}", domain_of_length(252)), Ok(&format!("a@{}", domain_of_length(252)))),
        // Not one address alone.
        ("", Err("the e-mail address is empty")),
        ("   ", Err("the e-mail address is empty")),
        ("ada", Err("it has no `@`")),
        ("ada.example.com", Err("it has no `@`")),
        ("ada(at)example.com", Err("comment")),
        ("mailto:ada@example.com", Err("is a link")),
        ("MAILTO:ada@example.com", Err("is a link")),
        ("Ada Lovelace <ada@example.com>", Err("angle brackets")),
        ("<ada@example.com>", Err("angle brackets")),
        ("\"Ada\" <ada@example.com>", Err("angle brackets")),
        ("ada@example.com, grace@example.com", Err("more than one e-mail address")),
        ("ada@example.com;grace@example.com", Err("more than one e-mail address")),
        // Two readings.
        ("a@b@c", Err("more than one `@`")),
        ("ada@evil.example@example.com", Err("more than one `@`")),
        ("ada@@example.com", Err("more than one `@`")),
        ("\"ada\"@example.com", Err("quotation marks")),
        ("\"ada@evil.example\"@example.com", Err("quotation marks")),
        ("\"ada lovelace\"@example.com", Err("quotation marks")),
        ("ada(the countess)@example.com", Err("comment")),
        ("ada@(a comment)example.com", Err("comment")),
        ("ada%evil.example@example.com", Err("holds `%`")),
        ("evil.example!ada@example.com", Err("holds `!`")),
        ("=?utf-8?q?ada=40evil.example=3e=00?=x@example.com", Err("an encoded word")),
        ("ada@[127.0.0.1]", Err("number of a machine")),
        ("ada@[IPv6:2001:db8::1]", Err("number of a machine")),
        ("ada@127.0.0.1", Err("number of a machine")),
        // The local part.
        ("@example.com", Err("nothing before the `@`")),
        ("@", Err("nothing before the `@`")),
        (".ada@example.com", Err("a dot too many")),
        ("ada.@example.com", Err("a dot too many")),
        ("ada..lovelace@example.com", Err("a dot too many")),
        (".@example.com", Err("a dot too many")),
        ("ada lovelace@example.com", Err("holds U+0020")),
        ("ada @example.com", Err("holds U+0020")),
        ("ada,lovelace@example.com", Err("holds `,`")),
        ("ada:lovelace@example.com", Err("holds `:`")),
        ("ada\\lovelace@example.com", Err("holds `\\`")),
        ("[ada]@example.com", Err("holds `[`")),
        ("ada\0@example.com", Err("holds U+0000")),
        ("ada\u{7F}@example.com", Err("holds U+007F")),
        ("ada\u{200B}@example.com", Err("holds U+200B")),
        ("ada\u{202E}@example.com", Err("holds U+202E")),
        ("ada\u{2028}@example.com", Err("holds U+2028")),
        ("\u{FEFF}ada@example.com", Err("holds U+FEFF")),
        ("ad\u{AD}a@example.com", Err("holds U+00AD")),
        ("\u{212A}im@example.com", Err("(U+212A)")),
        ("ａda@example.com", Err("(U+FF41)")),
        (&format!("a{longest_local}@example.com"), Err("more than 64 bytes before the `@`")),
        (&format!("{}@example.com", "ä".repeat(33)), Err("more than 64 bytes before the `@`")),
        // The domain.
        ("ada@", Err("the domain is empty")),
        ("ada@ example.com", Err("holds U+0020")),
        ("ada@example.com\n", Err("holds U+000A")),
        ("ada@example.com\r\nBcc: grace@example.com", Err("more than one `@`")),
        ("ada@example.com\r\nX: y", Err("holds U+000D")),
        ("ada@localhost", Err("has no dot")),
        ("ada@com", Err("has no dot")),
        ("ada@example.com.", Err("ends in a dot")),
        ("ada@.example.com", Err("a dot with nothing before it")),
        ("ada@example..com", Err("a dot with nothing before it")),
        ("ada@-example.com", Err("hyphen")),
        ("ada@exam_ple.com", Err("holds `_`")),
        ("ada@xn--a.example", Err("not punycode")),
        ("ada@ban\u{212A}.example", Err("(U+212A)")),
        ("ada@example。com", Err("(U+3002)")),
        ("ada@example.com/path", Err("looks like a URL")),
        ("ada@example.com:25", Err("looks like a URL")),
        ("ada@*.example.com", Err("is a pattern")),
        (&format!("a@{}", domain_of_length(253)), Err("longer than the 254 bytes")),
        (&format!("{}@example.com", "a".repeat(100_000)), Err("longer than the 254 bytes")),
        (&"@".repeat(100_000), Err("longer than the 254 bytes")),
    ] {
        check(text, expected);
    }
}

#[test]
fn refusals_say_what_and_what_to_do() {
    for (text, words) in [
        (
            "Ada <ada@example.com>",
            "`Ada <ada@example.com>` has a name or angle brackets around the e-mail address; \
             send what is between the angle brackets alone",
        ),
        (
            "ada@example.com.",
            "in `ada@example.com.`, the domain `example.com.` ends in a dot; leave the last dot off",
        ),
        (
            "ada\u{200B}@example.com",
            "`ada\\u{200b}@example.com` holds U+200B, which no e-mail address has; \
             replace or remove that character",
        ),
    ] {
        assert_eq!(EmailAddress::parse(text).unwrap_err().to_string(), words);
    }
}

#[test]
fn knows_when_two_spellings_are_one_address() {
    for (left, right, same) in [
        ("ada@example.com", "ADA@Example.COM", true),
        ("adà@example.com", "ADA\u{300}@example.com", true),
        ("ada@bücher.example", "Ada@xn--bcher-kva.example", true),
        ("STRAẞE@example.com", "strasse@example.com", true),
        ("ΌΔΟΣ@example.com", "όδος@example.com", true),
        ("ada@example.com", "ada+scim@example.com", false),
        ("ada.lovelace@example.com", "adalovelace@example.com", false),
        ("ada@example.com", "ada@mail.example.com", false),
        ("ada@example.com", "\u{430}da@example.com", false),
        ("ılgın@example.com", "ilgin@example.com", false),
    ] {
        let key = |text| EmailAddress::parse(text).unwrap().key();
        assert_eq!(key(left) == key(right), same, "{left} {right}");
    }
}

#[test]
fn gives_its_parts() {
    let address = EmailAddress::parse("Ada+x@BÜCHER.example").unwrap();
    assert_eq!(address.local(), "Ada+x");
    assert_eq!(address.domain(), &Domain::parse("bücher.example").unwrap());
    assert_eq!(address.key(), "ada+x@xn--bcher-kva.example");
}

proptest! {
    #[test]
    fn parsing_and_folding_are_idempotent(text in "[\\PC--@]{1,8}@[a-zé]{1,8}\\.[a-z]{2,4}|[A-Za-zÀ-ɏΑ-ϿẞA\u{300}-\u{345}.+]{1,9}@example\\.com") {
        if let Ok(address) = EmailAddress::parse(&text) {
            prop_assert_eq!(&EmailAddress::parse(&address.to_string()), &Ok(address.clone()));
            let key = address.key();
            if let Ok(folded) = EmailAddress::parse(&key) {
                prop_assert_eq!(folded.key(), key);
            }
        }
    }

    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        let _ = EmailAddress::parse(&text);
    }
}
