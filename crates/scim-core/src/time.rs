//! Points in time: reading and writing `xsd:dateTime` (RFC 7643 §2.3.5), and the clockless [`Timestamp`].

use std::fmt;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z. It always arrives as a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `seconds` later.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, as in `meta.lastModified`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or_default();
        f.write_str(&moment.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// A parsed `dateTime` value: whole seconds since 1970 and nanoseconds, ordered by time whatever the offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

impl Instant {
    /// Reads `xsd:dateTime`. A value without an offset is taken as UTC. `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = match DateTime::parse_from_rfc3339(text) {
            Ok(moment) => moment.with_timezone(&Utc),
            Err(_) => NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?.and_utc(),
        };
        Some(Self { seconds: moment.timestamp(), nanos: moment.timestamp_subsec_nanos() })
    }
}

impl fmt::Display for Instant {
    /// RFC 3339 in UTC, with as many decimals as it takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = DateTime::<Utc>::from_timestamp(self.seconds, self.nanos).unwrap_or_default();
        f.write_str(&moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_moments_are_equal_whatever_the_offset() {
        let parse = |text| Instant::parse(text).expect(text);
        assert_eq!(parse("2011-05-13T04:42:34Z"), parse("2011-05-13T06:42:34+02:00"));
        assert_eq!(parse("2011-05-13T04:42:34"), parse("2011-05-13T04:42:34.000Z"));
        assert!(parse("2011-05-13T04:42:34.1Z") > parse("2011-05-13T04:42:34Z"));
        assert_eq!(Instant::parse("2011-05-13"), None);
        assert_eq!(Instant::parse("yesterday"), None);
    }

    #[test]
    fn timestamps_are_written_in_utc() {
        assert_eq!(Timestamp(1_305_261_754_042).to_string(), "2011-05-13T04:42:34.042Z");
        assert_eq!(Timestamp(0).plus_seconds(60).to_string(), "1970-01-01T00:01:00.000Z");
    }
}
