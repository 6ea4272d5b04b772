//! Points in time: reading and writing `xsd:dateTime` (RFC 7643 §2.3.5), and the clockless [`Timestamp`].

use std::fmt;

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z. It always arrives as a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The first moment of the year 0, before which RFC 3339 can write none.
    const FIRST: Self = Self(-62_167_219_200_000);
    /// The last moment of the year 9999, after which RFC 3339 can write none.
    pub const LAST: Self = Self(253_402_300_799_999);

    /// The moment `seconds` later.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, as in `meta.lastModified`. A moment that it cannot write is the nearest that it can.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let near = self.0.clamp(Self::FIRST.0, Self::LAST.0);
        let text = written(DateTime::<Utc>::from_timestamp_millis(near).unwrap_or_default());
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// A moment of the years 0 to 9999, digit by digit: every answer has two of them for each resource.
fn written(moment: DateTime<Utc>) -> [u8; 24] {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut write = |end: usize, mut number: u32| {
        for byte in text.get_mut(..end).into_iter().flatten().rev() {
            if number == 0 {
                break;
            }
            *byte += (number % 10) as u8;
            number /= 10;
        }
    };
    write(4, moment.year().unsigned_abs());
    write(7, moment.month());
    write(10, moment.day());
    write(13, moment.hour());
    write(16, moment.minute());
    write(19, moment.second());
    write(23, moment.timestamp_subsec_millis());
    text
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
    /// Reads what is both `xsd:dateTime` and RFC 3339, of the years 0 to 9999. A value without an offset is taken as UTC.
    /// `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let local = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")))
            .ok()?;
        // RFC 3339 has a space between date and time, leap seconds and offsets up to a day; `xsd:dateTime` does not. The sign
        // that typography has for minus, which is read here too, is in neither.
        let is_xsd = text.is_ascii()
            && matches!(text.as_bytes().get(10), Some(b'T' | b't'))
            && local.timestamp_subsec_nanos() < 1_000_000_000
            && local.offset().local_minus_utc().abs() <= 14 * 3600;
        let moment = local.with_timezone(&Utc);
        let writable = is_xsd && (0..=9999).contains(&moment.year());
        writable.then(|| Self { seconds: moment.timestamp(), nanos: moment.timestamp_subsec_nanos() })
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

    /// Found by fuzzing: years that RFC 3339 cannot write were read, and what was printed could not be read again.
    #[test]
    fn what_is_read_can_be_printed_and_read_again() {
        for text in [
            "2016-12-31T23:59:59.5Z",
            "2020-01-01T00:29:59-14:00",
            "0000-01-01T00:00:00",
            "9999-12-31T23:59:59Z",
        ] {
            let instant = Instant::parse(text).expect(text);
            assert_eq!(Instant::parse(&instant.to_string()), Some(instant), "{text} printed as {instant}");
        }
        for text in [
            "-019-12-31T23:59:60.00",
            "+12020-01-01T00:00:00",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2020-1-1T0:0:0",
            " 2020-01-01T00:00:00",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }

    /// What RFC 3339 has beyond `xsd:dateTime` would be shown to clients that read that (RFC 7643 §2.3.5).
    #[test]
    fn what_is_no_xsd_date_time_is_not_read() {
        for text in [
            "2011-05-13 04:42:34Z",
            "2011-05-13_04:42:34Z",
            "2016-12-31T23:59:60Z",
            "2016-12-31T23:59:60.5",
            "2011-05-13T04:42:34+14:01",
            "2011-05-13T04:42:34-23:30",
            "2011-05-13T04:42:34\u{2212}01:00",
        ] {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
        assert!(Instant::parse("2011-05-13t04:42:34z").is_some(), "it \"has no case sensitivity\"");
    }

    #[test]
    fn timestamps_are_written_in_utc() {
        assert_eq!(Timestamp(1_305_261_754_042).to_string(), "2011-05-13T04:42:34.042Z");
        assert_eq!(Timestamp(0).plus_seconds(60).to_string(), "1970-01-01T00:01:00.000Z");
        let years = 86_400_000 * 365;
        let Timestamp(last) = Timestamp::LAST;
        for millis in [-years * 1900, -1, 0, 999, years * 17 + 1, years * 7000, last] {
            let moment = DateTime::<Utc>::from_timestamp_millis(millis).unwrap_or_default();
            let expected = moment.to_rfc3339_opts(SecondsFormat::Millis, true);
            assert_eq!(Timestamp(millis).to_string(), expected, "{millis}");
        }
    }

    #[test]
    fn a_timestamp_beyond_what_can_be_written_is_the_nearest() {
        for millis in [Timestamp::LAST.0, Timestamp::LAST.0 + 1, i64::MAX] {
            assert_eq!(Timestamp(millis).to_string(), "9999-12-31T23:59:59.999Z");
        }
        for millis in [Timestamp::FIRST.0, Timestamp::FIRST.0 - 1, i64::MIN] {
            assert_eq!(Timestamp(millis).to_string(), "0000-01-01T00:00:00.000Z");
        }
    }
}
