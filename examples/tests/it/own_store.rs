//! The store of one's own does what every store must.

use std::process::Command;

use scim_store::conformance;

#[test]
fn every_case_holds() {
    let output = Command::new(env!("CARGO_BIN_EXE_own_store")).output().expect("runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let expected: String = conformance::cases().map(|case| format!("holds: {}\n", case.name)).collect();
    assert_eq!(text, expected);
}
