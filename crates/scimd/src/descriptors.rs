//! How many files the operating system lets the process have open, and how many of those can be connections.
//!
//! Where connections take all, nothing else can be opened: not what the store sorts in, no connection to a database, and no
//! connection of whoever looks whether the server lives.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For what is opened and closed again, as the store does while it works.
const SPARE: usize = 32;

/// Raises the limit of open descriptors to what the operating system allows, since every connection takes one.
pub fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If it is refused, the limit stays, and connections beyond it wait.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// As many connections as are wanted, if there is room for them beside what is open and `others` that are to come.
pub(crate) fn room(wanted: usize, others: usize) -> usize {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    let open = std::fs::read_dir("/dev/fd").map_or(0, Iterator::count);
    let room = limit.map_or(wanted, |limit| share(limit, open + others + SPARE).min(wanted));
    if room < wanted {
        tracing::warn!(
            max_connections = room,
            limit,
            "so few files may be open that further connections have to wait; raise the limit (LimitNOFILE of a systemd unit, \
             `ulimit -Hn`)"
        );
    }
    room
}

/// What is left of a limit. Where next to nothing is, a quarter all the same: the others do not all come at once.
fn share(limit: usize, taken: usize) -> usize {
    limit.saturating_sub(taken).max(limit / 4).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_others() {
        for (limit, taken, expected) in [(1024, 124, 900), (64, 100, 16), (100, 99, 25), (2, 40, 1)] {
            assert_eq!(share(limit, taken), expected, "{taken} of {limit}");
        }
        assert_eq!(room(1, 0), 1);
    }
}
