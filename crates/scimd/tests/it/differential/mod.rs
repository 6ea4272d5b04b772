//! All stores answer alike, down to the bytes, and as a naive evaluation of everything would, and so do two servers on one
//! database; and no tenant notices another.
//!
//! The same random requests go to a service over each of these, with the same clock and the same random numbers: documents
//! with awkward texts, numbers and times, PATCH sequences, preconditions, Bulk, and then questions with filters, sorts
//! and pages, by index and by cursor. A pair is one answer that was compared with another store's or with the naive
//! one. `SCIM_DIFFERENTIAL_PAIRS` asks for more of them than the tests do; docs/faults.md has the figures.

mod conversation;
mod documents;
mod naive;
mod questions;
mod world;

use scim_store::conformance::words::Random;

use self::conversation::Conversation;
use self::world::World;

/// The pairs that are compared unless more are asked for.
const PAIRS: usize = 6_000;

const POLICY: &str = r#"
[domain]
allow = ["example.com", "bücher.example"]
[collective]
mode = "warn"
[language]
default = "de"
supported = ["de", "en"]
[group]
on_conflict = "refuse"
[required]
fields = ["email"]
"#;

fn wanted() -> usize {
    std::env::var("SCIM_DIFFERENTIAL_PAIRS").ok().map_or(PAIRS, |pairs| pairs.parse().expect("a number"))
}

#[test]
fn all_stores_answer_alike() {
    let (wanted, mut pairs, mut seed) = (wanted(), 0, 0);
    while pairs < wanted {
        seed += 1;
        let worlds = World::of_every_store(if seed % 3 == 0 { Some(POLICY) } else { None });
        let mut conversation = Conversation::new(&worlds, "acme", Random::new(seed));
        for _ in 0..4 {
            conversation.write(40);
            conversation.ask(60);
        }
        pairs += conversation.pairs;
        world::kept_alike(&worlds, "acme");
    }
    println!("{pairs} pairs, {seed} conversations, no difference");
}

#[test]
fn no_tenant_notices_another() {
    let rounds = wanted() / PAIRS;
    for seed in 1..=rounds.max(1) as u64 {
        let policy = (seed % 2 == 1).then_some(POLICY);
        for (alone, shared) in World::of_every_store(policy).into_iter().zip(World::of_every_store(policy)) {
            let (alone, shared) = ([alone], [shared]);
            let mut quiet = Conversation::new(&alone, "acme", Random::new(seed));
            let mut heard = Conversation::new(&shared, "acme", Random::new(seed));
            let mut other = Conversation::new(&shared, "globex", Random::new(seed ^ 0x5A5A));
            for _ in 0..3 {
                for _ in 0..20 {
                    other.write(2);
                    quiet.write(1);
                    heard.write(1);
                }
                for _ in 0..10 {
                    other.ask(1);
                    quiet.ask(1);
                    heard.ask(1);
                }
            }
            assert_eq!(quiet.heard.len(), heard.heard.len());
            for (quiet, heard) in quiet.heard.iter().zip(&heard.heard) {
                assert_eq!(quiet, heard, "seed {seed}");
            }
            world::logs_alike(&alone[0], &shared[0], "acme");
        }
    }
}
