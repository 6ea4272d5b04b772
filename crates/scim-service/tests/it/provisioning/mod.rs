//! Whatever an identity provider does, the person records come out right.
//!
//! A simulated Entra ID or Okta carries a directory that changes at random to a tenant with rules. A naive model, written
//! from the documentation, says of each request whether it is refused and why, and after each cycle what must be there. In
//! the end every fault is taken out of the directory, and then everybody is right and no refusal is open.
//!
//! `SCIM_PROVISIONING_CASES=5000 SCIM_PROVISIONING_SEED=7 cargo test -p scim-service --test it provisioning` runs for longer, and
//! elsewhere.

mod conversation;
mod customer;
mod message;
mod model;
mod provider;
mod rules;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use scim_core::person::Person;
use scim_policy::Severity;
use scim_service::directory::Idp;
use scim_store::persons::Mark;

use self::conversation::{Conversation, named};
use self::customer::{Customer, EXTERNAL_ID, Employee, Event, PEOPLE, TEAMS, event};
use self::model::{Model, Subject};
use self::provider::{Dialect, Provider};
use self::rules::{Policy, policy};
use crate::world::World;

/// What happens between two cycles.
#[derive(Clone)]
struct Cycle {
    events: Vec<Event>,
    /// Other rules, before the cycle.
    policy: Option<Policy>,
    /// Whether an operator then has carried out again what was refused.
    replay: bool,
    /// Which of the ways to say the same are chosen.
    shape: u64,
}

impl fmt::Debug for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replay = if self.replay { " and a replay" } else { "" };
        write!(f, "cycle (shape {}) after {:?}{replay}", self.shape, self.events)?;
        self.policy.as_ref().map_or(Ok(()), |policy| write!(f, " under\n{policy:?}"))
    }
}

type Outcome<T = ()> = Result<T, TestCaseError>;

/// The application: it follows the change log.
#[derive(Default)]
struct Application {
    mark: Mark,
    people: BTreeMap<String, Person>,
}

impl Application {
    fn follow(&mut self, world: &World, page: usize) {
        loop {
            let news = world.followed(&self.mark, page);
            for change in news.changes {
                match change.person {
                    Some(record) => self.people.insert(change.id, record.person),
                    None => self.people.remove(&change.id),
                };
            }
            self.mark = news.next;
            if !news.more {
                return;
            }
        }
    }
}

fn idp(dialect: Dialect) -> Idp {
    match dialect {
        Dialect::Entra { .. } => Idp::Entra,
        Dialect::Okta { .. } => Idp::Okta,
    }
}

/// Holds what is there against the model.
fn compare(wire: &Conversation<'_>, application: &mut Application, began: usize) -> Outcome {
    let expected = wire.model.persons();
    let persons = wire.world.persons();
    let stored: BTreeMap<String, Person> =
        persons.into_iter().map(|record| (record.id, record.person)).collect();
    for (id, person) in &expected {
        if stored.get(id) != Some(person) {
            return wire.fail(&format!("{id} is to be\n{person:?}\nand is\n{:?}", stored.get(id)));
        }
    }
    if stored.len() != expected.len() {
        return wire.fail(&format!("{} persons are there, not {}", stored.len(), expected.len()));
    }
    for page in [1, 2, 100] {
        let mut anew = Application::default();
        anew.follow(wire.world, page);
        if anew.people != stored {
            return wire
                .fail(&format!("the change log from the beginning, by {page}, gives {:?}", anew.people));
        }
    }
    application.follow(wire.world, 3);
    if application.people != stored {
        return wire.fail(&format!("who follows the change log has {:?}", application.people));
    }
    let texts = |codes: &[&str]| codes.iter().map(|&code| code.to_owned()).collect::<Vec<_>>();
    let mut open: Vec<_> =
        wire.model.open.iter().map(|open| (named(&open.subject), texts(&open.codes))).collect();
    let mut kept: Vec<_> =
        wire.world.refusals().into_iter().map(|refusal| (refusal.subject, refusal.codes)).collect();
    open.sort();
    kept.sort();
    if kept != open {
        return wire.fail(&format!("open refusals are to be\n{open:?}\nand are\n{kept:?}"));
    }
    let mut remarks: Vec<_> =
        wire.model.remarks().into_iter().map(|(subject, codes)| (subject, texts(&codes))).collect();
    // Of those who have one address, one is told.
    let kept = wire.world.remarks().into_iter().filter_map(|mut told| {
        told.codes.retain(|code| code != "email-taken");
        (!told.codes.is_empty()).then_some((told.subject, told.codes))
    });
    let mut kept: Vec<_> = kept.collect();
    remarks.sort();
    kept.sort();
    if kept != remarks {
        return wire.fail(&format!("remarks are to be\n{remarks:?}\nand are\n{kept:?}"));
    }
    let recorded = wire.world.trace().1 - began;
    if recorded != wire.model.recorded {
        return wire.fail(&format!("{recorded} requests are in the audit, not {}", wire.model.recorded));
    }
    Ok(())
}

