//! Query strings: decoded once, as a form (`+` is a space), unknown keys ignored.

use percent_encoding::percent_decode_str;
use scim_core::message::SearchRequest;
use scim_core::text::excerpt;
use scim_core::{Error, ErrorKind, Result};

/// The query parameters of RFC 7644 §3.4.2, §3.9 and RFC 9865 §2.
///
/// # Errors
/// `invalidValue` when a number is not one or a parameter is given twice.
pub(crate) fn parse(query: Option<&str>) -> Result<SearchRequest> {
    let mut request = SearchRequest::default();
    let mut count = None;
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in parameters(query) {
        let value = || decoded(&name, value);
        match name.as_str() {
            "attributes" => request.attributes = names(&value()?),
            "excludedattributes" => request.excluded_attributes = names(&value()?),
            "filter" => request.filter = Some(value()?),
            "sortby" => request.sort_by = Some(value()?),
            "sortorder" => request.sort_order = Some(value()?),
            "startindex" => request.start_index = Some(number("startIndex", &value()?)?),
            "count" => count = Some(value()?),
            "cursor" => request.cursor = Some(value()?),
            _ => continue,
        }
        if seen.contains(&name) {
            return Err(Error::new(ErrorKind::InvalidValue, format!("`{name}` is given twice"))
                .remedy("give it once"));
        }
        seen.push(name);
    }
    request.count =
        count.map(|count| number("count", &count)).transpose().map_err(|error| match request.cursor {
            // RFC 9865 §2.1.
            Some(_) => error.of_kind(ErrorKind::InvalidCount),
            None => error,
        })?;
    Ok(request)
}

/// The one parameter that discovery looks at, to refuse it; all others "SHALL be ignored" (RFC 7644 §4).
pub(crate) fn has_filter(query: Option<&str>) -> bool {
    parameters(query).any(|(name, _)| name == "filter")
}

/// Whether `attributes` is there, even if it names none.
pub(crate) fn has_attributes(query: Option<&str>) -> bool {
    parameters(query).any(|(name, _)| name == "attributes")
}

/// The parameters: names decoded and in lower case, values as they are.
fn parameters(query: Option<&str>) -> impl Iterator<Item = (String, &str)> {
    query.unwrap_or_default().split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase(), value)
    })
}

/// The value of a parameter. What cannot be decoded is refused: a look-up that found nothing because of it would be
/// followed by a creation.
fn decoded(name: &str, value: &str) -> Result<String> {
    let wrong = |what: &str| Error::new(ErrorKind::InvalidValue, format!("`{name}` {what}"));
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let code = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                code.ok_or_else(|| {
                    wrong("has a `%` without two hexadecimal digits after it")
                        .remedy("write a percent sign as `%25`")
                })?
            }
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        wrong("is not UTF-8").remedy("encode the bytes of its UTF-8, as in `M%C3%BCller` for `Müller`")
    })?;
    match text.contains('\0') {
        true => Err(wrong("holds a NUL character")),
        false => Ok(text),
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn number(name: &str, text: &str) -> Result<i64> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::new(ErrorKind::InvalidValue, format!("`{name}` is empty"))
            .remedy("give a whole number, or leave it out"));
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    match text.parse() {
        Ok(number) => Ok(number),
        // RFC 7644 §3.4.2.4 has no greatest number, and negative ones have a meaning however small they are.
        Err(_) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(if text.starts_with('-') { i64::MIN } else { i64::MAX })
        }
        Err(_) => {
            let words = format!("`{name}` is not a whole number: `{}`", excerpt(text));
            Err(Error::new(ErrorKind::InvalidValue, words))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_a_form() {
        let request = parse(Some(
            "filter=userName+eq+%22a%2Bb%40x%22&&aadOptscim062020&Count=2&attributes=id,%20userName&",
        ))
        .expect("a query");
        assert_eq!(request.filter.as_deref(), Some("userName eq \"a+b@x\""));
        assert_eq!(request.count, Some(2));
        assert_eq!(request.attributes, ["id", "userName"]);
        assert_eq!(parse(Some("other=%FC&%FC=%&%63ount=3")).expect("ignored").count, Some(3));
        let great =
            parse(Some("count=-99999999999999999999&startIndex=+99999999999999999999")).expect("numbers");
        assert_eq!((great.count, great.start_index), (Some(i64::MIN), Some(i64::MAX)));
        assert_eq!(parse(None).expect("none").cursor, None);
        assert_eq!(parse(Some("cursor")).expect("empty").cursor.as_deref(), Some(""));
    }

    #[test]
    fn refusals_name_the_parameter() {
        for (query, expected) in [
            ("count=ten", "`count` is not a whole number: `ten`"),
            ("startIndex=1&startindex=2", "`startindex` is given twice; give it once"),
            ("count=-", "`count` is not a whole number: `-`"),
            ("filter=a%00", "`filter` holds a NUL character"),
            ("count=", "`count` is empty; give a whole number, or leave it out"),
            (
                "filter=userName+eq+%22M%FCller%22",
                "`filter` is not UTF-8; encode the bytes of its UTF-8, as in `M%C3%BCller` for `Müller`",
            ),
            (
                "sortBy=a%zz",
                "`sortby` has a `%` without two hexadecimal digits after it; write a percent sign as `%25`",
            ),
            (
                "filter=100%",
                "`filter` has a `%` without two hexadecimal digits after it; write a percent sign as `%25`",
            ),
        ] {
            assert_eq!(parse(Some(query)).expect_err(query).to_string(), expected);
        }
    }
}
