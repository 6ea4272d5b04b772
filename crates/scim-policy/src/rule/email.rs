//! One e-mail address for each person, well-formed, and nobody else's.
//!
//! Which of a User's addresses is the person's is decided here, once: the first in the order of preference that is there.
//! If that one is no address, no other is tried in its place, since nobody would notice. That an address is taken shows
//! only when it is written; here are the words for it.

use scim_core::schema::ResourceType;

use super::{CodeDocumentation, Documentation, Event, Example, Rule, Setting, short};
use crate::draft::Draft;
use crate::file::{Placed, Table};
use crate::finding::{Code, Finding, Mode};
use crate::mapping::{Field, Source};
use crate::value::email::EmailAddress;

/// `[email]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Email {
    pub(crate) mode: Mode,
    prefer: Option<Vec<Preference>>,
    /// Where `prefer` is.
    pub(crate) preference: Option<Placed<()>>,
}

/// One place to look for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Preference {
    Work,
    Home,
    Other,
    Primary,
    Any,
    UserName,
}

const PREFERENCES: [(&str, Preference); 6] = [
    ("work", Preference::Work),
    ("primary", Preference::Primary),
    ("any", Preference::Any),
    ("home", Preference::Home),
    ("other", Preference::Other),
    ("userName", Preference::UserName),
];

/// The order without `prefer`.
const DEFAULT: [Preference; 4] =
    [Preference::Work, Preference::Primary, Preference::Any, Preference::UserName];

impl Preference {
    fn path(self) -> &'static str {
        match self {
            Self::Work => "emails[type eq \"work\"].value",
            Self::Home => "emails[type eq \"home\"].value",
            Self::Other => "emails[type eq \"other\"].value",
            Self::Primary => "emails[primary eq true].value",
            Self::Any => "emails.value",
            Self::UserName => "userName",
        }
    }
}

impl Email {
    pub(crate) fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    pub(crate) fn read(table: &Table<'_, '_>) -> Self {
        let preference = table.entry("prefer").map(|(place, _)| Placed { value: (), place });
        let prefer = table.words("prefer", &PREFERENCES);
        Self { mode: table.mode(Mode::Enforce), prefer, preference }
    }

    /// The addresses of a User in the order of preference.
    pub(crate) fn sources(&self, resource_type: &ResourceType) -> Vec<Source> {
        let prefer = self.prefer.as_deref().unwrap_or(&DEFAULT);
        prefer.iter().filter_map(|one| Source::resolve(one.path(), resource_type).ok()).collect()
    }

    /// The finding for an address that somebody else has.
    pub(crate) fn taken(&self, value: &str, path: &str, holder: Option<&str>) -> Option<Finding> {
        let whose = match holder {
            Some(holder) => format!("the user `{}`", short(holder)),
            None => "another person".to_owned(),
        };
        let explanation = format!("`{}` is the address of {whose} already", short(value));
        let remedy = "give each person their own, or deactivate the other";
        Finding::new(Code::EmailTaken, self.mode, path, value, explanation, remedy)
    }
}

impl Rule for Email {
    fn normalise<'a>(&'a self, draft: &mut Draft<'a>) {
        let Some(found) = draft.mapped.of(Field::Email) else { return };
        let read = EmailAddress::parse(&found.text);
        if let Ok(address) = &read {
            let written = address.to_string();
            draft.trace.step(Field::Email.name(), "address", &written);
            draft.person.email = Some(written);
        }
        draft.email = Some(read);
    }

    fn check(&self, draft: &Draft<'_>, findings: &mut Vec<Finding>) {
        if let Some(Err(error)) = &draft.email {
            let (code, field) = (Code::EmailSyntax, Field::Email);
            findings.extend(draft.finding(code, self.mode, field, error.explanation(), error.remedy()));
        }
    }
}

pub(super) const DOCUMENTATION: Documentation = Documentation {
    section: "email",
    summary: "Each person has one e-mail address, well-formed, that nobody else has. Its domain is written in lower case \
              and in ASCII. A text that is no address never becomes a person's, whatever the mode. Two addresses are the \
              same if they differ in case alone. Persons who are not active keep no address from others.",
    default_mode: Mode::Enforce,
    settings: &[Setting {
        key: "prefer",
        values: "a list of `work`, `home`, `other` (the type of the address), `primary`, `any` (the first), `userName`",
        default: "`[\"work\", \"primary\", \"any\", \"userName\"]`",
        meaning: "which address of several is taken: the first in this order that is there. A `userName` without an `@` \
                  is not taken for one. Alternatively `[mapping] email` names paths.",
    }],
    codes: &[
        CodeDocumentation {
            code: Code::EmailSyntax,
            meaning: "the address that was chosen is none",
            remedy: "send a whole address, such as `ada@example.com`",
            example: Example {
                policy: "[email]\n",
                event: Event::User(
                    r#"{"userName": "ada", "emails": [{"type": "work", "value": "ada@example..com"}]}"#,
                ),
            },
        },
        CodeDocumentation {
            code: Code::EmailTaken,
            meaning: "another active person of the tenant has the address",
            remedy: "give each person an address of their own, or deactivate the other one",
            example: Example {
                policy: "[email]\n",
                event: Event::Write(
                    "a second User with the address `ada@example.com` is created, which `lovelace@example.com` has",
                    |policy| {
                        let path = "emails[type eq \"work\"].value";
                        policy.email_taken("ada@example.com", path, Some("lovelace@example.com"))
                    },
                ),
            },
        },
    ],
};
