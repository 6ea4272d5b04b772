//! The `entries` column: which rows of `entry` and `claim` belong to a resource.
//!
//! A list of items, each a tag byte, the number of the path, the length and the bytes, in little-endian order.

use scim_store::StoreError;

use crate::error::corrupt;

/// One row that belongs to a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    /// A row of `entry`.
    Entry { path: i64, key: Vec<u8>, leading: bool },
    /// A row of `claim`.
    Claim { path: i64, value: String },
}

const FURTHER: u8 = 0;
const LEADING: u8 = 1;
const CLAIM: u8 = 2;

/// Writes the list.
pub(crate) fn encode<'a>(items: impl ExactSizeIterator<Item = &'a Item>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(items.len() * 32);
    for item in items {
        let (tag, path, value) = match item {
            Item::Entry { path, key, leading: true } => (LEADING, path, key.as_slice()),
            Item::Entry { path, key, leading: false } => (FURTHER, path, key.as_slice()),
            Item::Claim { path, value } => (CLAIM, path, value.as_bytes()),
        };
        bytes.push(tag);
        bytes.extend((*path as u32).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
        bytes.extend(value);
    }
    bytes
}

/// Reads the list.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Item>, StoreError> {
    let broken = || corrupt("the list of a resource's index rows cannot be read");
    let mut items = Vec::new();
    let mut rest = bytes;
    while let Some((tag, after)) = rest.split_first() {
        let (path, after) = number(after).ok_or_else(broken)?;
        let (length, after) = number(after).ok_or_else(broken)?;
        let (value, after) = after.split_at_checked(length as usize).ok_or_else(broken)?;
        let path = i64::from(path);
        items.push(match *tag {
            LEADING | FURTHER => Item::Entry { path, key: value.to_vec(), leading: *tag == LEADING },
            CLAIM => Item::Claim { path, value: String::from_utf8(value.to_vec()).map_err(|_| broken())? },
            _ => return Err(broken()),
        });
        rest = after;
    }
    Ok(items)
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let items = [
            Item::Entry { path: 1, key: vec![1, 0, 255], leading: true },
            Item::Entry { path: 70_000, key: vec![], leading: false },
            Item::Claim { path: 3, value: "ada@example.com".to_owned() },
        ];
        let bytes = encode(items.iter());
        assert_eq!(decode(&bytes).unwrap(), items);
        assert_eq!(decode(&[]).unwrap(), []);
        for length in (1..bytes.len()).filter(|length| ![12, 21].contains(length)) {
            let error = decode(&bytes[..length]).expect_err("cut");
            assert_eq!(
                error.to_string(),
                "the store failed: the list of a resource's index rows cannot be read"
            );
        }
        assert!(decode(&[9, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }
}
