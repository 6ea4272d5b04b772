//! What can be done to a text between a User and a person. Each step is idempotent and knows no tenant.

use std::borrow::Cow;

use crate::value::degree;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// Leaves off blanks at both ends.
    Trim,
    /// Writes it in lower case.
    Lower,
    /// Writes it in upper case.
    Upper,
    /// Begins each word with a capital.
    Title,
    /// Keeps the academic degrees alone.
    Degree,
    /// Takes academic degrees out.
    WithoutDegree,
}

impl Transform {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::Trim, Self::Lower, Self::Upper, Self::Title, Self::Degree, Self::WithoutDegree];

    /// The name in a policy file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Title => "title",
            Self::Degree => "degree",
            Self::WithoutDegree => "without-degree",
        }
    }

    /// What it does, for the documentation.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Trim => "leaves off white space at both ends",
            Self::Lower => "writes the text in lower case",
            Self::Upper => "writes the text in upper case",
            Self::Title => "begins each word with a capital: `ADA KING-NOEL` becomes `Ada King-Noel`",
            Self::Degree => {
                "keeps the academic degrees alone: `Herr Dr. med.` becomes `Dr. med.`, and `Herr` nothing"
            }
            Self::WithoutDegree => {
                "takes academic degrees out: `Dr. Ada Lovelace, PhD` becomes `Ada Lovelace`"
            }
        }
    }

    /// The text after this step; nothing if nothing is left of it.
    pub(crate) fn apply<'t>(self, text: Cow<'t, str>) -> Option<Cow<'t, str>> {
        let changed = match self {
            Self::Trim => trim(text),
            Self::Lower => text.to_lowercase().into(),
            Self::Upper => text.to_uppercase().into(),
            Self::Title => title(&text).into(),
            Self::Degree => degrees(&text)?.into(),
            Self::WithoutDegree => match degree::split(&text) {
                (Some(_), rest) => rest.into(),
                (None, _) => text,
            },
        };
        (!changed.trim().is_empty()).then_some(changed)
    }
}

fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// The degrees as they are written, if there is nothing else, and in their usual spelling if they stand among other
/// words.
fn degrees(text: &str) -> Option<String> {
    if is_degrees(text) {
        return Some(text.trim().to_owned());
    }
    degree::split(text).0
}

/// Whether the text is nothing but degrees that are known. Every one of them has a capital or a dot in its usual
/// spelling, so none is left in lower case.
pub(crate) fn is_degrees(text: &str) -> bool {
    let small = text.trim().to_lowercase();
    degree::canonical(&small) != small
}

fn title(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut begins = true;
    for character in text.to_lowercase().chars() {
        if begins {
            let mut capital = character.to_uppercase();
            written.extend(capital.next());
            written.extend(capital.flat_map(char::to_lowercase));
        } else {
            written.push(character);
        }
        begins = character.is_whitespace() || matches!(character, '-' | '\'' | '’');
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(transform: Transform, text: &str, expected: Option<&str>) {
        assert_eq!(
            transform.apply(Cow::Borrowed(text)).as_deref(),
            expected,
            "{} of {text:?}",
            transform.name()
        );
    }

    #[test]
    fn each_step() {
        use Transform::*;
        check(Trim, " Ada\u{A0}", Some("Ada"));
        check(Trim, " \t", None);
        check(Lower, "ADA", Some("ada"));
        check(Upper, "Strauß", Some("STRAUSS"));
        check(Title, "ADA KING-NOEL O'HARA", Some("Ada King-Noel O'Hara"));
        check(Title, "ßa", Some("Ssa"));
        check(Degree, "Dr med", Some("Dr med"));
        check(Degree, "Herr Dr. med.", Some("Dr. med."));
        check(Degree, " MA", Some("MA"));
        check(Degree, "Herr", None);
        check(WithoutDegree, "Dr. Ada Lovelace, PhD", Some("Ada Lovelace"));
        check(WithoutDegree, "Ada Lovelace", Some("Ada Lovelace"));
        check(WithoutDegree, "Dr.", None);
    }

    proptest! {
        #[test]
        fn each_step_is_idempotent(text in prop_oneof![".{0,30}", "((Dr|med|Herr|Ada|PhD|MA|Prof)[., ]{1,2}){0,5}"]) {
            for transform in Transform::ALL {
                if let Some(once) = transform.apply(Cow::Borrowed(&text)) {
                    let twice = transform.apply(once.clone());
                    prop_assert_eq!(twice, Some(once.clone()), "{} of {:?}", transform.name(), text);
                }
            }
        }
    }
}
