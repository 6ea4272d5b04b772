//! Any text is a filter or is refused, and nothing panics. A filter that is printed and parsed again is the same
//! filter, and both say the same of every document. In a query over several types, where a filter may name what only
//! another type has, what is printed still says the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scim_core::filter::{Expression, Filter, MAX_LENGTH};
use scim_fuzz::{TYPES, Type};

fuzz_target!(|text: &str| {
    for Type { resource_type, documents } in TYPES.iter() {
        let parsed = |text: &str| Filter::parse(text, resource_type);
        let again = |filter: &Filter| {
            // Canonical names can be longer than what the client wrote, and there is a longest filter.
            let printed = filter.to_string();
            (printed.len() <= MAX_LENGTH)
                .then(|| parsed(&printed).unwrap_or_else(|error| panic!("printed as {printed}: {error}")))
        };
        if let Ok(filter) = parsed(text)
            && let Some(again) = again(&filter)
        {
            assert_eq!(again, filter);
        }
        let among = Expression::parse(text).and_then(|parsed| parsed.resolve_among(resource_type));
        if let Ok(filter) = among
            && let Some(again) = again(&filter)
        {
            for document in documents {
                assert_eq!(again.matches(document.as_map()), filter.matches(document.as_map()), "{filter}");
            }
        }
    }
});
