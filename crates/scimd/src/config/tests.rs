//! Configurations that are read, and complaints about those that are not.

use std::time::Duration;

use super::*;

fn complaint(result: Result<Config, Failure>) -> String {
    match result.expect_err("refused") {
        Failure::Usage(message) => message,
        Failure::Run(message) | Failure::Anew(message) => {
            panic!("a configuration's fault is a usage failure: {message}")
        }
    }
}

#[test]
fn the_example_is_the_defaults() {
    let example = Config::parse(EXAMPLE, "scimd.example.toml").expect("parses");
    assert_eq!(example, Config::default());
    assert_eq!(example.listen, DEFAULT_LISTEN);
    assert_eq!(example.limits.request_timeout, Duration::from_secs(30));
}

#[test]
fn the_example_names_every_key() {
    let sections = [File::KEYS, file::Metrics::KEYS, file::Limits::KEYS, file::Tls::KEYS, file::Log::KEYS];
    for key in sections.into_iter().flatten() {
        let shown = EXAMPLE.lines().map(|line| line.trim_start_matches("# "));
        let shown = |text: &str| shown.clone().any(|line| line.starts_with(text));
        assert!(shown(&format!("{key} =")) || shown(&format!("[[{key}]]")), "{key}");
    }
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| rest.contains(" = ") || rest.starts_with('['))
                .unwrap_or(line)
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let config = Config::parse(&uncommented, "all").expect("every commented key is right too");
    assert!(config.tls.is_some() && config.schemas.len() == 1 && config.resource_types.len() == 1);
}

