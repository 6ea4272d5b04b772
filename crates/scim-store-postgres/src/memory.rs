//! What is remembered of the tenants that are written to, so that the next write need not read.
//!
//! It is never the ground of an answer by itself: a write that rests on it fails where it is not true ([`Guess`]). What was
//! read a moment ago mostly is. What was written is, as long as nobody else writes: so it is not used before this server has
//! written several times in a row, and more times after each time that it was wrong.
//!
//! How much is remembered has a limit, for each tenant and for all. What is hidden, and reports, are not remembered.
//!
//! [`Guess`]: crate::guess::Guess

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use scim_core::person::Derived;
use scim_store::transfer::Totals;
use scim_store::{Record, Tenant};

use crate::entries;
use crate::error::Failed;
use crate::existing::Known;
use crate::wishes::Wishes;

/// Most bytes to remember of one tenant, about, before it is begun anew.
const MOST_OF_TENANT: usize = 128 * 1024;
/// Most bytes to remember of all tenants, about, before nothing is kept of them but the states that they were left in.
const MOST: usize = 4 * 1024 * 1024;
/// What a tenant weighs of which nothing is remembered.
const EMPTY: usize = 512;

/// Of all tenants.
#[derive(Default)]
pub(crate) struct Memories(Mutex<State>);

#[derive(Default)]
struct State {
    places: HashMap<Tenant, Place>,
    /// Of all places.
    weight: usize,
    /// How many times something was begun anew.
    ages: u64,
}

impl State {
    fn next_age(&mut self) -> u64 {
        self.ages += 1;
        self.ages
    }

    /// Forgets all but the states in which tenants were left, and those too where there are very many.
    fn shrink(&mut self) {
        let age = self.next_age();
        self.places.retain(|_, place| place.memory.is_some());
        if self.places.len() * EMPTY > MOST / 2 {
            self.places.clear();
        }
        for place in self.places.values_mut() {
            place.sights.clear();
            (place.age, place.weight) = (age, EMPTY);
            if let Some(memory) = &mut place.memory {
                memory.known = Known::default();
                (memory.age, memory.weight) = (age, EMPTY);
            }
        }
        self.weight = self.places.len() * EMPTY;
    }
}

/// Where a tenant's memory is, unless it is in use.
struct Place {
    memory: Option<Memory>,
    /// What was read meanwhile, by identifier.
    sights: HashMap<String, Sight>,
    age: u64,
    weight: usize,
}

/// Of one tenant.
pub(crate) struct Memory {
    pub(crate) ground: Ground,
    /// What was written, or read to be written.
    known: Known,
    /// What was read since.
    seen: Known,
    /// How many times this server has written, with nobody else in between.
    streak: u32,
    /// How many of them it takes for what was written to be of use.
    wanted: u32,
    weight: usize,
    /// What was read since then adds to it.
    age: u64,
}

/// How one of our transactions has left a tenant.
pub(crate) struct Ground {
    /// The mark of its state: who has written its row.
    pub(crate) mark: String,
    pub(crate) totals: Totals,
    /// Changes whenever what is known of the tenant is of no use any more.
    pub(crate) fence: u64,
    /// The run of the database.
    pub(crate) run: String,
    /// What the next transaction can be known by.
    pub(crate) token: String,
}

impl Ground {
    fn has_fence_of(&self, other: &Self) -> bool {
        self.fence == other.fence
            && self.run == other.run
            && self.totals.counts.epoch == other.totals.counts.epoch
    }
}

/// Most times in a row that it takes.
const MOST_WANTED: u32 = 64;

impl Memory {
    /// What a guess may rest on, of what is wished for.
    pub(crate) fn excerpt(&mut self, wishes: &Wishes) -> Known {
        let mut excerpt = match self.is_trusted() {
            true => self.known.excerpt(wishes),
            false => Known::of_members(self.known.usual.clone()),
        };
        excerpt.update(std::mem::take(&mut self.seen));
        excerpt
    }

    /// What may rest on what was just read, of what is wished for.
    pub(crate) fn excerpt_of(&self, mut read: Known, wishes: &Wishes) -> Known {
        read.usual.clone_from(&self.known.usual);
        read.excerpt(wishes)
    }

    fn is_trusted(&self) -> bool {
        self.streak >= self.wanted
    }

    /// What rested on it turned out to be true.
    pub(crate) fn was_right(&mut self) {
        if self.is_trusted() {
            self.wanted = self.wanted.saturating_sub(1).max(1);
        }
    }

    /// What rested on it turned out to be wrong.
    pub(crate) fn was_wrong(&mut self) {
        self.wanted = self.wanted.saturating_mul(2).min(MOST_WANTED);
        self.begin_anew();
    }

    /// Forgets what is known, but for what members usually are.
    fn begin_anew(&mut self) {
        self.known = Known::of_members(self.known.usual.take());
        self.seen = Known::default();
        (self.weight, self.streak) = (EMPTY, 0);
    }
}

/// A resource that was read, with all that a write has to know of it.
pub(crate) struct Sight {
    pub(crate) record: Record,
    pub(crate) entries: Vec<u8>,
    pub(crate) person: Option<Derived>,
}

impl Sight {
    /// About how many bytes it takes.
    fn weight(&self) -> usize {
        EMPTY + self.record.body.len() + self.entries.len()
    }
}

/// Taken before something is read, so that it is known afterwards whether it belongs to what is remembered.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

