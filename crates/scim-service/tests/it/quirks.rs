//! `docs/quirks.md`, which is written from the quirks themselves.

use std::fmt::Write;
use std::path::Path;

use scim_service::directory::Idp;
use scim_service::quirk::Quirk;

const HEAD: &str = "\
# Quirks

What identity providers send although the RFCs would let a server refuse it. Each quirk is rewritten into what it means
before the request is decoded; past that, everything is strict. A kind of identity provider brings its quirks along;
`scimd connection create … --quirk NAME` adds single ones, for clients that deviate in one known way. A `generic`
connection has none.

This file is written from `crates/scim-service/src/quirk/mod.rs` by
`UPDATE_DOCS=1 cargo test -p scim-service quirks`.

";

fn document() -> String {
    let mut text = format!("{HEAD}| quirk | entra | okta | what is understood |\n|---|---|---|---|\n");
    for quirk in Quirk::ALL {
        let mark = |idp| if quirk.idps().contains(&idp) { "yes" } else { "" };
        let words = quirk.description().split_whitespace().collect::<Vec<_>>().join(" ");
        let (entra, okta) = (mark(Idp::Entra), mark(Idp::Okta));
        let words = words.replace('|', "\\|");
        writeln!(text, "| `{}` | {entra} | {okta} | {words} |", quirk.name()).expect("memory");
    }
    text
}

#[test]
fn quirks_are_documented() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/quirks.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, document()).expect("written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == document(), "run `UPDATE_DOCS=1 cargo test -p scim-service quirks`");
}
