//! Who is next: each tenant in its turn, however many of another wait. It keeps those who wait in order, and neither lets
//! anybody in nor wakes anybody.

use std::collections::{HashMap, VecDeque};

use crate::Tenant;

/// Those who wait, of each tenant in the order in which they came, and the tenants in turns.
#[derive(Debug)]
pub struct Turns<T> {
    waiting: HashMap<Tenant, VecDeque<T>>,
    /// Every tenant of whom somebody waits, once.
    order: VecDeque<Tenant>,
    most: usize,
}

impl<T> Turns<T> {
    /// Nobody waits. Of each tenant there can be at most so many.
    pub fn new(most: usize) -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new(), most }
    }

    /// Lets somebody wait.
    ///
    /// # Errors
    /// When too many of the tenant wait already: it is given back.
    pub fn push(&mut self, tenant: &Tenant, item: T) -> Result<(), T> {
        match self.waiting.get_mut(tenant) {
            Some(queue) if queue.len() >= self.most => return Err(item),
            Some(queue) => queue.push_back(item),
            None => {
                self.waiting.insert(tenant.clone(), VecDeque::from([item]));
                self.order.push_back(tenant.clone());
            }
        }
        Ok(())
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// Who is next, if anybody waits.
    pub fn pop(&mut self) -> Option<T> {
        self.pop_of(|_| true).map(|(_, item)| item)
    }

    /// Who is next of the tenants that `may` have a turn, if anybody of them waits.
    pub fn pop_of(&mut self, may: impl Fn(&Tenant) -> bool) -> Option<(Tenant, T)> {
        let place = self.order.iter().position(may)?;
        let tenant = self.order.remove(place)?;
        let queue = self.waiting.get_mut(&tenant)?;
        let item = queue.pop_front()?;
        match queue.is_empty() {
            true => drop(self.waiting.remove(&tenant)),
            false => self.order.push_back(tenant.clone()),
        }
        Some((tenant, item))
    }
}

/// What tenants have of something that none may have all of.
#[derive(Debug)]
pub struct Taken {
    each: usize,
    by: Vec<Tenant>,
}

impl Taken {
    /// Nobody has anything. One tenant can have at most so much.
    pub fn new(each: usize) -> Self {
        Self { each, by: Vec::new() }
    }

    /// Whether nobody has anything.
    pub fn is_empty(&self) -> bool {
        self.by.is_empty()
    }

    /// Whether a tenant can have one more.
    pub fn may(&self, tenant: &Tenant) -> bool {
        self.by.iter().filter(|other| *other == tenant).count() < self.each
    }

    /// The tenant has one more.
    pub fn take(&mut self, tenant: &Tenant) {
        self.by.push(tenant.clone());
    }

    /// The tenant has one less.
    pub fn give_back(&mut self, tenant: &Tenant) {
        if let Some(place) = self.by.iter().position(|other| other == tenant) {
            self.by.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_than_may_be() {
        let [a, b] = ["a", "b"].map(|name| Tenant::new(name).expect("a name"));
        let mut taken = Taken::new(2);
        assert!(taken.is_empty());
        taken.take(&a);
        assert!(taken.may(&a) && !taken.is_empty());
        taken.take(&a);
        assert!(!taken.may(&a) && taken.may(&b));
        taken.give_back(&b);
        assert!(!taken.may(&a));
        taken.give_back(&a);
        assert!(taken.may(&a));
    }

    #[test]
    fn tenants_take_turns_and_each_keeps_its_order() {
        let [a, b, c] = ["a", "b", "c"].map(|name| Tenant::new(name).expect("a name"));
        let mut turns = Turns::new(4);
        for item in ["a1", "a2", "a3", "a4"] {
            assert_eq!(turns.push(&a, item), Ok(()));
        }
        assert_eq!(turns.push(&a, "a5"), Err("a5"));
        assert_eq!(turns.pop(), Some("a1"));
        assert_eq!(turns.push(&b, "b1"), Ok(()));
        assert_eq!(turns.push(&b, "b2"), Ok(()));
        assert_eq!(turns.push(&c, "c1"), Ok(()));
        let mut all = Vec::new();
        while let Some(item) = turns.pop() {
            all.push(item);
        }
        assert_eq!(all, ["a2", "b1", "c1", "a3", "b2", "a4"]);
        for (tenant, item) in [(&a, "a6"), (&b, "b3"), (&a, "a7")] {
            assert_eq!(turns.push(tenant, item), Ok(()));
        }
        assert_eq!(turns.pop_of(|tenant| *tenant == b), Some((b.clone(), "b3")));
        assert_eq!(turns.pop_of(|tenant| *tenant == b), None);
        assert_eq!((turns.pop(), turns.pop()), (Some("a6"), Some("a7")));
        assert_eq!(turns.pop(), None);
    }
}
