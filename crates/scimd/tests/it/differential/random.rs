//! Repeatable randomness, and the words that documents, filters and patches are made of.

/// Marsaglia's xorshift: repeatable, and no dependency.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(0x9E37_79B9_7F4A_7C15 ^ seed.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 11) as usize % bound
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// A text; most are awkward.
    pub(crate) fn text(&mut self) -> String {
        match self.below(12) {
            0 => format!("{}{}", self.pick(TEXTS), self.pick(TEXTS)),
            1 => "l".repeat(self.below(700)) + self.pick(TEXTS),
            _ => self.pick(TEXTS).to_owned(),
        }
    }
}

/// Texts in which folding, escaping, patterns and order go wrong.
const TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "ab",
    "aB",
    "Abc",
    "b",
    "B%",
    "b_",
    "%",
    "_",
    "\\",
    "a\\b",
    "'",
    "\"",
    "' or '1'='1",
    "ß",
    "ẞ",
    "SS",
    "ss",
    "É",
    "é",
    "e\u{301}",
    "\u{212A}",
    "k",
    "ı",
    "i",
    "İ",
    "Σ",
    "ς",
    "σ",
    "日本",
    "\u{10FFFF}",
    "\u{FFFF}",
    "\u{1F600}",
    " ",
    "zz",
    "\n",
    "null",
    "True",
    "1",
    "\u{7f}",
    "\u{200D}",
    "ŉ",
    "ﬁ",
    "FI",
    "ǅ",
];

/// Moments, some of them the same.
pub(crate) const TIMES: &[&str] = &[
    "1969-12-31T23:59:59.999Z",
    "2024-02-29T12:00:00+02:00",
    "2024-02-29T10:00:00Z",
    "2024-02-29T10:00:00.001",
    "2025-01-01T00:00:00-11:00",
    "9999-12-31T23:59:59Z",
    "2023-11-14T22:13:20.007Z",
];

pub(crate) const INTEGERS: &[i64] = &[i64::MIN, -7, -1, 0, 1, 2, 7, 9_007_199_254_740_993, i64::MAX];
pub(crate) const DECIMALS: &[f64] = &[-1.0e300, -1.5, -0.0, 0.0, 0.25, 1.0, 2.5, 1.0e300];
