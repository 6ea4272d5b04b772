use proptest::prelude::*;

use super::*;

/// The ASCII form, or the first words of the refusal that tell it from the others.
fn check(text: &str, expected: Result<&str, Reason>) {
    let parsed = Domain::parse(text);
    assert_eq!(
        parsed.as_ref().map(Domain::as_str).map_err(|error| &error.reason),
        expected.as_ref().map(|ascii| *ascii),
        "{text:?}"
    );
    if let Err(error) = parsed {
        assert!(!error.explanation().is_empty() && !error.remedy().is_empty());
        assert!(!error.to_string().chars().any(is_hidden), "{error}");
    }
}

#[test]
fn every_trick_is_decided() {
    use Reason::*;
    let long_label = "a".repeat(64);
    let longest_label = "a".repeat(63);
    let too_long = format!("{}.example", [longest_label.as_str(); 4].join("."));
    let punycode = |label: &str| Punycode(label.to_owned());
    for (text, expected) in [
        // One form for every spelling.
        ("example.com", Ok("example.com")),
        ("EXAMPLE.com", Ok("example.com")),
        ("  example.com\t", Ok("example.com")),
        ("example.com\u{A0}", Ok("example.com")),
        ("bücher.example", Ok("xn--bcher-kva.example")),
        ("BÜCHER.example", Ok("xn--bcher-kva.example")),
        ("bu\u{308}cher.example", Ok("xn--bcher-kva.example")),
        ("xn--bcher-kva.example", Ok("xn--bcher-kva.example")),
        ("XN--BCHER-KVA.Example", Ok("xn--bcher-kva.example")),
        ("straße.example", Ok("xn--strae-oqa.example")),
        ("STRAẞE.example", Ok("xn--strae-oqa.example")),
        ("例え.テスト", Ok("xn--r8jz45g.xn--zckzah")),
        ("a.b.c.d.e.example", Ok("a.b.c.d.e.example")),
        ("123.example", Ok("123.example")),
        ("1and1.example", Ok("1and1.example")),
        ("r3---sn.example", Ok("r3---sn.example")),
        ("evil-example.com", Ok("evil-example.com")),
        ("example.com.evil.net", Ok("example.com.evil.net")),
        (&format!("{longest_label}.example"), Ok(&format!("{longest_label}.example"))),
        // Another script is another name.
        ("ex\u{430}mple.com", Ok("xn--exmple-4nf.com")),
        // Everything that only some readers take for a domain.
        ("", Err(Empty)),
        (" \t ", Err(Empty)),
        ("example.com.", Err(TrailingDot)),
        ("example.com..", Err(EmptyLabel)),
        ("example..com", Err(EmptyLabel)),
        (".example.com", Err(EmptyLabel)),
        (".", Err(EmptyLabel)),
        ("localhost", Err(SingleLabel)),
        ("com", Err(SingleLabel)),
        ("bücher", Err(SingleLabel)),
        ("-example.com", Err(Hyphen)),
        ("example-.com", Err(Hyphen)),
        ("example.com-", Err(Hyphen)),
        ("mail_host.example", Err(Character('_'))),
        ("exa mple.com", Err(Character(' '))),
        ("example.com\n", Err(Character('\n'))),
        ("example.com\r\nevil.net", Err(Character('\r'))),
        ("example.com\0", Err(Character('\0'))),
        ("exam\u{AD}ple.com", Err(Character('\u{AD}'))),
        ("exam\u{200B}ple.com", Err(Character('\u{200B}'))),
        ("\u{202E}moc.elpmaxe", Err(Character('\u{202E}'))),
        ("\u{FEFF}example.com", Err(Character('\u{FEFF}'))),
        ("ban\u{212A}.example", Err(Character('\u{212A}'))),
        ("ｅxample.com", Err(Character('ｅ'))),
        ("example。com", Err(Character('。'))),
        ("example．com", Err(Character('．'))),
        ("bo\u{17F}\u{17F}.example", Err(Character('\u{17F}'))),
        ("\u{2100}.example", Err(Character('\u{2100}'))),
        ("xn--.example", Err(punycode("xn--"))),
        ("xn--a.example", Err(punycode("xn--a"))),
        ("xn--example-.com", Err(punycode("xn--example-"))),
        ("xn--bcher-kva8x.example", Err(punycode("xn--bcher-kva8x"))),
        ("xn--zzzzzzzzzzzz.example", Err(punycode("xn--zzzzzzzzzzzz"))),
        ("www.XN--99999999.example", Err(punycode("XN--99999999"))),
        ("xn--bücher.example", Err(punycode("xn--bücher"))),
        ("\u{301}a.example", Err(Malformed)),
        ("אa1.example", Err(Malformed)),
        ("exam…ple.com", Err(Malformed)),
        ("[127.0.0.1]", Err(Machine)),
        ("[IPv6:::1]", Err(Machine)),
        ("127.0.0.1", Err(Machine)),
        ("::1", Err(Machine)),
        ("127.1", Err(Machine)),
        ("example.123", Err(Machine)),
        ("0x7f.0x1", Err(Machine)),
        ("@example.com", Err(Address)),
        ("ada@example.com", Err(Address)),
        ("a@b@c", Err(Address)),
        ("*.example.com", Err(Wildcard)),
        ("exa*mple.com", Err(Character('*'))),
        ("https://example.com", Err(Url)),
        ("example.com/", Err(Url)),
        ("example.com:25", Err(Url)),
        ("example.com,example.org", Err(Character(','))),
        ("exam%70le.com", Err(Character('%'))),
        ("\"example.com\"", Err(Character('"'))),
        (&format!("{long_label}.example"), Err(LongLabel)),
        (&format!("{}.example", "ü".repeat(60)), Err(LongLabel)),
        (&too_long, Err(TooLong)),
        (&"a.".repeat(100_000), Err(TooLong)),
    ] {
        check(text, expected);
    }
}