#[test]
fn mistakes_are_named_with_their_line() {
    fn check(text: &str, expected: &str) {
        assert_eq!(complaint(Config::parse(text, "a.toml")), expected);
    }
    check("\nlisetn = \"127.0.0.1:1\"", "a.toml:2: there is no key `lisetn`; did you mean `listen`?");
    check("[limits]\nmax_bdy = 1", "a.toml:2: there is no key `max_bdy`; did you mean `max_body`?");
    check("[tls]\nsecret = 1", "a.toml:2: there is no key `secret`; there are certificate, key");
    check("passwords = \"hsah\"", "a.toml:1: `hsah` is not a value of this key; did you mean `hash`?");
    check(
        "[log]\nlevel = \"loud\"",
        "a.toml:2: `loud` is not a value of this key; there are error, warn, info, debug, trace",
    );
    check("store = \"sqllite:x\"", "a.toml:1: `sqllite:x` is not a store; did you mean `sqlite:PATH`?");
    check(
        "base_url = \"scim.example.com\"",
        "a.toml:1: the base URL `scim.example.com` does not begin with https:// or http://; set it to what clients use, such \
         as `https://scim.example.com`",
    );
    check(
        "base_url = \"https://scim.example.com/scim\"",
        "a.toml:1: `https://scim.example.com/scim` holds more than scheme, host and port; paths begin with /t/ below it",
    );
    check(
        "[[schemas]]\nfile = \"a\"\nextend = \"User\"",
        "a.toml:3: there is no key `extend`; did you mean `extends`?",
    );
    check("[tls]\nkey = \"a.pem\"", "`tls.key` needs `tls.certificate` beside it");
    check(
        "[limits]\nmax_results = 10\ndefault_count = 11",
        "`limits.default_count` is 11, more than `limits.max_results`, which is 10",
    );
    for (text, words) in [
        ("[limits]\nmax_body = 0", "a.toml:2: expected a whole number of at least 1, found integer `0`"),
        ("[limits]\nmax_body = -1", "a.toml:2: "),
        ("listen = \"8080\"", "a.toml:1: this is not an address; use an IP address and a port"),
        ("listen = 8080", "a.toml:1: expected an address such as \"127.0.0.1:8080\", found integer"),
        ("[metrics]\nlisten = \"x\"", "a.toml:2: `x` is not an address"),
        ("listen = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"", "a.toml:2: this key is set twice"),
        ("listen", "a.toml:1: "),
        ("passwords = true", "a.toml:1: expected a text in double quotes"),
        ("schemas = \"x\"", "a.toml:1: expected tables that begin with `[[schemas]]`"),
        ("schemas = [\"x\"]", "a.toml:1: expected a `file` below a line `[[schemas]]`, found string"),
        ("[[schemas]]\nextends = \"User\"", "a.toml:1: there is no `file`; name the document"),
        ("[[resource_types]]\nfile = 1", "a.toml:2: expected a text in double quotes, found integer"),
        ("log = \"info\"", "a.toml:1: expected keys below a line such as `[limits]`, found string"),
        ("behind_proxy = \"yes\"", "a.toml:1: expected `true` or `false` without quotes, found string"),
        ("[limits]\nburst_seconds = 99999999999", "a.toml:2: expected a whole number from 1 to 4294967295"),
        (
            "base_url = \"\"",
            "a.toml:1: the base URL `` is not a URL; set it to what clients use, such as `https://scim.example.com`",
        ),
        ("max_body = 1", "a.toml:1: `max_body` does not belong here; put it below a line `[limits]`"),
        (
            "[log]\nbase_url = \"https://a\"",
            "a.toml:2: `base_url` does not belong here; put it above the first line in brackets",
        ),
    ] {
        let actual = complaint(Config::parse(text, "a.toml"));
        assert!(actual.starts_with(words) && !actual.contains('\n'), "{text}: {actual}");
    }
}

#[test]
fn depth_is_bounded() {
    let text = format!("store = {}", "[".repeat(100_000));
    assert!(Config::parse(&text, "a.toml").is_err());
}

#[test]
fn base_urls_have_no_slash_at_their_end() {
    let config = Config::parse("base_url = \"https://scim.example.com:8443/\"", "a.toml").expect("fine");
    assert_eq!(config.base_url(DEFAULT_LISTEN), "https://scim.example.com:8443");
    assert_eq!(Config::default().base_url(DEFAULT_LISTEN), "http://127.0.0.1:8080");
    for text in [
        "https://",
        "https://a b",
        "https://u@h",
        "https://h?x",
        "https://h#x",
        "ftp://h",
        "/",
        "https://h//",
    ] {
        assert!(file::BaseUrl::parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    fn check(variables: &[(&str, &str)], expected: impl FnOnce(&mut Config)) {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let file = File::parse("[limits]\nmax_body = 7", "a.toml").expect("parses");
        let actual =
            environment::read(variables).and_then(|layer| Config::check(layer.or(file))).expect("fine");
        let mut wanted = Config::default();
        wanted.limits.max_body = 7;
        expected(&mut wanted);
        assert_eq!(actual, wanted);
    }
    check(&[], |_| {});
    check(&[("SCIMD_LIMITS_MAX_BODY", "9")], |config| config.limits.max_body = 9);
    check(&[("SCIMD_STORE", "memory")], |config| config.store = StoreUrl::Memory);
    check(&[("SCIMD_BEHIND_PROXY", "true")], |config| config.behind_proxy = true);
    check(&[("SCIMD_METRICS_LISTEN", "")], |config| config.metrics = None);
    check(&[("SCIMD_LOG_LEVEL", "debug")], |config| config.log.level = LogLevel::Debug);
    check(&[("SCIMD_TLS_KEY", "1"), ("SCIMD_TLS_CERTIFICATE", "true")], |config| {
        config.tls = Some(Tls { host: None, certificate: "true".into(), key: "1".into() });
    });
    // What Kubernetes sets for a service called `scimd`.
    check(
        &[("SCIMD_PORT", "tcp://10.0.0.1:80"), ("SCIMD_SERVICE_HOST", "10.0.0.1"), ("SCIMD_CONFIG", "x")],
        |_| {},
    );
}

#[test]
fn mistakes_in_the_environment_are_named() {
    fn check(name: &str, value: &str, expected: &str) {
        let variable = std::iter::once((name.to_owned(), value.to_owned()));
        let complaint = environment::read(variable).expect_err("refused").to_string();
        assert!(complaint.contains(expected), "{name}={value}: {complaint}");
    }
    check("SCIMD_LISTE", "x", "there is no environment variable SCIMD_LISTE; did you mean SCIMD_LISTEN?");
    check(
        "SCIMD_PASSWORDS",
        "hsah",
        "environment variable SCIMD_PASSWORDS: `hsah` is not a value of this key",
    );
    check(
        "SCIMD_LIMITS_MAX_BODY",
        "many",
        "environment variable SCIMD_LIMITS_MAX_BODY: expected a whole number of at least 1",
    );
    check(
        "SCIMD_LIMITS_MAX_BODY",
        "0",
        "environment variable SCIMD_LIMITS_MAX_BODY: expected a whole number of at least 1",
    );
    check("SCIMD_STORE", "", "environment variable SCIMD_STORE: `` is not a store");
    // Whatever may have a password in it is not quoted.
    for text in ["host=db password=hunter2", "mysql://scimd:hunter2@db/scim"] {
        check(
            "SCIMD_STORE",
            text,
            "environment variable SCIMD_STORE: what is given is not a store; use `sqlite:PATH`",
        );
    }
    for scheme in ["sqlite:", "sqlite://"] {
        check(
            "SCIMD_STORE",
            &format!("{scheme}postgres://scimd:hunter2@db/scim"),
            "environment variable SCIMD_STORE: what is given is not a store; after `sqlite:` comes the path",
        );
    }
    check("SCIMD_LOG_LEVEL", "3", "environment variable SCIMD_LOG_LEVEL: `3` is not a value of this key");
    check(
        "SCIMD_PASSWORDS",
        "true",
        "environment variable SCIMD_PASSWORDS: `true` is not a value of this key",
    );
    check(
        "SCIMD_MAX_BODY",
        "9",
        "no environment variable SCIMD_MAX_BODY; did you mean SCIMD_LIMITS_MAX_BODY?",
    );
    check(
        "SCIMD_SCHEMAS",
        "a",
        "SCIMD_SCHEMAS: a list cannot be set here; write it into the configuration file",
    );
}

#[test]
fn addresses_are_written_as_a_shell_takes_them() {
    fn check(text: &str, expected: &str) {
        assert_eq!(text.parse::<StoreUrl>().expect("a store").argument(), expected);
    }
    check("sqlite:/var/lib/scimd/scimd.db", "sqlite:/var/lib/scimd/scimd.db");
    check("sqlite:our store's.db", "'sqlite:our store'\\''s.db'");
    check("postgres://scimd@db/scim?pool=4", "'postgres://scimd@db/scim?pool=4'");
}

#[test]
fn plaintext_and_host_headers_stay_off_the_network() {
    fn check(text: &str, expected: &str) {
        let result = Config::parse(text, "a.toml").expect("parses").check_exposure();
        let actual = result.map_or_else(|failure| failure.to_string(), |()| "fine".to_owned());
        assert!(actual.contains(expected), "{text}: {actual}");
    }
    let url = "base_url = \"https://scim.example.com\"";
    check("", "fine");
    check("listen = \"[::1]:80\"", "fine");
    check(&format!("listen = \"0.0.0.0:80\"\n{url}"), "refusing to serve plaintext on 0.0.0.0:80");
    check(&format!("listen = \"0.0.0.0:80\"\n{url}\nbehind_proxy = true"), "fine");
    check(&format!("listen = \"[::]:443\"\n{url}\n[tls]\ncertificate = \"a\"\nkey = \"b\""), "fine");
    check("listen = \"0.0.0.0:80\"\nbehind_proxy = true", "listening on 0.0.0.0:80 needs `base_url`");
    check("base_url = \"http://a\"\n[tls]\ncertificate = \"a\"\nkey = \"b\"", "begin it with https://");
}