/// Puts other rules in force.
fn govern(wire: &mut Conversation<'_>, policy: &Policy) -> Outcome {
    let changed = wire.world.change(&policy.toml());
    wire.model.policy = policy.clone();
    // Of several who have one address already, one has the claim on it, and the others are told.
    wire.model.unclaimed.clear();
    let mut against = BTreeMap::new();
    for (id, findings) in changed.against {
        let mut codes: Vec<String> = Vec::new();
        for finding in findings.iter().filter(|finding| finding.severity == Severity::Error) {
            match finding.code.as_str() {
                "email-taken" => drop(wire.model.unclaimed.insert(id.clone())),
                code => codes.push(code.to_owned()),
            }
        }
        codes.sort();
        if !codes.is_empty() {
            against.insert(id, codes);
        }
    }
    let expected = wire.model.against();
    let expected: BTreeMap<String, Vec<String>> = expected
        .into_iter()
        .map(|(id, codes)| (id, codes.into_iter().map(str::to_owned).collect()))
        .collect();
    match against == expected {
        true => Ok(()),
        false => wire.fail(&format!("against the rules are to be\n{expected:?}\nand are\n{against:?}")),
    }
}

/// Everybody is right, and nothing is open.
fn conclude(wire: &Conversation<'_>, customer: &Customer, provider: &Provider) -> Outcome {
    let persons: BTreeMap<String, Person> =
        wire.world.persons().into_iter().map(|record| (record.id, record.person)).collect();
    for employee in customer.people.iter().flatten() {
        let team = employee.teams.first().and_then(|team| customer.teams[*team].as_ref());
        let expected = wire.model.policy.person(&employee.user, team.map(|team| team.name.as_str()));
        let is = provider.id(employee.key).and_then(|id| persons.get(id));
        if is != Some(&expected) {
            return wire.fail(&format!("in the end the person is to be\n{expected:?}\nand is\n{is:?}"));
        }
    }
    let active = persons.values().filter(|person| person.active).count();
    if active != customer.people.iter().flatten().count() {
        return wire.fail(&format!("{active} persons are active"));
    }
    // An identity provider has nothing to say of whoever was refused and then deleted, nor of a group that got another name
    // before it was created.
    let is_unknown = |subject: &Subject| match subject {
        Subject::Creation { external_id, .. } => {
            let is_it = |employee: &Employee| employee.user.get(EXTERNAL_ID) == Some(external_id);
            !customer.people.iter().flatten().any(is_it)
        }
        Subject::User(id) => {
            let is_it = |employee: &Employee| provider.id(employee.key) == Some(id);
            !customer.people.iter().flatten().any(is_it)
        }
        Subject::NewGroup(_) => true,
        Subject::Member { .. } => false,
    };
    if wire.model.open.iter().any(|open| is_unknown(&open.subject)) {
        return Ok(());
    }
    // What was refused of somebody who is deleted, or was created under another name, ends as it is to be carried out.
    wire.world.replay();
    if let Some(told) = wire.world.refusals().first() {
        return wire.fail(&format!("in the end a refusal about {} is open", told.subject));
    }
    let after: BTreeMap<String, Person> =
        wire.world.persons().into_iter().map(|record| (record.id, record.person)).collect();
    match after == persons {
        true => Ok(()),
        false => wire.fail("what was refused once was carried out in the end"),
    }
}

