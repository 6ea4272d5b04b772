//! Numbers that look random enough to miss caches, the same ones in every run.

/// Xorshift. The seed must not be 0.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The numbers of one connection.
    pub(crate) fn of(connection: usize) -> Self {
        Self((connection as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// One of them. `None` when there are none.
    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}