impl Memories {
    /// A ticket, if what is read of the tenant is of use.
    pub(crate) fn ticket(&self, tenant: &Tenant) -> Option<Ticket> {
        self.lock().places.get(tenant).map(|place| Ticket(place.age))
    }

    /// Remembers what was read.
    pub(crate) fn saw(&self, tenant: &Tenant, ticket: Ticket, sight: Sight) {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(place) = state.places.get_mut(tenant).filter(|place| place.age == ticket.0) else { return };
        let weight = sight.weight();
        if place.weight + weight > MOST_OF_TENANT {
            // Most of what is read is not written next.
            let read: usize = place.sights.values().map(Sight::weight).sum();
            place.sights.clear();
            place.weight -= read;
            state.weight -= read;
        }
        if place.weight + weight > MOST_OF_TENANT {
            return;
        }
        let before = place.sights.insert(sight.record.id.clone(), sight).map_or(0, |sight| sight.weight());
        place.weight = place.weight + weight - before;
        state.weight = state.weight + weight - before;
    }

    /// Takes out what is remembered of a tenant, with what was read since of the resources that are wished for.
    pub(crate) fn take(&self, tenant: &Tenant, wishes: &Wishes) -> Result<Option<Memory>, Failed> {
        let (mut memory, sights) = {
            let mut state = self.lock();
            let Some(place) = state.places.get_mut(tenant) else { return Ok(None) };
            let Some(memory) = place.memory.take() else { return Ok(None) };
            let ids = wishes.resources.iter().chain(&wishes.types);
            (memory, ids.filter_map(|id| place.sights.remove(id)).collect::<Vec<Sight>>())
        };
        for Sight { record, entries, person } in sights {
            memory.seen.note(entries::decode(record, &entries)?, person);
        }
        Ok(Some(memory))
    }

    /// Puts back what was taken out, after a transaction that has found the tenant with the mark `found` and has left it like
    /// this, with what is known by then.
    pub(crate) fn keep(
        &self,
        tenant: &Tenant,
        memory: Option<Memory>,
        found: &str,
        ground: Ground,
        later: Known,
    ) {
        let mut memory = match memory {
            Some(mut memory) => {
                memory.streak = memory.streak.saturating_add(1);
                if memory.ground.mark != found {
                    memory.begin_anew();
                }
                if !memory.ground.has_fence_of(&ground) {
                    memory.age = self.next_age();
                }
                Memory { ground, ..memory }
            }
            None => Memory {
                ground,
                known: Known::default(),
                seen: Known::default(),
                streak: 0,
                wanted: 1,
                weight: EMPTY,
                age: self.next_age(),
            },
        };
        memory.weight += later.weight();
        memory.known.absorb(later);
        self.put(tenant, memory);
    }

    fn put(&self, tenant: &Tenant, mut memory: Memory) {
        if memory.weight > MOST_OF_TENANT {
            memory.known = Known::of_members(memory.known.usual.take());
            memory.weight = EMPTY;
            memory.age = self.next_age();
        }
        let mut state = self.lock();
        if state.weight > MOST {
            state.shrink();
        }
        let before = state.places.remove(tenant);
        state.weight -= before.as_ref().map_or(0, |place| place.weight);
        let sights =
            before.filter(|place| place.age == memory.age).map(|place| place.sights).unwrap_or_default();
        let read: usize = sights.values().map(Sight::weight).sum();
        let (age, weight) = (memory.age, memory.weight + read);
        state.weight += weight;
        state.places.insert(tenant.clone(), Place { memory: Some(memory), sights, age, weight });
    }

    fn next_age(&self) -> u64 {
        self.lock().next_age()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground(mark: &str) -> Ground {
        let [mark, run, token] = [mark, "", ""].map(str::to_owned);
        Ground { mark, totals: Totals::default(), fence: 0, run, token }
    }

    impl Memories {
        fn taken(&self, tenant: &Tenant, wishes: &Wishes) -> Memory {
            self.take(tenant, wishes).expect("it can be read").expect("it is there")
        }
    }

    /// However many write, nobody's state is forgotten, and little of what was written.
    #[test]
    fn what_is_remembered_has_a_limit() {
        let memories = Memories::default();
        let tenant = |n: usize| Tenant::new(&format!("t{n}")).expect("a name");
        let known = || {
            let mut known = Known::default();
            known.types.extend((0..500).map(|n| (format!("u{n}"), Some("User".into()))));
            known
        };
        let weight = known().weight();
        assert!((MOST / 200..MOST_OF_TENANT).contains(&weight), "{weight}");
        for n in 0..200 {
            memories.keep(&tenant(n), None, "", ground(&n.to_string()), known());
            let memory = memories.taken(&tenant(n), &Wishes::default());
            memories.keep(&tenant(n), Some(memory), &n.to_string(), ground(&n.to_string()), Known::default());
            let state = memories.lock();
            let places: usize = state.places.values().map(|place| place.weight).sum();
            assert_eq!(state.weight, places);
            assert!(places <= MOST + MOST_OF_TENANT + EMPTY, "{places}");
        }
        let of = |n| memories.taken(&tenant(n), &Wishes::default());
        let (first, last) = (of(0), of(199));
        assert!(first.is_trusted() && first.ground.mark == "0" && first.known.types.is_empty());
        assert_eq!(last.known.types.len(), 500);
        memories.keep(&tenant(0), Some(first), "0", ground("0"), known());
        for _ in 0..2 {
            memories.keep(&tenant(0), Some(of(0)), "0", ground("0"), known());
        }
        assert!(of(0).known.types.is_empty(), "three times are too much of one tenant");
    }
}