#[test]
fn refusals_say_what_and_what_to_do() {
    for (text, words) in [
        (
            "ban\u{212A}.example",
            "the domain `ban\u{212A}.example` holds `\u{212A}` (U+212A), which no domain has; \
             replace or remove that character",
        ),
        (
            "a\u{202E}b.example",
            "the domain `a\\u{202e}b.example` holds U+202E, which no domain has; replace or remove that character",
        ),
        ("example.com.", "the domain `example.com.` ends in a dot; leave the last dot off"),
        (
            "xn--a.example",
            "`xn--a` in the domain `xn--a.example` is not punycode of anything; \
             write the domain in Unicode, such as `bücher.example`",
        ),
        (
            "*.example.com",
            "`*.example.com` is a pattern, not a domain; leave `*.` off and set `subdomains = true`",
        ),
    ] {
        assert_eq!(Domain::parse(text).unwrap_err().to_string(), words);
    }
}

#[test]
fn people_see_unicode_unless_it_misleads() {
    for (text, shown) in [
        ("xn--bcher-kva.example", "bücher.example"),
        ("example.com", "example.com"),
        ("例え.テスト", "例え.テスト"),
        ("пример.example", "пример.example"),
        ("παράδειγμα.example", "παράδειγμα.example"),
        ("ex\u{430}mple.com", "xn--exmple-4nf.com"),
        ("\u{430}\u{440}\u{440}\u{4CF}\u{435}.com", "xn--80ak6aa92e.com"),
    ] {
        assert_eq!(Domain::parse(text).unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn knows_public_suffixes() {
    for (text, suffix, registrable) in [
        ("co.uk", true, None),
        ("github.io", true, None),
        ("example.co.uk", false, Some("example.co.uk")),
        ("www.example.co.uk", false, Some("example.co.uk")),
        ("公司.cn", true, None),
        ("xn--55qx5d.cn", true, None),
        ("example.公司.cn", false, Some("example.xn--55qx5d.cn")),
        ("example.github.io", false, Some("example.github.io")),
        ("example.kawasaki.jp", true, None),
        ("city.kawasaki.jp", false, Some("city.kawasaki.jp")),
        ("bücher.example", false, Some("xn--bcher-kva.example")),
        ("example.com", false, Some("example.com")),
        ("corp.internal", false, Some("corp.internal")),
    ] {
        let domain = Domain::parse(text).unwrap();
        assert_eq!((domain.is_public_suffix(), domain.registrable()), (suffix, registrable), "{text}");
    }
}

#[test]
fn the_free_mail_file_is_sorted_and_normalised() {
    let lines: Vec<&str> = entries(include_str!("free_mail.txt")).collect();
    assert!(lines.len() > 500);
    for (before, after) in lines.iter().zip(lines.iter().skip(1)) {
        assert!(before < after, "`{after}` belongs before `{before}`");
    }
    for line in lines {
        assert_eq!(Domain::parse(line).map(|domain| domain.0), Ok(line.to_owned()));
    }
}

#[test]
fn knows_free_mail() {
    for (text, free) in [
        ("gmail.com", true),
        ("GoogleMail.com", true),
        ("web.de", true),
        ("t-online.de", true),
        ("yahoo.co.uk", true),
        ("wp.pl", true),
        ("seznam.cz", true),
        ("qq.com", true),
        ("example.com", false),
        ("firma.seznam.cz", false),
        ("notgmail.com", false),
        ("gmail.com.example", false),
    ] {
        assert_eq!(Domain::parse(text).unwrap().is_free_mail(), free, "{text}");
    }
}

#[test]
fn a_tenant_lists_only_what_it_can_administer() {
    fn check_list(entries: &[&str], expected: &[(usize, &str)]) {
        let errors = DomainList::new(entries, false).err().unwrap_or_default();
        let words: Vec<(usize, String)> =
            errors.iter().map(|(place, error)| (*place, error.to_string())).collect();
        let words: Vec<(usize, &str)> = words.iter().map(|(place, words)| (*place, words.as_str())).collect();
        assert_eq!(words, expected, "{entries:?}");
    }
    check_list(&["example.com", "bücher.example"], &[]);
    check_list(&[], &[]);
    check_list(&["example.onmicrosoft.com", "example.github.io"], &[]);
    check_list(
        &["co.uk", "example.com", "gmail.com", "onmicrosoft.com", "Example.COM", "com"],
        &[
            (
                0,
                "`co.uk` is a public suffix: anybody can register a domain below it; \
                 list the domain that your organisation registered below it",
            ),
            (
                2,
                "`gmail.com` is a free-mail domain: anybody can get an address there; \
                 list domains that your organisation administers",
            ),
            (3, "`onmicrosoft.com` is shared by all customers of one provider; list your own name below it"),
            (4, "the domain `example.com` is listed twice; remove one of the two"),
            (
                5,
                "`com` has no dot: it is a top-level domain or the name of a machine; \
                 write a whole domain, such as `example.com`",
            ),
        ],
    );
    check_list(
        &["bücher.example", "xn--bcher-kva.example"],
        &[(1, "the domain `bücher.example` is listed twice; remove one of the two")],
    );
}

#[test]
fn allows_on_label_boundaries() {
    let listed = ["example.com", "bücher.example", "amazonaws.com"];
    for (text, exact, below) in [
        ("example.com", true, true),
        ("EXAMPLE.COM", true, true),
        ("xn--bcher-kva.example", true, true),
        ("mail.example.com", false, true),
        ("a.b.c.example.com", false, true),
        ("mail.bücher.example", false, true),
        ("evil-example.com", false, false),
        ("evilexample.com", false, false),
        ("example.com.evil.net", false, false),
        ("example.org", false, false),
        ("ex\u{430}mple.com", false, false),
        ("bucher.example", false, false),
        ("amazonaws.com", true, true),
        ("mail.amazonaws.com", false, true),
        // A public suffix of its own: its customers are not its owner.
        ("stranger.s3.amazonaws.com", false, false),
        ("s3.amazonaws.com", false, false),
    ] {
        let domain = Domain::parse(text).unwrap();
        for (subdomains, expected) in [(false, exact), (true, below)] {
            let list = DomainList::new(listed, subdomains).unwrap();
            assert_eq!(list.allows(&domain), expected, "{text}, subdomains: {subdomains}");
        }
    }
}

#[test]
fn knows_which_domain_was_meant() {
    let list = DomainList::new(["example.com", "bücher.example", "other.test"], false).unwrap();
    for (text, expected) in [
        ("exmaple.com", Some("example.com")),
        ("example.co", Some("example.com")),
        ("examples.com", Some("example.com")),
        ("ex\u{430}mple.com", Some("example.com")),
        ("bucher.example", Some("bücher.example")),
        ("stranger.net", None),
        ("evil-example.com", None),
    ] {
        let nearest = list.nearest(&Domain::parse(text).unwrap()).map(Domain::to_string);
        assert_eq!(nearest.as_deref(), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn parsing_is_idempotent_and_never_panics(text in "\\PC{0,20}|[a-zA-Zäß0-9.\\-_]{1,12}\\.[a-zé]{2,4}|xn--[a-z0-9\\-]{1,12}\\.com") {
        if let Ok(domain) = Domain::parse(&text) {
            prop_assert_eq!(&Domain::parse(domain.as_str()), &Ok(domain.clone()));
            prop_assert_eq!(&Domain::parse(&domain.unicode()), &Ok(domain.clone()));
            prop_assert!(domain.as_str().is_ascii() && domain.as_str().len() <= DOMAIN_LIMIT);
        }
    }

    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        let _ = Domain::parse(&text);
    }

    #[test]
    fn with_subdomains_more_is_allowed(label in "[a-z]{1,8}", text in "(mail\\.)?(example|amazonaws|evil)\\.(com|org)") {
        let exact = DomainList::new(["example.com", "amazonaws.com"], false).unwrap();
        let below = DomainList::new(["example.com", "amazonaws.com"], true).unwrap();
        let domain = Domain::parse(&text).unwrap();
        prop_assert!(!exact.allows(&domain) || below.allows(&domain));
        // A label in front never makes a stranger a subdomain.
        let longer = Domain::parse(&format!("{label}-{text}")).unwrap();
        prop_assert!(text.starts_with("mail.") || !below.allows(&longer));
    }
}
