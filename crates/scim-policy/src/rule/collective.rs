//! Personal addresses alone: none of an office, a team or a shared mailbox.
//!
//! What is evidence of such an address is for [`crate::value::collective`] to say. This gives it what is known of a person,
//! and puts its verdict into a finding.

use scim_core::view::User;

use super::{CodeDocumentation, Documentation, Event, Example, Rule, Setting, short};
use crate::draft::Draft;
use crate::file::{Placed, Table};
use crate::finding::{Code, Finding, Mode};
use crate::mapping::Field;
use crate::value::character::quoted;
use crate::value::collective::{BadEntry, Evidence, Exceptions, List, Signal, Signals, judge};

/// `[collective]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collective {
    mode: Mode,
    exceptions: Exceptions,
}

impl Collective {
    pub(crate) fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    pub(crate) fn read(table: &Table<'_, '_>) -> Self {
        let allow = table.texts("allow").unwrap_or_default();
        let deny = table.texts("deny").unwrap_or_default();

        let exceptions = Exceptions::new(texts(&allow), texts(&deny)).unwrap_or_else(|bad| {
            for BadEntry { list, index, entry, reason } in bad {
                let entries = match list {
                    List::Allow => &allow,
                    List::Deny => &deny,
                };
                let place = entries.get(index).map_or(table.place(), |entry| entry.place);
                table.reader.problem(place, format!("`{}` {reason}", quoted(&entry)), "");
            }
            Exceptions::default()
        });
        Self { mode: table.mode(Mode::Enforce), exceptions }
    }
}

fn texts(list: &[Placed<String>]) -> impl Iterator<Item = &str> {
    list.iter().map(|entry| entry.value.as_str())
}

impl Rule for Collective {
    fn check(&self, draft: &Draft<'_>, findings: &mut Vec<Finding>) {
        let Some(Ok(address)) = draft.email.as_ref().filter(|_| self.mode != Mode::Off) else { return };
        let user = User::new(draft.user);
        let signals = Signals {
            local: address.local(),
            given_name: draft.person.first_name.as_deref(),
            family_name: draft.person.last_name.as_deref(),
            display_name: user.display_name(),
            user_type: user.user_type(),
        };
        let Some(evidence) = judge(&signals, address.domain().as_str(), &self.exceptions) else { return };
        let address = short(&address.to_string());
        findings.extend(match &evidence {
            Evidence::Role { word } => {
                let explanation = format!(
                    "several people read `{address}`: `{}` stands for {}",
                    word.text,
                    word.category.meaning()
                );
                draft.finding(Code::CollectiveAddress, self.mode, Field::Email, explanation, REMEDY)
            }
            Evidence::Denied { entry } => {
                let explanation =
                    format!("the tenant refuses `{address}`, since it denies `{}`", short(entry));
                draft.finding(Code::CollectiveAddress, self.mode, Field::Email, explanation, REMEDY)
            }
            Evidence::SharedMailbox { signal } => {
                let (path, value) = match signal {
                    Signal::DisplayName { name, .. } => ("displayName", name),
                    Signal::UserType { value } => ("userType", value),
                };
                let explanation =
                    format!("`{}` is no person, so that `{address}` is a shared mailbox", short(value));
                Finding::new(Code::SharedMailbox, self.mode, path, value, explanation, MAILBOX_REMEDY)
            }
        });
    }
}

/// Short enough to be read in a provisioning log.
const REMEDY: &str = "give each person an address of their own, or have the operator allow it";
const MAILBOX_REMEDY: &str =
    "do not provision it; if it is a person, send their name, or have the operator allow it";

pub(super) const DOCUMENTATION: Documentation = Documentation {
    section: "collective",
    summary: "Addresses belong to one person, not to an office, a team or a shared mailbox. The words for these are known \
              in the languages of Europe, with separators, digits and `+tags` between them. A word that is the person's \
              own name counts for nothing: `post@` may be Emily Post's.",
    default_mode: Mode::Enforce,
    settings: &[
        Setting {
            key: "allow",
            values: "a list of addresses, and of what stands before the `@`",
            default: "none",
            meaning: "what belongs to a person after all",
        },
        Setting {
            key: "deny",
            values: "a list of addresses, and of what stands before the `@`",
            default: "none",
            meaning: "what is collective besides what is known",
        },
    ],
    codes: &[
        CodeDocumentation {
            code: Code::CollectiveAddress,
            meaning: "several people read the address, or the tenant says so",
            remedy: "give the person an address of their own, do not provision the account, or allow the address",
            example: Example {
                policy: "[collective]\nallow = [\"info@example.com\"]\ndeny = [\"front-desk\"]\n",
                event: Event::User(
                    r#"{"userName": "kontakt+web@example.com", "name": {"givenName": "Ada", "familyName": "Lovelace"}}"#,
                ),
            },
        },
        CodeDocumentation {
            code: Code::SharedMailbox,
            meaning: "something other than the address says that the account is no person: its `userType`, or its display \
                      name where a given or a family name is missing",
            remedy: "do not provision the account; if it is a person, correct the name, or allow the address",
            example: Example {
                policy: "[collective]\n",
                event: Event::User(r#"{"userName": "x1@example.com", "displayName": "Team Vertrieb"}"#),
            },
        },
    ],
};
