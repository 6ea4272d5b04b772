//! Keys: bytes whose order is the order of the values that they stand for.
//!
//! Sorting, range filters and every store's index use these bytes, so they cannot disagree. A key belongs to one
//! attribute; keys of attributes with different types are never compared.

use std::cmp::Ordering;

use serde_json::Value;

use crate::schema::{Attribute, Type};
use crate::text::fold;
use crate::time::Instant;

/// The order-preserving form of one value of an attribute, or of its absence.
///
/// Present values come first, absent ones last (RFC 7644 §3.4.2.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Box<[u8]>);

/// Longest text, in bytes of its folded form, that a key holds whole.
pub const TEXT_LIMIT: usize = 256;

const PRESENT: u8 = 0x01;
const ABSENT: u8 = 0x02;

impl Key {
    /// The key of a value. `None` when the value is not of the attribute's type, or has no order (complex).
    ///
    /// Texts are folded unless the attribute is case exact, and cut at [`TEXT_LIMIT`].
    pub fn of(attribute: &Attribute, value: &Value) -> Option<Self> {
        match (attribute.kind(), value) {
            (Type::Boolean, Value::Bool(value)) => Some(Self::boolean(*value)),
            (Type::Integer, Value::Number(value)) => Some(Self::integer(value.as_i64()?)),
            (Type::Decimal, Value::Number(value)) => Some(Self::decimal(value.as_f64()?)),
            (Type::DateTime, Value::String(value)) => Some(Self::instant(Instant::parse(value)?)),
            (Type::String | Type::Reference | Type::Binary, Value::String(value)) => {
                Some(if attribute.is_case_exact() { Self::text(value) } else { Self::text(&fold(value)) })
            }
            _ => None,
        }
    }

    /// The key of no value.
    pub fn absent() -> Self {
        Self(Box::new([ABSENT]))
    }

    /// The key of a boolean; `false` comes first.
    pub fn boolean(value: bool) -> Self {
        Self(Box::new([PRESENT, u8::from(value)]))
    }

    /// The key of a whole number.
    pub fn integer(value: i64) -> Self {
        Self::present(&(value ^ i64::MIN).to_be_bytes())
    }

    /// The key of a real number, in the order of IEEE 754 `totalOrder`, with -0 equal to 0.
    pub fn decimal(value: f64) -> Self {
        let bits = if value == 0.0 { 0 } else { value.to_bits() };
        let ordered = if bits >> 63 == 0 { bits ^ (1 << 63) } else { !bits };
        Self::present(&ordered.to_be_bytes())
    }

    /// The key of a point in time.
    pub fn instant(value: Instant) -> Self {
        let mut bytes = [0; 12];
        let (seconds, nanos) = bytes.split_at_mut(8);
        seconds.copy_from_slice(&(value.seconds ^ i64::MIN).to_be_bytes());
        nanos.copy_from_slice(&value.nanos.to_be_bytes());
        Self::present(&bytes)
    }

    /// The key of a text that is already folded where case does not matter.
    pub fn text(folded: &str) -> Self {
        let bytes = folded.as_bytes();
        Self::present(bytes.get(..TEXT_LIMIT).unwrap_or(bytes))
    }

    fn present(bytes: &[u8]) -> Self {
        let mut key = Vec::with_capacity(bytes.len() + 1);
        key.push(PRESENT);
        key.extend_from_slice(bytes);
        Self(key.into())
    }

    /// A key from bytes that [`Key::as_bytes`] gave.
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the key stands for no value.
    pub fn is_absent(&self) -> bool {
        self.0.first() == Some(&ABSENT)
    }

    /// Whether a text key may have been cut, so that equal keys do not prove equal values.
    pub fn may_be_cut(&self) -> bool {
        self.0.len() > TEXT_LIMIT
    }

    /// The smallest key greater than every key that starts with this one.
    pub fn after_prefix(&self) -> Self {
        let mut bytes = self.0.to_vec();
        while bytes.last() == Some(&u8::MAX) {
            bytes.pop();
        }
        if let Some(last) = bytes.last_mut() {
            *last += 1;
        }
        Self(bytes.into())
    }

    /// The smallest key greater than every key of a present value.
    pub fn after_present() -> Self {
        Self::absent()
    }

    /// The smallest key of a present value.
    pub fn first_present() -> Self {
        Self(Box::new([PRESENT]))
    }

    /// Compares in ascending or descending order. Descending is the exact reverse, so absent values come first.
    pub fn compare(&self, other: &Self, descending: bool) -> Ordering {
        if descending { other.cmp(self) } else { self.cmp(other) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_order_as_their_values(a in any::<i64>(), b in any::<i64>(), x in -1e300..1e300f64, y in -1e300..1e300f64) {
            prop_assert_eq!(Key::integer(a).cmp(&Key::integer(b)), a.cmp(&b));
            prop_assert_eq!(Key::decimal(x).cmp(&Key::decimal(y)), x.total_cmp(&y));
            prop_assert!(Key::integer(a) < Key::absent());
        }

        #[test]
        fn prefixes_are_ranges(prefix in ".{0,20}", rest in ".{0,20}", other in ".{0,40}") {
            let key = Key::text(&prefix);
            let range = key.clone()..key.after_prefix();
            let longer = format!("{prefix}{rest}");
            prop_assert!(range.contains(&Key::text(&longer)));
            prop_assert_eq!(range.contains(&Key::text(&other)), other.starts_with(&prefix));
        }
    }

    #[test]
    fn zero_has_one_key() {
        assert_eq!(Key::decimal(-0.0), Key::decimal(0.0));
    }
}
