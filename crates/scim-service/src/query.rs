//! Query strings: decoded once, as a form (`+` is a space), unknown keys ignored.

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
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let name = name.to_ascii_lowercase();
        if value.contains('\0') {
            return Err(Error::new(ErrorKind::InvalidValue, format!("`{name}` holds a NUL character")));
        }
        let value = value.into_owned();
        match name.as_str() {
            "attributes" => request.attributes = names(&value),
            "excludedattributes" => request.excluded_attributes = names(&value),
            "filter" => request.filter = Some(value),
            "sortby" => request.sort_by = Some(value),
            "sortorder" => request.sort_order = Some(value),
            "startindex" => request.start_index = Some(number("startIndex", &value)?),
            "count" => count = Some(value),
            "cursor" => request.cursor = Some(value),
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
    form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .any(|(name, _)| name.eq_ignore_ascii_case("filter"))
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn number(name: &str, text: &str) -> Result<i64> {
    let text = text.trim();
    text.parse().map_err(|_| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let what = if is_number { "is out of range" } else { "is not a whole number" };
        Error::new(ErrorKind::InvalidValue, format!("`{name}` {what}: `{}`", excerpt(text)))
    })
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
        assert_eq!(parse(None).expect("none").cursor, None);
        assert_eq!(parse(Some("cursor")).expect("empty").cursor.as_deref(), Some(""));
    }

    #[test]
    fn refusals_name_the_parameter() {
        for (query, expected) in [
            ("count=ten", "`count` is not a whole number: `ten`"),
            ("startIndex=1&startindex=2", "`startindex` is given twice; give it once"),
            ("count=99999999999999999999", "`count` is out of range: `99999999999999999999`"),
            ("filter=a%00", "`filter` holds a NUL character"),
        ] {
            assert_eq!(parse(Some(query)).expect_err(query).to_string(), expected);
        }
    }
}
