//! Any text is a policy or is refused with the place of each problem, and nothing panics. A policy that was accepted
//! judges every document.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scim_fuzz::TYPES;
use scim_policy::PolicyFile;

fuzz_target!(|text: &str| {
    let file = PolicyFile::parse(text);
    for known in TYPES.iter().filter(|known| known.resource_type.name() == "User") {
        match file.compile(&known.resource_type) {
            Ok(policy) => {
                for document in &known.documents {
                    assert_eq!(policy.explain(document.as_map()).verdict, policy.judge(document.as_map()));
                }
            }
            Err(problems) => assert!(problems.problems().iter().all(|problem| problem.line > 0)),
        }
    }
});
