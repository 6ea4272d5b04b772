//! Addresses at the tenant's own domains alone.
//!
//! Which texts are domains, and which domains can be listed, is for [`crate::value::domain`] to say.

use super::{CodeDocumentation, Documentation, Event, Example, Rule, Setting, short};
use crate::draft::Draft;
use crate::file::Table;
use crate::finding::{Code, Finding, Mode};
use crate::mapping::Field;
use crate::value::character::quoted;
use crate::value::domain::{Domain, DomainList};

/// `[domain]`.
#[derive(Debug, Clone)]
pub(crate) struct DomainRule {
    mode: Mode,
    list: Option<DomainList>,
}

/// How many domains a remedy lists.
const SHOWN: usize = 3;

impl DomainRule {
    pub(crate) fn off() -> Self {
        Self { mode: Mode::Off, list: None }
    }

    pub(crate) fn read(table: &Table<'_, '_>) -> Self {
        let mode = table.mode(Mode::Enforce);
        let subdomains = table.flag("subdomains").unwrap_or(false);
        let Some(entries) = table.texts("allow") else {
            if mode != Mode::Off && table.entry("allow").is_none() {
                let remedy = "list the domains that the tenant administers: `allow = [\"example.com\"]`";
                table.reader.problem(table.place(), "`[domain]` lists no domain", remedy);
            }
            return Self { mode, list: None };
        };
        if entries.is_empty() && mode != Mode::Off {
            let place = table.entry("allow").map_or(table.place(), |(place, _)| place);
            table.reader.problem(
                place,
                "`allow` is empty, so that nobody could be provisioned",
                "list a domain",
            );
        }
        let texts = entries.iter().map(|entry| entry.value.as_str());
        match DomainList::new(texts, subdomains) {
            Ok(list) => Self { mode, list: Some(list) },
            Err(errors) => {
                for (index, error) in errors {
                    let place = entries.get(index).map_or(table.place(), |entry| entry.place);
                    table.reader.problem(place, error.explanation(), error.remedy());
                }
                Self { mode, list: None }
            }
        }
    }
}

impl Rule for DomainRule {
    fn check(&self, draft: &Draft<'_>, findings: &mut Vec<Finding>) {
        let (Some(Ok(address)), Some(list)) = (&draft.email, &self.list) else { return };
        let domain = address.domain();
        if self.mode == Mode::Off || list.allows(domain) {
            return;
        }
        let (shown, domain_shown) = (address.to_string(), domain.unicode());
        let explanation = format!(
            "`{}` is at `{}`, which is not a domain of this tenant",
            short(&shown),
            short(&domain_shown)
        );
        let remedy = match list.nearest(domain) {
            Some(near) => {
                format!("did you mean `{}`? otherwise have the operator list the domain", near.unicode())
            }
            None => format!("use an address at {}, or have the operator list the domain", some(list)),
        };
        findings.extend(draft.finding(Code::DomainNotListed, self.mode, Field::Email, explanation, remedy));
    }
}

/// A few of the domains, for people.
fn some(list: &DomainList) -> String {
    let shown: Vec<String> =
        list.iter().take(SHOWN).map(Domain::unicode).map(|domain| format!("`{}`", quoted(&domain))).collect();
    let rest = if list.iter().len() > SHOWN { " or another that is listed" } else { "" };
    format!("{}{rest}", shown.join(" or "))
}

pub(super) const DOCUMENTATION: Documentation = Documentation {
    section: "domain",
    summary: "Addresses are at domains that the tenant administers. Public suffixes, free-mail domains, and domains that \
              a provider's customers share cannot be listed.",
    default_mode: Mode::Enforce,
    settings: &[
        Setting {
            key: "allow",
            values: "a list of domains, in Unicode or in punycode",
            default: "none; a section that is not off needs it",
            meaning: "the tenant's domains",
        },
        Setting {
            key: "subdomains",
            values: "`true` or `false`",
            default: "`false`",
            meaning: "whether everything below a listed domain counts too",
        },
    ],
    codes: &[CodeDocumentation {
        code: Code::DomainNotListed,
        meaning: "the address is at a domain that the tenant does not list",
        remedy: "use an address at a listed domain, or list the domain",
        example: Example {
            policy: "[domain]\nallow = [\"example.com\", \"bücher.example\"]\n",
            event: Event::User(r#"{"userName": "ada@example.org"}"#),
        },
    }],
};
