//! What it takes to parse a filter and to resolve it against a schema, beside what other crates take to parse it.
//!
//! ```sh
//! cargo bench -p scim-bench --bench filter --features peers
//! ```
#![expect(clippy::expect_used, reason = "a measurement fails by panicking")]

use scim_bench::{Contest, asked_to_measure};
use scim_core::filter::{Expression, Filter};
use scim_core::schema::Registry;

const SIMPLE: &str = r#"userName eq "x""#;
const TYPICAL: &str = r#"emails[type eq "work" and value co "@x"] and active eq true"#;

fn main() {
    if !asked_to_measure() {
        return;
    }
    let registry = Registry::builtin().expect("built in");
    let user = registry.endpoint("Users").expect("built in");
    println!("× is the time of ours, parsing and resolving");
    for (task, text) in [("filter, simple", SIMPLE), ("filter, typical", TYPICAL)] {
        let contest = Contest::new()
            .with("scim-core, parse and resolve", || Filter::parse(text, user).expect("a filter"))
            .with("scim-core, parse alone", || Expression::parse(text).expect("a filter"));
        #[cfg(feature = "peers")]
        let contest = peers::join(contest, text);
        contest.print(task);
    }
    #[cfg(feature = "peers")]
    peers::through_router(&[("filter, simple", SIMPLE), ("filter, typical", TYPICAL)]);
}

#[cfg(feature = "peers")]
mod peers;
