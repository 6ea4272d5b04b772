//! The order in which operations that need each other run.
//!
//! Tarjan's strongly connected components, without recursion: each operation comes after those that it needs, and those
//! that need each other in a circle come together.

/// Groups the operations, where `needs` lists for each of them those that it needs. Groups come in the order in which they
/// can run, and otherwise as they were given.
pub(super) fn components(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut search = Search {
        number: vec![UNSEEN; needs.len()],
        low: vec![UNSEEN; needs.len()],
        waiting: vec![false; needs.len()],
        stack: Vec::new(),
        next: 0,
    };
    let mut groups = Vec::new();
    for root in 0..needs.len() {
        if search.number.get(root) != Some(&UNSEEN) {
            continue;
        }
        search.enter(root);
        let mut path: Vec<(usize, usize)> = vec![(root, 0)];
        while let Some((node, step)) = path.pop() {
            match needs.get(node).and_then(|list| list.get(step)) {
                Some(next) => {
                    path.push((node, step + 1));
                    if search.number.get(*next) == Some(&UNSEEN) {
                        search.enter(*next);
                        path.push((*next, 0));
                    } else if search.waiting.get(*next) == Some(&true) {
                        search.lower(node, search.number.get(*next).copied());
                    }
                }
                None => {
                    groups.extend(search.leave(node));
                    if let Some((parent, _)) = path.last() {
                        search.lower(*parent, search.low.get(node).copied());
                    }
                }
            }
        }
    }
    groups
}

struct Search {
    number: Vec<usize>,
    low: Vec<usize>,
    waiting: Vec<bool>,
    stack: Vec<usize>,
    next: usize,
}

impl Search {
    fn enter(&mut self, node: usize) {
        for (list, value) in [(&mut self.number, self.next), (&mut self.low, self.next)] {
            if let Some(slot) = list.get_mut(node) {
                *slot = value;
            }
        }
        if let Some(slot) = self.waiting.get_mut(node) {
            *slot = true;
        }
        self.stack.push(node);
        self.next += 1;
    }

    fn lower(&mut self, node: usize, to: Option<usize>) {
        if let (Some(slot), Some(to)) = (self.low.get_mut(node), to) {
            *slot = (*slot).min(to);
        }
    }

    /// The component that ends at `node`, if one does.
    fn leave(&mut self, node: usize) -> Option<Vec<usize>> {
        if self.low.get(node) != self.number.get(node) {
            return None;
        }
        let mut group = Vec::new();
        while let Some(member) = self.stack.pop() {
            if let Some(slot) = self.waiting.get_mut(member) {
                *slot = false;
            }
            group.push(member);
            if member == node {
                break;
            }
        }
        group.sort_unstable();
        Some(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_come_after_what_they_need() {
        for (needs, expected) in [
            (vec![vec![], vec![], vec![]], vec![vec![0], vec![1], vec![2]]),
            (vec![vec![2], vec![], vec![]], vec![vec![2], vec![0], vec![1]]),
            (vec![vec![1], vec![0]], vec![vec![0, 1]]),
            (vec![vec![1], vec![2], vec![1], vec![0]], vec![vec![1, 2], vec![0], vec![3]]),
            (vec![vec![0]], vec![vec![0]]),
        ] {
            assert_eq!(components(&needs), expected, "{needs:?}");
        }
    }

    #[test]
    fn a_long_chain_does_not_exhaust_the_stack() {
        let needs: Vec<Vec<usize>> = (0..100_000).map(|index| vec![(index + 1) % 100_000]).collect();
        assert_eq!(components(&needs).len(), 1);
    }
}
