//! Any text, as the path of a PATCH, as an attribute's name, as `sortBy` and as `attributes` or `excludedAttributes`,
//! means something or is refused, and nothing panics. A path that is printed and parsed again is the same path.
//! Whatever is projected keeps `schemas`, never shows what nobody may read, and stays as it is when projected again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scim_core::filter::{MAX_LENGTH, PathExpression, ResolvedPath};
use scim_core::path::{AttributePath, Named};
use scim_core::project::Projection;
use scim_core::schema::ResourceType;
use scim_core::sort::Sort;
use scim_fuzz::{TYPES, Type};

fuzz_target!(|text: &str| {
    for Type { resource_type, documents } in TYPES.iter() {
        patch_path(text, resource_type);
        if let Ok(path) = AttributePath::parse(text, resource_type) {
            let again = AttributePath::parse(&path.to_string(), resource_type);
            assert_eq!(again.expect("printed"), path);
            assert_eq!(
                path.values(documents[0].as_map()).count(),
                path.values(documents[0].as_map()).count()
            );
        }
        let (by, order) = text.split_once('\n').map_or((text, None), |(by, order)| (by, Some(order)));
        if let Ok(sort) = Sort::parse(by, order, resource_type) {
            let again = Sort::parse(&sort.path.to_string(), order, resource_type);
            assert_eq!(again.expect("printed"), sort);
            for document in documents {
                sort.key(document.as_map());
            }
        }
        let names: Vec<&str> = text.split([',', '\n']).collect();
        for (attributes, excluded) in [(&names[..], &[][..]), (&[][..], &names[..])] {
            let Ok(projection) = Projection::parse(attributes, excluded, resource_type) else { continue };
            for document in documents {
                let mut resource = document.as_map().clone();
                resource.insert("password".to_owned(), "c4nary".into());
                projection.apply(&mut resource);
                assert_eq!(resource.get("schemas"), document.as_map().get("schemas"));
                assert!(!resource.contains_key("password"));
                let once = resource.clone();
                projection.apply(&mut resource);
                assert_eq!(resource, once);
            }
        }
    }
});

fn patch_path(text: &str, resource_type: &ResourceType) {
    let resolved = |text: &str| PathExpression::parse(text).and_then(|path| path.resolve(resource_type));
    let Ok(path) = resolved(text) else { return };
    let printed = match &path {
        ResolvedPath::Plain(Named::Attribute(path)) => path.to_string(),
        ResolvedPath::Plain(Named::Extension(schema)) => schema.id().to_owned(),
        ResolvedPath::Elements { path, filter, sub: None } => format!("{path}[{filter}]"),
        ResolvedPath::Elements { path, filter, sub: Some(sub) } => format!("{path}[{filter}].{}", sub.name()),
    };
    if printed.len() <= MAX_LENGTH {
        let again = resolved(&printed).unwrap_or_else(|error| panic!("printed as {printed}: {error}"));
        assert_eq!(again, path);
    }
}
