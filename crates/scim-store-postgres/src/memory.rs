//! What is remembered of the tenants that are written to, so that the next write need not read.
//!
//! It is true as long as nobody else writes to the tenant, which is not known until a write is tried ([`Guess`]).
//! So it is not used before this server has written twice in a row. It is never the ground of an answer by itself.
//!
//! How much is remembered has a limit, for each tenant and for all. Groups outlive users, who come once. What is hidden, and
//! reports, are not remembered.
//!
//! [`Guess`]: crate::guess::Guess

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use scim_core::person::Derived;
use scim_store::draft::Stored;
use scim_store::transfer::Totals;
use scim_store::{Record, Tenant};

use crate::entries;
use crate::error::Failed;
use crate::existing::Known;
use crate::wishes::Wishes;

/// Most bytes to remember of one tenant, about, before it is begun anew.
const MOST_OF_TENANT: usize = 128 * 1024;
/// Most bytes of groups, about, to begin anew with.
const MOST_OF_GROUPS: usize = MOST_OF_TENANT / 2;
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
    is_trusted: bool,
    weight: usize,
}

/// Of one tenant.
pub(crate) struct Memory {
    /// The mark of the state in which one of our transactions has left the tenant.
    pub(crate) mark: String,
    pub(crate) totals: Totals,
    pub(crate) known: Known,
    /// Whether it has turned out to be true once.
    pub(crate) is_trusted: bool,
    weight: usize,
    /// What was read since then adds to it.
    age: u64,
}

impl Memory {
    /// The same, after one of ours has written the tenant's row.
    pub(crate) fn after(self, mark: String, totals: Totals) -> Self {
        Self { mark, totals, ..self }
    }
}

/// A resource that was read, with all that a write has to know of it.
pub(crate) struct Sight {
    pub(crate) record: Record,
    pub(crate) entries: Vec<u8>,
    pub(crate) person: Option<Derived>,
}

/// Taken before something is read, so that it is known afterwards whether it belongs to what is remembered.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

impl Memories {
    /// A ticket, if what is read of the tenant is of use.
    pub(crate) fn ticket(&self, tenant: &Tenant) -> Option<Ticket> {
        self.lock().places.get(tenant).filter(|place| place.is_trusted).map(|place| Ticket(place.age))
    }

    /// Remembers what was read.
    pub(crate) fn saw(&self, tenant: &Tenant, ticket: Ticket, sight: Sight) {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(place) = state.places.get_mut(tenant).filter(|place| place.age == ticket.0) else { return };
        let weight = EMPTY + sight.record.body.len() + sight.entries.len();
        if place.weight + weight > MOST_OF_TENANT {
            return;
        }
        place.weight += weight;
        state.weight += weight;
        place.sights.insert(sight.record.id.clone(), sight);
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
            // What this server has written meanwhile is newer than what was read.
            if !memory.known.resources.contains_key(&record.id) {
                let stored: Stored = entries::decode(record, &entries)?;
                memory.known.note(stored, person);
            }
        }
        Ok(Some(memory))
    }

    /// Puts back a memory that has turned out to be true, with what is known besides.
    pub(crate) fn keep(&self, tenant: &Tenant, mut memory: Memory, later: Known) {
        memory.weight += later.weight();
        memory.known.absorb(later);
        memory.is_trusted = true;
        self.put(tenant, memory);
    }

    /// Begins anew with what was just written.
    pub(crate) fn begin(&self, tenant: &Tenant, mark: String, totals: Totals, known: Known) {
        let mut fresh = Known::default();
        let weight = EMPTY + known.weight();
        fresh.absorb(known);
        let age = self.next_age();
        self.put(tenant, Memory { mark, totals, known: fresh, is_trusted: false, weight, age });
    }

    /// Remembers nothing of a tenant.
    pub(crate) fn forget(&self, tenant: &Tenant) {
        let mut state = self.lock();
        if let Some(place) = state.places.remove(tenant) {
            state.weight -= place.weight;
        }
    }

    fn put(&self, tenant: &Tenant, mut memory: Memory) {
        if memory.weight > MOST_OF_TENANT {
            memory.known = std::mem::take(&mut memory.known).groups(MOST_OF_GROUPS);
            memory.weight = EMPTY + memory.known.weight();
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
        let read: usize =
            sights.values().map(|sight| EMPTY + sight.record.body.len() + sight.entries.len()).sum();
        let (age, is_trusted, weight) = (memory.age, memory.is_trusted, memory.weight + read);
        state.weight += weight;
        state.places.insert(tenant.clone(), Place { memory: Some(memory), sights, age, is_trusted, weight });
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
            memories.begin(&tenant(n), n.to_string(), Totals::default(), known());
            let memory =
                memories.take(&tenant(n), &Wishes::default()).expect("it can be read").expect("it is there");
            memories.keep(&tenant(n), memory, Known::default());
            let state = memories.lock();
            let places: usize = state.places.values().map(|place| place.weight).sum();
            assert_eq!(state.weight, places);
            assert!(places <= MOST + MOST_OF_TENANT + EMPTY, "{places}");
        }
        let of =
            |n| memories.take(&tenant(n), &Wishes::default()).expect("it can be read").expect("it is there");
        let (first, last) = (of(0), of(199));
        assert!(first.is_trusted && first.mark == "0" && first.known.types.is_empty());
        assert_eq!(last.known.types.len(), 500);
        memories.keep(&tenant(0), first, known());
        memories.keep(&tenant(0), of(0), known());
        memories.keep(&tenant(0), of(0), known());
        assert!(of(0).known.types.is_empty(), "three times are too much of one tenant");
    }

    /// What is written again and again outlives what comes once, as far as there is room.
    #[test]
    fn groups_are_remembered_longer() {
        let (memories, tenant) = (Memories::default(), Tenant::system());
        let stored = |resource_type: &str, n: usize| {
            let (id, resource_type) = (format!("{resource_type}{n}"), resource_type.into());
            let (version, at, label) = (1, scim_core::time::Timestamp(0), String::new());
            let body = vec![b' '; 1000].into();
            let record = Record { id, resource_type, version, created: at, modified: at, label, body };
            Stored { record, unique: Vec::new(), index: Vec::new() }
        };
        let kept = |groups: usize| {
            let mut known = Known::default();
            known.usual = Some("User".into());
            (0..groups).for_each(|n| known.note(stored("Group", n), None));
            (0..200).for_each(|n| known.note(stored("User", n), None));
            memories.begin(&tenant, String::new(), Totals::default(), known);
            let memory =
                memories.take(&tenant, &Wishes::default()).expect("it can be read").expect("it is there");
            assert!(memory.weight <= EMPTY + MOST_OF_GROUPS, "{}", memory.weight);
            memory.known.resources.len()
        };
        assert_eq!((kept(0), kept(20)), (0, 20));
        assert!((20..100).contains(&kept(100)), "{}", kept(100));
    }
}
