//! Repeatable randomness, and the values that random documents and questions are made of. They are chosen so that folding,
//! escaping, patterns, rounding and order go wrong wherever they can.

/// Marsaglia's xorshift: repeatable, and no dependency.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Different seeds give different numbers.
    pub fn new(seed: u64) -> Self {
        // A state of zero would stay.
        Self((0x9E37_79B9_7F4A_7C15 ^ seed.wrapping_mul(0xD134_2543_DE82_EF95)).max(1))
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() >> 11) as usize % bound
    }

    /// True once in so many times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Texts.
pub const TEXTS: &[&str] = &[
    "",
    "a",
    "A",
    "ab",
    "aB",
    "abc",
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
    LONG,
    LONG_2,
];
const LONG: &str = concat!(
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll",
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll",
    "llllllllllllllllllllllllllllllllll1"
);
const LONG_2: &str = concat!(
    "LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL",
    "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll",
    "llllllllllllllllllllllllllllllllll2"
);

/// Moments, some of them the same.
pub const TIMES: &[&str] = &[
    "1969-12-31T23:59:59.999Z",
    "2024-02-29T12:00:00+02:00",
    "2024-02-29T10:00:00Z",
    "2024-02-29T10:00:00.001",
    "2025-01-01T00:00:00-11:00",
    "9999-12-31T23:59:59Z",
    "2023-11-14T22:13:20.007Z",
];

/// Whole numbers.
pub const INTEGERS: &[i64] = &[i64::MIN, -7, -1, 0, 1, 2, 7, 9_007_199_254_740_993, i64::MAX];

/// Others.
pub const DECIMALS: &[f64] = &[-1.0e300, -1.5, -0.0, 0.0, 0.25, 1.0, 2.5, 1.0e300];
