//! Any text is an address, a domain, a list of languages or a degree, or is refused, and nothing panics. What was
//! normalised normalises to itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scim_policy::value::collective::{Exceptions, Signals, judge};
use scim_policy::value::degree;
use scim_policy::value::domain::Domain;
use scim_policy::value::email::EmailAddress;
use scim_policy::value::language::Preferences;

fuzz_target!(|text: &str| {
    if let Ok(address) = EmailAddress::parse(text) {
        let again = EmailAddress::parse(&address.to_string()).expect("an address");
        assert_eq!(again.key(), address.key());
        let signals = Signals { local: address.local(), ..Signals::default() };
        let _ = judge(&signals, address.domain().as_str(), Exceptions::none());
    }
    if let Ok(domain) = Domain::parse(text) {
        assert_eq!(Domain::parse(domain.as_str()).expect("a domain"), domain);
    }
    for tag in Preferences::parse(text).unwrap_or_default() {
        assert_eq!(Preferences::parse(&tag.to_string()).expect("a tag"), [tag]);
    }
    let canonical = degree::canonical(text);
    assert_eq!(degree::canonical(&canonical), canonical);
    let _ = degree::split(text);
});