fn run(dialect: Dialect, first: &Policy, cycles: &[Cycle], tally: &Tally) -> Outcome {
    let world = World::new(idp(dialect));
    let mut wire = Conversation::new(&world, Model::new(first.clone(), idp(dialect) == Idp::Entra));
    govern(&mut wire, first)?;
    let began = world.trace().1;
    let mut customer = Customer::default();
    let mut provider = Provider::new(dialect);
    let mut application = Application::default();
    let (mut before, mut stale) = (0, false);
    for cycle in cycles {
        if let Some(policy) = &cycle.policy {
            wire.note(&format!("other rules:\n{policy:?}"));
            govern(&mut wire, policy)?;
        }
        if cycle.replay {
            // What did not come again may not be meant any more, and then people need not be right in the end.
            stale |= wire.model.open.iter().any(|open| open.number <= before);
            wire.replay();
            compare(&wire, &mut application, began)?;
            provider.refresh(&mut wire)?;
            // An identity provider that hears of nobody who was created meanwhile can neither rename nor end them.
            provider.cycle(&customer, cycle.shape, &mut wire)?;
            compare(&wire, &mut application, began)?;
        }
        before = wire.model.refusals;
        for event in &cycle.events {
            wire.note(&format!("{event:?}"));
            customer.happen(event);
        }
        provider.cycle(&customer, cycle.shape, &mut wire)?;
        compare(&wire, &mut application, began)?;
        provider.check(&mut wire)?;
    }
    count(tally, &wire);
    if stale {
        return Ok(());
    }
    // Who could not join a group is first taken out of all of them, which is what the refusal says to do.
    wire.note("everything is mended");
    let belong = customer.mend(&provider.not_in_their_team());
    provider.cycle(&customer, 0, &mut wire)?;
    for (place, team) in belong {
        customer.happen(&Event::Join(place, team));
    }
    provider.cycle(&customer, 0, &mut wire)?;
    compare(&wire, &mut application, began)?;
    let sent = wire.sent;
    provider.cycle(&customer, 1, &mut wire)?;
    if wire.sent != sent {
        return wire.fail("nothing changed, and something was sent");
    }
    conclude(&wire, &customer, &provider)
}

/// What a run comes across.
const REFUSALS: [&str; 10] = [
    "collective-address",
    "domain-not-listed",
    "email-syntax",
    "email-taken",
    "gender-unmapped",
    "group-second",
    "language-unreadable",
    "required-missing",
    "shared-mailbox",
    "uniqueness",
];

/// What was refused, and how much was sent: a test that says little is to be noticed.
type Tally = RefCell<BTreeMap<&'static str, usize>>;

fn count(tally: &Tally, wire: &Conversation<'_>) {
    let mut tally = tally.borrow_mut();
    for (what, often) in wire.seen.iter().chain([(&"sent", &wire.sent)]) {
        *tally.entry(what).or_default() += often;
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn whatever_an_identity_provider_does_people_come_out_right() {
    let dialect = proptest::sample::select(
        &[
            Dialect::Entra { flagged: false },
            Dialect::Entra { flagged: true },
            Dialect::Okta { catalogue: true },
            Dialect::Okta { catalogue: false },
        ][..],
    );
    let shape = prop_oneof![Just(0), any::<u64>()];
    let (policy_then, replay) = (proptest::option::weighted(0.3, policy()), proptest::bool::weighted(0.4));
    let cycle = (proptest::collection::vec(event(), 0..16), policy_then, replay, shape)
        .prop_map(|(events, policy, replay, shape)| Cycle { events, policy, replay, shape });
    let most = |all: usize| prop_oneof![1 => 0..=all, 3 => Just(all)];
    let first = (most(PEOPLE), most(TEAMS)).prop_map(|(people, teams)| {
        (0..people).map(Event::Hire).chain((0..teams).map(Event::Found)).collect::<Vec<Event>>()
    });
    let cycles = (first, proptest::collection::vec(cycle, 1..8)).prop_map(|(first, mut cycles)| {
        cycles[0].events.splice(0..0, first);
        cycles
    });
    let strategy = (dialect, policy(), cycles);
    let cases = number("SCIM_PROVISIONING_CASES", 80).try_into().expect("not so many");
    let seed: Vec<u8> = number("SCIM_PROVISIONING_SEED", 0).to_be_bytes().repeat(4);
    let config = Config { failure_persistence: None, cases, max_shrink_iters: 4000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let tally = Tally::default();
    let outcome = runner.run(&strategy, |(dialect, policy, cycles)| run(dialect, &policy, &cycles, &tally));
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let tally = tally.into_inner();
    for what in REFUSALS {
        assert!(tally.contains_key(what), "nothing was refused as {what}: {tally:?}");
    }
}
